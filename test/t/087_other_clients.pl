# What we wrote is read by the clients of others, and the other way round, byte for
# byte: aws cli, Microsoft's and Google's libraries for Python, "hdfs dfs", kcat.

use strict;
use warnings;
use Digest::SHA qw(sha256 sha256_hex);
use Encode qw(encode);
use File::Find ();
use IO::Compress::Gzip ();
use IO::Uncompress::Gunzip ();
use IPC::Run ();
use JSON::PP ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $run = "o$$";				# the servers may have seen this test before
$ENV{PGCLIENTENCODING} = 'UTF8';
$ENV{LC_ALL} = 'C.UTF-8';		# of the clients: names of files are UTF-8

my $node = new_node('clients',
	conf => "link.allowed_hosts = 'http://127.0.0.1 http://localhost localhost'\n"
	  . "client_encoding = 'UTF8'\nlink.file_roots = '" . ($ENV{LINK_KERBEROS_FOLDER} // '') . "'\n");

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

# ---- what goes back and forth, in files below $out ----

my $out = PostgreSQL::Test::Utils::tempdir;
my %content = (
	'empty' => '', 'one' => "\0", 'bytes' => join('', map { chr } 0 .. 255),
	# more than one part, and no bytes that repeat
	'large' => join('', map { sha256($_) } 1 .. 9 * 1024 * 1024 / 32));
IO::Compress::Gzip::gzip(\("some text\n" x 1000), \$content{'text.gz'}) or die;
$content{"names/$_"} = $_
  foreach 'a b', "\xc3\xbcn\xc3\xafc\xc3\xb6d\xc3\xa9 \xe2\x82\xac", 'a+b', '100%', 'a%2Bb', 'a#b', 'q?x=1&y=2', "it's", 'a=b;c,d', '~!@$()';

mkdir "$out/names" or die;
append_to_file("$out/$_", $content{$_}) foreach keys %content;

# and rows, whose file is what COPY makes of them
sql("CREATE TABLE rows AS SELECT n, CASE n % 10 WHEN 0 THEN NULL WHEN 1 THEN E'tab\\t \\\\ line\\nend \x{c3}\x{a4}' ELSE repeat(md5(n::text), 32) END AS t
	   FROM generate_series(1, 12000) n;
	 COPY rows TO '$out/rows.txt';");
$content{'rows.txt'} = slurp_file("$out/rows.txt");
cmp_ok(length $content{'rows.txt'}, '>', 8 * 1024 * 1024, 'the rows take more than one part');

# All files below a folder: name => content.
sub files_of
{
	my ($dir) = @_;
	my %files;
	File::Find::find({ no_chdir => 1, wanted => sub { $files{ substr $_, length("$dir/") } = slurp_file($_) if -f } }, $dir);
	return %files;
}

# Names whose contents differ, or that one side lacks.
sub differing
{
	my ($got, $expected) = @_;
	my %names = map { $_ => 1 } keys %$got, keys %$expected;
	return join(' | ', grep { ($got->{$_} // 'none') ne ($expected->{$_} // 'none') } sort keys %names);
}

# exchange(LINK, ROOT, CLIENT): ROOT is a path of the link that ends in '/'. The client has
#	put(DIR, FOLDER)	all files of DIR to ROOT/FOLDER
#	get(FOLDER, DIR)	and from there
#	list(FOLDER)		name below it => size
#	about(NAME)			what the provider keeps of an object, without size, date and hash; or NULL
#	encoded(FILE, NAME)	puts a file with Content-Encoding: gzip; or NULL
#	many				how many objects each side adds to a large listing; or NULL
sub exchange
{
	my ($link, $root, %client) = @_;
	my $path = sub { quote($root . $_[0]) };
	my %hashes = map { $_ => sha256_hex($content{$_}) } keys %content;

	# ours
	sql(join "\n", (map { "SELECT FROM link.select_into('TABLE rows', '$link', @{[ $path->(qq(ours/$_)) ]}, parallel => 1);" } 'rows.txt', 'packed.gz'),
		map { "SELECT FROM link.write_file('$link', @{[ $path->(qq(ours/$_)) ]}, pg_read_binary_file(@{[ quote(qq($out/$_)) ]}));" }
		  grep { $_ ne 'rows.txt' } sort keys %content);
	my $in = PostgreSQL::Test::Utils::tempdir;
	$client{get}->('ours/', $in);
	my %got = files_of($in);
	my $packed = delete $got{'packed.gz'};
	IO::Uncompress::Gunzip::gunzip(\$packed, \my $unpacked);
	is(sha256_hex($unpacked), $hashes{'rows.txt'}, "$link: what we compressed is unpacked by gzip");
	is(differing(\%got, \%content), '', "$link: what we wrote is read by the other client");
	my %listed = $client{list}->('ours/');
	is(delete $listed{'packed.gz'}, length $packed, "$link: ... is listed as it is stored");
	is(differing(\%listed, { map { $_ => length $content{$_} } keys %content }), '', "$link: ... and listed, with its sizes");
	if ($client{about})
	{
		is_deeply($client{about}->("ours/$_"), { 'content-type' => 'application/octet-stream' }, "$link: nothing but a type is kept of $_")
		  foreach qw(bytes large);
	}

	# theirs
	$client{put}->($out, 'theirs/');
	my $read = sql("SELECT substr(path, length(@{[ $path->('theirs/') ]}) + 1), encode(sha256(link.read_file('$link', path)), 'hex')
		FROM link.list_files('$link', @{[ $path->('theirs/') ]})");
	is(differing({ map { /^(.*)\|(\w{64})$/ ? ($1 => $2) : ($_ => '') } split /\n/, $read }, \%hashes), '', "$link: what the other client wrote is listed and read");
	is(sql("CREATE TEMP TABLE got (LIKE rows);
		SELECT FROM link.load_data('$link', @{[ $path->('theirs/rows.txt') ]}, 'got') \\g /dev/null
		SELECT (SELECT count(*) FROM got), (SELECT count(*) FROM (TABLE rows EXCEPT ALL TABLE got) d)"), '12000|0', "$link: ... and loaded");
	is(sql("CREATE TEMP TABLE got (t text);
		SELECT FROM link.load_data('$link', @{[ $path->('theirs/text.gz') ]}, 'got') \\g /dev/null
		SELECT count(*), min(t), max(t) FROM got"), '1000|some text|some text', "$link: what gzip compressed is loaded");
	if ($client{encoded})
	{
		$client{encoded}->("$out/text.gz", 'encoded');
		is(sql("SELECT encode(sha256(link.read_file('$link', @{[ $path->('encoded') ]})), 'hex')"), $hashes{'text.gz'}, "$link: encoded content is read as it is stored");
	}

	# both
	if (my $many = $client{many})
	{
		my $dir = PostgreSQL::Test::Utils::tempdir;
		append_to_file("$dir/$_", 'theirs') foreach 1 .. $many;
		sql("SELECT count(link.write_file('$link', @{[ $path->('many/ours/') ]} || n, 'our')) FROM generate_series(1, $many) n");
		$client{put}->($dir, 'many/theirs/');
		my %expected = map { ("ours/$_" => 3, "theirs/$_" => 6) } 1 .. $many;
		my %seen = $client{list}->('many/');
		is(differing(\%seen, \%expected), '', "$link: a long listing of the other client has all");
		%seen = map { /^(.*)\|(\d+)$/ } split /\n/, sql("SELECT substr(path, length(@{[ $path->('many/') ]}) + 1), size FROM link.list_files('$link', @{[ $path->('many/') ]})");
		is(differing(\%seen, \%expected), '', "$link: ... and so has ours");
	}
}

# A subtest, whose end does not end the others.
sub provider
{
	my ($name, $code) = @_;
	subtest $name => sub {
		return if eval { $code->(); 1 };
		die $@ if ref $@;		# a skip
		fail("$name: $@");
	};
}

# ---- aws cli ----

# aws_client(NAME, REGION): of the server whose variables are LINK_NAME_*; parts of 5 MB
sub aws_client
{
	my ($name, $region) = @_;
	my $config = PostgreSQL::Test::Utils::tempdir . '/config';
	append_to_file($config, "[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n");
	my $aws = sub {
		local %ENV = (
			%ENV,
			AWS_ACCESS_KEY_ID => $ENV{"LINK_${name}_ACCESS_KEY"}, AWS_SECRET_ACCESS_KEY => $ENV{"LINK_${name}_SECRET_KEY"},
			AWS_DEFAULT_REGION => $region, AWS_EC2_METADATA_DISABLED => 'true', AWS_CONFIG_FILE => $config, AWS_SHARED_CREDENTIALS_FILE => '/dev/null',
			# newer clients send checksums that older servers do not know
			AWS_REQUEST_CHECKSUM_CALCULATION => 'when_required', AWS_RESPONSE_CHECKSUM_VALIDATION => 'when_required',
			HOME => $ENV{LINK_WORK} // '/tmp');
		my ($stdout, $err) = ('', '');
		IPC::Run::run([ 'aws', '--endpoint-url', $ENV{"LINK_${name}_ENDPOINT"}, @_ ], '>', \$stdout, '2>', \$err) or die "aws @_: $err";
		return $stdout;
	};
	my $cp = sub { $aws->('s3', 'cp', '--only-show-errors', '--no-guess-mime-type', @_) };
	$aws->('s3api', 'create-bucket', '--bucket', $run);
	return (
		put => sub { my ($dir, $folder) = @_; $cp->('--recursive', $dir, "s3://$run/$folder") },
		get => sub { my ($folder, $dir) = @_; $cp->('--recursive', "s3://$run/$folder", $dir) },
		encoded => sub { my ($file, $key) = @_; $cp->('--content-encoding', 'gzip', $file, "s3://$run/$key") },
		list => sub {
			my ($folder) = @_;
			my $objects = JSON::PP::decode_json($aws->('s3api', 'list-objects-v2', '--page-size', '100', '--bucket', $run, '--prefix', $folder, '--output', 'json'))->{Contents};
			return map { (substr(encode('UTF-8', $_->{Key}), length $folder) => $_->{Size}) } @$objects;
		},
		about => sub {
			my ($key) = @_;
			my $head = JSON::PP::decode_json($aws->('s3api', 'head-object', '--bucket', $run, '--key', $key, '--output', 'json'));
			delete @$head{qw(AcceptRanges LastModified ContentLength ETag)};
			delete $head->{Metadata} unless %{ $head->{Metadata} };
			delete $head->{StorageClass} if ($head->{StorageClass} // '') eq 'STANDARD';
			$head->{'content-type'} = delete $head->{ContentType};
			return $head;
		});
}

sub s3
{
	my ($name, $link, $region, $many) = @_;
	make_link($node, $link, 'S3', { aws_access_key_id => $ENV{"LINK_${name}_ACCESS_KEY"}, aws_secret_access_key => $ENV{"LINK_${name}_SECRET_KEY"} },
		{ region => $region, endpoint_url => $ENV{"LINK_${name}_ENDPOINT"}, multipart_chunk_size_mb => 5 });
	exchange($link, "$run/", aws_client($name, $region), many => $many);
}

provider 'aws cli and Ceph', sub { need_s3(); s3('S3', 'ceph', 'us-east-1', 120) };
provider 'aws cli and versitygw', sub { need_service('s3b'); s3('S3B', 'versitygw', $ENV{LINK_S3B_REGION}, 520) };

# ---- the vendors' libraries ----

# library_client(LIBRARY): sub(HOW) gives a client for objects below HOW/ of the bucket; and one to ask anything
sub library_client
{
	my ($library) = @_;
	my ($in, $stdout, $err) = ('', '', '');
	my $h = IPC::Run::start([ $ENV{LINK_CLIENTS_PYTHON}, '-X', 'utf8', 'test/services/other_client.py', $library ],
		'<', \$in, '>', \$stdout, '2>', \$err, IPC::Run::timeout(180));
	my $ask = sub {
		my ($op, $how, %more) = @_;
		$stdout = '';
		$in .= JSON::PP::encode_json({ op => $op, how => $how, bucket => $run, %more }) . "\n";
		my $answered = eval { $h->pump until $stdout =~ /\n/; 1 };
		die "$library $op: " . ($err || $@) unless $answered;
		return JSON::PP::decode_json($stdout);
	};
	return ($h, $ask, sub {
		my ($how) = @_;
		return (
			put => sub { my ($dir, $folder) = @_; $ask->('put', $how, dir => $dir, prefix => "$how/$folder") },
			get => sub { my ($folder, $dir) = @_; $ask->('get', $how, dir => $dir, prefix => "$how/$folder") },
			encoded => sub { my ($file, $name) = @_; $ask->('put_encoded', $how, file => $file, name => "$how/$name") },
			list => sub {
				my ($folder) = @_;
				my $objects = $ask->('list', $how, prefix => "$how/$folder")->{objects};
				return map { (substr(encode('UTF-8', $_), length "$how/$folder") => $objects->{$_}) } keys %$objects;
			},
			about => sub { my ($name) = @_; my $about = $ask->('head', $how, name => "$how/$name"); delete $about->{size}; return $about });
	});
}

provider 'azure-storage-blob', sub {
	need_service('clients');
	need_service('azurite');
	my ($h, $ask, $client) = library_client('azure');
	my $account = $ENV{LINK_AZURE_ACCOUNT};
	my %plain = (endpoint_url => "$ENV{LINK_AZURE_ENDPOINT}/$account");
	my %key = (account_name => $account, account_key => $ENV{LINK_AZURE_KEY});

	$ask->('make', $_) foreach qw(key tls);
	my $sas = $ask->('sas', 'key')->{sas};
	make_link($node, 'key', 'AZURE', \%key, \%plain);
	make_link($node, 'sas', 'AZURE', { account_name => $account, sas_token => $sas }, \%plain);
	make_link($node, 'tls', 'AZURE', \%key, { endpoint_url => "$ENV{LINK_AZURE_TLS_ENDPOINT}/$account", ca_certificate => slurp_file($ENV{LINK_AZURE_CA}) });
	foreach my $how (qw(key sas tls))
	{
		my %c = $client->($how);
		my $about = $c{about};
		$c{about} = sub { my $got = $about->(@_); is(delete $got->{kind}, 'BlockBlob', "$how: a block blob"); return $got };
		exchange($how, "$run/$how/", %c, many => $how eq 'key' ? 120 : undef);
	}
	unlike(slurp_file($node->logfile), qr/\Q@{[ $sas =~ m{sig=([^&]*)} ]}\E/, 'the signature of the token is not in the log');
	$h->kill_kill;
};

provider 'google-cloud-storage', sub {
	need_service('clients');
	need_service('gcs');
	my ($h, $ask, $client) = library_client('gcs');

	$ask->('make', 'json');
	make_link($node, 'json', 'GCS', { service_account_key => slurp_file($ENV{LINK_GCS_KEY_FILE}) },
		{ endpoint_url => $ENV{LINK_GCS_TLS_ENDPOINT}, token_endpoint_url => $ENV{LINK_GCS_TOKEN_ENDPOINT}, ca_certificate => slurp_file($ENV{LINK_GCS_CA}) });
	make_link($node, 'xml', 'GCS', { access_id => $ENV{LINK_GCS_ACCESS_ID}, secret_key => $ENV{LINK_GCS_SECRET_KEY} }, { endpoint_url => $ENV{LINK_GCS_ENDPOINT} });
	exchange($_, "$run/$_/", $client->($_), many => $_ eq 'json' ? 120 : undef) foreach qw(json xml);
	$h->kill_kill;
};

# ---- hdfs dfs ----

# hdfs_client(SERVICE, FOLDER): the file system's own shell; a Java machine a command
sub hdfs_client
{
	my ($service, $root) = @_;
	my $dfs = sub {
		my ($stdout, $err) = ('', '');
		IPC::Run::run([ 'bash', '-c', '. test/lib.sh; . test/services/hdfs.sh; hdfs_tool "$@"', '-', $ENV{"${service}_FOLDER"}, 'nn1',
				'org.apache.hadoop.fs.FsShell', @_ ], '>', \$stdout, '2>', \$err) or die "hdfs dfs @_: $err";
		return $stdout;
	};
	return ($dfs,
		put => sub { my ($dir, $folder) = @_; $dfs->('-put', $dir, "$root/" . ($folder =~ s{/$}{}r)) },
		get => sub { my ($folder, $dir) = @_; rmdir $dir; $dfs->('-get', "$root/" . ($folder =~ s{/$}{}r), $dir) },
		list => sub {
			my ($folder) = @_;
			return map { m{^-\S+ +\S+ +\S+ +\S+ +(\d+) \S+ \S+ \Q$root/$folder\E(.*)$} ? ($2 => $1) : () } split /\n/, $dfs->('-ls', '-R', "$root/$folder");
		});
}

provider 'hdfs dfs', sub {
	need_service('hdfs');
	local $ENV{HADOOP_USER_NAME} = $ENV{LINK_HDFS_USER};
	my ($dfs, %client) = hdfs_client('LINK_HDFS', "/tmp/$run");

	make_link($node, 'hdfs', 'HDFS', { user => $ENV{LINK_HDFS_USER} }, { webhdfs_url => $ENV{LINK_HDFS_ENDPOINT} });
	exchange('hdfs', "/tmp/$run/", %client);
	is($dfs->('-cat', "/tmp/$run/ours/bytes"), $content{bytes}, 'hdfs: cat');
};

provider 'hdfs dfs with Kerberos', sub {
	need_service('kerberos');
	need_service('hdfs_kerberos');
	local $ENV{KRB5CCNAME} = 'FILE:' . PostgreSQL::Test::Utils::tempdir . '/cc';
	my ($dfs) = hdfs_client('LINK_HDFS_KERBEROS', "/user/tester/$run");

	system_or_bail('kinit', '-k', '-t', $ENV{LINK_KERBEROS_KEYTAB}, $ENV{LINK_KERBEROS_PRINCIPAL});
	make_link($node, 'kerberos', 'HDFS', { kerberos_principal => $ENV{LINK_KERBEROS_PRINCIPAL}, kerberos_keytab => $ENV{LINK_KERBEROS_KEYTAB} },
		{ webhdfs_url => $ENV{LINK_HDFS_KERBEROS_ENDPOINT}, 'hadoop.security.authentication' => 'kerberos' });
	sql("SELECT link.write_file('kerberos', '/user/tester/$run/ours', pg_read_binary_file('$out/large'))");
	is(sha256_hex($dfs->('-cat', "/user/tester/$run/ours")), sha256_hex($content{large}), 'kerberos: what we wrote is read by the other client');
	$dfs->('-put', "$out/large", "/user/tester/$run/theirs");
	is(sql("SELECT encode(sha256(link.read_file('kerberos', '/user/tester/$run/theirs')), 'hex')"), sha256_hex($content{large}),
		'kerberos: what the other client wrote is read');
};

# ---- kcat ----

provider 'kcat', sub {
	need_service('kafka');
	my $kcat = sub {
		my ($stdin, @arguments) = @_;
		my ($stdout, $err) = ('', '');
		IPC::Run::run([ 'kcat', '-b', $ENV{LINK_KAFKA_PLAINTEXT}, '-q', @arguments ], '<', \$stdin, '>', \$stdout, '2>', \$err) or die "kcat @arguments: $err";
		return $stdout;
	};
	my $said = '';
	IPC::Run::run([ 'bash', '-c', '. test/lib.sh; . test/services/kafka.sh; for t in "$@"; do kafka_topic "$t"; done', '-', map { "$run-$_" } qw(ours theirs rows) ],
		'>', \$said, '2>&1') or die "topics: $said";
	make_link($node, 'kafka', 'KAFKA', {}, { 'bootstrap.servers' => $ENV{LINK_KAFKA_PLAINTEXT} });

	# no key is not an empty one, and no value is not one without bytes: what is not there has the length -1
	my @consume = ('-C', '-e', '-o', 'beginning', '-t');
	my $query = sub { "'SELECT $_[0] FROM sent WHERE $_[1] ORDER BY n', 'kafka', '$run-ours'" };
	my @text = ([ 'k', "k\tvalue" ], [ '', "\t" ], [ undef, '\N' . "\t" . '\N' ], [ "tab\t \xc3\xa4", "tab\\t \xc3\xa4\ttwo\\nlines \\\\" ]);
	my @single = ([ undef, '' ], [ undef, '""' ], [ undef, "\"two\nlines \\\"" ]);
	sql("CREATE TABLE sent AS SELECT * FROM (VALUES (1, 'k', 'value'), (2, '', ''), (3, NULL, NULL), (4, E'tab\\t \xc3\xa4', E'two\\nlines \\\\')) v(n, key, value);
		 SELECT link.select_into(@{[ $query->('key, value', 'true') ]}, key => 'key');
		 SELECT link.select_into(@{[ $query->('value', 'n = 2') ]});
		 SELECT link.select_into(@{[ $query->('value', 'n IN (2, 4)') ]}, format => 'csv')");
	is($kcat->('', @consume, "$run-ours", '-f', '%K [%k] %S [%s] [%h]\n'),
		join('', map { sprintf "%d [%s] %d [%s] []\n", defined $_->[0] ? length $_->[0] : -1, $_->[0] // '', length $_->[1], $_->[1] } @text, @single),
		'kafka: our keys and values, without headers');

	# a tombstone holds no row
	$kcat->("k1:v1\nk2:\nk3:v\xc3\xa43\n", '-P', '-t', "$run-theirs", '-K', ':', '-Z');
	$kcat->("k4:\n:v5\n", '-P', '-t', "$run-theirs", '-K', ':');
	is($kcat->('', @consume, "$run-theirs", '-f', '%K %S\n'), "2 2\n2 -1\n2 4\n2 0\n0 2\n", 'kafka: what kcat has written');
	is(sql("SELECT quote_literal(t) FROM link.select_from('kafka', '$run-theirs') AS t(t text)"), "'v1'\n'v\xc3\xa43'\n''\n'v5'", 'kafka: values of others are rows');
	is(sql("SELECT count(*) FROM link.select_from('kafka', '$run-theirs/0/0-3') AS t(t text)"), '2', 'kafka: ... and what has no value is none');

	sql("SELECT link.select_into('TABLE rows', 'kafka', '$run-rows', parallel => 1)");
	is(sha256_hex($kcat->('', @consume, "$run-rows", '-f', '%s\n')), sha256_hex($content{'rows.txt'}), 'kafka: many rows are what COPY makes of them');
	$kcat->('', '-P', '-t', "$run-rows", '-l', "$out/rows.txt");
	is(sql("CREATE TEMP TABLE got (LIKE rows);
		SELECT FROM link.load_data('kafka', '$run-rows', 'got') \\g /dev/null
		SELECT (SELECT count(*) FROM got), (SELECT count(*) FROM (TABLE rows UNION ALL TABLE rows EXCEPT ALL TABLE got) d)"), '24000|0',
		'kafka: ... and ours and those of kcat are loaded');
};

$node->stop;
done_testing();
