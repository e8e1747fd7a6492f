#!/usr/bin/env bash
# How fast rows go to a topic and come back, beside kcat, as ratios within one run.
# Needs root or sudo; installs what is missing.
#
#   bash test/bench/kafka.sh [ROWS]    default: 1000000 rows of about 100 bytes
#
# Medians of 3 rounds, each round one run of everything, of whole psql or kcat
# calls. Broker, server and clients share the machine. kcat takes the same lines
# from a file, asks for the acknowledgements that we ask for (acks=all, idempotent)
# and waits as long for a batch to fill (linger.ms is librdkafka's own for both),
# but has no transaction: ours begins one, commits it and waits until it can be
# read. Reading, both pass over what is not committed; we make rows of a table of
# it, kcat drops the lines, or gives them to psql.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$LINK_SOURCE/test/services/kafka.sh"
. "$LINK_SOURCE/test/bench/measure.sh"
stop_services() { kafka_stop; }
trap clean_up EXIT

rows=${1:-1000000}

find_postgres
install_build_packages
kafka_packages
make_work_folder
build_and_install
kafka_start "$LINK_WORK/kafka"
start_server "shared_buffers = 512MB" "full_page_writes = off" "wal_level = minimal" "max_wal_senders = 0" \
	"autovacuum = off" "max_wal_size = 8GB" "jit = off" "max_parallel_workers_per_gather = 0" \
	"link.allowed_hosts = 'http://127.0.0.1'" \
	"link.master_key_file = '$LINK_WORK/link_master.key'" "session_preload_libraries = 'link'"

say "making $rows rows"
lines=$LINK_WORK/lines
as_user psql -X -q -v ON_ERROR_STOP=1 -v "rows=$rows" -v "brokers=$LINK_KAFKA_PLAINTEXT" -v "lines=$lines" >/dev/null <<'S'
CREATE EXTENSION link;
CREATE UNLOGGED TABLE event (id integer NOT NULL, sort text NOT NULL, body text NOT NULL);
CREATE UNLOGGED TABLE target (LIKE event);
INSERT INTO event
SELECT n, (ARRAY['insert', 'update', 'delete'])[n % 3 + 1], md5(n::text) || md5((n + 1)::text) || substr(md5((n + 2)::text), n % 10 + 1)
FROM generate_series(1, :rows) n;
VACUUM ANALYZE event;
CHECKPOINT;
SELECT link.create_link('k', 'KAFKA', config => json_build_object('bootstrap.servers', :'brokers')::text);
SELECT link.create_link('plain', 'KAFKA', config => json_build_object('bootstrap.servers', :'brokers', 'transactional', false)::text);
COPY event TO :'lines';
S
bytes=$(stat -c %s "$lines")

for topic in ours plain theirs; do kafka_topic "$topic" >/dev/null; done
kcat() { command kcat -q -b "$LINK_KAFKA_PLAINTEXT" "$@"; }
export_to() { sql "SELECT * FROM link.select_into('TABLE event', '$1', '$2')"; }
kcat_write() { kcat -P -X acks=all -X enable.idempotence=true -t "$1" -l "$lines"; }
load_from() { sql "SELECT * FROM link.load_data('k', '$1', 'target')"; }
kcat_read() { kcat -C -e -o beginning -X isolation.level=read_committed -t "$1"; }

# same WHAT: the table that was loaded is the one that was exported
same()
{
	local differ
	differ=$(sql "SELECT count(*) FROM ((TABLE event EXCEPT ALL TABLE target) UNION ALL (TABLE target EXCEPT ALL TABLE event)) d")
	[ "$differ" = 0 ] || die "$1: $differ rows differ"
	sql "TRUNCATE target"
}

# Once without a clock: the broker gets warm, the topics that are read get their
# rows, each is read by the other one.
export_to k ours >/dev/null
kcat_write theirs
load_from ours >/dev/null; same "there and back"
load_from theirs >/dev/null; same "written by kcat"
kcat_read ours | cmp - "$lines" || die "read by kcat: lines differ"
for topic in written_ours written_plain written_theirs; do kafka_topic "$topic" >/dev/null; done

say "$repeats rounds"
for i in $(seq "$repeats"); do
	time_once "export" "export_to k written_ours"
	time_once "export, not transactional" "export_to plain written_plain"
	time_once "kcat -P" "kcat_write written_theirs"
	time_once "psql | kcat -P" "sql 'COPY event TO STDOUT' | kcat -P -X acks=all -X enable.idempotence=true -t written_theirs"
	time_once "load" "load_from ours" "sql 'TRUNCATE target'"
	time_once "select_from, counted" "sql \"SELECT count(*) FROM link.select_from('k', 'ours') AS t(id int, sort text, body text)\""
	time_once "kcat -C" "kcat_read ours"
	time_once "kcat -C | psql" "kcat_read ours | sql 'COPY target FROM STDIN'" "sql 'TRUNCATE target'"
	time_once "COPY FROM file" "sql \"COPY target FROM '$lines'\"" "sql 'TRUNCATE target'"
done
for name in "${order[@]}"; do median "$name"; done

printf '\n%s rows, %s bytes, medians of %s\n\n' "$rows" "$bytes" "$repeats"
printf '%-28s %9s %12s   %s\n' "" seconds "rows/s" "rate, of"
for name in "${order[@]}"; do
	case $name in
	export*|*-P) base="kcat -P" ;;
	*) base="kcat -C" ;;
	esac
	awk -v n="$name" -v s="${seconds[$name]}" -v b="${seconds[$base]}" -v bn="$base" -v rows="$rows" \
		'BEGIN {printf "%-28s %9.2f %12.0f   %.2f of %s\n", n, s, rows / s, b / s, bn}'
done
awk -v a="${seconds[psql | kcat -P]}" -v b="${seconds[export]}" -v c="${seconds[kcat -C | psql]}" -v d="${seconds[load]}" \
	'BEGIN {printf "\nof psql | kcat: export %.2f; of kcat | psql: load %.2f\n", a / b, c / d}'

printf '\n%-44s %8s\n' "growth of a backend, $((3 * bytes / 1000000)) MB" peak
warm="SELECT * FROM event LIMIT 1000"
peak_growth "export" "$warm" "SELECT * FROM link.select_into('SELECT e.* FROM event e CROSS JOIN generate_series(1, 3)', 'k', 'ours');"
sql 'TRUNCATE target'
peak_growth "load" "$warm" "SELECT * FROM link.load_data('k', 'ours', 'target');"
