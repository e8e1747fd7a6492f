# How pipelines list: behind the last name that they know, where listing all takes its
# time, and all now and then, for names that come late.

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

# Nothing is loaded, so what is asked for are names.
my $node = new_node('listing', preload => 'shared', conf => "link.pipeline_pause = '1h'\n");
my $names = 60000;
my ($in, $out, $err) = ('', '', '');
my $fake = IPC::Run::start([ 'python3', '-u', 'test/services/names_s3.py', $names ], '<', \$in, '>', \$out, '2>', \$err);
$fake->pump until $out =~ /port (\d+)/;
my $port = $1;

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub eventually { my ($sql, $expected, $name) = @_; ok($node->poll_query_until('postgres', $sql, $expected), $name) or diag(sql($sql)) }
sub ask { my ($method, $path) = @_; IPC::Run::run([ 'curl', '-s', '-X', $method, '-H', 'Content-Length: 0', "http://127.0.0.1:$port/$path" ], '>', \my $said) or die; return $said }
sub asked { return (split ' ', ask('GET', 'asked'))[1] }

make_link($node, 's3', 'S3', { aws_access_key_id => 'x', aws_secret_access_key => 'x' }, { endpoint_url => "http://127.0.0.1:$port", region => 'r' });
sql("CREATE TABLE t (n int); SELECT link.create_pipeline('p', 's3', 'bucket/', 't', batch_interval => 200); SELECT link.start_pipeline('p')");
eventually('SELECT count(*) FROM link.pipeline_file', $names, 'all names are found');
is(sql("SELECT count(*) FROM link.pipeline_files WHERE pipeline = 'p' AND state <> 'Unloaded'"), '0', '... of objects that wait');
sleep 1;
my $before = asked();
sleep 2;
cmp_ok(asked() - $before, '<', $names / 2, '... and not asked for at each look');
ask('PUT', 'names/' . ($names + 10));
my $start = time;
eventually('SELECT count(*) FROM link.pipeline_file', $names + 10, 'names that grow are found');
cmp_ok(time - $start, '<', 3, '... soon');
ask('PUT', 'late/0000000005a.csv');
eventually('SELECT count(*) FROM link.pipeline_file', $names + 11, 'one that comes late is found too');
is(sql("SELECT count(*) FROM link.pipeline_file WHERE path = 'bucket/0000000005a.csv'"), '1', '... by its name');
$node->stop('fast');
$fake->kill_kill;
done_testing();
