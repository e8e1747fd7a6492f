#!/usr/bin/env bash
# How fast pipelines are, as ratios within one run, and what they cost when there is
# nothing to do. Needs root or sudo; installs what is missing.
#
#   bash test/bench/pipelines.sh [kafka [MESSAGES]]   default: 2000000, in 4 partitions
#   bash test/bench/pipelines.sh files [FILES]        10000, of 10 rows, FS and S3 (versitygw)
#   bash test/bench/pipelines.sh far [FILES]          10000, of one row, of a server that answers after 10 ms
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

what=${1:-kafka files far delay idle names}
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

# The same of a server that is far away, as those of the vendors are.
bench_far()
{
	local files=${number:-10000} port i turn p
	as_user python3 "$LINK_SOURCE/test/services/names_s3.py" "$files" 10 >"$LINK_WORK/names.port" 2>"$LINK_WORK/names.log" &
	names_server=$!
	while [ ! -s "$LINK_WORK/names.port" ]; do sleep 0.1; done
	port=$(awk '{print $2}' "$LINK_WORK/names.port")
	drop_pipeline
	sql "SELECT link.create_link('names', 'S3', '{\"aws_access_key_id\":\"x\",\"aws_secret_access_key\":\"x\"}', '{\"endpoint_url\":\"http://127.0.0.1:$port\",\"region\":\"r\"}', or_replace => true);
		ALTER TABLE target ALTER sort SET DEFAULT '', ALTER body SET DEFAULT ''" >/dev/null
	times=() seconds=() order=()
	base="load_data, 10 ms away"
	local runs=("sql \"SELECT count(*) FROM link.load_data('names', 'bench/', 'target', '{id}')\"" "run_pipeline $files" "run_pipeline $files")
	local befores=("drop_pipeline; sql 'TRUNCATE target'" "make_far 1" "make_far 2")
	local labels=("$base" "pipeline, one worker" "pipeline, two workers")
	make_far()
	{
		drop_pipeline
		sql "TRUNCATE target; SELECT link.create_pipeline('p', 'names', 'bench/', 'target', '{id}', max_partitions => $1)" >/dev/null
	}
	for i in $(seq "$repeats"); do
		say "far, round $i of $repeats"
		for turn in 0 1 2; do
			p=$(((turn + i) % 3))
			time_once "${labels[p]}" "${runs[p]}" "${befores[p]}"
			check "$files" "${labels[p]}"
		done
	done
	drop_pipeline
	kill "$names_server"
	names_server=
	for p in "${order[@]}"; do median "$p"; done
	ratios "$base" "$files"
}

# From a file's rename to its name until its row is seen, at the default interval.
bench_delay()
{
	local i start worst=0 sum=0 ms interval=2500
	rm -rf "$LINK_WORK/files/land"
	as_user mkdir "$LINK_WORK/files/land"
	drop_pipeline
	sql "TRUNCATE target; SELECT link.create_pipeline('p', 'fs', 'land/*.csv', 'target', format => 'csv'); SELECT link.start_pipeline('p')" >/dev/null
	sleep 3
	for i in $(seq 10); do
		sleep "0.$((RANDOM % 10))"
		echo "$i,insert,x" | as_user tee "$LINK_WORK/files/land/.new" >/dev/null
		start=$(date +%s%N)
		as_user mv "$LINK_WORK/files/land/.new" "$LINK_WORK/files/land/$i.csv"
		as_user psql -X -q -At -v ON_ERROR_STOP=1 -c "DO \$\$ BEGIN WHILE (SELECT count(*) < $i FROM target) LOOP PERFORM pg_sleep(0.01); END LOOP; END \$\$"
		ms=$((($(date +%s%N) - start) / 1000000))
		sum=$((sum + ms))
		[ $ms -le $worst ] || worst=$ms
	done
	drop_pipeline
	printf '\nfrom landing to being visible, interval %s ms: mean %s ms, worst of 10 %s ms (target: %s at most)\n' $interval $((sum / 10)) $worst $((interval + 1000))
}

# CPU of all our processes (and of the server's, as they use it), from /proc.
bench_idle()
{
	local seconds=${number:-60} link path before after
	ticks()
	{
		local pid sum=0
		for pid in $(sql "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'link %'"); do
			sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
		done
		echo $sum
	}
	as_user mkdir -p "$LINK_WORK/files/idle"
	echo "1,insert,x" | as_user tee "$LINK_WORK/files/idle/1.csv" >/dev/null
	aws s3 cp "$LINK_WORK/files/idle/1.csv" s3://bench/idle/1.csv
	for link in fs s3; do
		path=$([ $link = fs ] || echo bench/)idle/*.csv
		drop_pipeline
		sql "TRUNCATE target; SELECT link.create_pipeline('p', '$link', '$path', 'target', format => 'csv'); SELECT link.start_pipeline('p')" >/dev/null
		sleep 5
		before=$(ticks)
		sleep "$seconds"
		after=$(ticks)
		awk -v l=$link -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v s="$seconds" \
			'BEGIN {printf "an idle pipeline of %s, interval 2500 ms: %.3f %% of a core (target: 0.1 at most)\n", l, 100 * t / hz / s}'
	done
	drop_pipeline
}

# Memory of the scheduler while it lists very many names, and what a look costs then.
bench_names()
{
	local names=${number:-1000000} n port pid peak now looks asked
	for n in 10000 "$names"; do
		as_user python3 "$LINK_SOURCE/test/services/names_s3.py" "$n" >"$LINK_WORK/names.port" 2>"$LINK_WORK/names.log" &
		names_server=$!
		while [ ! -s "$LINK_WORK/names.port" ]; do sleep 0.1; done
		port=$(awk '{print $2}' "$LINK_WORK/names.port")
		drop_pipeline
		sql "SELECT link.create_link('names', 'S3', '{\"aws_access_key_id\":\"x\",\"aws_secret_access_key\":\"x\"}', '{\"endpoint_url\":\"http://127.0.0.1:$port\",\"region\":\"r\"}', or_replace => true)" >/dev/null 2>&1
		# nothing is loaded meanwhile
		sql "ALTER SYSTEM SET link.pipeline_pause = '1h'"
		sql "SELECT pg_reload_conf(), pg_sleep(0.5)" >/dev/null
		sql "TRUNCATE target; SELECT link.create_pipeline('p', 'names', 'bench/', 'target', batch_interval => 1000); SELECT link.start_pipeline('p')" >/dev/null
		sleep 0.5
		pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'link scheduler'")
		peak=$(awk "/^RssAnon/{print \$2}" "/proc/$pid/status")
		until [ "$(sql 'SELECT count(*) FROM link.pipeline_file')" = "$n" ]; do
			now=$(awk '/^RssAnon/{print $2}' "/proc/$pid/status")
			[ "${now:-0}" -le $peak ] || peak=$now
			sleep 0.2
		done
		sleep 2
		asked=$(curl -s "http://127.0.0.1:$port/asked" | cut -d' ' -f2)
		sleep 10
		looks=$(curl -s "http://127.0.0.1:$port/asked" | cut -d' ' -f2)
		printf '%9s names: memory of the scheduler at most %.1f MiB; %s names asked for in the next 10 s\n' "$n" "$(awk "BEGIN {print $peak / 1024}")" $((looks - asked))
		sql "SELECT link.drop_pipeline('p')" -c 'ALTER SYSTEM RESET link.pipeline_pause' >/dev/null
		kill "$names_server"
		wait "$names_server" 2>/dev/null || true
		rm -f "$LINK_WORK/names.port"
		names_server=
	done
}

for part in $what; do "bench_$part"; done
