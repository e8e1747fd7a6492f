# Google Cloud Storage: HMAC keys, service accounts, the metadata server.

use strict;
use warnings;
use JSON::PP ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

need_service('gcs');

my $metadata = $ENV{LINK_GCS_METADATA_ENDPOINT} =~ s{^http://}{}r;
my $fake = start_identity();
my $node;
{
	local $ENV{GCE_METADATA_HOST} = $metadata;
	$node = new_node('gcs', conf => "link.allowed_hosts = 'http://127.0.0.1 localhost storage.googleapis.com'\nlink.log_use = 'all'\n");
}
my $ca = slurp_file($ENV{LINK_GCS_CA});
my %tls = (endpoint_url => $ENV{LINK_GCS_TLS_ENDPOINT}, token_endpoint_url => $ENV{LINK_GCS_TOKEN_ENDPOINT}, ca_certificate => $ca);
my %hmac = (access_id => $ENV{LINK_GCS_ACCESS_ID}, secret_key => $ENV{LINK_GCS_SECRET_KEY});

sub requests { my ($pattern) = @_; return scalar(() = slurp_file($ENV{LINK_GCS_LOG}) =~ /$pattern/mg) }

make_link($node, 'hmac', 'GCS', \%hmac, { endpoint_url => $ENV{LINK_GCS_ENDPOINT} });
make_link($node, 'wrong', 'GCS', { %hmac, secret_key => 'x' x 40 }, { endpoint_url => $ENV{LINK_GCS_ENDPOINT} });
make_link($node, 'account', 'GCS', { service_account_key => slurp_file($ENV{LINK_GCS_KEY_FILE}) }, \%tls);
make_link($node, 'denied', 'GCS', { service_account_key => slurp_file($ENV{LINK_GCS_DENIED_KEY_FILE}) }, \%tls);
make_link($node, 'forged', 'GCS', { service_account_key => slurp_file($ENV{LINK_GCS_FORGED_KEY_FILE}) }, \%tls);

# a bucket: by the AWS client, which signs as the HMAC key does
{
	local @ENV{qw(LINK_S3_ENDPOINT LINK_S3_ACCESS_KEY LINK_S3_SECRET_KEY AWS_REGION)} =
	  (@ENV{qw(LINK_GCS_ENDPOINT LINK_GCS_ACCESS_ID LINK_GCS_SECRET_KEY)}, 'auto');
	aws('--region', 'auto', 's3api', 'create-bucket', '--bucket', 'bucket');
}

foreach my $link (qw(hmac account))
{
	is( $node->safe_psql('postgres', qq{
		SELECT link.write_file('$link', 'bucket/$link/a b+c.txt', 'hello');
		SELECT convert_from(link.read_file('$link', 'bucket/$link/a b+c.txt'), 'UTF8');
		SELECT path, size FROM link.list_files('$link', 'bucket/$link/**');}) =~ s/^\n+//r,
		"hello\nbucket/$link/a b+c.txt|5", "$link: write, read, list");
	is(sqlstate_of($node, "SELECT link.write_file('$link', 'bucket/$link/a b+c.txt', 'other')"), '58P02', "$link: no overwrite");
	is(sqlstate_of($node, "SELECT link.write_file('$link', 'bucket/$link/a b+c.txt', 'again', overwrite => true)"), '00000', "$link: overwrite");
	is(sqlstate_of($node, "SELECT link.read_file('$link', 'bucket/$link/none')"), '58P01', "$link: no object");

	my $large = "SELECT rows FROM link.select_into('SELECT repeat(md5(n::text), 32) FROM generate_series(1, 15000) n', '$link', 'bucket/$link/large')";
	is($node->safe_psql('postgres', $large), '15000', "$link: an export of several parts");
	is(sqlstate_of($node, $large), '58P02', "$link: not a second time");
	is($node->safe_psql('postgres', "CREATE TABLE $link (t text); SELECT rows FROM link.load_data('$link', 'bucket/$link/large', '$link');
		SELECT count(*), md5(string_agg(t, '' ORDER BY t)) = (SELECT md5(string_agg(r, '' ORDER BY r)) FROM (SELECT repeat(md5(n::text), 32) r FROM generate_series(1, 15000) n) x) FROM $link"),
		"15000\n15000|t", "$link: and back");
	is(sqlstate_of($node, "SELECT link.remove_file('$link', 'bucket/$link/large')"), '00000', "$link: remove");
}
cmp_ok(requests(qr/^PUT \S*partNumber\S* 200 link\@/m), '>', 1, 'parts were sent with the token');
is(requests(qr/ 400 link\@/m), 0, 'no condition was given where none is taken');

is(sqlstate_of($node, "SELECT link.read_file('wrong', 'bucket/hmac/a b+c.txt')"), '08004', 'a wrong secret is refused');
is(sqlstate_of($node, "SELECT link.read_file('denied', 'bucket/hmac/a b+c.txt')"), '42501', 'an account without rights');
is(sqlstate_of($node, "SELECT link.read_file('forged', 'bucket/hmac/a b+c.txt')"), '08004', 'a forged key');

# tokens are kept, and renewed when the server ends them
my $tokens = requests(qr/^POST \/token 200/m);
my $read = "SELECT length(link.read_file('account', 'bucket/account/a b+c.txt'))";
is($node->safe_psql('postgres', "$read; $read; $read"), "5\n5\n5", 'three reads in a session');
is(requests(qr/^POST \/token 200/m), $tokens + 1, 'with one token');
{
	my ($in, $out, $timer) = ('', '', IPC::Run::timer(30));
	my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1', $timer);
	$in .= "$read;\n";
	$h->pump until $out =~ /^5\n/;
	system_or_bail('curl', '-sS', '--noproxy', '*', '-X', 'POST', "$ENV{LINK_GCS_ENDPOINT}/gate/expire");
	$in .= "$read;\n\\q\n";
	$h->finish;
	is($out, "5\n5\n", 'a token that the server has ended is renewed');
}
is(requests(qr/^POST \/token 200/m), $tokens + 3, 'once');

# of key files, those of service accounts alone
is(sqlstate_of($node, 'SELECT link.create_link(' . join(', ', map { quote($_) } 'x', 'GCS',
			JSON::PP::encode_json({ service_account_key => slurp_file($ENV{LINK_GCS_KEY_FILE}) =~ s/"service_account"/"authorized_user"/r }), '{}') . ')'), '22023', 'a key file of another type');

# the machine's identity: for the vendor's hosts only
is(sqlstate_of($node, sprintf "SELECT link.create_link('x', 'GCS', '{\"creds_mode\":\"instance\"}', '{\"endpoint_url\":\"%s\"}')", $ENV{LINK_GCS_ENDPOINT}),
	'22023', 'not for other hosts');
make_link($node, 'machine', 'GCS', { creds_mode => 'instance' }, { ca_certificate => $fake->{ca} });
set_proxy($node, $fake->{url});
is($node->safe_psql('postgres', "SELECT link.write_file('machine', 'bucket/m', 'x', overwrite => true)"), '', 'the machine writes');
like(fake_log($fake->{log}), qr{^PUT storage\.googleapis\.com/bucket/m .*authorization=Bearer ya29\.}m, 'with its token');
cmp_ok(requests(qr{^GET /computeMetadata/v1/instance/service-accounts/default/token 200}m), '>=', 1, 'from the metadata server');

# nothing of them in logs
my $log = slurp_file($node->logfile);
my ($bearer) = fake_log($fake->{log}) =~ /Bearer (\S+)/;
ok(index($log, $bearer) < 0 && $log !~ /ya29\./ && $log !~ /BEGIN PRIVATE KEY/ && index($log, $hmac{secret_key}) < 0, 'no secret in the log');

done_testing();
