#!/usr/bin/env bash
# Every test, on a fresh Debian: installs what is missing, builds with -Werror,
# starts a private server and the real services, runs the unit, regression,
# isolation and TAP tests. Needs root or sudo.
#
#   bash test/run.sh [TEST...]    all, or those TAP files alone (test/t/010_x.pl)
#   bash test/run.sh regress      without services: unit, regression and isolation tests alone
#   bash test/run.sh --fire [N]    N (20) long rounds of pipelines under fire instead: test/t/112_pipeline_fire.pl
#   bash test/run.sh --memcheck   under valgrind and the sanitizers instead: test/memcheck.sh
#
# LINK_TEST_REQUIRE=all  a service that cannot be had is a failure, not a skip
# LINK_S3_ENDPOINT       an S3 server that runs already, with all that ceph_start exports
# LINK_TEST_LONG=1       more random rounds, where a test has them
# LINK_KEEP=1            keeps the work folder with all logs
#
# The last line is "N passed, N failed, N skipped".
if [ "${1:-}" = --fire ]; then
	export LINK_FIRE_ROUNDS=${2:-20}
	set -- test/t/112_pipeline_fire.pl
elif [ "${1:-}" = --memcheck ]; then
	shift
	exec bash "$(dirname "${BASH_SOURCE[0]}")/memcheck.sh" "$@"
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$LINK_SOURCE/test/services/ceph.sh"
for service in azurite s3b gcs kafka kerberos hdfs clients core_regress; do . "$LINK_SOURCE/test/services/$service.sh"; done

# Each has NAME_packages, NAME_start FOLDER and NAME_stop; a test asks by need_service('NAME').
services="clients azurite s3b gcs kafka ceph_sts kerberos hdfs hdfs_kerberos hdfs_ha core_regress"
export LINK_SERVICES=
stop_services()
{
	local s
	for s in $LINK_SERVICES; do "${s}_stop"; done
	ceph_stop
}
trap clean_up EXIT

passed=0 failed=0 skipped=0

# count_regress LOG: results of pg_regress and pg_isolation_regress; 15 says
# "test x ... ok 3 ms", 16 and later "ok 1 - x 3 ms".
count_regress()
{
	local ok bad
	ok=$(grep -cE '^(test .*\.\.\. ok|ok [0-9]+)|^     [^ ].*\.\.\. ok' "$1" || true)
	bad=$(grep -cE '^(test .*\.\.\. FAILED|not ok [0-9]+)|^     [^ ].*\.\.\. FAILED' "$1" || true)
	passed=$((passed + ok)) failed=$((failed + bad))
	[ $((ok + bad)) -gt 0 ] || { failed=$((failed + 1)); say "no test ran: $1"; }
}

# count_tap LOG STATUS: assertions of `prove --verbose`, subtests as one.
count_tap()
{
	local ok skip bad files
	skip=$(grep -cE '^ok [0-9]+ .*# (skip|SKIP)|^1\.\.0 # SKIP' "$1" || true)
	ok=$(grep -cE '^ok [0-9]+' "$1" || true)
	ok=$((ok - $(grep -cE '^ok [0-9]+ .*# (skip|SKIP)' "$1" || true)))
	bad=$(grep -cE '^not ok [0-9]+' "$1" || true)
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	# a file that died without a failed assertion
	if [ "$2" != 0 ] && [ "$bad" = 0 ]; then failed=$((failed + 1)); fi
	if [ "$ok" = 0 ] && [ "$skip" = 0 ]; then failed=$((failed + 1)); fi
}

start=$SECONDS
step() { say "== $* ($((SECONDS - start)) s)"; }

step packages
find_postgres
install_build_packages
install_packages libipc-run-perl python3 perl gzip zstd lz4 procps
make_work_folder
step build
build_and_install WERROR=1

if [ $# = 0 ] || [ "$1" = regress ]; then
	step unit
	status=0
	as_user env PG_CONFIG="$PG_CONFIG" prove --verbose --exec bash "$LINK_WORK/build/test/unit/run.sh" \
		>"$LINK_WORK/unit.log" 2>&1 || status=$?
	count_tap "$LINK_WORK/unit.log" $status
	[ $status = 0 ] || cat "$LINK_WORK/unit.log"

	step regression and isolation
	start_server
	status=0
	as_user make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" installcheck \
		>"$LINK_WORK/installcheck.log" 2>&1 || status=$?
	count_regress "$LINK_WORK/installcheck.log"
	if [ $status != 0 ]; then
		cat "$LINK_WORK/installcheck.log"
		cat "$LINK_WORK/build/regression.diffs" "$LINK_WORK/build/output_iso/regression.diffs" 2>/dev/null || true
	fi
	stop_server
	rm -rf "$LINK_WORK/data"
	unset PGHOST PGPORT PGUSER PGDATABASE
fi

if [ "${1:-}" != regress ]; then
	step services
	# those that the tests to be run ask for
	asked() { [ "${#tests[@]}" = 0 ] || (cd "$LINK_WORK/build" && grep -qF "$1" "${tests[@]}"); }
	tests=("$@")
	if ! asked need_s3 && ! asked LINK_S3_; then
		:
	elif [ -n "${LINK_S3_ENDPOINT:-}" ]; then
		install_packages awscli
	elif ! { ceph_packages && ceph_start "$LINK_WORK/ceph"; }; then
		say "Ceph radosgw could not be started"
		if [ "${LINK_TEST_REQUIRE:-}" = all ]; then failed=$((failed + 1)); fi
	fi

	for service in $services; do
		asked "need_service('$service')" || continue
		if "${service}_packages" && "${service}_start" "$LINK_WORK/$service"; then
			LINK_SERVICES="$LINK_SERVICES $service"
		else
			say "$service could not be started"
			if [ "${LINK_TEST_REQUIRE:-}" = all ]; then failed=$((failed + 1)); fi
		fi
	done

	step TAP
	status=0
	as_user env LINK_WORK="$LINK_WORK" make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" tap PROVE_FLAGS="--verbose -I test/perl" \
		${1:+PROVE_TESTS="$*"} >"$LINK_WORK/tap.log" 2>&1 || status=$?
	count_tap "$LINK_WORK/tap.log" $status
	if [ $status != 0 ]; then
		# what failed and why: a comment alone may also be a psql of the test telling what it does
		grep -E -A 12 '^ *not ok|Bail out|Dubious|Failed|Result:' "$LINK_WORK/tap.log" | tail -n 300
		if [ -n "${LINK_KEEP:-}" ]; then say "logs: $LINK_WORK/tap.log, $LINK_WORK/build/tmp_check/log"; fi
	fi
fi
step done

stop_services
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
