# Kafka: messages with keys, transactions, positions, logins, refused keys.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

need_service('kafka');

my $node = new_node('kafka', conf => "link.allowed_hosts = 'http://127.0.0.1 localhost'\n");
my $plain = $ENV{LINK_KAFKA_PLAINTEXT};
my ($user, $password) = @ENV{qw(LINK_KAFKA_USER LINK_KAFKA_PASSWORD)};

# The independent client.
sub kcat
{
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'kcat', '-b', $plain, '-q', @_ ], '>', \$out, '2>', \$err) or die "kcat @_: $err";
	return $out;
}

# What a reader with read_committed sees of a topic, sorted.
sub committed
{
	my ($topic, $format) = @_;
	return join '', sort { $a cmp $b } map { "$_\n" } split /\n/,
	  kcat('-C', '-e', '-X', 'isolation.level=read_committed', '-t', $topic, '-o', 'beginning', '-f', $format // '%s\n');
}

sub topic
{
	my (@arguments) = @_;
	my $out = '';
	IPC::Run::run([ 'bash', '-c', '. test/lib.sh; . test/services/kafka.sh; kafka_topic "$@"', 'topic', @arguments ], '>', \$out, '2>&1')
	  or die "topic @arguments: $out";
}

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

topic('one');
topic('many', 4);
make_link($node, 'k', 'KAFKA', {}, { 'bootstrap.servers' => $plain, 'operation.timeout.ms' => 5000 });
my $three = "SELECT 'k' || n AS key, 'v' || n AS value FROM generate_series(1, 3) n";

is(sql("SELECT rows FROM link.select_into(\$\$$three\$\$, 'k', 'one', key => 'key')"), '3', 'rows of an export');
like(committed('one', '%k=%s\n'), qr/^k1=.*v1\nk2=.*v2\nk3=.*v3\n$/, 'keys and values');

# an export that fails in its last row is seen by nobody, and the next one works at once
is(sqlstate_of($node, "SELECT link.select_into('SELECT n, 1 / (20000 - n) FROM generate_series(1, 20000) n', 'k', 'one')"),
	'22012', 'a query that fails in its last row');
is(() = committed('one') =~ /\n/g, 3, '... leaves nothing to readers with read_committed');
is(sql("SELECT rows FROM link.select_into('SELECT 9', 'k', 'one')"), '1', '... and the next export works');
is(() = committed('one') =~ /\n/g, 4, '... and is seen');

# aborted and control records do not keep a reader from the end
sql('CREATE TABLE t (v text)');
is(sql("SELECT rows FROM link.load_data('k', 'one', 't', delimiter => '|')"), '4', 'load_data passes over what was aborted');
is(sql("SELECT rows FROM link.load_data('k', 'one/0', 't', delimiter => '|')"), '4', 'one partition');
is(sql("SELECT rows FROM link.load_data('k', 'one/0/0-2', 't', delimiter => '|')"), '2', 'from-to');

sql("SELECT link.select_into('SELECT n FROM generate_series(1, 5000) n', 'k', 'many')");
sql('CREATE TABLE m (n int)');
sql("SELECT link.load_data('k', 'many', 'm')");
is(sql('SELECT count(*), count(DISTINCT n), sum(n) FROM m'), '5000|5000|12502500', 'several partitions');

# a message is a row in the format, where a row can stand by itself
topic('json');
my $objects = q{SELECT n, E'a\n"b' AS t, ARRAY[n] AS a, NULL::int AS nothing FROM generate_series(1, 2) n};
is(sql("SELECT rows FROM link.select_into(\$\$$objects\$\$, 'k', 'json', format => 'json')"), '2', 'JSON, written');
is(committed('json'), join('', map { qq({"n":$_,"t":"a\\n\\"b","a":[$_],"nothing":null}\n) } 1, 2), '... an object a message');
is(sql("SELECT sum(n), count(*) FILTER (WHERE t = E'a\n\"b' AND a = ARRAY[n]) FROM link.select_from('k', 'json', format => 'json') AS t(n int, t text, a int[])"), '3|2', '... and read');
is(sqlstate_of($node, "SELECT link.select_into('SELECT 1', 'k', 'json', format => 'binary')"), '0A000', 'BINARY has a frame: refused');
is(sqlstate_of($node, "SELECT * FROM link.select_from('k', 'json', format => 'binary') AS t(n int)"), '0A000', '... reading too');

is(sqlstate_of($node, "SELECT link.load_data('k', 'none', 't')"), '58P01', 'an unknown topic, read');
is(sqlstate_of($node, "SELECT link.load_data('k', '$plain/one', 't', delimiter => '|')"), '00000', 'brokers in the path');
is(sqlstate_of($node, "SELECT link.load_data('k', '127.0.0.1:1/one', 't')"), '42501', '... others are refused');

# logins
foreach my $mechanism (qw(PLAIN SCRAM-SHA-256 SCRAM-SHA-512))
{
	my $name = lc $mechanism =~ tr/-/_/r;
	my %config = ('bootstrap.servers' => $ENV{LINK_KAFKA_SASL_SSL}, 'security.protocol' => 'sasl_ssl', 'sasl.mechanism' => $mechanism,
		'ssl.ca.pem' => slurp_file($ENV{LINK_KAFKA_CA}), 'operation.timeout.ms' => 10000);
	make_link($node, $name, 'KAFKA', { 'sasl.username' => $user, 'sasl.password' => $password }, \%config);
	make_link($node, "${name}_wrong", 'KAFKA', { 'sasl.username' => $user, 'sasl.password' => 'wrong-secret' }, \%config);
	make_link($node, "${name}_denied", 'KAFKA', { 'sasl.username' => $ENV{LINK_KAFKA_DENIED_USER}, 'sasl.password' => $ENV{LINK_KAFKA_DENIED_PASSWORD} }, \%config);
	is(sql("SELECT rows FROM link.select_into('SELECT 1', '$name', 'one')"), '1', "$mechanism: in");
	is(sqlstate_of($node, "SELECT link.select_into('SELECT 1', '${name}_wrong', 'one')"), '08004', "$mechanism: a wrong password");
	is(sqlstate_of($node, "SELECT link.select_into('SELECT 1', '${name}_denied', 'one')"), '42501', "$mechanism: a user without rights");
}
make_link($node, 'tls', 'KAFKA', { 'ssl.key.pem' => slurp_file($ENV{LINK_KAFKA_CLIENT_KEY}), 'ssl.certificate.pem' => slurp_file($ENV{LINK_KAFKA_CLIENT_CERT}) },
	{ 'bootstrap.servers' => $ENV{LINK_KAFKA_SSL}, 'security.protocol' => 'ssl', 'ssl.ca.pem' => slurp_file($ENV{LINK_KAFKA_CA}) });
is(sql("SELECT rows FROM link.select_into('SELECT 1', 'tls', 'one')"), '1', 'a certificate of the client');

# a broker that is away
make_link($node, 'away', 'KAFKA', {}, { 'bootstrap.servers' => '127.0.0.1:1', 'operation.timeout.ms' => 2000 });
my $start = time;
is(sqlstate_of($node, "SELECT link.select_into('SELECT 1', 'away', 'one')"), '08001', 'no broker');
cmp_ok(time - $start, '<=', 5, '... within operation.timeout.ms');

# properties that load code, run commands or turn verification off
foreach my $key (qw(plugin.library.paths ssl.engine.location sasl.kerberos.kinit.cmd enable.ssl.certificate.verification
	ssl.endpoint.identification.algorithm ssl.providers debug sasl.oauthbearer.config))
{
	isnt(sqlstate_of($node, qq(SELECT link.create_link('bad', 'KAFKA', '{}', '{"bootstrap.servers":"$plain","$key":"x"}'))), '00000', "$key is refused");
}

# backends that end in mid-export take nobody with them
my $n = $ENV{LINK_TEST_LONG} ? 200 : 30;
foreach (1 .. $n)
{
	my ($out, $timer) = ('', IPC::Run::timer(60));
	my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
			"SELECT link.select_into('SELECT n FROM generate_series(1, 100000000) n', 'k', 'many') /* victim */" ], '>', \$out, '2>&1', $timer);
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%victim%' AND pid <> pg_backend_pid()");
	sql("SELECT pg_sleep(random() * 0.1); SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE '%victim%' AND pid <> pg_backend_pid()");
	$h->finish;
}
is(sql("SELECT rows FROM link.select_into('SELECT 0', 'k', 'many')"), '1', "after $n terminated exports the next works");
is(() = committed('many') =~ /\n/g, 5001, '... and none of theirs is seen');
my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal/, 'no backend crashed');
unlike($log, qr/\Q$password\E|wrong-secret|PRIVATE KEY/, 'no secret in the log') or diag('a secret is in the log');

$node->stop;
done_testing();
