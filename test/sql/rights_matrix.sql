-- Every privilege, at every scope, to a role and to PUBLIC, against every verb
-- and every kind of role.  What is expected is data, written from the rules
-- (SQL 2; SECURITY 8 to 11), and never asked of the extension itself.
\set VERBOSITY terse
SET client_min_messages = error;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_rights && mkdir /tmp/link_regress_rights && echo 1 > /tmp/link_regress_rights/object && cat > /dev/null';
SET link.fs_roots = '/tmp/link_regress_rights';

CREATE ROLE regress_link_super SUPERUSER;
CREATE ROLE regress_link_owner;
CREATE ROLE regress_link_grantee;
CREATE ROLE regress_link_member IN ROLE regress_link_grantee;
CREATE ROLE regress_link_stranger;
CREATE ROLE regress_link_public;
CREATE ROLE regress_link_schemaowner;
CREATE ROLE regress_link_dbowner;
CREATE ROLE regress_link_createrole CREATEROLE;
CREATE ROLE regress_link_reader IN ROLE pg_read_all_data;
CREATE ROLE regress_link_writer IN ROLE pg_write_all_data;

SELECT current_database() AS db, current_user AS installer \gset
ALTER DATABASE :"db" OWNER TO regress_link_dbowner;
CREATE SCHEMA matrix AUTHORIZATION regress_link_schemaowner;
GRANT USAGE ON SCHEMA matrix TO PUBLIC;
CREATE TABLE matrix.target (a text);
GRANT INSERT ON matrix.target TO PUBLIC;

SELECT link.grant_privilege('AMBIENT', '*.*', 'regress_link_owner');
SELECT link.create_link('matrix.files', 'FS', config => '{"root": "/tmp/link_regress_rights"}');
SELECT link.set_link_owner('matrix.files', 'regress_link_owner');

-- For each role a table of its own to load into; and a pipeline of the link's owner.
DO $$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY '{super,owner,grantee,member,stranger,public,schemaowner,dbowner,createrole,reader,writer}'::text[] LOOP
		EXECUTE format('CREATE TABLE matrix.%I (a text); ALTER TABLE matrix.%1$I OWNER TO %1$I', 'regress_link_' || r);
	END LOOP;
END $$;
SET ROLE regress_link_owner;
SELECT link.create_pipeline('matrix', 'matrix.files', 'object', 'matrix.regress_link_owner');
RESET ROLE;

-- The rules.  A grantable privilege and the rights it carries:
CREATE TEMP TABLE carries (privilege text, atom text);
INSERT INTO carries VALUES
	('CREATE LINK', 'create'),
	('SHOW LINK', 'view'), ('SHOW LINK', 'read'), ('SHOW LINK', 'write'),
	('USE LINK', 'read'), ('USE LINK', 'write'),
	('VIEW LINK', 'view'), ('READ LINK', 'read'), ('WRITE LINK', 'write'),
	('ALTER LINK', 'alter'), ('ALTER LINK', 'view'),
	('DROP LINK', 'drop'), ('DROP LINK', 'view'),
	('AMBIENT LINK', 'ambient'),
	('ALL', 'create'), ('ALL', 'view'), ('ALL', 'read'), ('ALL', 'write'), ('ALL', 'alter'), ('ALL', 'drop');

-- Where it can be granted:
CREATE TEMP TABLE grants (privilege text, scope text);
INSERT INTO grants
	SELECT p, s FROM unnest(ARRAY['SHOW LINK', 'USE LINK', 'VIEW LINK', 'READ LINK', 'WRITE LINK', 'ALTER LINK', 'DROP LINK', 'ALL']) p,
		unnest(ARRAY['*.*', 'matrix.*', 'LINK matrix.files']) s
	UNION ALL VALUES ('CREATE LINK', '*.*'), ('CREATE LINK', 'matrix.*'), ('AMBIENT LINK', '*.*');

-- A verb and the rights it needs, all of them ('owner': ownership):
CREATE TEMP TABLE verbs (verb text, needs text[], sql text);
INSERT INTO verbs VALUES
	('list_files', '{read}', $$SELECT count(*) FROM link.list_files('matrix.files', 'o')$$),
	('read_file', '{read}', $$SELECT link.read_file('matrix.files', 'object')$$),
	('select_from', '{read}', $$SELECT count(*) FROM link.select_from('matrix.files', 'object') AS t(a text)$$),
	('load_data', '{read}', $$SELECT count(*) FROM link.load_data('matrix.files', 'object', 'matrix.target')$$),
	('create_pipeline', '{read}', $$SELECT link.create_pipeline('made', 'matrix.files', 'object', ('matrix.' || current_user)::regclass)$$),
	('create_pipeline other', '{read,all}', $$SELECT link.create_pipeline('made', 'matrix.files', 'object', 'matrix.target')$$),
	('start_pipeline', '{owner}', $$SELECT link.start_pipeline('matrix')$$),
	('alter_pipeline', '{owner}', $$SELECT link.alter_pipeline('matrix', batch_interval => 1)$$),
	('set_pipeline_offsets', '{owner}', $$SELECT link.set_pipeline_offsets('matrix', 'LATEST')$$),
	('show_create_pipeline', '{owner}', $$SELECT link.show_create_pipeline('matrix')$$),
	('pipelines', '{owner}', $$SELECT 1 / count(*) FROM link.pipelines$$),
	('drop_pipeline', '{owner}', $$SELECT link.drop_pipeline('matrix')$$),
	('list_backups', '{read}', $$SELECT count(*) FROM link.list_backups('matrix.files', 'none')$$),
	('verify_backup', '{read}', $$SELECT link.verify_backup('matrix.files', 'none', level => 'sentinel')$$),
	('drop_backup', '{read,write}', $$SELECT link.drop_backup('matrix.files', 'none', 1)$$),
	-- refused here for being in a subtransaction, but only to those who may
	('backup_database', '{write,readall}', $$SELECT link.backup_database('matrix.files', 'none')$$),
	('backup of a schema', '{write,readall}', $$SELECT * FROM link.execute('BACKUP DATABASE matrix TO LINK matrix.files ''none''')$$),
	('restore_database', '{read}', $$SELECT link.restore_database('matrix.files', 'none')$$),
	('check_link', '{read}', $$SELECT count(*) FROM link.check_link('matrix.files')$$),
	('check_link path', '{read,write}', $$SELECT count(*) FROM link.check_link('matrix.files', 'probe')$$),
	('select_into', '{write}', $$SELECT count(*) FROM link.select_into('SELECT 1', 'matrix.files', 'written', overwrite => true)$$),
	('write_file', '{write}', $$SELECT link.write_file('matrix.files', 'written', 'x')$$),
	('overwrite', '{write}', $$SELECT link.write_file('matrix.files', 'written', 'x', overwrite => true)$$),
	('abort_uploads', '{write}', $$SELECT count(*) FROM link.abort_uploads('matrix.files')$$),
	('remove_file', '{write}', $$SELECT link.remove_file('matrix.files', 'written')$$),
	('show_create_link', '{view}', $$SELECT link.show_create_link('matrix.files')$$),
	('links', '{view}', $$SELECT 1 / count(*) FROM link.links WHERE schema = 'matrix'$$),
	('show_links', '{view}', $$SELECT 1 / count(*) FROM link.show_links('matrix')$$),
	('who_can_use', '{view}', $$SELECT count(*) FROM link.who_can_use('matrix.files')$$),
	('alter_link', '{alter}', $$SELECT link.alter_link('matrix.files', description => 'x')$$),
	('or replace', '{alter,ambient}', $$SELECT link.create_link('matrix.files', 'FS', config => '{"root": "/tmp/link_regress_rights"}', or_replace => true)$$),
	('drop_link', '{drop}', $$SELECT link.drop_link('matrix.files', cascade => true)$$),
	('rename_link', '{owner}', $$SELECT link.rename_link('matrix.files', 'other')$$),
	('limit keys', '{owner}', $$SELECT link.set_link_config('matrix.files', 'append_only', 'true')$$),
	('grant', '{owner}', $$SELECT link.grant_privilege('READ LINK', 'LINK matrix.files', 'regress_link_public')$$),
	('create_link', '{create}', $$SELECT link.create_link('matrix.made', 'S3', '{"creds_mode": "anonymous"}')$$),
	('create_link FS', '{create,ambient}', $$SELECT link.create_link('matrix.made', 'FS', config => '{"root": "/tmp/link_regress_rights"}')$$);

-- A kind of role: does it get what the grantee was given, and what it has of its own:
CREATE TEMP TABLE actors (actor text, as_grantee boolean, own text[]);
INSERT INTO actors VALUES
	('regress_link_super', false, '{create,view,read,write,alter,drop,ambient,owner,all,readall}'),
	('regress_link_owner', false, '{view,read,write,alter,drop,ambient,owner}'),
	('regress_link_grantee', true, '{}'),
	('regress_link_member', true, '{}'),
	('regress_link_stranger', false, '{}'),
	('regress_link_public', false, '{}'),
	('regress_link_schemaowner', false, '{}'),
	('regress_link_dbowner', false, '{}'),
	('regress_link_createrole', false, '{}'),
	('regress_link_reader', false, '{readall}'),
	('regress_link_writer', false, '{}');
-- Runs a statement as a role and undoes it: the SQLSTATE it ended with.
CREATE FUNCTION pg_temp.attempt(actor text, sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.set_config('role', actor, true);
	EXECUTE sql;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN RETURN '00000';
	WHEN division_by_zero THEN RETURN '42501';	-- a view that shows nothing
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

CREATE TEMP TABLE results (privilege text, scope text, grantee text, actor text, verb text, expected boolean, state text);

CREATE FUNCTION pg_temp.run(priv text, at_scope text, grantee text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO results
	SELECT priv, at_scope, grantee, a.actor, v.verb,
		v.needs <@ (a.own || CASE WHEN a.as_grantee OR grantee = 'PUBLIC'
			THEN ARRAY(SELECT c.atom FROM carries c WHERE c.privilege = priv
				AND (at_scope NOT LIKE 'LINK %' OR c.atom NOT IN ('create', 'ambient'))) ELSE '{}' END),
		pg_temp.attempt(a.actor, v.sql)
	FROM actors a, verbs v;
END $$;

SELECT pg_temp.run(NULL, '', 'nobody');
DO $$
DECLARE
	g record;
BEGIN
	FOR g IN SELECT * FROM grants, (VALUES ('regress_link_grantee'), ('PUBLIC')) t(grantee)
		WHERE privilege <> 'AMBIENT LINK' OR grantee <> 'PUBLIC' LOOP
		PERFORM link.grant_privilege(g.privilege, g.scope, g.grantee);
		PERFORM pg_temp.run(g.privilege, g.scope, g.grantee);
		PERFORM link.revoke_privilege(g.privilege, g.scope, g.grantee);
	END LOOP;
END $$;

SELECT count(*) AS cases, count(*) FILTER (WHERE expected) AS allowed, count(*) FILTER (WHERE NOT expected) AS refused FROM results;
SELECT * FROM results WHERE expected <> (state NOT IN ('42501', '42704')) ORDER BY 1, 2, 3, 4, 5 LIMIT 50;
-- states that are neither done, nor refused, nor the object being there or not
SELECT verb, state, count(*) FROM results WHERE state NOT IN ('00000', '42501', '58P01', '58P02') GROUP BY 1, 2 ORDER BY 1, 2;

-- Grant options: a grant needs one, of that privilege, at that scope or a wider one.
TRUNCATE verbs, results;
INSERT INTO verbs VALUES
	('pass on to the link', '{read}', $$SELECT link.grant_privilege('READ LINK', 'LINK matrix.files', 'regress_link_public')$$),
	('pass on to the schema', '{read,wide}', $$SELECT link.grant_privilege('READ LINK', 'matrix.*', 'regress_link_public')$$);
UPDATE actors SET own = '{read}' WHERE actor = 'regress_link_owner';
UPDATE actors SET own = '{read,wide}' WHERE actor = 'regress_link_super';
DO $$
DECLARE
	g record;
BEGIN
	FOR g IN SELECT * FROM grants WHERE privilege <> 'AMBIENT LINK' LOOP
		PERFORM link.grant_privilege(g.privilege, g.scope, 'regress_link_grantee', true);
		INSERT INTO results
		SELECT g.privilege, g.scope, 'regress_link_grantee', a.actor, v.verb,
			v.needs <@ (a.own || CASE WHEN a.as_grantee
				THEN ARRAY(SELECT c.atom FROM carries c WHERE c.privilege = g.privilege) ||
					CASE WHEN g.scope LIKE 'LINK %' THEN '{}'::text[] ELSE '{wide}' END ELSE '{}' END),
			pg_temp.attempt(a.actor, v.sql)
		FROM actors a, verbs v;
		PERFORM link.revoke_privilege(g.privilege, g.scope, 'regress_link_grantee');
	END LOOP;
END $$;
SELECT count(*) AS cases, count(*) FILTER (WHERE expected) AS allowed FROM results;
SELECT * FROM results WHERE expected <> (state = '00000') ORDER BY 1, 2, 3, 4, 5 LIMIT 50;

-- Who learns that a link does not exist: whoever holds something at the schema's scope or wider.
SELECT link.grant_privilege('VIEW', 'matrix.*', 'regress_link_grantee');
SELECT link.grant_privilege('VIEW', 'LINK matrix.files', 'regress_link_public');
SELECT actor, pg_temp.attempt(actor, $$SELECT link.read_file('matrix.absent', 'object')$$) AS absent,
	pg_temp.attempt(actor, $$SELECT link.read_file('matrix.files', 'object')$$) AS present
FROM actors ORDER BY actor COLLATE "C";

-- The last state of the tables is the first one.
SELECT link.revoke_privilege('VIEW', 'matrix.*', 'regress_link_grantee');
SELECT link.revoke_privilege('VIEW', 'LINK matrix.files', 'regress_link_public');
SELECT grantee, scope, privilege FROM link.privileges;

SELECT link.drop_pipeline('matrix');
SELECT link.drop_link('matrix.files');
SELECT link.revoke_privilege('AMBIENT', '*.*', 'regress_link_owner');
ALTER DATABASE :"db" OWNER TO :"installer";
DROP SCHEMA matrix CASCADE;
DROP ROLE regress_link_super, regress_link_owner, regress_link_grantee, regress_link_member, regress_link_stranger,
	regress_link_public, regress_link_schemaowner, regress_link_dbowner, regress_link_createrole, regress_link_reader,
	regress_link_writer;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_rights; cat > /dev/null';
