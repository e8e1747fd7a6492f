-- COPY to and from 'link://[schema.]name/path'.
LOAD 'link';
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_copy && mkdir -p /tmp/link_regress_copy/root && cat > /dev/null';
CREATE ROLE regress_link_user;
CREATE ROLE regress_link_owner;
CREATE SCHEMA work;
GRANT USAGE ON SCHEMA work TO PUBLIC;
SET search_path = work, public;
SELECT link.create_link('files', 'FS', config => '{"root":"/tmp/link_regress_copy/root"}');
CREATE SCHEMA "Odd/Schema";
SELECT link.create_link('"Odd/Schema"."x y"', 'FS', config => '{"root":"/tmp/link_regress_copy/root"}');
CREATE TABLE t (id int, name text, price numeric(10,2), twice int GENERATED ALWAYS AS (id * 2) STORED, flag bool);
INSERT INTO t VALUES (1, 'plain', 1.50, DEFAULT, true), (2, E'tab\tnew\nline \\ "quoted", and comma', -0.01, DEFAULT, false),
	(3, NULL, NULL, DEFAULT, NULL), (4, '', 'NaN', DEFAULT, true), (5, '\N', 0, DEFAULT, false);

-- The tag, as psql shows it, and what was written.
\set QUIET off
COPY t TO 'link://files/t.txt';
COPY t (name, id) TO 'link://work.files/t.csv' WITH (FORMAT csv, HEADER, compression none);
COPY (SELECT id FROM t WHERE id > 3) TO 'link://files/q.txt';
COPY (SELECT WHERE false) TO 'link://files/empty';
\echo :ROW_COUNT
\set QUIET on
SELECT convert_from(link.read_file('files', 't.csv'), 'UTF8');
SELECT path, size FROM link.list_files('files', '');

-- The same statement with a file of the server and with a link: what becomes of it, and what was written.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text; rows bigint;
BEGIN
	EXECUTE statement;
	GET DIAGNOSTICS rows = ROW_COUNT;
	RETURN rows;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', state, message, NULLIF(detail, ''), NULLIF(hint, ''));
END $$;
CREATE FUNCTION pg_temp.same_to(what text, options text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	core text; ours text;
BEGIN
	COPY (SELECT 1) TO PROGRAM 'rm -f /tmp/link_regress_copy/core /tmp/link_regress_copy/root/same; cat > /dev/null';
	core := pg_temp.outcome(format('COPY %s TO ''/tmp/link_regress_copy/core'' %s', what, options));
	ours := pg_temp.outcome(format('COPY %s TO ''link://work.files/same'' %s', what, options));
	IF ours <> core THEN RETURN 'ours: ' || ours || ', core: ' || core; END IF;
	IF core ~ '^\d+$' AND pg_read_binary_file('/tmp/link_regress_copy/core') <> link.read_file('work.files', 'same') THEN RETURN 'other bytes'; END IF;
	RETURN ours;
END $$;
CREATE VIEW view AS SELECT * FROM t;
CREATE MATERIALIZED VIEW matview AS SELECT * FROM t WITH NO DATA;
CREATE SEQUENCE sequence;
CREATE TABLE parted (id int, name text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (3);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (3) TO (9);
CREATE TABLE child (more text) INHERITS (t);
INSERT INTO child VALUES (6, 'of the child', 1, DEFAULT, true, 'm');
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE only_generated (g int GENERATED ALWAYS AS (1) STORED);
INSERT INTO only_generated DEFAULT VALUES;
CREATE TABLE dropped (a int, b int, c int);
INSERT INTO dropped VALUES (1, 2, 3);
ALTER TABLE dropped DROP COLUMN b;
CREATE TYPE composite AS (a int);
CREATE INDEX t_index ON t (id);
CREATE FOREIGN DATA WRAPPER regress_link_wrapper;
CREATE SERVER regress_link_server FOREIGN DATA WRAPPER regress_link_wrapper;
CREATE FOREIGN TABLE far_away (a int) SERVER regress_link_server;
CREATE TEMP TABLE temporary (id int);
INSERT INTO temporary VALUES (1);
CREATE TABLE "odd t" ("odd t" int, "Col""x" text);
INSERT INTO "odd t" VALUES (1, 'x');
SELECT what, options, pg_temp.same_to(what, options) FROM (VALUES
	('t', ''), ('t', '(FORMAT csv)'), ('t', 'CSV HEADER FORCE QUOTE *'), ('t', 'WITH DELIMITER ''|'' NULL ''nil'''),
	('t', '(FORMAT csv, HEADER, FORCE_QUOTE (name, flag), QUOTE '''''''', ESCAPE ''\'')'), ('t (flag, id)', ''), ('t (id, name)', '(HEADER)'),
	('t', '(ENCODING latin1)'), ('child', ''), ('temporary', ''), ('"odd t"', 'CSV HEADER'), ('"odd t" ("Col""x", "odd t")', ''), ('no_columns', ''), ('only_generated', ''), ('dropped', '(FORMAT csv, HEADER)'),
	('parted_1', ''), ('(TABLE t)', ''), ('(VALUES (1, ''a''), (2, NULL))', 'CSV'), ('(SELECT)', ''), ('work.t', ''),
	('(WITH w AS (SELECT 1 AS a) SELECT * FROM w, t)', '(FORMAT csv, HEADER)'), ('(SELECT * FROM view)', ''),
	('pg_catalog.pg_am (amname)', '')) v(what, options);
SELECT what, options, pg_temp.same_to(what, options) FROM (VALUES
	('view', ''), ('sequence', ''), ('parted', ''), ('far_away', ''), ('nope', ''), ('nope.t', ''),
	('t (id, nope)', ''), ('t (id, id)', ''), ('t (twice)', ''), ('t (ctid)', ''),
	('(SELECT nope FROM t)', ''), ('(SELECT 1 / 0)', ''), ('(SELECT 1 / (3 - id) FROM t)', '')) v(what, options);
-- (The words of these differ between versions.)
SELECT what, options, pg_temp.same_to(what, options) !~ '^ours|^\d+$' AS same_error FROM (VALUES
	('matview', ''), ('composite', ''), ('t_index', ''), ('t', '(DELIMITER ''ab'')'), ('t', '(FORMAT csv, QUOTE '','')'), ('t', '(QUOTE ''"'')'), ('t', '(FORMAT csv, FORMAT csv)'), ('t', '(HEADER perhaps)'),
	('t', '(FORCE_QUOTE (id))'), ('t', '(FORMAT csv, FORCE_QUOTE (nope))'), ('t (id)', '(FORMAT csv, FORCE_QUOTE (name))'),
	('t', '(ENCODING nope)'), ('t', '(NULL ''a	b'')'), ('t', '(HEADER match)'),
	('t', '(FORCE_NULL (id))')) v(what, options);
SELECT path FROM link.list_files('files', 'same*') AS left_behind;

-- What only a link has, and where an error points to.
COPY t TO 'link://files/t.txt';
COPY t TO 'link://files/t.txt' (overwrite);
COPY t TO 'link://files/x' (overwriting);
COPY t TO 'link://files/x' (skip 1);
COPY t TO 'link://files/x' (format xml);
COPY t TO 'link://files/x' (parallel -1);
COPY t TO 'link://files/x' (key id);
COPY t TO 'link://files/x' (format csv, format csv);
COPY (SELECT nope FROM t) TO 'link://files/x';
COPY (SELECT 1 FROM t, nope) TO 'link://files/x';
COPY (INSERT INTO dropped VALUES (1) RETURNING a) TO 'link://files/x';
COPY (WITH w AS (DELETE FROM dropped RETURNING a) TABLE w) TO 'link://files/x';
COPY (SELECT * FROM t FOR UPDATE) TO 'link://files/x';
COPY (SELECT 1 INTO made) TO 'link://files/x';

-- Names.
COPY t TO 'link:';
COPY t TO 'link:files/x';
COPY t TO 'link:/files/x';
COPY t TO 'link://';
COPY t TO 'link:///x';
COPY t TO 'link://files';
COPY t TO 'link://.files/x';
COPY t TO 'link://work./x';
COPY t TO 'link://work.files.more/x';
COPY t TO 'link:// files/x';
COPY t TO 'link://key:secret@files/x';
COPY t TO 'link://"files/x';
COPY t TO 'link://"files"x/y';
COPY t TO 'link://""/x';
COPY t FROM 'link://nope/x';
COPY t FROM 'link://nope.files/x';
COPY t TO 'link://files/';
COPY t TO 'link://files//x';
COPY t TO 'link://files/../x';
COPY (SELECT 1) TO 'LINK://FILES/a%20b?c=d#e:f "g"''h''é';
COPY (SELECT 2) TO 'link://"Odd/Schema"."x y"/odd';
COPY (SELECT 3) TO 'link://"work"."files"/quoted';
SELECT path, convert_from(link.read_file('files', path), 'UTF8') FROM link.list_files('files', '{a,o,q}*') WHERE path <> 'q.txt';
SELECT link.remove_file('files', path) FROM link.list_files('files', '{a,o,q}*') WHERE path <> 'q.txt';

-- Files and programs are core's.
COPY t TO 'link';
COPY t FROM '/tmp/link_regress_copy/link:';
COPY (SELECT 1) TO PROGRAM 'link://files/x';
COPY t FROM PROGRAM 'link://files/x';

-- Loading.
CREATE FUNCTION pg_temp.same_from(content text, target text, options text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	core text; ours text; core_rows text[]; our_rows text[]; name text := regexp_replace(target, ' .*', '');
BEGIN
	PERFORM link.write_file('work.files', 'load', content::bytea, overwrite => true);
	COPY (SELECT 1) TO PROGRAM 'cp /tmp/link_regress_copy/root/load /tmp/link_regress_copy/load; cat > /dev/null';
	BEGIN
		core := pg_temp.outcome(format('COPY %s FROM ''/tmp/link_regress_copy/load'' %s', target, options));
		IF core ~ '^\d+$' THEN EXECUTE format('SELECT array_agg(r::text ORDER BY r) FROM %s r', name) INTO core_rows; END IF;
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	ours := pg_temp.outcome(format('COPY %s FROM ''link://work.files/load'' %s', target, options));
	IF ours <> core THEN RETURN 'ours: ' || ours || ', core: ' || core; END IF;
	IF ours !~ '^\d+$' THEN RETURN ours; END IF;
	EXECUTE format('SELECT array_agg(r::text ORDER BY r) FROM %s r', name) INTO our_rows;
	IF our_rows IS DISTINCT FROM core_rows THEN RETURN 'other rows'; END IF;
	EXECUTE format('DELETE FROM %s', name);
	RETURN ours || coalesce(' ' || our_rows::text, '');
END $$;
CREATE TABLE full_table (id int PRIMARY KEY, name text DEFAULT 'none', twice int GENERATED ALWAYS AS (id * 2) STORED, seen text, CHECK (id < 100));
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := 'trigger'; RETURN NEW; END $$;
CREATE TRIGGER mark BEFORE INSERT ON full_table FOR EACH ROW EXECUTE FUNCTION mark();
CREATE VIEW open_view AS SELECT id, name FROM full_table;
CREATE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO full_table (id, name) VALUES (NEW.id, 'view'); RETURN NEW; END $$;
CREATE TRIGGER redirect INSTEAD OF INSERT ON open_view FOR EACH ROW EXECUTE FUNCTION redirect();
SELECT target, options, pg_temp.same_from(content, target, options) FROM (VALUES
	(E'1\n2\n', 'full_table (id)', ''), (E'1;a\n2;\n', 'full_table (id, name)', '(DELIMITER '';'')'), (E'id,name\n7,x\n', 'full_table (id, name)', 'CSV HEADER'),
	(E'id,name\n7,x\n', 'full_table (id, name)', '(FORMAT csv, HEADER match)'), (E'1\n2\n3\n', 'full_table (id)', 'WHERE id <> 2 AND name = ''none'''),
	(E'1\n2\n', 'full_table (id)', 'WHERE full_table.id IN (2, 4)'), (E'1,\n', 'full_table (id, name)', '(FORMAT csv, FORCE_NOT_NULL (name))'),
	(E'1,""\n', 'full_table (id, name)', '(FORMAT csv, FORCE_NULL (name))'), (E'1\ta\n8\tb\n', 'parted', ''), (E'1\ta\n', 'open_view', ''),
	(E'\n\n', 'no_columns', ''), ('', 'parted', '')) v(content, target, options);
SELECT target, options, pg_temp.same_from(content, target, options) FROM (VALUES
	(E'1\n1\n', 'full_table (id)', ''), (E'100\n', 'full_table (id)', ''), (E'x\n', 'full_table (id)', ''), (E'1\t2\n', 'full_table (id)', ''), (E'\n', 'parted', ''),
	(E'9\ta\n', 'parted', ''), (E'1\n', 'full_table (nope)', ''), (E'1\n', 'full_table (twice)', ''), (E'1\n', 'full_table (id, id)', ''),
	(E'a\n1\n', 'full_table (id)', '(HEADER match)'), (E'1\n', 'view', ''), (E'1\n', 'sequence', ''), (E'1\n', 'matview', ''), (E'1\n', 'far_away', ''),
	(E'1\n', 'full_table (id)', 'WHERE nope'), (E'1\n', 'full_table (id)', 'WHERE id'), (E'1\n', 'full_table (id)', 'WHERE twice = 2'),
	(E'1\n', 'full_table (id)', 'WHERE max(id) = 2'), (E'1\n', 'full_table (id)', 'WHERE id IN (SELECT 1)'), (E'1\n', 'full_table (id)', '(FREEZE)'),
	('\xe90a', 'full_table (name)', '')) v(content, target, options);
SELECT target, options, pg_temp.same_from('1', target, options) !~ '^ours|^\d+( \{|$)' AS same_error FROM (VALUES
	('full_table', '(FORCE_QUOTE (id))'), ('full_table (id)', '(FORMAT csv, FORCE_NULL (name))'), ('full_table (id)', '(FORMAT csv, FORCE_NOT_NULL (nope))'),
	('full_table (id)', '(DELIMITER ''ab'')'), ('full_table (id)', '(FORCE_NULL (id))')) v(target, options);
TRUNCATE full_table;
SELECT link.write_file('files', 'ids/1', E'1\n2\n'), link.write_file('files', 'ids/2', E'3\n'), link.write_file('files', 'ids/bad', E'4\nfive\n');
\set QUIET off
COPY full_table (id) FROM 'link://files/ids/[12]' WHERE id <> 1;
COPY full_table (id) FROM 'link://files/ids/1' (skip 1, format csv) WHERE id > 3;
COPY full_table (id) FROM 'link://files/ids/1' (where 'id < 2');
\set QUIET on
TABLE full_table;
COPY full_table (id) FROM 'link://files/ids/bad';
COPY full_table (id) FROM 'link://files/ids/2' (overwrite);
COPY full_table (id) FROM 'link://files/ids/2' (where 'id < 2') WHERE id < 3;
COPY full_table (id) FROM 'link://files/ids/2' WHERE nope > 1;
COPY full_table (id) FROM 'link://files/none';
COPY full_table (id) FROM 'link://files/none/';
SELECT count(*) FROM full_table;
BEGIN;
CREATE TABLE frozen (id int);
COPY frozen FROM 'link://files/ids/[12]' (FREEZE);
COMMIT;
SELECT count(*) FROM frozen;

-- The options that only a link has, both ways.
CREATE TABLE back (LIKE t INCLUDING GENERATED);
\set QUIET off
COPY t TO 'link://files/more/t.csv.gz' (FORMAT csv, HEADER);
COPY back FROM 'link://files/more/t.csv.gz' (FORMAT csv, HEADER match);
COPY t (id, name) TO 'link://files/more/t.json' (FORMAT 'json', HEADER off, compression 'zstd:3');
COPY back (id, name) FROM 'link://files/more/t.json' (FORMAT 'json') WHERE id < 3;
COPY BINARY t TO 'link://files/more/t.bin';
COPY back FROM 'link://files/more/t.bin' BINARY;
COPY t TO 'link://files/more/parts' (FORMAT csv, partition_by (flag, id), manifest);
COPY t (id, name) TO 'link://files/more/split' (file_size 40, parallel 0);
COPY back (id, name) FROM 'link://files/more/split*';
\set QUIET on
SELECT path FROM link.list_files('files', 'more/');
SELECT convert_from(link.read_file('files', 'more/parts/flag=true/id=4/part_0000.csv'), 'UTF8');
SELECT count(*), count(DISTINCT id), count(price), sum(twice) FROM back;
COPY t (id) TO 'link://files/x' (partition_by (name));
COPY t (id) TO 'link://files/x' (FORMAT 'json', HEADER);
COPY t (id) TO 'link://files/x' (compression nope);

-- In functions, in DO, in a trigger; of a plan that is kept.
CREATE FUNCTION round_trip(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	written bigint; loaded bigint;
BEGIN
	CREATE TEMP TABLE taken (id int, name text);
	INSERT INTO t (id, name) VALUES (n, 'uncommitted');
	COPY t (id, name) TO 'link://files/trip' (overwrite);
	GET DIAGNOSTICS written = ROW_COUNT;
	COPY (WITH w AS (SELECT 1) TABLE w) TO 'link://files/with' (overwrite);
	COPY taken FROM 'link://files/trip' WHERE name = 'uncommitted';
	GET DIAGNOSTICS loaded = ROW_COUNT;
	DROP TABLE taken;
	RETURN format('%s written, %s loaded', written, loaded);
END $$;
BEGIN;
SELECT round_trip(10);
SELECT round_trip(11);
SELECT round_trip(12);
ROLLBACK;
SELECT count(*) AS stays FROM link.select_from('files', 'trip') AS f(id int, name text);
CREATE FUNCTION in_sql() RETURNS void LANGUAGE sql AS $$ COPY (SELECT 'in sql') TO 'link://files/sql' (overwrite) $$;
SELECT in_sql();
SELECT in_sql();
DO $$ BEGIN COPY (SELECT nope) TO 'link://files/x'; END $$;
DO $$ BEGIN EXECUTE 'COPY t TO ''link://files/x'' (nope)'; END $$;
CREATE TABLE outer_table (id int);
CREATE TABLE inner_table (id int);
CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	COPY inner_table FROM 'link://work.files/ids/2';
	BEGIN
		COPY inner_table FROM 'link://work.files/ids/bad';
	EXCEPTION WHEN invalid_text_representation THEN NULL;
	END;
	RETURN NEW;
END $$;
CREATE TRIGGER nest BEFORE INSERT ON outer_table FOR EACH ROW EXECUTE FUNCTION nest();
\set QUIET off
COPY outer_table FROM 'link://files/ids/1';
\set QUIET on
SELECT (SELECT array_agg(id) FROM outer_table) AS outer_rows, (SELECT array_agg(id) FROM inner_table) AS inner_rows;

-- Transactions: an export changes nothing here; a load is undone.
BEGIN READ ONLY;
COPY t (id) TO 'link://files/read_only';
COPY t FROM 'link://files/t.txt';
ROLLBACK;
TRUNCATE temporary;
BEGIN READ ONLY;
COPY temporary FROM 'link://files/ids/1';
COMMIT;
SELECT count(*) FROM temporary;
BEGIN;
COPY inner_table FROM 'link://files/ids/1';
ROLLBACK;
SELECT count(*) FROM inner_table;
CREATE FUNCTION reach_out() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COPY (SELECT 1) TO 'link://work.files/x'; RETURN 1; END $$;
CREATE FUNCTION reach_in() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COPY work.inner_table FROM 'link://work.files/ids/1'; RETURN 1; END $$;
\set SHOW_CONTEXT never
CREATE MATERIALIZED VIEW reaching AS SELECT reach_out() WITH NO DATA;
REFRESH MATERIALIZED VIEW reaching;
CREATE MATERIALIZED VIEW reaching_in AS SELECT reach_in() WITH NO DATA;
REFRESH MATERIALIZED VIEW reaching_in;
\set SHOW_CONTEXT errors

-- Rights: on the link, and none on files of the server; on the table and its columns as for core's COPY.
GRANT SELECT, INSERT ON inner_table TO regress_link_user;
CREATE FUNCTION pg_temp.rights(privilege text) RETURNS TABLE (granted text, copy_to text, copy_from text) LANGUAGE plpgsql AS $$
BEGIN
	IF privilege <> 'none' THEN PERFORM link.grant_privilege(privilege, 'LINK work.files', 'regress_link_user'); END IF;
	SET LOCAL ROLE regress_link_user;
	granted := privilege;
	copy_to := pg_temp.outcome('COPY work.inner_table TO ''link://work.files/rights'' (overwrite)');
	copy_from := pg_temp.outcome('COPY work.inner_table FROM ''link://work.files/ids/1''');
	RESET ROLE;
	IF privilege <> 'none' THEN PERFORM link.revoke_privilege(privilege, 'LINK work.files', 'regress_link_user'); END IF;
	RETURN NEXT;
END $$;
GRANT EXECUTE ON FUNCTION pg_temp.outcome TO PUBLIC;
SET client_min_messages = error;
SELECT r.* FROM unnest('{none,VIEW,READ,WRITE,USE,SHOW,ALTER,DROP}'::text[]) p, pg_temp.rights(p) r;
RESET client_min_messages;
SELECT link.grant_privilege('USE', 'LINK work.files', 'regress_link_user');
CREATE TABLE columns (id int, secret text, free int);
INSERT INTO columns VALUES (1, 'hidden', 2);
GRANT SELECT (id, free), INSERT (id, free) ON columns TO regress_link_user;
CREATE TABLE to_fill (id int, secret text, free int);
GRANT INSERT (id), SELECT (free) ON to_fill TO regress_link_user;
SET ROLE regress_link_user;
COPY columns TO 'link://files/columns';
COPY columns (id, secret) TO 'link://files/columns';
COPY columns (free, id) TO 'link://files/columns';
COPY (SELECT id, secret FROM columns) TO 'link://files/x';
COPY (SELECT count(*) FROM columns WHERE secret = 'hidden') TO 'link://files/x';
COPY (SELECT id FROM columns) TO 'link://files/x';
COPY t TO 'link://files/none';
COPY (SELECT * FROM t) TO 'link://files/none';
COPY to_fill FROM 'link://files/ids/1';
COPY to_fill (id) FROM 'link://files/ids/1';
COPY to_fill (id) FROM 'link://files/ids/1' WHERE free IS NULL;
COPY to_fill (id) FROM 'link://files/ids/1' WHERE id = 1;
COPY to_fill (id) FROM 'link://files/ids/1' (where 'id = 1');
COPY to_fill (id) FROM 'link://"Odd/Schema"."x y"/ids/1';
\set VERBOSITY sqlstate
COPY inner_table TO '/tmp/link_regress_copy/file';
\set VERBOSITY default
RESET ROLE;
SELECT path, convert_from(link.read_file('files', path), 'UTF8') FROM link.list_files('files', '{columns,none,x}');
SELECT link.remove_file('files', 'x');
SELECT count(*) FROM to_fill;

-- Row security.
CREATE TABLE secured (id int, name text, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO secured VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE TABLE secured_child () INHERITS (secured);
INSERT INTO secured_child VALUES (5, 'child');
ALTER TABLE secured OWNER TO regress_link_owner;
CREATE POLICY odd ON secured USING (id % 2 = 1);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON secured TO regress_link_user;
SELECT link.grant_privilege('USE', 'LINK work.files', 'regress_link_owner');
CREATE FUNCTION pg_temp.written(role text, statement text) RETURNS TABLE (outcome text, content text) LANGUAGE plpgsql AS $$
BEGIN
	COPY (SELECT 1) TO PROGRAM 'rm -f /tmp/link_regress_copy/root/secured; cat > /dev/null';
	PERFORM set_config('role', role, true);
	outcome := pg_temp.outcome(format(statement, 'link://work.files/secured'));
	RESET ROLE;
	SELECT convert_from(link.read_file('work.files', f.path), 'UTF8') INTO content FROM link.list_files('work.files', 'secured') f;
	RETURN NEXT;
END $$;
SELECT role, statement, w.* FROM unnest('{regress_link_user,regress_link_owner}'::text[]) role,
	unnest('{COPY secured TO %L,"COPY secured (name, id) TO %L (FORMAT csv, HEADER)",COPY (TABLE secured) TO %L}'::text[]) statement,
	pg_temp.written(role, statement) w;
ALTER TABLE secured FORCE ROW LEVEL SECURITY;
SELECT w.* FROM pg_temp.written('regress_link_owner', 'COPY secured TO %L') w;
SELECT link.remove_file('files', 'secured');
SET ROLE regress_link_user;
COPY secured (id, name) TO STDOUT;
COPY secured FROM 'link://files/t.txt';
SET row_security = off;
COPY secured TO 'link://files/secured';
COPY secured FROM 'link://files/t.txt';
RESET row_security;
RESET ROLE;
ALTER TABLE parted ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON parted USING (true);
INSERT INTO parted VALUES (1, 'a');
GRANT SELECT ON parted TO regress_link_user;
SELECT w.* FROM pg_temp.written('regress_link_user', 'COPY parted TO %L') w;
SELECT link.remove_file('files', 'secured');
SELECT path FROM link.list_files('files', 'secured') AS left_behind;

-- Its uses count, those that failed too.
SELECT link.reset_stat_links();
COPY (SELECT generate_series(1, 3)) TO 'link://files/counted';
COPY inner_table FROM 'link://files/counted';
COPY nope FROM 'link://files/counted';
SELECT uses, rows, bytes, errors, last_sqlstate FROM link.stat_links WHERE link = 'files';

SELECT link.drop_link('"Odd/Schema"."x y"');
DROP SERVER regress_link_server CASCADE;
DROP FOREIGN DATA WRAPPER regress_link_wrapper;
\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA work CASCADE;
DROP SCHEMA "Odd/Schema" CASCADE;
DROP ROLE regress_link_user, regress_link_owner;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_copy; cat > /dev/null';
