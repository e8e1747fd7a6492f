-- Pipelines as objects: making, altering, showing, dropping, and what they follow.
-- What is started is rolled back, but for one that runs in the foreground.
SET client_min_messages = error;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_pipeline && mkdir -p /tmp/link_regress_pipeline/root/in && cd /tmp/link_regress_pipeline/root/in && printf "1,one\n2,two\n" > a.csv && printf "3,three\n" > b.csv && printf "{\"k\":{\"id\":7,\"a b\":\"deep\"}}\n" > c.json && cat > /dev/null';
CREATE ROLE regress_link_loader LOGIN NOINHERIT;
CREATE ROLE regress_link_heir;
CREATE ROLE regress_link_other;
GRANT regress_link_heir TO regress_link_loader;
CREATE SCHEMA pipe AUTHORIZATION regress_link_loader;
GRANT USAGE ON SCHEMA pipe TO PUBLIC;
SELECT link.create_link('pipe.files', 'FS', config => '{"root":"/tmp/link_regress_pipeline/root"}');
SELECT link.create_link('pipe.far', 'S3', '{"creds_mode":"anonymous"}', '{"endpoint_url":"http://127.0.0.1:9"}');
SELECT link.create_link('pipe.topic', 'KAFKA', config => '{"bootstrap.servers":"nowhere.invalid:9092"}');
SELECT link.grant_privilege('READ', 'pipe.*', 'regress_link_loader');
SELECT quote_ident(current_user) AS me, current_user AS me_raw \gset
RESET client_min_messages;
SET ROLE regress_link_loader;
SET search_path = pipe, public;
CREATE TABLE t (id int PRIMARY KEY, name text, file text, seen timestamptz DEFAULT now(), twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE PROCEDURE take(batch regclass) LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE take_none() LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE take_int(i int) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION no_procedure(batch regclass) RETURNS int LANGUAGE sql AS 'SELECT 1';

-- Making one, by name, once a database.
SELECT link.create_pipeline('First', 'files', 'in/*.csv', 't', '{id,name}', format => 'csv');
SELECT link.create_pipeline('FIRST', 'files', 'in/*.csv', 't');
SELECT link.create_pipeline('first', 'files', 'in/*.csv', 't', if_not_exists => true);
SELECT link.create_pipeline('first', 'files', 'in/*.csv', 't', if_not_exists => true, or_replace => true);
SELECT link.create_pipeline('a.b', 'files', 'in/*.csv', 't');
SELECT link.create_pipeline('"a.b"', 'files', 'in/*.csv', 't');
SELECT link.create_pipeline(repeat('x', 64), 'files', 'in/*.csv', 't');
SELECT link.create_pipeline(E'new\nline', 'files', 'in/*.csv', 't');
SELECT link.create_pipeline(NULL, 'files', 'in/*.csv', 't');
SELECT link.create_pipeline('x', 'nowhere', 'in/*.csv', 't');
SELECT pipeline, owner, link, path, target, state, error, pending_files, lag, batch_interval, max_partitions,
	max_retries, max_offsets, skip_errors, stop_on_error, altered_at >= created_at AS times FROM link.pipelines ORDER BY pipeline COLLATE "C";
SELECT link.show_create_pipeline('FIRST');

-- Whether it can be reached is tried, unless that is not wanted.
SELECT link.create_pipeline('x', 'far', 'bucket/key', 't');
SELECT link.create_pipeline('Far', 'far', 'bucket/key', 't', force => true);
SELECT link.create_pipeline('topic', 'topic', 'messages', 't', '{id,name}', force => true);

-- Targets.
SELECT link.create_pipeline('x', 'files', 'in/*.csv');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', procedure => 'take(regclass)');
CREATE VIEW v AS SELECT * FROM t;
CREATE TEMP TABLE temporary (id int);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE TABLE forced (id int);
ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'v');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'temporary');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'unlogged');
SELECT link.drop_pipeline('x');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'forced');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'pg_catalog.pg_class');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', procedure => 'take(regclass)');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', procedure => 'take_int(int)', fields => '{id}');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', procedure => 'no_procedure(regclass)', fields => '{id}');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', procedure => 'take(regclass)', fields => '{id}', on_conflict => 'DO NOTHING');
SELECT link.create_pipeline('called', 'files', 'in/*.csv', procedure => 'take(regclass)', fields => '{id,@x}', format => 'csv',
	"set" => 'id = @x || id, more = pipeline_source_file()', "where" => 'id <> @x');
SELECT link.create_pipeline('called_none', 'files', 'in/*.csv', procedure => 'take_none()', fields => '{id}', format => 'csv');
SELECT pipeline, target FROM link.pipelines WHERE pipeline LIKE 'called%' ORDER BY 1;

-- Rights: READ on the link, INSERT on the target, SET ROLE to its owner; no superuser's session for others' code.
RESET ROLE;
CREATE TABLE theirs (id int, name text);
GRANT SELECT ON theirs TO regress_link_loader;
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id,name}', format => 'csv');
SELECT link.create_pipeline('supers', 'files', 'in/*.csv', 'theirs', '{id,name}', format => 'csv');
\set VERBOSITY terse
SET ROLE regress_link_loader;
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'theirs', '{id}', format => 'csv');
RESET ROLE;
GRANT INSERT ON theirs TO regress_link_loader;
SET ROLE regress_link_loader;
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'theirs', '{id}', format => 'csv');
RESET ROLE;
\set VERBOSITY default
ALTER TABLE theirs OWNER TO regress_link_heir;
REVOKE ALL ON theirs FROM regress_link_loader;
SET ROLE regress_link_loader;
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'theirs', '{id}', format => 'csv');
RESET ROLE;
GRANT INSERT (id) ON theirs TO regress_link_loader;
SET ROLE regress_link_loader;
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'theirs', '{id,name}', format => 'csv');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 'theirs', '{id,@n}', format => 'csv', "set" => 'name = @n');
SELECT link.create_pipeline('columns', 'files', 'in/*.csv', 'theirs', '{id}', format => 'csv');
SET ROLE regress_link_other;
SELECT link.create_pipeline('x', 'pipe.files', 'in/*.csv', 'pipe.t', '{id,name}', format => 'csv');
SELECT link.create_pipeline('x', 'pipe.nowhere', 'in/*.csv', 'pipe.t', '{id,name}', format => 'csv');

-- What is another's: not to be seen, nor to be changed.
SELECT count(*) FROM link.pipelines;
SELECT count(*) FROM link.show_pipelines();
SELECT link.alter_pipeline('first', batch_interval => 1);
SELECT link.rename_pipeline('first', 'other');
SELECT link.set_pipeline_owner('first', 'regress_link_other');
SELECT link.start_pipeline('first');
SELECT link.start_pipeline('first', foreground => true);
SELECT link.stop_pipeline('first');
SELECT link.test_pipeline('first');
SELECT link.show_create_pipeline('first');
SELECT link.set_pipeline_offsets('first', 'EARLIEST');
SELECT link.drop_pipeline_file('first', 'in/a.csv');
SELECT link.drop_pipeline_partition('first', 0);
SELECT link.drop_orphan_files('first');
SELECT link.clear_pipeline_errors('first');
SELECT link.drop_pipeline('first');
SELECT link.create_pipeline('first', 'pipe.files', 'in/*.csv', 'pipe.t', or_replace => true);
SELECT link.start_pipeline('nowhere');
SELECT link.drop_pipeline('nowhere', if_exists => true);
SELECT link.start_all_pipelines();
RESET ROLE;
SELECT pipeline, state FROM link.show_pipelines() WHERE scheduled;
SET ROLE regress_link_loader;

-- Options are COPY's, without those that are a clause of a pipeline.
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', format => 'cvs');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', format => 'csv', delimiter => 'ab');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', batch_interval => -1);
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', batch_interval => 86400001);
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', max_retries => -1);
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', skip_errors => '{PARSE}');
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t WITH ("where" = 'true')$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t WITH (on_error = 'ignore')$$);

-- Fields.
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id,id}');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{nix}');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{twice}');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{ctid}');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{"id <- k"}', format => 'csv');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{"id <-"}', format => 'json');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{"id name"}', format => 'json');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{"\"@id\""}', format => 'json');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{@}', format => 'json');
SELECT link.create_pipeline('deep', 'files', 'in/*.json', 't', '{"ID <- k::id", "@N<-k::`a b`", file}', format => 'json', "set" => 'name = upper(@n)');
SELECT link.show_create_pipeline('deep');

-- SET, WHERE, ON CONFLICT: each exactly one, and what is wrong is found now.
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => '');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = ');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = 1; DROP TABLE t');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = ''x'' WHERE true');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = ''x'' FROM pg_authid');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = ''x'' RETURNING id');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = ''x'', name = ''y''');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => '(name, file) = (SELECT ''x'', ''y'')');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'nix = 1');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'twice = 1');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'seen = 1');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = @nix');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = DEFAULT');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "where" => '');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "where" => 'id');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "where" => 'true; DELETE FROM t');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "where" => 'true UNION SELECT true');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "where" => 'count(*) > 0');
\set VERBOSITY terse
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "where" => 'name > ''''');
\set VERBOSITY default
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', on_conflict => '');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', on_conflict => 'DO NOTHING RETURNING id');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', on_conflict => 'DO NOTHING; DROP TABLE t');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', on_conflict => '(name) DO NOTHING');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', on_conflict => '(id) DO UPDATE SET nix = 1');
SELECT link.create_pipeline('x', 'files', 'in/*.csv', 't', '{id}', "set" => 'name = ''a''', "where" => 'id > nix', on_conflict => 'DO NOTHING');
SELECT link.create_pipeline('full', 'files', 'in/*.csv', 't', '{id,@n}', format => 'csv',
	"set" => $$name = 'at @n: '||@n || @ '-1'::float8, file = pipeline_source_file() -- and so on$$, "where" => '@n<>''@'' AND id=@n::int OR pipeline_kafka_offset ( ) > 0',
	on_conflict => '(id) DO UPDATE SET name = excluded.name WHERE t.id <> 0', skip_errors => '{PARSER,DUPLICATE KEY}', stop_on_error => false,
	batch_interval => 50, max_partitions => 3, max_retries => 0, max_offsets => 9000000000, force_null => '{id,@n}');
SELECT link.create_pipeline('full', 'files', 'in/*.csv', 't', '{id,@n}', format => 'csv',
	"set" => $$name = 'at @n: '||@n || @ '-1'::float8, file = pipeline_source_file() -- and so on$$, "where" => '@n<>''@'' AND id=@n::int OR pipeline_kafka_offset ( ) > 0',
	on_conflict => '(id) DO UPDATE SET name = excluded.name WHERE t.id <> 0', skip_errors => '{PARSER,DUPLICATE KEY}', stop_on_error => false,
	batch_interval => 50, max_partitions => 3, max_retries => 0, max_offsets => 9000000000, delimiter => E'\t', "null" => 'it''s', escape => '\', quote => '"');

SELECT link.create_pipeline('operators', 'files', 'in/*.csv', 't', '{id,@array}', "where" => 'ARRAY[id] <@ARRAY[1,2] AND ''[1,2]''::int4range @>id AND @array>@array');

-- What SHOW CREATE gives makes the same again.
RESET ROLE;
SELECT max(id) AS last_id FROM link.pipeline \gset
CREATE TEMP TABLE before AS SELECT name, owner, link_id, path, target_table::oid, target_procedure, options, fields, set_clause, where_clause, on_conflict,
	search_path, batch_interval, max_partitions, max_retries, max_offsets, skip_errors, stop_on_error FROM link.pipeline;
GRANT SELECT ON before TO regress_link_loader;
SET ROLE regress_link_loader;
DO $$
DECLARE
	p record;
	statement text;
BEGIN
	FOR p IN SELECT pipeline, link FROM link.pipelines LOOP
		statement := link.show_create_pipeline(quote_ident(p.pipeline));
		IF p.link <> 'pipe.files' THEN
			statement := regexp_replace(statement, ' AS LOAD', ' FORCE AS LOAD');
		END IF;
		PERFORM link.drop_pipeline(quote_ident(p.pipeline));
		PERFORM * FROM link.execute(statement);
	END LOOP;
END $$;
RESET ROLE;
SELECT count(*) AS pipelines, count(*) FILTER (WHERE id > :last_id) AS again FROM link.pipeline;
(TABLE before EXCEPT SELECT name, owner, link_id, path, target_table::oid, target_procedure, options, fields, set_clause, where_clause, on_conflict,
	search_path, batch_interval, max_partitions, max_retries, max_offsets, skip_errors, stop_on_error FROM link.pipeline);
SET ROLE regress_link_loader;

-- Changing.
SELECT link.alter_pipeline('first');
SELECT link.alter_pipeline('first', batch_interval => 100, skip_errors => '{ALL}', stop_on_error => false, max_partitions => 1, max_retries => 2, max_offsets => 3);
SELECT batch_interval, max_partitions, max_retries, max_offsets, skip_errors, stop_on_error FROM link.pipelines WHERE pipeline = 'First';
SELECT link.rename_pipeline('first', 'full');
SELECT link.rename_pipeline('first', 'FIRST');
SELECT link.rename_pipeline('first', 'Second');
SELECT link.rename_pipeline('second', 'First');
BEGIN READ ONLY;
SELECT link.alter_pipeline('first', batch_interval => 1);
ROLLBACK;
BEGIN READ ONLY;
SELECT link.start_pipeline('first');
ROLLBACK;

-- Running and not, within a transaction that nobody sees.
BEGIN;
SELECT link.start_pipeline('first');
SELECT * FROM link.show_pipelines() WHERE pipeline = 'First';
SELECT link.start_pipeline('first', if_not_running => true);
SAVEPOINT s;
SELECT link.start_pipeline('first');
ROLLBACK TO s;
SELECT link.start_pipeline('first', foreground => true);
ROLLBACK TO s;
SELECT link.set_pipeline_offsets('first', 'EARLIEST');
ROLLBACK TO s;
SELECT link.stop_pipeline('first');
SELECT state FROM link.pipelines WHERE pipeline = 'First';
SELECT link.stop_pipeline('first', if_running => true);
SELECT link.stop_pipeline('first');
ROLLBACK;
-- one that ran elsewhere
RESET ROLE;
UPDATE link.pipeline SET state = 'Running' WHERE name = 'First';
SELECT state FROM link.pipelines WHERE pipeline = 'First';
-- rights are asked when it is started
SELECT link.revoke_privilege('READ', 'pipe.*', 'regress_link_loader');
SET ROLE regress_link_loader;
SELECT link.start_pipeline('first');
RESET ROLE;
SELECT link.grant_privilege('READ', 'pipe.*', 'regress_link_loader');
SET ROLE regress_link_loader;

-- Positions.
SELECT link.set_pipeline_offsets('first', 'LATEST');
SELECT pipeline, path, state, attempts, batch_id FROM link.pipeline_files ORDER BY 1, 2;
SELECT link.set_pipeline_offsets('first', '{"in/a.csv": 0, "in/gone.csv": 1}');
SELECT pipeline, path, state FROM link.pipeline_files ORDER BY 1, 2;
SELECT link.drop_orphan_files('first');
SELECT link.drop_pipeline_file('first', 'in/b.csv');
SELECT link.drop_pipeline_file('first', 'in/b.csv');
SELECT count(*) FROM link.pipeline_files;
SELECT link.set_pipeline_offsets('first', 'latest');
SELECT link.set_pipeline_offsets('first', 'earliest');
SELECT count(*) FROM link.pipeline_files;
SELECT link.set_pipeline_offsets('first', 'newest');
SELECT link.set_pipeline_offsets('first', '[1]');
SELECT link.set_pipeline_offsets('first', '{"in/a.csv": 2}');
SELECT link.set_pipeline_offsets('first', '{"in/a.csv": "1"}');
SELECT link.set_pipeline_offsets('first', '{"in/a.csv": {"x": 1}}');
SELECT link.set_pipeline_offsets('topic', '{"0": 5, "12": 9000000000}');
SELECT link.set_pipeline_offsets('topic', '{"0": 7}');
SELECT link.set_pipeline_offsets('topic', '{"x": 7}');
SELECT link.set_pipeline_offsets('topic', '{"0": -1}');
SELECT link.set_pipeline_offsets('topic', '{"4294967296": 1}');
SELECT link.drop_orphan_files('topic');
SELECT * FROM link.pipeline_cursors ORDER BY 1, 2;
SELECT link.drop_pipeline_partition('topic', 12);
SELECT partition, next_offset FROM link.pipeline_cursors;
SELECT pipeline, pending_files, lag FROM link.pipelines WHERE pipeline IN ('topic', 'First') ORDER BY 1;

-- It loads, with what was changed.
SELECT link.set_pipeline_offsets('first', '{"in/b.csv": 1}');
SELECT link.start_pipeline('first', foreground => true);
SELECT id, name FROM t ORDER BY id;
SELECT path, state FROM link.pipeline_files WHERE pipeline = 'First' ORDER BY 1;
SELECT pipeline, state, partitions, rows FROM link.pipeline_batches WHERE pipeline = 'First';

-- OR REPLACE keeps owner and positions, unless they are of another source.
RESET ROLE;
SELECT link.create_pipeline('first', 'pipe.files', 'in/*.csv', 'pipe.t', '{id,name}', format => 'csv', batch_interval => 7, or_replace => true);
SELECT owner, batch_interval, max_retries, skip_errors, (SELECT count(*) FROM link.pipeline_files f WHERE f.pipeline = p.pipeline) AS files
	FROM link.pipelines p WHERE pipeline = 'First';
SELECT link.create_pipeline('first', 'pipe.far', 'in/*.csv', 'pipe.t', '{id,name}', format => 'csv', or_replace => true, force => true);
SELECT count(*) FROM link.pipeline_files;
SELECT link.create_pipeline('first', 'pipe.files', 'in/*.csv', 'pipe.t', '{id,name}', format => 'csv', or_replace => true);
SELECT link.create_link('pipe.files', 'FS', config => '{"root":"/tmp/link_regress_pipeline/root"}', description => 'again', or_replace => true);
SELECT count(*) FROM link.pipelines WHERE link = 'pipe.files';

-- Rows that could not be loaded: what they held is the owner's to see.
INSERT INTO link.pipeline_error (pipeline_id, kind, sqlstate, message, source, position, raw, occurred_at)
	SELECT id, 'Row', '22P02', 'bad', 'in/a.csv', 2, 'raw text', now() FROM link.pipeline WHERE name = 'First';
SELECT pipeline, kind, sqlstate, message, source, position, raw FROM link.pipeline_errors;
SET ROLE regress_link_loader;
SELECT pipeline, raw FROM link.pipeline_errors;
SET ROLE regress_link_other;
SELECT count(*) FROM link.pipeline_errors;
SELECT count(*) FROM link.pipeline_error;
RESET ROLE;
SELECT link.clear_pipeline_errors('first');
SELECT count(*) FROM link.pipeline_errors;
INSERT INTO link.pipeline_error (pipeline_id, kind, sqlstate, message, occurred_at) SELECT id, 'Load', '22P02', 'bad', now() FROM link.pipeline WHERE name = 'full';

-- The tables are written by the extension alone, whatever has been granted on them.
GRANT ALL ON link.pipeline, link.pipeline_file, link.pipeline_cursor, link.pipeline_batch, link.pipeline_error TO regress_link_other;
SET ROLE regress_link_other;
UPDATE link.pipeline SET owner = 'regress_link_other', state = 'Running';
DELETE FROM link.pipeline_file;
UPDATE link.pipeline_cursor SET next_offset = 0;
INSERT INTO link.pipeline_batch (pipeline_id, state, partitions, rows, bytes, started_at, duration_ms) VALUES (1, 'Succeeded', 1, 1, 1, now(), 1);
UPDATE link.pipeline_error SET raw = '';
TRUNCATE link.pipeline, link.pipeline_file;
RESET ROLE;
TRUNCATE link.pipeline;
REVOKE ALL ON link.pipeline, link.pipeline_file, link.pipeline_cursor, link.pipeline_batch, link.pipeline_error FROM regress_link_other;
INSERT INTO link.pipeline (name, folded_name, owner, link_id, path, options, search_path, batch_interval, max_partitions, max_retries, max_offsets,
	skip_errors, stop_on_error, state, system_identifier, database, created_at, altered_at)
	SELECT 'Odd', 'other', 'regress_link_other', 1, 'x', '{}', '', 1, 1, 1, 1, '{}', true, 'Running', 1, 1, now(), now();

-- What they follow.  Links:
SELECT link.drop_link('pipe.topic');
SELECT link.drop_link('pipe.topic', cascade => true);
SELECT * FROM link.execute('DROP LINK pipe.far CASCADE');
-- targets:
DROP PROCEDURE pipe.take_none();
DROP PROCEDURE pipe.take(regclass) CASCADE;
ALTER TABLE pipe.theirs RENAME TO others;
SELECT pipeline, target FROM link.pipelines WHERE target LIKE '%others' ORDER BY 1;
DROP TABLE pipe.others;
DROP TABLE pipe.others CASCADE;
-- roles:
SELECT pipeline, owner FROM link.pipelines ORDER BY pipeline COLLATE "C";
SELECT link.set_pipeline_owner('first', 'regress_link_other');
SELECT link.set_pipeline_owner('first', :'me_raw'::regrole);
SELECT link.grant_privilege('READ', 'pipe.*', 'regress_link_heir');
GRANT regress_link_loader TO regress_link_other;
SELECT link.set_pipeline_owner('deep', 'regress_link_other');
SELECT link.set_pipeline_owner('full', 'regress_link_other');
SELECT link.set_pipeline_owner('full', 'regress_link_loader');
\set VERBOSITY terse
DROP ROLE regress_link_other;
\set VERBOSITY default
SELECT count(*) AS anchored FROM pg_shdepend WHERE objid = 'link.role_anchor'::regclass AND refobjid = 'regress_link_other'::regrole AND deptype = 'a';
SELECT link.reassign_owned('regress_link_other', 'regress_link_heir');
SELECT count(*) AS anchored FROM pg_shdepend WHERE objid = 'link.role_anchor'::regclass AND refobjid = 'regress_link_other'::regrole AND deptype = 'a';
SELECT pipeline, owner FROM link.pipelines ORDER BY pipeline COLLATE "C";
DROP OWNED BY regress_link_heir;
SELECT pipeline, owner FROM link.pipelines ORDER BY pipeline COLLATE "C";

-- Statements.
SET ROLE regress_link_loader;
SET search_path = pipe;
SELECT * FROM link.execute($$CREATE PIPELINE IF NOT EXISTS Orders AS LOAD DATA LINK files 'in/*.csv' BATCH_INTERVAL 20
	MAX_PARTITIONS_PER_BATCH 2 MAX_RETRIES_PER_BATCH_PARTITION 1 MAX_OFFSETS_PER_BATCH_PARTITION 5 SKIP CONSTRAINT ERRORS SKIP DUPLICATE KEY ERRORS STOP_ON_ERROR OFF
	INTO TABLE t FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' IGNORE 0 LINES (id, @n)
	SET name = upper(@n) || ' WHERE; ON', file = pipeline_source_file() WHERE id > (SELECT 0 WHERE true) AND @n <> ';' ON CONFLICT (id) DO UPDATE SET name = excluded.name;$$);
SELECT * FROM link.execute('SHOW CREATE PIPELINE orders');
SELECT * FROM link.execute($$CREATE OR REPLACE PIPELINE orders FORCE AS LOAD DATA LINK pipe.files 'in/*.json' SKIP ALL ERRORS INTO TABLE pipe.t FORMAT JSON (id <- k::id, name <- "k"::`a b`)$$);
SELECT * FROM link.execute('SHOW CREATE PIPELINE orders');
SELECT * FROM link.execute('TEST PIPELINE orders');
SELECT * FROM link.execute('TEST PIPELINE orders LIMIT 0');
SELECT * FROM link.execute('START PIPELINE orders FOREGROUND LIMIT 1 BATCHES');
SELECT * FROM link.execute('START PIPELINE orders FOREGROUND');
SELECT id, name FROM t WHERE id = 7;
SELECT * FROM link.execute('ALTER PIPELINE orders SET BATCH_INTERVAL 5 MAX_PARTITIONS_PER_BATCH 1 STOP_ON_ERROR OFF');
SELECT * FROM link.execute('ALTER PIPELINE orders SKIP PARSER ERRORS');
SELECT * FROM link.execute('ALTER PIPELINE orders SET BATCH_INTERVAL 5 BATCH_INTERVAL 6');
SELECT * FROM link.execute('ALTER PIPELINE orders SET BATCH_INTERVAL 99999999999999999999');
SELECT * FROM link.execute($$ALTER PIPELINE orders SET OFFSETS '{"in/x": 1}'$$);
SELECT * FROM link.execute($$ALTER PIPELINE orders DROP FILE 'in/x'$$);
SELECT * FROM link.execute('ALTER PIPELINE orders SET OFFSETS LATEST');
SELECT * FROM link.execute('ALTER PIPELINE orders DROP ORPHAN FILES');
SELECT * FROM link.execute($$ALTER PIPELINE orders DROP PARTITION '0'$$);
SELECT * FROM link.execute($$ALTER PIPELINE orders DROP PARTITION 'x'$$);
SELECT * FROM link.execute('ALTER PIPELINE orders CLEAR ERRORS');
SELECT * FROM link.execute('ALTER PIPELINE orders RENAME TO `The Orders`');
SELECT * FROM link.execute('ALTER PIPELINE `the orders` OWNER TO regress_link_loader');
BEGIN;
SELECT * FROM link.execute('START PIPELINE "The Orders"');
SELECT * FROM link.execute('START PIPELINE IF NOT RUNNING "The Orders"');
SELECT * FROM link.execute('START ALL PIPELINES');
SELECT state, scheduled FROM link.show_pipelines();
SELECT * FROM link.execute('STOP PIPELINE "The Orders"');
SELECT * FROM link.execute('STOP PIPELINE IF RUNNING "The Orders"');
SELECT * FROM link.execute('STOP ALL PIPELINES');
ROLLBACK;
SELECT * FROM link.execute('DROP PIPELINE IF EXISTS nowhere');
SELECT * FROM link.execute('DROP PIPELINE `The Orders`');
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO PROCEDURE nowhere (id)$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t (id) (name)$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t (id) SET$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t (id) SET WHERE true$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t (id) WHERE id > 0; DROP TABLE t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t (id) ON DUPLICATE KEY UPDATE id = 1$$);
SELECT * FROM link.execute($$CREATE OR REPLACE PIPELINE IF NOT EXISTS x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' STOP_ON_EROR ON INTO TABLE t$$);
-- each names its place
SELECT * FROM link.execute($$CREATE PIPELINE x$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA S3 'in/*.csv' CONFIG '{}' INTO TABLE t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' BATCH_INTERVAL = 1 INTO TABLE t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' BATCH_INTERVAL 1 BATCH_INTERVAL 1 INTO TABLE t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' SKIP PARSER ERROR INTO TABLE t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' STOP_ON_ERROR MAYBE INTO TABLE t$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO PROCEDURE take(regclass) FORMAT CSV (id)$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV (id, nme)$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV (id, @n) SET name = upperr(@n)$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV (id, @n) WHERE id >$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV (id, @n) WHERE @m > 0$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV (id, @n) ON CONFLICT (name) DO NOTHING$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV WITH (force_null = (nme))$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV WITH (force_not_null = (name)) (id, @n)$$);
SELECT * FROM link.execute($$CREATE PIPELINE x AS LOAD DATA LINK files 'in/*.csv' INTO TABLE t FORMAT CSV WITH (force_null = (id), force_not_null = ("@n")) (id, @n)$$);
-- each option alone
SELECT * FROM link.execute('ALTER PIPELINE x SET BATCH_INTERVAL 100');
SELECT * FROM link.execute('ALTER PIPELINE x SET MAX_PARTITIONS_PER_BATCH 2');
SELECT * FROM link.execute('ALTER PIPELINE x SET MAX_RETRIES_PER_BATCH_PARTITION 3');
SELECT * FROM link.execute('ALTER PIPELINE x SET MAX_OFFSETS_PER_BATCH_PARTITION 5');
SELECT * FROM link.execute('ALTER PIPELINE x SET STOP_ON_ERROR OFF');
SELECT * FROM link.execute('ALTER PIPELINE x SET SKIP CONSTRAINT ERRORS');
SELECT * FROM link.execute('SHOW CREATE PIPELINE x');
SELECT * FROM link.execute('ALTER PIPELINE x SET OFFSETS EARLIEST');
SELECT * FROM link.execute('ALTER PIPELINE x SET OFFSETS NEWEST');
SELECT * FROM link.execute($$ALTER PIPELINE x SET OFFSETS '{"in/a.csv": 1'$$);
SELECT * FROM link.execute($$ALTER PIPELINE x SET OFFSETS CURSOR 'a'$$);
SELECT * FROM link.execute('ALTER PIPELINE x DROP FILE in/a.csv');
SELECT * FROM link.execute($$ALTER PIPELINE x DROP FILE 'in/none.csv'$$);
SELECT * FROM link.execute('ALTER PIPELINE x SET');
SELECT * FROM link.execute('ALTER PIPELINE x');
SELECT * FROM link.execute('TEST PIPELINE x LIMIT');
SELECT * FROM link.execute('START PIPELINE x LIMIT 1 BATCHES');
SELECT * FROM link.execute('START PIPELINE x FOREGROUND LIMIT 1');
SELECT * FROM link.execute('START PIPELINE IF EXISTS x');
SELECT * FROM link.execute('START PIPELINE nowhere');
SELECT * FROM link.execute('STOP PIPELINE x');
SELECT * FROM link.execute('SHOW CREATE PIPELINE nowhere');
SELECT * FROM link.execute('DROP PIPELINE nowhere');
SELECT * FROM link.execute('DROP PIPELINE x, x');
SELECT * FROM link.execute('DROP PIPELINE x');
RESET ROLE;
SELECT * FROM link.execute('SHOW PIPELINES');

DROP TABLE pg_temp.temporary, pg_temp.before;

-- A schema takes links, tables and pipelines with it.
DROP SCHEMA pipe;
SET client_min_messages = error;
DROP SCHEMA pipe CASCADE;
SELECT count(*) FROM link.pipeline;
SELECT (SELECT count(*) FROM link.pipeline_file) + (SELECT count(*) FROM link.pipeline_cursor) + (SELECT count(*) FROM link.pipeline_batch)
	+ (SELECT count(*) FROM link.pipeline_error) AS rest;
DROP ROLE regress_link_other;
DROP ROLE regress_link_heir;
DROP ROLE regress_link_loader;
