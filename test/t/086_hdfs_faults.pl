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
need_service('hdfs_kerberos');

my $node = new_node('hdfs_faults', conf => "link.allowed_hosts = 'http://localhost http://127.0.0.1'\n"
	  . "link.retry_timeout = '3s'\nlink.file_roots = '$ENV{LINK_KERBEROS_FOLDER}'\n");
my $d = '/user/tester/faults' . int(time);	# the servers may have seen this test before
my $soon = 2000;				# ms

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

# interrupted(HOW, SQL): the seconds that it takes to end a statement that has waited for one.
sub interrupted
{
	my ($how, $sql) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');
	$psql->query_until(qr/go/, "\\echo go\n$sql;\n");
	wait_for('the statement', sub { sql("SELECT state = 'active' AND query_start < clock_timestamp() - interval '1s' FROM pg_stat_activity WHERE pid = $pid") eq 't' });
	my (undef, $took) = timed(sub {
		sql("SELECT pg_${how}_backend($pid)");
		wait_for('the end', sub { sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active'") eq '0' }) });
	eval { $psql->quit };
	return $took;
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
	cmp_ok(interrupted($_, $read =~ s/'k'/'patient'/r), '<', 1, "a $_ meanwhile is quick") foreach 'cancel', 'terminate';
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

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'the log tells of no crash');
done_testing();
