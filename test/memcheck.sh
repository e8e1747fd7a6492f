#!/usr/bin/env bash
# Errors of memory: the regression and isolation tests and a round trip to an S3
# server, with the server under valgrind's memcheck, and once more with a library
# built with gcc's address and undefined-behaviour sanitizers.
#
#   bash test/memcheck.sh [valgrind] [sanitizers]    both, or that one
#
# An error counts if code of ours is in its stack: the distribution's server is
# built for neither, and has some of its own: it writes padding that it never set.
#
# LINK_S3_ENDPOINT, LINK_KEEP   as for test/run.sh
#
# The last line is "N passed, N failed, N skipped", as of test/run.sh.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$LINK_SOURCE/test/services/ceph.sh"
trap clean_up EXIT

passed=0 failed=0
instrumented=

stop_services()
{
	ceph_stop
	# no other server could load what was installed last
	if [ -n "$instrumented" ]; then
		instrumented=
		as_user make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" clean
		build_and_install WERROR=1
	fi
}

# result WHAT STATUS
result()
{
	if [ "${2:-0}" = 0 ]; then
		say "ok - $1"
		passed=$((passed + 1))
	else
		say "not ok - $1"
		failed=$((failed + 1))
	fi
}

# start_under FOLDER COMMAND...: a server that the command runs, which may write to the folder.
start_under()
{
	local folder=$1
	shift
	printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$LINK_WORK/postgres"
	chmod 755 "$LINK_WORK/postgres"
	as_user mkdir "$folder"
	start_server "session_preload_libraries = 'link'" "link.allowed_hosts = 'http://127.0.0.1 127.0.0.1 localhost'" \
		"link.master_key_file = '$folder/link_master.key'"
	as_user pg_ctl -s -D "$LINK_WORK/data" -m fast -w stop
	as_user pg_ctl -s -D "$LINK_WORK/data" -l "$LINK_WORK/server.log" -p "$LINK_WORK/postgres" -t 300 -w start
}

run_psql() { as_user psql -X -q -A -t "$@"; }

# What the regression tests have no server for: transport with and without TLS,
# parts, their failures, cancel and terminate.
make_links()
{
	as_user mkdir "$1/files"
	run_psql -v ON_ERROR_STOP=1 -v root="$1/files" -v endpoint="$LINK_S3_ENDPOINT" -v tls="$LINK_S3_TLS_ENDPOINT" \
		-v ca="$(cat "$LINK_S3_CA")" -v key="$LINK_S3_ACCESS_KEY" -v secret="$LINK_S3_SECRET_KEY" <<'SQL' >/dev/null
CREATE EXTENSION link;
CREATE TABLE rows AS SELECT n, repeat(md5(n::text), 30) AS filler FROM generate_series(1, 12000) n;
CREATE TABLE copy (LIKE rows);
SELECT json_build_object('aws_access_key_id', :'key', 'aws_secret_access_key', :'secret')::text AS credentials,
	json_build_object('region', 'us-east-1', 'endpoint_url', :'endpoint')::text AS config,
	json_build_object('region', 'us-east-1', 'endpoint_url', :'tls', 'ca_certificate', :'ca')::text AS tls_config \gset
SELECT link.create_link('s3', 'S3', :'credentials', :'config');
SELECT link.create_link('tls', 'S3', :'credentials', :'tls_config');
SELECT link.create_link('untrusted', 'S3', :'credentials', json_build_object('endpoint_url', :'tls')::text);
SELECT link.create_link('wrong', 'S3', '{"aws_access_key_id":"AKIANOBODY","aws_secret_access_key":"nothing"}', :'config');
SELECT link.create_link('away', 'S3', '{"creds_mode":"anonymous"}', '{"endpoint_url":"http://127.0.0.1:9"}');
SELECT link.create_link('files', 'FS', config => json_build_object('root', :'root')::text);
SQL
}

round_trip()
{
	run_psql -v VERBOSITY=sqlstate >"$LINK_WORK/answers" 2>&1 <<'SQL' || true
SET link.retry_timeout = '1s';
SELECT bool_and(ok) FROM link.check_link('s3', 'memcheck');
SELECT rows FROM link.select_into('TABLE rows', 's3', 'memcheck/parts');
SELECT rows FROM link.select_into('SELECT * FROM rows WHERE n < 100', 'tls', 'memcheck/some.csv', format => 'csv', header => true);
SELECT link.write_file('s3', 'memcheck/some.csv', 'again');
SELECT rows FROM link.load_data('s3', 'memcheck/parts', 'copy');
SELECT count(*) FROM (TABLE copy EXCEPT TABLE rows) d;
SELECT count(*) FROM link.select_from('tls', 'memcheck/*.csv', format => 'csv', header => 'match') AS t(n int, filler text);
SELECT string_agg(path, ' ') FROM link.list_files('tls', 'memcheck/');
SELECT length(link.read_file('s3', 'memcheck/some.csv')) > 1000;
SELECT link.select_into('SELECT 1 / (12000 - n), filler FROM rows', 's3', 'memcheck/failed');
DO $$ BEGIN PERFORM link.select_into('SELECT 1 / (12000 - n), filler FROM rows', 's3', 'memcheck/failed');
EXCEPTION WHEN division_by_zero THEN RAISE EXCEPTION USING ERRCODE = 'P0099'; END $$;
SELECT link.read_file('s3', 'memcheck/absent');
SELECT link.read_file('wrong', 'memcheck/parts');
SELECT link.read_file('untrusted', 'memcheck/parts');
SELECT link.read_file('away', 'memcheck/parts');
SELECT link.write_file('s3', 'no-such-bucket/x', 'x');
SET statement_timeout = '4s';
SELECT link.select_into('SELECT repeat(md5(n::text), 30) FROM generate_series(1, 1000000000) n', 's3', 'memcheck/cancelled');
RESET statement_timeout;
DISCARD ALL;
SELECT rows FROM link.select_into('SELECT * FROM rows WHERE n < 100', 'files', 'a/b/rows');
SELECT link.write_file('files', 'a/b/rows', 'x');
SELECT rows FROM link.load_data('files', 'a/', 'copy');
SELECT path FROM link.list_files('files', '**/r[a-z]w?');
SELECT link.alter_link('files', config => '{"root":"relative"}');
SELECT length(link.add_master_key()) > 0, link.reseal();
SELECT count(*) FROM link.execute('SHOW LINKS');
SELECT count(*) > 5 FROM link.status();
SELECT count(link.remove_file('s3', path)::text) FROM link.list_files('s3', 'memcheck/');
SQL
	diff - "$LINK_WORK/answers" <<'ANSWERS'
t
12000
99
ERROR:  58P02
12000
0
99
memcheck/parts memcheck/some.csv
t
ERROR:  22012
ERROR:  P0099
ERROR:  58P01
ERROR:  08004
ERROR:  08001
ERROR:  08001
ERROR:  58P01
ERROR:  57014
99
ERROR:  58P02
99
a/b/rows
ERROR:  22023
t|5
9
t
2
ANSWERS
}

# A backend that is ended in the middle, and so runs its exit callbacks.
terminate()
{
	run_psql -c "SELECT link.select_into('SELECT repeat(md5(n::text), 30) FROM generate_series(1, 1000000000) n', 's3', 'memcheck/ended')" \
		>"$LINK_WORK/ended" 2>&1 &
	sleep 5
	run_psql -c "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE query LIKE '%memcheck/ended%' AND pid <> pg_backend_pid()" |
		grep -qx t || return 1
	wait $! || true
	grep -q 'terminating connection' "$LINK_WORK/ended"
}

# run_tests NAME FOLDER: on the server that runs, and then end it gently: it reports at its end, too.
run_tests()
{
	local status=0
	as_user make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" installcheck >"$LINK_WORK/installcheck.log" 2>&1 || status=1
	if [ $status != 0 ]; then
		cat "$LINK_WORK/installcheck.log" "$LINK_WORK/build/regression.diffs" "$LINK_WORK/build/output_iso/regression.diffs" 2>/dev/null || true
	fi
	result "$1: regression and isolation tests" $status
	status=0
	{ make_links "$2" && round_trip && terminate; } >"$LINK_WORK/round_trip.log" 2>&1 || status=1
	[ $status = 0 ] || cat "$LINK_WORK/round_trip.log"
	result "$1: round trip" $status
	status=0
	as_user pg_ctl -s -D "$LINK_WORK/data" -m fast -t 300 -w stop || status=1
	! grep -E 'PANIC|TRAP|server process .* was terminated' "$LINK_WORK/server.log" || status=1
	result "$1: no backend crashed" $status
	unset PGHOST PGPORT PGUSER PGDATABASE
	as_root rm -rf "$LINK_WORK/data"
}

check_valgrind()
{
	local folder=$LINK_WORK/valgrind
	build_and_install WERROR=1
	cat >"$LINK_WORK/suppressions" <<'SUPPRESSIONS'
{
   the loader reads whole words, beyond the end of a string; also when a query of an export loads a library
   Memcheck:Addr8
   fun:strncmp
   fun:is_dst
   ...
}
{
   the server writes padding that it never set, when our load fills the buffers of the WAL
   Memcheck:Param
   pwrite64(buf)
   fun:pwrite
   obj:*/postgres
   ...
}
{
   the server moves its cached regular expressions by memcpy, also in a query of an export
   Memcheck:Overlap
   fun:__memcpy_chk
   fun:RE_compile_and_cache
   ...
}
SUPPRESSIONS
	chmod 644 "$LINK_WORK/suppressions"
	start_under "$folder" valgrind --quiet --leak-check=no --num-callers=40 --error-limit=no --suppressions="$LINK_WORK/suppressions" \
		--error-markers=ERROR-BEGIN,ERROR-END --fullpath-after="$LINK_WORK/build/" --log-file="$folder/log.%p" "$PG_BIN/postgres"
	run_tests valgrind "$folder"
	# frames of ours read "name (src/file.c:12)"
	awk '/ERROR-BEGIN/ { text = ""; ours = 0 } { text = text $0 "\n" } /\(src\// { ours = 1 } /ERROR-END/ && ours { printf "%s", text }' \
		"$folder"/log.* >"$LINK_WORK/valgrind.errors"
	cat "$LINK_WORK/valgrind.errors"
	result "valgrind: no error in code of ours" "$([ ! -s "$LINK_WORK/valgrind.errors" ] || echo 1)"
}

# The library that the address sanitizer needs first: in the server it would begin
# at the first allocation, which some library makes in bindtextdomain(), under a
# lock that the sanitizer's own beginning takes too.
make_first()
{
	printf 'void __asan_init(void);\n__attribute__((constructor)) static void first(void) { __asan_init(); }\n' |
		gcc -x c -shared -fPIC -Wl,-z,initfirst,--allow-shlib-undefined -o "$LINK_WORK/first.so" -
	chmod 755 "$LINK_WORK/first.so"
}

check_sanitizers()
{
	local folder=$LINK_WORK/sanitizers
	make_first
	as_user make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" clean
	instrumented=yes
	build_and_install COPT="-fsanitize=address,undefined -fsanitize-recover=address -fno-omit-frame-pointer -O1"
	start_under "$folder" env LD_PRELOAD="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so):$LINK_WORK/first.so" \
		ASAN_OPTIONS="detect_leaks=0:halt_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1:log_path=$folder/log" \
		UBSAN_OPTIONS=print_stacktrace=1 "$PG_BIN/postgres"
	run_tests sanitizers "$folder"
	# undefined behaviour is told in the server's log, and is always of the library
	{
		grep -A 30 'runtime error:' "$LINK_WORK/server.log" || true
		{ grep -lE '^ +#[0-9]+ .*( src/|/link\.so)' "$folder"/log.* 2>/dev/null || true; } | xargs -r cat
	} >"$LINK_WORK/sanitizers.errors"
	cat "$LINK_WORK/sanitizers.errors"
	result "sanitizers: no error in code of ours" "$([ ! -s "$LINK_WORK/sanitizers.errors" ] || echo 1)"
}

find_postgres
install_build_packages
install_packages valgrind
make_work_folder
if [ -z "${LINK_S3_ENDPOINT:-}" ]; then
	{ ceph_packages && ceph_start "$LINK_WORK/ceph"; } || die "Ceph radosgw could not be started"
fi
install_packages awscli
AWS_ACCESS_KEY_ID=$LINK_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$LINK_S3_SECRET_KEY AWS_DEFAULT_REGION=us-east-1 \
	aws --endpoint-url "$LINK_S3_ENDPOINT" s3 mb s3://memcheck >/dev/null
[ $# -gt 0 ] || set -- valgrind sanitizers
for what in "$@"; do
	"check_$what"
done

stop_services
printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ]
