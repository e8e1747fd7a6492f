-- Compression, several objects, folders, the manifest.
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_objects && mkdir -p /tmp/link_regress_objects/root && cat > /dev/null';
CREATE SCHEMA objects;
SET search_path = objects, public;
SELECT link.create_link('files', 'FS', config => '{"root":"/tmp/link_regress_objects/root"}');
CREATE TABLE t AS SELECT n AS id, 'row ' || n AS name, n % 3 AS kind, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN 'a/b' WHEN 2 THEN '' ELSE 'x %' END AS place
	FROM generate_series(1, 1000) n;
CREATE TABLE same (LIKE t);
-- Does a load give the rows of the table?
CREATE FUNCTION round_trip(path text, variadic named text[] DEFAULT '{}') RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE same;
	EXECUTE format('SELECT count(*) FROM link.load_data(''files'', %L, ''same''%s)', path, array_to_string(array_prepend('', named), ', '));
	RETURN NOT EXISTS (TABLE t EXCEPT ALL TABLE same) AND (SELECT count(*) FROM same) = (SELECT count(*) FROM t);
END $$;

-- The ending of the path says the codec, unless the option does; levels.
SELECT r.path, rows FROM unnest('{plain,a.gz,a.zst,a.lz4,A.GZ}'::text[]) p, link.select_into('TABLE t', 'files', p) r;
SELECT c, (link.select_into('TABLE t', 'files', 'c/' || c, compression => c)).rows
	FROM unnest('{none,gzip,gzip:1,gzip:9,zstd,zstd:1,zstd:19,lz4,lz4:12,GZIP:3}'::text[]) c;
SELECT p, round_trip(p) FROM unnest('{plain,a.gz,a.zst,a.lz4,A.GZ}'::text[]) p;
SELECT c, round_trip('c/' || c), round_trip('c/' || c, format('compression => %L', split_part(c, ':', 1))) FROM unnest('{none,gzip,gzip:9,zstd,zstd:19,lz4,lz4:12}'::text[]) c;
SELECT p, encode(substr(link.read_file('files', p), 1, 4), 'hex') FROM unnest('{a.gz,a.zst,a.lz4}'::text[]) p;
SELECT rows FROM link.select_into('TABLE t', 'files', 'raw.gz', compression => 'none');
SELECT round_trip('raw.gz', $$compression => 'none'$$);
SELECT * FROM link.execute('SELECT * FROM t INTO LINK files ''stated'' WITH COMPRESSION ZSTD');
SELECT * FROM link.execute('SELECT * FROM t INTO LINK files ''stated2'' WITH COMPRESSION');
SELECT p, encode(substr(link.read_file('files', p), 1, 4), 'hex') AS magic, round_trip(p) FROM unnest('{stated,stated2}'::text[]) p;
-- nothing, compressed, is nothing again
SELECT r.path, rows FROM unnest('{e.gz,e.zst,e.lz4}'::text[]) p, link.select_into('SELECT WHERE false', 'files', p) r;
SELECT path, rows FROM link.load_data('files', '{e.gz,e.zst,e.lz4}', 'same') ORDER BY 1;
-- members one behind the other, and what is damaged
SELECT link.write_file('files', 'two' || e, link.read_file('files', 'a' || e) || link.read_file('files', 'a' || e)) FROM unnest('{.gz,.zst,.lz4}'::text[]) e;
SELECT path, rows FROM link.load_data('files', 'two*', 'same');
\set VERBOSITY terse
SELECT link.write_file('files', 'cut.gz', substr(link.read_file('files', 'a.gz'), 1, 1000));
SELECT link.load_data('files', 'cut.gz', 'same');
SELECT link.write_file('files', 'cut.zst', substr(link.read_file('files', 'a.zst'), 1, 1000));
SELECT link.load_data('files', 'cut.zst', 'same');
SELECT link.write_file('files', 'cut.lz4', substr(link.read_file('files', 'a.lz4'), 1, 1000));
SELECT link.load_data('files', 'cut.lz4', 'same');
SELECT link.write_file('files', 'bad.gz', 'no gzip'), link.write_file('files', 'empty.gz', '');
SELECT link.load_data('files', 'bad.gz', 'same');
SELECT link.load_data('files', 'empty.gz', 'same');
SELECT link.write_file('files', 'tail.gz', link.read_file('files', 'a.gz') || 'more'::bytea);
SELECT link.load_data('files', 'tail.gz', 'same');
SELECT link.load_data('files', 'plain', 'same', compression => 'zstd');
\set VERBOSITY default
SELECT link.load_data('files', 'plain', 'same', compression => 'gzip');
SELECT link.select_into('TABLE t', 'files', 'x', compression => 'zstd:20');
SELECT link.select_into('TABLE t', 'files', 'x', compression => 'lz4:x');
SELECT link.select_into('TABLE t', 'files', 'x', compression => 'lz');
-- disable_gunzip is about gzip alone
SELECT link.create_link('gz', 'FS', config => '{"root":"/tmp/link_regress_objects/root","disable_gunzip":true}');
SELECT count(*) FROM link.select_from('gz', 'a.zst') AS f(a int, b text, c int, d text);
SELECT count(*) FROM link.select_from('gz', 'a.gz', compression => 'gzip') AS f(a int, b text, c int, d text);

-- Several objects: cut at row ends, each with its header.
SELECT * FROM link.select_into('TABLE t', 'files', 'cut/t.csv', 'csv', header => true, file_size => 5000);
SELECT round_trip('cut/t_*.csv', $$format => 'csv'$$, $$header => 'match'$$);
SELECT path, rows FROM link.select_into('TABLE t', 'files', 'cut/one.x.txt.gz', file_size => 1000000);
SELECT path, rows FROM link.select_into('SELECT 1 WHERE false', 'files', 'cut/none', file_size => 10);
SELECT path, rows FROM link.select_into('TABLE t', 'files', 'cut/.hidden', file_size => 1000000);
SELECT link.select_into('TABLE t', 'files', 'x', file_size => 0);
-- the second of them is there already: nothing is written
SELECT link.write_file('files', 'half/t_0001', 'mine');
SELECT path, rows FROM link.select_into('TABLE t', 'files', 'half/t', file_size => 15000);
SELECT path FROM link.list_files('files', 'half/');

-- Folders: the columns are in their names, not in the objects.
SELECT * FROM link.select_into('TABLE t', 'files', 'hive', 'csv', header => true, partition_by => '{kind,place}');
SELECT a, b FROM link.select_from('files', 'hive/kind=0/place=a%2Fb/part_0000.csv', 'csv', header => 'match') AS f(id int, name text), LATERAL (SELECT id, name) g(a, b) LIMIT 2;
SELECT count(*), sum(id) FROM link.select_from('files', 'hive/**', 'csv', header => 'true') AS f(id int, name text);
SELECT path, rows FROM link.select_into('SELECT id, name, kind FROM t WHERE kind < 2', 'files', 'hive2/', compression => 'lz4', partition_by => '{kind}', file_size => 1000) ORDER BY 1 LIMIT 3;
SELECT path, rows FROM link.select_into($$SELECT 1 AS a, '__HIVE_DEFAULT_PARTITION__' AS "p=q" UNION ALL SELECT 2, NULL UNION ALL SELECT 3, E'\n'$$, 'files', 'hive3', partition_by => '{p=q}');
SELECT path, rows FROM link.select_into('SELECT 1 AS a, 2 AS b WHERE false', 'files', 'hive4', partition_by => '{b}');
SELECT * FROM link.execute('SELECT id, kind FROM t INTO LINK files ''hive5'' FORMAT CSV WITH (partition_by = (kind))');
SELECT link.select_into('TABLE t', 'files', 'x', partition_by => '{nope}');
SELECT link.select_into('TABLE t', 'files', 'x', partition_by => '{kind,kind}');
SELECT link.select_into('SELECT 1 AS a, 2 AS a, 3 AS b', 'files', 'x', partition_by => '{a}');
SELECT link.select_into('SELECT 1 AS a, 2 AS a, 3 AS b', 'files', 'twins', partition_by => '{b}');
SELECT link.select_into('SELECT 1 AS a', 'files', 'x', partition_by => '{a}');
SELECT link.select_into('SELECT kind, nope FROM t', 'files', 'x', partition_by => '{kind}');

-- The manifest is the last to come.
SELECT * FROM link.select_into('TABLE t', 'files', 'manifested/t.csv', 'csv', file_size => 8000, manifest => true);
SELECT convert_from(link.read_file('files', 'manifested/t_manifest.json'), 'UTF8')::jsonb;
SELECT path, rows FROM link.select_into('SELECT id, kind FROM t WHERE kind = 1', 'files', 'manifested/hive', partition_by => '{kind}', manifest => true);
SELECT path, rows FROM link.select_into('TABLE t', 'files', 'manifested/one', manifest => true);

DROP SCHEMA objects CASCADE;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_objects; cat > /dev/null';
