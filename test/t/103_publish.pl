# The end of exports of several objects and of several processes: what is taken
# back when it fails, and what is known of the others' work.

use strict;
use warnings;
use IPC::Run ();
use JSON::PP ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

need_service('s3b');
my $node = new_node('publish', conf => "max_worker_processes = 8\nmax_parallel_workers = 8\nmin_parallel_table_scan_size = '64kB'\nwal_level = replica\n");
my $root = $node->basedir . '/files';
mkdir $root or die;
my %s3b = (LINK_S3_ENDPOINT => $ENV{LINK_S3B_ENDPOINT}, LINK_S3_ACCESS_KEY => $ENV{LINK_S3B_ACCESS_KEY}, LINK_S3_SECRET_KEY => $ENV{LINK_S3B_SECRET_KEY});
make_link($node, 'fs', 'FS', undef, { root => $root });
make_link($node, 's3', 'S3', { aws_access_key_id => $ENV{LINK_S3B_ACCESS_KEY}, aws_secret_access_key => $ENV{LINK_S3B_SECRET_KEY} },
	{ region => $ENV{LINK_S3B_REGION}, endpoint_url => $ENV{LINK_S3B_ENDPOINT} });
s3b('s3api', 'create-bucket', '--bucket', 'publish');

sub s3b { local %ENV = (%ENV, %s3b); return aws('--region', $ENV{LINK_S3B_REGION}, @_); }
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub uploads { return join ' ', s3b('s3api', 'list-multipart-uploads', '--bucket', 'publish') =~ /"Key": "([^"]+)"/g; }
sub records { return join ' ', map { s{.*/}{}r } glob($node->data_dir . '/link_uploads/*'); }

# Starts a statement; gives what ends it, which gives its errors.
sub start
{
	my ($statement) = @_;
	my $err = '';
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ], '>', '/dev/null', '2>', \$err, IPC::Run::timer(60));
	return sub { $run->finish; return $err };
}

# The pid of the client backend that waits so.
sub waiting
{
	my ($event) = @_;
	my $query = "SELECT pid FROM pg_stat_activity WHERE wait_event = '$event' AND backend_type = 'client backend'";
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($query) q") or die "nobody waits: $event";
	return sql($query);
}

sql('CREATE TABLE t AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 200000) n; ANALYZE t');

#
# Objects are taken back whatever becomes of the memory of them. The first object's
# bytes and the second's fill what a session keeps of them in memory (9 MB).
#

# A row is an object, with its line end.
sub objects { return "SELECT repeat('x', s.size), CASE WHEN s.size = 1 THEN pg_sleep(60) END FROM unnest('{" . join(',', map { $_ - 4 } @_) . "}'::int[]) s(size)"; }
my $into = sub { "SELECT link.select_into(" . quote($_[0]) . ", 's3', 'publish/$_[1]', file_size => 1, parallel => 1)" };
my $token = 65;					# bytes that a token has beside those of a small object
my ($mb, $room) = (1024 * 1024, 9 * 1024 * 1024 - 8 * 1024 * 1024 - 2 * $token);

is(sqlstate_of($node, 'SET temp_file_limit = 0; ' . $into->(objects(8 * $mb, $room, 9 * $mb), 'full')), '53400', 'no room for what is to be kept of the third object');
is(uploads(), '', '... which is taken back too');
is(records(), '', '... and not on record any more');

# The third's bytes are in the temporary file, what is known of the fourth is in memory.
my $ended = start($into->(objects(8 * $mb, $room - 1000, $mb, 9 * $mb, 5), 'cut'));
my $pid = waiting('PgSleep');
is(uploads(), 'cut_0003', 'an object waits');
my @files = glob($node->data_dir . "/base/pgsql_tmp/pgsql_tmp$pid.*");
is(join(' ', map { -s } @files), $mb + $token, 'another one in a temporary file');
truncate($files[0], 1000) or die;
sql("SELECT pg_cancel_backend($pid)");
like($ended->(), qr/^ERROR:  canceling statement due to user request\n$/, '... that is damaged, which is not the error');
is(uploads(), '', '... and does not keep the next from being taken back');
is(records(), '', '... nor on record');

#
# What has been published is removed again when a later object cannot be, but nothing
# that somebody else has put there. The fake's answers to the fourth come late, so that
# there is time to do that.
#
my ($url, $stop, $log) = start_fake(JSON::PP::encode_json([
			{ method => 'PUT', match => 'again/t_0003', do => 'late', seconds => 3 },
			{ method => 'DELETE', match => 'again/t_0001', do => 'replace' }, { method => 'DELETE', match => 'again/t_0002', do => 'unconditional' } ]));
make_link($node, 'fake', 'S3', { aws_access_key_id => 'AKIAFAKE', aws_secret_access_key => 'x' x 40 }, { endpoint_url => $url });
my $content = sub { sql("SELECT string_agg(path || '=' || convert_from(link.read_file('fake', path), 'UTF8'), ' ') FROM link.list_files('fake', 'b/again/')") };

$ended = start("SELECT link.select_into('SELECT n FROM generate_series(1, 4) n', 'fake', 'b/again/t', file_size => 1)");
for (my $tries = 200; fake_log($log) !~ m{^PUT /b/again/t_0003}m; sleep 0.1) { die 'nothing published' unless $tries-- }
sql("SELECT link.write_file('fake', 'b/again/t_0000', 'other', overwrite => true); SELECT link.write_file('fake', 'b/again/t_0003', 'first')");
my $err = $ended->();
like($err, qr/"b\/again\/t_0003".*already exists/, 'a burst that fails at its end');
is($content->(), 'b/again/t_0000=other b/again/t_0001=theirs b/again/t_0003=first', '... what others have put there stays: before, and in the moment of the removal');
unlike($err, qr/stay visible/, '... and is not counted as what could not be removed');
like(fake_log($log), qr{^DELETE /b/again/t_0002 unconditional .*\nDELETE /b/again/t_0002 - }m, '... where the server knows no condition the look before has to do');

#
# Several processes, the leader slow: so the others have most of the work.
#
sql(q{
	CREATE FUNCTION am_leader() RETURNS bool LANGUAGE plpgsql PARALLEL SAFE AS $$ BEGIN RETURN pg_backend_pid() = current_setting('test.leader')::int; END $$;
	CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS $$ BEGIN IF am_leader() THEN PERFORM pg_sleep(0.02); END IF; RETURN n; END $$});
my $leader = q{DO $$ BEGIN PERFORM set_config('test.leader', pg_backend_pid()::text, false); END $$; };

# What a worker's query registers for its end does not come between ours.
sql(q{CREATE FUNCTION backup(n int) RETURNS text LANGUAGE plpgsql PARALLEL SAFE AS $$ BEGIN RETURN CASE WHEN n = 100000 AND NOT am_leader() THEN pg_backup_start('test', true)::text END; END $$});
is(sql("$leader SELECT count(*) > 1, sum(rows) FROM link.select_into('SELECT slow(id), backup(id) FROM t', 'fs', 'backup/t', parallel => 3)"), 't|200000', 'a worker that has more to do at its end');
like(slurp_file($node->logfile), qr/aborting backup due to backend exiting/, '... does it');
is(records(), '', '... and leaves nothing on record');

# Progress is that of all, while the leader is at a row of its own ...
my $progress = 'SELECT tuples_processed, bytes_processed FROM pg_stat_progress_copy';
$ended = start("$leader SELECT link.select_into('SELECT slow(id), name FROM t', 'fs', 'progress/t', parallel => 3)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type = 'client backend'") or die;
my ($rows, $bytes) = (0, 0);
for (my $tries = 200; $tries > 0 && ($rows <= 100000 || $bytes <= 1000000) && sql('SELECT count(*) FROM pg_stat_progress_copy'); $tries--)
{
	($rows, $bytes) = split /\|/, sql($progress) || '0|0';
}
cmp_ok($rows, '>', 100000, 'rows of all processes are in pg_stat_progress_copy');
cmp_ok($bytes, '>', 1000000, '... and their bytes');
is($ended->(), '', '... of an export that ends well');

# ... and while it waits for the others: each row of theirs takes a while.
sql(q{CREATE FUNCTION slow_worker(n int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS $$ BEGIN IF NOT am_leader() THEN PERFORM pg_sleep(0.02); END IF; RETURN n; END $$});
$ended = start("$leader SELECT link.select_into('SELECT slow_worker(id), name FROM t', 'fs', 'progress/w', parallel => 3)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type IN ('IPC', 'Extension') AND backend_type = 'client backend'") or die;
my %seen;
while ((my $now = sql($progress)) ne '') { $seen{ $now =~ s/\|.*//r } = 1; sleep 0.05 }
cmp_ok(scalar keys %seen, '>', 3, 'a leader that waits shows how far the others are');
is($ended->(), '', '... of an export that ends well');

# Requests of all processes are those of the use.
($url, $stop, $log) = start_fake(JSON::PP::encode_json([ { method => 'POST', match => 'uploads', do => 'status', status => 503, times => 2 } ]));
make_link($node, 'counted', 'S3', { aws_access_key_id => 'AKIAFAKE', aws_secret_access_key => 'x' x 40 }, { endpoint_url => $url });
my $counts = "SELECT requests, retries FROM link.stat_links WHERE link = 'counted'";
my $query = "SELECT slow(id), repeat(name, 10), 1 / (id - %d) FROM t";
my $requests = sub { return scalar(() = fake_log($log) =~ /^$_[0] /mg) };
is(sql("$leader SELECT link.select_into('" . sprintf($query, 0) . "', 'counted', 'b/t', parallel => 3, file_size => 9000000) \\g /dev/null\n$counts"), $requests->('[A-Z]+') . '|2', 'requests of all processes are counted');
cmp_ok($requests->('PUT'), '>', 6, '... of several objects');

# Also where it fails: a worker has looked for an object of its name before.
my $before = $requests->('HEAD');
$node->psql('postgres', "$leader SELECT link.select_into('" . sprintf($query, 150000) . "', 'counted', 'b/u', parallel => 3) \\g /dev/null\n$counts", stdout => \my $failed, on_error_stop => 0);
$before = $requests->('HEAD') - $before;
cmp_ok($before, '>', 0, 'workers that fail');
cmp_ok($failed =~ s/\|.*//sr, '>=', $before, '... are counted');

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
$node->stop;
done_testing();
