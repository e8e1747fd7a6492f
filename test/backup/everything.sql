-- A database with every kind of object that pg_dump knows, for 120_backup.pl; by
-- psql, as superuser, after roles.sql and CREATE EXTENSION link.
\set ON_ERROR_STOP on
SET client_min_messages = error;
SELECT current_setting('server_version_num')::int >= 170000 AS v17, current_setting('server_version_num')::int >= 180000 AS v18 \gset

--
-- Names
--
CREATE SCHEMA "Quoted ""schema"". Ä";
CREATE TABLE "Quoted ""schema"". Ä"."it's. a ""table"" ü" ("a ""b""" int PRIMARY KEY, "sel.ect" text, "GROUP" text DEFAULT 'x', "%s \" text);
INSERT INTO "Quoted ""schema"". Ä"."it's. a ""table"" ü" VALUES (1, 'one'), (2, E'tab\tnew\nline\\back'), (3, NULL);
CREATE TABLE "SELECT" ("FROM" int); INSERT INTO "SELECT" VALUES (1);
CREATE TABLE "select" ("FROM" int); INSERT INTO "select" VALUES (2);
CREATE TABLE "a/b/../c" (a int); INSERT INTO "a/b/../c" VALUES (3);
CREATE TABLE "a_b____c" (a int); INSERT INTO "a_b____c" VALUES (4);
CREATE TABLE aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (a int); INSERT INTO aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa VALUES (5);
COMMENT ON SCHEMA "Quoted ""schema"". Ä" IS 'a comment; with '' and " and \ and ü';
ALTER SCHEMA "Quoted ""schema"". Ä" OWNER TO "odd ""role"", - Üx";
GRANT USAGE ON SCHEMA "Quoted ""schema"". Ä" TO reader;
CREATE SCHEMA empty;
CREATE SCHEMA s; GRANT ALL ON SCHEMA s TO keeper;

--
-- Types
--
CREATE TYPE s.mood AS ENUM ('sad', 'o''k', 'happy', 'größer');
ALTER TYPE s.mood ADD VALUE 'zero' BEFORE 'sad';
CREATE TYPE s.nothing AS ENUM ();
CREATE DOMAIN s.positive AS int CHECK (VALUE > 0) NOT NULL DEFAULT 7;
CREATE DOMAIN s.more AS s.positive CONSTRAINT upto CHECK (VALUE < 1000);
CREATE DOMAIN s.words AS text COLLATE "C" CHECK (VALUE ~ '^[a-z ]*$');
CREATE TYPE s.pair AS (a int, b text COLLATE "C", c s.mood);
CREATE TYPE s.nested AS (p s.pair, ps s.pair[]);
CREATE FUNCTION s.distance(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $2 - $1';
CREATE TYPE s.floats AS RANGE (subtype = float8, subtype_diff = s.distance, multirange_type_name = s.manyfloats);
COMMENT ON TYPE s.mood IS 'how';
ALTER TYPE s.pair OWNER TO keeper;
GRANT USAGE ON TYPE s.positive TO reader; REVOKE ALL ON TYPE s.mood FROM PUBLIC;
CREATE TYPE s.shell;
CREATE TYPE s.base;
CREATE FUNCTION s.base_in(cstring) RETURNS s.base LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION s.base_out(s.base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE s.base (INPUT = s.base_in, OUTPUT = s.base_out, LIKE = int4);
CREATE TABLE s.types_of_mine (m s.mood, ms s.mood[], p s.positive, q s.more, w s.words, c s.pair, n s.nested, r s.floats, rm s.manyfloats, b s.base, dom s.positive[]);
INSERT INTO s.types_of_mine VALUES ('o''k', '{zero,größer,NULL}', 1, 999, 'some words', '(1,"a ""b"", c",happy)', '("(2,,)","{""(3,\\""x,y\\"",sad)"",NULL}")', '[1.5,2.5)', '{[1,2),(3,)}', '42', '{1,2}'),
	(NULL, NULL, 2, 3, '', NULL, NULL, 'empty', '{}', NULL, '[3:4]={5,6}');

--
-- Values that are easily lost
--
CREATE TABLE s.values (id int GENERATED ALWAYS AS IDENTITY, f4 float4, f8 float8, n numeric, m money, x xml, b bytea, ts timestamp, tz timestamptz, d date, t time, tt timetz, i interval,
	j json, jb jsonb, jp jsonpath, u uuid, bi bit(5), vb varbit, ip inet, ci cidr, ma macaddr, m8 macaddr8, pt point, po polygon, tv tsvector, tq tsquery, c char(5), n10 name, ch "char", txt text, arr text[], o oid, rc regclass, rp regprocedure, lsn pg_lsn, xi xid8);
INSERT INTO s.values (f4, f8, n, m, x, b, ts, tz, d, t, tt, i, j, jb, jp, u, bi, vb, ip, ci, ma, m8, pt, po, tv, tq, c, n10, ch, txt, arr, o, rc, rp, lsn, xi) VALUES
	('NaN', 'NaN', 'NaN', '-92233720368547758.08', '<a>b</a>', '\x00ff5c0a', 'infinity', '-infinity', '-infinity', '24:00', '23:59:59.999999+15:59', '-1 year +2 mons -3 days +04:05:06.789', '{"b": 1,  "a":2, "a":3}', '{"b":1,"a":[null,1.50]}', '$.a[*] ? (@ > 1)', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', B'10101', B'', '::ffff:1.2.3.4/96', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '(1e300,-0)', '((0,0),(1,1),(1,0))', 'a:1A b:2,3C', 'a & !b:*', 'ab', 'n', 'x', E'\\N', '{a,NULL,"NULL","","{}","\\\"",ü}', 4294967295, 's.types_of_mine', 's.distance(float8,float8)', 'FFFFFFFF/FFFFFFFF', '18446744073709551615'),
	('-Infinity', 'Infinity', '-Infinity', '0.01', 'content <b/> only', '', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999+00', '5874897-12-31', '00:00', '00:00-15:59', '-178000000 years', 'null', 'null', NULL, NULL, B'00000', B'1', '1.2.3.4', '::/0', NULL, NULL, '(NaN,Infinity)', NULL, '', '', '', '', '', E'\\.', '{{1,2},{3,4}}', 0, '-', NULL, '0/0', '0'),
	('1.17549435e-38', '5e-324', '1e-16383', '1.00', '<?xml version="1.0"?><r/>', decode(repeat('00ff', 500), 'hex'), '1999-12-31 23:59:60', '2000-01-01 00:00:00+14', '2000-02-29', '12:34:56.7', '12:00+00', '1 mon -1 day +00:00:00.000001', '"\u00e9"', '"é"', NULL, NULL, B'11111', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'üüüüü', 'üü', 'z', '', '{}', 1, NULL, NULL, NULL, NULL),
	('3.4028235e38', '-0', '12345678901234567890.123456789012345678901234567890', NULL, NULL, NULL, '2001-02-03 04:05:06.000007', '1900-01-01 00:00:00 Europe/Amsterdam', 'infinity', NULL, NULL, 'P1Y2M3DT4H5M6S', NULL, NULL, NULL, NULL, B'00001', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, E'a\rb\nc\td\be\ff\vg\\h''i"j', NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE s.toasted (id int, plain text, packed text, j jsonb, b bytea) WITH (toast_tuple_target = 256); ALTER TABLE s.toasted ALTER plain SET STORAGE EXTERNAL;
INSERT INTO s.toasted SELECT i, repeat(md5(i::text), 3000 * i), repeat('x', 200000), jsonb_build_object('k', repeat('y', 100000), 'i', i), decode(repeat(md5(i::text), 20000), 'hex') FROM generate_series(1, 8) i;
INSERT INTO s.toasted VALUES (9, NULL, (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 100000) g), NULL, NULL);
SELECT format('CREATE TABLE s.wide (%s)', string_agg(format('"col %s" %s', i, (ARRAY['int', 'text', 'numeric', 'timestamptz', 'bool'])[1 + i % 5]), ', ' ORDER BY i)) FROM generate_series(1, 300) i \gexec
INSERT INTO s.wide ("col 1", "col 150", "col 299", "col 300") VALUES ('a', 1, true, 1), ('b', NULL, NULL, NULL);
CREATE TABLE s.none ();
INSERT INTO s.none DEFAULT VALUES; INSERT INTO s.none DEFAULT VALUES; INSERT INTO s.none DEFAULT VALUES;
CREATE TABLE s.all_dropped (a int, b int); INSERT INTO s.all_dropped VALUES (1, 2); ALTER TABLE s.all_dropped DROP a, DROP b;
CREATE TABLE s.some_dropped (a int, b text, c int); INSERT INTO s.some_dropped VALUES (1, 'b', 3);
ALTER TABLE s.some_dropped DROP a; ALTER TABLE s.some_dropped ADD d int NOT NULL DEFAULT 5; ALTER TABLE s.some_dropped ALTER d SET DEFAULT 6; INSERT INTO s.some_dropped VALUES ('bb', 33);
CREATE TABLE s.no_rows (a int);

--
-- Generated, identity, sequences
--
CREATE TABLE s.generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text GENERATED ALWAYS AS ('x' || a) STORED, id bigint GENERATED BY DEFAULT AS IDENTITY (START 10 INCREMENT 5 MAXVALUE 1000 CYCLE));
INSERT INTO s.generated (a) SELECT generate_series(1, 10);
CREATE TABLE s.all_generated (b int GENERATED ALWAYS AS (1 + 1) STORED, c text GENERATED ALWAYS AS ('c') STORED);
INSERT INTO s.all_generated DEFAULT VALUES; INSERT INTO s.all_generated DEFAULT VALUES;
CREATE TABLE s.serials (a serial PRIMARY KEY, b smallserial, c bigserial, "D ""d""" serial);
INSERT INTO s.serials SELECT FROM generate_series(1, 5);
CREATE SEQUENCE s.never; CREATE SEQUENCE s.down INCREMENT -3 MINVALUE -100 MAXVALUE 50 START 20 CYCLE CACHE 5; SELECT nextval('s.down'), nextval('s.down');
CREATE SEQUENCE s.small AS smallint MAXVALUE 3 CYCLE; SELECT nextval('s.small') FROM generate_series(1, 4);
CREATE SEQUENCE s.at_end AS bigint START 9223372036854775807; SELECT nextval('s.at_end');
CREATE SEQUENCE s.begun; SELECT setval('s.begun', 77, false);
CREATE UNLOGGED SEQUENCE s.unlogged_sequence; SELECT nextval('s.unlogged_sequence');
CREATE SEQUENCE "Quoted ""schema"". Ä"."se.q' ü"; SELECT nextval('"Quoted ""schema"". Ä"."se.q'' ü"');
GRANT USAGE ON SEQUENCE s.down TO reader; ALTER SEQUENCE s.never OWNER TO keeper; COMMENT ON SEQUENCE s.down IS 'down';

--
-- Partitions, inheritance, typed, unlogged
--
CREATE TABLE s.parts (id int, k text, v int) PARTITION BY RANGE (id);
CREATE TABLE s.parts_1 PARTITION OF s.parts FOR VALUES FROM (0) TO (100) PARTITION BY LIST (k);
CREATE TABLE s.parts_1_a PARTITION OF s.parts_1 FOR VALUES IN ('a', 'ä', NULL);
CREATE TABLE s.parts_1_d PARTITION OF s.parts_1 DEFAULT;
CREATE TABLE s.parts_2 (v int, junk int, k text, id int); ALTER TABLE s.parts_2 DROP junk;
ALTER TABLE s.parts ATTACH PARTITION s.parts_2 FOR VALUES FROM (100) TO (MAXVALUE);
CREATE TABLE s.parts_default PARTITION OF s.parts DEFAULT;
INSERT INTO s.parts SELECT i, (ARRAY['a', 'b', 'ä', NULL])[1 + i % 4], i FROM generate_series(-10, 300) i;
CREATE INDEX parts_k ON s.parts (k); CREATE UNIQUE INDEX ON s.parts_2 (id);
ALTER TABLE s.parts_2 REPLICA IDENTITY FULL;
CREATE TABLE s.hashed (m s.mood, t text, i int) PARTITION BY HASH (m, t);
CREATE TABLE s.hashed_0 PARTITION OF s.hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE s.hashed_1 PARTITION OF s.hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1) PARTITION BY HASH (i);
CREATE TABLE s.hashed_1_0 PARTITION OF s.hashed_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE s.hashed_1_1 PARTITION OF s.hashed_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE s.hashed_2 PARTITION OF s.hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO s.hashed SELECT (enum_range(NULL::s.mood))[1 + i % 5], 't' || i, i FROM generate_series(1, 200) i;
CREATE TABLE s.parent (a int PRIMARY KEY, b text); CREATE TABLE s.child (c int) INHERITS (s.parent); CREATE TABLE s.grandchild (d int, CHECK (d > 0) NO INHERIT) INHERITS (s.child);
INSERT INTO s.parent VALUES (1, 'p'); INSERT INTO s.child VALUES (2, 'c', 3); INSERT INTO s.grandchild VALUES (3, 'g', 4, 5);
CREATE TABLE s.typed OF s.pair (a WITH OPTIONS PRIMARY KEY, b DEFAULT 'b'); INSERT INTO s.typed VALUES (1, 'x', 'sad');
CREATE UNLOGGED TABLE s.unlogged (a int); INSERT INTO s.unlogged SELECT generate_series(1, 100);
CREATE TABLE s.options (a int, b text COLLATE "C" DEFAULT ('d' || 1), c int) WITH (fillfactor = 50, autovacuum_enabled = off);
ALTER TABLE s.options ALTER a SET STATISTICS 500, ALTER b SET STORAGE MAIN, ALTER c SET (n_distinct = 5);
INSERT INTO s.options SELECT i, 'b', 1 FROM generate_series(1, 1000) i; CREATE INDEX options_a ON s.options (a) INCLUDE (b) WHERE a > 5; CREATE INDEX options_c ON s.options (c, lower(b) DESC NULLS LAST); ALTER TABLE s.options CLUSTER ON options_c;

--
-- Constraints
--
CREATE TABLE s.one (id int PRIMARY KEY, two int); CREATE TABLE s.two (id int PRIMARY KEY, one int REFERENCES s.one DEFERRABLE INITIALLY DEFERRED, me int REFERENCES s.two);
BEGIN; INSERT INTO s.one VALUES (1, 2), (2, 1); INSERT INTO s.two VALUES (1, 2, 2), (2, 1, 1); COMMIT;
ALTER TABLE s.one ADD FOREIGN KEY (two) REFERENCES s.two ON DELETE SET NULL;
CREATE TABLE s.not_valid (a int); INSERT INTO s.not_valid VALUES (-1); ALTER TABLE s.not_valid ADD CONSTRAINT plus CHECK (a > 0) NOT VALID;
ALTER TABLE s.not_valid ADD FOREIGN KEY (a) REFERENCES s.one NOT VALID;
CREATE TABLE s.excluded (r int4range, EXCLUDE USING gist (r WITH &&)); INSERT INTO s.excluded VALUES ('[1,3)'), ('[3,5)');
CREATE TABLE s.unique_nulls (a int NOT NULL, b int, c int, UNIQUE NULLS NOT DISTINCT (a, b) INCLUDE (c) DEFERRABLE); INSERT INTO s.unique_nulls VALUES (1, NULL, 1), (2, NULL, 2);
CREATE FUNCTION s.many(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN $1 <= (SELECT count(*) FROM s.one) + 100; END $$;
CREATE TABLE s.checked (a int CHECK (s.many(a)), CONSTRAINT "odd ""name"" ü" CHECK (a > 0)); INSERT INTO s.checked VALUES (50);

--
-- Views, rules, triggers, row security
--
CREATE VIEW s.view (x, y) AS SELECT a, b FROM s.parent WHERE a > 0 WITH CASCADED CHECK OPTION;
CREATE VIEW s.over WITH (security_barrier, security_invoker) AS SELECT * FROM s.view JOIN s.typed ON x = a;
CREATE VIEW s.numbers AS WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n FROM r;
ALTER VIEW s.view ALTER x SET DEFAULT 1; ALTER VIEW s.view OWNER TO keeper; GRANT SELECT (x), UPDATE (y) ON s.view TO reader;
CREATE MATERIALIZED VIEW s.filled AS SELECT a, b FROM s.generated; CREATE UNIQUE INDEX ON s.filled (a);
CREATE MATERIALIZED VIEW s.unfilled AS SELECT * FROM s.generated WITH NO DATA;
CREATE MATERIALIZED VIEW s.over_filled AS SELECT count(*) FROM s.filled; COMMENT ON MATERIALIZED VIEW s.filled IS 'filled';
CREATE VIEW s.circle_1 AS SELECT 1 AS n; CREATE VIEW s.circle_2 AS SELECT * FROM s.circle_1;
CREATE RULE log_it AS ON UPDATE TO s.options WHERE NEW.a <> OLD.a DO ALSO UPDATE s.one SET two = NULL WHERE id = NEW.a;
CREATE RULE no_delete AS ON DELETE TO s.options DO INSTEAD NOTHING; ALTER TABLE s.options DISABLE RULE no_delete;
CREATE FUNCTION s.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger fires during RESTORE'; END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF a ON s.options FOR EACH ROW WHEN (NEW.a > 0) EXECUTE FUNCTION s.touch('arg', 'it''s');
CREATE TRIGGER always AFTER INSERT ON s.parts FOR EACH ROW EXECUTE FUNCTION s.touch(); ALTER TABLE s.parts ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER statement AFTER INSERT ON s.generated REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION s.touch(); ALTER TABLE s.generated ENABLE REPLICA TRIGGER statement;
CREATE TRIGGER instead INSTEAD OF INSERT ON s.view FOR EACH ROW EXECUTE FUNCTION s.touch();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON s.serials DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION s.touch();
COMMENT ON TRIGGER always ON s.parts IS 'always';
CREATE TABLE s.secured (owner text, v int); INSERT INTO s.secured VALUES ('a', 1), ('b', 2);
CREATE POLICY mine ON s.secured AS RESTRICTIVE FOR SELECT TO reader USING (owner = current_user); CREATE POLICY "p ""q""" ON s.secured FOR INSERT WITH CHECK (v > 0);
ALTER TABLE s.secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO keeper;
CREATE TABLE s.secured_off (a int); CREATE POLICY all_of_it ON s.secured_off USING (true);

--
-- Functions, operators, casts, aggregates, languages, text search, collations, conversions, access methods, transforms
--
CREATE FUNCTION s.overloaded(int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5 AS 'SELECT $1'; CREATE FUNCTION s.overloaded(text, VARIADIC int[] DEFAULT '{1,2}') RETURNS int LANGUAGE sql STABLE LEAKPROOF AS 'SELECT 1';
CREATE FUNCTION s.standard(a int, OUT b int, OUT c text) LANGUAGE sql BEGIN ATOMIC SELECT a + 1 AS b, 'c'::text AS c; END;
CREATE FUNCTION s.rows() RETURNS TABLE (x int, y s.mood) LANGUAGE sql SECURITY DEFINER SET search_path = s, pg_temp SET work_mem = '1MB' ROWS 5 AS 'SELECT 1, ''sad''::s.mood';
CREATE FUNCTION s.quoted() RETURNS text LANGUAGE sql AS $f$ SELECT $$it's; \. \N ü$$; -- -- $f$;
CREATE PROCEDURE s.procedure(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; COMMIT; END $$;
ALTER FUNCTION s.rows() OWNER TO keeper; REVOKE ALL ON FUNCTION s.rows() FROM PUBLIC; GRANT EXECUTE ON FUNCTION s.rows() TO reader WITH GRANT OPTION; COMMENT ON FUNCTION s.overloaded(int) IS 'ü';
CREATE AGGREGATE s.product(float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1', PARALLEL = SAFE, COMBINEFUNC = float8mul);
CREATE AGGREGATE s.middle(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE OPERATOR s.<+> (FUNCTION = s.distance, LEFTARG = float8, RIGHTARG = float8, COMMUTATOR = OPERATOR(s.<+>));
CREATE OPERATOR FAMILY s.family USING btree;
CREATE OPERATOR CLASS s.int_class FOR TYPE int4 USING btree FAMILY s.family AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
CREATE INDEX by_class ON s.options (c s.int_class);
CREATE FUNCTION s.to_text(s.pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.b'; CREATE CAST (s.pair AS text) WITH FUNCTION s.to_text(s.pair) AS ASSIGNMENT; CREATE CAST (s.base AS int4) WITHOUT FUNCTION;
CREATE FUNCTION s.mine_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'; CREATE TRUSTED LANGUAGE mine HANDLER s.mine_handler; COMMENT ON LANGUAGE mine IS 'mine';
CREATE COLLATION s.german (provider = icu, locale = 'de-u-co-phonebk'); CREATE COLLATION s.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE s.collated (g text COLLATE s.german PRIMARY KEY, b text COLLATE s.blind UNIQUE); INSERT INTO s.collated VALUES ('ä', 'A'), ('z', 'b');
CREATE CONVERSION s.conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY s.dictionary (TEMPLATE = simple, stopwords = 'english'); CREATE TEXT SEARCH CONFIGURATION s.config (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION s.config ALTER MAPPING FOR asciiword, word WITH s.dictionary; CREATE TEXT SEARCH PARSER s.parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE s.template (LEXIZE = dsimple_lexize);
CREATE TABLE s.searched (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('s.config', t)) STORED); INSERT INTO s.searched (t) VALUES ('the quick fox'); CREATE INDEX ON s.searched USING gin (v);
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE s.on_other_method (a int) USING heap_too; INSERT INTO s.on_other_method SELECT generate_series(1, 10);
CREATE STATISTICS s.stats (ndistinct, mcv) ON a, c FROM s.options; CREATE STATISTICS s.expression ON (lower(b)) FROM s.options; ALTER STATISTICS s.stats SET STATISTICS 50;
CREATE FUNCTION s.from_base(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'byteasend'; CREATE FUNCTION s.to_base(internal) RETURNS s.base LANGUAGE internal IMMUTABLE AS 'int4in';
CREATE TRANSFORM FOR s.base LANGUAGE sql (TO SQL WITH FUNCTION s.to_base(internal));

--
-- Foreign data, publications, subscriptions, event triggers, large objects, extensions
--
CREATE FOREIGN DATA WRAPPER nowhere OPTIONS (debug 'true'); CREATE SERVER "Server ""x""" TYPE 't' VERSION '1' FOREIGN DATA WRAPPER nowhere OPTIONS (host 'h''h');
CREATE USER MAPPING FOR reader SERVER "Server ""x""" OPTIONS (password 'p'); CREATE USER MAPPING FOR PUBLIC SERVER "Server ""x""";
CREATE FOREIGN TABLE s.foreign (a int OPTIONS (column_name 'b') NOT NULL, b text) SERVER "Server ""x""" OPTIONS (table_name 't'); GRANT USAGE ON FOREIGN SERVER "Server ""x""" TO reader; ALTER SERVER "Server ""x""" OWNER TO keeper;
CREATE FOREIGN TABLE s.foreign_child (c int) INHERITS (s.parent) SERVER "Server ""x""";
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, update', publish_via_partition_root);
CREATE PUBLICATION some_of_it FOR TABLE s.one (id) WHERE (id > 1), s.parts; CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA empty;
CREATE SUBSCRIPTION subscribed CONNECTION 'host=nowhere.invalid' PUBLICATION p WITH (connect = false, slot_name = NONE);
CREATE FUNCTION s.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF current_setting('s.quiet', true) IS NULL THEN RAISE EXCEPTION 'an event trigger fires during RESTORE'; END IF; END $$;
SELECT lo_from_bytea(100000, decode(repeat('00ff', 100000), 'hex')), lo_from_bytea(100001, ''), lo_from_bytea(4000000000, 'x'), lo_create(100002);
COMMENT ON LARGE OBJECT 100000 IS 'large'; ALTER LARGE OBJECT 100000 OWNER TO keeper; GRANT SELECT ON LARGE OBJECT 100001 TO reader, PUBLIC;
CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION btree_gist SCHEMA ext; COMMENT ON EXTENSION hstore IS 'changed'; GRANT EXECUTE ON FUNCTION ext.akeys(ext.hstore) TO reader;
CREATE TABLE s.extended (h ext.hstore, c ext.citext UNIQUE, i int4range, EXCLUDE USING gist (c WITH =, i WITH &&)); INSERT INTO s.extended VALUES ('a=>1, "b c"=>NULL', 'CaSe', '[1,2]');

SELECT link.create_link('public.bucket', 'S3', '{"aws_access_key_id":"AKIDINBACKUP","aws_secret_access_key":"secret in backup"}', '{"region":"us-east-1"}', description => 'it''s Ü');
SELECT link.create_link('s.anonymous', 'S3', '{"creds_mode":"anonymous"}'); SELECT link.drop_link('s.anonymous'); SELECT link.create_link('s.second', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.set_link_owner('s.second', 'keeper'); SELECT link.grant_privilege('USE', 's.*', 'reader', true); SELECT link.grant_privilege('READ', 'LINK public.bucket', '"odd ""role"", - Üx"'); SELECT link.grant_privilege('VIEW', '*.*', 'public');
SELECT link.create_pipeline('Piped', 'public.bucket', 'b/*.csv', 's.no_rows', '{a}', format => 'csv', "where" => 'a > 0', force => true); SELECT link.set_pipeline_offsets('Piped', '{"b/seen.csv": 1}');
INSERT INTO link.pipeline_error (pipeline_id, kind, sqlstate, message, raw, occurred_at) SELECT id, 'Row', '22P02', 'bad', 'raw bytes', now() FROM link.pipeline WHERE name = 'Piped';

--
-- Rights and comments
--
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO reader; ALTER DEFAULT PRIVILEGES FOR ROLE keeper REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; ALTER DEFAULT PRIVILEGES FOR ROLE keeper IN SCHEMA empty GRANT USAGE ON SEQUENCES TO "odd ""role"", - Üx" WITH GRANT OPTION;
GRANT SELECT, INSERT ON s.parent TO keeper WITH GRANT OPTION; SET ROLE keeper; GRANT SELECT ON s.parent TO reader; RESET ROLE; GRANT SELECT (b), UPDATE (b) ON s.parent TO PUBLIC; REVOKE TRUNCATE ON s.parent FROM CURRENT_USER;
REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON LANGUAGE mine TO reader;
COMMENT ON TABLE s.parent IS E'a\nb'; COMMENT ON COLUMN s.parent.b IS 'column'; COMMENT ON CONSTRAINT parent_pkey ON s.parent IS 'key'; COMMENT ON INDEX s.options_a IS 'index'; COMMENT ON RULE log_it ON s.options IS 'rule'; COMMENT ON POLICY mine ON s.secured IS 'policy'; COMMENT ON PUBLICATION some_of_it IS 'publication'; COMMENT ON STATISTICS s.stats IS 'statistics';
\if :v17
CREATE COLLATION s.built_in (provider = builtin, locale = 'C.UTF-8');
\endif
\if :v18
CREATE TABLE s.virtual (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, CONSTRAINT n NOT NULL a NOT VALID); INSERT INTO s.virtual (a) VALUES (1);
CREATE TABLE s.not_enforced (a int REFERENCES s.one NOT ENFORCED, CHECK (a > 0) NOT ENFORCED); INSERT INTO s.not_enforced VALUES (-5);
\endif

-- last, since they fire
CREATE EVENT TRIGGER on_start ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'CREATE PROCEDURE', 'ALTER TABLE') EXECUTE FUNCTION s.on_ddl(); ALTER EVENT TRIGGER on_start ENABLE ALWAYS;
CREATE EVENT TRIGGER on_end ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE PROCEDURE') EXECUTE FUNCTION s.on_ddl(); COMMENT ON EVENT TRIGGER on_end IS 'end';
