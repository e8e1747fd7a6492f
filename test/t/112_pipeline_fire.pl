# Pipelines under fire: whatever dies, and whenever, each row is there once.
#
# A pipeline from S3 and one from a topic, with two workers, while at random workers,
# schedulers and the whole server are killed, often between insert and commit, S3 and
# the broker go and come back, credentials change, pipelines are altered, stopped and
# started. LINK_FIRE_ROUNDS=N (test/run.sh --fire N) makes N long rounds of it;
# LINK_FIRE_SEED has the same chances again. A round with too few kills has failed.
#
# max_retries is out of reach: with STOP_ON_ERROR, an outage that is longer than all
# attempts ends a pipeline, as any error does, and here nobody is there to start it.

use strict;
use warnings;
use File::Path qw(rmtree);
use LinkKafka;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_service('s3b');
need_service('kafka');

my $rounds = $ENV{LINK_FIRE_ROUNDS} || 0;
my ($first_files, $messages, $kills, $in_pause) = $rounds ? (2000, 1_000_000, 30, 10) : (200, 100_000, 10, 4);
my $node = new_node('fire', preload => 'shared',
	conf => "restart_after_crash = on\nmax_worker_processes = 16\nlink.pipeline_workers = 2\nlink.request_timeout = 2s\n"
	  . "link.allowed_hosts = 'http://127.0.0.1 localhost'\nlog_min_messages = warning\nlog_statement = none\n");
my $seed = $ENV{LINK_FIRE_SEED} // (time * 1000 ^ $$) & 0x7fffffff;
my $bucket = "fire-$$";
my $root = PostgreSQL::Test::Utils::tempdir;
my ($folder, $topic, $files, $sent);		# of a round
local @ENV{qw(LINK_S3_ENDPOINT LINK_S3_ACCESS_KEY LINK_S3_SECRET_KEY)} = @ENV{qw(LINK_S3B_ENDPOINT LINK_S3B_ACCESS_KEY LINK_S3B_SECRET_KEY)};

# Again and again, while the server starts anew.
sub insist
{
	my ($sql) = @_;
	my ($out, $err, $tries) = ('', '', 300);
	while ($node->psql('postgres', $sql, stdout => \$out, stderr => \$err, timeout => 60) != 0) { die "$sql: $err" unless $tries--; sleep 0.1 }
	return $out;
}
sub s3b { my ($what) = @_; system_log('bash', '-c', '. test/lib.sh; . test/services/s3b.sh; s3b_"$1"', '-', $what) == 0 or die "s3b $what" }

# Objects: ten rows each, of their number.
sub add_files
{
	my ($from, $to) = @_;
	my $dir = "$root/$folder-$from";
	mkdir $dir or die;
	foreach my $n ($from .. $to)
	{
		open my $f, '>', "$dir/$n.csv" or die;
		print $f map { ($n * 10 + $_) . ",s\n" } 0 .. 9;
		close $f;
	}
	aws('s3', 'sync', '--quiet', $dir, "s3://$bucket/$folder");
}
# Messages: a number each, as many to each of the partitions.
sub send_messages
{
	my ($n) = @_;
	foreach my $partition (0 .. 3)
	{
		my ($in, $err) = (join('', map { "$_\n" } grep { $_ % 4 == $partition } $sent + 1 .. $sent + $n), '');
		IPC::Run::run([ 'kcat', '-b', $ENV{LINK_KAFKA_PLAINTEXT}, '-P', '-t', $topic, '-p', $partition ], '<', \$in, '2>', \$err) or die "kcat: $err";
	}
	$sent += $n;
}

# Lines as a multiset: how many, and the hash of them sorted.
sub multiset
{
	my ($command, @argument) = @_;
	my $file = "$root/lines";
	system_log('bash', '-c', "set -o pipefail; { $command; } | LC_ALL=C sort >" . '"$0"', $file, @argument) == 0 or die $command;
	my ($out) = run_command([ 'bash', '-c', 'echo $(wc -l <"$0") $(md5sum <"$0")', $file ]);
	return $out =~ s/ +-//r;
}
sub table { my ($sql) = @_; return multiset('psql -XAtq -d "$1" -c "$2"', $node->connstr('postgres'), "COPY ($sql) TO STDOUT (FORMAT csv)") }

sub start_server
{
	my $tries = 200;
	# whom nobody has waited for is taken for alive; that nothing of it is the server sees by its shared memory
	until (unlink($node->data_dir . '/postmaster.pid'), system_log('pg_ctl', '-w', '-s', '-D', $node->data_dir, '-l', $node->logfile, 'start') == 0) { die 'no start' unless $tries--; sleep 0.1 }
	$node->_update_pid(1);
}

# Processes of ours.
sub pids
{
	my ($where) = @_;
	my ($out, $err, $late) = ('', '');
	$node->psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $where ORDER BY pid", stdout => \$out, stderr => \$err, timeout => 10, timed_out => \$late);
	return split /\n/, $out;
}
sub kill_one
{
	my @pids = pids(@_);
	return @pids && kill 'KILL', $pids[ rand @pids ];
}

# One between insert and commit.  Where it waits may be over when we know it: it is
# looked at again while it is stopped, and killed if it is there still.
my $paused = "backend_type = 'link worker' AND query = 'pause before commit' AND wait_event_type = 'Extension'";
sub kill_paused
{
	my @pids = pids($paused);
	my $pid = @pids ? $pids[ rand @pids ] : return 0;
	kill('STOP', $pid) or return 0;
	my $is_there = pids("pid = $pid AND $paused");
	kill($is_there ? 'KILL' : 'CONT', $pid) or return 0;
	return $is_there;
}

my ($good, $wrong) = map { sprintf q(SELECT link.alter_link('s3', credentials => '{"aws_access_key_id":"%s","aws_secret_access_key":"%s"}')), $ENV{LINK_S3B_ACCESS_KEY}, $_ } $ENV{LINK_S3B_SECRET_KEY}, 'wrong';
my %acts = (
	pause => \&kill_paused,
	worker => sub { return kill_one("backend_type = 'link worker'") },
	scheduler => sub { return kill_one("backend_type = 'link scheduler'") },
	postmaster => sub { $node->kill9; start_server(); 1 },
	immediate => sub { system_log('pg_ctl', '-s', '-D', $node->data_dir, '-m', 'immediate', 'stop'); start_server(); 1 },
	s3 => sub { s3b('kill'); sleep rand 2; s3b('up'); 1 },
	frozen => sub { s3b('freeze'); sleep rand 4; s3b('thaw'); 1 },
	broker => sub { broker('kill'); sleep rand 2; broker('up'); 1 },
	icy => sub { broker('freeze'); sleep rand 4; broker('thaw'); 1 },
	rotate => sub { insist($wrong); sleep rand 1; insist($good); 1 },
	alter => sub { insist(sprintf q(SELECT link.alter_pipeline(p, batch_interval => %d, max_offsets => %d) FROM unnest('{s3,k}'::text[]) p), 50 + rand 300, $messages / (40 + rand 60)); 1 },
	stop => sub { my $p = (qw(s3 k))[ rand 2 ]; insist("SELECT link.stop_pipeline('$p', if_running => true)"); sleep rand 0.5; insist("SELECT link.start_pipeline('$p', if_not_running => true)"); 1 },
);
my @kinds = (('pause') x 6, ('worker') x 3, ('scheduler') x 2, qw(postmaster postmaster immediate s3 frozen icy rotate alter stop stop), ('broker') x ($rounds ? 1 : 0));
my %is_kill = map { $_ => 1 } qw(pause worker scheduler postmaster);

sub fire
{
	my ($round) = @_;
	my %done = map { $_ => 0 } keys %acts;
	my ($n, $start) = (0, time);

	srand($seed + $round);
	($folder, $topic, $files, $sent) = ("r$round", "fire$$-$round", $first_files, 0);
	add_files(1, $files);
	topic($topic, 4);
	send_messages($messages);
	insist('DROP TABLE IF EXISTS s3, k CASCADE');
	insist('CREATE TABLE s3 (n int, t text); CREATE TABLE k (n int, p int, o bigint)');
	insist("ALTER SYSTEM SET link.pipeline_pause = '300ms'");
	insist('SELECT pg_reload_conf()');
	insist("SELECT link.create_pipeline('s3', 's3', '$bucket/$folder/*', 's3', format => 'csv', batch_interval => 100, max_retries => 1000000)");
	insist("SELECT link.create_pipeline('k', 'k', '$topic', 'k', fields => '{n}', \"set\" => 'p = pipeline_kafka_partition(), o = pipeline_kafka_offset()',
		batch_interval => 100, max_retries => 1000000, max_offsets => " . int($sent / 60) . ')');
	insist("SELECT link.start_pipeline(p) FROM unnest('{s3,k}'::text[]) p");
	while ($n < $kills || $done{pause} < $in_pause)
	{
		last if time - $start > ($rounds ? 240 : 60);
		my $kind = $kinds[ rand @kinds ];
		$kind = 'pause' if $done{pause} < $in_pause && rand() < 0.4;
		next unless $acts{$kind}->();
		$done{$kind}++;
		$n++ if $is_kill{$kind};
		sleep 0.2 + rand 0.6;

		# something is always there to be loaded
		my ($pending, $lag) = split /\|/, insist("SELECT sum(pending_files), sum(lag) FROM link.pipelines");
		if (($pending || 0) < 20) { add_files($files + 1, $files + 100); $files += 100 }
		if (($lag || 0) < $sent / 20) { send_messages(int($messages / 20)) }
	}
	insist($good);
	insist('ALTER SYSTEM RESET link.pipeline_pause');
	insist('SELECT pg_reload_conf()');

	# what there is, by others than us; then until they say that they have it
	my %source = (
		s3 => multiset('find "$1" -name "*.csv" -exec cat {} +', "$root"),
		k => multiset('kcat -b "$1" -q -C -e -t "$2" -o beginning -f "%s,%p,%o\n"', $ENV{LINK_KAFKA_PLAINTEXT}, $topic));
	my $known = q(SELECT (SELECT count(*) FROM link.pipeline_files WHERE state = 'Loaded'), (SELECT sum(next_offset) FROM link.pipeline_cursors));
	my $tries = 600;
	sleep 0.2 while insist($known) ne "$files|$sent" && insist("SELECT count(*) FROM link.pipelines WHERE state = 'Running'") == 2 && $tries--;
	my $what = sprintf 'round %d, seed %d: %d files, %d messages, %d kills (%s), %d s', $round, $seed, $files, $sent, $n, join(', ', map { "$_ $done{$_}" } sort keys %done), time - $start;
	note($what);
	diag($what) if $rounds;
	cmp_ok($n, '>=', $kills, 'kills');
	cmp_ok($done{pause}, '>=', $in_pause, '... between insert and commit');
	is(insist("SELECT string_agg(state, ' ') FROM link.pipelines"), 'Running Running', 'both run');
	is(insist($known), "$files|$sent", 'they know that they have everything')
	  or diag(insist('SELECT pipeline, state, error FROM link.pipelines; SELECT * FROM link.pipeline_cursors; SELECT * FROM link.pipeline_errors ORDER BY error_id DESC LIMIT 5'));
	is(table('SELECT * FROM s3'), $source{s3}, 'all rows of S3, each once')
	  or diag(insist('SELECT count(*), count(DISTINCT n) FROM s3'));
	is(table('SELECT * FROM k'), $source{k}, 'all messages, each once')
	  or diag(insist('SELECT count(*), count(DISTINCT (p, o)) FROM k'));
	is(insist(q(SELECT count(*) FROM (SELECT regexp_replace(path, '^.*/(\d+)\.csv$', '\1')::int AS file FROM link.pipeline_files WHERE state = 'Loaded') f
		FULL JOIN (SELECT n / 10 AS file, count(*) AS rows FROM s3 GROUP BY 1) t USING (file) WHERE rows IS DISTINCT FROM 10 OR f IS NULL)), '0', 'what they know of each object is what the table has');
	is(insist('SELECT count(*) FROM link.pipeline_cursors c FULL JOIN (SELECT p, count(*) AS rows, max(o) + 1 AS next FROM k GROUP BY 1) t ON p = partition
		WHERE (rows, next) IS DISTINCT FROM (next_offset, next_offset)'), '0', '... and of each partition');
	drop_topic($topic);
	rmtree($_) foreach glob "$root/$folder-*";
	insist("SELECT link.drop_pipeline(p) FROM unnest('{s3,k}'::text[]) p");
}

make_bucket($bucket);
s3_link($node, 's3', config => s3_config(region => $ENV{LINK_S3B_REGION}));
make_link($node, 'k', 'KAFKA', {}, { 'bootstrap.servers' => $ENV{LINK_KAFKA_PLAINTEXT}, 'operation.timeout.ms' => 10000 });
fire($_) foreach 1 .. ($rounds || 1);

$node->stop('fast');
my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal (?!9)/, 'nothing crashed but what was killed');
unlike($log, qr/PANIC|TRAP/, '... nor panicked');
unlike($log, qr/pipeline ".*" has stopped/, 'no outage has ended a pipeline');
done_testing();
