# Listings of pipelines: behind the largest name known, in full every so often, in
# transactions of so many names.

use strict;
use warnings;
use HTTP::Tiny;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $names = 20000;
my $file = PostgreSQL::Test::Utils::tempdir() . "/port";
my $server = fork // die;
if ($server == 0)
{
	open STDOUT, '>', $file or die;
	exec 'python3', "test/services/names_s3.py", $names or die;
}
END { my $status = $?; kill "TERM", $server if $server; waitpid $server, 0 if $server; $? = $status }
my $port;
foreach (1 .. 100) { last if -s $file && slurp_file($file) =~ /port (\d+)/ && ($port = $1); sleep 0.1 }
die 'no server' unless $port;
sub request { my ($method, $path) = @_; return HTTP::Tiny->new->request($method, "http://127.0.0.1:$port/$path")->{content} }

my $node = new_node('listing', preload => 'shared', conf => "max_worker_processes = 16\n");
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub eventually { my ($sql, $expected, $name) = @_; ok($node->poll_query_until('postgres', $sql, $expected), $name) or diag(sql($sql)) }
s3_link($node, 'names', key => 'key', secret => 'secret', config => s3_config(endpoint_url => "http://127.0.0.1:$port"));
sql(q{CREATE TABLE t (n text);
	SELECT link.create_pipeline('p', 'names', 'b/*.csv', 't', format => 'csv', batch_interval => 100);
	SELECT link.start_pipeline('p')});
ok($node->poll_query_until('postgres', "SELECT count(*) BETWEEN 1 AND $names - 1 FROM link.pipeline_files", 't'), 'what is found is there before all is');
eventually('SELECT count(*), count(DISTINCT n) FROM t', "$names|$names", 'all are loaded, each once');
eventually("SELECT pending_files FROM link.pipelines", '0', 'nothing waits');

# A full listing asks for all names; behind the largest there are none.
sub asked { return split ' ', request('GET', 'asked') }
my ($looks, $seen) = asked();
sleep 5;
my ($looks_later, $seen_later) = asked();
note('listings and names asked for: ' . ($looks_later - $looks) . ', ' . ($seen_later - $seen));
cmp_ok(($seen_later - $seen) / ($looks_later - $looks), '<', 800, 'most looks ask for what is new only: full listings have 1,000 names a page');

request('PUT', 'names/' . ($names + 500));
my $start = time;
eventually('SELECT count(*) FROM t', $names + 500, 'names that grow');
cmp_ok(time - $start, '<', 3, '... come at once');
request('PUT', 'late/0000000005.x.csv');
eventually('SELECT count(*) FROM link.pipeline_files WHERE path = $$b/0000000005.x.csv$$', '1', 'one that comes late is found by a full listing');
eventually('SELECT count(*) FROM t', $names + 501, '... and loaded');
sql(q{SELECT link.drop_pipeline_file('p', 'b/0000000007.csv')});
eventually('SELECT count(*) FROM t WHERE n = $$7$$', '2', 'one that is dropped from the state is found while the pipeline runs');
is(sql('SELECT count(*), count(DISTINCT n) FROM t'), ($names + 502) . '|' . ($names + 501), '... and nothing else comes again');

$node->stop('fast');
done_testing();
