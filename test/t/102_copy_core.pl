# Every COPY but that of links is core's as before: core's regression tests of
# COPY, without the library and with it.

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

need_service('core_regress');

# create_type makes a type that copy2 uses in later versions.
my @tests = qw(test_setup copy copyselect copydml create_type copy2);

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
	$node->safe_psql('postgres', 'DROP DATABASE regression');
	$node->safe_psql('postgres', 'DROP TABLESPACE IF EXISTS regress_tblspace');
	return ($content, join('', map { slurp_file("$to/results/$_.out") } @tests));
}

my $node = new_node('copy_core', preload => '');
my ($content, $plain) = core_tests($node);
ok($content, "core's tests pass without the library");
like($plain, qr/COPY/, 'and say something');

foreach my $preload ('session', 'shared')
{
	$node->append_conf('postgresql.conf', "${preload}_preload_libraries = 'link'\n");
	$node->restart;
	is($node->safe_psql('postgres', "SELECT value FROM link.status() WHERE item = 'preloaded'"), $preload, "$preload preload");
	($content, my $with) = core_tests($node);
	ok($content, "core's tests pass");
	is($with, $plain, 'and say the very same');
}

done_testing();
