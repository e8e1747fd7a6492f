# BACKUP and RESTORE that are ended from outside, at any moment: kill -9 of the
# backend or of the server, the network cut, a cancel, a timeout.  No backup is made
# of half of one, no database, and no process goes on.
#
# LINK_TEST_LONG=1: more rounds. LINK_TEST_SEED: those of another run.

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IPC::Run ();
use LinkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

need_service('s3b');

my $seed = $ENV{LINK_TEST_SEED} // time ^ $$;
srand($seed);
note("seed $seed");
my %rounds = ('kill -9 of the backend' => 3, 'kill -9 of the server' => 2, pg_terminate_backend => 2, pg_cancel_backend => 4, statement_timeout => 3);
if ($ENV{LINK_TEST_LONG}) { $_ = 40 foreach values %rounds }
my $node = new_node('killed', conf => "link.fs_roots = '/'\nmax_worker_processes = 16\nrestart_after_crash = on\nlog_statement = none\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql) }
# while the server starts anew
sub insist { my ($sql, $db) = @_; my ($out, $err, $tries) = ('', '', 150); while ($node->psql($db // 'postgres', $sql, stdout => \$out, stderr => \$err) != 0) { die $err unless $tries--; sleep 0.1 } return $out }

# begin(DB, SQL...): a session at work, and its pid
sub begin
{
	my ($db, @sql) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $name = 'victim ' . int(rand(1e9));
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-h', $node->host, '-p', $node->port, '-d', "dbname=$db application_name='$name'", map { ('-c', $_) } @sql ],
		'<', \$in, '>', \$out, '2>', \$err);
	my $pid = '';
	my $tries = 500;
	while ($pid eq '') { $pid = sql("SELECT pid FROM pg_stat_activity WHERE application_name = '$name' AND query ~ 'link\\.(backup|restore)_database'"); die "no session: $out$err" unless $tries--; }
	return { run => $run, pid => $pid, out => \$out, err => \$err };
}
sub ended { my ($client) = @_; $client->{run}->finish; return ${ $client->{out} } . ${ $client->{err} } }

# pg_dump and pg_restore of this server.
sub arguments { my ($file) = @_; open my $f, '<', $file or return ''; local $/; return <$f> // '' }
sub programs { my $host = $node->host; return grep { my $line = arguments($_); $line =~ m{/pg_(dump|restore)\0} && $line =~ /\Q$host\E/ } glob('/proc/[0-9]*/cmdline') }
sub gone { my $until = time + 2; while (programs() && time < $until) { sleep 0.05 } return scalar programs() == 0 }
sub sentinels { my ($path) = @_; my @all = glob("$root/$path/*/BACKUP_COMPLETE"); return scalar @all }
sub made { return insist(q{SELECT count(*) FROM pg_database WHERE datname = 'restored'}) }
sub leftovers { return insist(q{SELECT count(*) FROM pg_database WHERE datname ~ '^link_restore_'}) }
sub drop { insist('DROP DATABASE IF EXISTS restored WITH (FORCE)') }

# A database on which every step takes its time.
sql('CREATE DATABASE source');
sql('CREATE EXTENSION link', 'source');
sql(qq{SELECT link.create_link('public.files', 'FS', '{}', '{"root":"$root"}')}, $_) foreach qw(postgres source);
sql(q{CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN $1; END $$;
	SELECT format('CREATE TABLE t%s (a int PRIMARY KEY, b text); INSERT INTO t%s SELECT i, md5(i::text) FROM generate_series(1, 200) i', i, i) FROM generate_series(1, 40) i \gexec
	CREATE TABLE large AS SELECT i, repeat(md5(i::text), 30) AS t FROM generate_series(1, 2000) i; CREATE TABLE indexed AS SELECT i FROM generate_series(1, 300) i; CREATE INDEX ON indexed (slow(i));
	SELECT lo_from_bytea(0, repeat('large', 1000)::bytea)}, 'source');
my @backup = ("SET link.backup_rate = '4MB'", "SELECT link.backup_database('files', 'b', compression => 'none', parallel => 2)");
my @restore = ("SET link.backup_rate = '4MB'", "SELECT link.restore_database('files', 'good', as_name => 'restored', parallel => 2)");
my $good = sql("SELECT link.backup_database('files', 'good', compression => 'none')", 'source');
sub takes { my ($db, @sql) = @_; my $start = time; my $answer = ended(begin($db, @sql)); like($answer, qr/^\d{16}$/, 'it works when nobody disturbs it'); return time - $start }
my $backup_takes = takes('source', @backup);
my $restore_takes = takes('postgres', @restore);
drop();

# kill_server(): as a power cut, and a start as soon as the last of its processes is gone
sub kill_server
{
	my $tries = 100;
	$node->kill9;
	until (unlink($node->data_dir . '/postmaster.pid'), system_log('pg_ctl', '-w', '-s', '-D', $node->data_dir, '-l', $node->logfile, 'start') == 0) { die 'no start' unless $tries--; sleep 0.2 }
	$node->_update_pid(1);
}
# ... as the server takes it: all others are ended too
sub kill_backend
{
	my ($pid) = @_;
	my ($from, $until) = (-s $node->logfile, time + 30);
	kill('KILL', $pid) or return;
	until (slurp_file($node->logfile, $from) =~ /ready to accept connections/) { die 'no restart' if time > $until; sleep 0.05 }
}
my %ways = (
	'kill -9 of the backend' => sub { kill_backend($_[0]{pid}) },
	'kill -9 of the server' => sub { kill_server() },
	'pg_terminate_backend' => sub { sql("SELECT pg_terminate_backend($_[0]{pid})") },
	'pg_cancel_backend' => sub { sql("SELECT pg_cancel_backend($_[0]{pid})") });

foreach my $way (sort keys %ways)
{
	my $rounds = $rounds{$way};
	my ($left, $wrong, $late, $ended) = (0, 0, 0, 0);
	my $slow = $way =~ /kill -9/ ? 0 : 2;

	# whoever comes too late does not count
	foreach my $round (1 .. $rounds * 4)
	{
		last if $ended == $rounds;
		my $before = sentinels('b');
		my $client = begin('source', @backup);
		sleep rand($backup_takes * 0.8);
		my $start = time;
		$ways{$way}->($client);
		my $answer = ended($client);
		$late++ if $slow && time - $start > $slow;
		$ended++ unless $answer =~ /^\d{16}/;
		$left++ unless gone();
		# it may have been done before, or have done all but say so
		$wrong++ unless sentinels('b') == $before + ($answer =~ /^\d{16}/ ? 1 : 0) || $answer =~ /connection/ && sentinels('b') == $before + 1;
	}
	is($left, 0, "BACKUP, $way, $rounds times: no process is left after two seconds");
	is($wrong, 0, '... no sentinel');
	is($late, 0, '... it ends within two seconds') if $slow;
	my $next = insist("SELECT link.backup_database('files', 'b')", 'source');
	is(sql("SELECT link.verify_backup('files', 'b', $next)"), $next, '... the next one works');
	is(sql(q{SELECT count(*) FROM link.backups WHERE status NOT IN ('succeeded', 'failed', 'running') OR (status = 'succeeded') <> (error IS NULL AND finished IS NOT NULL) AND status <> 'running'}, 'source'), 0, '... and what is told of them is so');

	is($ended, $rounds, '... before it was over');
	($left, $wrong, $late, $ended) = (0, 0, 0, 0);
	my $stayed = 0;
	# whoever comes too late does not count
	foreach my $round (1 .. $rounds * 4)
	{
		last if $ended == $rounds;
		my $client = begin('postgres', @restore);
		sleep rand($restore_takes * 0.8);
		my $start = time;
		$ways{$way}->($client);
		my $answer = ended($client);
		$late++ if $slow && time - $start > $slow;
		$ended++ unless $answer =~ /^\d{16}/;
		$left++ unless gone();
		$wrong++ if made() && $answer !~ /^\d{16}/ && $answer !~ /connection/;
		$stayed++ if $way eq 'pg_cancel_backend' && leftovers() > 0;
		drop();
	}
	is($ended, $rounds, "RESTORE, $way: before it was over");
	is($left, 0, "RESTORE, $way, $rounds times: no process is left after two seconds");
	is($wrong, 0, '... no database');
	is($late, 0, '... it ends within two seconds') if $slow;
	is($stayed, 0, '... nor one under another name') if $way eq 'pg_cancel_backend';
	is(insist("SELECT link.restore_database('files', 'good', as_name => 'restored')"), $good, '... the next one works');
	is(leftovers(), 0, '... and has dropped what was left');
	drop();
}

# A database of a RESTORE whose DROP was ended: later minor versions leave it as nobody's.
sql('CREATE DATABASE link_restore_1');
sql('CREATE DATABASE link_restore_2');
sql(q{UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'link_restore_1'});
is(sql("SELECT link.restore_database('files', 'good', as_name => 'restored')"), $good, 'a DROP DATABASE that was ended');
is(sql(q{SELECT datname FROM pg_database WHERE datname ~ '^link_restore_'}), 'link_restore_2', '... is done, and what has but such a name stays');
sql('DROP DATABASE link_restore_2');
drop();

# Timeouts.
foreach my $ms (map { int(rand(1000 * $backup_takes)) + 50 } 1 .. $rounds{statement_timeout})
{
	my $before = sentinels('b');
	my $start = time;
	my $answer = ended(begin('source', "SET statement_timeout = $ms", @backup));
	next if $answer =~ /^\d{16}/;
	ok($answer =~ /57014/ && time - $start < $ms / 1000 + 2 && sentinels('b') == $before && gone(), "BACKUP with statement_timeout = $ms") or diag($answer);
}
foreach my $ms (map { int(rand(1000 * $restore_takes)) + 50 } 1 .. $rounds{statement_timeout})
{
	my $start = time;
	my $answer = ended(begin('postgres', "SET statement_timeout = $ms", @restore));
	if ($answer !~ /^\d{16}/)
	{
		ok($answer =~ /57014/ && time - $start < $ms / 1000 + 2 && !made() && !leftovers() && gone(), "RESTORE with statement_timeout = $ms") or diag($answer);
	}
	drop();
}

# The network: a proxy before the S3 server, which ends with all its connections.
sub start_proxy
{
	my ($port) = @_;
	my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port // 0, Listen => 50, ReuseAddr => 1) or die "no port: $!";
	my ($target) = $ENV{LINK_S3B_ENDPOINT} =~ m{//(.*)};
	my $pid = fork // die;

	return ($listen->sockport, $pid) if $pid;
	my %other;
	my $select = IO::Select->new($listen);
	for (;;)
	{
		foreach my $socket ($select->can_read)
		{
			if ($socket == $listen)
			{
				my $here = $listen->accept or next;
				my $there = IO::Socket::INET->new(PeerAddr => $target) or next;
				@other{ $here, $there } = ($there, $here);
				$select->add($here, $there);
			}
			elsif (sysread($socket, my $bytes, 65536)) { my $at = 0; while ($at < length $bytes) { $at += syswrite($other{$socket}, $bytes, 65536, $at) // last } }
			else { $select->remove($socket, $other{$socket}); $_->close foreach $other{$socket}, $socket }
		}
	}
}
my ($port, $proxy) = start_proxy();
END { my $status = $?; kill 'KILL', $proxy if $proxy; $? = $status }
{
	local @ENV{qw(LINK_S3_ENDPOINT LINK_S3_ACCESS_KEY LINK_S3_SECRET_KEY)} = @ENV{qw(LINK_S3B_ENDPOINT LINK_S3B_ACCESS_KEY LINK_S3B_SECRET_KEY)};
	make_bucket('killed');
}
sql(sprintf(q{SELECT link.create_link('public.s3', 'S3', %s, %s)}, quote(qq({"aws_access_key_id":"$ENV{LINK_S3B_ACCESS_KEY}","aws_secret_access_key":"$ENV{LINK_S3B_SECRET_KEY}"})),
		quote(qq({"endpoint_url":"http://127.0.0.1:$port","region":"$ENV{LINK_S3B_REGION}"}))), $_) foreach qw(postgres source);
$_ =~ s/'files', '(\w+)'/'s3', 'killed\/$1'/ foreach @backup, @restore;
sql("SELECT link.backup_database('s3', 'killed/good', compression => 'none')", 'source');
foreach my $kind ([ 'BACKUP', 'source', \@backup, $backup_takes ], [ 'RESTORE', 'postgres', \@restore, $restore_takes ])
{
	my ($name, $db, $sql, $takes) = @$kind;
	my ($wrong, $failed) = (0, 0);
	# whoever comes too late does not count
	foreach my $round (1 .. 8)
	{
		last if $failed == 2;
		my $client = begin($db, @$sql);
		sleep 0.1 + rand($takes / 2);
		my $count = sql("SELECT count(*) FROM link.list_backups('s3', 'killed/b')");
		kill 'KILL', $proxy;
		waitpid $proxy, 0;
		my $start = time;
		my $answer = ended($client);
		my $took = time - $start;
		(undef, $proxy) = start_proxy($port);
		drop(), next if $answer =~ /^\d{16}/;
		$failed++;
		$wrong++, diag("$took s: $answer") unless $answer =~ /ERROR:  (08\w\d\d|58\w\d\d)/ && $took < 12 && gone() && !made() && !leftovers()
		  && sql("SELECT count(*) FROM link.list_backups('s3', 'killed/b')") == $count;
		drop();
	}
	is($failed, 2, "$name with the network cut fails");
	is($wrong, 0, '... and leaves nothing');
	is(ended(begin($db, @$sql)) =~ /^\d{16}$/ ? 1 : 0, 1, '... the next one works');
	drop();
}
done_testing();
