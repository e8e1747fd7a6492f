# Every key of every type has its effect (SQL 5), or is refused where it is
# dangerous, misplaced or malformed. The keys are taken from the tables in src/ and
# from what the library itself lists: a key without a case below is a failure.
#
# What links ask for is recorded by test/services/fake_identity.py, which plays all
# hosts; what librdkafka is given, by a library that is preloaded into the server.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha256_base64 hmac_sha256_hex sha256_hex);
use IO::Socket::INET;
use JSON::PP ();
use LinkTest;
use MIME::Base64 qw(decode_base64 decode_base64url encode_base64);
use PostgreSQL::Test::Utils;
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time);

my $dir = PostgreSQL::Test::Utils::tempdir;
my @types = qw(S3 GCS AZURE HDFS KAFKA FS);
my @http = qw(S3 GCS AZURE HDFS);

sub file { my ($name, $text) = @_; append_to_file("$dir/$name", $text); return "$dir/$name" }
sub json { return JSON::PP->new->canonical->encode($_[0]) }

# ---- what there is ----

# The tables of src/: $table{TYPE}{KEY} = {clause, type, flags, min, max, values, ambient, unsupported}
sub tables_of
{
	my ($source) = @_;
	my $text = slurp_file($source);
	my %list = map { my ($name, $values) = /(\w+)\[\] = \{(.*)\}/s; $name => [ $values =~ /"([^"]*)"/g ] }
	  $text =~ /static const char \*const (\w+\[\] = \{[^{}]*\})/g;
	my %keys;
	foreach my $body ($text =~ /const LinkOptionDef \w+\[\] = \{\n(.*?)\n\};/sg)
	{
		while ($body =~ /\{"([^"]+)", LINK_(\w+), LINK_OPTION_(\w+)([^{}]*)\}/g)
		{
			my ($key, $clause, $type, $rest) = ($1, $2, $3, $4);
			my %def = (clause => $clause, type => $type, map({ $_ => 1 } $rest =~ /LINK_OPTION_(\w+)/g));
			($def{$_}) = $rest =~ /\.$_ = ([^,]+)/ for qw(min max values ambient_values unsupported_values);
			$def{$_} &&= $list{ $def{$_} } // die "no list $def{$_}" for qw(values ambient_values unsupported_values);
			$keys{$key} = \%def;
		}
	}
	my ($type) = $text =~ /\.type = "(\w+)"/;
	return ($type, \%keys);
}
my (undef, $common) = tables_of('src/catalog/options.c');
my %table = map { my ($type, $keys) = tables_of($_); $type ? ($type => { %$common, %$keys }) : () } glob('src/provider/*/*.c');
is(join(' ', sort keys %table), join(' ', sort @types), 'types that have a table');

# What was shown, as TYPE.KEY or TYPE.creds_mode=VALUE; all that effect() is told of.
# The prototype is for the third: a match that fails is no list without elements.
my %shown;

sub effect($$$;$)
{
	my ($keys, $name, $ok, $seen) = @_;
	ok($ok, "$keys: $name") or diag(($seen // '') =~ s/[^\n -~]/./gr);
	$shown{$_} = 1 for split ' ', $keys;
}

# Another file has the case: NAME is the text of its assertion.
sub elsewhere
{
	my ($keys, $other, $name) = @_;
	effect($keys, "shown by $other: $name", index(slurp_file("test/t/$other"), "$name") >= 0);
}

# ---- the world ----

my $fake = start_identity(token => 'token-of-the-vendor', busy => 'busy');
my $other = start_identity(token => 'token-of-the-other');
my $port = ($fake->{url} =~ /:(\d+)$/)[0];
my $pod = file('pod', "token.of.thepod\n");

IPC::Run::run([ 'cc', '-Wall', '-Werror', '-shared', '-fPIC', '-o', "$dir/kafka_spy.so", 'test/services/kafka_spy.c', '-lrdkafka', '-ldl' ]) or die 'cc';
IPC::Run::run([ 'cc', '-Wall', '-Werror', '-o', "$dir/kafka_mock", 'test/services/kafka_mock.c', '-lrdkafka' ]) or die 'cc';
my ($none, $said) = ('', '');
my $mock = IPC::Run::start([ "$dir/kafka_mock", 'topic', 'gz', 'a.csv', 'b.txt' ], '<', \$none, '>', \$said, '2>', '/dev/null', IPC::Run::timer(120));
$mock->pump until $said =~ /^brokers (\S+)\n/m;
my $brokers = ($said =~ /^brokers (\S+)/m)[0];
END { my $status = $?; $mock->kill_kill if $mock; $? = $status }

foreach my $name (qw(ca client))
{
	IPC::Run::run([ qw(openssl req -x509 -newkey rsa:2048 -days 2 -passout pass:key-password -subj), "/CN=$name", '-keyout', "$dir/$name.key", '-out', "$dir/$name.pem" ], '2>', '/dev/null') or die 'openssl';
}
IPC::Run::run([ qw(openssl rsa -passin pass:key-password -in), "$dir/client.key", '-out', "$dir/plain.key" ], '2>', '/dev/null') or die 'openssl';
chmod 0600, "$dir/plain.key";
mkdir "$dir/root";

my $node;
{
	local %ENV = (%ENV, AWS_ACCESS_KEY_ID => 'AKIAENV', AWS_SECRET_ACCESS_KEY => 'secret-of-the-environment', AWS_SESSION_TOKEN => 'session-of-the-environment',
		AWS_EC2_METADATA_SERVICE_ENDPOINT => $fake->{url}, AWS_ROLE_ARN => 'arn:aws:iam::1:role/pod', AWS_WEB_IDENTITY_TOKEN_FILE => $pod,
		GCE_METADATA_HOST => "127.0.0.1:$port", AZURE_POD_IDENTITY_AUTHORITY_HOST => $fake->{url},
		LINK_KAFKA_SPY => "$dir/spy", LD_PRELOAD => join(' ', grep { $_ } $ENV{LD_PRELOAD}, "$dir/kafka_spy.so"));
	delete $ENV{AWS_CONTAINER_CREDENTIALS_RELATIVE_URI};
	$node = new_node('keys', conf => "link.allowed_hosts = '.amazonaws.com .blob.core.windows.net storage.googleapis.com http://127.0.0.1 127.0.0.1'\n"
		  . "link.fs_roots = '$dir'\nlink.file_roots = '$dir'\n");
}
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub state_of { my ($sql, %arg) = @_; return sqlstate_of($node, $sql, %arg) }

# What a fake was asked since the last such question.
my %seen;
sub arrived
{
	my ($who) = @_;
	my $all = fake_log(($who // $fake)->{log});
	my $new = substr($all, $seen{ ($who // $fake)->{log} } // 0);
	$seen{ ($who // $fake)->{log} } = length $all;
	return $new;
}
sub requests_of { my ($text, $pattern) = @_; return scalar(grep { /$pattern/ } split /\n/, $text) }

# One small link of each type that works.
my $account_key = encode_base64('k' x 64, '');
my %base = (
	S3 => [ { aws_access_key_id => 'AKIABASE', aws_secret_access_key => 'secret-of-the-base' }, { endpoint_url => $fake->{url} } ],
	GCS => [ { access_id => 'GOOGBASE', secret_key => 'secret-of-the-base' }, { endpoint_url => $fake->{url} } ],
	AZURE => [ { account_name => 'acct1', account_key => $account_key }, { endpoint_url => "$fake->{url}/acct1" } ],
	HDFS => [ { user => 'tester' }, { webhdfs_url => $fake->{url} } ],
	KAFKA => [ {}, { 'bootstrap.servers' => $brokers } ],
	FS => [ {}, { root => "$dir/root" } ]);
my %path = ((map { $_ => lc . '/' } qw(S3 GCS AZURE)), HDFS => '/dir/', KAFKA => '', FS => '');
my $links = 0;

# link_of(TYPE, {CREDENTIALS}, {CONFIG}): the base with these keys besides (undef: without); its name.
sub link_of
{
	my ($type, @more) = @_;
	my $name = 'l' . ++$links;
	my @clauses = map { my %clause = (%{ $base{$type}[$_] }, %{ $more[$_] // {} }); delete $clause{$_} for grep { !defined $clause{$_} } keys %clause; \%clause } 0, 1;
	make_link($node, $name, $type, @clauses);
	return $name;
}
sub bare { my ($type, @clauses) = @_; my $name = 'l' . ++$links; make_link($node, $name, $type, @clauses); return $name }
sub put { my ($link, $to, $more) = @_; return "SELECT link.write_file('$link', '$to', 'x'" . ($more // '') . ')' }
sub get { my ($link, $from) = @_; return "SELECT link.read_file('$link', '$from')" }
sub again { return ', overwrite => true' }

# ---- keys of every type ----

foreach my $type (@types)
{
	my $p = $path{$type};
	my $object = $type eq 'KAFKA' ? 'topic' : "${p}in/object";
	my $outside = $type eq 'KAFKA' ? 'topics' : "${p}inside/object";
	my $prefix = $object =~ s{/object}{}r;

	my $link = link_of($type, {}, { path_prefixes => [$prefix] });
	my $inside = state_of(put($link, $object));
	my $out = state_of(put($link, $outside)) . ' ' . state_of(get($link, $outside));
	effect("$type.path_prefixes", 'inside works, outside is refused', "$inside $out" eq '00000 42501 42501', "$inside $out");

	$link = link_of($type, {}, { append_only => JSON::PP::true });
	my $free = link_of($type, {}, { append_only => JSON::PP::false });
	my $states = join ' ', state_of(put($link, $type eq 'KAFKA' ? 'topic' : "${p}in/appended")), state_of(put($link, $object, again())), state_of(put($free, $object, again()));
	effect("$type.append_only", 'writes, and does not overwrite', $states eq '00000 42501 00000', $states);

	if ($type !~ /AZURE|KAFKA/)
	{
		sql(put($free, "${p}suffix/$_")) for qw(a.csv b.txt);
	}
	my ($where, $suffix, $wanted) = $type eq 'AZURE' ? ("${p}**", 'nd', "${p}second") : $type eq 'KAFKA' ? ('*', '.csv', 'a.csv') : ("${p}suffix/", '.csv', "${p}suffix/a.csv");
	my $list = sub { sql("SELECT string_agg(path, ' ') FROM link.list_files('$_[0]', '$where')") };
	my ($all, $some) = ($list->($free), $list->(link_of($type, {}, { suffixes => [ $suffix, '.none' ] })));
	effect("$type.suffixes", 'only these are read', $some eq $wanted && $all ne $wanted && $all =~ /\Q$wanted\E/, "$all | $some");

	# messages are not decompressed at all: each would have to be by itself
	my $to = $type eq 'KAFKA' ? 'gz' : "${p}in/x.gz";
	sql("SELECT link.write_file('$free', '$to', '\\x1f8b0800000000000003cb48cdc9c9e7020020303a3606000000'::bytea" . again() . ')');
	my @read = map { $link = link_of($type, {}, { disable_gunzip => $_ }); my ($out, $err);
		$node->psql('postgres', "SELECT a FROM link.select_from('$link', '$to') AS t(a text)", stdout => \$out, stderr => \$err); "$out$err" } JSON::PP::false, JSON::PP::true;
	effect("$type.disable_gunzip", 'read, and read as it is', $read[0] =~ ($type eq 'KAFKA' ? qr/invalid byte sequence.*0x8b/ : qr/^hello$/) && $read[1] =~ /invalid byte sequence.*0x8b/, "@read");
}

# Only the owner names hosts, and where a path can name one, only those may be.
sql("CREATE ROLE ann LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO ann; SELECT link.grant_privilege('ALTER, USE', 'public.*', 'ann')");
foreach my $type (@types)
{
	my $link = link_of($type);
	my $states = join ' ', map { state_of("SELECT link.set_link_config('$link', '$_->[0]', '$_->[1]')", user => 'ann') } [ 'hosts', '["elsewhere"]' ], [ 'max_retries', '1' ];
	effect("$type.hosts", 'not by whoever may alter', $states eq '42501 00000', $states);
	next unless $type eq 'HDFS' || $type eq 'KAFKA';
	my $there = $type eq 'HDFS' ? 'hdfs://pair:8020/dir/in/object' : 'pair:9092/topic';
	$states = join ' ', map { my $l = link_of($type, {}, { %$_, $type eq 'KAFKA' ? ('operation.timeout.ms' => 1) : () }); state_of(get($l, $there)) } {}, { hosts => ['pair:8020', 'pair:9092'] };
	effect("$type.hosts", 'of a path', $states eq ($type eq 'HDFS' ? '42501 00000' : '42501 08001'), $states);
}

sql("SELECT link.revoke_privilege('ALTER, USE', 'public.*', 'ann')");

# connect_timeout: to a listener whose queue is full, which answers nobody.
{
	my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 0, Type => SOCK_STREAM) or die "listen: $!";
	listen($full, 0);
	my @queued = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 4;
	my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20, Type => SOCK_STREAM) or die "listen: $!";
	foreach my $type (@http, 'KAFKA')
	{
		my $where = sub { my $url = 'http://127.0.0.1:' . $_[0]->sockport; return $type eq 'HDFS' ? (webhdfs_url => $url) : $type eq 'KAFKA' ? ('bootstrap.servers' => $url =~ s{http://}{}r) : (endpoint_url => $url) };
		my $measure = sub { my ($link) = @_; my $start = time; my $state = state_of(get($link, $type eq 'HDFS' ? '/x/y' : $type eq 'KAFKA' ? 'topic' : 'x/y')); return ($state, time - $start) };
		if ($type ne 'KAFKA')
		{
			my ($state, $s) = $measure->(link_of($type, {}, { $where->($full), connect_timeout => 700, max_retries => 0 }));
			effect("$type.connect_timeout", "its ms are waited for", $state eq '08001' && $s > 0.65 && $s < 4, "$state $s");
		}
		my ($state, $s) = $measure->(link_of($type, {}, { $where->($silent), request_timeout => 700, max_retries => 0 }));
		effect("$type.request_timeout", "a silent server is given up after its ms", $state eq ($type eq 'KAFKA' ? '08001' : '58030') && $s > 0.65 && $s < 4, "$state $s");
		next if $type ne 'KAFKA';
		($state, $s) = $measure->(link_of($type, {}, { $where->($silent), request_timeout => 20000, 'operation.timeout.ms' => 700, 'client.id' => 'client-of-the-test' }));
		effect('KAFKA.operation.timeout.ms', 'goes before it', $state eq '08001' && $s > 0.65 && $s < 4, "$state $s");
	}
	my $bytes = '';
	$silent->blocking(0);
	while (my $c = $silent->accept) { $c->blocking(1); sysread $c, $bytes, 65536, length $bytes }
	effect('KAFKA.client.id', 'is what requests say', $bytes =~ /client-of-the-test/, $bytes);
	effect('HDFS.user', 'is what requests say', $bytes =~ /GET \S*user\.name=tester/, $bytes);
}

# max_retries: a server that is busy is asked so many times more.
arrived();
foreach my $type (@http)
{
	foreach my $n (0, 2)
	{
		my $link = link_of($type, {}, { max_retries => $n });
		my $state = state_of(get($link, "$path{$type}busy"));
		my $asked = requests_of(arrived(), qr/^\w+ \S*busy/);
		effect("$type.max_retries", "$n", $state eq '58030' && $asked == $n + 1, "$state after $asked requests");
	}
}

# ---- FS ----

{
	my $link = link_of('FS', {}, { connect_timeout => 1, request_timeout => 1, max_retries => 0, ca_certificate => "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n" });
	effect('FS.connect_timeout FS.request_timeout FS.max_retries FS.ca_certificate', 'a directory is not connected to: nothing is waited for or trusted',
		sql("SELECT link.write_file('$link', 'd/f', 'hello'); SELECT convert_from(link.read_file('$link', 'd/f'), 'UTF8')") eq "\nhello");
	effect('FS.root', 'files lie below it', slurp_file("$dir/root/d/f") eq 'hello');
}

# ---- S3 ----

# The signature that a request should have had, by SigV4, for GET and HEAD of an object.
sub sigv4
{
	my ($line, $secret) = @_;
	my ($method, $host, $path) = $line =~ m{^(\w+) ([^/ ]+)(/\S*) } or return 'no request';
	my ($day, $region, $service, $names) = $line =~ m{Credential=[^/]+/(\d+)/([^/]+)/([^/]+)/aws4_request, *SignedHeaders=([^ ,]+)} or return 'no signature';
	my %value = (host => $host, map { lc } $line =~ / (x-amz-[a-z0-9-]+|range)=(\S+)/gi);
	($value{'x-amz-date'}) = $line =~ /x-amz-date=(\S+)/i;
	($value{'x-amz-security-token'}) = $line =~ /x-amz-security-token=(\S+)/i;
	my $canonical = join "\n", $method, $path, '', (map { "$_:$value{$_}" } split /;/, $names), '', $names, $value{'x-amz-content-sha256'};
	my $key = "AWS4$secret";
	$key = hmac_sha256($_, $key) for $day, $region, $service, 'aws4_request';
	return hmac_sha256_hex(join("\n", 'AWS4-HMAC-SHA256', $value{'x-amz-date'}, "$day/$region/$service/aws4_request", sha256_hex($canonical)), $key);
}
sub signed_by { my ($text, $secret) = @_; my ($line) = $text =~ /^((?:GET|HEAD) .*)$/m; return $line && index($line, 'Signature=' . sigv4($line, $secret)) >= 0 }

my $rows = "SELECT rows FROM link.select_into('SELECT repeat(md5(n::text), 32) FROM generate_series(1, 12000) n', ";
my %static = (aws_access_key_id => 'AKIATEST', aws_secret_access_key => 'secret+of/thetest');
my $got;
{
	sql(put(link_of('S3'), 'bucket/known'));
	arrived();
	my $link = link_of('S3', { %static, aws_session_token => 'session+of/thetest==' }, { region => 'eu-central-1' });
	sql("SELECT link.read_file('$link', 'bucket/known')");
	$got = arrived();
	effect('S3.aws_access_key_id S3.creds_mode=static S3.creds_mode', 'signs', $got =~ m{^GET \S+/bucket/known .*Credential=AKIATEST/}m, $got);
	effect('S3.aws_secret_access_key', 'is what it signs with', signed_by($got, $static{aws_secret_access_key}) && !signed_by($got, 'another'), $got);
	effect('S3.region', 'is in the scope', $got =~ m{Credential=AKIATEST/\d+/eu-central-1/s3/aws4_request}, $got);
	effect('S3.aws_session_token', 'goes along, signed', $got =~ m{x-amz-security-token=session\+of/thetest==}i && $got =~ /SignedHeaders=\S*x-amz-security-token/, $got);
	effect('S3.endpoint_url', 'is where requests go', $got =~ m{^GET 127\.0\.0\.1:$port/bucket/known}m, $got);

	$link = link_of('S3', { %static, role_arn => 'arn:aws:iam::1:role/r', external_id => 'external 7' }, { sts_endpoint_url => $other->{url} });
	sql("SELECT link.read_file('$link', 'bucket/known')");
	my $sts = arrived($other);
	$got = arrived();
	effect('S3.sts_endpoint_url S3.role_arn', 'who is asked for the role', $sts =~ m{^POST .*Credential=AKIATEST/.*Action=AssumeRole&.*RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr(?:&| )}m && $got !~ /Action=/, $sts);
	effect('S3.external_id', 'is told', $sts =~ /&ExternalId=external%207/, $sts);
	effect('S3.role_arn', 'signs', $got =~ m{^GET \S+ .*Credential=ASIAFAKE}m && $got !~ /AKIATEST/, $got);

	$link = link_of('S3', { aws_access_key_id => undef, aws_secret_access_key => undef, creds_mode => 'anonymous' });
	sql("SELECT link.read_file('$link', 'bucket/known')");
	$got = arrived();
	effect('S3.creds_mode=anonymous', 'is not signed', $got =~ m{^GET \S+/bucket/known}m && $got !~ /authorization=|x-amz-/i, $got);
}

# Headers, by what a request does.
my %about = (
	'x-amz-request-payer' => 'put begin part complete get head list delete',
	'x-amz-storage-class' => 'put begin',
	'x-amz-server-side-encryption' => 'put begin',
	'x-amz-server-side-encryption-aws-kms-key-id' => 'put begin',
	map { ("x-amz-server-side-encryption-customer-$_" => 'put begin part get head') } qw(algorithm key key-md5));
my $customer_key = encode_base64('c' x 32, '');

sub what_it_does
{
	my ($line) = @_;
	my ($method, $target) = $line =~ /^(\w+) [^\/]+(\S+)/;
	return $method eq 'POST' ? ($target =~ /uploads/ ? 'begin' : 'complete')
	  : $method eq 'PUT' ? ($target =~ /partNumber/ ? 'part' : 'put')
	  : $method eq 'GET' && $target =~ /list-type/ ? 'list' : $method eq 'GET' && $target eq '/' ? 'service' : lc $method;
}

# Each request of a link with this key has the header if it is of those above, and signs it; no other has it.
sub headers_of
{
	my ($link, $name, $value) = @_;
	arrived();
	sql(put($link, 'bucket/h/small', again()) . ';' . get($link, 'bucket/h/small') . ";SELECT count(*) FROM link.list_files('$link', 'bucket/h/');$rows '$link', 'bucket/h/large', overwrite => true);"
		  . "SELECT link.remove_file('$link', 'bucket/h/small'); SELECT count(*) FROM link.check_link('$link')");
	my (%has, @wrong);
	foreach my $line (split /\n/, arrived())
	{
		my $does = what_it_does($line);
		my $here = $line =~ / \Q$name\E=\Q$value\E /i;
		$has{$does} = 1;
		push @wrong, $line if !!$here != !!(" $about{$name} " =~ / $does /) || $line =~ / \Q$name\E=/i && $line !~ /SignedHeaders=[^ ]*\Q$name\E[;,]/;
	}
	my $done = join ' ', sort keys %has;
	push @wrong, "only: $done" if $done ne 'begin complete delete get head list part put service';
	return join "\n", @wrong;
}
foreach my $case (
	[ 'request_payer', 'x-amz-request-payer', 'requester' ],
	[ 'storage_class', 'x-amz-storage-class', 'STANDARD_IA' ],
	map({ [ 'x-amz-server-side-encryption', 'x-amz-server-side-encryption', $_ ] } @{ $table{S3}{'x-amz-server-side-encryption'}{values} }))
{
	my ($key, $header, $value) = @$case;
	my $wrong = headers_of(link_of('S3', {}, { $key => $value }), $header, $value);
	effect("S3.$key", "$value: on each request that needs it, and no other", $wrong eq '', $wrong);
}
{
	my $wrong = headers_of(link_of('S3', {}, { 'x-amz-server-side-encryption' => 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id' => 'arn:aws:kms:x:1:key/7' }),
		'x-amz-server-side-encryption-aws-kms-key-id', 'arn:aws:kms:x:1:key/7');
	effect('S3.x-amz-server-side-encryption-aws-kms-key-id', 'likewise', $wrong eq '', $wrong);
	my $sse = 'x-amz-server-side-encryption-customer';
	my $link = link_of('S3', { "$sse-key" => $customer_key }, { "$sse-algorithm" => 'AES256', "$sse-key-MD5" => 'md5-as-given==' });
	foreach ([ "$sse-key", $customer_key ], [ "$sse-algorithm", 'AES256' ], [ "$sse-key-MD5", 'md5-as-given==' ])
	{
		$wrong = headers_of($link, lc $_->[0], $_->[1]);
		effect("S3.$_->[0]", 'likewise', $wrong eq '', $wrong);
	}
	my $refused = join ' ', map { state_of(sprintf "SELECT link.create_link('x', 'S3', %s, %s)", map { quote(json($_)) } { %{ $base{S3}[0] }, %{ $_->[0] } }, $_->[1]) }
	  [ { "$sse-key" => $customer_key }, {} ], [ {}, { "$sse-algorithm" => 'AES256' } ], [ {}, { "$sse-key-MD5" => 'x' } ];
	is($refused, '22023 22023 22023', 'the keys of a customer key belong together');
}
{
	my %parts;
	foreach my $mb (5, 8)
	{
		my $link = link_of('S3', {}, $mb == 5 ? { multipart_chunk_size_mb => $mb } : {});
		arrived();
		sql("$rows '$link', 'bucket/parts', overwrite => true)");
		$parts{$mb} = join ' ', map { $_->[1] } sort { $a->[0] <=> $b->[0] } map { [/partNumber=(\d+).*length=(\d+)$/] } grep { /partNumber/ } split /\n/, arrived();
	}
	my $whole = 12000 * 1025;
	effect('S3.multipart_chunk_size_mb', 'bytes of each part but the last', $parts{5} eq '5242880 5242880 ' . ($whole - 2 * 5242880) && $parts{8} =~ /^8388608 /, json(\%parts));
}

# ---- GCS ----

{
	sql(put(link_of('GCS'), 'bucket/known', again()));
	arrived();
	my $link = link_of('GCS', { access_id => 'GOOGTEST', secret_key => 'secret-of-google', creds_mode => 'static' });
	sql(get($link, 'bucket/known'));
	$got = arrived();
	effect('GCS.access_id GCS.creds_mode GCS.creds_mode=static', 'signs', $got =~ m{^GET \S+ .*Credential=GOOGTEST/\d+/auto/s3/}m, $got);
	effect('GCS.secret_key', 'is what it signs with', signed_by($got, 'secret-of-google') && !signed_by($got, 'another'), $got);
	effect('GCS.endpoint_url', 'is where requests go', $got =~ m{^GET 127\.0\.0\.1:$port/bucket/known}m, $got);

	my $private = slurp_file("$dir/plain.key");
	$link = link_of('GCS', { access_id => undef, secret_key => undef, service_account_key => json({ type => 'service_account', client_email => 'me@x', private_key => $private, private_key_id => 'k7' }) },
		{ token_endpoint_url => "$other->{url}/token" });
	sql(get($link, 'bucket/known'));
	my $asked = arrived($other);
	$got = arrived();
	my ($head, $claims, $signature) = $asked =~ /assertion=([\w-]+)\.([\w-]+)\.([\w-]+)/;
	my ($h, $c) = map { JSON::PP::decode_json(decode_base64url($_ // 'e30')) } $head, $claims;
	my $verified = IPC::Run::run([ 'openssl', 'dgst', '-sha256', '-prverify', "$dir/plain.key", '-signature', file('signature', decode_base64url($signature // '')) ], '<', \"$head.$claims", '>', \my $out, '2>&1');
	effect('GCS.service_account_key', 'proves itself', $verified && $h->{kid} eq 'k7' && $c->{iss} eq 'me@x', "$asked $out");
	effect('GCS.token_endpoint_url', 'who is asked', $asked =~ m{^POST \S+/token }m && $c->{aud} eq "$other->{url}/token" && $got !~ /assertion/, $asked);
	effect('GCS.service_account_key', 'the token is used', $got =~ /^GET .*authorization=Bearer token-of-the-other /mi, $got);
}

# ---- AZURE ----

sub shared_key
{
	my ($line, $key) = @_;
	my ($method, $path) = $line =~ m{^(\w+) [^/ ]+(/\S*) } or return 'none';
	my ($date) = $line =~ /x-ms-date=(.*? GMT)/i;
	my ($version) = $line =~ /x-ms-version=(\S+)/i;
	my ($range) = $line =~ / range=(\S+)/i;
	my $mac = hmac_sha256_base64(join("\n", $method, ('') x 10, $range // '', "x-ms-date:$date", "x-ms-version:$version", "/acct1$path"), decode_base64($key));
	return $mac . '=' x (-length($mac) % 4);
}
{
	sql(put(link_of('AZURE'), 'bucket/known', again()));
	arrived();
	my $link = link_of('AZURE', { creds_mode => 'static' });
	sql(get($link, 'bucket/known'));
	$got = arrived();
	my ($line) = $got =~ /^(GET .*)$/m;
	effect('AZURE.account_key AZURE.creds_mode AZURE.creds_mode=static', 'signs', index($line, 'authorization=SharedKey acct1:' . shared_key($line, $account_key)) >= 0
		  || index($line, 'Authorization=SharedKey acct1:' . shared_key($line, $account_key)) >= 0, $got);
	effect('AZURE.endpoint_url', 'is where requests go', $got =~ m{^GET 127\.0\.0\.1:$port/acct1/bucket/known}m, $got);

	my %bare = (account_name => 'acct1', account_key => undef);
	$link = link_of('AZURE', { %bare, sas_token => 'sv=1&sig=signature%3D' });
	sql(get($link, 'bucket/known'));
	$got = arrived();
	effect('AZURE.sas_token', 'is in the query', $got =~ m{^GET \S+/bucket/known\?sv=1&sig=signature%3D }m && $got !~ /authorization=/i, $got);

	$link = link_of('AZURE', { %bare, tenant_id => 'tenant.of.mine', client_id => 'client-7', client_secret => 'client+secret' }, { token_endpoint_url => $other->{url} });
	sql(get($link, 'bucket/known'));
	my $asked = arrived($other);
	$got = arrived();
	effect('AZURE.token_endpoint_url AZURE.tenant_id', 'who is asked', $asked =~ m{^POST \S+/tenant\.of\.mine/oauth2/v2\.0/token }m && $got !~ /grant_type/, $asked);
	effect('AZURE.client_id AZURE.client_secret', 'and told', $asked =~ /&client_id=client-7&client_secret=client%2Bsecret /, $asked);
	effect('AZURE.client_secret', 'the token is used', $got =~ /^GET .*authorization=Bearer token-of-the-other /mi, $got);
}

# ---- HDFS ----

{
	my $link = link_of('HDFS', {}, { replication => 2, block_size => 2097152 });
	arrived();
	sql(put($link, '/dir/known', again()));
	$got = arrived();
	effect('HDFS.webhdfs_url', 'is where requests go', $got =~ m{^PUT 127\.0\.0\.1:$port/webhdfs/v1/dir/\S*op=CREATE}m, $got);
	effect('HDFS.replication', 'of the file', $got =~ m{op=CREATE\S*&replication=2(?:&| )}, $got);
	effect('HDFS.block_size', 'of the file', $got =~ m{op=CREATE\S*&blocksize=2097152(?:&| )}, $got);
	effect('HDFS.user', 'who asks', requests_of($got, qr/^\w+ \S+[?&]user\.name=tester/) == requests_of($got, qr/./), $got);
	$link = link_of('HDFS', {}, { webhdfs_url => [ 'http://127.0.0.1:1', $fake->{url} ] });
	effect('HDFS.webhdfs_url', 'the next one, if one does not answer', state_of(get($link, '/dir/known')) eq '00000');
	arrived();
	$link = link_of('HDFS', { user => undef, delegation_token => 'delegation+token' }, { 'hadoop.security.authentication' => 'kerberos' });
	sql(get($link, '/dir/known'));
	$got = arrived();
	effect('HDFS.delegation_token', 'on all that the namenode is asked', $got =~ /op=OPEN/ && requests_of($got, qr/delegation=delegation%2Btoken/) == requests_of($got, qr/./) && $got !~ /user\.name/, $got);
	my %refused = map { my ($name, $c, $k) = @$_; $name => state_of(sprintf "SELECT link.create_link('x', 'HDFS', %s, %s)", map { quote(json($_)) } $c, { webhdfs_url => $fake->{url}, %$k }) }
	  [ 'kerberos needs a proof', { user => 'x' }, { 'hadoop.security.authentication' => 'kerberos' } ],
	  [ 'simple takes none', { kerberos_keytab => "$dir/pod", kerberos_principal => 'x' }, { 'hadoop.security.authentication' => 'simple' } ],
	  [ 'a principal needs its keytab', { kerberos_principal => 'x' }, { 'hadoop.security.authentication' => 'kerberos' } ],
	  [ 'and is the user', { kerberos_keytab => "$dir/pod", kerberos_principal => 'x', user => 'y' }, { 'hadoop.security.authentication' => 'kerberos' } ];
	effect('HDFS.hadoop.security.authentication', "$_", $refused{$_} eq '22023', $refused{$_}) for sort keys %refused;
	elsewhere('HDFS.hadoop.security.authentication HDFS.kerberos_keytab HDFS.kerberos_principal', '085_hdfs.pl', "'proven', 'Kerberos');");
	elsewhere('HDFS.kerberos_keytab', '085_hdfs.pl', "'a stale keytab');");
	elsewhere('HDFS.kerberos_principal', '085_hdfs.pl', "'42501', 'another principal');");
}

# ---- KAFKA ----

my ($properties) = run_command([ "$dir/kafka_mock" ]);
my (@properties, %alias);
while ($properties =~ /^([a-z][\w.]+) +\|(?:.*Alias for `([^`]+)`)?/mg)
{
	# a name may be one of the client's and, with another meaning, an alias of topics
	next if grep { $_ eq $1 } @properties;
	push @properties, $1;
	$alias{$1} = $2 if $2;
}
cmp_ok(scalar(@properties), '>', 100, 'properties of librdkafka');

# The configuration of the first client of that kind that the statement made.
sub clients_of
{
	my ($link, $sql) = @_;
	unlink "$dir/spy";
	my $state = state_of($sql);
	my %client = (state => $state);
	foreach my $text (split /\n\n/, -e "$dir/spy" ? slurp_file("$dir/spy") : '')
	{
		my ($kind, @lines) = split /\n/, $text;
		my %conf;
		foreach (@lines) { my ($name, $value) = split /=/, $_, 2; $conf{$name} //= $value }
		$client{$kind} //= \%conf;
	}
	return %client;
}
my $kafka_write = sub { my ($link) = @_; return clients_of($link, put($link, 'topic')) };
my $kafka_read = sub { my ($link) = @_; return clients_of($link, "SELECT count(*) FROM link.list_files('$link', '*')") };

# Key => [value, property if of another name, its value if another]; of both kinds of client, or of one.
my %both = (
	'client.id' => ['other-client'], 'broker.address.family' => ['v4'], 'socket.timeout.ms' => [54321], 'socket.keepalive.enable' => [ JSON::PP::true, undef, 'true' ],
	'metadata.max.age.ms' => [123456], 'message.max.bytes' => [2000001], 'retry.backoff.ms' => [77], connect_timeout => [ 4321, 'socket.connection.setup.timeout.ms' ],
	'bootstrap.servers' => [$brokers]);
my %producer = (
	'message.timeout.ms' => [240000], 'request.timeout.ms' => [23456], 'linger.ms' => [7], 'batch.size' => [654321], 'batch.num.messages' => [4321], 'compression.codec' => ['lz4'],
	'compression.level' => [3], partitioner => ['fnv1a'], 'transaction.timeout.ms' => [500000], max_retries => [ 9, 'message.send.max.retries' ]);
my %consumer = (
	'fetch.message.max.bytes' => [1234567], 'fetch.min.bytes' => [2], 'fetch.wait.max.ms' => [321], 'isolation.level' => ['read_uncommitted']);

# given(LINK WITH THE KEYS, LINK WITHOUT, READ OR WRITE, KIND, KEYS): each is in the one's client, and another value in the other's.
sub given
{
	my ($with, $without, $kind, $keys, %other) = @_;
	foreach my $key (sort keys %$keys)
	{
		my ($value, $property, $text) = @{ $keys->{$key} };
		$property //= $key;
		$text //= $value;
		$text =~ s/\n/\\n/g;
		my @got = map { $_->{$kind}{ $alias{$property} // $property } // '(none)' } $with, $without;
		effect("KAFKA.$key", "of a $kind: $property", $got[0] eq $text && ($got[1] ne $text || $other{same}), "$text: @got");
	}
}
{
	my $with = link_of('KAFKA', {}, { map { my $keys = $_; map { $_ => $keys->{$_}[0] } keys %$keys } \%both, \%producer, \%consumer });
	my $without = link_of('KAFKA');
	my @write = map { +{ $kafka_write->($_) } } $with, $without;
	my @read = map { +{ $kafka_read->($_) } } $with, $without;
	is(join(' ', map { $_->{state} } @write, @read), '00000 00000 00000 00000', 'librdkafka takes them all');
	delete $both{'bootstrap.servers'};
	given(@$_, \%both) for [ @write, 'producer' ], [ @read, 'consumer' ];
	given(@write, 'producer', \%producer);
	given(@read, 'consumer', \%consumer);
	effect('KAFKA.bootstrap.servers', 'which brokers', $read[0]{consumer}{'metadata.broker.list'} eq $brokers && $write[0]{producer}{'metadata.broker.list'} eq $brokers);

	my %id = map { $_ => { $kafka_write->(link_of('KAFKA', {}, { transactional => $_ ? JSON::PP::true : JSON::PP::false })) } } 0, 1;
	effect('KAFKA.transactional', 'a transaction or none', $id{1}{producer}{'transactional.id'} =~ /^link-/ && ($id{0}{producer}{'transactional.id'} // '') eq '' && "$id{0}{state} $id{1}{state}" eq '00000 00000', json(\%id));
	my $retries = { $kafka_write->(link_of('KAFKA', {}, { max_retries => 0 })) };
	effect('KAFKA.max_retries', 'one at least, for idempotence', $retries->{state} eq '00000' && $retries->{producer}{'message.send.max.retries'} eq '1');

	# what no link of ours does without, whatever its keys
	my %fixed = (producer => { 'enable.idempotence' => 'true', 'request.required.acks' => '-1' }, consumer => { 'enable.auto.commit' => 'false', 'enable.partition.eof' => 'true', 'auto.offset.reset' => 'error' });
	foreach my $kind (sort keys %fixed)
	{
		my $conf = ($kind eq 'producer' ? $write[0] : $read[0])->{$kind};
		is(join(' ', map { "$_=" . ($conf->{ $alias{$_} // $_ } // '') } sort keys %{ $fixed{$kind} }), join(' ', map { "$_=$fixed{$kind}{$_}" } sort keys %{ $fixed{$kind} }), "$kind: fixed");
	}
}

# every word of the keys that have a list of words
{
	my %words = map { $_ => [ @{ $table{KAFKA}{$_}{values} } ] } qw(compression.codec partitioner broker.address.family isolation.level);
	while (grep { @$_ } values %words)
	{
		my %one = map { my $word = shift @{ $words{$_} }; defined $word && $word ne 'v6' ? ($_ => $word) : () } sort keys %words;
		my $link = link_of('KAFKA', {}, \%one);
		my %write = $kafka_write->($link);
		my %read = $kafka_read->($link);
		my @wrong = grep { (($_ eq 'isolation.level' ? $read{consumer} : $write{producer})->{ $alias{$_} // $_ } // '') ne $one{$_} } sort keys %one;
		is("$write{state} $read{state} @wrong", '00000 00000 ', json(\%one));
	}
	my %six = $kafka_read->(link_of('KAFKA', {}, { 'broker.address.family' => 'v6', 'operation.timeout.ms' => 300 }));
	effect('KAFKA.broker.address.family', 'v6: not to an address of v4', $six{state} eq '08001' && $six{consumer}{'broker.address.family'} eq 'v6', $six{state});
}

# TLS and logins: what is said of them; that they count is shown with a real broker
{
	my $pem = sub { slurp_file("$dir/$_[0]") };
	my %quick = ('operation.timeout.ms' => 1);
	my %sasl = ('security.protocol' => 'sasl_ssl', 'sasl.mechanism' => 'PLAIN', %quick);
	my %login = ('sasl.username' => 'user-7', 'sasl.password' => 'password-of-7');
	my $without = { $kafka_read->(link_of('KAFKA', {}, \%quick)) };
	my $with = sub { my $link = link_of('KAFKA', @_); return { $kafka_read->($link) } };

	my $login = $with->({ %login, 'ssl.key.pem' => $pem->('client.key'), 'ssl.key.password' => 'key-password', 'ssl.certificate.pem' => $pem->('client.pem') }, { %sasl, 'ssl.ca.pem' => $pem->('ca.pem') });
	given($login, $without, 'consumer', { (map { $_ => [ $login{$_} ] } keys %login), 'security.protocol' => ['sasl_ssl'], 'sasl.mechanism' => ['PLAIN'], 'ssl.key.pem' => [ $pem->('client.key') ],
			'ssl.key.password' => ['key-password'], 'ssl.certificate.pem' => [ $pem->('client.pem') ], 'ssl.ca.pem' => [ $pem->('ca.pem') ] });
	is($login->{state}, '08001', 'a key with a password is opened');
	is($with->({ %login, 'ssl.key.pem' => $pem->('client.key'), 'ssl.key.password' => 'no-password', 'ssl.certificate.pem' => $pem->('client.pem') }, { %sasl, 'ssl.ca.pem' => $pem->('ca.pem') })->{state}, '22023', '... not with another');

	given($with->({}, { 'security.protocol' => 'ssl', ca_certificate => $pem->('ca.pem'), %quick }), $without, 'consumer', { ca_certificate => [ $pem->('ca.pem'), 'ssl.ca.pem' ] });
	my %file = ('ssl.ca.location' => ["$dir/ca.pem"], 'ssl.certificate.location' => ["$dir/client.pem"], 'ssl.key.location' => ["$dir/plain.key"]);
	given($with->({}, { 'security.protocol' => 'ssl', %quick, map { $_ => $file{$_}[0] } keys %file }), $without, 'consumer', \%file);
	foreach my $protocol (grep { !/sasl_ssl/ } @{ $table{KAFKA}{'security.protocol'}{values} })
	{
		my $sasl = $protocol =~ /sasl/;
		my $got = $with->($sasl ? \%login : {}, { %quick, 'security.protocol' => $protocol, $sasl ? ('sasl.mechanism' => 'SCRAM-SHA-256') : () });
		is($got->{consumer}{'security.protocol'}, $protocol, "protocol $protocol");
	}
	foreach my $mechanism (grep { my $m = $_; !grep { $_ eq $m } @{ $table{KAFKA}{'sasl.mechanism'}{unsupported_values} } } @{ $table{KAFKA}{'sasl.mechanism'}{values} })
	{
		my $got = $with->(\%login, { %sasl, 'sasl.mechanism' => $mechanism });
		is($got->{consumer}{'sasl.mechanisms'}, $mechanism, "mechanism $mechanism");
	}
	elsewhere('KAFKA.sasl.username KAFKA.sasl.password KAFKA.sasl.mechanism KAFKA.security.protocol KAFKA.ssl.ca.pem', '084_kafka.pl', '"$mechanism: a wrong password");');
	elsewhere('KAFKA.ssl.key.pem KAFKA.ssl.certificate.pem', '084_kafka.pl', "'a certificate of the client');");

	# a key that would do nothing is refused
	my @needs_tls = grep { /^ssl\.|^ca_cert/ } sort keys %{ $table{KAFKA} };
	my %value = (ca_certificate => 'x', map { $_ => /location/ ? "$dir/ca.pem" : 'x' } @needs_tls);
	my $try = sub { my ($c, $k, %arg) = @_; return state_of(sprintf("SELECT link.create_link('x%d', 'KAFKA', %s, %s)", ++$links, map { quote(json($_)) } $c, { 'bootstrap.servers' => $brokers, %$k }), %arg) };
	foreach my $key (@needs_tls)
	{
		my %one = ($key => $value{$key});
		is($try->($table{KAFKA}{$key}{clause} eq 'CREDENTIALS' ? (\%one, {}) : ({}, \%one)), '22023', "$key without TLS");
	}
	is($try->({}, { 'security.protocol' => 'ssl', map { $_ => $value{$_} } @$_ }), '22023', "@$_ exclude each other") for [qw(ca_certificate ssl.ca.pem)], [qw(ssl.ca.location ssl.ca.pem)];
}

# ---- the vendors' hosts, and the identities of the server ----

set_proxy($node, $fake->{url});
{
	my %url = (S3 => 's3.us-east-1.amazonaws.com', GCS => 'storage.googleapis.com', AZURE => 'acct1.blob.core.windows.net', HDFS => 's3.us-east-1.amazonaws.com');
	foreach my $type (@http)
	{
		my %config = $type eq 'HDFS' ? (webhdfs_url => "https://$url{HDFS}") : ();
		my ($trusting, $not) = map { bare($type, $base{$type}[0], { %config, max_retries => 0, %$_ }) } { ca_certificate => $fake->{ca} }, { ca_certificate => $other->{ca} };
		my $states = join ' ', map { state_of(put($_, "$path{$type}tls", again())) } $trusting, $not;
		effect("$type.ca_certificate", 'the authority that is trusted, and no other', $states eq '00000 08001', $states);
	}
	$got = arrived();
	effect('AZURE.account_name', 'makes the host', $got =~ m{^PUT acct1\.blob\.core\.windows\.net/azure/tls }m, $got);

	my %ca = (ca_certificate => $fake->{ca});
	my $one = sub { my ($link) = @_; arrived(); sql(put($link, 'bucket/one', again())); return arrived() };
	$got = $one->(bare('S3', $base{S3}[0], { %ca, region => 'eu-west-1' }));
	effect('S3.region', 'makes the host', $got =~ m{^PUT bucket\.s3\.eu-west-1\.amazonaws\.com/one .*/eu-west-1/s3/}m, $got);
	foreach my $path (JSON::PP::true, JSON::PP::false)
	{
		$got = $one->(bare('S3', $base{S3}[0], { %ca, s3_force_path_style => $path }));
		effect('S3.s3_force_path_style', $path ? 'the bucket is in the path' : '... or in the host', $path ? $got =~ m{^PUT s3\.us-east-1\.amazonaws\.com/bucket/one }m : $got =~ m{^PUT bucket\.s3\.us-east-1\.amazonaws\.com/one }m, $got);
	}
	$got = $one->(bare('S3', { creds_mode => 'environment' }, \%ca));
	effect('S3.creds_mode=environment', 'its variables', $got =~ m{^PUT \S+ .*x-amz-security-token=session-of-the-environment}mi && $got =~ /Credential=AKIAENV/ && $got !~ /latest|Action=/, $got);
	$got = $one->(bare('S3', { creds_mode => 'instance' }, \%ca));
	effect('S3.creds_mode=instance', 'IMDSv2', $got =~ m{^PUT \S+/latest/api/token }m && $got =~ m{^PUT bucket\S+/one .*Credential=ASIAFAKE}m, $got);
	$got = $one->(bare('S3', { creds_mode => 'eks_irsa' }, \%ca));
	effect('S3.creds_mode=eks_irsa', 'the web identity', $got =~ m{^POST sts\.us-east-1\.amazonaws\.com/ .*AssumeRoleWithWebIdentity.*WebIdentityToken=token\.of\.thepod}m && $got =~ m{^PUT bucket\S+/one .*Credential=ASIAFAKE}m, $got);
	$got = $one->(bare('GCS', { creds_mode => 'instance' }, \%ca));
	effect('GCS.creds_mode=instance', 'the metadata server', $got =~ m{^GET 127\.0\.0\.1:$port/computeMetadata/v1/\S+ .*metadata-flavor=Google}mi && $got =~ m{^PUT storage\.googleapis\.com/bucket/one .*authorization=Bearer token-of-the-vendor}mi, $got);
	foreach my $client ('', 'client-9')
	{
		$got = $one->(bare('AZURE', { account_name => 'acct1', creds_mode => 'managed_identity', $client ? (client_id => $client) : () }, \%ca));
		my ($asked) = $got =~ m{^GET \S+/metadata/identity/oauth2/token\?(\S+)}m;
		effect('AZURE.creds_mode=managed_identity' . ($client ? ' AZURE.client_id' : ''), $client ? 'one of several identities' : 'the metadata service', $asked =~ ($client ? qr/&client_id=client-9$/ : qr/^(?!.*client_id)/) && $got =~ m{^PUT acct1\S+/bucket/one .*authorization=Bearer token-of-the-vendor}mi, $got);
	}
}
set_proxy($node, '');

# ---- what is refused ----

sql(q{
CREATE FUNCTION try(id int, type text, credentials text, config text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM link.create_link('public.tried', type, credentials, config);
	PERFORM link.drop_link('public.tried');
	RETURN '00000';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
GRANT EXECUTE ON FUNCTION try TO PUBLIC;
CREATE ROLE maker LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO maker; SELECT link.grant_privilege('CREATE', '*.*', 'maker')});

# tried([TYPE, {CREDENTIALS}, {CONFIG}], ..., user => ROLE): what each attempt says
sub tried
{
	my ($cases, %arg) = @_;
	my $values = join ",\n", map { my ($type, @clauses) = @{ $cases->[$_] }; "($_, '$type', " . join(', ', map { quote(json($_)) } @clauses) . ')' } 0 .. $#$cases;
	my ($out, $err) = ('', '');
	$node->psql('postgres', "SELECT try(id, type, a, b) FROM (VALUES $values) v(id, type, a, b) ORDER BY id", stdout => \$out, stderr => \$err, extra_params => $arg{user} ? [ '-U', $arg{user} ] : []);
	my @said = split /\n/, $out;
	die "tried: $err" unless @said == @$cases;
	return @said;
}
sub clause_with { my ($type, $clause, $key, $value) = @_; my @clauses = map { +{ %{ $base{$type}[$_] } } } 0, 1; $clauses[ $clause eq 'CREDENTIALS' ? 0 : 1 ]{$key} = $value; return [ $type, @clauses ] }

# The library lists the keys of a clause to whoever guesses badly: the tables above are its own.
foreach my $type (@types)
{
	foreach my $clause (qw(CREDENTIALS CONFIG))
	{
		my (undef, $first, $second) = @{ clause_with($type, $clause, 'qqqqqqqqqqqqqqqqqqqqqqqqq', 'x') };
		my $err = '';
		$node->psql('postgres', sprintf("SELECT link.create_link('x', '$type', %s, %s)", map { quote(json($_)) } $first, $second), stderr => \$err);
		my ($hint) = $err =~ /HINT:  (.*)/;
		is(join(' ', sort($hint =~ /"([^"]+)"/g)), join(' ', sort grep { $table{$type}{$_}{clause} eq $clause } keys %{ $table{$type} }), "$type: keys of $clause");
	}
}

# No value of the wrong kind, in no key, and no key in the wrong clause.
my %malformed = (
	STRING => [ 5, JSON::PP::true, ['x'], { x => 1 }, '', undef, "a\x01b" ],
	BOOLEAN => [ 5, 'perhaps', [], {}, undef, '' ],
	INTEGER => [ 'x', JSON::PP::true, 1.5, [1], '', undef, '99999999999999999999', -2147483649, 2147483648 ],
	STRINGS => [ 'x', 5, [], [5], [''], [ ['x'] ], undef, { x => 1 } ],
	URL => [ 5, 'x', 'ftp://x', 'http://', 'http://u:p@x/', 'http://x/?q', 'http://x/#f', "http://x/\n", '', undef, ['http://x'] ],
	URLS => [ 5, 'x', [], [5], 'http://u:p@x/', ['http://x/?q'], [ 'http://x', 'ftp://x' ], undef ],
	DNS_LABEL => [ 5, 'a.b', 'A', 'a_b', '-a', 'a/b', 'x' x 64, '', undef ],
	DIRECTORY => [ 5, 'relative', '', undef, ['/x'], '/' . 'x' x 2000 ]);
foreach my $type (@types)
{
	my (@wrong, @cases, @expected);
	my $case = sub { my ($key, $clause, $value, $expected) = @_; push @cases, clause_with($type, $clause, $key, $value); push @expected, [ $key, $expected, json([$value]) ] };
	foreach my $key (sort keys %{ $table{$type} })
	{
		my $def = $table{$type}{$key};
		my $clause = $def->{clause};
		my $bad = qr/^22023 invalid value of "\Q$key\E" in $clause$/;
		my @values = @{ $malformed{ $def->{type} } // die "no malformed values of $def->{type}" };
		push @values, 'nonsense' if $def->{values};
		push @values, $def->{min} =~ /(\d+)(?: \* (\d+) \* (\d+))?/ ? $1 * ($2 // 1) * ($3 // 1) - 1 : die $def->{min} if defined $def->{min} && $def->{min} ne '-1';
		push @values, $def->{max} + 1 if defined $def->{max} && $def->{max} =~ /^\d+$/;
		$case->($key, $clause, $_, $bad) for @values;
		$case->($key, $clause, $_, qr/^0A000 "\Q$key\E" "\Q$_\E" is not yet supported/) for @{ $def->{unsupported_values} // [] };
		my $other_clause = $clause eq 'CONFIG' ? 'CREDENTIALS' : 'CONFIG';
		$case->($key, $other_clause, $_, qr/^22023 key "\Q$key\E" belongs in $clause, not in $other_clause$/) for 'x', 5;
		my $upper = uc $key;
		$case->($upper, $clause, 'x', qr/^22023 unknown key "\Q$upper\E" in $clause$/);
	}
	my @said = tried(\@cases);
	for my $i (0 .. $#said) { push @wrong, "$expected[$i][0] $expected[$i][2]: $said[$i]" if $said[$i] !~ $expected[$i][1] }
	is(join("\n", @wrong), '', "$type: " . @cases . ' values and places that are wrong');
}

# A secret in CONFIG is told why, and never what it was.
{
	my @wrong;
	my @secrets = sort map { my $t = $_; map { "$t.$_" } grep { $table{$t}{$_}{SECRET} } keys %{ $table{$t} } } @types;
	is(join(' ', @secrets), join(' ', sort map({ "S3.$_" } qw(aws_secret_access_key aws_session_token x-amz-server-side-encryption-customer-key)), map({ "GCS.$_" } qw(secret_key service_account_key)),
			map({ "AZURE.$_" } qw(account_key sas_token client_secret)), 'HDFS.delegation_token', map({ "KAFKA.$_" } qw(sasl.password ssl.key.password ssl.key.pem))), 'the secrets of SQL 5');
	foreach my $type (@types)
	{
		foreach my $key (grep { $table{$type}{$_}{SECRET} } sort keys %{ $table{$type} })
		{
			my $err = '';
			my (undef, @clauses) = @{ clause_with($type, 'CONFIG', $key, 'hidden-word') };
			$node->psql('postgres', sprintf("SELECT link.create_link('x', '$type', %s, %s)", map { quote(json($_)) } @clauses), stderr => \$err);
			push @wrong, "$type.$key: $err" if $err !~ /CONFIG is visible; secrets belong in CREDENTIALS/ || $err =~ /ERROR.*hidden-word|DETAIL.*hidden-word|HINT.*hidden-word/;
		}
	}
	is(join("\n", @wrong), '', 'secrets in CONFIG');
}

# Keys that borrow from the server need AMBIENT LINK, and nothing else is wrong with these links.
{
	my %ambient = (
		'HDFS.kerberos_keytab' => [ 'HDFS', { kerberos_keytab => $pod, kerberos_principal => 'x' }, { webhdfs_url => $fake->{url}, 'hadoop.security.authentication' => 'kerberos' } ],
		'FS.root' => [ 'FS', {}, { root => "$dir/root" } ],
		(map { ("KAFKA.$_" => [ 'KAFKA', {}, { %{ $base{KAFKA}[1] }, 'security.protocol' => 'ssl', $_ => "$dir/ca.pem" } ]) } qw(ssl.ca.location ssl.certificate.location ssl.key.location)),
		(map { ("S3.creds_mode=$_" => [ 'S3', { creds_mode => $_ }, {} ]) } qw(instance environment eks_irsa)),
		'GCS.creds_mode=instance' => [ 'GCS', { creds_mode => 'instance' }, {} ],
		'AZURE.creds_mode=managed_identity' => [ 'AZURE', { account_name => 'acct1', creds_mode => 'managed_identity' }, {} ]);
	my @needed = sort map { my $t = $_; map { my $k = $_; $table{$t}{$k}{AMBIENT} ? "$t.$k" : map { "$t.$k=$_" } @{ $table{$t}{$k}{ambient_values} // [] } } keys %{ $table{$t} } } @types;
	is(join(' ', sort keys %ambient), join(' ', @needed), 'the keys that need AMBIENT');
	my @cases = map { $ambient{$_} } @needed;
	is(join(' ', map { substr $_, 0, 5 } tried(\@cases, user => 'maker')), join(' ', ('42501') x @cases), '... are refused without');
	sql("CREATE ROLE borrower LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO borrower; SELECT link.grant_privilege('CREATE, AMBIENT', '*.*', 'borrower')");
	is(join(' ', map { substr $_, 0, 5 } tried(\@cases, user => 'borrower')), join(' ', ('00000') x @cases), '... and taken with it');
}

# Of librdkafka's properties those of the table, and no other, in no clause, by no statement.
{
	my %ours = map { $_ => 1 } keys %{ $table{KAFKA} };
	my %allowed = map { $_ => 1 } grep { $ours{$_} } @properties;
	my @refused = grep { !$ours{$_} } @properties;
	ok((grep { $_ eq 'plugin.library.paths' } @refused) && (grep { $_ eq 'sasl.kerberos.kinit.cmd' } @refused) && (grep { $_ eq 'enable.ssl.certificate.verification' } @refused), 'the list has what is dangerous');
	my @cases = map { my $key = $_; map { clause_with('KAFKA', $_, $key, 'x') } qw(CONFIG CREDENTIALS) } @refused;
	my @said = tried(\@cases);
	is(join("\n", grep { !/^22023 unknown key "[a-z._]+" in (?:CONFIG|CREDENTIALS)$/ } @said), '', scalar(@refused) . ' properties are refused in both clauses');

	my $link = link_of('KAFKA');
	my $list = join ',', map { "('$_')" } @refused;
	sql(q{CREATE FUNCTION set(verb text, link text, key text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN EXECUTE format('SELECT link.set_link_%s(%L, %L, %L)', verb, link, key, 'x'); RETURN '00000';
		EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$});
	is(sql("SELECT string_agg(DISTINCT set(verb, '$link', key), ' ') FROM (VALUES ('config'), ('credential')) v(verb), (VALUES $list) k(key)"), '22023', '... and by ALTER');
	is(sql("SELECT string_agg(k, ' ' ORDER BY k) FROM link.links, jsonb_object_keys(config) k WHERE link = '$link'"), 'bootstrap.servers', '... of which nothing stays');

	# a row that was restored, or made by hand, was never checked
	sql("UPDATE link.link SET config = config || '{\"plugin.library.paths\": \"/none/evil.so\"}' WHERE name = '$link'");
	is(state_of("SELECT count(*) FROM link.list_files('$link', '*')"), '22023', '... nor from a row');
	my ($with) = grep { -e } "$dir/spy";
	unlike($with ? slurp_file($with) : '', qr/evil\.so/, '... which does not reach librdkafka');

	# what README prints is what there is
	my ($printed) = slurp_file('README.md') =~ /Properties of librdkafka that a KAFKA link may set: (.*?)\. All others are refused/s;
	my ($row) = slurp_file('README.md') =~ /^\| KAFKA \|(.*)$/m;
	my %documented = map { $_ => 1 } "$printed $row" =~ /`([a-z][\w.]*)`/g;
	is(join(' ', grep { !$documented{$_} } sort keys %allowed), '', 'README names them all');
}

# ---- and nothing without a case ----

my @keys = map { my $t = $_; map { "$t.$_" } sort keys %{ $table{$t} } } @types;
my @modes = map { my $t = $_; map { "$t.creds_mode=$_" } @{ ($table{$t}{creds_mode} // {})->{values} // [] } } @types;
is(join(' ', grep { !$shown{$_} } @keys, @modes), '', scalar(@keys) . ' keys and ' . @modes . ' modes have a case');
my %known = map { $_ => 1 } @keys, @modes;
is(join(' ', grep { !$known{$_} } sort keys %shown), '', '... and no case is of a key that is none');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no backend crashed');
done_testing();
