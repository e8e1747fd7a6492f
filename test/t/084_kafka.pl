# Kafka: messages with keys, transactions, positions, logins, refused keys.

use strict;
use warnings;
use JSON::PP ();
use LinkKafka;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

need_service('kafka');

my $node = new_node('kafka', conf => "link.allowed_hosts = 'http://127.0.0.1 localhost'\n");
my $plain = $ENV{LINK_KAFKA_PLAINTEXT};
my ($user, $password) = @ENV{qw(LINK_KAFKA_USER LINK_KAFKA_PASSWORD)};

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub says { my ($out, $err); $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]", stdout => \$out, stderr => \$err); return $out . $err }

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
	foreach my $sql ("SELECT link.select_into('SELECT 1', '${name}_wrong', 'one')", "SELECT link.load_data('${name}_wrong', 'one', 't')")
	{
		my $said = says($sql);
		like($said, qr/ERROR:  08004: [^\n]*authentication failed\nDETAIL: [^\n]*invalid (?:credentials with SASL mechanism \Q$mechanism\E|username or password)/i, "$mechanism: a wrong password");
		unlike($said, qr/wrong-secret/, '... which is not told');
	}
	is(sqlstate_of($node, "SELECT link.select_into('SELECT 1', '${name}_denied', 'one')"), '42501', "$mechanism: a user without rights");
}
# reading needs no right but that to the topic
topic('readable');
sql("SELECT link.select_into('SELECT 1', 'k', 'readable')");
may($ENV{LINK_KAFKA_DENIED_USER}, 'read', 'readable');
is(sql("SELECT v FROM link.select_from('scram_sha_256_denied', 'readable') AS t(v int)"), '1', 'a user who may read a topic and nothing else');
is(sqlstate_of($node, "SELECT link.select_into('SELECT 1', 'scram_sha_256_denied', 'readable')"), '42501', '... writes nothing');
is(sqlstate_of($node, "SELECT * FROM link.select_from('scram_sha_256_denied', 'one') AS t(v int)"), '42501', '... reads nothing else');

make_link($node, 'tls', 'KAFKA', { 'ssl.key.pem' => slurp_file($ENV{LINK_KAFKA_CLIENT_KEY}), 'ssl.certificate.pem' => slurp_file($ENV{LINK_KAFKA_CLIENT_CERT}) },
	{ 'bootstrap.servers' => $ENV{LINK_KAFKA_SSL}, 'security.protocol' => 'ssl', 'ssl.ca.pem' => slurp_file($ENV{LINK_KAFKA_CA}) });
is(sql("SELECT rows FROM link.select_into('SELECT 1', 'tls', 'one')"), '1', 'a certificate of the client');

# a broker that is away
make_link($node, 'away', 'KAFKA', {}, { 'bootstrap.servers' => '127.0.0.1:1', 'operation.timeout.ms' => 2000 });
my $start = time;
is(sqlstate_of($node, "SELECT link.select_into('SELECT 1', 'away', 'one')"), '08001', 'no broker');
cmp_ok(time - $start, '<=', 5, '... within operation.timeout.ms');

# Properties: what the README has is taken, all else that librdkafka knows is refused: what
# loads code, runs commands or turns a verification off is among that.
my $readme = slurp_file('README.md');
my ($row) = $readme =~ /^(\| KAFKA \|.*)$/m or die 'no KAFKA in the README';
my ($list) = $readme =~ /(Properties of librdkafka that.*?All others are refused)/s or die 'no properties in the README';
my %documented = map { $_ => 1 } "$row$list" =~ /`([a-z][a-z.]*)`/g;
my %known = map { /^([a-z][a-z._]+) +\|/ ? ($1 => 1) : () } split /\n/, kcat('-X', 'list');
my @dangerous = qw(plugin.library.paths ssl.engine.location ssl.providers ssl.endpoint.identification.algorithm enable.ssl.certificate.verification
  sasl.kerberos.kinit.cmd sasl.kerberos.keytab sasl.oauthbearer.config sasl.oauthbearer.token.endpoint.url debug);
cmp_ok(scalar(keys %known), '>', 150, 'what librdkafka knows');
is(join(' ', grep { $documented{$_} } @dangerous), '', 'nothing that is dangerous is in the README');
is(join(' ', grep { !$known{$_} } grep { !/^(?:topic|transactional|operation\.timeout\.ms)$/ } sort keys %documented), '', 'what is there librdkafka knows');

sql(q{CREATE FUNCTION state_of(credentials text, config text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM link.create_link('tried', 'KAFKA', credentials, config, or_replace => true);
	RETURN '00000';
EXCEPTION WHEN others THEN
	RETURN SQLSTATE || CASE WHEN SQLERRM LIKE 'unknown key%' THEN ' unknown' ELSE '' END;
END $$});

sub states
{
	my (@configs) = @_;
	my $values = join ', ', map { '(' . join(', ', map { quote($_) } @$_) . ')' } @configs;
	return split /\n/, sql("SELECT state_of(a, b) FROM (VALUES $values) v(a, b)");
}
sub config { my ($key, $value) = @_; return [ '{}', JSON::PP::encode_json({ 'bootstrap.servers' => $plain, $key => $value }) ] }

my @keys = sort keys %{ { %known, map { $_ => 1 } @dangerous } };
my @undocumented = grep { !$documented{$_} } @keys;
my @states = states(map { config($_, 'x') } @undocumented);
is(join(' ', map { $states[$_] eq '22023 unknown' ? () : "$undocumented[$_]: $states[$_]" } 0 .. $#undocumented), '', scalar(@undocumented) . ' properties are refused in CONFIG');
@states = states(map { [ JSON::PP::encode_json({ $_ => 'x' }), JSON::PP::encode_json({ 'bootstrap.servers' => $plain }) ] } @undocumented);
is(join(' ', map { $states[$_] eq '22023 unknown' ? () : "$undocumented[$_]: $states[$_]" } 0 .. $#undocumented), '', '... in CREDENTIALS');
my @documented = grep { $documented{$_} && $_ ne 'bootstrap.servers' } @keys;
@states = states(map { config($_, 'x') } @documented);
is(join(' ', map { $states[$_] =~ /unknown/ ? $documented[$_] : () } 0 .. $#documented), '', 'those of the README are known');

# key, values that are taken, values that are not
my @values = (
	[ 'broker.address.family', [qw(any v4 v6)], [ 'v5', '' ] ],
	[ 'compression.codec', [qw(none gzip snappy lz4 zstd)], [ 'brotli', 'GZIP ' ] ],
	[ 'isolation.level', [qw(read_uncommitted read_committed)], ['serializable'] ],
	[ 'partitioner', [qw(random consistent consistent_random murmur2 murmur2_random fnv1a fnv1a_random)], ['mine'] ],
	[ 'security.protocol', [qw(plaintext ssl)], [ 'tls', 'sasl', 'sasl_ssl', 'sasl_plaintext' ] ],    # SASL wants more keys
	[ 'socket.keepalive.enable', [ \1, \0 ], [ 'x', 2 ] ],
	[ 'transactional', [ \1, \0 ], [ 'x', 2 ] ]);
my %bounds = (
	'operation.timeout.ms' => [ 1, 2**31 - 1 ], 'transaction.timeout.ms' => [ 1000, 2**31 - 1 ], 'socket.timeout.ms' => [ 10, 300000 ],
	'metadata.max.age.ms' => [ 1, 86400000 ], 'message.max.bytes' => [ 1000, 1000000000 ], 'message.timeout.ms' => [ 0, 2**31 - 1 ],
	'request.timeout.ms' => [ 1, 900000 ], 'retry.backoff.ms' => [ 1, 300000 ], 'linger.ms' => [ 0, 900000 ], 'batch.size' => [ 1, 2**31 - 1 ],
	'batch.num.messages' => [ 1, 1000000 ], 'compression.level' => [ -1, 12 ], 'fetch.message.max.bytes' => [ 1, 1000000000 ],
	'fetch.min.bytes' => [ 1, 100000000 ], 'fetch.wait.max.ms' => [ 0, 300000 ]);
push @values, map { my ($min, $max) = @{ $bounds{$_} }; [ $_, [ $min, $max ], [ $min - 1, $max + 1, 'x', '' ] ] } sort keys %bounds;
my %tested = map { $_->[0] => 1 } @values;
is(join(' ', grep { !$tested{$_} && !/^(?:client\.id|sasl\..*|ssl\..*)$/ } @documented), '', 'all keys whose values are bound');
foreach (@values)
{
	my ($key, $good, $bad) = @$_;
	is(join(' ', states(map { config($key, $_) } @$good)), join(' ', ('00000') x @$good), "$key: its values");
	is(join(' ', states(map { config($key, $_) } @$bad)), join(' ', ('22023') x @$bad), '... and no others');
}
my %login = ('bootstrap.servers' => $plain, 'security.protocol' => 'sasl_ssl');
is(join(' ', states(map { [ '{"sasl.username":"u","sasl.password":"p"}', JSON::PP::encode_json({ %login, 'sasl.mechanism' => $_ }) ] } qw(PLAIN SCRAM-SHA-256 SCRAM-SHA-512 GSSAPI OAUTHBEARER NTLM))),
	'00000 00000 00000 0A000 0A000 22023', 'sasl.mechanism');

# backends that end in mid-export take nobody with them
my $n = $ENV{LINK_TEST_LONG} ? 200 : 30;
foreach (1 .. $n)
{
	my ($out, $timer) = ('', IPC::Run::timeout(60));
	my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
			"SELECT link.select_into('SELECT generate_series(1, 100000000)', 'k', 'many') /* victim */" ], '>', \$out, '2>&1', $timer);
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
