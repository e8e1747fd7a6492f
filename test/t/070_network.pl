# Where bytes go: credentials to the place they were given for and nowhere else
# (SECURITY 14, 16, 17), and connections to link.allowed_hosts alone, whatever
# the environment, a redirect, a name server or an odd spelling says (21, 22).
# Listeners record all that arrives.

use strict;
use warnings;
use HostileS3;
use IO::Socket::INET;
use LinkNetwork qw(allow_hosts arrived new_arrivals sql_call start_with_hosts);
use LinkTest;
use PostgreSQL::Test::Utils;
use Socket qw(AF_INET6 SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(time sleep);

# Where the link leads, and who would like to have what it sends.
my $good = start_hostile();
my $evil = start_hostile();
my ($key, $secret) = ('AKIAORIGIN', 'aB3/xY+zQ9kLmN0pQrStUvWxYz12345678abcdEF');
my $credentials = qq({"aws_access_key_id":"$key","aws_secret_access_key":"$secret"});
my $anonymous = '{"creds_mode":"anonymous"}';

# Proxies and a .netrc for every host, in the server's environment.
my $home = PostgreSQL::Test::Utils::tempdir;
append_to_file("$home/.netrc", "default login netrcuser password netrcword\n");
chmod 0600, "$home/.netrc";
my %environment = (HOME => $home, map { ($_ => $evil->{url}) } qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY));
my $node;
{
	local %ENV = (%ENV, %environment);
	delete @ENV{qw(no_proxy NO_PROXY)};
	$node = new_node('network');
}

sub run_sql { return LinkNetwork::run_sql($node, @_) }
sub allow { allow_hosts($node, @_) }

sub config_of
{
	my ($url, %more) = @_;
	return s3_config(endpoint_url => $url, %more);
}

my $signed = qr/authorization|x-amz-security-token|\Q$key\E|\Q$secret\E/i;

#
# Origin binding. The listener is an allowed host, so nothing else protects.
#

$node->safe_psql('postgres', q{
	CREATE ROLE owner1 LOGIN; CREATE ROLE owner2 LOGIN; CREATE ROLE altering LOGIN; CREATE SCHEMA other;
	GRANT owner2 TO owner1; GRANT USAGE ON SCHEMA other TO owner1, altering, owner2;
	SELECT link.grant_privilege('CREATE', 'public.*', 'owner1'); SELECT link.grant_privilege('CREATE', 'other.*', 'owner1')});
my $create = sprintf('link.create_link(%s, %s, %s, %s', map { quote($_) } 'l', 'S3', $credentials, config_of($good->{url}));
like(run_sql("SELECT $create)", user => 'owner1'), qr/^$/m, 'a link with credentials');
$node->safe_psql('postgres', "SELECT link.grant_privilege('ALTER, USE', 'LINK l', 'altering'), link.grant_privilege('USE', 'LINK l', 'owner1')");
my $use = "SELECT link.list_files('l', 'b/p/')";
unlike(run_sql($use, user => $_), qr/ERROR/, "$_ uses it") for qw(owner1 altering);
like(new_arrivals($good), qr/Credential=$key\b/, 'which sends them where it should');

my $to_evil = config_of($evil->{url});

# What an attempt is, by whom, and the SQLSTATE that it ends with. Each is
# followed by a use of the link.
my $ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
for my $role (qw(owner1 altering))
{
	my @attempts = (
		[ 'endpoint_url', sql_call('set_link_config', 'l', 'endpoint_url', $evil->{url}), '42501' ],
		[ 'no endpoint_url', sql_call('set_link_config', 'l', 'endpoint_url', undef), '42501' ],
		[ 'region', sql_call('set_link_config', 'l', 'region', 'evil-1'), '42501' ],
		[ 'no region', sql_call('set_link_config', 'l', 'region', undef), '42501' ],
		[ 's3_force_path_style', sql_call('set_link_config', 'l', 's3_force_path_style', 'false'), '42501' ],
		[ 'ca_certificate', sql_call('set_link_config', 'l', 'ca_certificate', $ca), '42501' ],
		[ 'hosts', sql_call('set_link_config', 'l', 'hosts', "127.0.0.1:$evil->{port}"), '42501' ],
		[ 'creds_mode', sql_call('set_link_credential', 'l', 'creds_mode', 'anonymous'), '42501' ],
		[ 'config', sql_call('alter_link', 'l', 'config => ' . quote($to_evil)), '42501' ],
		[ 'config and no credentials', sql_call('alter_link', 'l', 'config => ' . quote($to_evil), "credentials => '{}'"), '22023' ],
		[ 'config and half of them', sql_call('alter_link', 'l', 'config => ' . quote($to_evil), "credentials => '{\"aws_access_key_id\":\"$key\"}'"), '22023' ],
		[ 'statement', sql_call('execute', 'ALTER LINK l SET CONFIG ::endpoint_url = ' . "'$evil->{url}'"), '42501' ],
		[ 'OR REPLACE without credentials', sql_call('create_link', 'l', 'S3', undef, $to_evil, 'or_replace => true'), '22023' ],
		[ 'OR REPLACE without credentials, statement', sql_call('execute', "CREATE OR REPLACE LINK l AS S3 CONFIG '$to_evil'"), '22023' ],
		[ 'OR REPLACE of another type', sql_call('create_link', 'l', 'FS', undef, '{"root":"/tmp"}', 'or_replace => true'), '22023' ]);
	for my $attempt (@attempts)
	{
		my ($what, $sql, $sqlstate) = @$attempt;
		my $said = run_sql("$sql;\n$use", user => $role);
		like($said, qr/ERROR:  $sqlstate:/, "$role, $what: refused");
		is(scalar(() = $said =~ /ERROR/g), 1, "$role, $what: and the link works as before") or diag($said);
	}

	# What is allowed takes the credentials away.
	for my $attempt ([ 'config and anonymous', sql_call('alter_link', 'l', 'config => ' . quote($to_evil), 'credentials => ' . quote($anonymous)) ],
		[ 'OR REPLACE with anonymous', sql_call('create_link', 'l', 'S3', $anonymous, $to_evil, 'or_replace => true') ])
	{
		my ($what, $sql) = @$attempt;
		my $said = run_sql("$sql;\n$use", user => $role);
		unlike($said, qr/ERROR/, "$role, $what: done");
		like(new_arrivals($evil), qr{GET /b\?}, "$role, $what: and the link leads elsewhere");
		unlike(run_sql("SELECT $create, or_replace => true)", user => 'owner1'), qr/ERROR/, 'the link as it was');
	}
}
unlike(arrived($evil), $signed, 'of all that, no credential arrived at the listener');

# Under another name, in another schema, of another owner: bound all the same.
for my $move ([ sql_call('rename_link', 'l', 'l2'), 'public.l2', 'owner1' ],
	[ sql_call('set_link_schema', 'public.l2', 'other'), 'other.l2', 'owner1' ],
	[ "SELECT link.set_link_owner('other.l2', 'owner2')", 'other.l2', 'owner2' ])
{
	my ($sql, $name, $owner) = @$move;
	unlike(run_sql($sql, user => 'owner1'), qr/ERROR/, "moved: $sql");
	$node->safe_psql('postgres', "SELECT link.grant_privilege('USE', 'LINK $name', '$owner')");
	like(run_sql(sql_call('set_link_config', $name, 'endpoint_url', $evil->{url}), user => $owner), qr/ERROR:  42501:/, "$name: its new owner cannot lead it elsewhere");
	unlike(run_sql("SELECT link.list_files('$name', 'b/p/')", user => $owner), qr/ERROR/, "$name: and it works");
}
unlike(run_sql(sql_call('create_link', 'l', 'S3', $anonymous, $to_evil) . ";\n$use", user => 'owner1'), qr/ERROR/, 'another link takes the old name');
like(new_arrivals($evil), qr{GET /b\?}, 'and leads to the listener');
unlike(arrived($evil), $signed, 'without any credential');
$node->safe_psql('postgres', "SELECT link.drop_link('l')");

# The rows themselves, by a superuser who means well or badly.
unlike(run_sql("SELECT $create)", user => 'owner1'), qr/ERROR/, 'the link once more');
$node->safe_psql('postgres', sql_call('create_link', 'lure', 'S3', '{"aws_access_key_id":"X","aws_secret_access_key":"lure"}', $to_evil));
$node->safe_psql('postgres', sql_call('create_link', 'twin', 'S3', '{"aws_access_key_id":"X","aws_secret_access_key":"twin"}', config_of($good->{url})));
my $columns = 'namespace, type, owner, description, credentials, credential_keys, created_at, altered_at, credentials_changed_at';
for my $edit (
	[ 'another endpoint', "UPDATE link.link SET config = config || jsonb_build_object('endpoint_url', '$evil->{url}') WHERE name = 'l'", 'l' ],
	[ 'another region', q{UPDATE link.link SET config = config || '{"region":"evil-1"}' WHERE name = 'l'}, 'l' ],
	[ 'no region', q{UPDATE link.link SET config = config - 'region' WHERE name = 'l'}, 'l' ],
	[ 'another certificate', q{UPDATE link.link SET config = config || '{"ca_certificate":"x"}' WHERE name = 'l'}, 'l' ],
	[ 'another style', q{UPDATE link.link SET config = config || '{"s3_force_path_style":true}' WHERE name = 'l'}, 'l' ],
	[ 'other hosts', q{UPDATE link.link SET config = config || '{"hosts":["x"]}' WHERE name = 'l'}, 'l' ],
	[ 'another type', q{UPDATE link.link SET type = 's3' WHERE name = 'l'}, 'l' ],
	[ 'a type without secrets', q{UPDATE link.link SET type = 'FS', config = '{"root":"/tmp"}' WHERE name = 'l'}, 'l' ],
	[ 'credentials of one in another', q{UPDATE link.link SET credentials = (SELECT credentials FROM link.link WHERE name = 'l') WHERE name = 'lure'}, 'lure' ],
	[ 'the same, of the same place', q{UPDATE link.link SET credentials = (SELECT credentials FROM link.link WHERE name = 'l') WHERE name = 'twin'}, 'twin' ],
	[ 'a row under another id', "INSERT INTO link.link (name, folded_name, config, $columns) SELECT 'copy', 'copy', config, $columns FROM link.link WHERE name = 'l'", 'copy' ],
	[ 'a row that changes its id', q{UPDATE link.link SET id = DEFAULT WHERE name = 'l'}, 'l' ],
	[ 'bytes cut off', q{UPDATE link.link SET credentials = substr(credentials, 1, length(credentials) - 1) WHERE name = 'l'}, 'l' ],
	[ 'a byte changed', q{UPDATE link.link SET credentials = set_byte(credentials, length(credentials) - 20, get_byte(credentials, length(credentials) - 20) # 1) WHERE name = 'l'}, 'l' ])
{
	my ($what, $sql, $name) = @$edit;
	my $said = run_sql("BEGIN;\n$sql;\nSELECT link.list_files('$name', 'b/p/');\nROLLBACK");
	like($said, qr/ERROR:  XX001:.*do not open/, "edited row, $what: the credentials do not open") or diag($said);
	is(scalar(() = $said =~ /ERROR/g), 1, "edited row, $what: and that is all");
}
like(run_sql(q{BEGIN; UPDATE link.link SET config = config || '{"Endpoint_URL":"x"}' WHERE name = 'l'; } . "$use; ROLLBACK"), qr/ERROR:  (?:22023|XX001):/, 'edited row, a key that nobody knows: refused');
unlike(run_sql($use, user => 'owner1'), qr/ERROR/, 'the row as it was opens');
unlike(arrived($evil), $signed, 'of all that, no credential arrived at the listener');

# Control: the listener would have seen it.
$node->safe_psql('postgres', sql_call('create_link', 'meant', 'S3', $credentials, $to_evil));
unlike(run_sql("SELECT link.list_files('meant', 'b/p/')"), qr/ERROR/, 'credentials that are meant for the listener');
like(new_arrivals($evil), qr/Credential=$key\b/, 'arrive there');

#
# The environment.
#

new_arrivals($good);
$node->safe_psql('postgres', sql_call('create_link', 'nobody', 'S3', $anonymous, config_of($good->{url})));
$node->safe_psql('postgres', sql_call('create_link', 'tls', 'S3', $credentials, config_of($good->{url} =~ s/http/https/r)));
unlike(run_sql("SELECT link.list_files('$_', 'b/p/')"), qr/ERROR/, "$_: works with proxies and .netrc around") for qw(l nobody);
like(run_sql("SELECT link.list_files('tls', 'b/p/')"), qr/ERROR:  08001:/, 'TLS to a server that has none');
my $direct = new_arrivals($good);
is(scalar(() = $direct =~ m{^GET /b\?}mg), 2, 'requests go there directly');
like($direct, qr/x16\\x03/, 'and so does TLS');
unlike($direct, qr/netrc|Basic|Proxy-/i, 'with nothing from .netrc');
is(new_arrivals($evil), '', 'no proxy is used');

# Keys of TLS connections in a file: refused. With that, no_proxy for what follows.
my $keys = "$home/tls_keys";
{
	local %ENV = (%ENV, SSLKEYLOGFILE => $keys);
	$node->restart;
}
like(run_sql("SELECT link.list_files('$_', 'b/p/')"), qr/ERROR:  08001:.*SSLKEYLOGFILE/, "$_: not with SSLKEYLOGFILE") for qw(l tls);
ok(!-e $keys, 'and no keys are written');
is(new_arrivals($good), '', 'nor is anything sent');

# A proxy that is meant. It also shows where a link without endpoint_url leads:
# to the vendor, whatever the bucket is called.
{
	local %ENV = (%ENV, no_proxy => '*', NO_PROXY => '*');
	$node->append_conf('postgresql.conf', "link.http_proxy = '$evil->{url}'\nlink.retry_timeout = 0\n");
	$node->restart;
}
allow('.amazonaws.com http://127.0.0.1');
$node->safe_psql('postgres', sql_call('create_link', 'aws', 'S3', $credentials, '{"region":"eu-west-3"}'));
my @buckets = ('bucket', 'a.b.c', '127.0.0.1', '2130706433', 'localhost', 'evil.com', 'evil.com#', 'evil.com?', 'evil.com:80', 'u:p@evil.com', '[::1]',
	'evil.com%2f', 'evil.com%00', '-x', 'x-', 'X', 'x_y', 'é', ' ', '.evil', 'x' x 64);
run_sql(join(";\n", map { "SELECT link.read_file('aws', " . quote("$_/x") . ')' } @buckets));
my $proxied = new_arrivals($evil);
my @asked = $proxied =~ /^CONNECT (\S+) HTTP/mg;
is(scalar(@asked), scalar(@buckets), 'each goes through link.http_proxy, whatever no_proxy says');
is(join(' ', grep { !/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)?s3\.eu-west-3\.amazonaws\.com:443$/ } @asked), '', 'and to the vendor');
is($asked[0], 'bucket.s3.eu-west-3.amazonaws.com:443', 'with the bucket in the name of the host');
is(scalar(grep { $_ eq 's3.eu-west-3.amazonaws.com:443' } @asked), @buckets - 3, 'where it can be part of one, and nowhere else');
unlike($proxied, $signed, 'and shows the proxy no credential');
like(run_sql("SELECT link.list_files('aws', '$_')"), qr/ERROR:  22023:/, "no bucket: $_") for ('evil.com/../x/', '../evil.com/', './x/', '//evil.com/', '/evil.com/x', 'evil.com\\x/');
for my $host ('169.254.169.254', '[fd00:ec2::254]', 'metadata.google.internal')
{
	$node->safe_psql('postgres', sql_call('create_link', 'metadata', 'S3', $anonymous, config_of("http://$host"), 'or_replace => true'));
	like(run_sql("SELECT link.list_files('metadata', 'b/p/')"), qr/ERROR:  08001:/, "not through the proxy either: $host");
}
is(new_arrivals($evil), '', 'nothing of that is sent');
$node->append_conf('postgresql.conf', "link.http_proxy = ''\n");
$node->restart;

#
# Redirects. The server that they lead to is allowed too.
#

my $leading = start_hostile($evil->{url});
allow('http://127.0.0.1');
$node->safe_psql('postgres', sql_call('create_link', 'leading', 'S3', $credentials, config_of($leading->{url})));
for my $status (301, 302, 303, 307, 308)
{
	like(run_sql($_), qr/ERROR:  (?:22023|58030):.*HTTP $status/s, "a redirect is not followed: $_")
	  for ("SELECT link.list_files('leading', 'to-$status/p/')", "SELECT link.read_file('leading', 'to-$status/x')",
		"SELECT link.write_file('leading', 'to-$status/x', 'x', overwrite => true)");
}
is(new_arrivals($evil), '', 'nothing arrives where they lead');

#
# Values that become part of a host.
#

for my $region ('us-east-1.evil.com#', 'us-east-1.evil.com/', 'evil.com', 'a.b', 'US-EAST-1', '-x', 'x-', 'x' x 64, "us\neast", ' us-east-1', 'us-east-1@evil', 'x?', 'é', '')
{
	like(run_sql(sql_call('create_link', 'r', 'S3', $credentials, s3_config(region => $region, endpoint_url => $good->{url}))), qr/ERROR:  22023:/, 'no region: ' . $region =~ s/\n/\\n/r);
	like(run_sql("BEGIN;\nUPDATE link.link SET credentials = NULL, config = config || jsonb_build_object('region', " . quote($region) . ") WHERE name = 'nobody';\nSELECT link.list_files('nobody', 'b/p/');\nROLLBACK"),
		qr/ERROR:  22023:/, '  nor in an edited row');
}
for my $url ('http://user:hunter2@127.0.0.1/', 'http://hunter2@127.0.0.1', 'http://127.0.0.1?hunter2', 'http://127.0.0.1/#hunter2', 'http://127.0.0.1.:80',
	'http://evil.com./', 'http://a..b', 'http://.evil.com', 'http://[::1%25lo]/', 'http://[127.0.0.1]/', 'http://::1/', 'http://127.0.0.1:0', 'http://127.0.0.1:99999',
	'http://127.0.0.1:80:80', 'http://127.0.0.1\\@evil.com', 'http://127.0.0.1 evil.com', "http://127.0.0.1\r\nHost: hunter2", 'http://evil%2ecom', 'http:///x', 'http://',
	'//127.0.0.1', '127.0.0.1', 'file:///etc/passwd', 'ftp://127.0.0.1', 'gopher://127.0.0.1/', 'http:/127.0.0.1', 'http://127.0.0.1/../x', 'http://１２７.0.0.1', 'http://evil。com', 'javascript:hunter2')
{
	my $json = config_of($url) =~ s/\r/\\r/r;
	my $said = run_sql(sql_call('create_link', 'u', 'S3', $credentials, $json));
	like($said, qr/ERROR:  22023:/, 'no endpoint_url: ' . $url =~ s/[\r\n]/ /gr);
	unlike($said =~ s/^(?:LINE \d|STATEMENT).*//mgr, qr/hunter2/, '  and its error does not repeat it');
}

#
# link.allowed_hosts.
#

# An address that must be named, and the entry that names it.
allow('http://.example.com, .amazonaws.com');
my $use_e = "SELECT link.list_files('e', 'b/p/')";
sub endpoint
{
	my ($url, %more) = @_;
	$node->safe_psql('postgres', sql_call('create_link', 'e', 'S3', $credentials, config_of($url, %more), 'or_replace => true'));
	return run_sql($use_e);
}
for my $case (
	[ 'http://169.254.169.254', 'http://169.254.169.254:80' ], [ 'https://169.254.169.254/latest', '169.254.169.254:443' ],
	[ 'http://100.100.100.200', 'http://100.100.100.200:80' ], [ 'http://168.63.129.16', 'http://168.63.129.16:80' ],
	[ 'http://[fd00:ec2::254]', 'http://[fd00:ec2::254]:80' ], [ 'http://[::ffff:169.254.169.254]:8080', 'http://169.254.169.254:8080' ],
	[ 'http://[::ffff:a9fe:a9fe]', 'http://169.254.169.254:80' ], [ 'http://[64:ff9b::a9fe:a9fe]', 'http://169.254.169.254:80' ],
	[ 'http://[64:ff9b:1::a9fe:a9fe]', 'http://[64:ff9b:1::a9fe:a9fe]:80' ], [ 'http://[2002:a9fe:a9fe::]', 'http://[2002:a9fe:a9fe::]:80' ],
	[ 'http://[::ffff:0:a9fe:a9fe]', qr/http:\/\/\[::ffff:0:(?:a9fe:a9fe|169\.254\.169\.254)\]:80/ ], [ 'http://[::7f00:1]', qr/http:\/\/\[::(?:127\.0\.0\.1|7f00:1)\]:80/ ],
	map { [ "http://$_", "http://$_:80" ] } qw(127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 0.0.0.0 0.1.2.3 192.0.0.8
		198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 [::1] [::] [fe80::1] [fc00::1] [fdff::1] [ff02::1] [fec0::1]))
{
	my ($url, $entry) = @$case;
	$entry = quotemeta $entry unless ref $entry;
	my $said = endpoint($url);
	like($said, qr/ERROR:  08001:/, "$url: refused");
	like($said, qr/HINT:  Add "$entry" to link\.allowed_hosts\./, '  and the hint gives the entry') or diag($said);
}
like(endpoint($_), qr/ERROR:  08001:.*HINT:  Add/s, "$_: refused") for qw(http://evil.com https://evil.com https://amazonaws.com https://xamazonaws.com
	https://s3.amazonaws.com.evil.com http://example.com https://example.com http://8.8.8.8);

# With a network allowed any name may be tried, and its address is looked at.
# Other ways to write 127.0.0.1; libcurl and the resolver know them.
new_arrivals($_) for $good, $evil;
allow('http://203.0.113.0/24, http://.localhost');
my @spellings = qw(2130706433 0x7f000001 0x7f.1 017700000001 0177.0.0.1 127.1 127.0.1 localhost LOCALHOST x.localhost 0);
for my $host (@spellings)
{
	my $said = endpoint("http://$host:$evil->{port}");
	like($said, qr/ERROR:  08001:.*(?:loopback|unspecified) address \S+ is not allowed/, "$host: refused when it turns out to be loopback") or diag($said);
	like($said, qr/HINT:  Add "http:\/\/(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]):$evil->{port}" to link\.allowed_hosts\./, '  and the hint gives the entry');
}
is(new_arrivals($evil), '', 'nobody is connected to');
allow("http://127.0.0.1:$evil->{port}");
unlike(endpoint("http://$_:$evil->{port}"), qr/ERROR/, "$_: with that entry it works") for grep { $_ ne '0' } @spellings;
is(scalar(() = new_arrivals($evil) =~ m{^GET /b\?}mg), @spellings - 1, 'all of them the same place');
unlike(endpoint("http://[::ffff:127.0.0.1]:$evil->{port}"), qr/ERROR/, 'and so is the mapped address');
new_arrivals($evil);

# Ports, protection, exact names.
like(endpoint($good->{url}), qr/ERROR:  08001:.*Add "http:\/\/127\.0\.0\.1:$good->{port}"/s, 'another port is another entry');
allow("127.0.0.1:$evil->{port}");
like(endpoint($evil->{url}), qr/ERROR:  08001:.*DETAIL:  The host is allowed over TLS only\./s, 'an entry without http:// is for TLS');
allow('http://localhost');
like(endpoint("http://x.localhost:$evil->{port}"), qr/ERROR:  08001:/, 'a name is not for those below it');
like(endpoint($evil->{url}), qr/ERROR:  08001:/, 'nor for the address that it has');
is(new_arrivals($evil), '', 'nobody is connected to');

# The bucket as part of the host.
my $style = sub { my ($bucket) = @_; return run_sql("SELECT link.list_files('e', " . quote("$bucket/p/") . ')') };
unlike(endpoint("http://localhost:$evil->{port}", s3_force_path_style => 'true'), qr/ERROR/, 'path style');
$node->safe_psql('postgres', sql_call('create_link', 'e', 'S3', $credentials, config_of("http://localhost:$evil->{port}", s3_force_path_style => 'false'), 'or_replace => true'));
like($style->($_), qr/ERROR:  08001:.*http:\/\/$_\.localhost:/s, "bucket $_ would make another host, which is not allowed") for qw(evil 2130706433 x-y);
my @paths = ('127.0.0.1', 'a.b.c', 'evil.com', 'evil.com#x', 'u:p@evil.com', 'evil.com:80', 'X');
new_arrivals($evil);
unlike($style->($_), qr/ERROR/, "bucket $_ is part of the path") for @paths;
is(join(' ', grep { $_ ne "localhost:$evil->{port}" } new_arrivals($evil) =~ /^host: (\S*?)\r?$/mgi), '', 'and the host stays the same');
allow('http://.localhost');
like($style->('evil'), qr/ERROR:  08001:.*loopback/, 'a domain that is allowed does not vouch for the address');
allow('http://.localhost http://127.0.0.1');
unlike($style->('evil'), qr/ERROR/, 'with the address allowed too it works');
like(new_arrivals($evil), qr/^host: evil\.localhost:$evil->{port}/mi, 'and the bucket is in the host');

# Connections that wait are not used after the setting has changed.
{
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	$psql->query("SELECT link.list_files('meant', 'b/p/')");
	allow('http://.example.com');
	$psql->query("SELECT link.list_files('meant', 'b/p/')");
	like($psql->{stderr}, qr/connection to \S+ is not allowed/, 'an entry that is taken away is gone in sessions that have used it');
	$psql->quit;
}

# A name whose address changes. Names come from /etc/hosts, and a server in a
# mount namespace of its own has one that we can write.
SKIP:
{
	my $moved = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.2', LocalPort => $evil->{port}, Blocking => 0);
	my @special = qw(169.254.169.254 100.100.100.200 168.63.129.16 10.1.2.3 172.16.1.1 192.168.1.1 100.64.1.1 0.0.0.0 224.0.0.1 240.0.0.1 fd00:ec2::254
	  ::1 fe80::1 fc00::1 ff02::1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::1 ::ffff:0:a9fe:a9fe 2002:a9fe:a9fe::1);
	@special = grep { !/:/ } @special unless socket(my $ipv6, AF_INET6, SOCK_DGRAM, 0);
	my $hosts = $moved && start_with_hosts($node);
	skip 'no mount namespaces here, or no 127.0.0.2', 6 + @special unless $hosts;
	append_to_file($hosts, "127.0.0.1 shifty.test\n");
	allow('http://.test http://127.0.0.1');
	unlike(endpoint("http://shifty.test:$evil->{port}"), qr/ERROR/, 'a name whose address is allowed');
	like(new_arrivals($evil), qr/^host: shifty\.test/mi, 'works');

	# in a session that has used it, and in one that has not
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	$psql->query($use_e);
	truncate($hosts, 0);
	append_to_file($hosts, "127.0.0.2 shifty.test\n");
	$psql->query("DISCARD ALL;\n$use_e");
	my $refused = qr/loopback address 127\.0\.0\.2 is not allowed/;
	like($psql->{stderr}, $refused, 'when the name moves, its new address is looked at');
	$psql->quit;
	like(run_sql($use_e), $refused, 'by every session');
	sleep 0.2;
	is($moved->accept, undef, 'before anybody is connected to');
	allow('http://shifty.test');
	$node->psql('postgres', "SET statement_timeout = '1s'; $use_e");
	isnt($moved->accept, undef, 'control: with the name itself allowed, somebody comes');

	# what a domain that is allowed cannot make us connect to
	allow('http://.test');
	truncate($hosts, 0);
	append_to_file($hosts, join('', map { "$special[$_] n$_.test\n" } 0 .. $#special));
	like(endpoint("http://n$_.test"), qr/ERROR:  08001:.* address \S+ is not allowed/, "a name of $special[$_] in an allowed domain") for 0 .. $#special;
	$node->stop;
	$node->start;
}

#
# CHECK LINK and first uses do not keep anybody waiting for what will not come.
#

allow('http://.invalid http://127.0.0.1');
my $closed = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
my $port = $closed->sockport;
close $closed;
my $unknown = 'x' x 64 . '.invalid';    # a label too long for any name server to be asked
for my $case ([ "http://$unknown", '08001: .*could not resolve' ], [ "http://127.0.0.1:$port", '08001: .*2 attempts.*connect' ])
{
	my ($url, $pattern) = @$case;
	endpoint($url);    # makes the link; without retries
	my $start = time;
	my $said = run_sql("SET link.retry_timeout = '60s';\nSELECT * FROM link.check_link('e')");
	cmp_ok(time - $start, '<', 3, "CHECK LINK of what is not there is over soon: $url");
	like($said, qr/^connect\|f\|[\d.]+\|$pattern/mi, '  and says so') or diag($said);
}
allow('http://127.0.0.1');
$node->safe_psql('postgres', sql_call('create_link', 'e', 'S3', $credentials, qq({"endpoint_url":"$good->{url}","path_prefixes":["busy/"]}), 'or_replace => true'));
my $start = time;
like(run_sql("SET link.retry_timeout = '60s';\nSELECT * FROM link.check_link('e')"), qr/^authenticate\|f\|[\d.]+\|58030: .*SlowDown/m, 'CHECK LINK of a server that wants to be asked later');
cmp_ok(time - $start, '<', 3, '  is over soon');
allow('http://.invalid');
endpoint("http://$unknown");
$start = time;
like(run_sql("SET link.retry_timeout = '60s';\n$use_e"), qr/ERROR:  08001:.*could not resolve/i, 'a host that nobody knows');
cmp_ok(time - $start, '<', 3, 'is an error at once');

unlike(slurp_file($node->logfile), qr/PANIC|server process .* was terminated by signal|TRAP/, 'the server was never away but when told');
done_testing();
