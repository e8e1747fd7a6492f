#!/usr/bin/env bash
# The main job in one command, on a fresh Debian: installs what is missing,
# builds, starts a throw-away server, and plays test/demo.sql on an FS link.
# Needs root or sudo. Nothing stays but the packages and the installed extension.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
trap clean_up EXIT

find_postgres
install_build_packages
make_work_folder
build_and_install
as_user mkdir "$LINK_WORK/exports"
start_server "session_preload_libraries = 'link'" "link.fs_roots = '$LINK_WORK/exports'" \
	"link.master_key_file = '$LINK_WORK/link_master.key'"

as_user psql -X -q -v ON_ERROR_STOP=1 -v "root=$LINK_WORK/exports" -f "$LINK_WORK/build/test/demo.sql"
say "demo: done"
