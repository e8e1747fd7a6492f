/* link--1.0.sql: connection links */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION link" to load this file. \quit

-- The schema is made here, and plainly: an existing schema of that name, whoever
-- owns it, makes CREATE EXTENSION fail instead of putting our functions into
-- somebody's hands (SECURITY 1).
CREATE SCHEMA link;
REVOKE ALL ON SCHEMA link FROM PUBLIC;
GRANT USAGE ON SCHEMA link TO PUBLIC;

/*
 * Roles in rows: 4 bytes like an oid, but written as a name, so that a dump
 * means the same role elsewhere.
 */
CREATE TYPE link.role_ref;

CREATE FUNCTION link.role_ref_in(pg_catalog.cstring) RETURNS link.role_ref
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'link_role_ref_in';
CREATE FUNCTION link.role_ref_out(link.role_ref) RETURNS pg_catalog.cstring
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'link_role_ref_out';
CREATE FUNCTION link.role_ref_recv(pg_catalog.internal) RETURNS link.role_ref
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'link_role_ref_recv';
CREATE FUNCTION link.role_ref_send(link.role_ref) RETURNS pg_catalog.bytea
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'link_role_ref_send';

CREATE TYPE link.role_ref (
	INPUT = link.role_ref_in,
	OUTPUT = link.role_ref_out,
	RECEIVE = link.role_ref_recv,
	SEND = link.role_ref_send,
	LIKE = pg_catalog.oid
);

-- Operators and indexes come from oid.
CREATE CAST (link.role_ref AS pg_catalog.oid) WITHOUT FUNCTION AS IMPLICIT;

/*
 * Tables in rows: as regclass, but always written with the schema, and one that
 * is missing elsewhere fails no restore.
 */
CREATE TYPE link.table_ref;

CREATE FUNCTION link.table_ref_in(pg_catalog.cstring) RETURNS link.table_ref
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'link_table_ref_in';
CREATE FUNCTION link.table_ref_out(link.table_ref) RETURNS pg_catalog.cstring
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'link_table_ref_out';

CREATE TYPE link.table_ref (
	INPUT = link.table_ref_in,
	OUTPUT = link.table_ref_out,
	LIKE = pg_catalog.oid
);
CREATE CAST (link.table_ref AS pg_catalog.oid) WITHOUT FUNCTION AS IMPLICIT;

CREATE TABLE link.link (
	id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY CONSTRAINT link_pkey PRIMARY KEY,
	namespace pg_catalog.name NOT NULL,
	name pg_catalog.name NOT NULL,
	folded_name pg_catalog.name NOT NULL,
	type pg_catalog.text NOT NULL,
	owner link.role_ref NOT NULL,
	description pg_catalog.text,
	config pg_catalog.jsonb NOT NULL,
	credentials pg_catalog.bytea,
	credential_keys pg_catalog.text[] NOT NULL,
	created_at pg_catalog.timestamptz NOT NULL,
	altered_at pg_catalog.timestamptz NOT NULL,
	credentials_changed_at pg_catalog.timestamptz,
	CONSTRAINT link_name_key UNIQUE (namespace, folded_name)
);
CREATE INDEX link_owner_index ON link.link (owner);
COMMENT ON TABLE link.link IS 'connection links; credentials are sealed';

-- Scope: a link (link_id), a schema (namespace), or the database (0 and '').
CREATE TABLE link.privilege (
	link_id pg_catalog.int8 NOT NULL,
	namespace pg_catalog.name NOT NULL,
	grantee link.role_ref NOT NULL,
	privilege pg_catalog.name NOT NULL,
	grantor link.role_ref NOT NULL,
	grantable pg_catalog.bool NOT NULL,
	CONSTRAINT privilege_pkey PRIMARY KEY (link_id, namespace, grantee, privilege, grantor)
);
CREATE INDEX privilege_grantee_index ON link.privilege (grantee);
CREATE INDEX privilege_grantor_index ON link.privilege (grantor);
COMMENT ON TABLE link.privilege IS 'privileges on connection links';

/*
 * Pipelines: named like subscriptions, once a database.  The definition, and what
 * it has come to: of each object, of each partition of a topic, of its last batches,
 * and what could not be loaded.
 */
CREATE TABLE link.pipeline (
	id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY CONSTRAINT pipeline_pkey PRIMARY KEY,
	name pg_catalog.name NOT NULL,
	folded_name pg_catalog.name NOT NULL CONSTRAINT pipeline_name_key UNIQUE,
	owner link.role_ref NOT NULL,
	link_id pg_catalog.int8 NOT NULL,
	path pg_catalog.text NOT NULL,
	-- the target: a table, or a procedure by its signature, as pg_proc's oids change in pg_upgrade
	target_table link.table_ref,
	target_procedure pg_catalog.text,
	-- as the functions take them: format options; fields, SET, WHERE, ON CONFLICT as typed
	options pg_catalog.jsonb NOT NULL,
	fields pg_catalog.jsonb,
	set_clause pg_catalog.text,
	where_clause pg_catalog.text,
	on_conflict pg_catalog.text,
	search_path pg_catalog.text NOT NULL,
	-- those of its schemas without which the clauses would mean something else
	clause_path pg_catalog.text,
	batch_interval pg_catalog.int4 NOT NULL,
	max_partitions pg_catalog.int4 NOT NULL,
	max_retries pg_catalog.int4 NOT NULL,
	max_offsets pg_catalog.int8 NOT NULL,
	skip_errors pg_catalog.text[] NOT NULL,
	stop_on_error pg_catalog.bool NOT NULL,
	-- 'Running', 'Stopped', 'Error'; counts only where it was set
	state pg_catalog.text NOT NULL,
	error pg_catalog.text,
	system_identifier pg_catalog.int8 NOT NULL,
	database pg_catalog.oid NOT NULL,
	created_at pg_catalog.timestamptz NOT NULL,
	altered_at pg_catalog.timestamptz NOT NULL
);
CREATE INDEX pipeline_link_index ON link.pipeline (link_id);
CREATE INDEX pipeline_owner_index ON link.pipeline (owner);
CREATE INDEX pipeline_table_index ON link.pipeline (target_table);
COMMENT ON TABLE link.pipeline IS 'pipelines';

CREATE TABLE link.pipeline_file (
	pipeline_id pg_catalog.int8 NOT NULL,
	path pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
	size pg_catalog.int8 NOT NULL,
	last_modified pg_catalog.timestamptz,
	etag pg_catalog.text,
	-- 'Unloaded', 'Loaded', 'Skipped'
	state pg_catalog.text NOT NULL,
	attempts pg_catalog.int4 NOT NULL,
	retry_at pg_catalog.timestamptz,
	batch_id pg_catalog.int8,
	CONSTRAINT pipeline_file_pkey PRIMARY KEY (pipeline_id, path)
);
CREATE INDEX pipeline_file_unloaded_index ON link.pipeline_file (pipeline_id, path)
	WHERE state OPERATOR(pg_catalog.=) 'Unloaded';
COMMENT ON TABLE link.pipeline_file IS 'objects that pipelines have found, and whether they are loaded';

CREATE TABLE link.pipeline_cursor (
	pipeline_id pg_catalog.int8 NOT NULL,
	partition pg_catalog.int4 NOT NULL,
	-- the next to be loaded; what the topic had when it was last looked at
	next_offset pg_catalog.int8 NOT NULL,
	latest_offset pg_catalog.int8 NOT NULL,
	attempts pg_catalog.int4 NOT NULL,
	retry_at pg_catalog.timestamptz,
	batch_id pg_catalog.int8,
	CONSTRAINT pipeline_cursor_pkey PRIMARY KEY (pipeline_id, partition)
);
COMMENT ON TABLE link.pipeline_cursor IS 'how far pipelines have come in the partitions of topics';

CREATE TABLE link.pipeline_batch (
	id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY CONSTRAINT pipeline_batch_pkey PRIMARY KEY,
	pipeline_id pg_catalog.int8 NOT NULL,
	-- 'Succeeded', 'Failed'
	state pg_catalog.text NOT NULL,
	partitions pg_catalog.int4 NOT NULL,
	rows pg_catalog.int8 NOT NULL,
	bytes pg_catalog.int8 NOT NULL,
	started_at pg_catalog.timestamptz NOT NULL,
	duration_ms pg_catalog.float8 NOT NULL
);
CREATE INDEX pipeline_batch_pipeline_index ON link.pipeline_batch (pipeline_id, id);
COMMENT ON TABLE link.pipeline_batch IS 'the last batches of pipelines';

CREATE TABLE link.pipeline_error (
	id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY CONSTRAINT pipeline_error_pkey PRIMARY KEY,
	pipeline_id pg_catalog.int8 NOT NULL,
	batch_id pg_catalog.int8,
	-- 'Load': a batch; 'Row': one row that was left out
	kind pg_catalog.text NOT NULL,
	sqlstate pg_catalog.text NOT NULL,
	message pg_catalog.text NOT NULL,
	detail pg_catalog.text,
	-- a path, or a partition
	source pg_catalog.text,
	-- a line of the object, or an offset
	position pg_catalog.int8,
	raw pg_catalog.text,
	occurred_at pg_catalog.timestamptz NOT NULL
);
CREATE INDEX pipeline_error_pipeline_index ON link.pipeline_error (pipeline_id, id);
COMMENT ON TABLE link.pipeline_error IS 'what pipelines could not load';

-- Not dumped: it is about this database, and no copy of its rows.
CREATE TABLE link.baseline (
	backup_id pg_catalog.int8 CONSTRAINT baseline_pkey PRIMARY KEY
);
COMMENT ON TABLE link.baseline IS 'full backups that were made of this database';

-- Nor is this: what was done here.  A role in it may be dropped.
CREATE TABLE link.backup (
	id pg_catalog.int8 CONSTRAINT backup_pkey PRIMARY KEY,
	database pg_catalog.text NOT NULL,
	schemas pg_catalog.text[],
	link_id pg_catalog.int8 NOT NULL,
	link pg_catalog.text NOT NULL,
	path pg_catalog.text NOT NULL,
	role link.role_ref NOT NULL,
	-- 'full', 'differential'
	mode pg_catalog.text NOT NULL,
	base pg_catalog.int8,
	started pg_catalog.timestamptz NOT NULL,
	finished pg_catalog.timestamptz,
	objects pg_catalog.int8,
	bytes pg_catalog.int8,
	checksum pg_catalog.text,
	-- 'running', 'succeeded', 'failed', 'dropped'
	status pg_catalog.text NOT NULL,
	error pg_catalog.text
);
COMMENT ON TABLE link.backup IS 'backups that this database has made, or tried to';

-- Always empty. Roles named in the tables above get a privilege on it, so that
-- core's own dependencies refuse DROP ROLE, from every database.
CREATE TABLE link.role_anchor ();
COMMENT ON TABLE link.role_anchor IS 'empty: privileges on it keep roles that own or use links from being dropped';

REVOKE ALL ON link.link, link.privilege, link.role_anchor, link.pipeline, link.pipeline_file,
	link.pipeline_cursor, link.pipeline_batch, link.pipeline_error, link.baseline,
	link.backup FROM PUBLIC;
REVOKE ALL ON SEQUENCE link.link_id_seq, link.pipeline_id_seq, link.pipeline_batch_id_seq,
	link.pipeline_error_id_seq FROM PUBLIC;

-- Rows of roles that are gone mean nobody: they are not dumped.
SELECT pg_catalog.pg_extension_config_dump('link.link',
	'WHERE owner::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles r)');
SELECT pg_catalog.pg_extension_config_dump('link.link_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('link.privilege',
	'WHERE grantee::pg_catalog.oid OPERATOR(pg_catalog.=) 0 OR grantee::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles r)');

-- Nor are pipelines whose target is gone.  What was loaded is not loaded again after a
-- restore; of how it was loaded only the numbers of batches go on.
SELECT pg_catalog.pg_extension_config_dump('link.pipeline',
	'WHERE owner::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles r)
		AND (target_table::pg_catalog.oid IN (SELECT c.oid FROM pg_catalog.pg_class c)
			OR pg_catalog.to_regprocedure(target_procedure) IS NOT NULL)');
SELECT pg_catalog.pg_extension_config_dump('link.pipeline_file',
	'WHERE pipeline_id IN (SELECT p.id FROM link.pipeline p
		WHERE p.owner::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles r)
		AND (p.target_table::pg_catalog.oid IN (SELECT c.oid FROM pg_catalog.pg_class c)
			OR pg_catalog.to_regprocedure(p.target_procedure) IS NOT NULL))');
SELECT pg_catalog.pg_extension_config_dump('link.pipeline_cursor',
	'WHERE pipeline_id IN (SELECT p.id FROM link.pipeline p
		WHERE p.owner::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles r)
		AND (p.target_table::pg_catalog.oid IN (SELECT c.oid FROM pg_catalog.pg_class c)
			OR pg_catalog.to_regprocedure(p.target_procedure) IS NOT NULL))');
SELECT pg_catalog.pg_extension_config_dump('link.pipeline_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('link.pipeline_batch_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('link.pipeline_error_id_seq', '');

/* Guards: only our code, and a superuser's restore, write these tables. */
CREATE FUNCTION link.guard() RETURNS pg_catalog.trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'link_guard';

CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.link
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.link
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.privilege
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.privilege
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.role_anchor
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.role_anchor
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.pipeline
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.pipeline
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.pipeline_file
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.pipeline_file
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.pipeline_cursor
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.pipeline_cursor
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.pipeline_batch
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.pipeline_batch
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.pipeline_error
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.pipeline_error
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.baseline
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.baseline
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_row BEFORE INSERT OR UPDATE OR DELETE ON link.backup
	FOR EACH ROW EXECUTE FUNCTION link.guard();
CREATE TRIGGER link_guard_truncate BEFORE TRUNCATE ON link.backup
	FOR EACH STATEMENT EXECUTE FUNCTION link.guard();
ALTER TABLE link.link ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.link ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.privilege ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.privilege ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.role_anchor ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.role_anchor ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.pipeline ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.pipeline ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.pipeline_file ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.pipeline_file ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.pipeline_cursor ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.pipeline_cursor ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.pipeline_batch ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.pipeline_batch ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.pipeline_error ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.pipeline_error ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.baseline ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.baseline ENABLE ALWAYS TRIGGER link_guard_truncate;
ALTER TABLE link.backup ENABLE ALWAYS TRIGGER link_guard_row;
ALTER TABLE link.backup ENABLE ALWAYS TRIGGER link_guard_truncate;

/* Links follow their schemas and roles, pipelines their targets. */
CREATE FUNCTION link.on_sql_drop() RETURNS pg_catalog.event_trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'link_on_sql_drop';
CREATE FUNCTION link.on_ddl_command_start() RETURNS pg_catalog.event_trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'link_on_ddl_command_start';
CREATE FUNCTION link.on_ddl_command_end() RETURNS pg_catalog.event_trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'link_on_ddl_command_end';

CREATE EVENT TRIGGER link_on_sql_drop ON sql_drop
	EXECUTE FUNCTION link.on_sql_drop();
CREATE EVENT TRIGGER link_on_ddl_command_start ON ddl_command_start
	WHEN TAG IN ('ALTER PROCEDURE', 'ALTER ROUTINE', 'ALTER SCHEMA')
	EXECUTE FUNCTION link.on_ddl_command_start();
CREATE EVENT TRIGGER link_on_ddl_command_end ON ddl_command_end
	WHEN TAG IN ('ALTER PROCEDURE', 'ALTER ROUTINE', 'ALTER SCHEMA', 'DROP OWNED')
	EXECUTE FUNCTION link.on_ddl_command_end();
ALTER EVENT TRIGGER link_on_sql_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER link_on_ddl_command_start ENABLE ALWAYS;
ALTER EVENT TRIGGER link_on_ddl_command_end ENABLE ALWAYS;

/* ---- the statement language ---- */

CREATE FUNCTION link.execute(statement pg_catalog.text)
	RETURNS SETOF pg_catalog.text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_execute';

/* ---- links ---- */

CREATE FUNCTION link.create_link(name pg_catalog.text, type pg_catalog.text,
		credentials pg_catalog.text DEFAULT '{}', config pg_catalog.text DEFAULT '{}',
		description pg_catalog.text DEFAULT NULL,
		or_replace pg_catalog.bool DEFAULT false, if_not_exists pg_catalog.bool DEFAULT false,
		validate pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_create_link';

CREATE FUNCTION link.alter_link(name pg_catalog.text, config pg_catalog.text DEFAULT NULL,
		credentials pg_catalog.text DEFAULT NULL, description pg_catalog.text DEFAULT NULL)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_alter_link';

CREATE FUNCTION link.set_link_config(name pg_catalog.text, key pg_catalog.text, value pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_set_link_config';

CREATE FUNCTION link.set_link_credential(name pg_catalog.text, key pg_catalog.text, value pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_set_link_credential';

CREATE FUNCTION link.rename_link(name pg_catalog.text, new_name pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_rename_link';

CREATE FUNCTION link.set_link_schema(name pg_catalog.text, schema pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_set_link_schema';

CREATE FUNCTION link.set_link_owner(name pg_catalog.text, role pg_catalog.regrole)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_set_link_owner';

CREATE FUNCTION link.drop_link(name pg_catalog.text, if_exists pg_catalog.bool DEFAULT false,
		cascade pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_drop_link';

CREATE FUNCTION link.reassign_owned(old_role pg_catalog.regrole, new_role pg_catalog.regrole)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_reassign_owned';

CREATE FUNCTION link.show_links(schema pg_catalog.text DEFAULT pg_catalog.current_schema())
	RETURNS TABLE (link pg_catalog.text, type pg_catalog.text, description pg_catalog.text,
		config pg_catalog.jsonb)
	LANGUAGE C STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_show_links';

CREATE FUNCTION link.show_create_link(name pg_catalog.text)
	RETURNS pg_catalog.text
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_show_create_link';

-- Behind the view of the same rows: what the current user may see.
CREATE FUNCTION link.visible_links(OUT schema pg_catalog.text, OUT link pg_catalog.text,
		OUT type pg_catalog.text, OUT description pg_catalog.text, OUT config pg_catalog.jsonb,
		OUT owner pg_catalog.text, OUT credential_keys pg_catalog.text[],
		OUT credentials_changed_at pg_catalog.timestamptz,
		OUT created_at pg_catalog.timestamptz, OUT altered_at pg_catalog.timestamptz)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_links';

CREATE VIEW link.links WITH (security_barrier) AS
	SELECT v.schema, v.link, v.type, v.description, v.config, v.owner, v.credential_keys,
		v.credentials_changed_at, v.created_at, v.altered_at
	FROM link.visible_links() v;

/* ---- privileges ---- */

CREATE FUNCTION link.grant_privilege(privileges pg_catalog.text, scope pg_catalog.text,
		grantee pg_catalog.text, with_grant_option pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_grant_privilege';

CREATE FUNCTION link.revoke_privilege(privileges pg_catalog.text, scope pg_catalog.text,
		grantee pg_catalog.text, grant_option_only pg_catalog.bool DEFAULT false,
		cascade pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_revoke_privilege';

CREATE FUNCTION link.visible_privileges(OUT grantor pg_catalog.text, OUT grantee pg_catalog.text,
		OUT scope pg_catalog.text, OUT schema pg_catalog.text, OUT link pg_catalog.text,
		OUT privilege pg_catalog.text, OUT is_grantable pg_catalog.bool)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_privileges';

CREATE VIEW link.privileges WITH (security_barrier) AS
	SELECT v.grantor, v.grantee, v.scope, v.schema, v.link, v.privilege, v.is_grantable
	FROM link.visible_privileges() v;

CREATE FUNCTION link.who_can_use(link pg_catalog.text)
	RETURNS TABLE (role pg_catalog.text, privilege pg_catalog.text, via pg_catalog.text)
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_who_can_use';

CREATE FUNCTION link.has_link_privilege("user" pg_catalog.name, link pg_catalog.text, privilege pg_catalog.text)
	RETURNS pg_catalog.bool
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_has_privilege_name_name';
CREATE FUNCTION link.has_link_privilege("user" pg_catalog.oid, link pg_catalog.text, privilege pg_catalog.text)
	RETURNS pg_catalog.bool
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_has_privilege_oid_name';
CREATE FUNCTION link.has_link_privilege(link pg_catalog.text, privilege pg_catalog.text)
	RETURNS pg_catalog.bool
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_has_privilege_name';
CREATE FUNCTION link.has_link_privilege("user" pg_catalog.name, link_id pg_catalog.int8, privilege pg_catalog.text)
	RETURNS pg_catalog.bool
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_has_privilege_name_id';
CREATE FUNCTION link.has_link_privilege("user" pg_catalog.oid, link_id pg_catalog.int8, privilege pg_catalog.text)
	RETURNS pg_catalog.bool
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_has_privilege_oid_id';
CREATE FUNCTION link.has_link_privilege(link_id pg_catalog.int8, privilege pg_catalog.text)
	RETURNS pg_catalog.bool
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_has_privilege_id';

/* ---- looking at a provider ---- */

CREATE FUNCTION link.check_link(name pg_catalog.text, path pg_catalog.text DEFAULT NULL)
	RETURNS TABLE (step pg_catalog.text, ok pg_catalog.bool, elapsed_ms pg_catalog.float8,
		detail pg_catalog.text)
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_check_link';

CREATE FUNCTION link.list_files(link pg_catalog.text, path pg_catalog.text)
	RETURNS TABLE (path pg_catalog.text, size pg_catalog.int8,
		last_modified pg_catalog.timestamptz, etag pg_catalog.text)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_list_files';

CREATE FUNCTION link.read_file(link pg_catalog.text, path pg_catalog.text)
	RETURNS pg_catalog.bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_read_file';

CREATE FUNCTION link.write_file(link pg_catalog.text, path pg_catalog.text, content pg_catalog.bytea,
		overwrite pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_write_file';

CREATE FUNCTION link.remove_file(link pg_catalog.text, path pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_remove_file';

/* ---- moving rows ---- */

CREATE FUNCTION link.select_into(query pg_catalog.text, link pg_catalog.text, path pg_catalog.text,
		format pg_catalog.text DEFAULT 'text', compression pg_catalog.text DEFAULT 'auto',
		header pg_catalog.bool DEFAULT false, delimiter pg_catalog.text DEFAULT NULL,
		"null" pg_catalog.text DEFAULT NULL, quote pg_catalog.text DEFAULT NULL,
		escape pg_catalog.text DEFAULT NULL, force_quote pg_catalog.text[] DEFAULT NULL,
		encoding pg_catalog.text DEFAULT NULL, overwrite pg_catalog.bool DEFAULT false,
		file_size pg_catalog.int8 DEFAULT NULL, partition_by pg_catalog.text[] DEFAULT NULL,
		key pg_catalog.text DEFAULT NULL, manifest pg_catalog.bool DEFAULT false,
		parallel pg_catalog.int4 DEFAULT NULL)
	RETURNS TABLE (path pg_catalog.text, rows pg_catalog.int8, bytes pg_catalog.int8)
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_select_into';

CREATE FUNCTION link.load_data(link pg_catalog.text, path pg_catalog.text, target pg_catalog.regclass,
		columns pg_catalog.text[] DEFAULT NULL, format pg_catalog.text DEFAULT 'text',
		compression pg_catalog.text DEFAULT 'auto', header pg_catalog.text DEFAULT 'false',
		skip pg_catalog.int8 DEFAULT 0, delimiter pg_catalog.text DEFAULT NULL,
		"null" pg_catalog.text DEFAULT NULL, quote pg_catalog.text DEFAULT NULL,
		escape pg_catalog.text DEFAULT NULL, force_not_null pg_catalog.text[] DEFAULT NULL,
		force_null pg_catalog.text[] DEFAULT NULL, encoding pg_catalog.text DEFAULT NULL,
		"where" pg_catalog.text DEFAULT NULL, on_error pg_catalog.text DEFAULT 'stop',
		reject_limit pg_catalog.int8 DEFAULT NULL)
	RETURNS TABLE (path pg_catalog.text, rows pg_catalog.int8, bytes pg_catalog.int8,
		skipped pg_catalog.int8)
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_load_data';

CREATE FUNCTION link.select_from(link pg_catalog.text, path pg_catalog.text,
		format pg_catalog.text DEFAULT 'text', compression pg_catalog.text DEFAULT 'auto',
		header pg_catalog.text DEFAULT 'false', skip pg_catalog.int8 DEFAULT 0,
		delimiter pg_catalog.text DEFAULT NULL, "null" pg_catalog.text DEFAULT NULL,
		quote pg_catalog.text DEFAULT NULL, escape pg_catalog.text DEFAULT NULL,
		force_not_null pg_catalog.text[] DEFAULT NULL, force_null pg_catalog.text[] DEFAULT NULL,
		encoding pg_catalog.text DEFAULT NULL)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_select_from';

/* ---- backups ---- */

CREATE FUNCTION link.backup_database(link pg_catalog.text, path pg_catalog.text,
		mode pg_catalog.text DEFAULT 'full', parallel pg_catalog.int4 DEFAULT NULL,
		compression pg_catalog.text DEFAULT 'zstd', schemas pg_catalog.text[] DEFAULT NULL)
	RETURNS pg_catalog.int8
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_backup_database';

CREATE FUNCTION link.restore_database(link pg_catalog.text, path pg_catalog.text,
		as_name pg_catalog.text DEFAULT NULL, backup_id pg_catalog.int8 DEFAULT NULL,
		parallel pg_catalog.int4 DEFAULT NULL, keep_partial pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.int8
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_restore_database';

CREATE FUNCTION link.verify_backup(link pg_catalog.text, path pg_catalog.text,
		backup_id pg_catalog.int8 DEFAULT NULL, level pg_catalog.text DEFAULT 'checksums',
		parallel pg_catalog.int4 DEFAULT NULL)
	RETURNS pg_catalog.int8
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_verify_backup';

CREATE FUNCTION link.list_backups(link pg_catalog.text, path pg_catalog.text)
	RETURNS TABLE (id pg_catalog.int8, database pg_catalog.text, schemas pg_catalog.text[],
		mode pg_catalog.text, base pg_catalog.int8, started pg_catalog.timestamptz,
		finished pg_catalog.timestamptz, objects pg_catalog.int8, bytes pg_catalog.int8,
		error pg_catalog.text)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_list_backups';

CREATE FUNCTION link.drop_backup(link pg_catalog.text, path pg_catalog.text, backup_id pg_catalog.int8)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_drop_backup';

-- Behind the views of the same rows: what the current user may see.
CREATE FUNCTION link.visible_backups(OUT id pg_catalog.int8, OUT database pg_catalog.text,
		OUT schemas pg_catalog.text[], OUT link pg_catalog.text, OUT path pg_catalog.text,
		OUT role pg_catalog.text, OUT mode pg_catalog.text, OUT base pg_catalog.int8,
		OUT started pg_catalog.timestamptz, OUT finished pg_catalog.timestamptz,
		OUT objects pg_catalog.int8, OUT bytes pg_catalog.int8, OUT checksum pg_catalog.text,
		OUT status pg_catalog.text, OUT error pg_catalog.text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_backups';

CREATE VIEW link.backups WITH (security_barrier) AS
	SELECT v.id, v.database, v.started, v.finished, v.mode, v.base, v.objects, v.bytes, v.checksum,
		v.status, v.error, v.schemas, v.link, v.path, v.role
	FROM link.visible_backups() v;

CREATE FUNCTION link.visible_backup_progress(OUT pid pg_catalog.int4, OUT command pg_catalog.text,
		OUT backup_id pg_catalog.int8, OUT phase pg_catalog.text, OUT "table" pg_catalog.text,
		OUT parts_done pg_catalog.int4, OUT parts_total pg_catalog.int4, OUT bytes pg_catalog.int8,
		OUT bytes_total pg_catalog.int8)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_backup_progress';

CREATE VIEW link.backup_progress WITH (security_barrier) AS
	SELECT v.pid, v.command, v.backup_id, v.phase, v."table", v.parts_done, v.parts_total, v.bytes,
		v.bytes_total
	FROM link.visible_backup_progress() v;

/* ---- pipelines ---- */

CREATE FUNCTION link.create_pipeline(name pg_catalog.text, link pg_catalog.text, path pg_catalog.text,
		target pg_catalog.regclass DEFAULT NULL, fields pg_catalog.text[] DEFAULT NULL,
		format pg_catalog.text DEFAULT 'text', compression pg_catalog.text DEFAULT 'auto',
		header pg_catalog.text DEFAULT 'false', skip pg_catalog.int8 DEFAULT 0,
		delimiter pg_catalog.text DEFAULT NULL, "null" pg_catalog.text DEFAULT NULL,
		quote pg_catalog.text DEFAULT NULL, escape pg_catalog.text DEFAULT NULL,
		force_not_null pg_catalog.text[] DEFAULT NULL, force_null pg_catalog.text[] DEFAULT NULL,
		encoding pg_catalog.text DEFAULT NULL, "set" pg_catalog.text DEFAULT NULL,
		"where" pg_catalog.text DEFAULT NULL, on_conflict pg_catalog.text DEFAULT NULL,
		procedure pg_catalog.regprocedure DEFAULT NULL,
		batch_interval pg_catalog.int8 DEFAULT 2500, max_partitions pg_catalog.int8 DEFAULT 0,
		max_retries pg_catalog.int8 DEFAULT 4, max_offsets pg_catalog.int8 DEFAULT 0,
		skip_errors pg_catalog.text[] DEFAULT '{}', stop_on_error pg_catalog.bool DEFAULT true,
		or_replace pg_catalog.bool DEFAULT false, if_not_exists pg_catalog.bool DEFAULT false,
		force pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_create_pipeline';

CREATE FUNCTION link.alter_pipeline(name pg_catalog.text, batch_interval pg_catalog.int8 DEFAULT NULL,
		max_partitions pg_catalog.int8 DEFAULT NULL, max_retries pg_catalog.int8 DEFAULT NULL,
		max_offsets pg_catalog.int8 DEFAULT NULL, skip_errors pg_catalog.text[] DEFAULT NULL,
		stop_on_error pg_catalog.bool DEFAULT NULL)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_alter_pipeline';

CREATE FUNCTION link.rename_pipeline(name pg_catalog.text, new_name pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_rename_pipeline';

CREATE FUNCTION link.set_pipeline_owner(name pg_catalog.text, role pg_catalog.regrole)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_set_pipeline_owner';

CREATE FUNCTION link.drop_pipeline(name pg_catalog.text, if_exists pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_drop_pipeline';

-- In the foreground it gives the number of rows.
CREATE FUNCTION link.start_pipeline(name pg_catalog.text, foreground pg_catalog.bool DEFAULT false,
		batches pg_catalog.int8 DEFAULT 0, if_not_running pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.int8
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_start_pipeline';

CREATE FUNCTION link.stop_pipeline(name pg_catalog.text, if_running pg_catalog.bool DEFAULT false)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_stop_pipeline';

CREATE FUNCTION link.start_all_pipelines() RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_start_all_pipelines';

CREATE FUNCTION link.stop_all_pipelines() RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_stop_all_pipelines';

-- What it would load next.
CREATE FUNCTION link.test_pipeline(name pg_catalog.text, "limit" pg_catalog.int8 DEFAULT 1)
	RETURNS SETOF pg_catalog.json
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_test_pipeline';

-- 'EARLIEST', 'LATEST' or JSON.
CREATE FUNCTION link.set_pipeline_offsets(name pg_catalog.text, offsets pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_set_pipeline_offsets';

CREATE FUNCTION link.drop_pipeline_file(name pg_catalog.text, path pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_drop_pipeline_file';

CREATE FUNCTION link.drop_pipeline_partition(name pg_catalog.text, partition pg_catalog.int4)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_drop_pipeline_partition';

-- Returns how many.
CREATE FUNCTION link.drop_orphan_files(name pg_catalog.text)
	RETURNS pg_catalog.int8
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_drop_orphan_files';

CREATE FUNCTION link.clear_pipeline_errors(name pg_catalog.text)
	RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_clear_pipeline_errors';

CREATE FUNCTION link.show_pipelines()
	RETURNS TABLE (pipeline pg_catalog.text, state pg_catalog.text, scheduled pg_catalog.bool)
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_show_pipelines';

CREATE FUNCTION link.show_create_pipeline(name pg_catalog.text)
	RETURNS pg_catalog.text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_show_create_pipeline';

-- Behind the views of the same rows: what the current user may see.
CREATE FUNCTION link.visible_pipelines(OUT pipeline pg_catalog.text, OUT owner pg_catalog.text,
		OUT link pg_catalog.text, OUT path pg_catalog.text, OUT target pg_catalog.text,
		OUT state pg_catalog.text, OUT error pg_catalog.text, OUT pending_files pg_catalog.int8,
		OUT lag pg_catalog.int8, OUT batch_interval pg_catalog.int4, OUT max_partitions pg_catalog.int4,
		OUT max_retries pg_catalog.int4, OUT max_offsets pg_catalog.int8,
		OUT skip_errors pg_catalog.text[], OUT stop_on_error pg_catalog.bool,
		OUT created_at pg_catalog.timestamptz, OUT altered_at pg_catalog.timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_pipelines';

CREATE FUNCTION link.visible_pipeline_files(OUT pipeline pg_catalog.text, OUT path pg_catalog.text,
		OUT size pg_catalog.int8, OUT last_modified pg_catalog.timestamptz, OUT etag pg_catalog.text,
		OUT state pg_catalog.text, OUT attempts pg_catalog.int4, OUT retry_at pg_catalog.timestamptz,
		OUT batch_id pg_catalog.int8)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_pipeline_files';

CREATE FUNCTION link.visible_pipeline_cursors(OUT pipeline pg_catalog.text,
		OUT partition pg_catalog.int4, OUT next_offset pg_catalog.int8,
		OUT latest_offset pg_catalog.int8, OUT attempts pg_catalog.int4,
		OUT retry_at pg_catalog.timestamptz, OUT batch_id pg_catalog.int8)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_pipeline_cursors';

CREATE FUNCTION link.visible_pipeline_batches(OUT batch_id pg_catalog.int8, OUT pipeline pg_catalog.text,
		OUT state pg_catalog.text, OUT partitions pg_catalog.int4, OUT rows pg_catalog.int8,
		OUT bytes pg_catalog.int8, OUT started_at pg_catalog.timestamptz, OUT duration_ms pg_catalog.float8)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_pipeline_batches';

-- The raw text of rows is for the pipeline's owner alone.
CREATE FUNCTION link.visible_pipeline_errors(OUT error_id pg_catalog.int8, OUT pipeline pg_catalog.text,
		OUT batch_id pg_catalog.int8, OUT kind pg_catalog.text, OUT sqlstate pg_catalog.text,
		OUT message pg_catalog.text, OUT detail pg_catalog.text, OUT source pg_catalog.text,
		OUT "position" pg_catalog.int8, OUT raw pg_catalog.text, OUT occurred_at pg_catalog.timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_pipeline_errors';

CREATE VIEW link.pipelines WITH (security_barrier) AS
	SELECT v.pipeline, v.owner, v.link, v.path, v.target, v.state, v.error, v.pending_files, v.lag,
		v.batch_interval, v.max_partitions, v.max_retries, v.max_offsets, v.skip_errors, v.stop_on_error,
		v.created_at, v.altered_at
	FROM link.visible_pipelines() v;
CREATE VIEW link.pipeline_files WITH (security_barrier) AS
	SELECT v.pipeline, v.path, v.size, v.last_modified, v.etag, v.state, v.attempts, v.retry_at, v.batch_id
	FROM link.visible_pipeline_files() v;
CREATE VIEW link.pipeline_cursors WITH (security_barrier) AS
	SELECT v.pipeline, v.partition, v.next_offset, v.latest_offset,
		v.latest_offset OPERATOR(pg_catalog.-) v.next_offset AS lag, v.attempts, v.retry_at, v.batch_id
	FROM link.visible_pipeline_cursors() v;
CREATE VIEW link.pipeline_batches WITH (security_barrier) AS
	SELECT v.pipeline, v.batch_id, v.state, v.partitions, v.rows, v.bytes, v.started_at, v.duration_ms
	FROM link.visible_pipeline_batches() v;
CREATE VIEW link.pipeline_errors WITH (security_barrier) AS
	SELECT v.pipeline, v.error_id, v.batch_id, v.kind, v.sqlstate, v.message, v.detail, v.source,
		v."position", v.raw, v.occurred_at
	FROM link.visible_pipeline_errors() v;

/* ---- operating ---- */

CREATE FUNCTION link.status(OUT item pg_catalog.text, OUT value pg_catalog.text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_status';

-- Take back uploads that killed sessions left behind.
CREATE FUNCTION link.abort_uploads(link pg_catalog.text DEFAULT NULL,
		older_than pg_catalog.interval DEFAULT '0')
	RETURNS TABLE (link pg_catalog.text, path pg_catalog.text, started pg_catalog.timestamptz,
		outcome pg_catalog.text)
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_abort_uploads';

CREATE FUNCTION link.add_master_key() RETURNS pg_catalog.text
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_add_master_key';

CREATE FUNCTION link.retire_master_key(id pg_catalog.text) RETURNS pg_catalog.void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_retire_master_key';

-- Seal every link of this database under the current key; returns how many.
CREATE FUNCTION link.reseal() RETURNS pg_catalog.int8
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_reseal';

-- Behind the view of the same rows: what the current user may see.
CREATE FUNCTION link.visible_stat_links(OUT schema pg_catalog.text, OUT link pg_catalog.text,
		OUT uses pg_catalog.int8, OUT rows pg_catalog.int8, OUT bytes pg_catalog.int8,
		OUT requests pg_catalog.int8, OUT retries pg_catalog.int8, OUT errors pg_catalog.int8,
		OUT last_use pg_catalog.timestamptz, OUT last_error pg_catalog.text,
		OUT last_sqlstate pg_catalog.text, OUT stats_reset pg_catalog.timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_visible_stat_links';

CREATE VIEW link.stat_links WITH (security_barrier) AS
	SELECT v.schema, v.link, v.uses, v.rows, v.bytes, v.requests, v.retries, v.errors,
		v.last_use, v.last_error, v.last_sqlstate, v.stats_reset
	FROM link.visible_stat_links() v;

-- Of all links of this database.
CREATE FUNCTION link.reset_stat_links() RETURNS pg_catalog.void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'link_fn_reset_stat_links';

/* ---- who may call what: nobody, then this list ---- */

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA link FROM PUBLIC;
REVOKE ALL ON TYPE link.role_ref, link.table_ref FROM PUBLIC;

GRANT SELECT ON link.links, link.privileges, link.stat_links, link.pipelines, link.pipeline_files,
	link.pipeline_cursors, link.pipeline_batches, link.pipeline_errors, link.backups,
	link.backup_progress TO PUBLIC;
GRANT EXECUTE ON FUNCTION
	link.execute(pg_catalog.text),
	link.create_link(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool),
	link.alter_link(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text),
	link.set_link_config(pg_catalog.text, pg_catalog.text, pg_catalog.text),
	link.set_link_credential(pg_catalog.text, pg_catalog.text, pg_catalog.text),
	link.rename_link(pg_catalog.text, pg_catalog.text),
	link.set_link_schema(pg_catalog.text, pg_catalog.text),
	link.set_link_owner(pg_catalog.text, pg_catalog.regrole),
	link.drop_link(pg_catalog.text, pg_catalog.bool, pg_catalog.bool),
	link.reassign_owned(pg_catalog.regrole, pg_catalog.regrole),
	link.show_links(pg_catalog.text),
	link.show_create_link(pg_catalog.text),
	link.visible_links(),
	link.grant_privilege(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool),
	link.revoke_privilege(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.bool),
	link.visible_privileges(),
	link.visible_stat_links(),
	link.who_can_use(pg_catalog.text),
	link.has_link_privilege(pg_catalog.name, pg_catalog.text, pg_catalog.text),
	link.has_link_privilege(pg_catalog.oid, pg_catalog.text, pg_catalog.text),
	link.has_link_privilege(pg_catalog.text, pg_catalog.text),
	link.has_link_privilege(pg_catalog.name, pg_catalog.int8, pg_catalog.text),
	link.has_link_privilege(pg_catalog.oid, pg_catalog.int8, pg_catalog.text),
	link.has_link_privilege(pg_catalog.int8, pg_catalog.text),
	link.check_link(pg_catalog.text, pg_catalog.text),
	link.list_files(pg_catalog.text, pg_catalog.text),
	link.read_file(pg_catalog.text, pg_catalog.text),
	link.write_file(pg_catalog.text, pg_catalog.text, pg_catalog.bytea, pg_catalog.bool),
	link.remove_file(pg_catalog.text, pg_catalog.text),
	link.select_into(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text, pg_catalog.bool, pg_catalog.int8, pg_catalog.text[], pg_catalog.text, pg_catalog.bool, pg_catalog.int4),
	link.load_data(pg_catalog.text, pg_catalog.text, pg_catalog.regclass, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8),
	link.select_from(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text[], pg_catalog.text),
	link.create_pipeline(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.regclass, pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.text[], pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.regprocedure, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.text[], pg_catalog.bool, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool),
	link.alter_pipeline(pg_catalog.text, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.int8, pg_catalog.text[], pg_catalog.bool),
	link.rename_pipeline(pg_catalog.text, pg_catalog.text),
	link.set_pipeline_owner(pg_catalog.text, pg_catalog.regrole),
	link.drop_pipeline(pg_catalog.text, pg_catalog.bool),
	link.start_pipeline(pg_catalog.text, pg_catalog.bool, pg_catalog.int8, pg_catalog.bool),
	link.stop_pipeline(pg_catalog.text, pg_catalog.bool),
	link.start_all_pipelines(),
	link.stop_all_pipelines(),
	link.test_pipeline(pg_catalog.text, pg_catalog.int8),
	link.set_pipeline_offsets(pg_catalog.text, pg_catalog.text),
	link.drop_pipeline_file(pg_catalog.text, pg_catalog.text),
	link.drop_pipeline_partition(pg_catalog.text, pg_catalog.int4),
	link.drop_orphan_files(pg_catalog.text),
	link.clear_pipeline_errors(pg_catalog.text),
	link.show_pipelines(),
	link.show_create_pipeline(pg_catalog.text),
	link.visible_pipelines(),
	link.visible_pipeline_files(),
	link.visible_pipeline_cursors(),
	link.visible_pipeline_batches(),
	link.visible_pipeline_errors(),
	link.abort_uploads(pg_catalog.text, pg_catalog.interval),
	link.backup_database(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.text, pg_catalog.text[]),
	link.restore_database(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.int4, pg_catalog.bool),
	link.verify_backup(pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.int4),
	link.list_backups(pg_catalog.text, pg_catalog.text),
	link.drop_backup(pg_catalog.text, pg_catalog.text, pg_catalog.int8),
	link.visible_backups(),
	link.visible_backup_progress()
	TO PUBLIC;
GRANT EXECUTE ON FUNCTION link.status() TO pg_monitor;
