# Backups of a database that others use: what comes back is of one moment, and DDL
# meanwhile either waits, or makes the backup fail with a clear error and soon.

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

need_service('s3b');

my $node = new_node('load', conf => "link.fs_roots = '/'\nmax_worker_processes = 16\nlink.allowed_hosts = '$ENV{LINK_S3B_ENDPOINT}'\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'source', $sql) }
sub says { my ($sql, $db) = @_; my ($out, $err) = ('', ''); $node->psql($db // 'source', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err); return $out . $err }
sub session { my $session = $node->background_psql('source'); $session->query_safe($_) foreach @_; return $session }
sub client { my (@command) = @_; my ($in, $out, $err) = ('', '', ''); return { run => IPC::Run::start([ @command, '-h', $node->host, '-p', $node->port ], '<', \$in, '>', \$out, '2>', \$err), out => \$out, err => \$err } }
sub finish { my ($client) = @_; $client->{run}->finish; return ${ $client->{out} } . ${ $client->{err} } }
# A BACKUP that takes some seconds, and is at its rows.
sub slow_backup
{
	my ($path, $rate) = @_;
	my $client = client('psql', '-XqAt', '-d', 'source', '-c', "SET link.backup_rate = '" . ($rate // '8MB') . "'", '-c', "SELECT link.backup_database('files', '$path', compression => 'none', parallel => 2)");
	$node->poll_query_until('source', "SELECT count(*) > 0 FROM link.backup_progress WHERE phase = 'tables' AND bytes > 0") or die "no backup: ${$client->{err}}";
	return $client;
}
sub waiting { my ($query) = @_; $node->poll_query_until('source', "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '$query%'") or die "no wait for $query" }
sub restore { my ($link, $path) = @_; sql("SELECT link.restore_database('$link', '$path', as_name => 'restored')", 'postgres'); return 'restored' }
sub drop { sql('DROP DATABASE restored', 'postgres') }

sql('CREATE DATABASE source', 'postgres');
sql('CREATE EXTENSION link');
foreach my $db (qw(postgres source))
{
	sql(qq{SELECT link.create_link('public.files', 'FS', '{}', '{"root":"$root"}')}, $db);
	sql(sprintf(q{SELECT link.create_link('public.s3', 'S3', %s, %s)}, quote(qq({"aws_access_key_id":"$ENV{LINK_S3B_ACCESS_KEY}","aws_secret_access_key":"$ENV{LINK_S3B_SECRET_KEY}"})),
			quote(qq({"endpoint_url":"$ENV{LINK_S3B_ENDPOINT}","region":"$ENV{LINK_S3B_REGION}"}))), $db);
}
{
	local @ENV{qw(LINK_S3_ENDPOINT LINK_S3_ACCESS_KEY LINK_S3_SECRET_KEY)} = @ENV{qw(LINK_S3B_ENDPOINT LINK_S3B_ACCESS_KEY LINK_S3B_SECRET_KEY)};
	make_bucket('load');
}

# Consistency: the sums of pgbench, which every transaction keeps equal.
system_or_bail('pgbench', '-h', $node->host, '-p', $node->port, '-i', '-q', '-s', '2', 'source');
my $sums = q{SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)};
my $bench = client('pgbench', '-n', '-c', '4', '-T', '600', 'source');
my ($balanced, $later, $moving) = (0, 0, 0);
my $last = 0;
$node->poll_query_until('source', 'SELECT count(*) > 100 FROM pgbench_history') or die;
foreach my $round (1 .. 10)
{
	my ($link, $path) = $round % 2 ? ('s3', "load/$round") : ('files', "load/$round");
	my $before = sql('SELECT count(*) FROM pgbench_history');
	sql("SELECT link.backup_database('$link', '$path', parallel => @{[ 1 + $round % 3 ]})");
	my $after = sql('SELECT count(*) FROM pgbench_history');
	restore($link, $path);
	my @sums = split /\|/, sql($sums, 'restored');
	my $rows = sql('SELECT count(*) FROM pgbench_history', 'restored');
	$balanced++ if $sums[0] == $sums[1] && $sums[1] == $sums[2] && $sums[2] == $sums[3] && $sums[0] != 0;
	$later++ if $rows >= $before && $rows <= $after;
	$moving++ if $after > $before;
	drop();
}
is($moving, 10, 'others write during each of ten backups');
is($balanced, 10, 'accounts, tellers, branches and history balance in each that comes back');
is($later, 10, '... and are of a moment between its beginning and its end');
$bench->{run}->kill_kill;

# DDL that comes later waits, and the backup is as if it had not come.
sql(q{CREATE TABLE wide AS SELECT i, repeat('x', 1000) AS t FROM generate_series(1, 3000) i; CREATE TABLE altered (a int); INSERT INTO altered VALUES (1); CREATE TABLE emptied AS SELECT 1 AS a; CREATE TABLE dropped AS SELECT 2 AS a;
	CREATE TABLE rewritten AS SELECT 3 AS a; CREATE SEQUENCE gone; SELECT setval('gone', 99); CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1)});
my $backup = slow_backup('ddl');
my %ddl = (
	altered => 'ALTER TABLE altered ADD b int DEFAULT 5', gone => 'DROP SEQUENCE gone', emptied => 'TRUNCATE emptied', dropped => 'DROP TABLE dropped', rewritten => 'VACUUM FULL rewritten', parts => 'DROP TABLE parts');
my %waiting = map { $_ => client('psql', '-Xqd', 'source', '-c', $ddl{$_}) } sort keys %ddl;
waiting($ddl{$_}) foreach sort keys %ddl;
pass('ALTER, TRUNCATE, DROP (of sequences too) and VACUUM FULL wait for a backup');
is(says(q{SET statement_timeout = 5000; CREATE TABLE new (a int); INSERT INTO pgbench_tellers VALUES (1000, 1, 0)}), '', '... others do not');
like(finish($backup), qr/^\d+$/, 'the backup ends');
is(finish($waiting{$_}), '', "... and then: $ddl{$_}") foreach sort keys %ddl;
restore('files', 'ddl');
is(sql(q{SELECT (SELECT count(*) FROM altered), (SELECT a FROM emptied), (SELECT a FROM dropped), (SELECT a FROM rewritten), (SELECT a FROM parts), (SELECT last_value FROM gone), to_regclass('new') IS NULL,
	(SELECT count(*) FROM pg_attribute WHERE attrelid = 'altered'::regclass AND attnum > 0), (SELECT count(*) FROM pgbench_tellers WHERE tid = 1000)}, 'restored'),
	'1|1|2|3|1|99|t|1|0', 'what comes back is as it was when the backup began');
drop();

# DDL that came earlier is waited for, but not for long.
my $holder = session('BEGIN', 'ALTER TABLE altered ADD c int');
my $start = time;
like(says("SET lock_timeout = '1s'; SELECT link.backup_database('files', 'locked')"), qr/ERROR:  55P03:.*lock timeout/, 'a table that is being altered: lock_timeout');
cmp_ok(time - $start, '<', 5, '... soon');
is(sql("SELECT status FROM link.backups WHERE path = 'locked'"), 'failed', '... and it is told');
$backup = client('psql', '-XqAt', '-d', 'source', '-c', "SELECT link.backup_database('files', 'waited')");
waiting('SELECT link.backup_database');
$holder->query_safe('COMMIT');
like(finish($backup), qr/^\d+$/, 'it goes on when the other has committed');
restore('files', 'waited');
is(sql(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'altered'::regclass AND attnum > 0}, 'restored'), 3, '... and has what has been altered');
drop();
$holder->query_safe($_) foreach 'BEGIN', 'DROP TABLE altered', 'CREATE TABLE altered (other text)', q{INSERT INTO altered VALUES ('made anew')};
$backup = client('psql', '-XqAt', '-d', 'source', '-c', "SELECT link.backup_database('files', 'remade')");
waiting('SELECT link.backup_database');
$holder->query_safe('COMMIT');
like(finish($backup), qr/^\d+$/, 'a table that was dropped and made anew meanwhile');
restore('files', 'remade');
is(sql('SELECT * FROM altered', 'restored'), 'made anew', '... is the new one');
drop();
$holder->quit;

# A restored database is nobody's before it has its name.
my $restoring = client('psql', '-XqAt', '-d', 'postgres', '-c', "SET link.backup_rate = '8MB'", '-c', "SELECT link.restore_database('files', 'ddl', as_name => 'restored')");
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_database WHERE datname ~ '^link_restore_'}) or die;
sql('CREATE ROLE visitor LOGIN', 'postgres');
my $temporary = sql(q{SELECT datname FROM pg_database WHERE datname ~ '^link_restore_'}, 'postgres');
my $err = '';
isnt($node->psql($temporary, 'SELECT 1', extra_params => [ '-U', 'visitor' ], stderr => \$err), 0, 'nobody else connects to a database that is being restored');
like($err, qr/too many connections for database/, '... since it has no connections to give');
my $watcher = $node->background_psql($temporary);
is($watcher->query_safe('SELECT 1'), '1', '... but superusers do');
is(says("SELECT link.restore_database('files', 'waited', as_name => 'other')", 'postgres') =~ /^\d+$/ ? 1 : 0, 1, 'two RESTOREs at a time');
like(finish($restoring), qr/^\d+$/, '... each of which ends, whoever else is connected');
is(sql(q{SELECT datconnlimit FROM pg_database WHERE datname = 'restored'}, 'postgres'), -1, '... with the connections that it had');
done_testing();
