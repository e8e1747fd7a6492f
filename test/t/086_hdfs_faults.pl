# Faults of HDFS's own servers, and of Kerberos: killed, restarted, frozen (SIGSTOP, so that
# connections are taken and nobody answers), in the middle of a read and of a write. Each
# ends within the link's time-outs, and a cancel or a terminate within a second.

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

my $node = new_node('hdfs_faults', conf => "link.allowed_hosts = 'http://localhost http://127.0.0.1'\n"
	  . "link.retry_timeout = '3s'\nlink.file_roots = '$ENV{LINK_KERBEROS_FOLDER}'\n");
my $d = '/user/tester/faults' . int(time);	# the servers may have seen this test before
my $soon = 2000;				# ms
my $runs = 0;
my $all;

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub says { my ($out, $err); $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]", stdout => \$out, stderr => \$err); return $out . $err }
sub wait_for { my ($what, $condition) = @_; for (1 .. 400) { return 1 if $condition->(); sleep 0.05 } die "timed out waiting for $what" }
sub timed { my ($do) = @_; my $start = time; my $result = $do->(); return ($result, time - $start) }

# FUNCTION ARGUMENT... of test/services
sub service
{
	my ($script, @call) = @_;
	IPC::Run::run([ 'bash', '-c', ". test/lib.sh; . test/services/$script.sh; \"\$@\"", '-', @call ], '>', \my $out, '2>', "$PostgreSQL::Test::Utils::tmp_check/service.log") or die "@call";
}
sub hdfs { service('hdfs', @_) }
sub freeze { my ($pid_file) = @_; my $pid = slurp_file($pid_file) + 0; kill('STOP', $pid) or die "no process $pid"; return sub { kill 'CONT', $pid } }

# A statement that goes on while the test does something else; its end tells what it said.
sub begin
{
	my ($sql) = @_;
	my $out = '';
	my $name = 'run' . ++$runs;
	local $ENV{PGAPPNAME} = $name;
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-c', $sql ], '<', \undef, '>', \$out, '2>&1');
	return { name => $name, end => sub { $run->finish; return $out } };
}
sub activity { my ($run, $what) = @_; return sql("SELECT $what FROM pg_stat_activity WHERE application_name = '$run->{name}'") }

# interrupted(HOW, SQL, AFTER): the seconds that it takes to end a statement that has waited for some, one if not said.
sub interrupted
{
	my ($how, $sql, $after) = @_;
	$after //= 1;
	my $run = begin($sql);
	wait_for('the statement', sub { activity($run, "query_start < clock_timestamp() - interval '${after}s'") eq 't' });
	my $pid = activity($run, 'pid');
	my ($said, $took) = timed(sub { sql("SELECT pg_${how}_backend($pid)"); $run->{end}->() });
	like($said, $how eq 'cancel' ? qr/ERROR:  57014/ : qr/FATAL:  57P01/, "$how: it ends by that");
	return $took;
}

# in_the_middle(FAULT, SQL...): what each statement says, all of which call held(), and for
# how many seconds it runs after that, if FAULT comes while they are held.
sub in_the_middle
{
	my ($fault, @sql) = @_;
	my $holder = $node->background_psql('postgres');
	$holder->query('SELECT pg_advisory_lock(1)');
	my @runs = map { begin($_) } @sql;
	foreach my $run (@runs) { wait_for('the middle', sub { activity($run, 'wait_event') eq 'advisory' }) }
	$fault->();
	$holder->query('SELECT pg_advisory_unlock(1)');
	my $start = time;
	my @said = map { my $said = $_->{end}->(); [ $said, time - $start ] } @runs;
	$holder->quit;
	return @said;
}

# Processes of the server that it does not know: children of backends.
sub children
{
	my $data = $node->data_dir;
	my %known = map { $_ => 1 } split /\n/, sql('SELECT pid FROM pg_stat_activity');
	my $postmaster = slurp_file("$data/postmaster.pid") =~ s/\n.*//sr;
	return grep { !$known{$_} && $_ != $postmaster && (readlink("/proc/$_/cwd") // '') eq $data && slurp_file("/proc/$_/status") !~ /^PPid:\s+$postmaster$/m }
	  map { m{/(\d+)$} ? $1 : () } glob('/proc/[0-9]*');
}

# Kerberos. The library that asks for tickets cannot be interrupted.
my %kerberos = (webhdfs_url => $ENV{LINK_HDFS_KERBEROS_ENDPOINT}, 'hadoop.security.authentication' => 'kerberos', connect_timeout => $soon);
sub keytab { my ($file) = @_; return { kerberos_principal => $ENV{LINK_KERBEROS_PRINCIPAL}, kerberos_keytab => $file } }
make_link($node, 'k', 'HDFS', keytab($ENV{LINK_KERBEROS_KEYTAB}), \%kerberos);
make_link($node, 'patient', 'HDFS', keytab($ENV{LINK_KERBEROS_KEYTAB}), { %kerberos, connect_timeout => 60000 });
my $read = "SELECT convert_from(link.read_file('k', '$d/k'), 'UTF8')";
is(sql("SELECT link.write_file('k', '$d/k', 'proven'); $read") =~ s/\s//gr, 'proven', 'Kerberos');
{
	my $before = $node->background_psql('postgres');
	is($before->query($read), 'proven', 'a session that has a ticket');
	my $thaw = freeze("$ENV{LINK_KERBEROS_FOLDER}/kdc.pid");
	my ($said, $took) = timed(sub { says($read) });
	like($said, qr/ERROR:  08001:.*Kerberos.*no ticket within $soon ms/s, 'a KDC that is silent');
	cmp_ok($took, '<', $soon / 1000 + 1, 'holds nobody longer than connect_timeout');
	cmp_ok(interrupted($_, $read =~ s/'k'/'patient'/r), '<', 3, "a $_ meanwhile is quick") foreach 'cancel', 'terminate';
	wait_for('the end of the children', sub { !children() });
	is($before->query($read), 'proven', 'whoever has a ticket asks nobody');
	$before->quit;
	$thaw->();
	is(sql($read), 'proven', 'it speaks again');

	service('kerberos', 'kerberos_down');
	like(says($read), qr/ERROR:  08001:.*The Kerberos library says: Cannot contact any KDC/s, 'a KDC that is down');
	service('kerberos', 'kerberos_up', '+1h');
	like(says($read), qr/ERROR:  08004:.*The Kerberos library says: Ticket not yet valid/s, 'one whose clock is an hour ahead');
	service('kerberos', 'kerberos_down');
	service('kerberos', 'kerberos_up');
	is(sql($read), 'proven', 'and up again');
}
foreach my $case ([ 'no file', undef ], [ 'no keytab', 'text' ], [ 'an empty one', "\x05\x02" ])
{
	my $file = "$ENV{LINK_KERBEROS_FOLDER}/bad.keytab";
	unlink $file;
	append_to_file($file, $case->[1] // '');
	make_link($node, "bad $case->[0]", 'HDFS', keytab($file), \%kerberos);
	unlink $file if !defined $case->[1];
	like(says($read =~ s/'k'/'"bad $case->[0]"'/r), qr/ERROR:  08004/, "a wrong keytab: $case->[0]");
}

# Nodes. 40 MB of rows, with one in between that waits for us; written in pieces of 16 MiB.
sub rows { my ($held) = @_; return "SELECT CASE WHEN n = $held THEN held('mark') ELSE repeat(md5(n::text), 31) END AS r FROM generate_series(1, 40000) n" }
# 'h' gives up soon, 'calm' does not
sub load { my ($retry, $link) = @_; $link //= 'h'; return "SET link.retry_timeout = '$retry'; SELECT rows FROM link.load_data('$link', '$d/big', 't')" }
sub export { my ($retry, $name, $link) = @_; $link //= 'h'; return "SET link.retry_timeout = '$retry'; SELECT rows FROM link.select_into(\$\$" . rows(24000) . "\$\$, '$link', '$d/$name')" }
sub is_loaded { my ($what) = @_; is(sql("SELECT count(*) || ' ' || sum(hashtextextended(r, 0)) FROM t; TRUNCATE t"), $all, $what) }
sub is_left { my ($names, $what) = @_; is(join(' ', sort map { $_->{pathSuffix} } @{ JSON::PP::decode_json(web('GET', "$d?op=LISTSTATUS"))->{FileStatuses}{FileStatus} }), $names, $what) }
sub web { my ($method, $what) = @_; my $out = ''; IPC::Run::run([ 'curl', '-sS', '--noproxy', '*', '-X', $method, "$ENV{LINK_HDFS_ENDPOINT}/webhdfs/v1$what&user.name=tester" ], '>', \$out); return $out }
sub lives { hdfs('hdfs_up', $ENV{LINK_HDFS_FOLDER}, @_) }
sub dies { hdfs('hdfs_kill', $ENV{LINK_HDFS_FOLDER}, @_) }
make_link($node, 'h', 'HDFS', { user => 'tester' }, { webhdfs_url => $ENV{LINK_HDFS_ENDPOINT}, connect_timeout => $soon, request_timeout => $soon });
make_link($node, 'calm', 'HDFS', { user => 'tester' }, { webhdfs_url => $ENV{LINK_HDFS_ENDPOINT} });
sql(<<'SQL');
CREATE TABLE t (r text);
CREATE FUNCTION held(r text) RETURNS text LANGUAGE sql AS 'SELECT pg_advisory_lock_shared(1); SELECT pg_advisory_unlock_shared(1); SELECT r';
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.r := held(NEW.r); RETURN NEW; END';
CREATE TRIGGER hold BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.r = 'mark') EXECUTE FUNCTION hold();
SQL
sql("SELECT link.select_into(\$\$" . rows(8000) . "\$\$, 'calm', '$d/big')");
sql(load('0s', 'calm'));
$all = sql("SELECT count(*) || ' ' || sum(hashtextextended(r, 0)) FROM t; TRUNCATE t");

my ($r, $w) = in_the_middle(sub { dies('dn'); lives('dn') }, load('60s', 'calm'), export('60s', 'a', 'calm'));
is($r->[0], "40000\n", 'datanode restarted: a read goes on');
is_loaded('and misses nothing');
is($w->[0], "40000\n", 'and so does a write');
is_left('a big', 'which leaves nothing else');

($r, $w) = in_the_middle(sub { dies('dn') }, load('2s'), export('2s', 'b'));
like($r->[0], qr/ERROR:  08001:.*could not read/, 'datanode dead: a read fails');
like($w->[0], qr/ERROR:  08001:.*could not write/, 'and so does a write');
cmp_ok($w->[1], '<', 8, 'in time');
is_left('a big', 'and leaves nothing');
lives('dn');
is(sql(load('60s', 'calm')), '40000', 'it is back');
is_loaded('with all');

# The name at the end, which others want too.
{
	my $write = sub { my ($row, $name, $more) = @_; "SELECT FROM link.select_into(\$\$SELECT held('$row')\$\$, 'calm', '$d/names/$name'" . ($more // '') . ')' };
	my @said = in_the_middle(sub { }, map { $write->($_, 'both', ', overwrite => true') } 'one', 'two');
	is(join(' ', map { $_->[0] } @said), ' ', 'two writers that overwrite');
	like(sql("SELECT convert_from(link.read_file('h', '$d/names/both'), 'UTF8')"), qr/^(one|two)$/, "and it is one's");
	@said = in_the_middle(sub { web('PUT', "$d/names/taken?op=MKDIRS") }, export('30s', 'names/taken', 'calm'));
	like($said[0][0], qr/ERROR:  42809:.*it is a directory/, 'a directory is there by then');
	is(sqlstate_of($node, "SELECT link.write_file('h', '$d/names/taken', 'x'$_)"), '42809', "or from the beginning$_") foreach '', ', true';
	like(web('GET', "$d/names/taken?op=LISTSTATUS"), qr/"FileStatus":\[\s*\]/, 'and has nothing in it');

	# a namenode whose first answer to RENAME is lost
	my $proxy = PostgreSQL::Test::Utils::tempdir . '/proxy.py';
	append_to_file($proxy, <<'P');
import http.client, http.server, sys
lost = 0
class Proxy(http.server.BaseHTTPRequestHandler):
    def any(self):
        global lost
        c = http.client.HTTPConnection(sys.argv[1]); c.request(self.command, self.path); r = c.getresponse(); body = r.read()
        if 'op=RENAME' in self.path:
            lost += 1
            if lost % 2: self.close_connection = True; return
        self.send_response(r.status)
        if r.getheader('Location'): self.send_header('Location', r.getheader('Location'))
        self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
    do_GET = do_PUT = do_POST = do_DELETE = any
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Proxy)
print('port', s.server_address[1], flush=True)
s.serve_forever()
P
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'python3', '-u', $proxy, $ENV{LINK_HDFS_ENDPOINT} =~ s{http://}{}r ], '<', \$in, '>', \$out);
	wait_for('the proxy', sub { $run->pump_nb; $out =~ /port (\d+)/ });
	make_link($node, 'lossy', 'HDFS', { user => 'tester' }, { webhdfs_url => 'http://127.0.0.1:' . ($out =~ s/\D//gr) });
	foreach my $more ('', ', true')
	{
		is(sql("SELECT link.write_file('lossy', '$d/names/lost', 'x'$more)"), '', "the answer is lost$more");
	}
	like(says("SELECT link.write_file('lossy', '$d/names/lost', 'x')"), qr/ERROR:  58P02/, 'which is not taken for another writer');
	is(join(' ', glob($node->data_dir . '/link_uploads/*')), '', 'nothing is on record');
	$run->kill_kill;
}

# A namenode: the read is in the hands of the datanode. Of two writes one does not wait.
{
	my $late;
	($r, $w) = in_the_middle(sub {
			$late = $node->background_psql('postgres');
			$late->query('SELECT pg_advisory_lock(2)');
			$late = [ $late, begin(export('60s', 'c', 'calm') =~ s/held\(/held_2(/r) ];
			wait_for('the middle', sub { activity($late->[1], 'wait_event') eq 'advisory' });
			dies('nn1') }, load('2s'), export('2s', 'd'))
	  if sql("CREATE FUNCTION held_2(r text) RETURNS text LANGUAGE sql AS 'SELECT pg_advisory_lock_shared(2); SELECT pg_advisory_unlock_shared(2); SELECT r'") eq '';
	is($r->[0], "40000\n", 'namenode dead: a read goes on');
	is_loaded('and misses nothing');
	like($w->[0], qr/ERROR:  08001:.*could not write/, 'a write fails');
	like(says(load('1s')), qr/ERROR:  08001:.*could not read/, 'and another read');
	lives('nn1');
	$late->[0]->query('SELECT pg_advisory_unlock(2)');
	is($late->[1]{end}->(), "40000\n", 'namenode restarted: a write goes on');
	$late->[0]->quit;
	like(join(' ', map { m{/([^/]*)$} } glob($node->data_dir . '/link_uploads/*')), qr/./, 'what it could not take back is on record');
	is(sql("SELECT link.write_file('h', '$d/c2', 'x')"), '', 'the next write');
	is_left('a big c c2 names', 'takes it back');
}

# Frozen ones.
foreach my $frozen ('dn', 'nn1')
{
	my $thaw;
	($r, $w) = in_the_middle(sub { $thaw = freeze("$ENV{LINK_HDFS_FOLDER}/$frozen.pid") }, load('2s'), export('2s', "e$frozen"));
	$frozen eq 'dn' ? like($r->[0], qr/ERROR:  58030:.*could not read/, 'datanode frozen: a read fails') : is($r->[0], "40000\n", 'namenode frozen: a read goes on');
	sql('TRUNCATE t');
	like($w->[0], qr/ERROR:  58030:.*could not write/, "$frozen frozen: a write fails");
	cmp_ok($w->[1], '<', 10, 'in time');
	cmp_ok(interrupted($_, 'SET link.request_timeout = 60000; ' . load('60s')), '<', 3, "$frozen frozen: a $_ of a read is quick") foreach 'cancel', 'terminate';
	# the first one soon, while it takes back what others have left
	cmp_ok(interrupted($_, export('3s', "f$frozen$_"), $_ eq 'cancel' ? 0.3 : 1), '<', 3, "$frozen frozen: a $_ of a write is quick") foreach 'cancel', 'terminate';
	$thaw->();
	sleep 2;					# what they were sent meanwhile is done now
	is(sql("SELECT link.write_file('h', '$d/g', 'x', overwrite => true)"), '', 'then the next works');
	is_left('a big c c2 g names', 'and takes back what came late');
}

# A pair of namenodes: the active one dies, the other takes over; the datanode is restarted too, so that the read has to ask.
make_link($node, 'pair', 'HDFS', { user => 'tester' }, { webhdfs_url => [ @ENV{qw(LINK_HDFS_HA_ENDPOINT LINK_HDFS_HA_ENDPOINT2)} ] });
sql("SELECT link.select_into(\$\$" . rows(8000) . "\$\$, 'pair', '$d/big')");
($r, $w) = in_the_middle(sub {
		hdfs($_->[0], $ENV{LINK_HDFS_HA_FOLDER}, @$_[1 .. $#$_]) foreach [ 'hdfs_kill', 'dn' ], [ 'hdfs_kill', 'nn1' ], ['hdfs_failover'], [ 'hdfs_up', 'dn' ] },
	load('60s', 'pair'), export('60s', 'a', 'pair'));
is($r->[0], "40000\n", 'failover: a read goes on');
is_loaded('and misses nothing');
is($w->[0], "40000\n", 'and so does a write');
is(sql("SELECT string_agg(size::text, ' ') FROM link.list_files('pair', '$d/')") =~ s/^(\d+) \g1$/same/r, 'same', 'of the same');

wait_for('the end of the records', sub {
		sql("SELECT link.write_file('h', '$d/g', 'x', overwrite => true)");
		return !(() = glob($node->data_dir . '/link_uploads/*')) });
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'the log tells of no crash');
done_testing();
