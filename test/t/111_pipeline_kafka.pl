# Pipelines from topics: messages appear, each once, whatever dies in between; what
# a message has besides its value; offsets; topics that are made again.

use strict;
use warnings;
use IPC::Run ();
use LinkKafka;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_service('kafka');

my $node = new_node('pipeline_kafka', preload => 'shared', init => [ extra => [ '--encoding=UTF8', '--locale=C' ] ],
	conf => "restart_after_crash = on\nmax_worker_processes = 16\nlink.allowed_hosts = 'http://127.0.0.1 localhost'\n");
my $run = "pipeline$$";		# other tests use the broker too

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub eventually { my ($sql, $expected, $name) = @_; ok($node->poll_query_until('postgres', $sql, $expected), $name) or diag(sql($sql), sql('SELECT state, error FROM link.pipelines; SELECT * FROM link.pipeline_errors')) }
sub error_of { my ($name) = @_; return sql("SELECT sqlstate, source FROM link.pipeline_errors WHERE pipeline = '$name' AND kind = 'Load' ORDER BY error_id DESC LIMIT 1") }

# produce(TOPIC, PARTITION or undef, LINES...)
sub produce
{
	my ($topic, $partition, @lines) = @_;
	my ($in, $err) = (join('', map { "$_\n" } @lines), '');
	IPC::Run::run([ 'kcat', '-b', $ENV{LINK_KAFKA_PLAINTEXT}, '-P', '-t', $topic, defined $partition ? ('-p', $partition) : (), '-K', '\t', '-Z' ], '<', \$in, '2>', \$err) or die "kcat: $err";
}

make_link($node, 'k', 'KAFKA', {}, { 'bootstrap.servers' => $ENV{LINK_KAFKA_PLAINTEXT}, 'operation.timeout.ms' => 10000 });

# Messages appear.
topic("$run-first", 2);
produce("$run-first", $_ % 2, "k$_\t$_,a$_") foreach 1 .. 4;
sql(qq{CREATE TABLE first (n int, t text);
	SELECT link.create_pipeline('first', 'k', '$run-first', 'first', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('first')});
eventually('SELECT count(*), sum(n) FROM first', '4|10', 'messages that were there');
my $start = time;
produce("$run-first", 0, "k\t5,a5");
eventually('SELECT count(*) FROM first', '5', 'one that comes later');
cmp_ok(time - $start, '<', 2, '... soon');
eventually("SELECT string_agg(partition || ':' || next_offset || '/' || latest_offset, ' ' ORDER BY partition) FROM link.pipeline_cursors WHERE pipeline = 'first'", '0:3/3 1:2/2', '... cursors have moved');
is(sql("SELECT lag FROM link.pipelines WHERE pipeline = 'first'"), '0', '... nothing is left');
sql("SELECT link.stop_pipeline('first')");
produce("$run-first", 1, "k\t6,a6");
sql("SELECT link.set_pipeline_offsets('first', 'LATEST'); SELECT link.start_pipeline('first')");
produce("$run-first", 1, "k\t7,a7");
eventually('SELECT count(*), max(n), count(*) FILTER (WHERE n = 6) FROM first', '6|7|0', 'LATEST passes over what is there');
sql("SELECT link.stop_pipeline('first'); SELECT link.set_pipeline_offsets('first', 'EARLIEST'); TRUNCATE first; SELECT link.start_pipeline('first')");
eventually('SELECT count(*), sum(n) FROM first', '7|28', 'EARLIEST begins again');
sql("SELECT link.stop_pipeline('first')");

# What a message has besides its value.
topic("$run-besides", 2);
produce("$run-besides", 1, "key1\t1", "key2\t2", "\t3");
sql(qq{CREATE TABLE besides (n int, k text, p int, o bigint, t timestamptz, f text);
	SELECT link.create_pipeline('besides', 'k', '$run-besides', 'besides', fields => '{n}', batch_interval => 100, max_offsets => 2,
		"set" => \$\$k = convert_from(pipeline_kafka_key(), 'UTF8'), p = pipeline_kafka_partition(), o = pipeline_kafka_offset(), t = pipeline_kafka_timestamp(), f = pipeline_source_file()\$\$);
	SELECT link.start_pipeline('besides')});
eventually("SELECT string_agg(concat_ws(' ', n, coalesce(nullif(k, ''), '-'), p, o, t > now() - interval '5 minutes' AND t <= now(), f), ',' ORDER BY n) FROM besides",
	'1 key1 1 0 t,2 key2 1 1 t,3 - 1 2 t', 'key, partition, offset, timestamp');
is(sql("SELECT string_agg(rows::text, ' ' ORDER BY batch_id) FROM link.pipeline_batches WHERE pipeline = 'besides'"), '2 1', 'MAX_OFFSETS_PER_BATCH_PARTITION');
sql("SELECT link.stop_pipeline('besides')");

# Bad messages.
topic("$run-bad");
produce("$run-bad", 0, map { "\t" . ($_ == 3 ? 'no' : $_) } 1 .. 5);
sql(qq{CREATE TABLE bad (n int);
	SELECT link.create_pipeline('bad', 'k', '$run-bad', 'bad', batch_interval => 100, max_retries => 1); SELECT link.start_pipeline('bad')});
eventually("SELECT state FROM link.pipelines WHERE pipeline = 'bad'", 'Error', 'a bad message');
is(error_of('bad'), '22P02|0', '... stops the pipeline, with the partition');
is(sql('SELECT count(*) FROM bad'), '0', '... nothing of the range is loaded');
sql("SELECT link.alter_pipeline('bad', skip_errors => '{PARSER}'); SELECT link.start_pipeline('bad')");
eventually('SELECT count(*), sum(n) FROM bad', '4|12', 'SKIP PARSER ERRORS: all others are');
is(sql("SELECT source, position, raw FROM link.pipeline_errors WHERE pipeline = 'bad' AND kind = 'Row'"), '0|2|no', '... with partition and offset');
sql("SELECT link.stop_pipeline('bad')");

# Messages that are gone before they were loaded: nothing is passed over in silence.
topic("$run-lost");
produce("$run-lost", 0, map { "\t$_" } 1 .. 5);
sql(qq{CREATE TABLE lost (n int);
	SELECT link.create_pipeline('lost', 'k', '$run-lost', 'lost', batch_interval => 100, max_retries => 1); SELECT link.start_pipeline('lost')});
eventually('SELECT count(*) FROM lost', '5', 'a topic');
sql("SELECT link.stop_pipeline('lost')");
produce("$run-lost", 0, map { "\t$_" } 6 .. 10);
drop_messages("$run-lost", 0, 8);
sql("SELECT link.start_pipeline('lost')");
eventually("SELECT state FROM link.pipelines WHERE pipeline = 'lost'", 'Error', '... that has lost messages which were not loaded yet stops the pipeline');
like(error_of('lost'), qr/^(XX001|58P01)\|/, '... and says so');
is(sql('SELECT count(*) FROM lost'), '5', '... nothing was loaded');
sql(q{SELECT link.set_pipeline_offsets('lost', '{"0": 8}'); SELECT link.start_pipeline('lost')});
eventually('SELECT count(*), max(n), count(*) FILTER (WHERE n BETWEEN 6 AND 8) FROM lost', '7|10|0', '... with new offsets it goes on');

# Partitions that are added are found, from their beginning.
add_partitions("$run-lost", 3);
produce("$run-lost", 2, "\t11", "\t12");
eventually('SELECT count(*), max(n) FROM lost', '9|12', 'messages of a partition that was added');
is(sql("SELECT count(*) FROM link.pipeline_cursors WHERE pipeline = 'lost'"), '3', '... which has a cursor, as all have');
sql("SELECT link.stop_pipeline('lost')");

# A topic that is made again.
topic("$run-again");
produce("$run-again", 0, map { "\t$_" } 1 .. 5);
sql(qq{CREATE TABLE again (n int);
	SELECT link.create_pipeline('again', 'k', '$run-again', 'again', batch_interval => 100, max_retries => 2); SELECT link.start_pipeline('again')});
eventually('SELECT count(*) FROM again', '5', 'a topic');
sql("SELECT link.stop_pipeline('again')");
drop_topic("$run-again");
for (my $tries = 50; $tries > 0; $tries--) { last if eval { topic("$run-again"); 1 }; sleep 0.2 }
produce("$run-again", 0, "\t6");
sql("SELECT link.start_pipeline('again')");
eventually("SELECT state FROM link.pipelines WHERE pipeline = 'again'", 'Error', '... made again with smaller offsets stops the pipeline');
like(error_of('again'), qr/^XX001/, '... XX001');
is(sql('SELECT count(*) FROM again'), '5', '... nothing was loaded');
sql("SELECT link.set_pipeline_offsets('again', 'EARLIEST'); SELECT link.start_pipeline('again')");
eventually('SELECT count(*), max(n) FROM again', '6|6', '... with new offsets it goes on');
sql("SELECT link.stop_pipeline('again')");

$node->stop('fast');
my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal (?!9)/, 'nothing crashed but what was killed');
unlike($log, qr/PANIC|TRAP/, '... nor panicked');
done_testing();
