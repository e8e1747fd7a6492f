# The secrets of every type of link are nowhere, nor is what is derived from them: not
# in a log, not in the raw bytes of the data directory, not in a dump, a view, an error
# or pg_stat_activity; whether the link works, fails, or leads to a server that repeats
# in its errors all that it was told. S3's key alone, and more ways to type it:
# 020_secret_hunt.pl.

use strict;
use warnings;
use IPC::Run ();
use JSON::PP ();
use LinkNetwork qw(arrived sql_call start_kafka_recorder start_recorder);
use LinkTest;
use LinkWire;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use SecretHunt;
use Test::More;

need_service('kafka');
need_service('kerberos');

#
# The secrets.
#

my $folder = PostgreSQL::Test::Utils::tempdir;
my $key_password = random_word(20) . '+/' . random_word(10);
system_or_bail('openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', "$folder/rsa.pem");
system_or_bail('openssl', 'pkcs8', '-topk8', '-in', $ENV{LINK_KAFKA_CLIENT_KEY}, '-out', "$folder/client.pem", '-passout', "pass:$key_password");
my $account = { type => 'service_account', client_email => 'me@project.iam.example', private_key_id => 'k1', private_key => slurp_file("$folder/rsa.pem") };
my $client_key = slurp_file("$folder/client.pem");
sub line_of { my ($text) = @_; return (split /\n/, $text)[7] }
my ($keytab_key) = `klist -K -k $ENV{LINK_KERBEROS_KEYTAB}` =~ /\(0x([0-9a-f]{32,})\)/ or die 'no key in the keytab';

# Those that are typed, and in which they are.
my %typed = (account_key => encode_base64(random_word(48), ''), 'sas_token' => random_word(30) . '/+' . random_word(10) . '=', client_secret => random_word(20) . '/+' . random_word(20),
	service_account_key => line_of($account->{private_key}), secret_key => random_word(40), aws_secret_access_key => random_word(20) . '/+' . random_word(20), aws_session_token => random_word(60) . '/+==',
	customer_key => encode_base64(random_word(32), ''), delegation_token => random_word(60), 'sasl.password' => random_word(20) . '/+' . random_word(20), long_password => random_word(320),
	'ssl.key.pem' => line_of($client_key), 'ssl.key.password' => $key_password);
# Those that are not: what servers hand out, files, what the rotation below brings.
my %derived = (bearer => 'ya29.' . random_word(40), role_secret => random_word(40), role_token => random_word(60) . '/+=', keytab => pack('H*', $keytab_key),
	broker_password => $ENV{LINK_KAFKA_PASSWORD}, client_key => line_of(slurp_file($ENV{LINK_KAFKA_CLIENT_KEY})), rotated => random_word(30) . '+/' . random_word(10) . '=');
my $forms = all_forms(%typed, %derived);

sub encoded { my ($text) = @_; return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }
sub sas { my ($signature) = @_; return 'sv=2020-12-06&sr=c&sp=rwl&se=2099-01-01T00%3A00%3A00Z&sig=' . encoded($signature) }
sub json { return JSON::PP->new->canonical->encode($_[0]) }

my $topic = 'hunt_' . lc random_word(12);
my $datanode = start_recorder();
my $server = start_recorder(location => $datanode->{url}, token => $derived{bearer}, role => [ 'ASIA' . random_word(16), @derived{qw(role_secret role_token)} ]);
my $broker = start_kafka_recorder();
my %url = (endpoint_url => $server->{url}, max_retries => 0);

# NAME => [ type, CREDENTIALS, CONFIG, path, the secret that is typed and its key ]. Where
# credentials go to somebody who gives tokens: the keys of CONFIG that say to whom.
my %azure = (account_name => 'acct1');
my %sasl = ('bootstrap.servers' => $broker->{at}, 'security.protocol' => 'sasl_plaintext', 'sasl.mechanism' => 'PLAIN', 'operation.timeout.ms' => 3000);
my %aws = (aws_access_key_id => 'AKIAHUNT', aws_secret_access_key => $typed{aws_secret_access_key});
my %links = (
	azure_key => [ 'AZURE', { %azure, account_key => $typed{account_key} }, \%url, 'b/', 'account_key' ],
	azure_sas => [ 'AZURE', { %azure, sas_token => sas($typed{sas_token}) }, \%url, 'b/', 'sas_token' ],
	azure_entra => [ 'AZURE', { %azure, tenant_id => 'tenant', client_id => 'me', client_secret => $typed{client_secret} },
		{ %url, token_endpoint_url => $server->{url} }, 'b/', 'client_secret', 'token_endpoint_url' ],
	gcs_hmac => [ 'GCS', { access_id => 'GOOG1', secret_key => $typed{secret_key} }, \%url, 'b/', 'secret_key' ],
	gcs_account => [ 'GCS', { service_account_key => json($account) }, { %url, token_endpoint_url => "$server->{url}/token" }, 'b/', 'service_account_key', 'token_endpoint_url' ],
	s3_session => [ 'S3', { %aws, aws_session_token => $typed{aws_session_token} }, \%url, 'b/', 'aws_session_token' ],
	s3_customer => [ 'S3', { %aws, 'x-amz-server-side-encryption-customer-key' => $typed{customer_key} },
		{ %url, 'x-amz-server-side-encryption-customer-algorithm' => 'AES256' }, 'b/', 'x-amz-server-side-encryption-customer-key' ],
	s3_role => [ 'S3', { %aws, role_arn => 'arn:aws:iam::1:role/r' }, { %url, sts_endpoint_url => $server->{url} }, 'b/', 'aws_secret_access_key', 'sts_endpoint_url' ],
	hdfs_token => [ 'HDFS', { delegation_token => $typed{delegation_token} }, { webhdfs_url => $server->{url}, max_retries => 0 }, '/b/', 'delegation_token' ],
	hdfs_kerberos => [ 'HDFS', { kerberos_principal => $ENV{LINK_KERBEROS_PRINCIPAL}, kerberos_keytab => $ENV{LINK_KERBEROS_KEYTAB} },
		{ webhdfs_url => "http://localhost:$server->{port}", 'hadoop.security.authentication' => 'kerberos', max_retries => 0 }, '/b/' ],
	kafka_echo => [ 'KAFKA', { 'sasl.username' => 'me', 'sasl.password' => $typed{'sasl.password'} }, \%sasl, $topic, 'sasl.password' ],
	# so long that librdkafka cuts what the broker says in the middle of it
	kafka_long => [ 'KAFKA', { 'sasl.username' => 'm' x 250, 'sasl.password' => $typed{long_password} }, \%sasl, $topic, 'sasl.password' ],
	kafka_tls => [ 'KAFKA', { 'ssl.key.pem' => $client_key, 'ssl.key.password' => $typed{'ssl.key.password'}, 'ssl.certificate.pem' => slurp_file($ENV{LINK_KAFKA_CLIENT_CERT}) },
		{ 'bootstrap.servers' => $ENV{LINK_KAFKA_SSL}, 'security.protocol' => 'ssl', 'ssl.ca.pem' => slurp_file($ENV{LINK_KAFKA_CA}) }, $topic, 'ssl.key.pem' ],
	kafka_key => [ 'KAFKA', { 'ssl.key.pem' => $client_key, 'ssl.key.password' => $typed{'ssl.key.password'} },
		{ 'bootstrap.servers' => $ENV{LINK_KAFKA_SSL}, 'security.protocol' => 'ssl' }, $topic, 'ssl.key.password' ],
	map({ ("kafka_$_" => [ 'KAFKA', { 'sasl.username' => $ENV{LINK_KAFKA_USER}, 'sasl.password' => $ENV{LINK_KAFKA_PASSWORD} }, { 'bootstrap.servers' => $ENV{LINK_KAFKA_SASL_SSL},
			'security.protocol' => 'sasl_ssl', 'sasl.mechanism' => { plain => 'PLAIN', scram => 'SCRAM-SHA-512' }->{$_}, 'ssl.ca.pem' => slurp_file($ENV{LINK_KAFKA_CA}) }, $topic, 'sasl.password' ]) } qw(plain scram)));

#
# What is typed.
#

# Statements about one link, each a session of its own, with "ANSWER" in front if who
# types it is shown it again; and for the extended protocol, with the values to bind.
sub statements
{
	my ($name) = @_;
	my ($type, $credentials, $config, undef, $key) = @{ $links{$name} };
	my $secret = $key && $credentials->{$key};
	my @create = ($name, $type, json($credentials), json($config));
	my $typed = json($credentials);
	my @simple = (
		sql_call('create_link', @create),
		sql_call('create_link', @create, 'or_replace => true'),
		sql_call('alter_link', $name, 'credentials => ' . quote($typed)),
		sql_call('execute', "ALTER LINK $name SET CREDENTIALS '$typed'"),
		"DO \$do\$ BEGIN PERFORM 1; " . sql_call('create_link', @create, 'or_replace => true') =~ s/SELECT/PERFORM/r . "; END \$do\$",
		'ANSWER EXPLAIN VERBOSE ' . sql_call('create_link', @create),
		# failing
		sql_call('create_link', @create),
		sql_call('create_lnk', @create),
		sql_call('create_link', @create) . ' frm y',
		sql_call('create_link', 'x', $type, $typed . ','),
		sql_call('create_link', 'x', $type, json({ %$credentials, credentals => 1 })),
		sql_call('create_link', 'x', $type, '{}', $typed),
		sql_call('create_link', 'x', $type eq 'FS' ? 'S3' : 'FS', $typed),
		sql_call('create_link', 'x', $type, json({ %$credentials, kerberos_principal => [1] })),
		"SELECT link.read_file('$name', 'no/such'), 1/0, " . quote($typed));
	my @extended = (
		[ 'SELECT link.create_link($1, $2, $3, $4, or_replace => true)', [@create] ],
		[ 'SELECT link.execute($1)', [ "ALTER LINK $name SET CREDENTIALS '$typed'" ] ],
		[ 'SELECT link.create_link($1, $2, $3, $4)', [@create] ],
		[ 'SELECT link.create_link($1, $2, $3)', [ 'x', $type, "$typed," ] ]);
	if ($secret)
	{
		push @simple, sql_call('set_link_credential', $name, $key, $secret),
		  sql_call('set_link_credential', 'nowhere', $key, $secret),
		  sql_call('set_link_credential', $name, $key . 'x', $secret),
		  sql_call('set_link_config', $name, $key, $secret),
		  "SELECT 1/0 AS \"$key\", " . quote($secret),
		  "PREPARE p(text) AS SELECT link.set_link_credential('$name', '$key', \$1); EXECUTE p(" . quote($secret) . ")";
		push @extended, [ 'SELECT link.set_link_credential($1, $2, $3)', [ $name, $key, $secret ] ],
		  [ 'SELECT link.set_link_credential($1, $2, $3)', [ 'nowhere', $key, $secret ] ];
	}
	return (\@simple, \@extended);
}

# Types all of it, or so many of each list; gives what was answered, and what another
# session saw in pg_stat_activity after each statement.
sub type_all
{
	my ($node, $most) = @_;
	my $watcher = LinkWire->new($node);
	my ($said, $shown) = ('', '');
	my $look = sub { $shown .= $watcher->query("SELECT query FROM pg_stat_activity WHERE pid = $_[0]{pid}") };

	foreach my $name (sort keys %links)
	{
		my ($simple, $extended) = statements($name);
		$_ = [ splice @$_, 0, $most // @$_ ] foreach $simple, $extended;
		foreach my $sql (@$simple)
		{
			my $session = LinkWire->new($node);
			my $answer = $session->query($sql =~ s/^ANSWER //r);
			$said .= $answer unless $sql =~ /^ANSWER/;
			$look->($session);
			$session->close;
		}
		foreach my $case (@$extended)
		{
			my $session = LinkWire->new($node);
			$session->prepare('', $case->[0]);
			$session->execute('', $case->[1]);
			$said .= $session->sync;
			$look->($session);
			$session->close;
		}
	}
	$watcher->close;
	return ($said, $shown);
}

#
# What servers say.
#

my $node;
sub say_sql { my ($sql) = @_; my ($out, $err); $node->psql('postgres', "\\set VERBOSITY verbose\n$sql;\n", stdout => \$out, stderr => \$err, on_error_stop => 0); return $out . $err }

# Each operation of a link that the server refuses in the words of the request.
sub refused_uses
{
	my ($name, $bucket) = @_;
	my $slash = $links{$name}[0] eq 'HDFS' ? '/' : '';
	return (sql_call('list_files', $name, "$slash$bucket/p/"), sql_call('read_file', $name, "$slash$bucket/x"), sql_call('write_file', $name, "$slash$bucket/x", 'x', 'overwrite => true'),
		"SELECT * FROM link.check_link('$name', '$slash$bucket/')");
}

$node = new_node('types', preload => '', conf => loud_settings() . "shared_preload_libraries = 'pg_stat_statements, auto_explain, link'\n"
	  . "link.allowed_hosts = 'http://127.0.0.1 http://localhost'\nlink.retry_timeout = 0\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements');
my ($said, $shown) = type_all($node);
unlike($said, qr/WARNING/, 'no session is warned');
is($node->safe_psql('postgres', q{SELECT string_agg(link, ' ' ORDER BY link COLLATE "C") FROM link.links}), join(' ', sort keys %links), 'the links are made');
is(secrets_in($forms, $said), '', 'no answer and no error of what was typed holds a secret');
is(secrets_in($forms, $shown), '', 'nothing is left in pg_stat_activity');

# A SAS token that is changed while it is used: the new one is no more told than the old.
my $slow = LinkWire->new($node);
$slow->send_message('Q', "SELECT link.select_into('SELECT CASE WHEN n = 1 THEN pg_sleep(5.5)::text ELSE repeat(md5(n::text), 30) END FROM generate_series(1, 2000) n', 'azure_sas', 'echo-plain/rotated')\0");
$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $slow->{pid}") or die;
$node->safe_psql('postgres', sql_call('set_link_credential', 'azure_sas', 'sas_token', sas($derived{rotated})));

# What works.
my $out = '';
IPC::Run::run([ 'bash', '-c', '. test/lib.sh; . test/services/kafka.sh; kafka_topic "$1"', 'topic', $topic ], '>', \$out, '2>&1') or die $out;
foreach my $name (sort keys %links)
{
	next if $name =~ /kafka_(?:echo|long|key)/;
	my $path = $links{$name}[3];
	my $answer = say_sql(join ";\n", sql_call('list_files', $name, $path), $path eq $topic ? "SELECT rows FROM link.select_into('SELECT 1', '$name', '$topic')" : sql_call('read_file', $name, "${path}x"));
	unlike($answer, qr/ERROR/, "$name works");
	$said .= $answer;
}
my $sent = arrived($server);
my ($spnego) = $sent =~ /authorization: Negotiate (\S+)/i;
my ($assertion) = $sent =~ /assertion=([\w.-]+)/;
my $proofs = all_forms(spnego => substr($spnego, 200), assertion => $assertion);

# What is refused, in several forms; as an error, and as a page of some proxy.
foreach my $name (sort keys %links)
{
	my ($type, $credentials, $config, undef, undef, @tokens) = @{ $links{$name} };
	next if $type eq 'KAFKA';
	foreach my $form (qw(plain base64 url lower))
	{
		my $answer = say_sql(join ";\n", map { refused_uses($name, "$_-$form") } 'echo', 'page');
		like($answer, qr/ERROR.*Refused/s, "$name, $form: refused");
		like($answer, qr/Refused[^\n]*<redacted>/, '... in the words of the request, without the secrets') if $name !~ /azure_key|gcs_hmac/;
		$said .= $answer;
	}
	foreach my $key (@tokens)
	{
		foreach my $how ((map { ("echo-$_", "page-$_") } qw(plain base64 url lower)), map { "give-$_" } qw(200 201 400 500))
		{
			$node->safe_psql('postgres', sql_call('create_link', 'token', $type, json($credentials), json({ %$config, $key => "$server->{url}/$how" })));
			my $answer = say_sql(sql_call('list_files', 'token', 'b/p/'));
			like($answer, $how =~ /echo/ ? qr/ERROR.*Refused/s : qr/ERROR/, "$name, no token: $how");
			$said .= $answer;
			$node->safe_psql('postgres', "SELECT link.drop_link('token')");
		}
	}
}
foreach my $name (qw(kafka_echo kafka_long kafka_key))
{
	my $answer = say_sql(join ";\n", sql_call('list_files', $name, $topic), "SELECT link.select_into('SELECT 1', '$name', '$topic')", "SELECT * FROM link.check_link('$name')");
	like($answer, $name eq 'kafka_echo' ? qr/ERROR:  08004:.*Refused[^\n]*<redacted>/s : qr/ERROR/, "$name: refused");
	$said .= $answer;
}
$node->safe_psql('postgres', sql_call('set_link_credential', 'kafka_scram', 'sasl.password', $typed{'sasl.password'}));
$said .= my $wrong = say_sql(sql_call('list_files', 'kafka_scram', $topic));
like($wrong, qr/ERROR:  08004/, 'kafka_scram: a wrong password');
$node->safe_psql('postgres', sql_call('set_link_credential', 'kafka_tls', 'ssl.key.password', $typed{'sasl.password'}));
$said .= $wrong = say_sql(sql_call('list_files', 'kafka_tls', $topic));
like($wrong, qr/ERROR/, 'kafka_tls: a wrong password of the key');
my $rotated = $slow->answer;
$slow->close;
like($rotated, qr/Refused.*<redacted>/, 'after a rotation: refused');
$said .= $rotated;
like(arrived($server), qr/sig=\Q@{[ encoded($derived{rotated}) ]}\E/, '... with the new token');

is(secrets_in($forms, $said), '', 'no answer and no error holds a secret') or diag(join "\n", grep { secrets_in($forms, $_) } split /\n/, $said);
is(secrets_in($proofs, $said), '', 'nor what proves them');

#
# Where else it could be.
#

my $all = $node->safe_psql('postgres', q{
	SELECT * FROM link.links; SELECT * FROM link.link; SELECT * FROM link.privileges; SELECT * FROM link.status(); SELECT * FROM link.stat_links;
	SELECT link.show_create_link(link) FROM link.links; SELECT * FROM link.show_links(); SELECT * FROM link.execute('SHOW FULL LINKS');
	SELECT * FROM pg_stat_statements; SELECT * FROM pg_stat_activity});
like($all, qr/<redacted>/, 'the links are shown');
my ($dump, $err);
IPC::Run::run([ 'pg_dumpall', '-h', $node->host, '-p', $node->port ], '>', \$dump, '2>', \$err) or die $err;
like($dump, qr/COPY link\.link /, 'and dumped');
is(secrets_in($forms, $all . $dump), '', 'without secrets');
$node->safe_psql('postgres', 'CHECKPOINT');
is(files_with($forms, $node->basedir), '', 'no file of the running server holds a secret');
is(files_with($proofs, $node->basedir), '', 'nor what proves one');
$node->stop;
is(files_with($forms, $node->basedir), '', 'no file holds one after its end: data, log and WAL');
is(secrets_in($forms, slurp_file($node->logfile)), '', 'nor does what the server said before its log began');
foreach my $file (server_logs($node))
{
	my $log = slurp_file($file);
	like($log, qr/statement with credentials left out by link/, "$file says that something was left out");
	like($log, qr/Refused/, '... and why a use failed');
	unlike($log, qr/PANIC|TRAP|terminated by signal/, '... and of no crash');
}

#
# The controls: the servers have had the secrets; and without our library what is typed
# does end up everywhere.
#

is(secrets_in($forms, arrived($server, $broker)), 'aws_session_token bearer client_secret customer_key delegation_token long_password role_token rotated sas_token sasl.password', 'control: all that is sent has been repeated');
my $control = new_node('control', preload => '', conf => loud_settings() . "shared_preload_libraries = 'pg_stat_statements, auto_explain'\n");
$control->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements');
my ($control_said, $control_shown) = type_all($control, 8);
my @all_typed = sort(keys %typed, 'broker_password');
is(secrets_in($forms, $control_shown), join(' ', @all_typed), 'control: without preload pg_stat_activity shows all that is typed');
$control->stop;
is(secrets_in($forms, join '', map { slurp_file($_) } (server_logs($control))[0]), join(' ', @all_typed), 'and so does the log');

done_testing();
