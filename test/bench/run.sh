#!/usr/bin/env bash
# How fast rows move, as ratios within one run, and how much memory a backend
# takes for it. Needs root or sudo; installs what is missing.
#
#   bash test/bench/run.sh [ROWS] [REPEATS]    default: 6000000 rows, 3 times each
#
# The table is like TPC-H's lineitem. Times are medians of whole psql calls. The
# sink is nginx answering puts at memory speed: it shows the extension, where
# the real server (Ceph radosgw, on the same cores) shows itself.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$LINK_SOURCE/test/services/ceph.sh"
. "$LINK_SOURCE/test/services/sink.sh"
. "$LINK_SOURCE/test/bench/measure.sh"
stop_services() { sink_stop; ceph_stop; }
trap clean_up EXIT

rows=${1:-6000000}
repeats=${2:-3}

find_postgres
install_build_packages
install_packages python3
ceph_packages
sink_packages
make_work_folder
build_and_install
as_user mkdir "$LINK_WORK/files"
ceph_start "$LINK_WORK/ceph"
sink_start "$LINK_WORK/sink"
start_server "shared_buffers = 2GB" "full_page_writes = off" "wal_level = minimal" "max_wal_senders = 0" \
	"autovacuum = off" "max_wal_size = 8GB" "jit = off" "max_parallel_workers_per_gather = 0" \
	"link.allowed_hosts = '${LINK_S3_ENDPOINT} ${LINK_SINK_ENDPOINT}'" \
	"link.master_key_file = '$LINK_WORK/link_master.key'" "session_preload_libraries = 'link'"

export AWS_ACCESS_KEY_ID=$LINK_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$LINK_S3_SECRET_KEY
export AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
aws() { command aws --endpoint-url "$LINK_S3_ENDPOINT" "$@" >/dev/null; }
aws_sink() { command aws --endpoint-url "$LINK_SINK_ENDPOINT" "$@" >/dev/null; }

aws s3 mb s3://bench
say "making $rows rows"
as_user psql -X -q -v ON_ERROR_STOP=1 -v "rows=$rows" -v "files=$LINK_WORK/files" \
	-v "s3=$LINK_S3_ENDPOINT" -v "sink=$LINK_SINK_ENDPOINT" \
	-v "key=$LINK_S3_ACCESS_KEY" -v "secret=$LINK_S3_SECRET_KEY" -f "$LINK_WORK/build/test/bench/setup.sql" >/dev/null

csv="(FORMAT csv)"
fresh_s3="aws s3 rm s3://bench/x"
measure "COPY TO /dev/null" "sql \"COPY lineitem TO '/dev/null' $csv\""
measure "COPY (SELECT) TO /dev/null" "sql \"COPY (SELECT * FROM lineitem) TO '/dev/null' $csv\""
measure "export to FS" "sql \"SELECT * FROM link.select_into('SELECT * FROM lineitem', 'files', 'x.csv', 'csv', overwrite => true)\""
measure "export to the sink" "sql \"SELECT * FROM link.select_into('SELECT * FROM lineitem', 'sink', 'bench/x', 'csv', overwrite => true)\""
measure "export to S3" "sql \"SELECT * FROM link.select_into('SELECT * FROM lineitem', 's3', 'bench/x', 'csv')\"" "$fresh_s3"
measure "psql | aws to the sink" "sql \"COPY lineitem TO STDOUT $csv\" | aws_sink s3 cp - s3://bench/y"
measure "psql | aws to S3" "sql \"COPY lineitem TO STDOUT $csv\" | aws s3 cp - s3://bench/x" "$fresh_s3"
measure "COPY FROM file" "sql \"COPY target FROM '$LINK_WORK/files/x.csv' $csv\"" "sql 'TRUNCATE target'"
measure "load from FS" "sql \"SELECT * FROM link.load_data('files', 'x.csv', 'target', format => 'csv')\"" "sql 'TRUNCATE target'"
measure "load from S3" "sql \"SELECT * FROM link.load_data('s3', 'bench/x', 'target', format => 'csv')\"" "sql 'TRUNCATE target'"
measure "aws | psql from S3" "command aws --endpoint-url $LINK_S3_ENDPOINT s3 cp s3://bench/x - | sql 'COPY target FROM STDIN $csv'" "sql 'TRUNCATE target'"

differ=$(sql "SELECT count(*) FROM (SELECT hashtextextended(l::text, 0) FROM lineitem l EXCEPT ALL SELECT hashtextextended(t::text, 0) FROM target t) d")
[ "$differ" = 0 ] || die "$differ rows differ after the round trip"

bytes=$(stat -c %s "$LINK_WORK/files/x.csv")
printf '\n%s rows, %s bytes of CSV, median of %s\n\n' "$rows" "$bytes" "$repeats"
printf '%-30s %9s %8s   %s\n' "" seconds MB/s "ratio"
for name in "${order[@]}"; do
	case $name in
	*FROM*|*from*) base="COPY FROM file" ;;
	*) base="COPY TO /dev/null" ;;
	esac
	awk -v n="$name" -v s="${seconds[$name]}" -v b="${seconds[$base]}" -v bn="$base" -v bytes="$bytes" \
		'BEGIN {printf "%-30s %9.2f %8.0f   %.2f of %s\n", n, s, bytes / s / 1e6, s / b, bn}'
done
awk -v a="${seconds[export to S3]}" -v b="${seconds[psql | aws to S3]}" \
	-v c="${seconds[export to the sink]}" -v d="${seconds[psql | aws to the sink]}" \
	-v e="${seconds[load from S3]}" -v f="${seconds[aws | psql from S3]}" \
	'BEGIN {printf "\nof psql | aws: export to S3 %.2f, to the sink %.2f; load from S3 %.2f\n", a / b, c / d, e / f}'

# Three copies: above 2 GB at the default size.
printf '\n%-44s %8s\n' "growth of a backend, $((3 * bytes / 1000000)) MB of CSV" peak
three="SELECT l.* FROM lineitem l CROSS JOIN generate_series(1, 3)"
aws s3 rm s3://bench/x
warm="SELECT * FROM lineitem LIMIT 1000"
peak_growth "export to FS" "$warm" "SELECT * FROM link.select_into('$three', 'files', 'big.csv', 'csv');"
peak_growth "export to S3" "$warm" "SELECT * FROM link.select_into('$three', 's3', 'bench/big', 'csv');"
sql 'TRUNCATE target'
peak_growth "load from S3" "$warm" "SELECT * FROM link.load_data('s3', 'bench/big', 'target', format => 'csv');"
