#!/usr/bin/env bash
# How long backups and restores take, as ratios to pg_dump with aws within one run.
# Needs root or sudo; installs what is missing.
#
#   bash test/bench/backup.sh [SCALE] [REPEATS]    default: 340 (5 GB of pgbench), 3 times each
#
# The database is pgbench's, its accounts in 100 partitions, of which one is changed
# before each differential backup. The server of S3 (Ceph radosgw) is on the same
# cores, as everything else. BACKUP runs as it does by default, as many processes as
# max_parallel_maintenance_workers says: two.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$LINK_SOURCE/test/services/ceph.sh"
. "$LINK_SOURCE/test/bench/measure.sh"
stop_services() { ceph_stop; }
trap clean_up EXIT

scale=${1:-340}
repeats=${2:-3}

find_postgres
install_build_packages
install_packages zstd
ceph_packages
make_work_folder
build_and_install
export LINK_CEPH_BYTES=15000000000 # in memory
ceph_start "$LINK_WORK/ceph"
start_server "shared_buffers = 1GB" "full_page_writes = off" "autovacuum = off" "max_wal_size = 16GB" "jit = off" \
	"maintenance_work_mem = 256MB" "link.allowed_hosts = '$LINK_S3_ENDPOINT'" "link.max_objects = 1000000" \
	"link.master_key_file = '$LINK_WORK/link_master.key'" "session_preload_libraries = 'link'"

export AWS_ACCESS_KEY_ID=$LINK_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$LINK_S3_SECRET_KEY
export AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
aws() { command aws --endpoint-url "$LINK_S3_ENDPOINT" "$@"; }
aws s3 mb s3://bench >/dev/null

say "making a database of scale $scale"
as_user createdb bench
as_user pgbench -q -i -s "$scale" --partitions=100 bench >/dev/null 2>&1
bench() { as_user psql -X -q -At -v ON_ERROR_STOP=1 -d bench -c "$1"; }
bench "CREATE EXTENSION link" >/dev/null
bench "SELECT link.create_link('s3', 'S3', json_build_object('aws_access_key_id', '$LINK_S3_ACCESS_KEY',
	'aws_secret_access_key', '$LINK_S3_SECRET_KEY')::text, json_build_object('region', 'us-east-1', 'endpoint_url', '$LINK_S3_ENDPOINT')::text)" >/dev/null
bytes=$(bench "SELECT pg_database_size('bench')")

clean_dump="aws s3 rm --recursive s3://bench/dump"
clean_folder="aws s3 rm --recursive s3://bench/folder; as_user rm -rf '$LINK_WORK/folder'"
fresh="as_user dropdb --if-exists --force again"
empty="$fresh; as_user createdb again"

#
# Each line: what, its reference, the target (the ratio at most), the command, what
# comes before it.
#
names=() bases=() targets=() commands=() befores=()
row() { names+=("$1") bases+=("$2") targets+=("$3") commands+=("$4") befores+=("${5:-}"); }
row "pg_dump | zstd | aws" "" "" "as_user pg_dump -Fc -Z0 bench | zstd -q -1 | aws s3 cp - s3://bench/dump" "$clean_dump"
row "pg_dump -Fd -j2, aws" "" "" "as_user pg_dump -Fd -j2 -f '$LINK_WORK/folder' bench && aws s3 cp --quiet --recursive '$LINK_WORK/folder' s3://bench/folder" "$clean_folder"
row "BACKUP" "pg_dump | zstd | aws" 0.5 "bench \"SELECT link.backup_database('s3', 'bench/full')\""
row "BACKUP, once more" "pg_dump -Fd -j2, aws" 0.8 "bench \"SELECT link.backup_database('s3', 'bench/full')\""
row "BACKUP WITH DIFFERENTIAL" "BACKUP" 0.1 "bench \"SELECT link.backup_database('s3', 'bench/full', 'differential')\"" \
	"bench 'UPDATE pgbench_accounts_1 SET abalance = abalance + 1 WHERE aid < 1000'"
row "aws | zstd | pg_restore" "" "" "aws s3 cp s3://bench/dump - | zstd -q -dc | as_user pg_restore -d again" "$empty"
row "aws, pg_restore -Fd -j2" "" "" "as_user rm -rf '$LINK_WORK/back'; as_user mkdir '$LINK_WORK/back'; aws s3 cp --quiet --recursive s3://bench/folder '$LINK_WORK/back' && as_user pg_restore -j2 -d again '$LINK_WORK/back'" "$empty"
row "RESTORE" "aws | zstd | pg_restore" 0.5 "bench \"SELECT link.restore_database('s3', 'bench/full', 'again')\"" "$fresh"
row "RESTORE, once more" "aws, pg_restore -Fd -j2" 0.8 "bench \"SELECT link.restore_database('s3', 'bench/full', 'again')\"" "$fresh"

measure_rows

hash_of() { as_user pg_dump "$1" | grep -v restrict | md5sum; }
[ "$(hash_of bench)" = "$(hash_of again)" ] || die "the restored database differs"

printf '\n%s bytes of a database, medians of %s\n\n' "$bytes" "$repeats"
printf '%-28s %9s %8s   %-6s %-7s %s\n' "" seconds MB/s ratio target of
for i in "${!names[@]}"; do
	name=${names[i]} base=${bases[i]}
	awk -v n="$name" -v s="${seconds[$name]}" -v b="${seconds[${base:-$name}]}" -v bn="$base" -v bytes="$bytes" -v t="${targets[i]}" \
		'BEGIN {printf "%-28s %9.2f %8.0f   %-6s %-7s %s\n", n, s, bytes / s / 1e6, bn == "" ? "" : sprintf("%.2f", s / b), t, bn}'
done
