# What demo.sh, run.sh and the benchmark share: packages, a private build, a
# private server. Sourced by bash; nothing runs before a function is called.

set -euo pipefail

LINK_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LINK_WORK=

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# PostgreSQL refuses to run as root: then everything of ours runs as postgres.
as_user()
{
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# install_packages PACKAGE...: with apt, those that are missing.
install_packages()
{
	local missing=() p
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]}"
	as_root apt-get update -qq >/dev/null || say "apt-get update failed; going on with the lists at hand"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		"${missing[@]}" >/dev/null
}

# The server to build for: PG_CONFIG if set, else one with its development
# files that is installed, else the newest that the distribution has.
find_postgres()
{
	local v
	if [ -z "${PG_CONFIG:-}" ]; then
		for v in 15 16 17 18; do
			[ -e "/usr/lib/postgresql/$v/lib/pgxs/src/makefiles/pgxs.mk" ] &&
				[ -x "/usr/lib/postgresql/$v/bin/postgres" ] && LINK_PG=$v
		done
		if [ -z "${LINK_PG:-}" ]; then
			command -v apt-cache >/dev/null || die "apt is needed to install PostgreSQL; or set PG_CONFIG"
			as_root apt-get update -qq >/dev/null || true
			for v in 15 16 17 18; do
				if apt-cache show "postgresql-server-dev-$v" >/dev/null 2>&1; then LINK_PG=$v; fi
			done
			[ -n "${LINK_PG:-}" ] || die "no PostgreSQL 15 to 18 among the packages"
		fi
		install_packages "postgresql-$LINK_PG" "postgresql-server-dev-$LINK_PG"
		PG_CONFIG=/usr/lib/postgresql/$LINK_PG/bin/pg_config
	fi
	export PG_CONFIG
	PG_BIN=$("$PG_CONFIG" --bindir)
	export PATH=$PG_BIN:$PATH
}

install_build_packages()
{
	install_packages build-essential pkg-config bison flex libjson-c-dev libcurl4-openssl-dev \
		libssl-dev libxml2-dev libkrb5-dev librdkafka-dev zlib1g-dev libzstd-dev liblz4-dev
}

# A folder of our own that the server's user can read, with a copy of the
# source: the clone stays clean and may lie where that user cannot go.
make_work_folder()
{
	LINK_WORK=$(mktemp -d "${TMPDIR:-/tmp}/link-test.XXXXXX")
	mkdir "$LINK_WORK/build"
	tar -C "$LINK_SOURCE" --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.d' \
		--exclude=./results --exclude=./tmp_check -cf - . | tar -C "$LINK_WORK/build" -xf -
	chmod 755 "$LINK_WORK"
	if [ "$(id -u)" = 0 ]; then chown -R postgres "$LINK_WORK"; fi
}

# build_and_install [MAKE ARGUMENT...]
build_and_install()
{
	say "building against $("$PG_CONFIG" --version)"
	as_user make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" "$@" >"$LINK_WORK/build.log" 2>&1 ||
		{ cat "$LINK_WORK/build.log" >&2; die "the build failed"; }
	as_root make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" install >>"$LINK_WORK/build.log" 2>&1 ||
		{ cat "$LINK_WORK/build.log" >&2; die "the installation failed"; }
}

# start_server [SETTING...]: on a socket in the work folder only; sets PGHOST,
# PGPORT and PGUSER. Each setting is a line of postgresql.conf.
start_server()
{
	export PGHOST=$LINK_WORK/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	as_user mkdir -p "$PGHOST"
	as_user initdb -D "$LINK_WORK/data" -U postgres -E UTF8 --locale=C.UTF-8 --no-sync >"$LINK_WORK/initdb.log"
	{
		printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$PGHOST'" "fsync = off"
		printf '%s\n' "$@"
	} | as_user tee -a "$LINK_WORK/data/postgresql.conf" >/dev/null
	as_user pg_ctl -s -D "$LINK_WORK/data" -l "$LINK_WORK/server.log" -w start
}

stop_server()
{
	if [ -n "$LINK_WORK" ] && [ -e "$LINK_WORK/data/postmaster.pid" ]; then
		as_user pg_ctl -s -D "$LINK_WORK/data" -m immediate stop || true
	fi
}

# Everything away, with the exit status kept; LINK_KEEP=1 keeps the folder.
clean_up()
{
	local status=$?
	trap - EXIT
	stop_server
	if declare -F stop_services >/dev/null; then stop_services; fi
	if [ -n "$LINK_WORK" ]; then
		if [ -n "${LINK_KEEP:-}" ]; then say "kept: $LINK_WORK"; else as_root rm -rf "$LINK_WORK"; fi
	fi
	exit "$status"
}
