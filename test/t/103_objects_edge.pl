# Exports at their edges: what several processes must not do otherwise than one.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('edge', conf => "max_worker_processes = 8\nmax_parallel_workers = 8\nmin_parallel_table_scan_size = '64kB'\n");
my $root = $node->basedir . '/files';
mkdir $root or die;
$node->safe_psql('postgres', "SELECT link.create_link('fs', 'FS', config => '{\"root\":\"$root\"}')");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(q{
	CREATE TABLE t AS SELECT n AS id, md5(n::text) AS name, n % 7 AS kind FROM generate_series(1, 200000) n;
	ANALYZE t});

# Where the planner has a Gather, the names of the columns are the Gather's.
my $few = q{SELECT id, name AS "the name", 1 AS one, id AS again FROM t WHERE kind = 3 AND name LIKE 'ab%'};
like(sql("EXPLAIN $few"), qr/Gather/, 'a plan with a Gather');
sql("SELECT link.select_into(\$\$$few\$\$, 'fs', 'named/t.csv', 'csv', header => true, parallel => 3); SELECT link.select_into(\$\$$few\$\$, 'fs', 'named/j', 'json', parallel => 3)");
my @names = map { slurp_file($_) =~ s/\n.*//sr } glob("$root/named/*.csv");
cmp_ok(scalar @names, '>', 0, '... exported by several processes');
is(join(' ', grep { $_ ne 'id,the name,one,again' } @names), '', '... has its names in every header');
is(join(' ', grep { !/^\{"id":\d+,"the name":"[0-9a-f]{32}","one":1,"again":\d+\}\n/ } map { slurp_file($_) } glob("$root/named/j*")), '', '... and in JSON');
is(sql("SELECT count(*) FROM link.select_from('fs', 'named/j*', format => 'json') AS f(id int, \"the name\" text, one int, again int) WHERE id = again AND (id, \"the name\") IN (SELECT id, name FROM t)"),
	sql("SELECT count(*) FROM ($few) f"), '... with its values');

# A function that is parallel restricted may read a temporary table, which workers cannot.
is(sql(q{
	CREATE FUNCTION large() RETURNS SETOF text LANGUAGE plpgsql PARALLEL RESTRICTED AS $$ BEGIN RETURN QUERY SELECT v FROM mine; END $$;
	CREATE TEMP TABLE mine (v text);
	ALTER TABLE mine ALTER v SET STORAGE EXTERNAL;
	INSERT INTO mine SELECT repeat(n::text, 10000) FROM generate_series(1, 200) n;
	SELECT sum(rows) FROM link.select_into('SELECT v FROM large() v', 'fs', 'temporary/t', parallel => 3)}), 200, 'large values of a temporary table');

# A type whose output function is not parallel safe is written by the leader.
is(sql(q{
	SET client_min_messages = warning;
	CREATE TYPE odd;
	CREATE FUNCTION odd_in(cstring) RETURNS odd LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
	CREATE FUNCTION odd_out(odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
	CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, LIKE = int4);
	CREATE TABLE odds AS SELECT id::text::odd AS v FROM t;
	SELECT string_agg(path, ' ') FROM link.select_into('TABLE odds', 'fs', 'odd', parallel => 3)}), 'odd', 'an output function that is not parallel safe');

# Nor are values that contain such a type, or of a type whose send function or cast to json
# is not: each in the formats that call it.
sql(q{
	SET client_min_messages = warning;
	ALTER FUNCTION odd_in(cstring) PARALLEL SAFE;
	CREATE DOMAIN odd_domain AS odd;
	CREATE TYPE odd_row AS (a int, b odd_domain);
	CREATE FUNCTION odd_compare(odd, odd) RETURNS int LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'btint4cmp';
	CREATE FUNCTION odd_less(odd, odd) RETURNS bool LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int4lt';
	CREATE OPERATOR < (LEFTARG = odd, RIGHTARG = odd, FUNCTION = odd_less);
	CREATE OPERATOR CLASS odd_ops DEFAULT FOR TYPE odd USING btree AS OPERATOR 1 <, FUNCTION 1 odd_compare(odd, odd);
	CREATE TYPE odd_range AS RANGE (SUBTYPE = odd);
	CREATE TYPE even;
	CREATE FUNCTION even_in(cstring) RETURNS even LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int4in';
	CREATE FUNCTION even_out(even) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int4out';
	CREATE FUNCTION even_send(even) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
	CREATE TYPE even (INPUT = even_in, OUTPUT = even_out, SEND = even_send, LIKE = int4);
	CREATE FUNCTION even_json(even) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT '"even"'::json $$;
	CREATE CAST (even AS json) WITH FUNCTION even_json(even);
	CREATE DOMAIN even_domain AS even;
	CREATE TYPE even_row AS (a int, b even_domain)});
foreach my $case ([ 'ARRAY[v::odd]', '' ], [ 'v::odd::odd_domain', '' ], [ 'ROW(1, v::odd)::odd_row', '' ], [ 'ARRAY[ROW(1, v::odd)::odd_row]', '' ],
	[ 'odd_range(v::odd, NULL)', '' ], [ 'odd_multirange(odd_range(v::odd, NULL))', '' ], [ 'ROW(1, ROW(v::odd))', '' ], [ "(SELECT r FROM (SELECT ROW(v) OFFSET 0) q(r))", '' ],
	[ 'v::even', 'text csv' ], [ 'v::even::even_domain', 'text csv' ], [ 'ARRAY[v::even]', 'text csv' ], [ 'ROW(1, v::even)::even_row', 'text csv' ], [ 'ROW(v::even)', 'text csv' ],
	[ 'int4range(v::int, NULL)', 'text csv json binary' ], [ 'ARRAY[ROW(v::int, v)]::parted[]', 'text csv json binary' ], [ 'ROW(v, ARRAY[1])', 'text csv json binary' ])
{
	my ($value, $by_several) = @$case;
	sql('CREATE TYPE parted AS (a int, b text)') if $value =~ /parted/;
	my @got = grep {
		sql(qq{SELECT count(*) > 1 FROM link.select_into(\$\$SELECT $value FROM (SELECT id::text AS v FROM t OFFSET 0) s\$\$, 'fs', 'types', '$_', parallel => 3, overwrite => true)}) eq 't'
	} $value =~ /odd/ ? qw(text csv json) : qw(text csv json binary);
	is(join(' ', @got), $by_several, "several processes write $value in " . ($by_several || 'no format'));
}

# Workers to whom rows are dealt get no plan, which may be anything: as text, this one's
# constant would have more than the GB that a string of the server may have.
is(sql(q{SELECT count(*) > 1, sum(rows) FROM link.select_into('SELECT id AS "the name", CASE WHEN id < 0 THEN repeat(''x'', 280000000) END FROM (SELECT id FROM t OFFSET 0) s', 'fs', 'dealt/t', 'json', parallel => 3)}), 't|200000', 'rows of a plan that is too large to be sent');
is(sql(q{SELECT count(DISTINCT "the name") FROM link.select_from('fs', 'dealt/t*', format => 'json') AS f("the name" int)}), 200000, '... with their names');

# What there is no time to take back is left to others at once, also when it fails at the very end.
sql("SELECT link.write_file('fs', 'late/t_manifest.json', 'mine')");
my ($ret, $left, $err) = $node->psql('postgres', q{
	SELECT link.select_into('SELECT id, repeat(''x'', 300000) FROM t WHERE id <= 6000', 'fs', 'late/t', parallel => 3, file_size => 1, manifest => true);
	SELECT count(*) FROM pg_ls_dir('link_uploads') f WHERE f ~ '^[0-9a-f]+-[1-9]'}, on_error_stop => 0);
like($err, qr/"late\/t_manifest.json" already exists/, 'a manifest that is there already');
is($left, 0, '... leaves no record that nobody may touch');
is(join(' ', grep { !/\.link-/ } glob("$root/late/*")), "$root/late/t_manifest.json", '... and no object');

# What a session with thousands of objects leaves behind costs its successors little.
$node->psql('postgres', q{SELECT link.select_into('SELECT n, repeat(''x'', 300000), CASE WHEN n = 4000 THEN pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 4000) n', 'fs', 'orphans/t', file_size => 1, parallel => 1)});
is(sql(q{SELECT count(*) > 3900 FROM pg_ls_dir('link_uploads')}), 't', 'thousands of records of a session that has ended');
sql(q{CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int $$});
my ($before, $after) = sql(q{SELECT peak(); SELECT link.write_file('fs', 'first', 'x'); SELECT peak()}) =~ /\d+/g;
cmp_ok($after - $before, '<', 20000, '... are read in little memory');
my $start = time;
is(sql(q{SET statement_timeout = '100s'; SELECT count(*) > 3900 FROM link.abort_uploads('fs')}), 't', '... and taken back');
cmp_ok(time - $start, '<', 120, '... before long');

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
$node->stop;
done_testing();
