#!/usr/bin/env bash
# How fast pipelines are, as ratios within one run, and what they cost when there is
# nothing to do. Needs root or sudo; installs what is missing.
#
#   bash test/bench/pipelines.sh [kafka [MESSAGES]]   default: 2000000, in 4 partitions
#   bash test/bench/pipelines.sh files [FILES]        10000, of 10 rows, FS and S3 (versitygw)
#   bash test/bench/pipelines.sh delay                from landing to being visible
#   bash test/bench/pipelines.sh idle [SECONDS]       CPU of running pipelines with nothing to do
#   bash test/bench/pipelines.sh names [NAMES]        1000000: memory of the scheduler
#
# Without words: all of them. Times are medians of $repeats rounds of everything.
# A pipeline's is that from START to the last row, with the start of its processes;
# the others' that of whole psql calls. Servers and clients share the machine.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$LINK_SOURCE/test/services/kafka.sh"
. "$LINK_SOURCE/test/services/s3b.sh"
. "$LINK_SOURCE/test/bench/measure.sh"
names_server=
stop_services()
{
	kafka_stop
	s3b_stop
	[ -z "$names_server" ] || kill "$names_server" 2>/dev/null || true
}
trap clean_up EXIT

what=${1:-kafka files delay idle names}
number=${2:-}

find_postgres
install_build_packages
install_packages python3 curl
kafka_packages
s3b_packages
make_work_folder
build_and_install
as_user mkdir "$LINK_WORK/files"
[[ $what != *kafka* ]] || kafka_start "$LINK_WORK/kafka"
s3b_start "$LINK_WORK/s3b"
start_server "shared_buffers = 512MB" "full_page_writes = off" "wal_level = minimal" "max_wal_senders = 0" \
	"autovacuum = off" "max_wal_size = 8GB" "jit = off" "max_parallel_workers_per_gather = 0" "max_worker_processes = 16" \
	"link.allowed_hosts = 'http://127.0.0.1'" "shared_preload_libraries = 'link'" \
	"link.master_key_file = '$LINK_WORK/link_master.key'"
export AWS_ACCESS_KEY_ID=$LINK_S3B_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$LINK_S3B_SECRET_KEY
export AWS_DEFAULT_REGION=$LINK_S3B_REGION AWS_EC2_METADATA_DISABLED=true
aws() { command aws --endpoint-url "$LINK_S3B_ENDPOINT" "$@" >/dev/null; }
aws s3 mb s3://bench

as_user psql -X -q -v ON_ERROR_STOP=1 -v "files=$LINK_WORK/files" -v "brokers=${LINK_KAFKA_PLAINTEXT:-127.0.0.1:1}" \
	-v "s3=$LINK_S3B_ENDPOINT" -v "region=$LINK_S3B_REGION" -v "key=$LINK_S3B_ACCESS_KEY" -v "secret=$LINK_S3B_SECRET_KEY" >/dev/null <<'S'
CREATE EXTENSION link;
CREATE TABLE target (id integer NOT NULL, sort text NOT NULL, body text NOT NULL);
SELECT link.create_link('k', 'KAFKA', config => json_build_object('bootstrap.servers', :'brokers')::text);
SELECT link.create_link('fs', 'FS', config => json_build_object('root', :'files')::text);
SELECT link.create_link('s3', 'S3', json_build_object('aws_access_key_id', :'key', 'aws_secret_access_key', :'secret')::text,
	json_build_object('endpoint_url', :'s3', 'region', :'region')::text);
S

# run_pipeline LINK PATH ROWS WORKERS [FORMAT]: from START until so many rows are there.
run_pipeline()
{
	as_user psql -X -q -At -v ON_ERROR_STOP=1 -c "SELECT link.start_pipeline('p')" -c "DO \$\$ BEGIN
		WHILE (SELECT coalesce(sum(rows), 0) < $1 FROM link.pipeline_batches) LOOP
			IF EXISTS (SELECT FROM link.pipelines WHERE state <> 'Running') THEN RAISE 'it has stopped'; END IF;
			PERFORM pg_sleep(0.02);
		END LOOP; END \$\$" >/dev/null
}
# make_pipeline LINK PATH WORKERS [FORMAT]: anew, for an empty table.
make_pipeline()
{
	sql "SELECT link.drop_pipeline('p', if_exists => true)" >/dev/null
	sql "TRUNCATE target; SELECT link.create_pipeline('p', '$1', '$2', 'target', format => '${4:-text}', max_partitions => $3)" >/dev/null
}
# check ROWS WHAT: each row is there once
check()
{
	[ "$(sql 'SELECT count(*), count(DISTINCT id) FROM target')" = "$1|$1" ] || die "$2: rows are missing, or there twice"
}
drop_pipeline() { sql "SELECT link.drop_pipeline('p', if_exists => true)" >/dev/null; }

# ratios BASE ROWS: a table of all names of $order.
ratios()
{
	local name
	printf '\n%-32s %9s %12s   %s\n' "" seconds "rows/s" "speed, of $1"
	for name in "${order[@]}"; do
		awk -v n="$name" -v s="${seconds[$name]}" -v b="${seconds[$1]}" -v rows="$2" \
			'BEGIN {printf "%-32s %9.2f %12.0f   %.2f\n", n, s, rows / s, b / s}'
	done
}

bench_kafka()
{
	local rows=${number:-2000000} lines=$LINK_WORK/lines p i turn
	times=() seconds=() order=()
	say "$rows messages"
	sql "COPY (SELECT n, (ARRAY['insert', 'update', 'delete'])[n % 3 + 1], md5(n::text) || md5((n + 1)::text) || substr(md5((n + 2)::text), n % 10 + 1)
		FROM generate_series(1, $rows) n) TO '$lines'"
	kafka_topic topic 4 >/dev/null
	for p in 0 1 2 3; do
		awk -v p=$p 'NR % 4 == p' "$lines" >"$lines.$p"
		kcat -q -b "$LINK_KAFKA_PLAINTEXT" -P -X acks=all -t topic -p $p -l "$lines.$p"
	done
	rm -f "$lines".*
	kcat_read() { kcat -q -b "$LINK_KAFKA_PLAINTEXT" -C -e -o beginning -X isolation.level=read_committed -t topic; }
	base="kcat | psql"
	local runs=("kcat_read | sql 'COPY target FROM STDIN'" "run_pipeline $rows" "run_pipeline $rows")
	local befores=("drop_pipeline; sql 'TRUNCATE target'" "make_pipeline k topic 1" "make_pipeline k topic 2")
	local labels=("$base" "pipeline, one worker" "pipeline, two workers")
	for i in $(seq "$repeats"); do
		say "round $i of $repeats"
		for turn in 0 1 2; do
			p=$(((turn + i) % 3))
			time_once "${labels[p]}" "${runs[p]}" "${befores[p]}"
			check "$rows" "${labels[p]}"
		done
	done
	drop_pipeline
	for p in "${order[@]}"; do median "$p"; done
	ratios "$base" "$rows"
}

bench_files()
{
	local files=${number:-10000} link path base i turn p
	as_user mkdir -p "$LINK_WORK/files/small"
	as_user python3 - "$LINK_WORK/files/small" "$files" <<'P'
import sys
for n in range(int(sys.argv[2])):
    with open("%s/%06d.csv" % (sys.argv[1], n), "w") as f:
        f.writelines("%d,insert,%s\n" % (n * 10 + i, "x" * 80) for i in range(10))
P
	# the gateway's data are a folder
	aws s3 sync --quiet "$LINK_WORK/files/small" s3://bench/small
	for link in fs s3; do
		times=() seconds=() order=()
		path=$([ $link = fs ] || echo bench/)small/*.csv
		base="load_data, $link"
		local runs=("sql \"SELECT count(*) FROM link.load_data('$link', '$path', 'target', format => 'csv')\"" "run_pipeline $((files * 10))" "run_pipeline $((files * 10))")
		local befores=("drop_pipeline; sql 'TRUNCATE target'" "make_pipeline $link '$path' 1 csv" "make_pipeline $link '$path' 2 csv")
		local labels=("$base" "pipeline, one worker" "pipeline, two workers")
		for i in $(seq "$repeats"); do
			say "$link, round $i of $repeats"
			for turn in 0 1 2; do
				p=$(((turn + i) % 3))
				time_once "${labels[p]}" "${runs[p]}" "${befores[p]}"
				check $((files * 10)) "${labels[p]}"
			done
		done
		drop_pipeline
		for p in "${order[@]}"; do median "$p"; done
		printf '\n%s files of 10 rows, %s' "$files" "$link"
		ratios "$base" $((files * 10))
	done
}

for part in $what; do "bench_$part"; done
