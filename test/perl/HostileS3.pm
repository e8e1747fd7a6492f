# The hostile, recording S3 server (test/services/hostile_s3.py).
package HostileS3;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_hostile);

my @started;

# start_hostile(URL, SECRET): a hash with port, url and log, the file that has
# all that arrived. Ended with the test.
sub start_hostile
{
	my @arg = @_;
	my $log = $PostgreSQL::Test::Utils::tmp_check . "/hostile_$$" . '_' . scalar(@started) . '.log';
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'python3', '-u', 'test/services/hostile_s3.py', $log, @arg ], '<', \$in, '>', \$out);
	my $tries = 200;
	until ($out =~ /^port (\d+)$/m) { $run->pump_nb; select(undef, undef, undef, 0.05); die 'the hostile server did not start' unless $tries-- }
	my ($port) = $out =~ /^port (\d+)$/m;
	push @started, $run;
	return { port => $port, url => "http://127.0.0.1:$port", log => $log };
}

END
{
	my $status = $?;
	eval { $_->kill_kill } for @started;
	$? = $status;
}

1;
