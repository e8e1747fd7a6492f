# Who is connected to and what arrives there: servers that write down every byte,
# link.allowed_hosts, and names whose address changes.
package LinkNetwork;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use JSON::PP ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

our @EXPORT = qw(start_recorder start_kafka_recorder start_hostile_kafka arrived new_arrivals allow_hosts run_sql sql_call start_with_hosts);

my @started;

# A server of test/services that prints its port; gives a hash with port, url, and
# log, the file that has all that arrived. Ended with the test.
sub start_server
{
	my ($script, @arg) = @_;
	my $log = $PostgreSQL::Test::Utils::tmp_check . "/recorder_$$" . '_' . scalar(@started) . '.log';
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'python3', '-u', "test/services/$script", $log, @arg ], '<', \$in, '>', \$out);
	my $tries = 200;
	until ($out =~ /^port (\d+)$/m) { $run->pump_nb; sleep 0.05; die "$script did not start" unless $tries-- }
	my ($port) = $out =~ /^port (\d+)$/m;
	push @started, $run;
	return { port => $port, url => "http://127.0.0.1:$port", at => "127.0.0.1:$port", log => $log };
}

# start_recorder(SETTINGS): test/services/recorder.py
sub start_recorder { my (%settings) = @_; return start_server('recorder.py', JSON::PP::encode_json(\%settings)) }

# start_kafka_recorder([PORT | CERT, KEY]): test/services/fake_kafka.py
sub start_kafka_recorder { return start_server('fake_kafka.py', @_) }

# start_hostile_kafka(HOW): test/services/hostile_kafka.py
sub start_hostile_kafka { return start_server('hostile_kafka.py', @_) }

# What listeners have, once those on their way have arrived.
sub arrived
{
	my (@listeners) = @_;
	sleep 0.3;
	return join '', map { slurp_file($_->{log}) } @listeners;
}

# Since the last such question.
my %seen;
sub new_arrivals
{
	my (@listeners) = @_;
	my $new = '';
	sleep 0.3;
	foreach my $listener (@listeners)
	{
		my $all = slurp_file($listener->{log});
		$new .= substr($all, $seen{ $listener->{port} } // 0);
		$seen{ $listener->{port} } = length $all;
	}
	return $new;
}

# allow_hosts(NODE, ENTRIES): as link.allowed_hosts of sessions from now on.
sub allow_hosts
{
	my ($node, $entries) = @_;
	$node->safe_psql('postgres', 'ALTER SYSTEM SET link.allowed_hosts = ' . quote($entries));
	$node->reload;
	for (1 .. 200)
	{
		return if $node->safe_psql('postgres', 'SHOW link.allowed_hosts') eq $entries;
		sleep 0.02;
	}
	die "link.allowed_hosts does not change to $entries";
}

# run_sql(NODE, SQL, user => ROLE): what it says, in one session.
sub run_sql
{
	my ($node, $sql, %arg) = @_;
	my ($out, $err);
	$node->psql('postgres', "\\set VERBOSITY verbose\n$sql;\n", stdout => \$out, stderr => \$err, on_error_stop => 0,
		extra_params => $arg{user} ? [ '-U', $arg{user} ] : []);
	return $out . $err;
}

# The call of a function of ours; "NAME => ..." is taken as it is.
sub sql_call
{
	my ($name, @arg) = @_;
	return "SELECT link.$name(" . join(', ', map { !defined $_ ? 'NULL' : /^\w+ => / ? $_ : quote($_) } @arg) . ')';
}

# start_with_hosts(NODE): starts it in a mount namespace of its own, where /etc/hosts
# is the file whose name is given; false where there are no such namespaces.
sub start_with_hosts
{
	my ($node) = @_;
	my $hosts = $node->basedir . '/hosts';
	my $bin = $node->basedir . '/bin';
	my $real = `sh -c 'command -v pg_ctl'` =~ s/\n//r;

	append_to_file($hosts, "127.0.0.1 localhost\n");
	chmod 0644, $hosts;
	return if system("unshare --map-current-user --keep-caps -m mount --bind $hosts /etc/hosts 2>/dev/null") != 0;
	$node->stop;
	mkdir $bin;
	append_to_file("$bin/pg_ctl", "#!/bin/sh\nexec unshare --map-current-user --keep-caps -m sh -c 'mount --bind $hosts /etc/hosts && exec $real \"\$\@\"' pg_ctl \"\$\@\"\n");
	chmod 0755, "$bin/pg_ctl";
	local %ENV = (%ENV, PATH => "$bin:$ENV{PATH}");
	$node->start;
	return $hosts;
}

END
{
	my $status = $?;
	eval { $_->kill_kill } for @started;
	$? = $status;
}

1;
