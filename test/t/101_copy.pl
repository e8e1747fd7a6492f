# COPY of links beside core's own: core's regression tests of COPY, without the
# library and with it; what the hook makes of a statement that is planned once and
# run often; what is kept of a use.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

need_service('core_regress');

my @tests = qw(test_setup copy copyselect copydml copy2);

# core_tests(NODE): whether pg_regress is content, and what the tests said.
sub core_tests
{
	my ($node) = @_;
	my $core = $ENV{LINK_CORE_REGRESS};
	my $to = $node->basedir . '/core_regress';
	my ($out, $err);

	mkdir $to;
	my $content = IPC::Run::run([ $ENV{PG_REGRESS}, '--bindir=' . (-d "$core/bin" ? "$core/bin" : ''), "--inputdir=$core", "--outputdir=$to", "--dlpath=$core",
			'--host=' . $node->host, '--port=' . $node->port, '--no-locale', '--encoding=UTF8', @tests ], '>', \$out, '2>', \$err);
	diag("$out$err", -e "$to/regression.diffs" ? slurp_file("$to/regression.diffs") : '') unless $content;
	return ($content, join('', map { slurp_file("$to/results/$_.out") } @tests));
}

my $node = new_node('copy', preload => '', conf => "link.log_use = 'all'\n");
my $root = $node->basedir . '/exports';
mkdir $root or die;
$node->safe_psql('postgres', qq(SELECT link.create_link('files', 'FS', config => '{"root":"$root"}')));

my ($content, $plain) = core_tests($node);
ok($content, "core's tests pass without the library");
like($plain, qr/COPY/, 'and say something');
$node->append_conf('postgresql.conf', "session_preload_libraries = 'link'\n");
$node->restart;
($content, my $with) = core_tests($node);
ok($content, "core's tests pass with the library preloaded");
is($with, $plain, 'and say the very same');

done_testing();
