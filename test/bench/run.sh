#!/usr/bin/env bash
# How fast rows move, as ratios within one run, and how much memory a backend
# takes for it. Needs root or sudo; installs what is missing.
#
#   bash test/bench/run.sh [ROWS] [REPEATS]    default: 6000000 rows, 5 times each
#   bash test/bench/run.sh growth [ROWS]       time and memory from 0.1 to 10 GB
#   bash test/bench/run.sh instructions        CPU instructions a row, by callgrind
#
# The table is like TPC-H's lineitem. Times are medians of whole psql calls, in
# rounds of everything, so that the noise of the machine is shared out. The sink is
# nginx answering puts at memory speed: it shows the extension, where the real
# server (Ceph radosgw, on the same cores) shows itself. "two processes": with
# parallel => 2; "a codec's process": of two, one only compresses or decompresses,
# as max_parallel_workers_per_gather allows it. Kafka is in kafka.sh, opening links in links.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$LINK_SOURCE/test/services/ceph.sh"
. "$LINK_SOURCE/test/services/sink.sh"
. "$LINK_SOURCE/test/bench/measure.sh"
stop_services() { sink_stop; ceph_stop; }
trap clean_up EXIT

mode=all
case ${1:-} in growth | instructions)
	mode=$1
	shift
	;;
esac
rows=${1:-6000000}
repeats=${2:-5}
[ $mode != instructions ] || rows=40000

find_postgres
install_build_packages
install_packages python3 gzip zstd lz4
ceph_packages
sink_packages
[ $mode != instructions ] || install_packages valgrind
make_work_folder
build_and_install
as_user mkdir "$LINK_WORK/files"
if [ $mode != instructions ]; then
	[ $mode != growth ] || export LINK_CEPH_BYTES=15000000000	# in memory
	ceph_start "$LINK_WORK/ceph"
	sink_start "$LINK_WORK/sink"
fi
start_server "shared_buffers = 2GB" "full_page_writes = off" "wal_level = minimal" "max_wal_senders = 0" \
	"autovacuum = off" "max_wal_size = 8GB" "jit = off" "max_parallel_workers_per_gather = 0" \
	"link.allowed_hosts = '${LINK_S3_ENDPOINT:-} ${LINK_SINK_ENDPOINT:-}'" \
	"link.master_key_file = '$LINK_WORK/link_master.key'" "session_preload_libraries = 'link'"

say "making $rows rows"
as_user psql -X -q -v ON_ERROR_STOP=1 -v "rows=$rows" -v "files=$LINK_WORK/files" \
	-v "s3=${LINK_S3_ENDPOINT:-http://127.0.0.1}" -v "sink=${LINK_SINK_ENDPOINT:-http://127.0.0.1}" \
	-v "key=${LINK_S3_ACCESS_KEY:-x}" -v "secret=${LINK_S3_SECRET_KEY:-x}" -f "$LINK_WORK/build/test/bench/setup.sql" >/dev/null

# export LINK PATH FORMAT [MORE]: the whole table, a row of what was written for each object
export_sql() { echo "SELECT * FROM link.select_into('SELECT * FROM lineitem', '$1', '$2', '$3', overwrite => true${4:+, $4})"; }
export_to() { sql "$(export_sql "$@")"; }
load_sql() { echo "SELECT * FROM link.load_data('$1', '$2', 'target', format => 'csv')"; }
load_from() { sql "$(load_sql "$@")"; }
apart="SET max_parallel_workers_per_gather = 2"

#
# Instructions: of twice as many rows less those of so many, so that all that is
# not done for each row is not in it.
#
if [ $mode = instructions ]; then
	as_user pg_ctl -s -D "$LINK_WORK/data" -m fast stop	# an unlogged table is empty after a crash
	count()
	{
		local half=$((rows / 2)) n total=()
		for n in $half "$rows"; do
			as_user valgrind --tool=callgrind --callgrind-out-file=/dev/null "$PG_BIN/postgres" --single -D "$LINK_WORK/data" postgres \
				>"$LINK_WORK/single.out" 2>&1 <<<"${1//ROWS/$n}"
			total+=("$(sed -n 's/.*Collected : //p' "$LINK_WORK/single.out")")
		done
		echo $(((total[1] - total[0]) / half))
	}
	limited="SELECT * FROM lineitem LIMIT ROWS"
	scan=$(count "SELECT count(*) FROM ($limited OFFSET 0) l")
	printf '%-10s %10s %10s %8s   (a row, without the scan: %s)\n' format COPY link ratio "$scan"
	for format in csv text binary json; do
		copy="COPY ($limited) TO '/dev/null' (FORMAT $format)"
		[ $format != json ] || copy="COPY (SELECT row_to_json(l) FROM ($limited) l) TO '/dev/null'"
		a=$(($(count "$copy") - scan))
		b=$(($(count "SELECT rows FROM link.select_into('$limited', 'files', 'x', '$format', overwrite => true, compression => 'none')") - scan))
		awk -v f="$format" -v a="$a" -v b="$b" 'BEGIN {printf "%-10s %10d %10d %8.2f\n", f, a, b, b / a}'
	done
	exit 0
fi

export AWS_ACCESS_KEY_ID=$LINK_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$LINK_S3_SECRET_KEY
export AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
aws() { command aws --endpoint-url "$LINK_S3_ENDPOINT" "$@" >/dev/null; }
aws_sink() { command aws --endpoint-url "$LINK_SINK_ENDPOINT" "$@" >/dev/null; }
aws s3 mb s3://bench

bytes=$(sql "SELECT bytes FROM link.select_into('SELECT * FROM lineitem', 'files', 'x.csv', 'csv')")

#
# Growth: the table so many times over.
#
if [ $mode = growth ]; then
	printf '\n%-28s %10s %10s %12s %12s\n' "" GB seconds "s a GB" "peak, MiB"
	for gb in 0.1 1 10; do
		times=$(awk -v g="$gb" -v b="$bytes" 'BEGIN {print (g * 1e9) / b}')
		part="SELECT l.* FROM lineitem l CROSS JOIN generate_series(1, $(awk -v t="$times" 'BEGIN {print int(t) + (t > int(t))}')) LIMIT $(awk -v t="$times" -v r="$rows" 'BEGIN {printf "%d", t * r}')"
		for what in "export to the sink" "export to S3" "load from S3"; do
			case $what in
			"export to the sink") do="SELECT * FROM link.select_into('$part', 'sink', 'bench/g', 'csv', overwrite => true)" ;;
			"export to S3") do="SELECT * FROM link.select_into('$part', 's3', 'bench/g', 'csv', overwrite => true)" ;;
			*)
				sql 'TRUNCATE target'
				do="SELECT * FROM link.load_data('s3', 'bench/g', 'target', format => 'csv')"
				;;
			esac
			start=$(date +%s%N)
			peak=$(peak_growth "$what" "SELECT * FROM lineitem LIMIT 1000" "$do" | awk '{print $(NF - 1)}')
			awk -v w="$what" -v g="$gb" -v ns=$(($(date +%s%N) - start)) -v p="$peak" \
				'BEGIN {s = ns / 1e9 - 1; printf "%-28s %10s %10.1f %12.2f %12.1f\n", w, g, s, s / g, p}'
		done
	done
	exit 0
fi

#
# Times. Each line: what, its reference, the target (the ratio at most), the
# command, what comes before it.
#
csv="(FORMAT csv)"
names=() bases=() targets=() commands=() befores=()
row() { names+=("$1") bases+=("$2") targets+=("$3") commands+=("$4") befores+=("${5:-}"); }
clean="sql 'TRUNCATE target'"
row "COPY TO /dev/null" "" "" "sql \"COPY lineitem TO '/dev/null' $csv\""
row "export to FS" "COPY TO /dev/null" "" "export_to files x.csv csv"
row "export to the sink" "COPY TO /dev/null" 0.75 "export_to sink bench/x csv"
row "the same, two processes" "COPY TO /dev/null" 0.45 "export_to sink bench/x csv 'parallel => 2'"
row "psql | aws to the sink" "COPY TO /dev/null" "" "sql \"COPY lineitem TO STDOUT $csv\" | aws_sink s3 cp - s3://bench/y"
row "psql | aws to S3" "" "" "sql \"COPY lineitem TO STDOUT $csv\" | aws s3 cp - s3://bench/x"
row "export to S3" "psql | aws to S3" 0.65 "export_to s3 bench/x csv"
row "export to S3, two processes" "psql | aws to S3" "" "export_to s3 bench/p csv 'parallel => 2'"
for codec in "zstd -1 -T1" "gzip -1" "lz4 -1"; do
	name=${codec%% *}
	target=""
	[ $name != zstd ] || target=0.7
	row "COPY TO PROGRAM '$codec'" "" "" "sql \"COPY lineitem TO PROGRAM '$codec > /dev/null' $csv\""
	row "export $name:1" "COPY TO PROGRAM '$codec'" "$target" "export_to sink bench/x csv \"compression => '$name:1'\""
	[ $name != zstd ] || target=0.45
	row "export $name:1, two processes" "COPY TO PROGRAM '$codec'" "$target" "export_to sink bench/x csv \"compression => '$name:1', parallel => 2\""
	row "export $name:1, a codec's process" "COPY TO PROGRAM '$codec'" "" "sql \"$apart; $(export_sql sink bench/x csv "compression => '$name:1'")\""
done
row "COPY (SELECT row_to_json)" "" "" "sql \"COPY (SELECT row_to_json(l) FROM lineitem l) TO '/dev/null'\""
row "export json" "COPY (SELECT row_to_json)" "" "export_to sink bench/x json"
row "COPY TO, binary" "" "" "sql \"COPY lineitem TO '/dev/null' (FORMAT binary)\""
row "export binary" "COPY TO, binary" "" "export_to sink bench/x binary"
row "COPY FROM file" "" "" "sql \"COPY target FROM '$LINK_WORK/files/x.csv' $csv\"" "$clean"
row "load from FS" "COPY FROM file" "" "load_from files x.csv" "$clean"
row "load from S3" "COPY FROM file" 1.0 "load_from s3 bench/x" "$clean"
row "aws | psql from S3" "" "" "command aws --endpoint-url $LINK_S3_ENDPOINT s3 cp s3://bench/x - | sql 'COPY target FROM STDIN $csv'" "$clean"
row "load from S3, once more" "aws | psql from S3" 0.75 "load_from s3 bench/x" "$clean"

sql "$(export_sql files x.csv.zst csv); $(export_sql files x.csv.gz csv)" >/dev/null
for codec in "zstd zst" "gzip gz"; do
	name=${codec% *} file=x.csv.${codec#* }
	row "COPY FROM PROGRAM '$name -dc'" "" "" "sql \"COPY target FROM PROGRAM '$name -dc $LINK_WORK/files/$file' $csv\"" "$clean"
	row "load $name" "COPY FROM PROGRAM '$name -dc'" "" "load_from files $file" "$clean"
	row "load $name, a codec's process" "COPY FROM PROGRAM '$name -dc'" "" "sql \"$apart; $(load_sql files $file)\"" "$clean"
done

measure_rows

differ=$(sql "SELECT count(*) FROM (SELECT hashtextextended(l::text, 0) FROM lineitem l EXCEPT ALL SELECT hashtextextended(t::text, 0) FROM target t) d")
[ "$differ" = 0 ] || die "$differ rows differ after the round trip"

printf '\n%s rows, %s bytes of CSV, medians of %s\n\n' "$rows" "$bytes" "$repeats"
printf '%-32s %9s %8s   %-6s %-7s %s\n' "" seconds MB/s ratio target of
for i in "${!names[@]}"; do
	name=${names[i]} base=${bases[i]}
	awk -v n="$name" -v s="${seconds[$name]}" -v b="${seconds[${base:-$name}]}" -v bn="$base" -v bytes="$bytes" -v t="${targets[i]}" \
		'BEGIN {printf "%-32s %9.2f %8.0f   %-6s %-7s %s\n", n, s, bytes / s / 1e6, bn == "" ? "" : sprintf("%.2f", s / b), t, bn}'
done

# Small objects: named by a glob, in one listing.
sql "SELECT count(*) FROM link.select_into('SELECT l_orderkey % 1000 AS k, * FROM lineitem LIMIT 100000', 's3', 'bench/small', 'csv', partition_by => '{k}')" >/dev/null
measure "1,000 small objects" "sql \"SELECT count(*) FROM link.load_data('s3', 'bench/small/', 'target', format => 'csv')\"" "$clean"
measure "the same, aws | psql" "aws s3 cp --recursive s3://bench/small $LINK_WORK/small; cat $LINK_WORK/small/*/* | sql 'COPY target FROM STDIN $csv'" "$clean"
awk -v a="${seconds[1,000 small objects]}" -v b="${seconds[the same, aws | psql]}" 'BEGIN {printf "1,000 small objects: %.2f of aws | psql\n", a / b}'

printf '\n%-44s %8s\n' "growth of a backend, $((3 * bytes / 1000000)) MB of CSV" peak
three="SELECT l.* FROM lineitem l CROSS JOIN generate_series(1, 3)"
warm="SELECT * FROM lineitem LIMIT 1000"
peak_growth "export to FS" "$warm" "SELECT * FROM link.select_into('$three', 'files', 'big.csv', 'csv');"
peak_growth "export to S3" "$warm" "SELECT * FROM link.select_into('$three', 's3', 'bench/big', 'csv');"
sql 'TRUNCATE target'
peak_growth "load from S3" "$warm" "SELECT * FROM link.load_data('s3', 'bench/big', 'target', format => 'csv');"
