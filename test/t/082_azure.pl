# Azure Blob Storage: the account's key, SAS, Entra ID, the machine's identity.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use JSON::PP ();
use LinkTest;
use MIME::Base64 qw(decode_base64 encode_base64 encode_base64url);
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;

need_service('azurite');

my ($account, $key) = @ENV{qw(LINK_AZURE_ACCOUNT LINK_AZURE_KEY)};

# What azurite --oauth basic takes: it looks at the claims alone.
my $bearer = join '.', map { encode_base64url($_) } '{"alg":"RS256","typ":"JWT"}',
  JSON::PP::encode_json({ aud => 'https://storage.azure.com', iss => 'https://sts.windows.net/tenant/', iat => time - 60, nbf => time - 60, exp => time + 3600, ver => '1.0', tid => 'tenant' }),
  'signature';
my $entra = start_identity(token => $bearer);
my $refusing = start_identity(token => $bearer, refuse => 'container/refused');
my $node;
{
	local $ENV{AZURE_POD_IDENTITY_AUTHORITY_HOST} = $entra->{url};
	$node = new_node('azure', conf => "link.allowed_hosts = 'http://127.0.0.1 localhost .blob.core.windows.net'\nlink.log_use = 'all'\n");
}
my %plain = (endpoint_url => "$ENV{LINK_AZURE_ENDPOINT}/$account");
my %tls = (endpoint_url => "$ENV{LINK_AZURE_TLS_ENDPOINT}/$account", ca_certificate => slurp_file($ENV{LINK_AZURE_CA}));

sub signature { my ($text) = @_; my $mac = hmac_sha256_base64($text, decode_base64($key)); return $mac . '=' x (-length($mac) % 4) }
sub encoded { my ($text) = @_; return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }

# A service SAS of a container.
sub sas
{
	my ($container, $permissions, $seconds) = @_;
	my $end = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + ($seconds // 3600)));
	my $signed = signature(join("\n", $permissions, '', $end, "/blob/$account/$container", '', '', '', '2020-12-06', 'c', '', '', '', '', '', '', ''));
	return "sv=2020-12-06&sr=c&sp=$permissions&se=" . encoded($end) . '&sig=' . encoded($signed);
}

# The independent client: curl with the account's key. az(BASE URL, METHOD, PATH, QUERY, BODY)
sub az
{
	my ($base, $method, $path, %query) = @_;
	my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime);
	my $text = join("\n", $method, ('') x 11, "x-ms-date:$date\nx-ms-version:2021-12-02\n/$account/$account/$path") .
	  join('', map { "\n$_:$query{$_}" } sort keys %query);
	my $query = join '&', map { "$_=" . encoded($query{$_}) } sort keys %query;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'curl', '-sS', '--noproxy', '*', '--cacert', $ENV{LINK_AZURE_CA}, '-X', $method, '-H', "x-ms-date: $date",
			'-H', 'x-ms-version: 2021-12-02', '-H', "Authorization: SharedKey $account:" . signature($text),
			($method eq 'PUT' ? ('-H', 'Content-Length: 0') : ()), "$base/$account/$path" . ($query ? "?$query" : '') ], '>', \$out, '2>', \$err)
	  or die "curl: $err";
	return $out;
}

az($_, 'PUT', 'container', restype => 'container') for $ENV{LINK_AZURE_ENDPOINT}, $ENV{LINK_AZURE_TLS_ENDPOINT};

my %entra = (account_name => $account, tenant_id => 'tenant', client_id => 'me', client_secret => 'client+secret/of=mine');
make_link($node, 'shared', 'AZURE', { account_name => $account, account_key => $key }, \%plain);
make_link($node, 'shared_tls', 'AZURE', { account_name => $account, account_key => $key }, \%tls);
make_link($node, 'wrong', 'AZURE', { account_name => $account, account_key => $ENV{LINK_AZURE_OTHER_KEY} }, \%plain);
make_link($node, 'sas', 'AZURE', { account_name => $account, sas_token => sas('container', 'rcwdl') }, \%plain);
make_link($node, 'sas_read', 'AZURE', { account_name => $account, sas_token => '?' . sas('container', 'r') }, \%plain);
make_link($node, 'sas_old', 'AZURE', { account_name => $account, sas_token => sas('container', 'r', -60) }, \%plain);
make_link($node, 'entra', 'AZURE', \%entra, { %tls, token_endpoint_url => $entra->{url} });

foreach my $link (qw(shared shared_tls sas entra))
{
	my $base = $link =~ /tls|entra/ ? $ENV{LINK_AZURE_TLS_ENDPOINT} : $ENV{LINK_AZURE_ENDPOINT};
	is( $node->safe_psql('postgres', qq{
		SELECT link.write_file('$link', 'container/$link/a b+c.txt', 'hello');
		SELECT convert_from(link.read_file('$link', 'container/$link/a b+c.txt'), 'UTF8');
		SELECT path, size FROM link.list_files('$link', 'container/$link/**');}) =~ s/^\n+//r,
		"hello\ncontainer/$link/a b+c.txt|5", "$link: write, read, list");
	is(az($base, 'GET', "container/$link/" . encoded('a b+c.txt')), 'hello', "$link: seen by another client");
	is(sqlstate_of($node, "SELECT link.write_file('$link', 'container/$link/a b+c.txt', 'other')"), '58P02', "$link: no overwrite");
	is(sqlstate_of($node, "SELECT link.write_file('$link', 'container/$link/a b+c.txt', 'again', overwrite => true)"), '00000', "$link: overwrite");
	is(sqlstate_of($node, "SELECT link.read_file('$link', 'container/$link/none')"), '58P01', "$link: no blob");

	my $large = "SELECT rows FROM link.select_into('SELECT repeat(md5(n::text), 32) FROM generate_series(1, 15000) n', '$link', 'container/$link/large')";
	is($node->safe_psql('postgres', $large), '15000', "$link: an export of several blocks");
	is(sqlstate_of($node, $large), '58P02', "$link: not a second time");
	is($node->safe_psql('postgres', "CREATE TABLE $link (t text); SELECT rows FROM link.load_data('$link', 'container/$link/large', '$link');
		SELECT count(*), md5(string_agg(t, '' ORDER BY t)) = (SELECT md5(string_agg(r, '' ORDER BY r)) FROM (SELECT repeat(md5(n::text), 32) r FROM generate_series(1, 15000) n) x) FROM $link"),
		"15000\n15000|t", "$link: and back");
	is(sqlstate_of($node, "SELECT link.remove_file('$link', 'container/$link/large')"), '00000', "$link: remove");
}

is(sqlstate_of($node, "SELECT link.read_file('wrong', 'container/shared/a b+c.txt')"), '08004', 'a wrong key is refused');
is($node->safe_psql('postgres', "SELECT length(link.read_file('sas_read', 'container/shared/a b+c.txt'))"), '5', 'a SAS to read reads');
is(sqlstate_of($node, "SELECT link.write_file('sas_read', 'container/new', 'x')"), '42501', '... and does not write');
is(sqlstate_of($node, "SELECT link.read_file('sas_old', 'container/shared/a b+c.txt')"), '08004', 'a SAS that has expired');

# an export that fails leaves nothing to be seen
is(sqlstate_of($node, "SELECT link.select_into('SELECT repeat(md5(n::text), 32), 1 / (14000 - n) FROM generate_series(1, 15000) n', 'shared', 'container/failed')"),
	'22012', 'an export that fails after its first blocks');
unlike(az($ENV{LINK_AZURE_ENDPOINT}, 'GET', 'container', restype => 'container', comp => 'list', prefix => 'failed'), qr/<Name>/, '... leaves nothing to be seen');

# two writers of one new name: both have looked, one gets it
{
	my @run;
	my $sql = "SELECT link.select_into('SELECT repeat(md5(n::text), 32), pg_sleep(CASE WHEN n % 5000 = 0 THEN 0.3 ELSE 0 END) FROM generate_series(1, 15000) n', 'shared', 'container/race')";
	foreach (0, 1)
	{
		my ($out, $timer) = ('', IPC::Run::timer(60));
		push @run, { out => \$out, h => IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-c', $sql ], '>', \$out, '2>&1', $timer) };
	}
	$_->{h}->finish for @run;
	my $lost = grep { ${ $_->{out} } =~ /58P02/ } @run;
	is($lost, 1, 'of two writers one gets the name') or diag(map { ${ $_->{out} } } @run);
}

# Entra ID: one token for several statements, asked for as is documented
my $asked = () = fake_log($entra->{log}) =~ m{^POST \S+/tenant/oauth2/v2.0/token }mg;
my $read = "SELECT length(link.read_file('entra', 'container/entra/a b+c.txt'))";
is($node->safe_psql('postgres', "$read; $read"), "5\n5", 'two reads');
my @posts = fake_log($entra->{log}) =~ m{^POST \S+/tenant/oauth2/v2.0/token (.*)}mg;
is(scalar(@posts), $asked + 1, '... with one token');
like($posts[0], qr/grant_type=client_credentials&scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_id=me&client_secret=client%2Bsecret%2Fof%3Dmine/, 'the form');

# what a server says of a token or a SAS is not told
make_link($node, 'refused', 'AZURE', \%entra, { endpoint_url => $refusing->{url}, token_endpoint_url => $entra->{url} });
make_link($node, 'refused_sas', 'AZURE', { account_name => $account, sas_token => sas('container', 'r') }, { endpoint_url => $refusing->{url} });
foreach my $link (qw(refused refused_sas))
{
	my $err = '';
	$node->psql('postgres', "SELECT link.read_file('$link', 'container/refused')", stderr => \$err);
	my ($sig) = sas('container', 'r') =~ /sig=(.*)/;
	ok($err =~ /Refused/ && index($err, $bearer) < 0 && index($err, substr($bearer, 0, 60)) < 0, "$link: the error has no token") or diag($err);
}

# the machine's identity: for the vendor's hosts only
is(sqlstate_of($node, "SELECT link.create_link('x', 'AZURE', '{\"account_name\":\"acct1\",\"creds_mode\":\"managed_identity\"}', '{\"endpoint_url\":\"$entra->{url}\"}')"),
	'22023', 'not for other hosts');
make_link($node, 'machine', 'AZURE', { account_name => 'acct1', creds_mode => 'managed_identity' }, { ca_certificate => $entra->{ca} });
set_proxy($node, $entra->{url});
is($node->safe_psql('postgres', "SELECT link.write_file('machine', 'container/m', 'x', overwrite => true)"), '', 'the machine writes');
like(fake_log($entra->{log}), qr{^GET 127\.0\.0\.1:\d+/metadata/identity/oauth2/token\?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F metadata=true}mi, 'its token is asked for, past the proxy');
like(fake_log($entra->{log}), qr{^PUT acct1.blob.core.windows.net/container/m .*authorization=Bearer \Q$bearer\E}m, 'and used');

make_link($node, 'paged', 'AZURE', { account_name => $account, account_key => $key }, { endpoint_url => $entra->{url} });
is($node->safe_psql('postgres', "SELECT path, size FROM link.list_files('paged', 'paged/**')"), "paged/first|1\npaged/second|2", 'a listing of two pages');

my $log = slurp_file($node->logfile);
ok(index($log, $bearer) < 0 && index($log, $key) < 0 && $log !~ /client.{1,3}secret.{1,3}of.{1,3}mine/ && $log !~ /sig=/, 'no secret in the log');

done_testing();
