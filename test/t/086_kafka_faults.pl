# Kafka: what a topic gives and takes, and faults: backends that die in mid-export, a broker
# that dies, restarts, is frozen (SIGSTOP: connections are taken, nobody answers), one that is
# none, and one that leads elsewhere. Each ends within the link's time-out, and a cancel or
# a terminate within a second.

use strict;
use warnings;
use IPC::Run ();
use LinkKafka;
use LinkNetwork qw(allow_hosts arrived start_hostile_kafka start_kafka_recorder);
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_service('kafka');

my $node = new_node('kafka_faults', conf => "link.allowed_hosts = 'http://127.0.0.1 localhost'\nrestart_after_crash = on\n");
my $plain = $ENV{LINK_KAFKA_PLAINTEXT};
my ($user, $password) = @ENV{qw(LINK_KAFKA_USER LINK_KAFKA_PASSWORD)};
my $soon = 1000;    # ms

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub says { my ($out, $err); $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]", stdout => \$out, stderr => \$err); return $out . $err }
sub wait_for { my ($what, $condition) = @_; for (1 .. 600) { return 1 if $condition->(); sleep 0.05 } die "timed out waiting for $what" }
sub timed { my ($do) = @_; my $start = time; my $result = $do->(); return ($result, time - $start) }
sub lines { my ($text) = @_; return scalar(() = $text =~ /\n/g) }
sub marked { my ($mark, $topic) = @_; return lines(join '', grep { /^$mark\b/ } split /^/, committed($topic)) }

# Offset behind the last message of a partition, whoever may read it.
sub end_of
{
	my ($topic, $partition) = @_;
	kcat('-Q', '-X', 'isolation.level=read_uncommitted', '-t', "$topic:" . ($partition // 0) . ':-1') =~ /offset (\d+)/ or die "no end of $topic";
	return $1;
}

sub produce
{
	my ($text, @arguments) = @_;
	my $err = '';
	IPC::Run::run([ 'kcat', '-P', '-b', $plain, @arguments ], '<', \$text, '2>', \$err) or die "kcat -P: $err";
}

# begin_sql(SQL): a statement that runs; end_sql() waits for its end and gives what it says.
my $begun = 0;
sub begin_sql
{
	my ($sql) = @_;
	my $name = 'victim' . ++$begun;
	my ($out, $pid) = ('');
	my $psql = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') . " application_name=$name", '-c', $sql ],
		'</dev/null', '>', \$out, '2>&1', IPC::Run::timeout(60));
	wait_for($sql, sub { $pid = sql("SELECT pid FROM pg_stat_activity WHERE application_name = '$name' AND state = 'active'") });
	return { psql => $psql, out => \$out, pid => $pid };
}
sub end_sql { my ($statement) = @_; $statement->{psql}->finish; return ${ $statement->{out} } }

# interrupted(HOW, STATEMENT): the seconds that it takes a statement to end then.
sub interrupted
{
	my ($how, $statement) = @_;
	return (timed(sub {
		sql("SELECT pg_${how}_backend($statement->{pid})");
		wait_for("the end after a $how", sub { sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $statement->{pid} AND state = 'active'") eq '0' });
	}))[1];
}

# slowly(MARK, ROWS, SECONDS): a query whose rows come one after the other.
sub slowly { my ($mark, $rows, $seconds) = @_; return "SELECT '$mark ' || n FROM generate_series(1, $rows) n, LATERAL pg_sleep($seconds + 0 * n)" }
sub export { my ($query, $link, $topic, $more) = @_; return "SELECT rows FROM link.select_into(\$\$$query\$\$, '$link', '$topic'" . ($more // '') . ')' }
sub count_of { my ($link, $path) = @_; return "SELECT count(*) FROM link.select_from('$link', '$path', delimiter => E'\\x01') AS t(v text)" }

topic('t');
topic('two', 2);
topic('empty', 3);
topic('big');
topic('long');
topic('small', 1, 'max.message.bytes' => 2000);
my %at = ('bootstrap.servers' => $plain);
make_link($node, 'k', 'KAFKA', {}, { %at, 'operation.timeout.ms' => 30000 });
make_link($node, 'loose', 'KAFKA', {}, { %at, transactional => \0 });
make_link($node, 'soon', 'KAFKA', {}, { %at, 'operation.timeout.ms' => $soon });
# ten messages a request
produce(join('', map { "long $_\n" } 1 .. 100000), '-t', 'long', '-X', 'batch.num.messages=10', '-X', 'linger.ms=1000');
make_link($node, 'slow', 'KAFKA', {}, { %at, 'fetch.message.max.bytes' => 100, 'operation.timeout.ms' => 30000 });
make_link($node, 'slow_soon', 'KAFKA', {}, { %at, 'fetch.message.max.bytes' => 100, 'operation.timeout.ms' => $soon });

# What a topic takes and gives.
is(sql(export(q{SELECT * FROM (VALUES ('a', 1, NULL), (NULL, 2, 'x'), ('', 3, '')) v(key, n, v)}, 'k', 'two', ", key => 'key'")), '3', 'keys');
is(committed('two', '%K|%k|%s\n'), "-1||\\N\t2\tx\n0||\t3\t\n1|a|a\t1\t\\N\n", '... none for NULL, an empty one, and NULL among the values');
is(sqlstate_of($node, export('SELECT 1 AS a', 'k', 'two', ", key => 'b'")), '42703', '... of a column that there is');
is(sql(q{SELECT string_agg(t::text, ' ' ORDER BY n) FROM link.select_from('k', 'two') AS t(key text, n int, v text)}), '(a,1,) (,2,x) ("",3,"")', '... and back');

topic('forms', 2);
produce("a0\nb0\nc0\nd0\n", '-t', 'forms', '-p', 0);
produce("a1\nb1\n", '-t', 'forms', '-p', 1);
my $read = sub { my ($path) = @_; sql("SELECT string_agg(v, ' ' ORDER BY v) FROM link.select_from('k', '$path') AS t(v text)") };
is($read->('forms'), 'a0 a1 b0 b1 c0 d0', 'select_from: a topic');
is($read->('forms/1'), 'a1 b1', '... a partition');
is($read->('forms/0/1-3'), 'b0 c0', '... a range of it');
is($read->("$plain/forms/0/0-1"), 'a0', '... with the brokers');
is($read->('forms/0/3-100'), 'd0', '... what is there of a range');
is($read->('forms/0/4-9'), '', '... nothing');
is(sqlstate_of($node, count_of('k', "forms/$_->[0]")), $_->[1], "... no $_->[0]")
  foreach [ '2', '58P01' ], [ 'x', '22023' ], [ '-1', '22023' ], [ '0/3-1', '22023' ], [ '0/1', '22023' ], [ '0/1-2/3', '22023' ], [ '0/1-', '22023' ],
  [ '99999999999999999999', '22023' ];
is(sqlstate_of($node, export('SELECT 1', 'k', 'forms/0')), '22023', 'a partition is nothing to write to');
is(sql("SELECT string_agg(path, ' ') FROM link.list_files('k', '') WHERE path IN ('t', 'two', 'forms') OR path LIKE '\\_%'"), 'forms t two', 'LIST LINK: topics, without those of Kafka');
is(sql("SELECT string_agg(path, ' ') FROM link.list_files('k', 't*')"), 't two', '... that match');
is(sql("SELECT string_agg(step || ' ' || ok, ', ') FROM link.check_link('k')"), 'resolve true, connect true, authenticate true', 'CHECK LINK');
is(sql("SELECT string_agg(step || ' ' || ok, ', ') FROM link.check_link('k', 'small')"),
	'resolve true, connect true, authenticate true, list true, write true, read true', '... with a topic');
is(end_of('small'), 0, '... which gets nothing');
is(sql("SELECT string_agg(step || ' ' || ok || ' ' || left(detail, 5), ', ') FROM link.check_link('k', 'none') WHERE step = 'write'"), 'write false 58P01', '... that is not there');

is(sql(count_of('k', 'empty')), '0', 'an empty topic');
is(sql(export('SELECT 1 WHERE false', 'k', 'empty')), '0', 'an export without rows');
is(committed('empty'), '', '... sends none');
is(sqlstate_of($node, export("SELECT repeat('x', 3000)", 'k', 'small')), '54000', 'a message larger than the topic takes');
is(sqlstate_of($node, export("SELECT repeat('x', 2000000)", 'k', 'small')), '54000', '... than message.max.bytes');
is(sql(export("SELECT repeat('x', 1000)", 'k', 'small')), '1', '... and one that is not');
is(committed('small'), 'x' x 1000 . "\n", '... which is all that is seen');

# Without a transaction, what was sent stays.
is(sqlstate_of($node, export("SELECT 'loose ' || CASE WHEN n < 11 THEN n WHEN n = 11 THEN n + length(pg_sleep(1)::text) ELSE n / length(pg_sleep(1)::text) END FROM generate_series(1, 12) n", 'loose', 't')), '22012', 'transactional: false, a failure');
is(marked('loose', 't'), 11, '... after which all is seen that was sent before');

# Two at a time, and a topic that grows meanwhile.
{
	my $first = begin_sql(export(slowly('first', 1000, 0.001), 'k', 't'));
	wait_for('the first export', sub { end_of('t') > 10 });
	my $second = begin_sql(export(slowly('second', 500, 0.001), 'k', 't'));
	wait_for('both', sub { sql("SELECT count(DISTINCT objid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 32766 AND granted") eq '2' });
	is(end_sql($second), "500\n", 'two exports at a time');
	is(end_sql($first), "1000\n", '... the other one');
	is(marked('first', 't') . ' ' . marked('second', 't'), '1000 500', '... both are seen');

	my $growth = begin_sql(export(slowly('growth', 1000000, 0.0005), 'loose', 'two'));
	wait_for('growth', sub { end_of('two', 0) > 100 && end_of('two', 1) > 100 });
	my $before = end_of('two', 0) + end_of('two', 1);
	my ($count, $took) = timed(sub { sql(count_of('k', 'two')) });
	my $after = end_of('two', 0) + end_of('two', 1);
	cmp_ok($count, '>=', $before - 10, 'a topic that grows is read');
	cmp_ok($count, '<', $after, '... to where it ended');
	cmp_ok($took, '<', 10, '... and no further');
	interrupted('cancel', $growth);
	like(end_sql($growth), qr/ERROR:  57014:/, '... it grew until now');
}

is(says("DO \$\$ BEGIN FOR i IN 1 .. 70 LOOP PERFORM link.select_into('SELECT 1', 'k', 'empty'); END LOOP; END \$\$"), '', 'many exports in one transaction');

# A backend that dies takes the server down with it, and its messages.
{
	my $statement = begin_sql(export(slowly('killed', 1000000, 0.0005), 'k', 't'));
	my $end = end_of('t');
	wait_for('messages', sub { end_of('t') > $end + 100 });
	kill 'KILL', $statement->{pid};
	end_sql($statement);
	wait_for('the server', sub { eval { sql('SELECT 1') } });
	is(marked('killed', 't'), 0, 'kill -9 in mid-export: nothing is seen');
	my ($rows, $took) = timed(sub { sql(export("SELECT 'next ' || n FROM generate_series(1, 3) n", 'k', 't')) });
	is($rows, '3', '... the next export works');
	cmp_ok($took, '<', 5, '... at once');
	is(marked('next', 't') . ' ' . marked('killed', 't'), '3 0', '... and is seen: it has ended the dead one');
}

# Interrupts, with a broker that works ...
foreach my $how ('cancel', 'terminate')
{
	my $end = end_of('big');
	my $statement = begin_sql(export("SELECT 'big ' || generate_series(1, 100000000)", 'k', 'big'));
	wait_for('messages', sub { end_of('big') > $end + 1000 });
	cmp_ok(interrupted($how, $statement), '<', 3, "a $how in mid-export");
	end_sql($statement);

	$statement = begin_sql(count_of('slow', 'long'));
	sleep 0.5;
	cmp_ok(interrupted($how, $statement), '<', 3, "... in mid-read");
	like(end_sql($statement), $how eq 'cancel' ? qr/ERROR:  57014:/ : qr/57P01/, '... which had not ended');
}
is(sql(export("SELECT 'small'", 'k', 'big')), '1', 'the next export works');
is(committed('big'), "small\n", '... and is all that is seen');

# ... and with one that is frozen.
{
	my %running = map { $_ => [ begin_sql(export(slowly('frozen', 1000000, 0.0005), 'k', 't')) ] } 'cancel', 'terminate';
	my @soon = map { begin_sql($_) } export(slowly('frozen', 1000000, 0.0005), 'soon', 't'), export("SELECT 'big ' || generate_series(1, 100000000)", 'soon', 'big');
	my $end = end_of('t');
	wait_for('messages', sub { end_of('t') > $end + 100 });
	# reads last some seconds: they begin now, or would be over on a slow machine
	push @{ $running{$_} }, begin_sql(count_of('slow', 'long')) foreach 'cancel', 'terminate';
	push @soon, begin_sql(count_of('slow_soon', 'long'));
	sleep 0.5;
	broker('freeze');
	sleep 1;
	foreach my $how ('cancel', 'terminate')
	{
		my ($exporting, $reading) = @{ $running{$how} };
		cmp_ok(interrupted($how, $exporting), '<', 3, "a frozen broker: a $how in mid-export");
		cmp_ok(interrupted($how, $reading), '<', 3, '... in mid-read');
		like(end_sql($_), $how eq 'cancel' ? qr/ERROR:  57014:/ : qr/57P01/, '... which had not ended') foreach $exporting, $reading;
		foreach my $sql (export('SELECT 1', 'k', 't'), count_of('k', 't'), "SELECT * FROM link.list_files('k', '')", "SELECT * FROM link.check_link('k')")
		{
			my $statement = begin_sql($sql);
			sleep 0.3;
			cmp_ok(interrupted($how, $statement), '<', 3, "... at the beginning of $sql");
			end_sql($statement);
		}
	}
	foreach my $sql (export('SELECT 1', 'slow_soon', 't'), count_of('soon', 't'), "SELECT * FROM link.list_files('soon', '')")
	{
		my ($said, $took) = timed(sub { says($sql) });
		like($said, qr/ERROR:  08001:/, "a frozen broker ends $sql");
		cmp_ok($took, '<', $soon / 1000 + 2, '... by operation.timeout.ms');
	}
	like(sql("SELECT detail FROM link.check_link('soon') WHERE NOT ok"), qr/^08001:/, '... CHECK LINK says so');
	like(end_sql($_), qr/ERROR:  08001:/, '... and what was going on') foreach @soon;
	broker('thaw');
	# what could not be told the broker is told now: of 'k' by its next writer
	is(sql(export("SELECT 'thawed'", 'k', 't')), '1', 'a broker that thaws: the next export works');
	is(sql("SELECT string_agg(outcome, ' ') FROM link.abort_uploads('k')"), '', '... and ends what the others left open');
	is(sql("SELECT string_agg(path || ' ' || outcome, ', ' ORDER BY path) FROM link.abort_uploads()"), 'big aborted, t aborted', '... abort_uploads() what other links left');
	is(marked('thawed', 't') . ' ' . marked('frozen', 't') . ' ' . committed('big'), "1 0 small\n", '... then it is seen, and nothing of theirs');
}

# A broker that goes and comes back: statements go on, or fail; then all is seen, or nothing.
{
	my $export = begin_sql(export(slowly('survivor', 1000, 0.002), 'k', 't'));
	my $reading = begin_sql(count_of('slow', 'long'));
	my $end = end_of('t');
	wait_for('messages', sub { end_of('t') > $end + 100 });
	broker('kill');
	broker('up');
	my ($said, $count) = (end_sql($export), end_sql($reading));
	like($said, qr/^1000\n|ERROR:  (?:08001|58030):/, 'a broker that dies and comes back, in mid-export');
	is(marked('survivor', 't'), $said =~ /ERROR/ ? 0 : 1000, '... what it said is what is seen');
	like($count, qr/^100000\n|ERROR:  08001:/, '... in mid-read');
	is(sql(export("SELECT 'after'", 'k', 't')), '1', '... the next export works');
	is(sql(count_of('k', 'long')), '100000', '... the next read');
}

# No broker at all, or one that means ill.
my $nonsense = qr/ERROR:  08P01:.*the answer is not one of Kafka's protocol/;
my %hostile = (
	http => qr/ERROR:  08P01:.*the server speaks HTTP/,
	huge => $nonsense,
	large => $nonsense,
	negative => $nonsense,
	counts => qr/ERROR:  08P01:/,
	# librdkafka guesses that a login was wanted where one "closes": none was refused
	map { $_ => qr/ERROR:  08001:/ } qw(closes random endless silent));
foreach my $how (sort keys %hostile)
{
	my $hostile = start_hostile_kafka($how);
	make_link($node, $how, 'KAFKA', {}, { 'bootstrap.servers' => $hostile->{at}, 'operation.timeout.ms' => 500 });
	my ($said, $took) = timed(sub { says(export('SELECT 1', $how, 't')) });
	like($said, $hostile{$how}, "a peer, $how");
	cmp_ok($took, '<', 2.5, '... bounded');
	like(says(count_of($how, 't')), $hostile{$how}, '... reading');
	like(slurp_file($hostile->{log}), qr/CONNECT/, '... it was there');
}

# Brokers name others, to be connected to; link.allowed_hosts holds for these too.
{
	my %link = (
		away => [ $ENV{LINK_KAFKA_AWAY}, $ENV{LINK_KAFKA_AWAY_TO}, {} ],
		sasl_away => [ $ENV{LINK_KAFKA_SASL_AWAY}, $ENV{LINK_KAFKA_SASL_AWAY_TO}, { 'security.protocol' => 'sasl_plaintext', 'sasl.mechanism' => 'PLAIN' } ]);
	foreach my $name (sort keys %link)
	{
		my ($at, $to, $config) = @{ $link{$name} };
		my $recorder = start_kafka_recorder($to =~ s/.*://r);
		make_link($node, $name, 'KAFKA', %$config ? { 'sasl.username' => $user, 'sasl.password' => $password } : {},
			{ 'bootstrap.servers' => $at, 'operation.timeout.ms' => $soon, %$config });
		allow_hosts($node, "http://$at");
		foreach my $sql (export('SELECT 1', $name, 't'), count_of($name, 't'))
		{
			my $said = says($sql);
			like($said, qr/ERROR:  08001:.*127\.0\.0\.1.*not allowed.*Add "http:\/\/\Q$to\E" to link.allowed_hosts/s, "a broker elsewhere, $name");
			unlike($said, qr/\Q$password\E/, '... no password in it');
		}
		is(arrived($recorder), '', '... nothing arrives there');

		# which it would, if it were allowed
		allow_hosts($node, "http://$at http://$to");
		says(export('SELECT 1', $name, 't'));
		like(arrived($recorder), %$config ? qr/CONNECT.*\x{00}\Q$user\E\x{00}\Q$password\E/s : qr/CONNECT.*rdkafka/s, '... unless it is allowed');
	}
}

is(sql("SELECT value FROM link.status() WHERE item LIKE '%orphan%'"), '0', 'nothing is on record at the end');
my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /terminated by signal/g), 1, 'no backend crashed but the one that was killed');
unlike($log, qr/\Q$password\E/, 'no password in the log') or diag('the password is in the log');

$node->stop;
done_testing();
