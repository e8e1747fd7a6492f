# COPY of links beside core's own: core's regression tests of COPY, without the
# library and with it; what core makes of a link's name; a statement that is
# prepared once and run often; what is kept of a use.

use strict;
use warnings;
use LinkTest;
use LinkWire;
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

my $node = new_node('copy', preload => '', conf => "shared_preload_libraries = 'pg_stat_statements'\n");
my $root = $node->basedir . '/exports';
mkdir $root or die;
$node->safe_psql('postgres', qq{CREATE EXTENSION pg_stat_statements; CREATE ROLE user1 LOGIN; CREATE TABLE t AS SELECT generate_series(1, 3) AS n;
	GRANT SELECT, INSERT ON t TO user1; SELECT link.create_link('files', 'FS', config => '{"root":"$root"}');
	SELECT link.grant_privilege('READ', 'LINK files', 'user1')});

# Without the library.
my ($content, $plain) = core_tests($node);
ok($content, "core's tests pass without the library");
like($plain, qr/COPY/, 'and say something');
is($node->safe_psql('postgres', "SELECT value FROM link.status() WHERE item = 'preloaded'"), 'no', 'link.status() tells that it is not preloaded');
is(sqlstate_of($node, "COPY t TO 'link://files/x'"), '42602', 'core takes the name for that of a file');
is(sqlstate_of($node, "COPY t FROM 'link://files/x'"), '58P01', 'both ways');

# With it.
$node->append_conf('postgresql.conf', "session_preload_libraries = 'link'\nlink.log_use = 'all'\n");
$node->restart;
($content, my $with) = core_tests($node);
ok($content, "core's tests pass with the library preloaded");
is($with, $plain, 'and say the very same');
is(sqlstate_of($node, "COPY t TO 'link://files/x'"), '00000', 'its COPY is there at once');

# A prepared statement is run from the same tree each time.
my $session = LinkWire->new($node);
$session->prepare('out', "COPY (WITH w AS (SELECT n FROM t WHERE n > 1) TABLE w) TO 'link://files/prepared' (overwrite)");
$session->prepare('in', "COPY t (n) FROM 'link://files/prepared' WHERE n > 2");
for (1 .. 3)
{
	$session->execute('out', []);
	$session->execute('in', []);
	is($session->sync, '', "prepared statements, round $_");
}
$session->prepare('wrong', "COPY t (n) FROM 'link://files/prepared' WHERE nope > 2");
$session->execute('wrong', []);
like($session->sync, qr/^ERROR \| 42703 \| column "nope" does not exist/, 'an error comes back');
$session->close;
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE n = 3) FROM t'), '10|8', 'what one round loads, the next one writes');

# Its lines in the log.
$node->psql('postgres', "COPY t TO 'link://files/refused'", extra_params => [ '-U', 'user1' ]);
$node->safe_psql('postgres', "COPY t FROM 'link://public.files/x'", extra_params => [ '-U', 'user1' ]);
is(join("\n", slurp_file($node->logfile) =~ /link use: (role=user1 .*?) ms=.*? (outcome=\w+)/g),
	join("\n", 'role=user1 session=user1 link=public.files verb=select_into path="refused" rows=0 bytes=0', 'outcome=42501',
		'role=user1 session=user1 link=public.files verb=load_data path="x" rows=3 bytes=6', 'outcome=ok'), 'uses are logged, refused ones too');

# Who counts statements sees the query of an export.
$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
$node->safe_psql('postgres', "COPY (SELECT n FROM t) TO 'link://files/counted'");
is($node->safe_psql('postgres', "SELECT calls, rows FROM pg_stat_statements WHERE query LIKE 'COPY%counted%'"), '1|13', 'pg_stat_statements counts an export');

done_testing();
