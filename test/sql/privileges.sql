-- Granting and revoking: options, chains, warnings.
\set VERBOSITY terse
CREATE ROLE regress_link_a;
CREATE ROLE regress_link_b;
CREATE ROLE regress_link_c;
CREATE ROLE regress_link_group;
GRANT regress_link_group TO regress_link_c;
CREATE SCHEMA vault;
GRANT USAGE ON SCHEMA vault TO PUBLIC;
SELECT link.create_link('vault.l', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.create_link('vault.m', 'S3', '{"creds_mode":"anonymous"}');
SELECT quote_ident(current_user) AS me \gset
CREATE FUNCTION pg_temp.grants() RETURNS TABLE (grantor text, grantee text, scope text, privilege text, is_grantable boolean)
	LANGUAGE sql AS $$
	SELECT CASE grantor WHEN quote_ident(session_user) THEN 'superuser' ELSE grantor END, grantee, scope, privilege, is_grantable
	FROM link.privileges ORDER BY 2, 3, 4, 1 $$;

-- Words.
SELECT link.grant_privilege('show, use link,VIEW   LINK', 'vault.*', 'regress_link_a');
SELECT link.grant_privilege('ALL PRIVILEGES', 'LINK vault.l', '"regress_link_b"');
SELECT link.grant_privilege('READ', '*.*', 'public');
SELECT * FROM pg_temp.grants();
SELECT link.grant_privilege('SELECT', 'vault.*', 'regress_link_a');
SELECT link.grant_privilege('', 'vault.*', 'regress_link_a');
SELECT link.grant_privilege('SHOW', 'vault.l', 'regress_link_a');
SELECT link.grant_privilege('SHOW', 'vault', 'regress_link_a');
SELECT link.grant_privilege('SHOW', 'nowhere.*', 'regress_link_a');
SELECT link.grant_privilege('SHOW', 'LINK vault.nowhere', 'regress_link_a');
SELECT link.grant_privilege('SHOW', 'vault.*', 'regress_link_nobody');
SELECT link.grant_privilege('CREATE', 'LINK vault.l', 'regress_link_a');
SELECT link.grant_privilege('AMBIENT', 'vault.*', 'regress_link_a');
SELECT link.grant_privilege('AMBIENT', '*.*', 'regress_link_a', true);
SELECT link.grant_privilege('SHOW', '*.*', 'PUBLIC', true);
SELECT link.revoke_privilege('ALL', 'vault.*', 'regress_link_a');
SELECT link.revoke_privilege('ALL', 'LINK vault.l', 'regress_link_b');
SELECT link.revoke_privilege('READ', '*.*', 'PUBLIC');
SELECT * FROM pg_temp.grants();

-- Chains.
SELECT link.grant_privilege('SHOW', 'vault.*', 'regress_link_a', true);
SET ROLE regress_link_a;
SELECT link.grant_privilege('SHOW', 'vault.*', 'regress_link_b', true);
SELECT link.grant_privilege('READ', 'LINK vault.m', 'regress_link_c');
SELECT link.grant_privilege('SHOW', '*.*', 'regress_link_b');
SELECT link.grant_privilege('ALTER', 'vault.*', 'regress_link_b');
SELECT link.grant_privilege('CREATE', 'vault.*', 'regress_link_b');
SET ROLE regress_link_b;
SELECT link.grant_privilege('USE', 'LINK vault.l', 'regress_link_c');
RESET ROLE;
SELECT * FROM pg_temp.grants();
SELECT link.revoke_privilege('SHOW', 'vault.*', 'regress_link_a');
SELECT link.revoke_privilege('SHOW', 'vault.*', 'regress_link_a', grant_option_only => true);
SELECT link.revoke_privilege('SHOW', 'vault.*', 'regress_link_a', grant_option_only => true, cascade => true);
SELECT * FROM pg_temp.grants();
SELECT link.revoke_privilege('SHOW', 'vault.*', 'regress_link_a');

-- A grant of another is not mine to revoke; a superuser's and an owner's is.
SELECT link.grant_privilege('SHOW', 'vault.*', 'regress_link_a', true);
SET ROLE regress_link_a;
SELECT link.grant_privilege('READ', 'LINK vault.l', 'regress_link_c');
SET ROLE regress_link_b;
SELECT link.revoke_privilege('READ', 'LINK vault.l', 'regress_link_c');
RESET ROLE;
SELECT link.revoke_privilege('READ', 'LINK vault.l', 'regress_link_c');
SELECT * FROM pg_temp.grants();

-- Warnings: nothing revoked, or still held.
SELECT link.revoke_privilege('DROP', 'vault.*', 'regress_link_c');
SELECT link.grant_privilege('SHOW', 'vault.*', 'regress_link_c');
SELECT link.grant_privilege('READ', 'LINK vault.l', 'regress_link_c');
SELECT link.revoke_privilege('READ', 'LINK vault.l', 'regress_link_c');
SELECT link.revoke_privilege('SHOW', 'vault.*', 'regress_link_c');
SELECT link.grant_privilege('USE', 'vault.*', 'regress_link_c');
SELECT link.grant_privilege('USE', 'vault.*', 'regress_link_group');
SELECT link.revoke_privilege('USE', 'vault.*', 'regress_link_c');
SELECT link.has_link_privilege('regress_link_c', 'vault.l', 'USE');
SELECT link.revoke_privilege('USE', 'vault.*', 'regress_link_group');

-- The six forms, and what is implied.
SELECT link.grant_privilege('ALTER', 'LINK vault.l', 'regress_link_c', true);
SELECT id AS lid FROM link.link WHERE name = 'l' \gset
SELECT link.has_link_privilege('regress_link_c', 'vault.l', 'ALTER') AS name_name,
	link.has_link_privilege('regress_link_c'::regrole::oid, 'vault.l', 'VIEW LINK') AS oid_name,
	link.has_link_privilege('regress_link_c', :lid, 'alter with grant option') AS name_id,
	link.has_link_privilege('regress_link_c'::regrole::oid, :lid, 'READ') AS oid_id,
	link.has_link_privilege('vault.l', 'DROP') AS super_name, link.has_link_privilege(:lid, 'SHOW, DROP') AS super_id;
SELECT link.has_link_privilege('regress_link_c', 'vault.l', 'READ, VIEW') AS any_of;
SELECT link.has_link_privilege('regress_link_nobody', 'vault.l', 'READ');
SELECT link.has_link_privilege('regress_link_c', 'vault.l', 'SELECT');
SELECT link.has_link_privilege('regress_link_c', 'vault.none', 'READ');
SELECT link.has_link_privilege(999999, 'READ');
SET ROLE regress_link_b;
SELECT link.has_link_privilege('vault.l', 'READ') AS there, link.has_link_privilege('vault.none', 'READ') AS absent;
SELECT * FROM link.privileges;
SELECT * FROM link.who_can_use('vault.l');
SET ROLE regress_link_c;
SELECT grantee, scope, privilege, is_grantable FROM link.privileges;
SELECT role, privilege, via FROM link.who_can_use('vault.l') WHERE role LIKE 'regress_link_%' ORDER BY 1, 2, 3;
RESET ROLE;

-- Statements.
SELECT * FROM link.execute($$GRANT SHOW LINK, DROP LINK ON vault.* TO 'regress_link_a', "regress_link_b", ROLE regress_link_c WITH GRANT OPTION$$);
SELECT * FROM link.execute($$SHOW GRANTS FOR regress_link_a$$);
SELECT * FROM link.execute($$REVOKE GRANT OPTION FOR DROP LINK ON vault.* FROM 'regress_link_a'@'%'$$);
SELECT * FROM link.execute($$REVOKE SHOW LINK, DROP LINK ON vault.* FROM regress_link_a, regress_link_b, regress_link_c CASCADE$$);
SELECT * FROM link.execute($$GRANT USE LINK ON LINK vault.l TO PUBLIC$$);
SELECT * FROM link.execute($$GRANT USE LINK ON vault.l TO PUBLIC$$);
SELECT * FROM link.execute($$GRANT USE LINK ON *.* TO 'regress_link_a'@'localhost'$$);
SELECT * FROM link.execute($$GRANT USE LINK ON *.* TO regress_link_a IDENTIFIED BY 'x'$$);
SELECT * FROM link.execute($$GRANT SELECT ON *.* TO regress_link_a$$);
SELECT * FROM link.execute($$REVOKE USE LINK ON LINK vault.l FROM PUBLIC$$);

-- The tables are written by the extension alone, whatever has been granted on them.
GRANT ALL ON link.link, link.privilege TO regress_link_a;
SET ROLE regress_link_a;
INSERT INTO link.privilege SELECT p.* FROM link.privilege p LIMIT 1;
UPDATE link.link SET type = 'FS';
UPDATE link.privilege SET grantee = 'regress_link_a';
DELETE FROM link.link;
DELETE FROM link.privilege;
TRUNCATE link.link, link.privilege;
ALTER TABLE link.link DISABLE TRIGGER ALL;
RESET ROLE;
TRUNCATE link.privilege;
REVOKE ALL ON link.link, link.privilege FROM regress_link_a;

-- The first link of the name along search_path is meant, whatever the rights on it.
CREATE ROLE regress_link_d;
CREATE SCHEMA attic;
GRANT USAGE ON SCHEMA attic TO PUBLIC;
SELECT link.create_link('attic.l', 'S3', '{"creds_mode":"anonymous"}', description => 'of the attic');
SELECT link.grant_privilege('SHOW', 'LINK attic.l', 'regress_link_d');
SET search_path = vault, attic;
SET ROLE regress_link_d;
SELECT link.has_link_privilege('attic.l', 'VIEW'), link.has_link_privilege('vault.l', 'VIEW');
SELECT link.show_create_link('l');
SET search_path = attic, vault;
SELECT link.show_create_link('l');
RESET ROLE;
RESET search_path;
DROP SCHEMA attic CASCADE;
DROP ROLE regress_link_d;

DROP OWNED BY regress_link_a, regress_link_b, regress_link_c;
SELECT * FROM pg_temp.grants();
DROP SCHEMA vault CASCADE;
DROP ROLE regress_link_a, regress_link_b, regress_link_c, regress_link_group;
