# Every SQL block of the README runs, in order, as a superuser would type it.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('readme', conf => "link.allowed_hosts = '.amazonaws.com'\n");
$node->safe_psql('postgres', 'DROP EXTENSION link');

my $root = $node->basedir . '/exports';
mkdir $root or die;
my @blocks = slurp_file('README.md') =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @blocks, '>', 5, 'the README has blocks of SQL');

my $script = join "\\echo -- next\n", @blocks;
$script =~ s{/srv/exports}{$root}g;
my ($out, $err);
my $status = $node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 1);
is($status, 0, 'all of them run');
unlike($err, qr/ERROR/, 'without an error');
is(scalar(() = $out =~ /^-- next$/mg), @blocks - 1, 'to the last');
like($out, qr/^SELECT 90$/m, 'the export answers');
like($out, qr/^LOAD DATA 90$/m, 'the load answers');
like($out, qr{^delete\|t\|}m, 'the check gets to its last step');
unlike($out, qr{^\w+\|f\|}m, 'and no step fails');

done_testing();
