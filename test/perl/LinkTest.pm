# What the TAP tests share: servers with the extension, links to the services
# that test/run.sh started, and the scripted fake of a provider.
package LinkTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  new_node need_s3 s3_config s3_link aws make_bucket bucket_keys uploads_left
  start_fake fake_log sqlstate_of quote
  need_service start_identity make_link set_proxy @INITDB
);

# Of every cluster: texts of tests are UTF-8, whatever locale the machine has.
our @INITDB = (extra => [ '--encoding=UTF8', '--locale=C' ]);

# new_node(NAME, preload => 'shared' | 'session' | '', conf => "lines"): a
# started server with the extension in database postgres and all the services'
# hosts allowed.
sub new_node
{
	my ($name, %arg) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $preload = $arg{preload} // 'session';
	my @hosts = map { $_ ? host_entry($_) : () } @ENV{qw(LINK_S3_ENDPOINT LINK_S3_TLS_ENDPOINT)};

	$node->init(@INITDB, @{ $arg{init} // [] });
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'link'\n")
	  if $preload eq 'shared';
	$node->append_conf('postgresql.conf', "session_preload_libraries = 'link'\n")
	  if $preload eq 'session';
	$node->append_conf('postgresql.conf',
		"link.allowed_hosts = '@hosts http://127.0.0.1'\n"
		  . "link.retry_timeout = '3s'\n"
		  . "link.master_key_file = '" . $node->basedir . "/link_master.key'\n"
		  . ($arg{conf} // ''));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION link');
	return $node;
}

# http://host:port of an endpoint, as link.allowed_hosts wants it.
sub host_entry
{
	my ($url) = @_;
	my ($scheme, $host) = $url =~ m{^(https?)://([^/]+)} or die "no URL: $url";
	return $scheme eq 'http' ? "http://$host" : $host;
}

# Ends the test file unless the S3 server runs: a skip, or a failure where
# LINK_TEST_REQUIRE asks for everything.
sub need_s3
{
	return if $ENV{LINK_S3_ENDPOINT};
	BAIL_OUT('no S3 server, and LINK_TEST_REQUIRE=all')
	  if ($ENV{LINK_TEST_REQUIRE} // '') eq 'all';
	plan skip_all => 'no S3 server: run test/run.sh';
}

# The same for a service of test/services that test/run.sh starts: need_service('azurite').
sub need_service
{
	my ($name) = @_;
	return if " $ENV{LINK_SERVICES} " =~ / \Q$name\E /;
	BAIL_OUT("no $name, and LINK_TEST_REQUIRE=all")
	  if ($ENV{LINK_TEST_REQUIRE} // '') eq 'all';
	plan skip_all => "no $name: run test/run.sh";
}

# make_link(NODE, NAME, TYPE, {CREDENTIALS}, {CONFIG})
sub make_link
{
	my ($node, $name, $type, $credentials, $config) = @_;
	$node->safe_psql('postgres', sprintf('SELECT link.create_link(%s, %s, %s, %s)',
			map { quote($_) } $name, $type, map { JSON::PP::encode_json($_ // {}) } $credentials, $config));
}

# set_proxy(NODE, URL): link.http_proxy of all sessions from now on; '' for none.
sub set_proxy
{
	my ($node, $url) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET link.http_proxy = '$url'");
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW link.http_proxy', $url) or die 'no reload';
}

sub s3_config
{
	my (%more) = @_;
	my %config = (region => 'us-east-1', endpoint_url => $ENV{LINK_S3_ENDPOINT}, %more);
	return '{' . join(',', map { my $v = $config{$_}; $v =~ s/([\\"])/\\$1/g; $v =~ s/\n/\\n/g; qq("$_":"$v") } sort keys %config) . '}';
}

# s3_link(NODE, NAME, key => ..., secret => ..., config => JSON)
sub s3_link
{
	my ($node, $name, %arg) = @_;
	my $key = $arg{key} // $ENV{LINK_S3_ACCESS_KEY};
	my $secret = $arg{secret} // $ENV{LINK_S3_SECRET_KEY};
	my $config = $arg{config} // s3_config();

	$node->safe_psql('postgres', sprintf('SELECT link.create_link(%s, %s, %s, %s)', map { quote($_) } $name, 'S3',
			qq({"aws_access_key_id":"$key","aws_secret_access_key":"$secret"}), $config));
}

# SQL string literal.
sub quote
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return $text =~ /\\/ ? " E'" . ($text =~ s/\\/\\\\/gr) . "'" : "'$text'";
}

# The independent client: aws(ARGUMENT...) gives its standard output.
sub aws
{
	local %ENV = (
		%ENV,
		AWS_ACCESS_KEY_ID => $ENV{LINK_S3_ACCESS_KEY},
		AWS_SECRET_ACCESS_KEY => $ENV{LINK_S3_SECRET_KEY},
		AWS_DEFAULT_REGION => 'us-east-1',
		AWS_EC2_METADATA_DISABLED => 'true',
		AWS_CONFIG_FILE => '/dev/null',
		AWS_SHARED_CREDENTIALS_FILE => '/dev/null',
		HOME => $ENV{LINK_WORK} // '/tmp');
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'aws', '--endpoint-url', $ENV{LINK_S3_ENDPOINT}, @_ ], '>', \$out, '2>', \$err)
	  or die "aws @_: $err";
	return $out;
}

sub make_bucket
{
	my ($bucket) = @_;
	aws('s3api', 'create-bucket', '--bucket', $bucket);
}

# Keys in a bucket, a list.
sub bucket_keys
{
	my ($bucket) = @_;
	return grep { $_ ne 'None' }
	  split /\s+/, aws('s3api', 'list-objects-v2', '--bucket', $bucket, '--query', 'Contents[].Key', '--output', 'text');
}

# Multipart uploads in progress.
sub uploads_left
{
	my ($bucket) = @_;
	return grep { $_ ne 'None' }
	  split /\s+/, aws('s3api', 'list-multipart-uploads', '--bucket', $bucket, '--query', 'Uploads[].Key', '--output', 'text');
}

# start_fake(SCRIPT): the scripted fake S3 server (test/services/fake_s3.py) with
# a JSON list of faults; gives (endpoint URL, stop, log file). Ended with the test.
my @fakes;

sub start_fake
{
	my ($faults) = @_;
	my $log = $PostgreSQL::Test::Utils::tmp_check . '/fake_' . scalar(@fakes) . '.log';
	unlink $log;				# of another test file
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'python3', '-u', 'test/services/fake_s3.py', $log, $faults // '[]' ],
		'<', \$in, '>', \$out);
	my $tries = 200;
	until ($out =~ /^port (\d+)$/m) { $run->pump_nb; select(undef, undef, undef, 0.05); die 'the fake did not start' unless $tries-- }
	my ($port) = $out =~ /^port (\d+)$/m;
	push @fakes, $run;
	return ("http://127.0.0.1:$port", sub { $run->kill_kill }, $log);
}

# start_identity(SETTINGS): test/services/fake_identity.py; gives a hash with url,
# log, and ca, the certificate of all vendors' hosts that it pretends to be as a proxy.
sub start_identity
{
	my (%settings) = @_;
	my $base = $PostgreSQL::Test::Utils::tmp_check . '/identity_' . scalar(@fakes);
	my $names = join ',', map { "DNS:$_" } map { ("$_.amazonaws.com", "*.$_.amazonaws.com") } qw(s3.us-east-1 sts.us-east-1 s3.eu-west-1 sts.eu-west-1);
	system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', "$base.key", '-out', "$base.pem",
		'-days', '2', '-subj', '/CN=vendor', '-addext',
		"subjectAltName=$names,DNS:acct1.blob.core.windows.net,DNS:storage.googleapis.com");
	unlink "$base.log";
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'python3', '-u', 'test/services/fake_identity.py', "$base.log", JSON::PP::encode_json(\%settings),
			"$base.pem", "$base.key" ], '<', \$in, '>', \$out);
	my $tries = 200;
	until ($out =~ /^port (\d+)$/m) { $run->pump_nb; select(undef, undef, undef, 0.05); die 'the fake did not start' unless $tries-- }
	my ($port) = $out =~ /^port (\d+)$/m;
	push @fakes, $run;
	return { url => "http://127.0.0.1:$port", log => "$base.log", ca => slurp_file("$base.pem") };
}

sub fake_log
{
	my ($log) = @_;
	return -e $log ? slurp_file($log) : '';
}

# The SQLSTATE that a statement ends with ('00000' if it succeeds).
sub sqlstate_of
{
	my ($node, $sql, %arg) = @_;
	my $err = '';
	$node->psql($arg{db} // 'postgres', "\\set VERBOSITY verbose\n$sql", stderr => \$err,
		extra_params => $arg{user} ? [ '-U', $arg{user} ] : []);
	return $err =~ /^(?:psql:[^\n]*)?ERROR:  ([0-9A-Z]{5}):/m ? $1 : '00000';
}

END
{
	my $status = $?;
	eval { $_->kill_kill } for @fakes;
	$? = $status;
}

1;
