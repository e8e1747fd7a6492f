# PostgreSQL's own regression tests, which its packages do not have: from the
# source package of the server that the tests run against. No server; sourced by
# run.sh after test/lib.sh.
#
# Exports LINK_CORE_REGRESS, a folder with sql/, expected/, data/, regress.so and,
# unless the installed one is of the same version, bin/psql. (What psql shows
# differs between minor versions too: how it goes on after a COPY that failed.)

. "$LINK_SOURCE/test/services/util.sh"

core_regress_packages() { install_packages bzip2; }

# core_regress_lists FOLDER: lists of the same places of apt, of source packages too
core_regress_lists()
{
	local f
	mkdir -p "$1/apt/lists/partial" "$1/apt/parts"
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		[ -e "$f" ] || continue
		case $f in
			*.list) sed -n 'p; s/^deb /deb-src /p' "$f" ;;
			*.sources) sed 's/^Types:.*/Types: deb deb-src/' "$f" ;;
		esac >"$1/apt/parts/${f##*/}"
	done
	core_regress_apt=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$1/apt/parts"
		-o "Dir::State::lists=$1/apt/lists" -o "Dir::Cache=$1/apt")
	apt-get "${core_regress_apt[@]}" update
}

# core_regress_download MAJOR VERSION FOLDER: of that version; where that is not
# there to be had, of another one with the same major version.
core_regress_download()
{
	local v to=$3
	core_regress_lists "$to" || true # one of the places may be out of order
	for v in "$2" $(apt-cache "${core_regress_apt[@]}" showsrc "postgresql-$1" | sed -n 's/^Version: //p' | grep -vxF "$2" | sort -rVu); do
		(cd "$to/apt" && apt-get "${core_regress_apt[@]}" source --download-only --tar-only "postgresql-$1=$v") || continue
		tar -C "$to" -xf "$to"/apt/*.orig.tar.* --no-same-owner --no-same-permissions --wildcards --strip-components=4 '*/src/test/regress' &&
			gcc -shared -fPIC -O -w -D_GNU_SOURCE -I "$("$PG_CONFIG" --includedir-server)" -o "$to/regress.so" "$to/regress.c" || return 1
		if [ "$v" != "$2" ]; then
			(cd "$to/apt" && apt-get "${core_regress_apt[@]}" download "postgresql-client-$1=$v" && dpkg -x ./*.deb .) &&
				mkdir "$to/bin" && mv "$to/apt/usr/lib/postgresql/$1/bin/psql" "$to/bin" || return 1
		fi
		rm -rf "$to/apt"
		return 0
	done
	return 1
}

core_regress_start()
{
	local major version
	major=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
	version=$(dpkg-query -W -f '${source:Version}' "postgresql-$major") || return 1
	service_cached "postgresql-regress-$version" core_regress_download "$major" "$version" || return 1
	export LINK_CORE_REGRESS=$LINK_CACHE/postgresql-regress-$version
}

core_regress_stop() { :; }
