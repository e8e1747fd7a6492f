-- Export and load through a directory of the server.
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress && mkdir -p /tmp/link_regress/root && cat > /dev/null';
CREATE ROLE regress_link_user;
CREATE SCHEMA work;
GRANT USAGE ON SCHEMA work TO regress_link_user;
SET search_path = work, public;
SELECT link.create_link('files', 'FS', config => '{"root":"/tmp/link_regress/root"}');
SELECT link.grant_privilege('USE', 'LINK work.files', 'regress_link_user');
CREATE TABLE t (id int, name text, price numeric(10,2), since date, flag bool);
INSERT INTO t VALUES (1, 'plain', 1.50, '2026-01-01', true), (2, E'tab\tnew\nline \\ "quoted", and comma', -0.01, '0044-03-15 BC', false),
	(3, NULL, NULL, 'infinity', NULL), (4, '', 'NaN', '2026-12-31', true), (5, '\N', 0, NULL, false);
CREATE TABLE same (LIKE t);

-- What the object holds is what COPY writes.
CREATE FUNCTION pg_temp.same_as_copy(query text, options text, variadic named text[] DEFAULT '{}') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	ours bytea;
BEGIN
	EXECUTE format('SELECT count(*) FROM link.select_into(%L, ''work.files'', ''same'', overwrite => true%s)', query,
		array_to_string(array_prepend('', named), ', '));
	EXECUTE format('COPY (%s) TO ''/tmp/link_regress/copy'' (%s)', query, options);
	RETURN link.read_file('work.files', 'same') = pg_read_binary_file('/tmp/link_regress/copy');
END $$;
SELECT pg_temp.same_as_copy('TABLE t', 'FORMAT text');
SELECT pg_temp.same_as_copy('TABLE t', 'FORMAT csv', $$format => 'csv'$$);
SELECT pg_temp.same_as_copy('TABLE t', 'FORMAT csv, HEADER', $$format => 'csv'$$, 'header => true');
SELECT pg_temp.same_as_copy('TABLE t', $$FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\', NULL 'nil', FORCE_QUOTE (name, flag)$$,
	$$format => 'csv'$$, $$delimiter => ';'$$, $$quote => ''''$$, $$escape => '\'$$, $$"null" => 'nil'$$, $$force_quote => '{name,flag}'$$);
SELECT pg_temp.same_as_copy('TABLE t', $$FORMAT text, DELIMITER '|', NULL ''$$, $$delimiter => '|'$$, $$"null" => ''$$);
\set SHOW_CONTEXT never
SELECT pg_temp.same_as_copy('TABLE t', $$FORMAT text, DELIMITER '1', NULL '-'$$, $$delimiter => '1'$$, $$"null" => '-'$$);
\set SHOW_CONTEXT errors
SELECT pg_temp.same_as_copy($$SELECT 'é', 'ß'$$, $$FORMAT text, ENCODING 'latin1'$$, $$encoding => 'latin1'$$);
SELECT pg_temp.same_as_copy('SELECT', 'FORMAT text');
SELECT pg_temp.same_as_copy('SELECT WHERE false', 'FORMAT csv', $$format => 'csv'$$);

-- As a user who may use the link.
GRANT SELECT ON t TO regress_link_user;
GRANT INSERT, SELECT ON same TO regress_link_user;
SET ROLE regress_link_user;
SELECT * FROM link.select_into('TABLE t', 'files', 'dir/t.txt');
SELECT * FROM link.load_data('files', 'dir/t.txt', 'same');
SELECT count(*) FROM ((TABLE t EXCEPT TABLE same) UNION ALL (TABLE same EXCEPT TABLE t)) d;
SELECT * FROM link.select_into('TABLE same', 'files', 'dir/t.csv', format => 'csv', header => true);
SELECT * FROM link.select_from('files', 'dir/t.csv', format => 'csv', header => 'match') AS f(id int, name text, price numeric, since date, flag bool);
SELECT * FROM link.select_from('files', 'dir/t.csv', format => 'csv', header => 'match') AS f(id int, nam text, price numeric, since date, flag bool);
SELECT * FROM link.select_from('files', 'dir/t.csv', format => 'csv', skip => 1) AS f(id int, name text);
SELECT path, size FROM link.list_files('files', '');
SELECT path FROM link.list_files('files', 'dir/t');
SELECT path FROM link.list_files('files', '**.csv');

-- Refusals.
SELECT * FROM link.select_into('TABLE t', 'files', 'dir/t.txt');
SELECT * FROM link.select_into('INSERT INTO t VALUES (9) RETURNING *', 'files', 'x');
SELECT * FROM link.select_into('WITH w AS (DELETE FROM t RETURNING *) SELECT * FROM w', 'files', 'x');
SELECT * FROM link.select_into('SELECT * INTO x FROM t', 'files', 'x');
SELECT * FROM link.select_into('SELECT * FROM t FOR UPDATE', 'files', 'x');
SELECT * FROM link.select_into('SELECT 1; SELECT 2', 'files', 'x');
SELECT * FROM link.select_into('', 'files', 'x');
SELECT * FROM link.select_into('SELECT * FROM', 'files', 'x');
SELECT * FROM link.select_into('SELECT nope FROM t', 'files', 'x');
SELECT * FROM link.select_into('SELECT * FROM pg_authid', 'files', 'x');
SELECT * FROM link.select_into('SELECT 1', 'files', 'x', format => 'parquet');
SELECT * FROM link.select_into('SELECT 1', 'files', 'x', format => 'xml');
SELECT * FROM link.select_into('SELECT 1', 'files', 'x', delimiter => 'ab');
SELECT * FROM link.select_into('SELECT 1', 'files', 'x', compression => 'gzip:10');
SELECT * FROM link.select_into('SELECT 1', 'files', 'x', compression => 'zst');
SELECT * FROM link.select_into('SELECT 1', 'files', 'x', partition_by => '{a}');
SELECT * FROM link.select_into('SELECT 1', NULL, 'x');
SELECT * FROM link.load_data('files', 'dir/none', 'same');
SELECT * FROM link.load_data('files', 'none/*', 'same');
SELECT * FROM link.load_data('files', 'dir/t.txt', 't');
SELECT * FROM link.load_data('files', 'dir/t.txt', 'same', columns => '{id,nope}');
SELECT * FROM link.load_data('files', 'dir/t.txt', 'same', "where" => 'true; DROP TABLE same');
SELECT * FROM link.load_data('files', 'dir/t.txt', 'same', "where" => 'id FROM t');
SELECT * FROM link.load_data('files', 'dir/t.txt', 'same', "where" => 'id');
RESET ROLE;
SELECT link.read_file('files', 'x');

-- JSON: an object a line, and back; the four formats are compared with COPY and row_to_json in test/t/100_formats.pl.
CREATE TYPE pair AS (a int, b text);
CREATE TABLE docs (id int, tags text[], doc json, p pair, since timestamptz, n numeric);
INSERT INTO docs VALUES (1, '{a,"b \"c\",NULL",NULL}', E'{"k":\n [1]}', '(1,"x, ""y""")', '2026-01-01 00:00:00+00', 'NaN'), (2, NULL, '"s"', '(,)', 'infinity', 1.50);
SET timezone = 'UTC';
SELECT * FROM link.select_into('TABLE docs', 'files', 'docs.json', format => 'json', overwrite => true);
SELECT convert_from(link.read_file('files', 'docs.json'), 'UTF8');
CREATE TABLE docs2 (LIKE docs);
SELECT * FROM link.load_data('files', 'docs.json', 'docs2', format => 'json');
TABLE docs2;
SELECT link.write_file('files', 'keys.json', E'{"n": 1e2, "unknown": {"id": 9}, "id": 7, "id": 1e1}\n\n  \n{}\n{"tags": ["x", null, "}"], "doc": null, "p": {"b": "only"}}');
SELECT * FROM link.select_from('files', 'keys.json', format => 'json') AS t(id int, n numeric, tags text[], doc json, p pair);
SELECT link.execute($$LOAD DATA LINK files 'keys.json' INTO TABLE docs2 (id, n) FORMAT JSON WITH ("where" = 'id = 10')$$);
SELECT link.write_file('files', 'bad.json', E'{"id": 1}\n\n{"id": 2,, "n": 1}\n', true), link.write_file('files', 'bad2.json', E'{"id": 1}\n[1]\n', true),
	link.write_file('files', 'bad3.json', E'{"id": 1}\n\n{"id": "é", "n": 1}\n', true), link.write_file('files', 'bad4.json', E'{"tags": 1}\n', true);
SELECT * FROM link.load_data('files', 'bad.json', 'docs2', format => 'json');
SELECT * FROM link.load_data('files', 'bad2.json', 'docs2', format => 'json');
SELECT * FROM link.load_data('files', 'bad3.json', 'docs2', format => 'json');
SELECT * FROM link.load_data('files', 'bad4.json', 'docs2', format => 'json');
SELECT * FROM link.select_into('SELECT 1', 'files', 'y', format => 'json', header => true);
SELECT * FROM link.select_into('SELECT 1', 'files', 'y', format => 'json', delimiter => ',');
SELECT * FROM link.load_data('files', 'bad.json', 'docs2', format => 'json', "null" => '');
SELECT * FROM link.load_data('files', 'bad.json', 'docs2', format => 'json', "quote" => '"');

-- BINARY is COPY's.
SELECT pg_temp.same_as_copy('TABLE docs', 'FORMAT binary', $$format => 'binary'$$);
SELECT * FROM link.execute($$SELECT * FROM docs INTO LINK files 'docs.bin' FORMAT BINARY$$);
TRUNCATE docs2;
SELECT rows FROM link.load_data('files', 'docs.bin', 'docs2', format => 'binary');
TABLE docs2;
SELECT rows FROM link.load_data('files', 'docs.json', 'docs2', format => 'binary');
SELECT * FROM link.select_into('SELECT 1', 'files', 'y', format => 'binary', header => true);
SELECT * FROM link.load_data('files', 'docs.bin', 'docs2', format => 'binary', skip => 1);
RESET timezone;
SELECT count(link.remove_file('files', path)) FROM link.list_files('files', '{bad,bad2,bad3,bad4,docs,keys}.*');
DROP TABLE docs, docs2;
DROP TYPE pair;

-- A failed export leaves nothing, and an open transaction goes on.
BEGIN;
SAVEPOINT s;
SELECT * FROM link.select_into('SELECT 1 / (5 - id) FROM t', 'files', 'half');
ROLLBACK TO s;
SELECT * FROM link.select_into('SELECT 1', 'files', 'whole');
ROLLBACK;
SELECT path FROM link.list_files('files', '*');
SELECT pg_ls_dir('/tmp/link_regress/root') AS left_behind ORDER BY 1;

-- Loading is COPY FROM's own: defaults, generated columns, triggers, constraints, partitions, row security.
CREATE TABLE full_table (id int PRIMARY KEY, name text DEFAULT 'none', twice int GENERATED ALWAYS AS (id * 2) STORED, seen text, CHECK (id < 100));
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := 'trigger'; RETURN NEW; END $$;
CREATE TRIGGER mark BEFORE INSERT ON full_table FOR EACH ROW EXECUTE FUNCTION mark();
SELECT link.write_file('files', 'ids/1', E'1\n2\n'), link.write_file('files', 'ids/2', E'3\n'), link.write_file('files', 'ids/bad', E'4\nfive\n');
SELECT * FROM link.load_data('files', 'ids/[0-9]', 'full_table', columns => '{id}');
TABLE full_table;
SELECT * FROM link.load_data('files', 'ids/', 'full_table', columns => '{id}', "where" => 'id > 3');
SELECT * FROM link.load_data('files', 'ids/1', 'full_table', columns => '{id}');
SELECT link.write_file('files', 'ids/big', E'100\n');
SELECT * FROM link.load_data('files', 'ids/big', 'full_table', columns => '{id}');
TABLE full_table;
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (3);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (3) TO (9);
SELECT rows FROM link.load_data('files', 'ids/[12]', 'parted', "where" => 'id <> 2');
SELECT tableoid::regclass, id FROM parted ORDER BY 2;
CREATE TABLE secured (id int);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
GRANT INSERT ON secured TO regress_link_user;
SET ROLE regress_link_user;
SELECT * FROM link.load_data('files', 'ids/1', 'secured');
RESET ROLE;
BEGIN READ ONLY;
SELECT * FROM link.load_data('files', 'ids/1', 'parted');
ROLLBACK;
BEGIN READ ONLY;
SELECT rows FROM link.select_into('SELECT 1', 'files', 'read only is fine');
ROLLBACK;
SELECT link.remove_file('files', 'read only is fine');

-- Nested: a trigger that loads, and one that fails inside a block that catches.
CREATE TABLE outer_table (id int);
CREATE TABLE inner_table (id int);
CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM link.load_data('work.files', 'ids/2', 'work.inner_table');
	BEGIN
		PERFORM link.load_data('work.files', 'ids/bad', 'work.inner_table');
	EXCEPTION WHEN invalid_text_representation THEN NULL;
	END;
	RETURN NEW;
END $$;
CREATE TRIGGER nest BEFORE INSERT ON outer_table FOR EACH ROW EXECUTE FUNCTION nest();
SELECT rows FROM link.load_data('files', 'ids/1', 'outer_table');
SELECT (SELECT array_agg(id) FROM outer_table) AS outer_rows, (SELECT array_agg(id) FROM inner_table) AS inner_rows;

-- Statements.
SELECT * FROM link.execute($$SELECT id, 'INTO LINK x ''y''' AS s /* INTO LINK a 'b' */ FROM (SELECT 1 AS id) q -- INTO LINK c 'd'
	INTO LINK files 'stmt.csv' FIELDS TERMINATED BY ',' ENCLOSED BY '"' ESCAPED BY '"' LINES TERMINATED BY '\n';$$);
SELECT convert_from(link.read_file('files', 'stmt.csv'), 'UTF8');
SELECT * FROM link.execute($$SELECT 1 INTO LINK files 'stmt.csv' WITH (overwrite = true, format = csv, header = true)$$);
SELECT convert_from(link.read_file('files', 'stmt.csv'), 'UTF8');
SELECT * FROM link.execute($$LOAD DATA LINK files 'stmt.csv' INTO TABLE inner_table (id) FORMAT CSV IGNORE 1 LINES$$);
SELECT regexp_replace(execute, '\|[^|]*\|[^|]*$', '') AS list FROM link.execute($$LIST LINK files 'ids/'$$) WHERE execute NOT LIKE '%-+-%';
SELECT regexp_replace(regexp_replace(execute, ' +[0-9.]+ +\|', ' n |'), 'probe_[0-9a-f]+', 'probe_...') AS check FROM link.execute($$CHECK LINK files 'ids'$$);
SELECT step, ok, detail FROM link.check_link('files');

-- Links with limits.
SELECT link.create_link('narrow', 'FS', config => '{"root":"/tmp/link_regress/root","path_prefixes":["ids"],"append_only":true}');
SELECT link.read_file('narrow', 'ids/1');
SELECT link.read_file('narrow', 'dir/t.txt');
SELECT path FROM link.list_files('narrow', '');
SELECT path FROM link.list_files('narrow', 'ids/');
SELECT link.write_file('narrow', 'ids/3', 'x');
SELECT link.write_file('narrow', 'ids/3', 'y', overwrite => true);
SELECT link.write_file('narrow', 'idsx', 'y');
SELECT link.remove_file('narrow', 'ids/3');

-- Where a root may lie.
SELECT link.create_link('bad', 'FS', config => '{"root":"relative"}');
SELECT link.create_link('bad', 'FS', config => '{"root":"/tmp/link_regress/absent"}');
SELECT link.create_link('bad', 'FS', config => json_build_object('root', current_setting('data_directory'))::text) IS NULL;
\set VERBOSITY sqlstate
SELECT link.create_link('bad', 'FS', config => json_build_object('root', current_setting('data_directory') || '/base')::text);
SELECT link.create_link('bad', 'FS', config => '{"root":"/"}');
\set VERBOSITY default
COPY (SELECT 1) TO PROGRAM 'ln -s /etc /tmp/link_regress/root/way_out; ln -s /etc/passwd /tmp/link_regress/root/file_out; mkfifo /tmp/link_regress/root/pipe; cat > /dev/null';
SELECT link.read_file('files', 'way_out/passwd');
SELECT link.read_file('files', 'file_out');
SELECT link.read_file('files', 'pipe');
SELECT link.write_file('files', 'way_out/x', 'x');
SELECT path FROM link.list_files('files', 'way_out/');

SELECT link.drop_link('narrow');
DROP SCHEMA work CASCADE;
DROP ROLE regress_link_user;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress; cat > /dev/null';
