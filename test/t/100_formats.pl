# The formats against COPY and row_to_json, byte for byte: every type, random and
# edge values, all settings and options that have a say in the text, encodings;
# and back again. LINK_TEST_SEED: of the random values; LINK_TEST_LONG=1: more of them.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('formats', conf => "jit = off\n");
my $root = $node->basedir . '/files';
mkdir $root or die;
my $seed = $ENV{LINK_TEST_SEED} // 0.42;
my $rows = $ENV{LINK_TEST_LONG} ? 100000 : 2000;

# set_up(DATABASE): the values, the link, the functions.
sub set_up
{
	my ($db) = @_;
	$node->safe_psql($db, 'CREATE EXTENSION IF NOT EXISTS link');
	$node->safe_psql($db, qq(SELECT link.create_link('files', 'FS', config => '{"root":"$root"}')));
}

# differences(DATABASE, SQL): what the comparisons of a script found; NULL ones are counted.
sub differences
{
	my ($db, $sql, %arg) = @_;
	my ($out, $err);
	$node->psql($db, "TRUNCATE results;\n$sql;\nSET client_encoding = 'UTF8';\n"
		  . "SELECT '=' || count(*) FROM results;\nSELECT '!' || what || ': ' || difference FROM results WHERE difference IS NOT NULL LIMIT 10",
		stdout => \$out, stderr => \$err, on_error_stop => 1);
	my ($count) = $out =~ /^=(\d+)$/m;
	return ($count // 0, join("\n", grep { /^!/ } split(/\n/, $out)) . ($err =~ /ERROR/ ? $err : ''));
}

sub same_as_core
{
	my ($name, $sql, $least, $db) = @_;
	my ($count, $differences) = differences($db // 'postgres', $sql);
	is($differences, '', "$name: $count comparisons");
	cmp_ok($count, '>=', $least, "$name: they were made");
}

set_up('postgres');
$node->safe_psql('postgres', slurp_file('test/perl/formats.sql'),
	extra_params => [ '-v', "root=$root", '-v', "seed=$seed", '-v', "rows=$rows" ], on_error_stop => 1);

# Types without a value would be tested in name only.
is($node->safe_psql('postgres', 'SELECT string_agg(name, \' \' ORDER BY name) FROM types WHERE nvalues = 0'),
	'pg_brin_bloom_summary pg_brin_minmax_multi_summary', 'which types have no value but NULL');
is($node->safe_psql('postgres', q{SELECT string_agg(name, ' ') FROM types WHERE nvalues < 2 AND has_input
	AND name !~ '^(cardinal_number|time_stamp|yes_or_no|pg_.*)$'}), '', 'all others have several');

cmp_ok($node->safe_psql('postgres', q{SELECT sum((left(a_int4::text, 1) = '[')::int + (left(a_text::text, 1) = '[')::int + (left(a_nested::text, 1) = '[')::int) FROM wide}), '>', 9, 'arrays with bounds');

# ---- every type ----

same_as_core('every type and its arrays', q{CALL compare_all('every type', 'SELECT * FROM wide')}, 4);
same_as_core('types one by one', q{
	DO $$ DECLARE t types; BEGIN
		FOR t IN SELECT * FROM types LOOP
			CALL compare_all(t.name, format('SELECT %I FROM wide', 'v_' || t.name));
			IF t.has_array THEN CALL compare_all(t.name || '[]', format('SELECT %I, id FROM wide', 'a_' || t.name)); END IF;
		END LOOP;
	END $$}, 400);
same_as_core('random values', q{CALL compare_all('random', 'SELECT * FROM randoms')}, 4);
same_as_core('long values', q{CALL compare_all('long', 'SELECT * FROM large')}, 4);
same_as_core('whole rows, and what only queries make', q{
	CALL compare_all('row', 'SELECT w, w.id FROM wide w WHERE id < 8');
	CALL compare_all('records', $q$SELECT ROW(1, 'a"b', ARRAY[1.5, NULL]) AS r, ARRAY[ROW(1, now()::date), NULL] AS rs, 'unknown'$q$);
	CALL compare_all('no column', 'SELECT FROM generate_series(1, 3)');
	CALL compare_all('no row', 'SELECT * FROM wide WHERE false');
	CALL compare_all('names', $q$SELECT 1 AS "q""\b", 2 AS "é, x", 3 AS "a b", 4 AS "x", 5 AS "x", 6 AS "\n", 7 AS E"\t"$q$);
	CALL compare_all('expanded', $q$SELECT v, v[1:1] FROM (SELECT array_append(ARRAY[1, NULL], i) AS v FROM generate_series(1, 3) i) a$q$);
	CALL compare('each day', $q$SELECT date '0001-01-01' - 800 + i FROM generate_series(0, 800000) i$q$, 'text');
	CALL compare('each day', $q$SELECT date '9999-12-31' + 400 - i FROM generate_series(0, 3000) i$q$, 'json');
	CALL compare_all('anyarray', 'SELECT stanumbers1, stavalues1 FROM pg_statistic ORDER BY 1 LIMIT 30')}, 28);

# ---- settings ----

my $zones = q{'UTC', 'America/New_York', 'Europe/Amsterdam', 'Asia/Kolkata', 'Africa/Monrovia'};
same_as_core('all styles', qq{
	DO \$\$ DECLARE style text; ord text; ival text; digits int; bytes text; zone text; format text; BEGIN
		FOREACH style IN ARRAY '{ISO,SQL,Postgres,German}'::text[] LOOP FOREACH ord IN ARRAY '{MDY,DMY,YMD}'::text[] LOOP
		FOREACH ival IN ARRAY '{postgres,postgres_verbose,sql_standard,iso_8601}'::text[] LOOP
		FOREACH digits IN ARRAY '{-15,-3,0,1,3}'::int[] LOOP FOREACH bytes IN ARRAY '{hex,escape}'::text[] LOOP
			zone := (ARRAY[$zones])[1 + (random() * 4)::int];
			format := ('{text,csv,json}'::text[])[1 + (random() * 2)::int];
			PERFORM set_config('datestyle', style || ',' || ord, false), set_config('intervalstyle', ival, false), set_config('extra_float_digits', digits::text, false),
				set_config('bytea_output', bytes, false), set_config('timezone', zone, false);
			CALL compare(concat_ws(' ', style, ord, ival, digits, bytes, zone), 'SELECT * FROM by_setting', format);
		END LOOP; END LOOP; END LOOP; END LOOP; END LOOP;
	END \$\$; RESET datestyle; RESET intervalstyle; RESET extra_float_digits; RESET bytea_output; RESET timezone}, 480);
same_as_core('time zones', q{
	DO $$ DECLARE zone text; BEGIN
		FOR zone IN SELECT name FROM pg_timezone_names WHERE name !~ '^(posix|right)' ORDER BY md5(name) LIMIT 60 LOOP
			PERFORM set_config('timezone', zone, false);
			CALL compare(zone, 'SELECT tz, tz2 FROM randoms UNION ALL SELECT v_timestamptz, v_stamp FROM wide', 'text');
			CALL compare(zone, 'SELECT tz, tz2 FROM randoms LIMIT 500', 'json');
		END LOOP;
	END $$; RESET timezone}, 100);
same_as_core('settings that change while the query runs', q{
	CALL compare_all('style', $q$SELECT tz, d, b, iv, set_config('datestyle', (ARRAY['ISO', 'SQL', 'Postgres'])[1 + id % 3], true), set_config('timezone', (ARRAY['UTC', 'Asia/Kolkata'])[1 + id % 2], true),
		set_config('bytea_output', (ARRAY['hex', 'escape'])[1 + id % 2], true), set_config('intervalstyle', (ARRAY['postgres', 'iso_8601'])[1 + id % 2], true), tz, d, b, iv FROM randoms WHERE id < 50$q$)}, 4);

# ---- options ----

same_as_core('options of text', q{
	DO $$ DECLARE d text; n text; BEGIN
		FOREACH d IN ARRAY ARRAY[',', '|', ' ', ';', ':', '-', '+', '"', '''', '{', '}', '(', E'\x01', E'\b', 'A', 'N', '/', '@', 'P', '#', '\', 'a', '1', '.', 'é', 'ab', ''] LOOP
			FOREACH n IN ARRAY ARRAY['', '\N', 'NULL', '-', '1', E'\n', 'x' || d] LOOP
				CALL compare('text', 'SELECT * FROM randoms WHERE id < 20 UNION ALL (SELECT * FROM randoms LIMIT 0)', 'text', jsonb_build_object('delimiter', d, 'null', n, 'header', d < 'a'));
				CALL compare('text', 'SELECT v_text, v_mood, a_text, a_interval, v_inet, v_time, v_bytea, v_nested, v_interval FROM wide', 'text', jsonb_build_object('delimiter', d, 'null', n));
			END LOOP;
		END LOOP;
	END $$}, 350);
same_as_core('options of csv', q{
	DO $$ DECLARE d text; n text; q text; e text; i int; BEGIN
		FOR i IN 1 .. 400 LOOP
			d := (ARRAY[',', ';', E'\t', '|', '-', ':', 'a', '1', ' ', '.', 'é', '"', E'\x01'])[1 + (random() * 12)::int];
			q := (ARRAY['"', '''', '|', '1', 'e', '\', '-', ',', E'\x02', 'a'])[1 + (random() * 9)::int];
			e := (ARRAY['"', '\', '''', 'x', '0', '-', 'e'])[1 + (random() * 6)::int];
			n := (ARRAY['', 'NULL', '\N', '1', 't', 'infinity', 'NaN', 'a', 'é', '0', '00:00:00', '\x', '\x00', '{}'])[1 + (random() * 13)::int];
			CALL compare('csv', CASE WHEN i % 2 = 0 THEN 'SELECT * FROM randoms WHERE id < 20' ELSE
					'SELECT v_text AS t, v_mood AS bo, a_text AS n, v_inet, v_time AS f8, v_bytea AS b, v_nested, v_interval, v_date, v_float8, v_bool, v_char, v_name, v_timestamptz, a_bytea, v_numeric FROM wide' END, 'csv',
				jsonb_build_object('delimiter', d, 'null', n, 'quote', q, 'escape', e, 'header', i % 5 = 0)
				|| CASE WHEN i % 4 = 0 THEN '{"force_quote": ["*"]}' WHEN i % 4 = 1 THEN '{"force_quote": ["bo", "f8", "t", "n", "b"]}' ELSE '{}' END::jsonb);
		END LOOP;
		CALL compare('one column', 'SELECT v_text FROM wide', 'csv');
		CALL compare('one column', $q$SELECT v FROM (VALUES ('\.'), ('\.'), ('.'), ('\\.'), (NULL)) l(v)$q$, 'csv');
		CALL compare('one column', $q$SELECT v FROM (VALUES ('\.'), ('\.'), ('.'), ('\\.'), (NULL)) l(v)$q$, 'csv', '{"null": "\\\\."}');
		CALL compare('unknown column', 'SELECT 1 AS a', 'csv', '{"force_quote": ["b"]}');
		CALL compare('text has no quote', 'SELECT 1 AS a', 'text', '{"quote": "x"}');
		CALL compare('text has no escape', 'SELECT 1 AS a', 'text', '{"escape": "x"}');
		CALL compare('text has no force_quote', 'SELECT 1 AS a', 'text', '{"force_quote": ["a"]}');
		CALL compare('binary has no delimiter', 'SELECT 1 AS a', 'binary', '{"delimiter": "x"}');
		CALL compare('binary has no null', 'SELECT 1 AS a', 'binary', '{"null": "x"}');
		CALL compare('binary has no header', 'SELECT 1 AS a', 'binary', '{"header": true}');
	END $$}, 400);

# ---- encodings ----

my $convertible = q{
	CREATE FUNCTION is_in(c text, encoding name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM convert_to(c, encoding); RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
	CREATE TABLE in_encoding AS SELECT pg_encoding_to_char(conforencoding)::name AS encoding, string_agg(c, '' ORDER BY n) AS chars FROM (SELECT DISTINCT conforencoding FROM (
			SELECT contoencoding AS conforencoding FROM pg_conversion WHERE pg_encoding_to_char(conforencoding) = getdatabaseencoding()) x) e,
		(SELECT n, convert_from(decode(h, 'hex'), 'UTF8') AS c FROM unnest('{c3a9,c3bc,c39f,c384,c2a7,e282ac,c591,c5a1,c49f,d0b6,d096,ce93,cea9,d790,d8a7,e0b881,e1bb87,e38182,e382a2,e8a1a8,e382bd,e883bd,e58d81,e5b497,e69cac,e4b8ad,e59bbd,e58a9f,e8a8b1,e8938b,e99d92,ea80,eab080,ed959c,e4b882,e9be98,f09f9880,e38090,e280a6,efbc9e,c3a0,c2b1}'::text[])
			WITH ORDINALITY u(h, n) WHERE length(h) IN (4, 6, 8) AND is_in_utf8(h)) chars
		WHERE is_in(c, pg_encoding_to_char(conforencoding)) GROUP BY 1;
	ALTER TABLE in_encoding ADD line text; UPDATE in_encoding SET line = chars || E'|"x\t' || chr(92) || reverse(chars) || E'\n' || regexp_replace(chars, '(.)', '\1' || repeat(chr(92), 2) || '"', 'g')};
$node->safe_psql('postgres', q{CREATE FUNCTION is_in_utf8(h text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM convert_from(decode(h, 'hex'), 'UTF8'); RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$});
$node->safe_psql('postgres', $convertible);
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM in_encoding'), '>=', 35, 'encodings that UTF8 can be converted to');
same_as_core('encodings of the file', q{
	DO $$ DECLARE e in_encoding; f text; query text; BEGIN
		FOR e IN SELECT * FROM in_encoding LOOP
			FOREACH f IN ARRAY '{json,text,csv}'::text[] LOOP
				-- COPY takes the lone 0x80 that is the euro in GBK for half a character, and reads past the end of a text
				IF e.encoding = 'GBK' AND f <> 'json' THEN
					e.chars := replace(e.chars, '€', '');
				END IF;
				query := format('SELECT 1 AS n, line AS %I, ARRAY[line, chars] AS a, to_json(line) AS j, jsonb_build_object(line, 1) AS jb, ROW(line, chars) AS r
					FROM (SELECT replace(line, %L, %L) AS line, replace(chars, %2$L, %3$L) AS chars FROM in_encoding WHERE encoding = %4$L) e',
					left(e.chars, 12), CASE WHEN e.chars !~ '€' THEN '€' ELSE '' END, '', e.encoding);
				CALL compare('converted', query, f, jsonb_build_object('encoding', e.encoding) || CASE WHEN f = 'json' THEN '{}' ELSE '{"header": true}'::jsonb END);
			END LOOP;
			CALL compare('converted', query, 'csv', jsonb_build_object('encoding', e.encoding, 'delimiter', '|', 'null', left(e.chars, 1), 'quote', '\', 'escape', '\'));
			CALL compare('not convertible', $q$SELECT 'ascii', U&'\10300'$q$, 'text', jsonb_build_object('encoding', e.encoding));
		END LOOP;
	END $$}, 170);
my $by_client = join "\n", map { qq{
	SET client_encoding = '$_';
	CALL compare_all('client', 'SELECT line AS x, ARRAY[line] AS a, to_json(line) AS j, line::varchar FROM in_encoding WHERE encoding = ''$_''');} }
  qw(LATIN1 SJIS BIG5 GBK UHC JOHAB GB18030 EUC_JP SHIFT_JIS_2004 WIN1251 EUC_KR LATIN9);
same_as_core('encodings of the client', "$by_client\nRESET client_encoding", 48);
same_as_core('unknown ones', q{CALL compare('x', 'SELECT 1', 'csv', '{"encoding": "nope"}'); CALL compare('x', 'SELECT 1', 'text', '{"encoding": "MULE_INTERNAL"}'); CALL compare('x', $q$SELECT 'é'$q$, 'text', '{"encoding": "SQL_ASCII"}')}, 3);

for my $server ([ 'SQL_ASCII', 'C' ], [ 'LATIN1', 'C' ], [ 'EUC_JP', 'C' ], [ 'WIN1251', 'C' ])
{
	my ($encoding, $locale) = @$server;
	my $db = lc $encoding;
	$node->safe_psql('postgres', "CREATE DATABASE $db ENCODING '$encoding' LOCALE '$locale' TEMPLATE template0");
	set_up($db);
	my ($functions) = slurp_file('test/perl/formats.sql') =~ /\A(.*?)^-- ---- types of our own/ms;
	$node->safe_psql($db, $functions, extra_params => [ '-v', "root=$root" ], on_error_stop => 1);
	my $bytes = $encoding eq 'EUC_JP' ? 'a5bdc9bd5cc7bd8ebf' : 'e9e7fc5c41dfa722';
	my @clients = $encoding eq 'EUC_JP' ? qw(UTF8 SJIS EUC_JP SQL_ASCII) : (qw(UTF8 SQL_ASCII), $encoding);
	push @clients, 'KOI8R' if $encoding eq 'WIN1251';
	same_as_core("a database in $encoding", join("\n", "CREATE TABLE t AS SELECT id, convert_from(decode('$bytes', 'hex'), '$encoding') AS v FROM generate_series(1, 3) id;",
		map { my $client = $_; map { "DO \$d\$ DECLARE q text := format('SELECT id, v AS %I, ARRAY[v] AS a, to_json(v) AS j FROM t', (SELECT v FROM t LIMIT 1)); BEGIN CALL compare('$client', q, '$_', '{\"encoding\": \"$client\"}'); END \$d\$;" } qw(text csv json) } @clients),
		3 * @clients, $db);
}

# ---- and back ----

$node->safe_psql('postgres', q{
	CREATE FUNCTION round_trip(source text, format text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		-- of json, white space and escapes may change
		has_json boolean := (SELECT count(*) > 0 FROM pg_attribute WHERE attrelid = source::regclass AND atttypid::regtype::text ~ '^(json|doc|nested)(\[\])?$');
		lost text; read bigint; loaded bigint; n bigint;
	BEGIN
		EXECUTE format('SELECT rows FROM link.select_into(%L, ''files'', ''trip'', format => %L, overwrite => true, parallel => 0)', 'SELECT * FROM ' || source, format) INTO n;
		EXECUTE format('CREATE TEMP TABLE trip (LIKE %s)', source);
		EXECUTE format('SELECT rows FROM link.load_data(''files'', ''trip'', ''trip'', format => %L)', format) INTO loaded;
		EXECUTE format('SELECT left(string_agg(s::text, E''\n''), 2000) FROM (SELECT %s(each_row)::text FROM %s each_row
			EXCEPT ALL SELECT %1$s(each_row)::text FROM trip each_row) d(s)', CASE WHEN has_json AND format = 'json' THEN 'to_jsonb' END, source) INTO lost;
		EXECUTE format('SELECT count(*) FROM link.select_from(''files'', ''trip'', format => %L) AS t(%s)', format,
			(SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'trip'::regclass AND attnum > 0)) INTO read;
		DROP TABLE trip;
		RETURN CASE WHEN n <> loaded OR n <> read THEN concat_ws(' ', n, loaded, read) ELSE lost END;
	EXCEPTION WHEN OTHERS THEN
		lost := SQLERRM;
		BEGIN					-- what COPY cannot do either
			EXECUTE format('COPY %s TO %L (FORMAT %s)', source, (SELECT root FROM settings) || '/copied', format);
			EXECUTE format('CREATE TEMP TABLE trip (LIKE %s)', source);
			EXECUTE format('COPY trip FROM %L (FORMAT %s)', (SELECT root FROM settings) || '/copied', format);
		EXCEPTION WHEN OTHERS THEN
			RETURN CASE WHEN lost <> SQLERRM THEN lost END;
		END;
		RETURN lost;
	END $$;

	CREATE TABLE trips (n serial, source text, format text, difference text);
	CREATE FUNCTION trip(source text, formats text[]) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE f text;
	BEGIN
		FOREACH f IN ARRAY formats LOOP
			INSERT INTO trips (source, format, difference) VALUES (source, f, round_trip(source, f));
		END LOOP;
	END $$;
	SELECT trip('randoms', '{text,csv,json,binary}'), trip('large', '{text,csv,json,binary}')});
$node->safe_psql('postgres', q{
	-- JSON does not tell bounds of arrays and the json value null; a cast to json has no way back.
	DO $$ DECLARE t types; BEGIN
		FOR t IN SELECT * FROM types WHERE has_input AND nvalues > 0 LOOP
			EXECUTE format('CREATE TABLE trip_%s AS SELECT id, v FROM values_%1$s UNION ALL SELECT -1, NULL', t.n);
			PERFORM trip('trip_' || t.n, CASE WHEN t.name = 'told' THEN '{text,csv,binary}' ELSE '{text,csv,json,binary}' END::text[]);
			CONTINUE WHEN NOT t.has_array;
			EXECUTE format('CREATE TABLE atrip_%s AS SELECT id, v FROM arrays_%1$s', t.n);
			PERFORM trip('atrip_' || t.n, '{text,csv,binary}');
			EXECUTE format('DELETE FROM atrip_%s WHERE left(v::text, 1) = %L', t.n, '[');
			IF t.name <> 'told' THEN PERFORM trip('atrip_' || t.n, '{json}'); END IF;
		END LOOP;
	END $$});
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', (SELECT name || CASE WHEN source ~ '^a' THEN '[]' ELSE '' END FROM types WHERE 'trip_' || types.n = ltrim(source, 'a')), source, format, left(difference, 300)), E'\n')
	FROM trips WHERE difference IS NOT NULL}), '', 'export, then load: the same rows');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM trips'), '>', 500, 'of each type, in each format');

# The session's styles have no say in what arrays and composites become.
is($node->safe_psql('postgres', q{
	CREATE TABLE styled AS SELECT id, ARRAY[tz] AS tzs, ARRAY[d] AS ds, ARRAY[iv] AS ivs, ARRAY[f8] AS fs FROM randoms;
	CREATE TABLE restyled (LIKE styled);
	SELECT link.select_into('TABLE styled', 'files', 'styled.json', format => 'json', parallel => 0) IS NULL;
	SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard'; SET timezone = 'Asia/Kolkata'; SET extra_float_digits = -3;
	SELECT link.load_data('files', 'styled.json', 'restyled', format => 'json') IS NULL;
	RESET ALL;
	SELECT count(*) FROM (TABLE styled EXCEPT ALL TABLE restyled) d}), "f\nf\n0", 'whatever the styles');

# Objects that nobody exported, against json_populate_record().
$node->safe_psql('postgres', q{
	CREATE TYPE target AS (id int, s text, n numeric, f float8, b bool, a int[], ta text[], j json, jb jsonb, p pair, ps pair[], d date, m mood, pos positive);
	CREATE FUNCTION populated(line text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN json_populate_record(NULL::target, line::json)::text; EXCEPTION WHEN OTHERS THEN RETURN 'error'; END $$;
	CREATE FUNCTION loaded(line text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
		PERFORM link.write_file('files', 'line.json', convert_to(line, 'UTF8'), true);
		RETURN (SELECT t::text FROM link.select_from('files', 'line.json', format => 'json') AS t(id int, s text, n numeric, f float8, b bool, a int[], ta text[], j json, jb jsonb, p pair, ps pair[], d date, m mood, pos positive));
	EXCEPTION WHEN OTHERS THEN RETURN 'error'; END $$;
	CREATE TABLE lines (line text, expected text, found text)});
$node->safe_psql('postgres', q{SELECT setseed(} . $seed . q{);
	DO $$ DECLARE
		keys text[] := '{id,s,n,f,b,a,ta,j,jb,p,ps,d,m,pos,unknown,"",ID,s,a,ta,p}';
		vals text[] := ARRAY['1', '-0', '12.50', 'true', 'false', 'null', '""', '"x"', '"12"', '"t"', '"{1,2}"', '"{}"', '"(1,b,{})"', '"2020-01-31"', '"sad"', '"\"\\\\\n\t/é"', '"\\N"', '"\\."', '[]', '{}', '[1, 2]', '[1, null]', '["a", "b c", null, "NULL", ""]',
			'[[1, 2], [3, 4]]', '[[1], [2, 3]]', '{"a": 1, "b": "x, \"y\"", "c": [1.5]}', '[{"a": 1}, null, {"b": "z"}]', '{"a": {"b": [1]}}', '"NaN"', '1234567890123', '[true]', '"[1]"'];
		line text; i int;
	BEGIN
		FOR i IN 1 .. 2000 LOOP
			line := (SELECT '{' || coalesce(string_agg(format('%s: %s', to_json(keys[1 + (random() * 20)::int]), vals[1 + (random() * 31)::int]), ', '), '') || '}' FROM generate_series(1, (random() * random() * 5)::int) g);
			INSERT INTO lines VALUES (line, populated(line), loaded(line));
		END LOOP;
	END $$});
is($node->safe_psql('postgres', q{SELECT line, expected, found FROM lines WHERE expected <> found LIMIT 5}), '', 'objects become what json_populate_record makes of them');
cmp_ok($node->safe_psql('postgres', q{SELECT least(count(*) FILTER (WHERE expected = 'error'), count(DISTINCT expected)) FROM lines}), '>', 100, '... good ones and bad ones');

# All in one file: nothing of a line is left for the next.
is($node->safe_psql('postgres', q{
	INSERT INTO lines SELECT l, populated(l) FROM unnest(ARRAY['{"s": "x", "s": [1]}', '{"s": {"k": 1}}', '{"s": true}', '{"s": [2], "s": "y"}', '{}']) l;
	SELECT link.write_file('files', 'lines.json', convert_to(string_agg(line, E'\n' ORDER BY ctid), 'UTF8')) IS NULL FROM lines WHERE expected <> 'error';
	SELECT array_agg(t::text) = (SELECT array_agg(expected ORDER BY ctid) FROM lines WHERE expected <> 'error') FROM link.select_from('files', 'lines.json', format => 'json')
		AS t(id int, s text, n numeric, f float8, b bool, a int[], ta text[], j json, jb jsonb, p pair, ps pair[], d date, m mood, pos positive)}), "f\nt", 'one after the other');

# Where the server can leave out rows, an array that is none is a row to leave out.
$node->safe_psql('postgres', q{CREATE TABLE soft (id int, a int[]); SELECT link.write_file('files', 'soft.json', E'{"id": 1, "a": [1, 2]}\n{"id": 2, "a": ["x"]}\n{"id": 3, "a": "{3}"}\n{"id": 4, "a": 5}\n')});
my $soft = q{SELECT link.load_data('files', 'soft.json', 'soft', format => 'json', on_error => 'ignore')};
if ($node->safe_psql('postgres', 'SHOW server_version_num') >= 170000)
{
	$node->safe_psql('postgres', $soft);
	is($node->safe_psql('postgres', 'SELECT id, a FROM soft'), "1|{1,2}\n3|{3}", 'on_error with arrays');
}
else
{
	is(sqlstate_of($node, $soft), '0A000', 'on_error is refused');
}

done_testing();
