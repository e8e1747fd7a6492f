# COPY of links: what core makes of its name; a statement that is prepared once and
# run often; what is kept of a use. (What it does: test/sql/link_copy.sql; that
# all other COPY is core's as before: 102_copy_core.pl.)

use strict;
use warnings;
use LinkTest;
use LinkWire;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('copy', preload => '', conf => "shared_preload_libraries = 'pg_stat_statements'\n");
my $root = $node->basedir . '/exports';
mkdir $root or die;
$node->safe_psql('postgres', qq{CREATE EXTENSION pg_stat_statements; CREATE ROLE user1 LOGIN; CREATE TABLE t AS SELECT generate_series(1, 3) AS n;
	GRANT SELECT, INSERT ON t TO user1; SELECT link.create_link('files', 'FS', config => '{"root":"$root"}');
	SELECT link.grant_privilege('READ', 'LINK files', 'user1')});

# All sorts of core's COPY, for where 102_copy_core.pl has no tests of core's: what psql says.
sub core_copies
{
	my ($out, $err);
	my $file = $node->basedir . '/core_copy';
	$node->psql('postgres', <<SQL, stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => ['-a']);
\\set QUIET off
CREATE TABLE c (id int, name text, twice int GENERATED ALWAYS AS (id * 2) STORED, CHECK (id < 100));
CREATE VIEW v AS TABLE c;
COPY c FROM STDIN;
1	one
2	\\N
\\.
COPY c (id, name) FROM STDIN (FORMAT csv, HEADER match) WHERE id <> 3;
id,name
3,three
4,"fo,ur"
\\.
COPY c TO STDOUT;
COPY c (name) TO STDOUT CSV HEADER FORCE QUOTE *;
COPY (SELECT * FROM v ORDER BY id DESC) TO STDOUT (DELIMITER '|', NULL 'nil');
COPY (DELETE FROM c WHERE id = 4 RETURNING name) TO STDOUT;
COPY c TO '$file';
COPY c FROM '$file' (FREEZE off);
COPY c TO PROGRAM 'cat > $file.program' BINARY;
COPY BINARY c FROM '$file.program';
COPY c (id) FROM PROGRAM 'echo 9';
TABLE c;
\\copy c to stdout
COPY c FROM STDIN;
100	too much
\\.
COPY c FROM PROGRAM 'printf "1\\tx\\nx\\ty\\n"';
COPY c FROM '/nowhere/link:';
COPY c TO 'relative';
COPY v TO STDOUT;
COPY c TO STDOUT (nope);
COPY c TO STDOUT (FORMAT csv, QUOTE ',');
COPY c (id, id) TO STDOUT;
COPY c (nope) FROM '$file';
COPY (SELECT nope FROM c) TO STDOUT;
COPY (SELECT 1 INTO x) TO STDOUT;
COPY c TO PROGRAM 'exit 3';
BEGIN READ ONLY; COPY c FROM '$file'; ROLLBACK;
DO \$\$ BEGIN COPY c TO STDOUT; END \$\$;
DO \$\$ DECLARE n bigint; BEGIN COPY c TO '$file'; GET DIAGNOSTICS n = ROW_COUNT; RAISE NOTICE '%', n; END \$\$;
PREPARE p AS COPY c TO STDOUT;
SET ROLE user1;
COPY c TO STDOUT;
COPY c TO '$file';
RESET ROLE;
DROP TABLE c CASCADE;
SQL
	return "$out\n$err";
}

# Without the library.
my $core = core_copies();
is($node->safe_psql('postgres', "SELECT value FROM link.status() WHERE item = 'preloaded'"), 'no', 'link.status() tells that it is not preloaded');
is(sqlstate_of($node, "COPY t TO 'link://files/x'"), '42602', 'core takes the name for that of a file');
is(sqlstate_of($node, "COPY t FROM 'link://files/x'"), '58P01', 'both ways');

# With it.
$node->append_conf('postgresql.conf', "session_preload_libraries = 'link'\nlink.log_use = 'all'\n");
$node->restart;
is(core_copies(), $core, 'every other COPY says and does what it did');
like($core, qr/^COPY 2\n.*^4\|fo,ur\|8\n.*ERROR:  program "exit 3" failed.*NOTICE:  9$/ms, 'which is much') or diag($core);
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
