-- BACKUP and RESTORE: statements, schemas in the current database, rights, what is
-- shown of them.  Ids are times, so they are never printed.
\set SHOW_CONTEXT never
SET client_min_messages = error;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_backup && mkdir -p /tmp/link_regress_backup && cat > /dev/null';
CREATE ROLE regress_link_keeper;
CREATE ROLE regress_link_clerk;
CREATE ROLE regress_link_reader IN ROLE pg_read_all_data;
CREATE ROLE regress_link_stranger;
SELECT current_database() AS db, current_user AS me \gset
GRANT CREATE ON DATABASE :"db" TO regress_link_keeper, regress_link_stranger;
CREATE SCHEMA links;
GRANT USAGE ON SCHEMA links TO PUBLIC;
SELECT link.create_link('links.files', 'FS', config => '{"root":"/tmp/link_regress_backup"}');
SELECT link.grant_privilege('USE', 'LINK links.files', 'regress_link_keeper');
SELECT link.grant_privilege('READ', 'LINK links.files', 'regress_link_stranger');
SELECT link.grant_privilege('WRITE', 'LINK links.files', 'regress_link_reader');
-- whoever seals first makes the key ring, and is told
SELECT link.create_link('links.sealed', 'S3', '{"aws_access_key_id":"a","aws_secret_access_key":"b"}');
CREATE SCHEMA elsewhere;
GRANT USAGE ON SCHEMA elsewhere TO regress_link_keeper;
CREATE TABLE elsewhere.city (id int PRIMARY KEY);
INSERT INTO elsewhere.city VALUES (1);
GRANT REFERENCES, SELECT ON elsewhere.city TO regress_link_keeper;
SET search_path = links, public;

-- Everything a schema holds, made by one who is no superuser.
SET ROLE regress_link_keeper;
CREATE SCHEMA "Shop";
COMMENT ON SCHEMA "Shop" IS 'of a keeper';
CREATE TYPE "Shop".color AS ENUM ('red', 'green');
CREATE TYPE "Shop".pair AS (a int, b text);
CREATE DOMAIN "Shop".positive AS int CHECK (VALUE > 0);
CREATE FUNCTION "Shop".twice(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN $1 * 2; END$$;
CREATE FUNCTION "Shop".sum(int, int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT $1 + $2; END;
CREATE FUNCTION "Shop".stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.note := 'stamped; and quoted '''; RETURN NEW; END$$;
CREATE SEQUENCE "Shop".numbers START 7;
SELECT nextval('"Shop".numbers');
CREATE TABLE "Shop".item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n serial, color "Shop".color, size "Shop".positive, pairs "Shop".pair[],
	twice int GENERATED ALWAYS AS ("Shop".twice(1)) STORED, note text DEFAULT E'a\tb\\c', "odd ""name" text, moment timestamptz, city int REFERENCES elsewhere.city);
INSERT INTO "Shop".item (color, size, pairs, note, "odd ""name", moment, city)
	SELECT 'red', n, ARRAY[(n, E'x\n\\y')]::"Shop".pair[], CASE WHEN n % 3 > 0 THEN md5(n::text) END, E'\\N', timestamptz '2020-02-03 04:05:06.789+07' + n * interval '1 h', 1 FROM generate_series(1, 100) n;
CREATE UNIQUE INDEX ON "Shop".item ("Shop".twice(size));
CREATE TRIGGER stamp BEFORE INSERT ON "Shop".item FOR EACH ROW EXECUTE FUNCTION "Shop".stamp();
CREATE TABLE "Shop".sale (day date, item int REFERENCES "Shop".item, CONSTRAINT item_is CHECK ("Shop".twice(item) > 0)) PARTITION BY RANGE (day);
CREATE TABLE "Shop".sale_2020 PARTITION OF "Shop".sale FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE "Shop".sale_other PARTITION OF "Shop".sale DEFAULT;
INSERT INTO "Shop".sale SELECT date '2020-11-01' + n, n FROM generate_series(1, 100) n;
CREATE TABLE "Shop".nothing ();
INSERT INTO "Shop".nothing DEFAULT VALUES;
CREATE UNLOGGED TABLE "Shop".quick (t text);
CREATE TABLE "Shop".special (t text);
CREATE RULE quick AS ON INSERT TO "Shop".special DO INSTEAD NOTHING;
CREATE VIEW "Shop".sold AS SELECT i.id, count(*) FROM "Shop".item i JOIN "Shop".sale s ON s.item = i.id GROUP BY i.id;
CREATE MATERIALIZED VIEW "Shop".totals AS SELECT sum(twice) FROM "Shop".item;
CREATE STATISTICS "Shop".together ON color, size FROM "Shop".item;
ALTER TABLE "Shop".special ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON "Shop".special USING (t = current_user);
GRANT USAGE ON SCHEMA "Shop" TO regress_link_clerk;
GRANT SELECT ON "Shop".item TO regress_link_clerk WITH GRANT OPTION;
RESET ROLE;
SET ROLE regress_link_clerk;
GRANT SELECT ON "Shop".item TO regress_link_stranger;
RESET ROLE;
SET client_min_messages = warning;

-- What is in a schema, with its name left out: definitions, and a hash of each table's rows.
CREATE FUNCTION pg_temp.contents(schema text) RETURNS TABLE (what text, is text) LANGUAGE plpgsql AS $$
DECLARE
	rel record;
BEGIN
	RETURN QUERY SELECT 'relation ' || relname || ' ' || relkind::text || relpersistence::text, relrowsecurity::text FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(schema)) AND relkind <> 't'
	UNION ALL SELECT 'column ' || relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid))
		FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum WHERE relnamespace = to_regnamespace(quote_ident(schema)) AND attnum > 0 AND NOT attisdropped
	UNION ALL SELECT 'index ' || relname, pg_get_indexdef(oid) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(schema)) AND relkind IN ('i', 'I')
	UNION ALL SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = to_regnamespace(quote_ident(schema))
	UNION ALL SELECT 'trigger ' || tgname, pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = to_regnamespace(quote_ident(schema)) AND NOT tgisinternal
	UNION ALL SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(oid) FROM pg_proc p WHERE pronamespace = to_regnamespace(quote_ident(schema))
	UNION ALL SELECT 'view ' || relname, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(schema)) AND relkind IN ('v', 'm')
	UNION ALL SELECT 'rule ' || rulename, pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE relnamespace = to_regnamespace(quote_ident(schema)) AND relkind = 'r'
	UNION ALL SELECT 'statistics ' || stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxnamespace = to_regnamespace(quote_ident(schema))
	UNION ALL SELECT 'policy ' || polname, pg_get_expr(polqual, polrelid) FROM pg_policy p JOIN pg_class c ON c.oid = polrelid WHERE relnamespace = to_regnamespace(quote_ident(schema))
	UNION ALL SELECT 'comment', obj_description(to_regnamespace(quote_ident(schema)), 'pg_namespace')
	UNION ALL SELECT 'label ' || enumlabel, enumsortorder::text FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid WHERE typnamespace = to_regnamespace(quote_ident(schema));
	FOR rel IN SELECT oid::regclass AS name, relname, CASE relkind WHEN 'S' THEN 'last_value, is_called' ELSE '*' END AS columns FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(schema)) AND relkind IN ('r', 'm', 'S') LOOP
		RETURN QUERY EXECUTE format('SELECT %L, count(*) || md5(coalesce(string_agg(r::text, ''|'' ORDER BY r::text), '''')) FROM (SELECT %s FROM %s) r', 'rows ' || rel.relname, rel.columns, rel.name);
	END LOOP;
END $$;
-- The lines in which two schemas differ once their names are the same.
CREATE FUNCTION pg_temp.differences(a text, b text) RETURNS TABLE (line text) LANGUAGE sql AS $$
	WITH one AS (SELECT replace(replace(c::text, quote_ident(a) || '.', ''), replace(quote_ident(a), '"', '""') || '.', '') FROM pg_temp.contents(a) c),
		other AS (SELECT replace(replace(c::text, quote_ident(b) || '.', ''), replace(quote_ident(b), '"', '""') || '.', '') FROM pg_temp.contents(b) c)
	(TABLE one EXCEPT ALL TABLE other) UNION ALL (TABLE other EXCEPT ALL TABLE one) $$;
CREATE FUNCTION pg_temp.answer(text) RETURNS text LANGUAGE sql AS $$SELECT regexp_replace($1, '\d+', 'ID')$$;
SELECT count(*) > 60 AS many FROM pg_temp.contents('Shop');

-- Statements: where one goes wrong, and what was meant.
SELECT link.execute($$BACKUP$$);
SELECT link.execute($$BACKUP DATABASE$$);
SELECT link.execute($$BACKUP DATABASE "Shop" LINK files 'b'$$);
SELECT link.execute($$BACKUP "Shop" WITH DIFERENTIAL TO LINK files 'b'$$);
SELECT link.execute($$BACKUP "Shop" TO 'b'$$);
SELECT link.execute($$RESTORE "Shop" TO LINK files 'b'$$);
SELECT link.execute($$RESTORE "Shop" AS x FROM LINK files 'b' WITH FIEL = 1$$);
SELECT link.execute($$RESTORE "Shop" FROM LINK files 'b' WITH FILE = 0$$);
SELECT link.execute($$RESTORE "Shop" FROM LINK files 'b' WITH FILE = 99999999999999999999$$);
SELECT link.execute($$RESTORE "Shop" FROM LINK files 'b' WITH FILE 1$$);
SELECT link.execute($$BACKUP shop TO LINK files 'b'$$);
SELECT link.execute($$BACKUP database TO LINK files 'b'$$);
SELECT link.execute($$RESTORE database database AS init FROM LINK files 'b'$$);
SELECT link.execute($$BACKUP link TO LINK files 'b'$$);
SELECT link.execute($$BACKUP pg_catalog TO LINK files 'b'$$);
SELECT link.execute($$BACKUP "Shop" TO LINK files 'a*b'$$);
SELECT link.backup_database('files', 'b', schemas => '{}');
SELECT link.backup_database('files', 'b', schemas => '{Shop,nowhere}');
SELECT link.backup_database('files', 'b', mode => 'some', schemas => '{Shop}');
BEGIN;
SELECT link.execute($$BACKUP "Shop" TO LINK files 'b'$$);
ROLLBACK;
BEGIN;
SELECT link.execute($$RESTORE "Shop" FROM LINK files 'b'$$);
ROLLBACK;

-- Away and back, by the owner of all of it.
SET ROLE regress_link_keeper;
SELECT pg_temp.answer(b) FROM link.execute($$BACKUP DATABASE "Shop" TO LINK files 'b'$$) b;
SELECT pg_temp.answer(r) FROM link.execute($$RESTORE DATABASE "Shop" AS "Copy" FROM LINK files 'b/'$$) r;
SELECT * FROM pg_temp.differences('Shop', 'Copy');
SELECT nspname, nspacl FROM pg_namespace WHERE nspname = 'Copy';
SELECT relacl FROM pg_class WHERE oid = '"Copy".item'::regclass;
SELECT last_analyze IS NOT NULL OR reltuples >= 0 AS analyzed FROM pg_class LEFT JOIN pg_stat_user_tables s ON s.relid = pg_class.oid WHERE oid = '"Copy".item'::regclass;
INSERT INTO "Copy".item (color, size) VALUES ('green', 1000) RETURNING id, n, twice, note;
SELECT nextval('"Copy".numbers');
-- what a definition refers to is the copy's; the text of a function is as it was
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '"Copy".sale'::regclass ORDER BY conname;
-- nothing of the session is changed by what is restored
SHOW search_path;
SHOW check_function_bodies;
SHOW client_min_messages;
SHOW row_security;
SHOW DateStyle;
-- what exists is never touched
SELECT link.execute($$RESTORE "Shop" FROM LINK files 'b'$$);
SELECT link.execute($$RESTORE "Shop" AS "Copy" FROM LINK files 'b'$$);
SELECT link.restore_database('files', 'b', 'x', keep_partial => true);
SELECT link.execute($$RESTORE "Shop" FROM LINK files 'c'$$);
DROP SCHEMA "Copy" CASCADE;
ALTER SCHEMA "Shop" RENAME TO kept;
SELECT pg_temp.answer(r) FROM link.execute($$RESTORE "Shop" FROM LINK files 'b'$$) r;
SELECT * FROM pg_temp.differences('kept', 'Shop');
SELECT link.verify_backup('files', 'b', level => 'restore') > 0 AS restorable;
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1;

-- A differential one, and two schemas at once.
INSERT INTO "Shop".sale VALUES ('2022-02-02', 5);
SELECT pg_temp.answer(b) FROM link.execute($$BACKUP "Shop" WITH DIFFERENTIAL TO LINK files 'b'$$) b;
SELECT pg_temp.answer(r) FROM link.execute($$RESTORE "Shop" AS again FROM LINK files 'b'$$) r;
SELECT * FROM pg_temp.differences('Shop', 'again');
DROP SCHEMA kept, again CASCADE;
CREATE SCHEMA other;
CREATE TABLE other.reference (item int REFERENCES "Shop".item);
INSERT INTO other.reference VALUES (3);
SELECT link.backup_database('files', 'two', schemas => '{Shop,other,Shop}') > 0 AS made;
SELECT link.restore_database('files', 'two', 'x');
DROP SCHEMA "Shop", other CASCADE;
SELECT link.restore_database('files', 'two') > 0 AS restored;
SELECT count(*) FROM other.reference JOIN "Shop".item ON id = item;

-- Rights: to make one, ownership or the right to read everything ...
RESET ROLE;
CREATE TABLE "Shop".theirs AS SELECT 1 AS n;
SET ROLE regress_link_keeper;
SELECT link.execute($$BACKUP "Shop" TO LINK files 'b'$$);
SELECT link.backup_database('files', 'whole');
RESET ROLE;
SET ROLE regress_link_reader;
SELECT link.backup_database('files', 'read', schemas => '{Shop}') > 0 AS made;
-- ... and to restore one, to make a schema, with READ on the link and on what is referred to.
SELECT link.restore_database('files', 'read', 'x');
RESET ROLE;
SET ROLE regress_link_stranger;
SELECT link.restore_database('files', 'b', 'stolen');
RESET ROLE;
REVOKE CREATE ON DATABASE :"db" FROM regress_link_stranger;
GRANT USAGE ON SCHEMA elsewhere TO regress_link_stranger;
GRANT REFERENCES, SELECT ON elsewhere.city TO regress_link_stranger;
SET ROLE regress_link_stranger;
SELECT link.restore_database('files', 'b', 'stolen');
RESET ROLE;
GRANT CREATE ON DATABASE :"db" TO regress_link_stranger;
SET ROLE regress_link_stranger;
-- the name is another's, who would have to give it up
SELECT link.restore_database('files', 'b', 'stolen');
RESET ROLE;
ALTER SCHEMA "Shop" RENAME TO kept;
SET ROLE regress_link_stranger;
SELECT link.restore_database('files', 'b', 'own') > 0 AS restored;
SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'own';
SELECT DISTINCT relowner::regrole, relacl FROM pg_class WHERE relnamespace = 'own'::regnamespace;
DROP SCHEMA own CASCADE;
RESET ROLE;
-- A superuser's has owners, and privileges of those who granted them.
SELECT min(id) AS first FROM link.list_backups('files', 'b') \gset
SELECT link.restore_database('files', 'b', 'own', :first) = :first AS restored;
SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'own';
SELECT relowner::regrole, relacl[2:] FROM pg_class WHERE oid = 'own.item'::regclass;
DROP SCHEMA own, kept, other CASCADE;

-- Code of a backup has the rights of who restores it, and no way to more.
SET ROLE regress_link_keeper;
CREATE SCHEMA trap;
CREATE FUNCTION trap.spring(int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	attempt text;
BEGIN
	IF current_setting('trap.armed', true) = 'yes' THEN
		RAISE WARNING 'code of a backup runs as %', current_user;
		FOREACH attempt IN ARRAY ARRAY['RESET ROLE', 'SET ROLE NONE', 'RESET SESSION AUTHORIZATION', 'CREATE TEMP TABLE left_behind (n int)', 'CREATE ROLE regress_link_evil SUPERUSER'] LOOP
			BEGIN
				EXECUTE attempt;
				RAISE WARNING '% worked', attempt;
			EXCEPTION WHEN OTHERS THEN
				RAISE WARNING '%: %', attempt, SQLSTATE;
			END;
		END LOOP;
	END IF;
	RETURN true;
END $$;
CREATE TABLE trap.bait (n int CHECK (trap.spring(n)));
INSERT INTO trap.bait VALUES (1);
SELECT link.backup_database('files', 'trap', schemas => '{trap}') > 0 AS made;
SET trap.armed = 'yes';
SELECT link.restore_database('files', 'trap', 'sprung') > 0 AS restored;
SELECT current_user;
RESET trap.armed;
DROP SCHEMA trap, sprung CASCADE;

-- What fails leaves nothing.
CREATE SCHEMA broken;
CREATE TABLE broken.t AS SELECT n FROM generate_series(1, 10) n;
CREATE SCHEMA helper;
CREATE FUNCTION helper.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE INDEX ON broken.t (helper.f(n));
SELECT link.backup_database('files', 'broken', schemas => '{broken}') > 0 AS made;
DROP SCHEMA helper CASCADE;
SELECT link.restore_database('files', 'broken', 'mended');
SELECT count(*) FROM broken.t;
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1;
RESET ROLE;
DROP SCHEMA broken CASCADE;

-- Schema public, which every database has from its beginning.
CREATE TABLE public.plain AS SELECT 1 AS n;
SELECT link.backup_database('files', 'public', schemas => '{public}') > 0 AS made;
SELECT link.restore_database('files', 'public', 'published') > 0 AS restored;
SELECT * FROM published.plain;
DROP SCHEMA published CASCADE;
DROP TABLE public.plain;

-- What was done.
SELECT link.write_file('files', 'taken', 'a file is no folder');
\set VERBOSITY sqlstate
SELECT link.backup_database('files', 'taken', schemas => '{elsewhere}') IS NULL;
\set VERBOSITY default
SELECT status, mode, base IS NULL AS full, started <= finished AS times, objects, bytes > 0 AS some, length(checksum), schemas, link, path, NULLIF(role, quote_ident(:'me')) AS role,
	regexp_replace(error, '\d{10,}', 'ID') AS error FROM link.backups ORDER BY id;
SELECT b.id = l.id AND b.objects = l.objects AND b.bytes = l.bytes AND b.mode = l.mode AND b.database = l.database AND b.base IS NOT DISTINCT FROM l.base AS same
	FROM link.list_backups('files', 'b') l LEFT JOIN link.backups b USING (id);
SELECT link.drop_backup('files', 'trap', id) FROM link.backups WHERE path = 'trap';
SELECT path, status FROM link.backups WHERE status <> 'succeeded' ORDER BY id;
SELECT link.list_backups('files', 'trap');
-- Of others: what is on links that they read.
SET ROLE regress_link_clerk;
SELECT count(*) FROM link.backups;
RESET ROLE;
SET ROLE regress_link_reader;
SELECT path FROM link.backups;
RESET ROLE;
SET ROLE regress_link_stranger;
SELECT count(*) > 5 AS many FROM link.backups;
RESET ROLE;
GRANT ALL ON link.backup TO regress_link_stranger;
SET ROLE regress_link_stranger;
UPDATE link.backup SET status = 'succeeded';
DELETE FROM link.backup;
TRUNCATE link.backup;
RESET ROLE;
REVOKE ALL ON link.backup FROM regress_link_stranger;
SELECT * FROM link.backup_progress;
SET link.backup_rate = '1MB';
SHOW link.backup_rate;
RESET link.backup_rate;

SET client_min_messages = error;
DELETE FROM link.backup;
SELECT link.drop_link('files');
DROP SCHEMA links, elsewhere CASCADE;
REVOKE ALL ON DATABASE :"db" FROM regress_link_keeper, regress_link_stranger;
DROP ROLE regress_link_keeper, regress_link_clerk, regress_link_reader, regress_link_stranger;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_backup; cat > /dev/null';
