#!/usr/bin/env bash
# Every test on other versions of PostgreSQL: test/run.sh in a chroot of the
# Debian release that has the version. Needs root or sudo, and mounts.
#
#   bash test/versions.sh [15|17|18]... [TEST...]    17 and 18, or those; all tests, or those TAP files alone
#
# LINK_CACHE=/var/cache/link-test  where the chroots (1.8 GB each) stay for the next
#                                  run; remove one to have it made anew
# LINK_TEST_REQUIRE, LINK_KEEP     as for test/run.sh
#
# The last line is "N passed, N failed, N skipped" over all versions.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$LINK_SOURCE/test/services/ceph.sh"
stop_services() { ceph_stop; }
trap clean_up EXIT

cache=${LINK_CACHE:-/var/cache/link-test}
passed=0 failed=0 skipped=0

suite_of()
{
	case $1 in
		15) echo bookworm ;;
		17) echo trixie ;;
		18) echo forky ;;
		*) return 1 ;;
	esac
}

# make_chroot SUITE: a minimal Debian below the cache, once.
make_chroot()
{
	local suite=$1 new=$cache/$1.new mirror
	[ ! -e "$cache/$suite" ] || return 0
	install_packages debootstrap
	mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null) || true
	as_root rm -rf "$new"
	# The script is named because a debootstrap older than the suite has none for it.
	as_root debootstrap --variant=minbase "$suite" "$new" "${mirror:-http://deb.debian.org/debian}" \
		/usr/share/debootstrap/scripts/sid >"$LINK_WORK/debootstrap.log" 2>&1 ||
		{ tail -n 30 "$LINK_WORK/debootstrap.log" >&2; return 1; }
	# No package starts a service; a stored Release file may be past its date.
	printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$new/usr/sbin/policy-rc.d"
	echo 'Acquire::Check-Valid-Until "false";' | as_root tee "$new/etc/apt/apt.conf.d/90link-test" >/dev/null
	as_root mkdir -p "$new/dev/shm" "$new/link"
	as_root mv "$new" "$cache/$suite"
}

# in_chroot SUITE COMMAND [ARGUMENT...]: as root, with the source at /link, the work
# folder at /mnt and the servers that are downloaded already, one run at a time. Mounts and processes are of namespaces
# of their own: they end with the command.
in_chroot()
{
	local root=$cache/$1
	shift
	as_root flock "$root.lock" unshare --mount --pid --fork --kill-child bash -c '
		root=$1
		mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/dev/shm" &&
			mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts" &&
			mount -o bind,ro "$2" "$root/link" && mount -o bind,ro "$3" "$root/mnt" &&
			cp -f /etc/hosts /etc/resolv.conf "$root/etc" || exit
		for server in "${root%/*}"/*-[0-9]*.[0-9]*; do
			to=$root/var/cache/link-test/${server##*/}
			[ ! -e "$server" ] || { mkdir -p "$to" && mount -o bind,ro "$server" "$to"; } || exit
		done
		chroot "$root" "${@:4}"
		exit' - "$root" "$LINK_SOURCE" "$LINK_WORK" "$@"
}

# test_version VERSION [TEST...]: adds what its run.sh counted.
test_version()
{
	local v=$1 suite log=$LINK_WORK/run-$1.log name env=() p f s
	shift
	suite=$(suite_of "$v")
	make_chroot "$suite" || { say "no chroot of $suite"; failed=$((failed + 1)); return 0; }
	for name in "${!LINK_S3_@}" LINK_TEST_REQUIRE LINK_KEEP; do
		[ -z "${!name:-}" ] || env+=("$name=${!name/#$LINK_WORK//mnt}")
	done
	in_chroot "$suite" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 LINK_PG="$v" \
		"${env[@]}" bash /link/test/run.sh "$@" 2>&1 | tee "$log" >&2 || true
	# a run that died before its last line is one failure
	read -r p f s < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log"; echo 0 1 0)
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

versions=()
while [ $# -gt 0 ] && suite_of "$1" >/dev/null; do
	versions+=("$1")
	shift
done
[ ${#versions[@]} -gt 0 ] || versions=(17 18)

LINK_WORK=$(mktemp -d "${TMPDIR:-/tmp}/link-test.XXXXXX")
chmod 755 "$LINK_WORK"
as_root mkdir -p "$cache"

ceph_packages
for v in "${versions[@]}"; do
	say "==== PostgreSQL $v ($SECONDS s)"
	# an empty one for each: the tests expect their buckets to be new
	ceph_start "$LINK_WORK/ceph$v" || say "Ceph radosgw could not be started; the version tries its own"
	test_version "$v" "$@"
	ceph_stop
done
say "==== done ($SECONDS s)"

stop_services
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
