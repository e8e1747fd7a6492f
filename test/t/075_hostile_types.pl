# Servers that mean harm, as 071 has them for S3: Azure, GCS, HDFS, and those who
# hand out tokens (test/services/hostile_types.py). Whatever they answer, the
# statement ends soon with a clear error and little memory, no secret is in it, no
# line of the log is theirs, the session goes on, and nothing is lost or left.

use strict;
use warnings;
use HostileS3;
use IO::Socket::INET;
use JSON::PP ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $secret = 'aB3/xY+zQ9kLmN0pQrStUvWxYz12345678abcdEF';
my $elsewhere = start_hostile();
my $server = start_hostile($elsewhere->{url}, $secret);
my $url = $server->{url};
my $node;
{
	local %ENV = (%ENV, AWS_EC2_METADATA_SERVICE_ENDPOINT => $url, AZURE_POD_IDENTITY_AUTHORITY_HOST => $url,
		GCE_METADATA_HOST => $url =~ s{^http://}{}r);
	delete $ENV{AWS_CONTAINER_CREDENTIALS_RELATIVE_URI};
	$node = new_node('hostile_types', conf => "link.request_timeout = '1s'\nlink.retry_timeout = '2s'\nlog_error_verbosity = verbose\nlink.log_use = 'all'\n");
}
my $records = $node->data_dir . '/link_uploads';
$node->safe_psql('postgres', "CREATE TABLE kept AS SELECT md5(n::text) AS a FROM generate_series(1, 1000) n");

# The key of a service account, made here.
my $pem = "$PostgreSQL::Test::Utils::tmp_check/account.pem";
system_or_bail('openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', $pem);
my $account = JSON::PP::encode_json({ type => 'service_account', client_email => 'me@example.com', private_key_id => 'k1',
		private_key => slurp_file($pem) });
my %aws = (aws_access_key_id => 'AKIAHOSTILE', aws_secret_access_key => $secret);

# What all metadata services and token endpoints do is set by mode().
make_link($node, 'azure', 'AZURE', { account_name => 'acct1', account_key => $secret }, { endpoint_url => $url });
make_link($node, 'sas', 'AZURE', { account_name => 'acct1', sas_token => "sv=2020-12-06&sig=$secret" }, { endpoint_url => $url });
make_link($node, 'entra', 'AZURE', { account_name => 'acct1', tenant_id => 'tenant', client_id => 'me', client_secret => $secret },
	{ endpoint_url => $url, token_endpoint_url => "$url/metadata" });
make_link($node, 'azure_machine', 'AZURE', { account_name => 'acct1', creds_mode => 'managed_identity' }, {});
make_link($node, 'gcs', 'GCS', { access_id => 'GOOGHOSTILE', secret_key => $secret }, { endpoint_url => $url });
make_link($node, 'gcs_account', 'GCS', { service_account_key => $account }, { endpoint_url => $url, token_endpoint_url => "$url/metadata/token" });
make_link($node, 'gcs_machine', 'GCS', { creds_mode => 'instance' }, {});
make_link($node, 'aws_machine', 'S3', { creds_mode => 'instance' }, {});
make_link($node, 'role', 'S3', { %aws, role_arn => 'arn:aws:iam::1:role/r' }, { endpoint_url => $url, sts_endpoint_url => "$url/metadata" });
make_link($node, 'hdfs', 'HDFS', { delegation_token => $secret }, { webhdfs_url => $url });

sub mode
{
	my ($name) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}) or die;
	print $socket "GET /mode/$name HTTP/1.1\r\nHost: x\r\n\r\n";
	my $answer = <$socket>;
	die $answer unless $answer =~ / 204 /;
}

my %verbs = (
	list => "SELECT path, size FROM link.list_files('LINK', 'PATH')",
	times => "SELECT path, last_modified FROM link.list_files('LINK', 'PATH')",
	read => "SELECT length(link.read_file('LINK', 'PATH'))",
	load => "SELECT link.load_data('LINK', 'PATH', 'kept')",
	check => "SELECT * FROM link.check_link('LINK', 'PATH')",
	remove => "SELECT link.remove_file('LINK', 'PATH')",
	write => "SELECT link.write_file('LINK', 'PATH', 'x')",
	overwrite => "SELECT link.write_file('LINK', 'PATH', 'x', overwrite => true)",
	export => "SELECT rows FROM link.select_into('SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n', 'LINK', 'PATH')");
my $memory = "SELECT 'memory ' || substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\\s+(\\d+)')";

# harm(LINK, PATH, VERB, SQLSTATES, PATTERN, within => SECONDS, before => SQL, records => 'N'): in a session that goes on.
sub harm
{
	my ($link, $path, $verb, $sqlstate, $pattern, %arg) = @_;
	my $what = ($arg{title} // $path) . ", $link, $verb";
	my $start = time;
	my ($out, $err, $timed_out);
	$node->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '30s';\nLOAD 'link';\n$memory;\n" . ($arg{before} // '')
		  . $verbs{$verb} =~ s/LINK/$link/r =~ s/PATH/$path/r . ";\n$memory;\nSELECT 'alive';\n",
		stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 60, timed_out => \$timed_out);
	my $took = time - $start;
	my ($got) = $err =~ /ERROR:  ([0-9A-Z]{5}):/;
	my @kilobytes = $out =~ /^memory (\d+)$/mg;
	my $grown = @kilobytes == 2 ? $kilobytes[1] - $kilobytes[0] : 1e9;
	my $left = () = glob("$records/*");
	my $kept = $arg{records} // '0';

	# one line each, unless something is wrong
	like($got // '00000', qr/^(?:$sqlstate)$/, "$what: the SQLSTATE") or diag($out, $err);
	like($out . $err, $pattern, "$what: what it says") or diag($out, $err);
	like($out, qr/^alive$/m, "$what: the session goes on");
	cmp_ok($took, '<', $arg{within} // 3, sprintf('%s: over soon (%.1f s)', $what, $took));
	cmp_ok($grown, '<', 65536, "$what: little memory ($grown kB)");
	unlike($out . $err, qr/\Q$secret\E|^\s*FORGED|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/m, "$what: no secret, no line that is not ours");
	like($left, qr/^$kept$/, "$what: uploads on record");
	unlink glob("$records/*");
	return $out . $err;
}

sub requests { my ($pattern) = @_; return scalar(() = slurp_file($server->{log}) =~ /$pattern/mg) }

# ---- Azure ----

sub azure { my ($case, @rest) = @_; return harm('azure', $case . ($rest[0] eq 'list' ? '/p/' : '/x'), @rest) }

azure("az-$_", 'list', '08P01', qr/The listing does not go on/, within => 10) for qw(same-marker empty-marker new-markers long-marker);
is(requests("^GET /az-$_->[0]\\?"), $_->[1], "$_->[0]: pages asked for") for [ 'same-marker', 2 ], [ 'empty-marker', 2 ], [ 'new-markers', 1001 ], [ 'long-marker', 1 ];
azure('az-endless', 'list', '54000', qr/more than 10000 objects/);
azure('az-outside', 'list', '08P01', qr/a key outside of what was asked for/);
azure('az-descending', 'list', '08P01', qr/The keys of the listing do not ascend/);
azure('az-long-name', 'list', '08P01', qr/A key of the listing is too long/);
azure("az-$_", 'list', '08P01', qr/no name or no size/) for qw(negative no-number too-large no-name many);
unlike(azure('az-odd-names', 'list', '08P01|00000', qr/./), qr/\.\.|p\/\/x/, 'names that no path may be are not listed');
harm('azure', 'az-time/p/', 'times', '00000', qr{^az-time/p/a\|(?:-infinity)?$}m);
azure("az-$_", 'list', '08P01', qr/not well-formed/) for qw(bomb external deep attributes huge cut more);
azure($_, 'list', '08P01', qr/not well-formed/) for qw(html not-utf8);
azure('az-html-block', 'export', '08P01', qr/does not say that the block was taken/);
azure('az-html-list', 'export', '08P01', qr/does not say that the object was made/);
azure('az-html-blob', 'write', '08P01', qr/does not say that the object was made/);
azure('az-list-refused', 'export', '58030', qr/InvalidBlockList: FORGED\\x0aline/);
azure('az-list-bomb', 'export', '58030', qr/HTTP 400/);
azure('az-race', $_, '58P02', qr/already exists/) for qw(write export);
azure('az-forged', $_, '42501', qr/HTTP 403.*request id \\x1b\[31mFORGED/) for qw(list read);
azure('az-redirect', $_, '22023', qr/HTTP 307/) for qw(list read overwrite);
azure("echo-$_", 'list', '42501', qr/it was \[<redacted>\]/) for 0 .. 4;
harm('sas', "echo-$_/p/", 'list', '42501', qr/it was \[<redacted>\]/) for 0 .. 4;
azure('negative-length', 'read', '08P01', qr/Invalid Content-Length/);
azure('other-version', 'load', 'XX001', qr/it was changed while it was read/);
azure('slow-page', 'list', '58030', qr/too slow/, within => 6);
azure('html', 'check', '00000', qr/^list\|f\|[\d.]+\|08P01: /m);

# ---- GCS: the code of S3, so what differs is that it arrives there ----

sub gcs { my ($case, @rest) = @_; return harm('gcs', $case . ($rest[0] eq 'list' ? '/p/' : '/x'), @rest) }

gcs('repeated-token', 'list', '08P01', qr/The listing does not go on/);
gcs('outside', 'list', '08P01', qr/a key outside of what was asked for/);
gcs($_, 'list', '08P01', qr/not well-formed/) for qw(bomb external deep);
gcs('upload-id', 'export', '08P01', qr/no usable upload id/, records => 1);
gcs('part-etag', 'export', '08P01', qr/no usable ETag/, records => '[01]');	# another part may be under way
gcs('completion', 'export', '08P01', qr/does not say whether the upload is complete/);
gcs('loop', $_, '22023', qr/HTTP 302/) for qw(list read remove);
gcs('echo-1', 'list', '42501', qr/it was \[<redacted>\]/);

# ---- who hands out tokens ----

my %oauth = (
	'deep-json' => qr/nested too deeply/, 'deep-arrays' => qr/nested too deeply/, 'many-keys' => qr/larger than 1048576 bytes/,
	keys => qr/no "access_token"/, objects => qr/too many values/, strings => qr/too many values/, twice => qr/a key is given twice/,
	digits => qr/no valid "expires_in"/, exponent => qr/no valid "expires_in"/, 'json-not-utf8' => qr/invalid UTF-8/,
	'escaped-nul' => qr/\\u0000 is not allowed/, nul => qr/holds a zero byte/, surrogate => qr/high surrogate/,
	crlf => qr/visible characters/, blank => qr/visible characters/, 'not-ascii' => qr/visible characters/, 'empty-token' => qr/empty or too long/,
	'number-token' => qr/no "access_token"/, 'null-token' => qr/no "access_token"/, 'no-access-token' => qr/no "access_token"/,
	'large-token' => qr/empty or too long/, array => qr/an object in braces/, 'empty-answer' => qr/the text is empty/,
	(map { ("$_-expiry" => qr/no valid "expires_in"/) } qw(no negative zero huge text)),
	'html-200' => qr/not a valid JSON object/, 'error-200' => qr/no "access_token"/, more => qr/something follows/, 'cut-json' => qr/ends too early/);
my $asked = 0;
foreach my $case (sort keys %oauth)
{
	mode($case);
	# one function reads them all
	foreach my $link ($case =~ /^(?:crlf|nul|html-200|objects)$/ ? qw(entra azure_machine gcs_account gcs_machine) : 'entra')
	{
		harm($link, 'b/x', 'read', '08P01', $oauth{$case}, title => $case);
		$asked++;
	}
}
is(requests(qr{^(?:GET|POST) /(?:metadata|computeMetadata)/}m), $asked, 'each asked once for a token');
is(requests(qr{^GET /b/x }m), 0, 'and went nowhere without');

my @every = qw(entra azure_machine gcs_account gcs_machine aws_machine role);
foreach my $case (
	[ 'unauthorized', '08004', qr/HTTP 401/ ],
	[ 'html-error', '08004', qr/It answered HTTP 403\.$/m ],
	[ 'bomb-error', '08004', qr/It answered HTTP 403\.$/m ],
	[ 'link-local', '58030', qr/It answered HTTP 302\.$/m ],
	[ 'to-elsewhere', '58030', qr/It answered HTTP 307\.$/m ],
	[ 'token-loop', '58030', qr/It answered HTTP 302\.$/m ],
	[ 'status-0', '08P01', qr/response code/ ],
	[ 'no-http', '08P01', qr/HTTP\/0\.9/ ],
	[ 'nul-header', '08P01', qr/Nul byte in header/ ],
	[ 'long-line', '08P01', qr/headers (?:of the answer are larger|is too long)/ ],
	[ 'many-headers', '08P01', qr/headers of the answer are larger than 65536 bytes|headers is too long/ ],
	[ 'endless', '08P01', qr/larger than 1048576 bytes/ ])
{
	my ($mode, @rest) = @$case;
	mode($mode);
	harm($_, 'b/x', 'read', @rest, title => $mode) for @every;
}
foreach my $case ([ 'drip-answer', qr/too slow/ ], [ 'slow-head', qr/after \d+ attempts/ ], [ 'slow-continues', qr/after \d+ attempts/ ], [ 'busy', qr/HTTP 503/ ])
{
	mode($case->[0]);
	harm('entra', 'b/x', 'read', '58030', $case->[1], title => $case->[0], within => 8);
}
mode('forged-error');
harm($_, 'b/x', 'read', '08004', qr/HTTP 400: A\\x0aFORGED: \\x0d\\x0aFORGED line\\x1b\[31m\\xc2\\x9b\.$/m, title => 'forged-error') for qw(entra gcs_account azure_machine);
mode('echo-error');
harm('entra', 'b/x', 'read', '08004', qr/it was \[<redacted>\]/, title => 'echo-error');

# AWS
sub machine { my ($case, @rest) = @_; mode($case); return harm('aws_machine', 'b/x', 'read', @rest, title => $case) }
machine('imds-crlf', '08P01', qr/visible characters/);
machine('imds-empty', '08P01', qr/empty or too long/);
machine('imds-html', '08P01', qr/visible characters/);
machine("imds-$_", '08004', qr/the machine has no role/) for qw(role long-role);
machine('imds-deep', '08P01', qr/nested too deeply/);
machine('imds-secret', '08P01', qr/visible characters/);
machine('imds-no-secret', '08P01', qr/empty or too long/);
machine('imds-null', '08P01', qr/no "Token"/);
machine("imds-$_", '08P01', qr/no valid time/) for qw(expiry zone);
machine('imds-number', '08P01', qr/no "Expiration"/);

sub role { my ($case, @rest) = @_; mode($case); return harm('role', "$case/x", 'read', @rest, title => $case) }
role("sts-$_", '08P01', qr/empty or too long/) for qw(empty no-token);
role("sts-$_", '08P01', qr/visible characters/) for qw(crlf blank);
role('sts-expiry', '08P01', qr/no valid time/);
role($_, '08P01', qr/holds no credentials/) for qw(sts-bomb html bomb nested cut-xml);
role($_, '08P01', qr/larger than 1048576 bytes/) for qw(deep attributes huge-text);
role('sts-forged', '08004', qr/HTTP 403: A\\x0aFORGED: \\x0aFORGED line\\xc2\\x9b31m\.$/m);
my $before = requests(qr{^POST /metadata/}m);
role('sts-past', '00000', qr/^3$/m);
is(requests(qr{^POST /metadata/}m), $before + 1, 'credentials of the past are asked for once a request');
role('sts-for-ever', '08004', qr/HTTP 401, ExpiredToken/);
is(requests(qr{^POST /metadata/}m), $before + 3, 'credentials that are always refused: asked for once more');
unlike(role('sts-echo', '42501', qr/it was \[<redacted>\] \[<redacted>\]/), qr/-of-the-role/, 'what was handed out is a secret, too');

# ---- HDFS ----

sub hdfs { my ($case, $name, @rest) = @_; return harm('hdfs', "/$case/$name", @rest) }

hdfs("h-$_", 'x', 'read', '08P01', qr/has no type/) for qw(null-type number-type no-type list-status);
hdfs("h-$_", 'x', 'read', '08P01', qr/no length, or a negative one/) for qw(negative no-length);
hdfs("h-$_", 'x', 'read', '08P01', qr/is no number that can be/) for qw(text-length fraction huge-length);
hdfs('h-large', 'x', 'read', '54000', qr/larger than 268435456 bytes/);
hdfs('h-deep', 'x', 'read', '08P01', qr/nested too deeply/);
hdfs('h-nul', 'x', 'read', '08P01', qr/zero byte/);
hdfs('h-html', 'x', $_, '08P01', qr/not a valid JSON object/) for qw(read write remove);
hdfs('h-html-404', 'x', 'read', '58P01', qr/HTTP 404\.$/m);
hdfs('h-unauthorized', 'x', 'read', '08004', qr/HTTP 401\.$/m);
hdfs('h-forged', 'x', 'read', '58030', qr/IOException: \\x1b\[31mFORGED\\xc2\\x9b\\x07\.?$/m);
hdfs('h-echo', 'x', 'read', '58030', qr/it was \[<redacted>\] in \(a token\)&x/);
hdfs('h-exception-200', 'x', 'read', '08P01', qr/no FileStatus/);
hdfs('h-bomb-error', 'x', 'read', '42501', qr/HTTP 403\.$/m);
hdfs('h-many-tokens', 'x', 'read', '58030', qr/\(a token\)/);
hdfs('h-standby', 'x', 'read', '08001', qr/no namenode is active/, within => 6);
hdfs($_, 'x', 'read', '08P01', qr/headers of the answer are larger than 65536 bytes|headers is too long/) for qw(long-line many-headers);
hdfs('endless', 'x', 'read', '08P01', qr/larger than 1048576 bytes/);
hdfs('drip-answer', 'x', 'read', '58030', qr/too slow/, within => 6);

hdfs('h-list-html', '', 'list', '08P01', qr/not a valid JSON object/);
hdfs('h-list-404', '', 'list', '58P01', qr/HTTP 404/);
hdfs("h-list-$_", '', 'list', '08P01', qr/a name that cannot stand there/) for qw(slash dots dot empty long);
hdfs("h-list-$_", '', 'list', '08P01', qr/An entry has no name/) for qw(null number text);
hdfs('h-list-nul', '', 'list', '08P01', qr/\\u0000 is not allowed/);
hdfs('h-list-not-utf8', '', 'list', '08P01', qr/invalid UTF-8/);
hdfs('h-list-odd', '', 'list', '00000', qr{^/h-list-odd/a\|5$}m);
hdfs("h-list-$_", '', 'list', '08P01', qr/names of the listing do not ascend/) for qw(twice descending repeats);
is(requests(qr{^GET /webhdfs/v1/h-list-repeats\?}m), 2, 'pages asked for');
hdfs('h-list-nothing', '', 'list', '08P01', qr/does not go on/);
hdfs('h-list-remaining', '', 'list', '08P01', qr/is no number that can be/);
hdfs('h-list-signed', '', 'list', '00000', qr{^/h-list-signed/a\|5\n/h-list-signed/b\|5\n/h-list-signed/\xc3\xbc\|5$}m);
hdfs('h-list-time', '', 'times', '00000', qr{^/h-list-time/a\|(?:-infinity)?$}m);
hdfs('h-list-endless', '', 'list', '54000', qr/too many entries/, within => 20);
hdfs('h-list-filtered', 'b', 'list', '57014', qr/statement timeout/, before => "SET statement_timeout = '2s';\n");
hdfs('h-list-tree', '', 'list', '54000', qr/more than 10000 directories in a row/, within => 20);
hdfs('h-list-large', '', 'list', '54000', qr/too many entries/, within => 20);
hdfs('h-list-objects', '', 'list', '08P01', qr/too many values/);
hdfs('h-list-deep', '', 'list', '08P01', qr/nested too deeply/);
hdfs('h-list-many', '', 'list', '08P01', qr/larger than 10485760 bytes/);

hdfs("h-to-$_", 'x', 'read', '08P01', qr/redirects to where nobody may follow/) for qw(other-path dots coded-dots file user nobody port blank long nowhere);
hdfs("h-to-$_", 'x', 'read', '08001', qr/is not allowed/) for qw(elsewhere local mapped);
hdfs('h-to-decimal', 'x', 'read', '08001|08P01', qr/not allowed|nobody may follow/);
hdfs('h-to-itself', 'x', 'read', '58030', qr/HTTP 307/);
hdfs("h-to-$_", 'new', 'write', '08P01', qr/redirects to where nobody may follow/) for qw(other-path);

hdfs('h-short', 'x', 'load', 'XX001', qr/the server does not send the rest/, within => 6);
hdfs('h-same', 'x', 'read', '00000', qr/^5$/m);
hdfs("h-$_", 'x', 'load', 'XX001', qr/it was changed while it was read/) for qw(modified longer other-file);
hdfs("h-$_", 'x', 'read', '08P01', qr/does not send what was asked for|Content-Length/) for qw(other-length negative-length);
hdfs('h-chunks', 'x', 'load', 'XX001|58030|08P01', qr/could not read/, within => 6);
hdfs('h-large-chunk', 'x', 'load', 'XX001|58030|08P01', qr/could not read/, within => 6);
hdfs('h-endless', 'x', 'read', '00000', qr/^5$/m);
hdfs('h-slow', 'x', 'load', '58030', qr/too slow/, within => 6);
is($node->safe_psql('postgres', 'SELECT count(*) FROM kept'), '1000', 'loads that failed left no rows');

hdfs("h-$_", 'new', 'write', '58030', qr/could not be given its name/) for qw(not-renamed rename-html rename-exception);
hdfs('h-rename-exception', 'new', 'overwrite', '58030', qr/could not be given its name/);
hdfs('h-rename-refused', 'new', 'write', '42501', qr/AccessControlException: FORGED\.?$/m);
hdfs("h-$_", 'new', 'write', 'XX001', qr/does not hold what was sent/) for qw(not-kept create-html);
hdfs("h-not-kept", 'new', 'export', 'XX001', qr/does not hold what was sent/);
hdfs('h-create-exception', 'new', 'write', '58030', qr/HTTP 500/);
hdfs('h-delete-html', 'new', 'write', '58030', qr/could not be given its name/, records => 1);
for my $how ('write', 'overwrite') { hdfs("h-$_", 'new', $how, '00000', qr/alive/) for qw(renamed renamed-word) }
hdfs('h-not-removed', 'x', 'remove', '58P01', qr/somebody else has removed it/);
hdfs('h-remove-html', 'x', 'remove', '08P01', qr/does not say whether the file is removed/);

# ---- afterwards ----

unlike(slurp_file($server->{log}), qr/external-fetched|^x-forged/mi, 'no document had another fetched, no header was added to requests');
ok(!-s $elsewhere->{log}, 'nobody came where the redirects lead');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT a) FROM kept'), '1000|1000', 'nothing is lost');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|server process .* was terminated by signal|TRAP/, 'the server was never away');
unlike($log, qr/\Q$secret\E|secret-of-the-role|token-of-the-role/, 'its log holds no secret');
unlike($log, qr/^\s*FORGED|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/m, 'nor a line or a byte that the servers wrote by themselves');

done_testing();
