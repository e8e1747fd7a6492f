# Whose credentials sign the requests of S3 links: roles, the server's environment,
# its machine, its pod; and what else its keys add to requests.

use strict;
use warnings;
use LinkTest;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

need_s3();		# and, where it runs, need_service('ceph_sts')

my $fake = start_identity();		# the vendor: STS, metadata service, S3
my $short = start_identity(seconds => 301, slow => 0.7);	# five minutes are kept as a margin
my $refusing = start_identity(refuse => 'bucket/refused');
my $file = PostgreSQL::Test::Utils::tempdir . '/token';
append_to_file($file, "eyJwb2QiOiJ0b2tlbiJ9.of.thispod\n");
my $node;
{
	local %ENV = (%ENV, AWS_ACCESS_KEY_ID => 'AKIAENV', AWS_SECRET_ACCESS_KEY => 'env/secret+of/theserver',
		AWS_SESSION_TOKEN => 'env-session-token', AWS_EC2_METADATA_SERVICE_ENDPOINT => $fake->{url},
		AWS_ROLE_ARN => 'arn:aws:iam::1:role/pod', AWS_WEB_IDENTITY_TOKEN_FILE => $file);
	delete $ENV{AWS_CONTAINER_CREDENTIALS_RELATIVE_URI};
	$node = new_node('identities', conf => "link.allowed_hosts = '.amazonaws.com http://127.0.0.1 localhost'\nlink.log_use = 'all'\n");
}
my %keys = (aws_access_key_id => 'AKIASTATIC', aws_secret_access_key => 'static/secret+of/thelink');
my %seen;

# What a fake has got since the last such question.
sub arrived
{
	my ($who) = @_;
	my $all = fake_log($who->{log});
	my $new = substr($all, $seen{ $who->{log} } // 0);
	$seen{ $who->{log} } = length $all;
	return $new;
}

sub times_of { my ($text, $pattern) = @_; return scalar(() = $text =~ /$pattern/g) }
sub write_to { my ($link, $name) = @_; return "SELECT link.write_file('$link', 'bucket/$name', 'x', overwrite => true)" }

set_proxy($node, $fake->{url});

# ---- the server's environment, and the host of a bucket ----

make_link($node, 'environment', 'S3', { creds_mode => 'environment' },
	{ ca_certificate => $fake->{ca}, request_payer => 'requester', storage_class => 'STANDARD_IA' });
$node->safe_psql('postgres', write_to('environment', 'e'));
my $got = arrived($fake);
like($got, qr{^PUT bucket\.s3\.us-east-1\.amazonaws\.com/e .*Credential=AKIAENV/}m, 'environment: its key signs; the bucket is part of the host');
like($got, qr{^PUT .*x-amz-security-token=env-session-token}mi, '... with its session token');
like($got, qr{^PUT .*x-amz-storage-class=STANDARD_IA}mi, 'the storage class');
like($got, qr{^PUT .*x-amz-request-payer=requester}mi, 'who pays');
like($got, qr{^PUT .*SignedHeaders=[^ ]*x-amz-request-payer[^ ]*x-amz-storage-class}mi, '... are signed');

# ---- the machine ----

make_link($node, 'machine', 'S3', { creds_mode => 'instance' }, { ca_certificate => $fake->{ca} });
$node->safe_psql('postgres', write_to('machine', 'm') . ';' . write_to('machine', 'n'));
$got = arrived($fake);
is(times_of($got, qr{^PUT 127\.0\.0\.1:\d+/latest/api/token x-aws-ec2-metadata-token-ttl-seconds}mi), 1, 'machine: IMDSv2, past the proxy, once for two statements');
like($got, qr{^GET \S+/latest/meta-data/iam/security-credentials/machine-role .*imds-token-of-the-machine}m, '... its role');
like($got, qr{^PUT bucket\S+/m .*Credential=ASIAFAKE\d+/}m, '... signs');
like($got, qr{^PUT bucket\S+/n .*x-amz-security-token=fake-session-token-}mi, '... with the session token');

# ---- the pod ----

make_link($node, 'pod', 'S3', { creds_mode => 'eks_irsa' }, { ca_certificate => $fake->{ca} });
$node->safe_psql('postgres', write_to('pod', 'p'));
$got = arrived($fake);
like($got, qr{^POST sts\.us-east-1\.amazonaws\.com/ .*Action=AssumeRoleWithWebIdentity.*RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fpod.*WebIdentityToken=eyJwb2QiOiJ0b2tlbiJ9\.of\.thispod}m,
	'pod: its token is given for the role');
unlike($got, qr{^POST .*authorization=}mi, '... unsigned');
like($got, qr{^PUT bucket\S+/p .*Credential=ASIAFAKE\d+/}m, '... and the role signs');

# ---- a role ----

set_proxy($node, '');
make_link($node, 'role', 'S3', { %keys, role_arn => 'arn:aws:iam::1:role/r', external_id => 'external 7' },
	{ endpoint_url => $fake->{url}, sts_endpoint_url => $fake->{url} });
$node->safe_psql('postgres', join ';', map { write_to('role', $_) } 1 .. 3);
$got = arrived($fake);
is(times_of($got, qr/Action=AssumeRole&/), 1, 'a role is taken on once for three statements');
like($got, qr{^POST .*Credential=AKIASTATIC/\d+/us-east-1/sts/aws4_request.*RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&.*ExternalId=external%207}m, '... as the key of the link');
is(times_of($got, qr{^PUT \S+ .*Credential=ASIAFAKE}m), 3, '... which signs nothing else');

make_link($node, 'short', 'S3', { %keys, role_arn => 'arn:aws:iam::1:role/r' }, { endpoint_url => $short->{url}, sts_endpoint_url => $short->{url} });
is($node->safe_psql('postgres', "SELECT rows FROM link.select_into('SELECT repeat(md5(n::text), 32), pg_sleep(CASE WHEN n % 8000 = 0 THEN 0.8 ELSE 0 END) FROM generate_series(1, 40000) n', 'short', 'bucket/large', overwrite => true)"),
	'40000', 'an export that outlives its credentials');
$got = arrived($short);
cmp_ok(times_of($got, qr/Action=AssumeRole&/), '>', 1, '... has new ones in its middle');
my %signers = map { $_ => 1 } $got =~ m{^PUT \S*partNumber\S* .*Credential=(\w+)/}mg;
cmp_ok(scalar(keys %signers), '>', 1, '... which sign the later parts');

# ---- rights ----

$node->safe_psql('postgres', "CREATE ROLE ann LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO ann; SELECT link.grant_privilege('CREATE', 'public.*', 'ann')");
my $create = "SELECT link.create_link('public.anns', 'S3', '{\"creds_mode\":\"environment\"}', '{}')";
is(sqlstate_of($node, $create, user => 'ann'), '42501', 'the identity of the server needs a right');
$node->safe_psql('postgres', "SELECT link.grant_privilege('AMBIENT', '*.*', 'ann')");
is(sqlstate_of($node, $create, user => 'ann'), '00000', '... which a superuser gives');
$node->safe_psql('postgres', "SELECT link.revoke_privilege('AMBIENT', '*.*', 'ann')");
is(sqlstate_of($node, "SELECT link.read_file('public.anns', 'bucket/e')", user => 'ann'), '42501', '... and takes: also from links that are there');
is(sqlstate_of($node, "SELECT link.create_link('x', 'S3', '{\"creds_mode\":\"$_\"}', '{\"endpoint_url\":\"$fake->{url}\"}')"), '22023', "$_: for the vendor's hosts only")
  for qw(environment instance eks_irsa);
is(sqlstate_of($node, "SELECT link.create_link('x', 'S3', '{\"creds_mode\":\"eks_irsa\"}', '{\"sts_endpoint_url\":\"$fake->{url}\"}')"), '22023', '... STS too');

# ---- what is not told ----

make_link($node, 'refused', 'S3', { %keys, role_arn => 'arn:aws:iam::1:role/r' }, { endpoint_url => $refusing->{url}, sts_endpoint_url => $refusing->{url} });
my $err = '';
$node->psql('postgres', "SELECT link.read_file('refused', 'bucket/refused')", stderr => \$err);
like($err, qr/Refused.*<redacted>/s, 'a server that repeats the session token');
unlike($err, qr/fake-session-token/, '... does not get it into the error');
my $log = slurp_file($node->logfile);
unlike($log, qr/fake-session-token|fake.secret|env.secret|env-session|static.secret|thispod|imds-token/, 'no secret in the log');

# ---- real ones ----

SKIP:
{
	skip 'no TLS', 6 unless $ENV{LINK_S3_TLS_ENDPOINT};
	make_bucket('ssec');
	my $config = { endpoint_url => $ENV{LINK_S3_TLS_ENDPOINT}, ca_certificate => slurp_file($ENV{LINK_S3_CA}),
		'x-amz-server-side-encryption-customer-algorithm' => 'AES256' };
	my %real = (aws_access_key_id => $ENV{LINK_S3_ACCESS_KEY}, aws_secret_access_key => $ENV{LINK_S3_SECRET_KEY});
	make_link($node, "ssec$_", 'S3', { %real, 'x-amz-server-side-encryption-customer-key' => encode_base64($_ x 32, '') }, $config) for 1, 2;
	make_link($node, 'bare', 'S3', \%real, { map { $_ => $config->{$_} } qw(endpoint_url ca_certificate) });
	is($node->safe_psql('postgres', "SELECT link.write_file('ssec1', 'ssec/small', 'hello'); SELECT convert_from(link.read_file('ssec1', 'ssec/small'), 'UTF8')"), "\nhello", 'a key of the customer: there and back');
	isnt(sqlstate_of($node, "SELECT link.read_file('ssec2', 'ssec/small')"), '00000', '... not with another one');
	isnt(sqlstate_of($node, "SELECT link.read_file('bare', 'ssec/small')"), '00000', '... nor without');
	my $rows = "SELECT repeat(md5(n::text), 32) r FROM generate_series(1, 15000) n";
	is($node->safe_psql('postgres', "SELECT rows FROM link.select_into(" . quote($rows) . ", 'ssec1', 'ssec/large')"), '15000', '... in parts');
	is($node->safe_psql('postgres', "CREATE TABLE ssec (t text); SELECT rows FROM link.load_data('ssec1', 'ssec/large', 'ssec'); SELECT md5(string_agg(t, '' ORDER BY t)) = (SELECT md5(string_agg(r, '' ORDER BY r)) FROM ($rows) x) FROM ssec"),
		"15000\nt", '... and back');
	is(sqlstate_of($node, "SELECT link.write_file('ssec1', 'ssec/small', 'x')"), '58P02', '... and no overwrite');
}

SKIP:
{
	skip 'no radosgw with STS', 5 unless $ENV{LINK_S3_STS_ENDPOINT};
	my %real = (aws_access_key_id => $ENV{LINK_S3_ACCESS_KEY}, aws_secret_access_key => $ENV{LINK_S3_SECRET_KEY});
	my $config = { endpoint_url => $ENV{LINK_S3_STS_ENDPOINT}, sts_endpoint_url => $ENV{LINK_S3_STS_ENDPOINT} };
	make_link($node, 'taken', 'S3', { %real, role_arn => $ENV{LINK_S3_STS_ROLE} }, $config);
	make_link($node, 'no_role', 'S3', { %real, role_arn => 'arn:aws:iam:::role/none' }, $config);
	make_link($node, 'not_mine', 'S3', { aws_access_key_id => $ENV{LINK_S3_OTHER_ACCESS_KEY}, aws_secret_access_key => $ENV{LINK_S3_OTHER_SECRET_KEY}, role_arn => $ENV{LINK_S3_STS_ROLE} }, $config);
	make_bucket('taken');
	is($node->safe_psql('postgres', "SELECT link.write_file('taken', 'taken/x', 'hello'); SELECT convert_from(link.read_file('taken', 'taken/x'), 'UTF8')"), "\nhello", 'radosgw: a role writes and reads');
	is($node->safe_psql('postgres', "SELECT rows FROM link.select_into('SELECT repeat(md5(n::text), 32) FROM generate_series(1, 15000) n', 'taken', 'taken/large')"), '15000', '... in parts');
	is(join(' ', sort(bucket_keys('taken'))), 'large x', '... as another client sees');
	is(sqlstate_of($node, "SELECT link.read_file('no_role', 'taken/x')"), '08004', '... a role that is not there');
	is(sqlstate_of($node, "SELECT link.read_file('not_mine', 'taken/x')"), '08004', '... a role of others');
}

done_testing();
