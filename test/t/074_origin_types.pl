# Credentials go to the place they were given for and nowhere else, for every type of
# link (SECURITY 14 to 16, 21 to 24, 26): whatever a holder of USE, ALTER, CREATE,
# AMBIENT or ownership types, a server redirects to, the environment of the server
# says, or a name server answers. The listener that waits for them is an allowed host,
# so nothing but these rules protects. The same for S3 alone: 070_network.pl.

use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use LinkNetwork qw(allow_hosts arrived new_arrivals sql_call start_kafka_recorder start_recorder start_with_hosts);
use LinkTest;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use SecretHunt;
use Test::More;
use Time::HiRes qw(sleep);

need_service('kerberos');

my $outside = PostgreSQL::Test::Utils::tempdir;
my $token = 'ya29.' . random_word(40);
my @role = ('ASIA' . random_word(16), random_word(40), random_word(60));

# Who would like to have what is sent, and where the links lead.
my $evil = start_recorder(token => $token, role => \@role);
my $good = start_recorder(token => $token, role => \@role, location => $evil->{url});
my ($evil_kafka, $good_kafka) = (start_kafka_recorder(), start_kafka_recorder());
my @evil = ($evil, $evil_kafka);

#
# The links: credentials, where they lead, what shows that they were sent there.
#

system_or_bail('openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', "$outside/rsa.pem");
my $account = { type => 'service_account', client_email => 'me@project.iam.example', private_key => slurp_file("$outside/rsa.pem"),
	private_key_id => 'k1', token_uri => "$evil->{url}/token", auth_uri => $evil->{url}, universe_domain => 'localhost' };
my %secret = (account_key => encode_base64(random_word(48), ''), sig => random_word(30) . '/+' . random_word(10) . '=', client_secret => random_word(20) . '/+' . random_word(20),
	hmac => random_word(40), private_key => substr($account->{private_key}, 100, 600), aws => random_word(40), delegation => random_word(60), password => random_word(30),
	bearer => $token, role_secret => $role[1], role_token => $role[2]);
my $forms = all_forms(%secret);

sub encoded { my ($text) = @_; return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }
my $sas = 'sv=2020-12-06&sr=c&sp=rwl&se=2099-01-01T00%3A00%3A00Z&sig=' . encoded($secret{sig});
my %keytab = (kerberos_principal => $ENV{LINK_KERBEROS_PRINCIPAL}, kerberos_keytab => $ENV{LINK_KERBEROS_KEYTAB});
my %sasl = ('security.protocol' => 'sasl_plaintext', 'operation.timeout.ms' => 3000);
my %azure = (account_name => 'acct1');

# config is called with a listener; proof is what it then records; origin: keys of
# CREDENTIALS that belong to the origin, another value each; read: what uses the link
my %links = (
	azure_key => { type => 'AZURE', credentials => { %azure, account_key => $secret{account_key} }, origin => { account_name => 'evil' },
		config => sub { (endpoint_url => "$_[0]{url}/acct1") }, proof => qr/authorization: SharedKey acct1:/i },
	azure_sas => { type => 'AZURE', credentials => { %azure, sas_token => $sas }, origin => { account_name => 'evil' },
		config => sub { (endpoint_url => $_[0]{url}) }, proof => qr/&sig=/ },
	azure_entra => { type => 'AZURE', credentials => { %azure, tenant_id => 'tenant', client_id => 'me', client_secret => $secret{client_secret} },
		origin => { account_name => 'evil', tenant_id => 'evil', creds_mode => 'managed_identity' },
		config => sub { (endpoint_url => $_[0]{url}, token_endpoint_url => $_[0]{url}) }, proof => qr/client_secret=.*^authorization: Bearer/mis },
	gcs_hmac => { type => 'GCS', credentials => { access_id => 'GOOG1', secret_key => $secret{hmac} }, origin => { creds_mode => 'instance' },
		config => sub { (endpoint_url => $_[0]{url}) }, proof => qr/authorization: AWS4-HMAC-SHA256 Credential=GOOG1/i },
	gcs_account => { type => 'GCS', credentials => { service_account_key => JSON::PP::encode_json($account) }, origin => { creds_mode => 'instance' },
		config => sub { (endpoint_url => $_[0]{url}, token_endpoint_url => "$_[0]{url}/token") }, proof => qr/assertion=.*^authorization: Bearer/mis },
	s3_role => { type => 'S3', credentials => { aws_access_key_id => 'AKIAORIGIN', aws_secret_access_key => $secret{aws}, role_arn => 'arn:aws:iam::1:role/r' },
		origin => { role_arn => 'arn:aws:iam::2:role/evil', creds_mode => 'anonymous' },
		config => sub { (endpoint_url => $_[0]{url}, sts_endpoint_url => $_[0]{url}, region => 'us-east-1') },
		proof => qr/Credential=AKIAORIGIN.*Credential=\Q$role[0]\E/s },
	hdfs_token => { type => 'HDFS', credentials => { delegation_token => $secret{delegation} }, path => '/p/',
		config => sub { (webhdfs_url => $_[0]{url}) }, proof => qr/[?&]delegation=/ },
	hdfs_kerberos => { type => 'HDFS', credentials => \%keytab, path => '/p/',
		# the realm knows localhost
		config => sub { (webhdfs_url => "http://localhost:$_[0]{port}", 'hadoop.security.authentication' => 'kerberos') }, proof => qr/authorization: Negotiate YI/i },
	kafka_plain => { type => 'KAFKA', credentials => { 'sasl.username' => 'me', 'sasl.password' => $secret{password} }, path => 't', kafka => 1,
		config => sub { ('bootstrap.servers' => $_[0]{at}, %sasl, 'sasl.mechanism' => 'PLAIN') }, proof => qr/\0me\0/ },
	kafka_scram => { type => 'KAFKA', credentials => { 'sasl.username' => 'scrammer', 'sasl.password' => $secret{password} }, path => 't', kafka => 1,
		config => sub { ('bootstrap.servers' => $_[0]{at}, %sasl, 'sasl.mechanism' => 'SCRAM-SHA-512') }, proof => qr/n=scrammer,r=/ });
my @names = sort keys %links;

# The environment of the server: proxies and a .netrc for every host, and whatever the
# vendors' own libraries take credentials from.
my $canary = 'canary' . random_word(20);
append_to_file("$outside/.netrc", "default login $canary password $canary\n");
append_to_file("$outside/google.json", JSON::PP::encode_json({ %$account, client_email => $canary }));
append_to_file("$outside/credentials", "[default]\naws_access_key_id=$canary\naws_secret_access_key=$canary\n");
append_to_file("$outside/hadoop_token", $canary);
chmod 0600, map { "$outside/$_" } '.netrc', 'google.json', 'credentials', 'hadoop_token';
my %environment = (HOME => $outside, KRB5CCNAME => "FILE:$outside/default.cc", KRB5_CLIENT_KTNAME => $ENV{LINK_KERBEROS_KEYTAB},
	GOOGLE_APPLICATION_CREDENTIALS => "$outside/google.json", AWS_SHARED_CREDENTIALS_FILE => "$outside/credentials",
	HADOOP_TOKEN_FILE_LOCATION => "$outside/hadoop_token", AWS_PROFILE => 'default', HADOOP_PROXY_USER => $canary,
	map({ ($_ => $evil->{url}) } qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 STORAGE_EMULATOR_HOST
		AWS_CONTAINER_CREDENTIALS_FULL_URI IDENTITY_ENDPOINT MSI_ENDPOINT AZURE_AUTHORITY_HOST)),
	GCE_METADATA_HOST => $good->{at}, map({ ($_ => $good->{url}) } qw(AWS_EC2_METADATA_SERVICE_ENDPOINT AZURE_POD_IDENTITY_AUTHORITY_HOST)),
	map({ ($_ => $canary) } qw(AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_TENANT_ID AZURE_STORAGE_ACCOUNT
		AZURE_STORAGE_KEY AZURE_STORAGE_SAS_TOKEN AZURE_STORAGE_CONNECTION_STRING GOOGLE_OAUTH_ACCESS_TOKEN HADOOP_USER_NAME MSI_SECRET)));
my $node;
{
	local %ENV = (%ENV, %environment);
	delete @ENV{qw(no_proxy NO_PROXY)};
	# a ticket for whoever looks there
	IPC::Run::run([ 'kinit', 'alice' ], '<', \"$ENV{LINK_KERBEROS_PASSWORD}\n", '>', \my $out) or die 'kinit';
	$node = new_node('origin', conf => "link.allowed_hosts = 'http://127.0.0.1 http://localhost'\nlink.retry_timeout = 0\n"
		  . "link.file_roots = '$ENV{LINK_KERBEROS_FOLDER}, $outside/files'\nlink.fs_roots = '$outside/roots'\nlink.log_use = 'all'\n");
}

sub run_sql { return LinkNetwork::run_sql($node, @_) }
sub json { return JSON::PP->new->canonical->encode($_[0]) }
sub listener { my ($name, $which) = @_; return $links{$name}{kafka} ? ($which eq 'evil' ? $evil_kafka : $good_kafka) : ($which eq 'evil' ? $evil : $good) }
sub config_of { my ($name, $which, %more) = @_; return json({ $links{$name}{config}->(listener($name, $which)), max_retries => 0, %more }) }
sub create_sql { my ($name, $which, @more) = @_; return sql_call('create_link', $name, $links{$name}{type}, json($links{$name}{credentials}), config_of($name, $which), @more) }
sub use_sql { my ($name, $path) = @_; return sql_call('list_files', $name, $path // $links{$name}{path} // 'b/p/') }
# Kafka lets nobody in here, in words of its own.
sub works { my ($name, $said) = @_; return $links{$name}{kafka} ? $said =~ /ERROR:  08004:/ : $said !~ /ERROR/ }

# The SQLSTATEs of the errors, in order.
sub states { my ($said) = @_; return join ' ', $said =~ /ERROR:  (\w{5}):/g }

# No listener of theirs has got anything since the last question.
sub nothing_arrived
{
	my ($what) = @_;
	is(new_arrivals(@evil), '', "$what: nothing arrives where it should not");
}

$node->safe_psql('postgres', q{
	CREATE ROLE owner1 LOGIN; CREATE ROLE altering LOGIN; CREATE ROLE user1 LOGIN; CREATE ROLE borrowing LOGIN;
	SELECT link.grant_privilege('CREATE', 'public.*', 'owner1'), link.grant_privilege('CREATE, AMBIENT', '*.*', 'borrowing'),
		link.grant_privilege('ALTER, USE', 'public.*', 'altering'), link.grant_privilege('USE', 'public.*', 'user1');
	GRANT CREATE ON SCHEMA public TO owner1, borrowing});

#
# Every way to lead a link elsewhere, by its owner and by a holder of ALTER.
#

foreach my $name (@names)
{
	my $link = $links{$name};
	# a keytab is the server's: its owner borrows it
	my $owner = $name eq 'hdfs_kerberos' ? 'borrowing' : 'owner1';
	is(states(run_sql(create_sql($name, 'good'), user => $owner)), '', "$name: made");
	ok(works($name, run_sql(use_sql($name), user => 'user1')), "$name: used");
	like(new_arrivals(listener($name, 'good')), $link->{proof}, "$name: its credentials go where they should");

	my %elsewhere = $link->{config}->(listener($name, 'evil'));
	my %here = $link->{config}->(listener($name, 'good'));
	my @keys = grep { $elsewhere{$_} ne $here{$_} } sort keys %here;
	my $required = $link->{type} eq 'HDFS' ? '(?:42501|22023)' : '42501';
	my $to_evil = config_of($name, 'evil');
	my @without = (
		[ sql_call('alter_link', $name, 'config => ' . quote($to_evil), "credentials => '{}'"), '22023' ],
		# some of the credentials, without the secret
		[ sql_call('alter_link', $name, 'config => ' . quote($to_evil), 'credentials => ' . quote(json({ map { $_ => $link->{credentials}{$_} }
			grep { !/key$|keytab|token|secret|password/ } keys %{ $link->{credentials} } }))), '22023' ],
		[ sql_call('create_link', $name, $link->{type}, undef, $to_evil, 'or_replace => true'), '22023' ],
		[ sql_call('execute', "CREATE OR REPLACE LINK $name AS $link->{type} CONFIG '$to_evil'"), '22023' ]);
	my @attempts = (
		(map { [ sql_call('set_link_config', $name, $_, $elsewhere{$_}), '42501' ], [ sql_call('set_link_config', $name, $_, undef), $required ] } @keys),
		(map { [ sql_call('set_link_credential', $name, $_, $link->{origin}{$_}), '42501' ], [ sql_call('set_link_credential', $name, $_, undef), '42501' ] }
			sort keys %{ $link->{origin} }),
		[ sql_call('set_link_config', $name, 'ca_certificate', "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), '42501' ],
		[ sql_call('set_link_config', $name, 'hosts', listener($name, 'evil')->{at}), '42501' ],
		[ sql_call('alter_link', $name, 'config => ' . quote($to_evil)), '42501' ],
		[ sql_call('execute', "ALTER LINK $name SET CONFIG '$to_evil'"), '42501' ],
		[ sql_call('execute', "ALTER LINK $name SET CONFIG ::$keys[0] = '$elsewhere{$keys[0]}'"), '42501' ],
		$name eq 'hdfs_token' ? () : @without,
		[ sql_call('create_link', $name, 'FS', undef, '{"root":"/tmp"}', 'or_replace => true'), '22023' ]);
	push @attempts, [ sql_call('set_link_config', $name, 'webhdfs_url', json([ $here{webhdfs_url}, $elsewhere{webhdfs_url} ])), '42501' ] if $link->{type} eq 'HDFS';
	push @attempts, map { [ sql_call('set_link_config', $name, @$_), '42501' ] } [ 'bootstrap.servers', "$here{'bootstrap.servers'},$elsewhere{'bootstrap.servers'}" ],
	  [ 'security.protocol', 'plaintext' ], [ 'security.protocol', 'sasl_ssl' ], [ 'sasl.mechanism', $name =~ /plain/ ? 'SCRAM-SHA-256' : 'PLAIN' ],
	  [ 'sasl.mechanism', undef ], [ 'ssl.ca.pem', 'x' ], [ 'ssl.ca.location', '/etc/ssl' ], [ 'ssl.key.location', '/etc/hostname' ]
	  if $link->{kafka};
	foreach my $role ($owner, 'altering')
	{
		# who holds AMBIENT gets further, to the rule about origins
		my $said = run_sql(join(";\n", (map { $_->[0] } @attempts), use_sql($name)), user => $role);
		my $expected = join ' ', (map { $_->[1] } @attempts), $link->{kafka} ? '08004' : ();
		like(states($said), qr/^$expected$/, "$name, $role: each is refused, and the link works as before") or diag($said);
	}
	nothing_arrived($name);

	# What is allowed takes the credentials away.
	if ($name eq 'hdfs_token')
	{
		foreach my $attempt (@without)
		{
			is(states(run_sql("$attempt->[0];\n" . use_sql($name), user => 'altering')), '', "$name: led elsewhere without credentials");
			unlike(new_arrivals($evil), qr/delegation|authorization/i, "$name: so without the old ones");
			run_sql(create_sql($name, 'good', 'or_replace => true'), user => $owner);
		}
	}
	my %other = (%{ $link->{credentials} }, map { /secret|password|delegation/ ? ($_ => random_word(30)) : () } keys %{ $link->{credentials} });
	$other{account_key} = encode_base64(random_word(30), '') if $other{account_key};
	$other{sas_token} = 'sv=1&sig=' . random_word(30) if $other{sas_token};
	next if $name =~ /hdfs_kerberos|gcs_account/;	# it is one's own file, one's own key
	ok(works($name, run_sql(sql_call('alter_link', $name, 'config => ' . quote($to_evil), 'credentials => ' . quote(json(\%other))) . ";\n" . use_sql($name), user => 'altering')),
		"$name: led elsewhere with other credentials");
	my $got = new_arrivals(listener($name, 'evil'));
	like($got, $link->{proof}, "$name: which are sent there");
	# tokens are the listener's own
	is(secrets_in($forms, $got) =~ s/\b(?:bearer|role_token) ?//gr, '', "$name: without the old ones");
	is(states(run_sql(create_sql($name, 'good', 'or_replace => true'), user => $owner)), '', "$name: as it was");
}
unlike(new_arrivals($good, $good_kafka), qr/computeMetadata|metadata\/identity|latest\//, 'no link with credentials of its own asks for those of the machine');

#
# USE: paths that name another host, or look as if they did.
#

my ($gp, $ep, $gk, $ek) = ($good->{port}, $evil->{port}, $good_kafka->{port}, $evil_kafka->{port});
foreach my $path ("hdfs://localhost:$ep/p/", "webhdfs://localhost:$ep/p/", "swebhdfs://localhost:$ep/p/", "http://localhost:$ep/p/", "hdfs://127.0.0.1\@localhost:$ep/p/",
	"hdfs://localhost:$ep#127.0.0.1/p/", "hdfs://localhost:$ep?127.0.0.1/p/", "hdfs://127.0.0.1.localhost:$ep/p/", "hdfs://127.0.0.1,localhost:$ep/p/", "hdfs://:$ep/p/", "hdfs:///p/",
	"//localhost:$ep/p/", "HDFS://localhost:$ep/p/", "hdfs://[::1]:$ep/p/", "hdfs://2130706433:$ep/p/")
{
	like(states(run_sql(use_sql('hdfs_token', $path), user => 'user1')), qr/^(?:42501|22023)$/, "hdfs_token: no path $path");
}
# the port of a path is that of another protocol
ok(works('hdfs_token', run_sql(use_sql('hdfs_token', "$_://127.0.0.1:$ep/p/"), user => 'user1')), "hdfs_token: $_ with the port of another leads where the link does") for qw(hdfs webhdfs);
foreach my $path ("127.0.0.1:$ek/t", "localhost:$ek/t", "127.0.0.1:$gk,127.0.0.1:$ek/t", "127.0.0.1:$ek,127.0.0.1:$gk/t", "127.0.0.1:$gk 127.0.0.1:$ek/t",
	"127.0.0.1:$gk;127.0.0.1:$ek/t", "SASL_PLAINTEXT://127.0.0.1:$ek/t", "127.0.0.1:$gk\@127.0.0.1:$ek/t", "127.0.0.1:$gk#,127.0.0.1:$ek/t", "[::1]:$ek/t", ",127.0.0.1:$ek/t", "127.0.0.1:0$ek/t")
{
	like(states(run_sql(sql_call('list_files', 'kafka_plain', $path), user => 'user1')), qr/^(?:42501|22023)$/, "kafka_plain: no path $path");
	like(states(run_sql("SELECT link.select_into('SELECT 1', 'kafka_plain', " . quote($path) . ')', user => 'user1')), qr/^(?:42501|22023)$/, '... nor to write to');
}
foreach my $name (grep { !/hdfs|kafka/ } @names)
{
	run_sql(join(";\n", map { use_sql($name, "$_/p/"), sql_call('read_file', $name, "$_/x") } "localhost:$ep", "\@localhost:$ep", "#\@localhost:$ep", "//localhost:$ep", "http://localhost:$ep",
			"x\@localhost:$ep/..", ".localhost:$ep", "?\@localhost:$ep", "\\localhost:$ep", "%00\@localhost:$ep"), user => 'user1');
}
nothing_arrived('paths');

#
# Redirects, to a host that is allowed.
#

foreach my $name (@names)
{
	next if $links{$name}{kafka};
	my $slash = $links{$name}{type} eq 'HDFS' ? '/' : '';
	# WebHDFS sends writers on by 307: below
	my @statuses = grep { !$slash || $_ != 307 } 301, 302, 303, 307, 308;
	like(states(run_sql(join(";\n", map { use_sql($name, "${slash}to-$_/p/"), sql_call('read_file', $name, "${slash}to-$_/x"), sql_call('write_file', $name, "${slash}to-$_/x", 'x', 'overwrite => true') } @statuses))),
		qr/^(?:(?:22023|58030|08P01) ?){@{[ 3 * @statuses ]}}$/, "$name: no redirect is followed");
}
nothing_arrived('redirects');
foreach my $name (qw(azure_entra gcs_account s3_role))
{
	my %config = $links{$name}{config}->($good);
	$config{$_} .= '/to-307' for grep { /token|sts/ } keys %config;
	$node->safe_psql('postgres', sql_call('create_link', "${name}_led", $links{$name}{type}, json($links{$name}{credentials}), json({ %config, max_retries => 0 })));
	like(states(run_sql(use_sql("${name}_led", 'b/p/'))), qr/^(?:58030|08004)$/, "$name: nor one of those who give tokens");
}
nothing_arrived('redirects of tokens');

# A datanode elsewhere is where a namenode may lead to, but without the credentials.
foreach my $name (qw(hdfs_token hdfs_kerberos))
{
	new_arrivals($good);
	is(run_sql("SELECT convert_from(link.read_file('$name', '/x'), 'UTF8')", user => 'user1'), 'hello', "$name: a datanode elsewhere");
	like(new_arrivals($good), $links{$name}{proof}, '... for the namenode the credentials');
	my $got = new_arrivals($evil);
	like($got, qr{^GET /webhdfs/v1/x\?op=OPEN}m, '... asked for the bytes');
	unlike($got, qr/negotiate|authorization|delegation|user\.name/i, '... has no credentials');
}

#
# The server's own identity and files.
#

# The environment says who hands out the machine's token, which may go to the vendor's
# hosts only; they are not allowed here.
foreach my $case ([ 'AZURE', { account_name => 'acct1', creds_mode => 'managed_identity' } ], [ 'GCS', { creds_mode => 'instance' } ],
	map { [ 'S3', { creds_mode => $_ } ] } qw(instance environment eks_irsa))
{
	my ($type, $credentials) = @$case;
	my $what = "$type, $credentials->{creds_mode}";
	my @urls = ('endpoint_url', $type eq 'S3' ? 'sts_endpoint_url' : 'token_endpoint_url');
	my $make = sub { return sql_call('create_link', 'public.machine', $type, json($credentials), json({ @_ }), 'or_replace => true') };
	is(states(run_sql($make->(), user => 'owner1')), '42501', "$what: needs AMBIENT");
	is(states(run_sql(join(";\n", map { $make->($_ => $evil->{url}) } @urls), user => 'borrowing')), '22023 22023', "$what: not for other hosts");
	like(states(run_sql(join(";\n", $make->(), (map { sql_call('set_link_config', 'machine', $_, $evil->{url}), sql_call('alter_link', 'machine', 'config => ' . quote(json({ $_ => $evil->{url} }))),
			sql_call('alter_link', 'machine', 'config => ' . quote(json({ $_ => $evil->{url} })), 'credentials => ' . quote(json($credentials))) } @urls), use_sql('azure_key') =~ s/azure_key/machine/r), user => 'borrowing')),
		qr/^42501 42501 22023 42501 42501 22023 (?:08001|08004|58030)$/, "$what: nor later");
	is(states(run_sql(sql_call('alter_link', 'machine', 'config => ' . quote(json({ endpoint_url => $evil->{url} })), 'credentials => ' . quote(json($credentials))), user => 'altering')),
		'42501', "$what: nor by a holder of ALTER");
	$node->safe_psql('postgres', "SELECT link.drop_link('machine')");
}
nothing_arrived('identity of the server');

# Files: below link.file_roots, links resolved; which others there are is not told.
mkdir "$outside/$_" for qw(files secret roots);
append_to_file("$outside/secret/key", "not yours\n");
append_to_file("$outside/files/key", "a key\n");
symlink "$outside/secret/key", "$outside/files/led";
symlink "$outside/secret", "$outside/files/folder";
my %tls = ('bootstrap.servers' => $good_kafka->{at}, 'security.protocol' => 'ssl', 'operation.timeout.ms' => 1000);
my @files = ("$outside/secret/key", "$outside/secret/none", "$outside/files/led", "$outside/files/folder/key", "$outside/files/../secret/key", "$outside/files", $node->data_dir . '/PG_VERSION');
foreach my $key (qw(ssl.key.location ssl.certificate.location ssl.ca.location))
{
	my @said = map { run_sql(sql_call('create_link', 'public.file', 'KAFKA', '{}', json({ %tls, $key => $_ })), user => 'borrowing') } @files;
	is(join(' ', map { states($_) } @said), join(' ', ('42501') x @files), "$key: no file outside link.file_roots");
	is(scalar(keys %{ { map { s/\(.*|LINE .*|.*SELECT.*//r => 1 } map { /(ERROR.*)/ } @said } }), 1, '... and all are told alike');
	is(states(run_sql(sql_call('create_link', 'public.file', 'KAFKA', '{}', json({ %tls, $key => "$outside/files/key" })), user => 'owner1')), '42501', '... one inside needs AMBIENT');
	is(states(run_sql(sql_call('create_link', 'public.file', 'KAFKA', '{}', json({ %tls, $key => "$outside/files/key" }), 'or_replace => true'), user => 'borrowing')), '', '... which is enough');

	# there is nothing sealed, but the key is the server's
	is(states(run_sql(join(";\n", sql_call('set_link_config', 'file', 'bootstrap.servers', $evil_kafka->{at}), sql_call('set_link_config', 'file', 'hosts', $evil_kafka->{at}),
			sql_call('set_link_config', 'file', 'security.protocol', 'plaintext'), sql_call('set_link_config', 'file', 'client.id', 'me')), user => 'altering')),
		'42501 42501 42501', '... without it the link cannot be led elsewhere');

	# what lay inside when the link was made, and does not any more
	rename "$outside/files/key", "$outside/files/kept";
	symlink "$outside/secret/key", "$outside/files/key";
	is(states(run_sql("SELECT link.list_files('file', '')", user => 'user1')), '42501', '... looked at at each use');
	unlink "$outside/files/key";
	rename "$outside/files/kept", "$outside/files/key";
	$node->safe_psql('postgres', "SELECT link.drop_link('file')");
}
is(states(run_sql(sql_call('create_link', 'public.file', 'HDFS', json({ %keytab, kerberos_keytab => $_ }), config_of('hdfs_kerberos', 'good')), user => 'borrowing')), '42501', "no keytab $_") for @files;

# FS: the root, and what lies in it.
mkdir "$outside/roots/a";
append_to_file("$outside/roots/a/x", 'inside');
symlink $node->data_dir, "$outside/roots/data";
symlink "$outside/secret", "$outside/roots/led";
symlink "$outside/secret/key", "$outside/roots/a/file";
symlink "$outside/secret", "$outside/roots/a/folder";
symlink 'x', "$outside/roots/a/beside";
sub fs_sql { my ($root, @more) = @_; return sql_call('create_link', 'public.fs', 'FS', '{}', json({ root => $root }), @more) }
is(states(run_sql(fs_sql($_), user => 'borrowing')), '42501', "FS: no root $_") for "$outside/secret", "$outside/roots/led", "$outside/roots/data", "$outside/roots/../secret", $outside, $node->data_dir, '/';
is(states(run_sql(fs_sql($node->data_dir))), '42501', 'FS: the data directory not even for superusers');
is(states(run_sql(fs_sql("$outside/roots/a"), user => 'owner1')), '42501', 'FS: needs AMBIENT');
is(states(run_sql(fs_sql("$outside/roots/a"), user => 'borrowing')), '', 'FS: made');
is(states(run_sql(join(";\n", sql_call('set_link_config', 'fs', 'root', "$outside/roots"), sql_call('alter_link', 'fs', 'config => ' . quote(json({ root => "$outside/roots" }))),
		fs_sql("$outside/roots", 'or_replace => true')), user => 'altering')), '42501 42501 42501', 'FS: a holder of ALTER cannot move its root');
is(run_sql("SELECT convert_from(link.read_file('fs', 'x'), 'UTF8')", user => 'user1'), 'inside', 'FS: read');
foreach my $path (qw(file folder/key beside ../secret/key folder/../x))
{
	unlike(my $said = run_sql(join(";\n", "SELECT convert_from(link.read_file('fs', '$path'), 'UTF8')", "SELECT link.write_file('fs', '$path', 'mine', overwrite => true)"), user => 'user1'),
		qr/not yours|inside/, "FS: nothing is read through $path");
	like(states($said), $path eq 'beside' || $path eq 'file' ? qr/^\w{5}\b/ : qr/^\w{5} \w{5}$/, '... and it is an error');
}
unlike(run_sql("SELECT * FROM link.list_files('fs', '**')", user => 'user1'), qr/key/, 'FS: nor listed');
is(slurp_file("$outside/secret/key"), "not yours\n", 'FS: nor written');
rename "$outside/roots/a", "$outside/roots/kept";
symlink "$outside/secret", "$outside/roots/a";
is(states(run_sql("SELECT link.read_file('fs', 'key')", user => 'user1')), '42501', 'FS: a root that was changed into a link');

#
# The environment.
#

# All that was sent above was sent with it.
unlike(arrived($good, $good_kafka, @evil), qr/canary|netrc|Basic|Proxy-|\Q@{[ encode_base64($canary, '') ]}\E/i, 'nothing of the environment was sent');
new_arrivals($good);
$node->safe_psql('postgres', sql_call('create_link', 'simple', 'HDFS', '{"user":"me"}', json({ webhdfs_url => "http://localhost:$gp" })));
is(states(run_sql(sql_call('list_files', 'simple', '/p/'))), '', 'HDFS with simple authentication');
unlike(new_arrivals($good), qr/negotiate|authorization/i, '... does not prove itself by the ticket in the default cache');
$node->safe_psql('postgres', sql_call('create_link', 'alice', 'HDFS', json({ %keytab, kerberos_principal => "alice\@$ENV{LINK_KERBEROS_REALM}" }), config_of('hdfs_kerberos', 'good')));
is(states(run_sql(sql_call('list_files', 'alice', '/p/'))), '08004', 'a principal that the keytab does not know');
is(new_arrivals($good), '', '... though the default cache has a ticket for it');
ok(!-e "$outside/keys", 'no file yet');
{
	local %ENV = (%ENV, %environment, SSLKEYLOGFILE => "$outside/keys");
	$node->restart;
}
like(run_sql(use_sql($_)), qr/ERROR:  08001:.*SSLKEYLOGFILE/, "$_: not with SSLKEYLOGFILE") for @names;
ok(!-e "$outside/keys", 'no keys are written');
is(new_arrivals($good, $good_kafka), '', 'nor is anything sent');
$node->restart;

#
# The rows themselves, by a superuser who means well or badly.
#

foreach my $name (@names)
{
	my %elsewhere = $links{$name}{config}->(listener($name, 'evil'));
	my %here = $links{$name}{config}->(listener($name, 'good'));
	my ($other) = grep { $_ ne $name && $links{$_}{type} eq $links{$name}{type} } @names;
	$other //= 'azure_key';
	my @edits = (
		(map { "config = config || jsonb_build_object('$_', '$elsewhere{$_}')" } grep { $elsewhere{$_} ne $here{$_} } sort keys %here),
		(map { "config = config - '$_'" } grep { $elsewhere{$_} ne $here{$_} } sort keys %here),
		'config = config || \'{"ca_certificate":"x"}\'', 'config = config || \'{"hosts":["localhost"]}\'',
		"credentials = (SELECT credentials FROM link.link WHERE name = '$other')", 'id = DEFAULT', "type = 'FS', config = '{\"root\":\"/tmp\"}'",
		'credentials = set_byte(credentials, length(credentials) - 20, get_byte(credentials, length(credentials) - 20) # 1)');
	push @edits, map { "config = config || '$_'" } '{"security.protocol":"plaintext"}', '{"sasl.mechanism":"SCRAM-SHA-256"}', '{"ssl.ca.pem":"x"}', '{"ssl.ca.location":"/etc/ssl"}' if $links{$name}{kafka};
	my $said = run_sql(join ";\n", map { ('BEGIN', "UPDATE link.link SET $_ WHERE name = '$name'", use_sql($name), 'ROLLBACK') } @edits);
	is(states($said), join(' ', ('XX001') x @edits), "$name: an edited row does not open") or diag($said);
	ok(works($name, run_sql(use_sql($name))), "$name: as it was it does");
}
nothing_arrived('edited rows');

#
# A name whose address changes.
#

SKIP:
{
	# both ports of the links, at another address
	my @moved = map { IO::Socket::INET->new(Listen => 32, LocalAddr => '127.0.0.2', LocalPort => $_, Blocking => 0) } $gp, $gk;
	my @moving = grep { $_ ne 'hdfs_kerberos' } @names;	# the realm knows localhost alone
	my $hosts = !(grep { !$_ } @moved) && start_with_hosts($node);
	skip 'no mount namespaces here, or no 127.0.0.2', 2 * @moving + 3 unless $hosts;
	append_to_file($hosts, "127.0.0.1 shifty.test\n");
	allow_hosts($node, 'http://.test http://127.0.0.1');
	foreach my $name (@moving)
	{
		my $listener = listener($name, 'good');
		my %config = $links{$name}{config}->({ %$listener, url => "http://shifty.test:$listener->{port}", at => "shifty.test:$listener->{port}" });
		$node->safe_psql('postgres', sql_call('create_link', $name, $links{$name}{type}, json($links{$name}{credentials}), json({ %config, max_retries => 0, $links{$name}{kafka} ? ('operation.timeout.ms' => 1000) : () }), 'or_replace => true'));
	}
	new_arrivals($good, $good_kafka);
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	$psql->query(use_sql($_)) for @moving;
	my $got = new_arrivals($good, $good_kafka);
	like($got, $links{$_}{proof}, "$_: a name whose address is allowed") for @moving;
	truncate $hosts, 0;
	append_to_file($hosts, "127.0.0.2 shifty.test\n");
	$psql->query('DISCARD ALL');
	foreach my $name (@moving)
	{
		$psql->{stderr} = '';
		$psql->query(use_sql($name));
		like($psql->{stderr}, $links{$name}{kafka} ? qr/ERROR.*transport/ : qr/ERROR.*loopback address 127\.0\.0\.2 is not allowed/, "$name: when it moves, it does not work");
	}
	run_sql(join ";\n", map { use_sql($_) } @moving);
	sleep 0.3;
	is(join(' ', grep { $_->accept } @moved), '', 'and nobody is connected to');
	allow_hosts($node, 'http://shifty.test');
	foreach my $n (0, 1)
	{
		$node->psql('postgres', "SET statement_timeout = '1s'; " . use_sql($n ? 'kafka_plain' : 'azure_key'));
		isnt($moved[$n]->accept, undef, 'control: with the name itself allowed, somebody comes');
	}
	$psql->quit;
	$node->stop;
	$node->start;
	allow_hosts($node, 'http://127.0.0.1 http://localhost');
}

#
# Control: the listener would have seen it.
#

nothing_arrived('all that');
foreach my $name (@names)
{
	$node->safe_psql('postgres', create_sql($name, 'evil', 'or_replace => true'));
	run_sql(use_sql($name));
	like(new_arrivals(listener($name, 'evil')), $links{$name}{proof}, "control: credentials of $name that are meant for the listener arrive there");
}
is(secrets_in($forms, arrived(@evil)), 'bearer client_secret delegation password role_token sig', 'control: all that is ever sent is found there in some form');

is(files_with($forms, $node->basedir), '', 'no secret in any file of the server');
unlike(slurp_file($node->logfile), qr/PANIC|server process .* was terminated by signal|TRAP/, 'the server was never away but when told');
done_testing();
