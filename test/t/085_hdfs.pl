# HDFS by WebHDFS against Apache Hadoop: files, redirects, Kerberos, failover.

use strict;
use warnings;
use JSON::PP ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_service('kerberos');
need_service('hdfs');
need_service('hdfs_kerberos');
need_service('hdfs_ha');

my $outside = PostgreSQL::Test::Utils::tempdir;
my $node;
{
	# a ticket cache and keytab for everybody, which no link may use
	local %ENV = (%ENV, KRB5CCNAME => "FILE:$outside/default.cc", KRB5_CLIENT_KTNAME => $ENV{LINK_KERBEROS_KEYTAB});
	IPC::Run::run([ 'kinit', 'alice' ], '<', \"$ENV{LINK_KERBEROS_PASSWORD}\n", '>', \my $out) or die 'kinit';
	$node = new_node('hdfs', conf => "link.allowed_hosts = 'http://localhost localhost http://127.0.0.1'\n"
		  . "restart_after_crash = on\nlink.retry_timeout = '60s'\nlink.file_roots = '$ENV{LINK_KERBEROS_FOLDER}'\n");
}
my $user = { user => 'tester' };

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub says { my ($out, $err); $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]", stdout => \$out, stderr => \$err); return $out . $err }
sub web { my ($service, $method, $what) = @_; my ($out, $err) = ('', ''); IPC::Run::run([ 'curl', '-sS', '-X', $method, "$ENV{$service}/webhdfs/v1$what" ], '>', \$out, '2>', \$err); return $out }
sub names { my @names = sort map { $_->{pathSuffix} } @{ JSON::PP::decode_json(web('LINK_HDFS_ENDPOINT', 'GET', "$_[0]?op=LISTSTATUS&user.name=hdfs"))->{FileStatuses}{FileStatus} }; return @names }
sub wait_for { my ($what, $condition) = @_; for (1 .. 300) { return 1 if $condition->(); sleep 0.05 } die "timed out waiting for $what" }

make_link($node, 'h', 'HDFS', $user, { webhdfs_url => $ENV{LINK_HDFS_ENDPOINT}, hosts => ['pair:8020'] });
make_link($node, 'tls', 'HDFS', $user, { webhdfs_url => $ENV{LINK_HDFS_TLS_ENDPOINT}, ca_certificate => slurp_file($ENV{LINK_HDFS_CA}) });
make_link($node, 'untrusted', 'HDFS', $user, { webhdfs_url => $ENV{LINK_HDFS_TLS_ENDPOINT}, max_retries => 0 });
make_link($node, 'stranger', 'HDFS', { user => 'other' }, { webhdfs_url => $ENV{LINK_HDFS_ENDPOINT} });
my $d = '/user/tester/' . int(time);	# the servers may have seen this test before

sub kinit_curl
{
	my ($query, @arg) = (pop, @_);
	local %ENV = (%ENV, KRB5_CLIENT_KTNAME => "FILE:$ENV{LINK_KERBEROS_KEYTAB}", KRB5CCNAME => 'MEMORY:');
	IPC::Run::run([ 'curl', '-sS', '--negotiate', '-u', ':', @arg, "$ENV{LINK_HDFS_KERBEROS_ENDPOINT}/webhdfs/v1/$query" ], '>', \my $out);
	return $out;
}
sub new_token { my $out = kinit_curl('?op=GETDELEGATIONTOKEN&renewer=tester'); return eval { JSON::PP::decode_json($out)->{Token}{urlString} } // die "no token: $out" }
my $short = new_token();
my $expires = time + 16;		# dfs.namenode.delegation.token.renew-interval

# Round trips.
foreach my $size (0, 1, 16 * 1024 * 1024 - 1, 16 * 1024 * 1024, 16 * 1024 * 1024 + 1, 50 * 1000 * 1000)
{
	my $content = "convert_to(substr(repeat('0123456789abcdef!', " . (int($size / 17) + 1) . "), 1, $size), 'UTF8')";
	is(sql("SELECT link.write_file('h', '$d/sizes/$size', $content); SELECT md5(link.read_file('h', '$d/sizes/$size')) = md5($content)") =~ s/\s//gr, 't', "$size bytes");
}
is(sql("SELECT string_agg(size::text, ' ') FROM link.list_files('h', '$d/sizes/')"), '0 1 16777215 16777216 16777217 50000000', 'listed, in order of their names');
foreach my $name ('a b', "\x{fc}\x{4e2d}", 'a+b', '50%', '%41', 'a#b', 'a&b=c')
{
	my $text = $name;
	utf8::encode($text);
	is(sql("SELECT link.write_file('h', '$d/names/$text', 'x'); SELECT convert_from(link.read_file('h', '$d/names/$text'), 'UTF8')") =~ s/\s//gr, 'x', "name $text");
}
is(scalar(names("$d/names")), 7, 'each under its own name');
is(sql("SELECT count(*) FROM link.list_files('h', '$d/names/')"), '7', 'and listed');

# A page of a listing holds ten here; namenodes put names that are not ASCII first.
sql(join ';', map { "SELECT link.write_file('h', '$d/order/$_', '')" } map { ("\xc3\xbc$_", "o$_") } 'a' .. 'j');
is(sql("SELECT string_agg(right(path, -length('$d/order/')), ' ') FROM link.list_files('h', '$d/order/')"),
	join(' ', (map { "o$_" } 'a' .. 'j'), map { "\xc3\xbc$_" } 'a' .. 'j'), 'pages in their order, paths in ours');
is(sql("SELECT link.write_file('tls', '$d/tls', 'safe'); SELECT convert_from(link.read_file('tls', '$d/tls'), 'UTF8')") =~ s/\s//gr, 'safe', 'over TLS');
is(sqlstate_of($node, "SELECT link.read_file('untrusted', '$d/tls')"), '08001', 'not without the authority');

# Rules.
is(sqlstate_of($node, "SELECT link.write_file('h', '$d/tls', 'x')"), '58P02', 'no file is replaced by accident');
is(sqlstate_of($node, "SELECT link.write_file('h', '$d/tls', 'new', overwrite => true)"), '00000', 'but on demand');
is(sql("SELECT convert_from(link.read_file('h', '$d/tls'), 'UTF8')"), 'new', 'which shows');
is(sqlstate_of($node, "SELECT link.read_file('h', '$d/none')"), '58P01', 'no such file');
is(sqlstate_of($node, "SELECT link.remove_file('h', '$d/none')"), '58P01', 'nor to remove');
is(sqlstate_of($node, "SELECT link.remove_file('h', '$d/tls')"), '00000', 'removed');
is(sqlstate_of($node, "SELECT link.read_file('h', '$d/tls')"), '58P01', 'and gone');
my $said = says("SELECT link.read_file('stranger', '$d/sizes/1')");
like($said, qr/ERROR:  42501:.*access denied/, 'another user is denied');
like($said, qr/DETAIL:  The server answered HTTP 403: AccessControlException: Permission denied/, 'in the words of the server');
unlike($said, qr/RemoteException|javaClassName|\{/, 'and no more of its answer');
my ($port) = $ENV{LINK_HDFS_ENDPOINT} =~ /:(\d+)$/;
foreach my $prefix ("hdfs://localhost:8020", "webhdfs://localhost:$port", 'hdfs://localhost', 'hdfs://pair:8020')
{
	is(sql("SELECT length(link.read_file('h', '$prefix$d/sizes/1'))"), '1', "$prefix/...");
}
is(sql("SELECT length(link.read_file('tls', 'swebhdfs://localhost$d/sizes/1'))"), '1', 'swebhdfs://');
is(sqlstate_of($node, "SELECT link.read_file('h', '$_$d/sizes/1')"), '42501', "not $_/...") foreach 'hdfs://elsewhere', 'hdfs://pair:8021', 'hdfs://localhost@elsewhere', 'hdfs://pair';

# Nothing shows before the end, nor what fails or is killed.
sub slow { my ($last, $rows) = @_; return "SELECT link.select_into(\$\$SELECT CASE WHEN n = 60001 THEN $last ELSE repeat(md5(n::text), 10) END FROM generate_series(1, 60001) n\$\$, 'h', '$d/slow/f')" }
like(says(slow("(1 / (n - 60001))::text")), qr/ERROR:  22012/, 'a query that fails in its last row');
is(join(' ', eval { names("$d/slow") }), '', 'leaves nothing');
foreach my $how ('kill', 'cancel')
{
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');
	$psql->query_until(qr/go/, "\\echo go\n" . slow('pg_sleep(60)::text') . ";\n");
	wait_for('the hidden name', sub { grep { /^\.link-/ } eval { names("$d/slow") } });
	is(scalar(grep { !/^\.link-/ } names("$d/slow")), 0, "$how: nothing visible in the middle");
	is(sql("SELECT count(*) FROM link.list_files('h', '$d/slow/')"), '0', "$how: nor listed by us");
	if ($how eq 'kill')
	{
		kill 9, $pid;
		eval { $psql->quit };
		$node->poll_query_until('postgres', 'SELECT true');
		is(scalar(names("$d/slow")), 1, 'killed: the hidden name stays');
		sql("SELECT link.write_file('h', '$d/next', 'x', overwrite => true)");
	}
	else
	{
		my $start = time;
		sql("SELECT pg_cancel_backend($pid)");
		wait_for('the cancel', sub { sql("SELECT state FROM pg_stat_activity WHERE pid = $pid") ne 'active' });
		cmp_ok(time - $start, '<', 1.5, 'a cancel is quick');
		eval { $psql->quit };
	}
	is(join(' ', names("$d/slow")), '', "$how: nothing is left");
}

# Redirects. A namenode of ours sends to where nobody may go; a listener tells who comes.
my $fake = "$outside/fake.py";
append_to_file($fake, <<'P');
import http.server, json, ssl, sys, threading
log, folder, cert, key = sys.argv[1:5]
where = {}
class Evil(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open(log, 'a').write(self.path + '\n')
        self.send_response(200); self.send_header('Content-Length', '5'); self.end_headers(); self.wfile.write(b'hello')
    def log_message(self, *a): pass
restarted = set()
class Name(Evil):
    def do_GET(self):
        if 'op=OPEN' in self.path and 'restarted' in self.path and not restarted:
            restarted.add(1)
            body = json.dumps({'RemoteException': {'exception': 'IOException', 'message': 'No active nodes contain this block'}})
            self.send_response(403); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body.encode()); return
        if 'op=OPEN' in self.path:
            self.send_response(307); self.send_header('Location', where[self.path.split('?')[0].split('/')[-1]])
            self.send_header('Content-Length', '0'); self.end_headers(); return
        if 'page' in self.path: code, body = 500 - 99, '<html>secret page delegation=AbCd</html>'
        elif 'words' in self.path: code, body = 403, json.dumps({'RemoteException': {'exception': 'IOException', 'message': 'no delegation=AbCdEf&x\n\tat java.Stack'}})
        else: code, body = 200, json.dumps({'FileStatus': {'type': 'FILE', 'length': 5, 'modificationTime': 1, 'fileId': 7}})
        self.send_response(code); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body.encode())
def serve(cls, tls=False):
    s = http.server.ThreadingHTTPServer(('0.0.0.0', 0), cls)
    if tls:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(cert, key); s.socket = c.wrap_socket(s.socket, server_side=True)
    threading.Thread(target=s.serve_forever).start()
    return s.server_address[1]
e, n, t = serve(Evil), serve(Name), serve(Name, True)
where.update(restarted='http://127.0.0.1:%d/webhdfs/v1/x?op=OPEN' % e, good='http://127.0.0.1:%d/webhdfs/v1/x?op=OPEN' % e, path='http://127.0.0.1:%d/other/x' % e,
    dots='http://127.0.0.1:%d/webhdfs/v1/../../x' % e, coded='http://127.0.0.1:%d/webhdfs/v1/%%2E%%2e/x' % e,
    user='http://a:b@127.0.0.1:%d/webhdfs/v1/x' % e, query='http://127.0.0.1:%d?/webhdfs/v1/x' % e,
    denied='http://127.0.0.2:%d/webhdfs/v1/x' % e, local='http://169.254.169.254/webhdfs/v1/x', file='file:///webhdfs/v1/x')
print('ports', n, t, flush=True)
P
my $log = "$outside/evil.log";
append_to_file($log, '');
my ($in, $out) = ('', '');
my $run = IPC::Run::start([ 'python3', '-u', $fake, $log, $outside, map { "$ENV{LINK_HDFS_FOLDER}/tls/$_" } 'cert.pem', 'key.pem' ], '<', \$in, '>', \$out, '2>', "$outside/fake.err");
wait_for('the fake', sub { $run->pump_nb; $out =~ /ports/ });
my ($plain_port, $tls_port) = $out =~ /ports (\d+) (\d+)/;
make_link($node, 'fake', 'HDFS', $user, { webhdfs_url => "http://127.0.0.1:$plain_port", max_retries => 0 });
make_link($node, 'faketls', 'HDFS', $user, { webhdfs_url => "https://localhost:$tls_port", ca_certificate => slurp_file($ENV{LINK_HDFS_CA}), max_retries => 0 });
is(sql("SELECT convert_from(link.read_file('fake', '/good'), 'UTF8')"), 'hello', 'a redirect that is in order');
like(slurp_file($log), qr/webhdfs/, 'arrives');
make_link($node, 'patient', 'HDFS', $user, { webhdfs_url => "http://127.0.0.1:$plain_port" });
is(sql("SELECT convert_from(link.read_file('patient', '/restarted'), 'UTF8')"), 'hello', 'a datanode that has not told yet what it has');
truncate $log, 0;
is(sqlstate_of($node, "SELECT link.read_file('faketls', '/good')"), '08P01', 'not from https to http');
is(sqlstate_of($node, "SELECT link.read_file('fake', '/$_')"), '08P01', "redirect refused: $_") foreach qw(path dots coded user query file);
is(sqlstate_of($node, "SELECT link.read_file('fake', '/$_')"), '08001', "redirect refused: $_") foreach qw(denied local);
is(slurp_file($log), '', 'and nothing was sent there');
$said = says("SELECT link.read_file('fake', '/page')");
like($said, qr/HTTP 401\./, 'of a page the status');
unlike($said, qr/html|AbCd/, 'and nothing else');
$said = says("SELECT link.read_file('fake', '/words')");
like($said, qr/ERROR:  58030.*IOException: no \(a token\)&x/s, 'of an exception its message');
unlike($said, qr/AbCd|Stack/, 'without token and stack');
$run->kill_kill;

# Kerberos.
my %kerberos = (webhdfs_url => $ENV{LINK_HDFS_KERBEROS_ENDPOINT}, 'hadoop.security.authentication' => 'kerberos');
sub keytab { my ($principal, $file) = @_; return { kerberos_principal => $ENV{$principal}, kerberos_keytab => $file } }
make_link($node, 'k', 'HDFS', keytab('LINK_KERBEROS_PRINCIPAL', $ENV{LINK_KERBEROS_KEYTAB}), \%kerberos);
make_link($node, 'stale', 'HDFS', keytab('LINK_KERBEROS_PRINCIPAL', $ENV{LINK_KERBEROS_STALE_KEYTAB}), \%kerberos);
make_link($node, 'other', 'HDFS', keytab('LINK_KERBEROS_OTHER_PRINCIPAL', $ENV{LINK_KERBEROS_OTHER_KEYTAB}), \%kerberos);
make_link($node, 'none', 'HDFS', $user, { webhdfs_url => $ENV{LINK_HDFS_KERBEROS_ENDPOINT} });
is(sql("SELECT link.write_file('k', '$d/k', 'proven'); SELECT convert_from(link.read_file('k', '$d/k'), 'UTF8')") =~ s/\s//gr, 'proven', 'Kerberos');
$said = says("SELECT link.read_file('stale', '$d/k')");
like($said, qr/ERROR:  08004/, 'a stale keytab');
unlike($said, qr/\\x00/, 'told in plain words');
is(sqlstate_of($node, "SELECT link.read_file('other', '$d/k')"), '42501', 'another principal');
is(sqlstate_of($node, "SELECT link.read_file('none', '$d/k')"), '08004', 'the default cache is not used');
like(says("SELECT link.read_file('k', '$d/k'); SELECT link.alter_link('k', credentials => " . quote(JSON::PP::encode_json(keytab('LINK_KERBEROS_OTHER_PRINCIPAL', $ENV{LINK_KERBEROS_OTHER_KEYTAB}))) . "); SELECT link.read_file('k', '$d/k')"),
	qr/ERROR:  42501:.*access denied/, 'new credentials serve at once');
like(says("SELECT link.read_file('none', '$d/k')"), qr/ERROR:  08004/, 'nor after that');
sql("CREATE ROLE maker LOGIN; GRANT CREATE ON SCHEMA public TO maker; SELECT link.grant_privilege('CREATE, AMBIENT', '*.*', 'maker')");
sub create { my ($name, $file) = @_; return sprintf('SELECT link.create_link(%s)', join ', ', map { quote($_) } $name, 'HDFS', map { JSON::PP::encode_json($_) } keytab('LINK_KERBEROS_PRINCIPAL', $file), \%kerberos) }
system_or_bail('cp', $ENV{LINK_KERBEROS_KEYTAB}, "$outside/k.keytab");
is(sqlstate_of($node, create('m', "$outside/k.keytab"), user => 'maker'), '42501', 'a keytab outside link.file_roots');
is(sqlstate_of($node, create('m', $ENV{LINK_KERBEROS_KEYTAB}), user => 'maker'), '00000', 'and one inside');
my $token = new_token();
make_link($node, 'token', 'HDFS', { delegation_token => $token }, \%kerberos);
make_link($node, 'badtoken', 'HDFS', { delegation_token => substr($token, 0, 4) . "YWJj" . substr($token, 8) }, \%kerberos);
is(sql("SELECT convert_from(link.read_file('token', '$d/k'), 'UTF8')"), 'proven', 'a delegation token');
$said = says("SELECT link.read_file('badtoken', '$d/k')");
like($said, qr/ERROR:  (?:08004|42501)/, 'one that is not');
unlike($said, qr/\Q@{[ substr($token, 8, 20) ]}\E/, 'and not told');

# A pair of namenodes, the first one asked on standby.
make_link($node, 'ha', 'HDFS', $user, { webhdfs_url => [ @ENV{qw(LINK_HDFS_HA_ENDPOINT2 LINK_HDFS_HA_ENDPOINT)} ] });
is(sql("SELECT link.write_file('ha', '$d/ha', 'pair'); SELECT convert_from(link.read_file('ha', '$d/ha'), 'UTF8')") =~ s/\s//gr, 'pair', 'the first is on standby');

# Delegation tokens that are good no more.
kinit_curl('-X', 'PUT', '?op=CANCELDELEGATIONTOKEN&token=' . $token);
$said = says("SELECT link.read_file('token', '$d/k')");
like($said, qr/ERROR:  08004:.*InvalidToken: .*can't be found/s, 'one that was cancelled');
unlike($said, qr/\Q@{[ substr($token, 8, 20) ]}\E/, 'which is not told');
make_link($node, 'expired', 'HDFS', { delegation_token => $short }, \%kerberos);
sleep 1 while time < $expires;
$said = says("SELECT link.read_file('expired', '$d/k')");
like($said, qr/ERROR:  08004:.*InvalidToken: .*has expired/s, 'one that has expired');
unlike($said, qr/\Q@{[ substr($short, 8, 20) ]}\E/, 'which is not told');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal (?!9)/, 'the log tells of no crash but ours');
done_testing();
