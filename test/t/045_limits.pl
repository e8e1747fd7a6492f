# What failures may cost, how soon a cancel is obeyed, who wins a race: a
# thousand failing statements leave nothing open and nothing in memory; cancel
# and terminate work wherever a statement may wait; of two writers to one new
# name one wins.

use strict;
use warnings;
use IO::Socket::INET;
use LinkTest;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_s3();

# Two servers that do not speak: one takes connections and says nothing, one
# does not even take them, since the queue of its port is full.
my $silent = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "listen: $!";
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $!";
my @queued = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 4;

my $node = new_node('limits', conf => "link.retry_timeout = '60s'\nlink.allowed_hosts = 'http://127.0.0.1 127.0.0.1'\n");
my ($fake, undef, $fake_log) = start_fake(<<'FAULTS');
[{"method":"PUT","match":"/b/busy","do":"status","status":503,"times":1000000},
 {"method":"GET","match":"/b/later","do":"status","status":503,"retry_after":50,"times":1000000},
 {"method":"PUT","match":"/b/hang","do":"hang","times":1000000},
 {"method":"GET","match":"/b/hang","do":"hang","times":1000000},
 {"method":"GET","match":"/b/cut","do":"cut","times":1000000},
 {"method":"GET","match":"/b/slow","do":"slow","times":1000000},
 {"method":"GET","match":"/b/stall","do":"stall","times":1000000},
 {"method":"POST","match":"/b/complete?uploadId","do":"hang","times":1000000},
 {"method":"PUT","match":"/b/part?partNumber=2","do":"hang","times":1000000},
 {"method":"GET","match":"prefix=inside","do":"extra_key","times":1000000},
 {"method":"GET","match":"prefix=hang","do":"hang","times":1000000},
 {"method":"GET","match":"prefix=slow","do":"slow","times":1000000},
 {"method":"PUT","match":"/b/race_put","do":"late","seconds":0.5,"times":1000000},
 {"method":"POST","match":"/b/race_parts","do":"late","seconds":0.5,"times":1000000}]
FAULTS
make_bucket('limits');
s3_link($node, 'good');
s3_link($node, 'wrong', secret => 'x' x 40);
s3_link($node, 'unknown', key => 'AKIANOBODY0000000000');
s3_link($node, 'away', config => s3_config(endpoint_url => 'http://127.0.0.1:9'));
s3_link($node, 'forbidden', config => s3_config(endpoint_url => 'http://10.1.2.3:80'));
s3_link($node, 'fake', config => s3_config(endpoint_url => $fake));
s3_link($node, 'full', config => s3_config(endpoint_url => 'http://127.0.0.1:' . $full->sockport));
s3_link($node, 'silent', config => s3_config(endpoint_url => 'http://127.0.0.1:' . $silent->sockport));
s3_link($node, 'silent_tls', config => s3_config(endpoint_url => 'https://127.0.0.1:' . $silent->sockport));

my $root = $node->basedir . '/root';
mkdir $root or die;
mkdir "$root/many" or die;
append_to_file("$root/many/" . 'a' x 200 . $_, '') for 1 .. 20000;
append_to_file("$root/rows", "1\n2\nthree\n");
POSIX::mkfifo("$root/fifo", 0600) or die "mkfifo: $!";
append_to_file("$root/sparse", '');
truncate("$root/sparse", 200 << 30) or die "truncate: $!";
$node->safe_psql('postgres', "SELECT link.create_link('files', 'FS', config => '{\"root\":\"$root\"}');
	CREATE TABLE numbers (n int);
	SELECT link.write_file('files', 'there', 'x'), link.write_file('good', 'limits/there', 'x'),
		link.write_file('fake', 'b/cut', convert_to(repeat('x', 300000), 'UTF8')),
		link.write_file('fake', 'b/slow', convert_to(repeat('x', 3000000), 'UTF8')),
		link.write_file('fake', 'b/stall', convert_to(repeat('x', 300000), 'UTF8'));
	SELECT link.write_file('fake', 'b/slow_' || n, '') FROM generate_series(1, 200) n");
my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];

# Queries of two parts; the one that fails does so when a part is on its way.
my $parts = 'SELECT repeat(md5(n::text), 30) FROM generate_series(1, 12000) n';
my $failing = $parts =~ s{SELECT}{SELECT 1 / (12000 - n),}r;

sub dir_entries
{
	my ($dir) = @_;
	opendir(my $d, $dir) or die "$dir: $!";
	return sort(grep { !/^\.\.?$/ } readdir($d));
}

#
# A thousand failures.
#

# [statement, SQLSTATE, how often, 'alone' if a function cannot catch it]
my @failures = (
	[ "SELECT link.select_into('SELECT 1', 'wrong', 'limits/x')", '08004', 60 ],
	[ "SELECT link.list_files('unknown', 'limits/')", '08004', 60 ],
	[ "SELECT link.write_file('good', 'no-such-bucket/x', 'x')", '58P01', 60 ],
	[ "SELECT link.read_file('good', 'limits/absent')", '58P01', 60 ],
	[ "SELECT link.select_into('SELECT 1', 'good', 'limits/there')", '58P02', 60 ],
	[ "SELECT link.select_into('SELECT 1 / (100 - n) FROM generate_series(1, 100) n', 'good', 'limits/x')", '22012', 60 ],
	[ "SELECT link.load_data('good', 'limits/there', 'numbers')", '22P02', 60 ],
	[ "SELECT link.write_file('fake', 'b/busy', 'x')", '58030', 60 ],
	[ "SELECT a FROM link.select_from('fake', 'b/cut') AS t(a text)", '58030', 50 ],
	[ "SELECT link.list_files('fake', 'b/inside')", '08P01', 50 ],
	[ "SELECT link.read_file('away', 'b/x')", '08001', 60 ],
	[ "SELECT link.read_file('forbidden', 'b/x')", '08001', 60 ],
	[ "SELECT link.read_file('files', 'absent')", '58P01', 60 ],
	[ "SELECT link.read_file('files', 'there/x')", '42809', 30 ],
	[ "SELECT link.read_file('files', 'fifo')", '42809', 30 ],
	[ "SELECT link.write_file('files', '../x', 'x')", '22023', 30 ],
	[ "SELECT link.select_into('SELECT 1 / (100 - n) FROM generate_series(1, 100) n', 'files', 'x')", '22012', 30 ],
	[ "SELECT link.load_data('files', 'rows', 'numbers')", '22P02', 20 ],
	[ "SELECT link.create_link('x', 'S3', '{\"aws_access_key_id\":', '{}')", '22023', 20 ],
	[ "SELECT link.create_link('x', 'S3', '{\"aws_access_key_id\":\"a\"}', '{\"region\":{\"deep\":[1,2,{}]}}')", '22023', 20 ],
	[ "SELECT link.create_link('x', 'FS', config => '{\"root\":\"/no/such/directory\"}')", '58P01', 20 ],
	[ "SELECT link.read_file('nowhere', 'x')", '42704', 10 ],
	[ "SELECT link.select_into(" . quote($failing) . ", 'good', 'limits/x')", '22012', 5 ],
	[ "SELECT link.select_into(" . quote($failing) . ", 'fake', 'b/x')", '22012', 5 ],
	[ "SET statement_timeout = '40ms'; SELECT link.write_file('fake', 'b/hang', 'x'); RESET statement_timeout", '57014', 15, 'alone' ],
	[ "SET statement_timeout = '600ms'; SELECT link.select_into(" . quote($parts) . ", 'fake', 'b/part'); RESET statement_timeout", '57014', 5, 'alone' ],
);

# As often as each says, and each kind spread over the whole.
sub spread
{
	my @all;
	for my $failure (@_)
	{
		push @all, map { [ ($_ + 0.5) / $failure->[2], $failure ] } 0 .. $failure->[2] - 1;
	}
	return map { $_->[1] } sort { $a->[0] <=> $b->[0] } @all;
}

# Open files and private memory (kB) of the backend, as it sees them itself.
my $measure = "SELECT 'is', (SELECT count(*) FROM pg_ls_dir('/proc/self/fd')), substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\\s+(\\d+)');\n";

sub compare
{
	my ($out, $what) = @_;
	my ($before, $after) = $out =~ /^is\|(\d+\|\d+)$/mg;
	die "not measured: $out" unless defined $after;
	my ($files, $memory) = split /\|/, $before;
	my ($files_after, $memory_after) = split /\|/, $after;
	cmp_ok($files_after, '<=', $files, "$what: no more open files");
	cmp_ok($memory_after - $memory, '<=', 2048, "$what: memory within 2 MiB (" . ($memory_after - $memory) . ' kB more)');
}

{
	my $start = time;
	my @statements = spread(@failures);
	my (%expected, %got);
	$expected{ $_->[1] }++ for @failures, @failures, @statements;
	is(scalar(@statements), 1000, 'a thousand statements');

	my $once = join('', map { "$_->[0];\n" } @failures);
	my ($out, $err);
	$node->psql('postgres', "\\set VERBOSITY sqlstate\nSET link.retry_timeout = 0;\n$once$once$measure"
		  . join('', map { "$_->[0];\n" } @statements) . $measure,
		stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 120, timed_out => \my $timed_out);
	$got{$1}++ while $err =~ /ERROR:  (\w+)/g;
	is_deeply(\%got, \%expected, 'all fail as they should');
	compare($out, 'after 1,000 failures');
	is(join(' ', bucket_keys('limits'), uploads_left('limits')), 'there', 'nothing of them is left on the server');
	is(join(' ', dir_entries($root)), 'fifo many rows sparse there', 'nor in the directory');
	note sprintf('%.1f s', time - $start);
}

# The same caught one by one in one transaction.
{
	my $start = time;
	my @statements = map { $_->[0] } spread(grep { !$_->[3] } @failures);
	push @statements, $failures[0][0] while @statements < 1000;
	my $run = sub {
		my ($n) = @_;
		return "DO \$do\$
			DECLARE
				failed int := 0; s text; x bytea;
			BEGIN
				FOREACH s IN ARRAY (SELECT a[:$n] FROM statements) LOOP
					BEGIN
						EXECUTE s;
					EXCEPTION WHEN OTHERS THEN failed := failed + 1;
					END;
				END LOOP;
				FOR i IN 1 .. $n / 50 LOOP
					BEGIN
						x := link.read_file('files', 'absent' || i);
					EXCEPTION WHEN undefined_file THEN failed := failed + 1;
					END;
					BEGIN
						PERFORM path FROM link.list_files('fake', 'b/inside');
					EXCEPTION WHEN protocol_violation THEN failed := failed + 1;
					END;
				END LOOP;
				RAISE NOTICE '% failed', failed;
			END \$do\$;\n";
	};
	my ($out, $err);
	$node->psql('postgres', "SET link.retry_timeout = 0;\nCREATE TEMP TABLE statements AS SELECT ARRAY["
		  . join(',', map { quote($_) } @statements) . "] AS a;\n"
		  . "BEGIN;\n" . $run->(200) . "COMMIT;\n$measure"
		  . "BEGIN;\n" . $run->(1000) . "SELECT 'inside', count(*) FROM pg_ls_dir('/proc/self/fd');\nCOMMIT;\n$measure",
		stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 120, timed_out => \my $timed_out);
	like($err, qr/NOTICE:  1040 failed/, 'a thousand failures caught in one transaction');
	compare($out, 'after these');
	my ($files) = $out =~ /^is\|(\d+)\|/m;
	my ($inside) = $out =~ /^inside\|(\d+)$/m;
	cmp_ok($inside, '<=', $files, 'and no more open files before it ends');
	note sprintf('%.1f s', time - $start);
}

#
# Cancel and terminate.
#

my $control = $node->background_psql('postgres');
$control->set_query_timer_restart();

# until_true(WHAT, CODE): within 20 s.
sub until_true
{
	my ($what, $code) = @_;
	for (1 .. 1000)
	{
		return 1 if $code->();
		sleep 0.02;
	}
	return fail("$what does not get there");
}

# A condition: so many more requests of the fake's log match.
sub requested
{
	my ($pattern, $times) = @_;
	my $count = sub { my $n = () = fake_log($fake_log) =~ /$pattern/g; return $n };
	my $before = $count->();
	return sub { return $count->() >= $before + $times };
}

# interrupt(WHAT, SQL, CODE): when what CODE gives for the backend's pid, a
# condition, holds. A second at most, with some allowance for a busy machine.
sub interrupt
{
	my ($what, $sql, $condition, %arg) = @_;
	for my $how (qw(cancel terminate))
	{
		my $psql = $node->background_psql('postgres', on_error_stop => 0);
		my $pid = $psql->query('SELECT pg_backend_pid()');
		my $reached = $condition->($pid);
		$psql->query_until(qr/begun/, "\\echo begun\n$sql;\n\\echo over\n");
		until_true($what, $reached);
		sleep 0.2;
		is($control->query("SELECT state FROM pg_stat_activity WHERE pid = $pid"), 'active', "$what: under way");

		my $start = time;
		if ($how eq 'cancel')
		{
			$control->query("SELECT pg_cancel_backend($pid)");
			$psql->query_until(qr/over/, '');
			my $took = time - $start;
			cmp_ok($took, '<', 1.5, sprintf('%s: cancelled in %.2f s', $what, $took));
			like($psql->{stderr}, qr/canceling statement due to user request/, "$what: which it says");
			$psql->{stderr} = '';
			is($psql->query("SELECT encode(link.read_file('files', 'there'), 'escape')"), 'x', "$what: the session goes on");
			$psql->quit;
		}
		else
		{
			is($control->query("SELECT pg_terminate_backend($pid, 10000)"), 't', "$what: terminated");
			my $took = time - $start;
			cmp_ok($took, '<', 1.5, sprintf('%s: terminated in %.2f s', $what, $took));
			eval { $psql->quit };
		}
		$arg{after}->() if $arg{after};
	}
}

my $waiting = sub {
	my ($pid) = @_;
	return sub { $control->query("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $pid") eq 'Extension' };
};
my $soon = sub { my $start = time; return sub { time - $start > 0.3 } };
sub after_request { my @arg = @_; return sub { return requested(@arg) } }

interrupt('connecting', "SELECT link.read_file('full', 'b/x')", $waiting);
interrupt('TLS handshake', "SELECT link.read_file('silent_tls', 'b/x')", $waiting);
interrupt('first byte', "SELECT link.read_file('silent', 'b/x')", $waiting);
interrupt('sending a body', "SELECT link.write_file('fake', 'b/hang', convert_to(repeat('x', 7000000), 'UTF8'))", after_request(qr{^PUT /b/hang}m, 1));
interrupt('sending parts', "SELECT link.select_into(" . quote($parts) . ", 'fake', 'b/part')", after_request(qr{^PUT /b/part.partNumber=2}m, 1));
interrupt('mid-body', "SELECT link.read_file('fake', 'b/slow')", after_request(qr{^GET /b/slow}m, 1));
interrupt('loading mid-body', "SELECT link.load_data('fake', 'b/slow', 'numbers')", after_request(qr{^GET /b/slow}m, 1));
interrupt('back-off', "SELECT link.read_file('fake', 'b/later')", after_request(qr{^GET /b/later}m, 1));
interrupt('completion', "SELECT link.select_into(" . quote($parts) . ", 'fake', 'b/complete')", after_request(qr{^POST /b/complete.uploadId}m, 1));
interrupt('listing, no answer', "SELECT link.list_files('fake', 'b/hang')", after_request(qr{^GET /b\S*prefix=hang}m, 1));
interrupt('listing, mid-body', "SELECT link.list_files('fake', 'b/slow')", after_request(qr{^GET /b\S*prefix=slow}m, 1));
interrupt('listing a directory', "SELECT link.list_files('files', 'many/" . '*a' x 500 . "')", $soon);
interrupt('reading a large file', "SELECT count(*) FROM link.select_from('files', 'sparse', skip => 1000000) AS t(a text)", $soon);
interrupt('writing a large file', "SELECT link.select_into('SELECT repeat(md5(n::text), 30) FROM generate_series(1, 1000000000) n', 'files', 'large')", $soon,
	after => sub { ok(!-e "$root/large", 'writing a large file: nothing is to be seen of it') });

# Pipes are refused, not waited for.
{
	my $start = time;
	my $err = '';
	$node->psql('postgres', "SET statement_timeout = '5s';\n\\set VERBOSITY verbose\nSELECT link.read_file('files', 'fifo');\n"
		  . "SELECT * FROM link.select_from('files', 'fifo') AS t(a text);\nSELECT link.load_data('files', 'fifo', 'numbers');\n"
		  . "SELECT link.write_file('files', 'fifo', 'x', overwrite => true);\nSELECT link.remove_file('files', 'fifo');\n",
		stderr => \$err, on_error_stop => 0, timeout => 20, timed_out => \my $timed_out);
	is(scalar(() = $err =~ /ERROR:  42809:/g), 5, 'a pipe in the directory is refused');
	cmp_ok(time - $start, '<', 1.5, 'at once');
	is($node->safe_psql('postgres', "SELECT count(*) FROM link.list_files('files', 'f')"), '0', 'and not listed');
}

# The key command: one that is slow and has children, one that has answered and does not end.
my $sleep = 'sleep 987' . $$;
sub sleepers { my $n = () = `ps -eo args` =~ /^\Q$sleep\E$/mg; return $n }

for my $command ([ 'key command', "$sleep & $sleep" ],
	[ 'key command that has answered', 'cat ' . $node->basedir . "/link_master.key; exec >&-; $sleep; true" ])
{
	my ($what, $text) = @$command;
	$node->append_conf('postgresql.conf', "link.master_key_command = '$text'\nlink.master_key_timeout = '60s'\n");
	$node->reload;
	until_true('reload', sub { $node->safe_psql('postgres', "SHOW link.master_key_command") eq $text });
	interrupt($what, "SELECT link.read_file('good', 'limits/there')", sub { return \&sleepers },
		after => sub { until_true("$what: its end", sub { !sleepers() }); is(sleepers(), 0, "$what: it ends with the statement, and its children") });
}
$node->append_conf('postgresql.conf', "link.master_key_command = ''\n");
$node->reload;
until_true('reload', sub { $node->safe_psql('postgres', "SHOW link.master_key_command") eq '' });

# A request that gets nowhere is given up after link.request_timeout.
for my $case ([ 'first byte', "SELECT link.read_file('silent', 'b/x')" ],
	[ 'mid-body', "SELECT link.read_file('fake', 'b/stall')" ],
	[ 'sending a body', "SELECT link.write_file('fake', 'b/hang', convert_to(repeat('x', 7000000), 'UTF8'))" ])
{
	my ($what, $sql) = @$case;
	my $start = time;
	my $err = '';
	$node->psql('postgres', "SET link.retry_timeout = 0;\nSET link.request_timeout = '1500ms';\n\\set VERBOSITY verbose\n$sql;\n",
		stderr => \$err, on_error_stop => 0);
	my $took = time - $start;
	like($err, qr/ERROR:  58030:/, "$what: no progress is an error");
	ok($took > 1.5 && $took < 20, sprintf('%s: after the time set, 1.5 s (%.2f s), not after the default', $what, $took));
}
is($node->safe_psql('postgres', "SET link.retry_timeout = 0;\nSET link.request_timeout = '1500ms';\nSELECT count(*) FROM link.list_files('fake', 'b/slow')"),
	'201', 'an answer that is slow is none, though it takes longer');

#
# Two writers to one new name.
#

# race(LINK, PATH, QUERIES OF TWO): both have looked that there is no such
# object, and produce their rows together. Gives who won, and the others' errors.
sub race
{
	my ($link, $path, @queries) = @_;
	my @writers = map { $node->background_psql('postgres', on_error_stop => 0) } 0 .. 1;
	my $pids = join(',', map { $_->query("\\set VERBOSITY sqlstate\nSELECT pg_backend_pid()") } @writers);

	$control->query('SELECT pg_advisory_lock(1)');
	for my $n (0, 1)
	{
		my $query = quote("WITH w AS MATERIALIZED (SELECT pg_advisory_lock_shared(1)) SELECT q.* FROM w, ($queries[$n]) q");
		$writers[$n]->query_until(qr/begun/, "\\echo begun\nSELECT 'won', rows FROM link.select_into($query, '$link', '$path');\n\\echo over\n");
	}
	until_true("$path: two writers", sub { $control->query("SELECT count(*) FROM pg_stat_activity WHERE pid IN ($pids) AND wait_event = 'advisory'") eq '2' });
	$control->query('SELECT pg_advisory_unlock(1)');
	my @out = map { $_->query_until(qr/over/, '') } @writers;
	my @winners = grep { $out[$_] =~ /^won\|/m } 0, 1;
	my @errors = map { $writers[$_]{stderr} =~ /ERROR:  (\w+)/ ? $1 : () } 0, 1;
	for (@writers) { $_->{stderr} = ''; $_->quit; }
	return (\@winners, \@errors);
}

# Rounds of it. The first letter of each row tells whose it is.
sub one_wins
{
	my ($what, $rounds, $link, $path, @queries) = @_;
	my ($good, $whole) = (0, 0);
	for my $round (1 .. $rounds)
	{
		my ($winners, $errors) = race($link, "$path$round", @queries);
		if (@$winners == 1 && "@$errors" eq '58P02') { $good++; }
		else { diag("$what: winners (@$winners), errors (@$errors)"); }
		my $whose = $node->safe_psql('postgres', "SELECT string_agg(DISTINCT left(a, 1), '') FROM link.select_from('$link', '$path$round') AS t(a text)");
		$whole++ if $whose eq '=' || (@$winners && $whose eq (qw(A B))[ $winners->[0] ]);
	}
	is($good, $rounds, "$what: one of two writers wins, the other gets 58P02");
	is($whole, $rounds, "$what: the object is the winner's, whole");
}

my @small = map { "SELECT '$_' FROM generate_series(1, 100)" } qw(A B);
my @same = map { "SELECT '='" } 1, 2;
my @large = map { "SELECT '$_' || n || repeat('x', 900) FROM generate_series(1, 12000) n" } qw(A B);
my @unfinished = grep { /^\./ } dir_entries($root);
one_wins('directory', 5, 'files', 'race', @small);
one_wins('directory, the same rows', 3, 'files', 'race_same', @same);
is(join(' ', grep { /^\./ } dir_entries($root)), join(' ', @unfinished), 'directory: the other leaves nothing');

# The fake is late in carrying out, so both have asked before either is there.
one_wins('conditional PUT', 2, 'fake', 'b/race_put', @small);
one_wins('conditional PUT, the same rows', 2, 'fake', 'b/race_put_same', @same);
{
	my $aborted = requested(qr{^DELETE /b/race_parts\S*uploadId}m, 2);
	one_wins('conditional completion', 2, 'fake', 'b/race_parts', @large);
	ok($aborted->(), 'conditional completion: the other upload is aborted');
}

# radosgw 16 takes the condition at a PUT, not at a completion: small objects only.
one_wins('S3 server', 10, 'good', 'limits/race', @small);
one_wins('S3 server, the same rows', 3, 'good', 'limits/race_same', @same);

is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server is there');
is((split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0], $postmaster, 'and was never away');
unlike(slurp_file($node->logfile), qr/PANIC|server process .* was terminated by signal|TRAP/, 'its log tells of no crash');

$control->quit;
done_testing();
