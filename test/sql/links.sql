-- Making, altering, showing and dropping links.  No network: S3 links here lead nowhere.
-- whether the library is preloaded (020_secret_hunt.pl) makes no difference here
SET client_min_messages = error;
CREATE ROLE regress_link_maker;
CREATE ROLE regress_link_other;
CREATE SCHEMA shop;
CREATE SCHEMA store;
GRANT USAGE ON SCHEMA shop, store TO PUBLIC;
SELECT link.grant_privilege('CREATE', 'shop.*', 'regress_link_maker');
LOAD 'link';

SELECT link.create_link('shop.Sales_S3', 'S3', '{"aws_access_key_id":"AKIA","aws_secret_access_key":"hidden"}', '{"region":"eu-west-1"}', 'Sales');
RESET client_min_messages;
SELECT link.create_link('shop.bare', 's3', '{"creds_mode":"anonymous"}');
SELECT schema, link, type, description, config, owner = quote_ident(current_user) AS mine, credential_keys,
	credentials_changed_at IS NOT NULL AS changed, altered_at >= created_at AS times FROM link.links ORDER BY created_at;
SELECT * FROM link.show_links('shop');
SELECT link.show_create_link('shop.sales_s3');
SELECT credentials IS NULL AS none, position('hidden'::bytea IN credentials) AS secret_at FROM link.link ORDER BY id;

-- Names: kept as typed, compared without regard to case.
SELECT link.create_link('shop.SALES_s3', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.create_link('shop.Sales_S3', 'S3', '{"creds_mode":"anonymous"}', if_not_exists => true);
SELECT link.create_link('SHOP."odd ""name.1"', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.show_create_link('shop."ODD ""NAME.1"');
SELECT link.create_link('nowhere.x', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.create_link('pg_catalog.x', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.create_link('link.x', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.create_link('pg_temp.x', 'S3', '{"creds_mode":"anonymous"}');
SET search_path = pg_temp;
SELECT link.create_link('x', 'S3', '{"creds_mode":"anonymous"}');
SET search_path = store, shop, public;
SELECT link.create_link('here', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.show_create_link('here');
SELECT link.show_create_link('bare');
RESET search_path;

-- Types.
SELECT link.create_link('shop.x', 'AZURE', '{"account_name":"a","account_key":"hidden","sas_token":"x"}');
SELECT link.create_link('shop.x', 'GCS', '{"access_id":"a"}');
SELECT link.create_link('shop.x', 'HDFS', '{"user":"a"}');
SELECT link.create_link('shop.x', 'HDFS', '{"user":"a"}', '{"webhdfs_url":["http://a:9870","http://b:9870/"]}');
SELECT link.drop_link('shop.x');
SELECT link.create_link('shop.x', 'mysql', '{}');
SELECT link.create_link('shop.x', 'kafka', '{"sasl.username":"a","sasl.password":"hidden"}', '{"bootstrap.servers":"b:9092"}');
SELECT link.create_link('shop.x', 'kafka', '{}', '{"bootstrap.servers":"b:9092","plugin.library.paths":"/tmp/x.so"}');
SELECT link.create_link('shop.x', 'kafka', '{}', '{"bootstrap.servers":"b:9092","security.protocol":"sasl_ssl","sasl.mechanism":"GSSAPI"}');

-- Replace keeps the identity and the grants, not the credentials.
SELECT link.grant_privilege('USE', 'LINK shop.bare', 'regress_link_other');
SELECT id AS before FROM link.link WHERE name = 'bare' \gset
SELECT link.create_link('shop.bare', 'S3', '{"aws_access_key_id":"AKIA","aws_secret_access_key":"hidden"}', or_replace => true);
SELECT link.create_link('shop.bare', 'FS', config => '{"root":"/tmp"}', or_replace => true);
SELECT link.create_link('shop.bare', 'S3', '{"creds_mode":"anonymous"}', '{"region":"us-west-2"}', or_replace => true);
SELECT id = :before AS same_link, credential_keys FROM link.link WHERE name = 'bare';
SELECT grantee, scope, privilege FROM link.privileges ORDER BY 1, 2, 3;
SELECT link.create_link('shop.bare', 'S3', or_replace => true, if_not_exists => true);

-- Alter.
SELECT link.alter_link('shop.sales_s3', description => 'All sales');
SELECT link.alter_link('shop.sales_s3', config => '{"region":"eu-west-1","path_prefixes":["sales/2026"],"append_only":true}');
SELECT link.set_link_config('shop.sales_s3', 'max_retries', '3');
SELECT link.set_link_config('shop.sales_s3', 'append_only', NULL);
SELECT link.set_link_config('shop.sales_s3', 'path_prefixes', '["sales/2026","sales/2027"]');
SELECT link.set_link_credential('shop.sales_s3', 'aws_secret_access_key', 'other');
SELECT link.set_link_credential('shop.sales_s3', 'aws_session_token', 'token');
SELECT link.show_create_link('shop.sales_s3');
SELECT link.set_link_credential('shop.sales_s3', 'aws_session_token', NULL);
SELECT link.set_link_credential('shop.sales_s3', 'aws_secret_access_key', NULL);
-- what decides where credentials go needs the credentials again
SELECT link.set_link_config('shop.sales_s3', 'endpoint_url', 'https://evil.example.com');
SELECT link.alter_link('shop.sales_s3', config => '{"region":"eu-west-2"}');
SELECT link.alter_link('shop.sales_s3', config => '{"region":"eu-west-1","ca_certificate":"-----BEGIN CERTIFICATE-----"}');
SELECT link.alter_link('shop.sales_s3', config => '{"region":"eu-west-2"}',
	credentials => '{"aws_access_key_id":"AKIA","aws_secret_access_key":"hidden"}');
SELECT config FROM link.links WHERE link = 'Sales_S3';

-- Rename, move, give away.
SELECT link.rename_link('shop.sales_s3', 'Sales');
SELECT link.rename_link('shop.bare', 'sales');
SELECT link.set_link_schema('shop.sales', 'store');
SELECT link.set_link_schema('store.sales', 'pg_catalog');
SELECT link.set_link_owner('store.sales', 'regress_link_maker');
SELECT schema, link, owner FROM link.links WHERE link = 'Sales';
SET ROLE regress_link_maker;
\set VERBOSITY sqlstate
SELECT link.set_link_owner('store.sales', 'regress_link_other');
\set VERBOSITY default
SELECT link.set_link_schema('store.sales', 'shop');
SELECT link.create_link('store.mine', 'S3', '{"creds_mode":"anonymous"}');
SELECT link.create_link('shop.mine', 'FS', config => '{"root":"/tmp"}');
SELECT link.create_link('shop.mine', 'S3', '{"creds_mode":"environment"}');
SELECT link.create_link('shop.mine', 'S3', '{"creds_mode":"anonymous"}');
RESET ROLE;

-- Cannot be undone by halves: a rollback is a rollback.
BEGIN;
SELECT link.drop_link('shop.mine');
SELECT link.create_link('shop.mine', 'S3', '{"creds_mode":"anonymous"}');
ROLLBACK;
SELECT owner FROM link.links WHERE link = 'mine';
BEGIN READ ONLY;
SELECT link.drop_link('shop.mine');
ROLLBACK;

-- Schemas.
DROP SCHEMA shop;
ALTER SCHEMA shop RENAME TO shop2;
SELECT schema, link FROM link.links ORDER BY schema, link COLLATE "C";
DROP SCHEMA shop2 CASCADE;
SELECT schema, link FROM link.links ORDER BY schema, link COLLATE "C";
SELECT grantee, scope, privilege FROM link.privileges;
DROP ROLE regress_link_maker;
SELECT link.reassign_owned('regress_link_maker', 'regress_link_other');
DROP ROLE regress_link_maker;
SELECT link.drop_link('store.sales');
SELECT link.drop_link('store.sales');
SELECT link.drop_link('store.sales', if_exists => true);
SELECT link.drop_link('store.here', cascade => true);
DROP ROLE regress_link_other;
DROP SCHEMA store;
SELECT count(*) FROM link.link;
-- nothing of ours is left on the anchor
SELECT count(*) FROM pg_shdepend WHERE objid = 'link.role_anchor'::regclass AND deptype = 'a' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database());

-- Who may call what, and who writes the tables.
SELECT p.oid::regprocedure AS function, p.proacl::text = format('{%1$s=X/%1$s}', quote_ident(current_user)) AS owner_only FROM pg_proc p WHERE pronamespace = 'link'::regnamespace AND NOT has_function_privilege('pg_monitor', p.oid, 'EXECUTE') ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT count(*) AS to_public FROM pg_proc p WHERE pronamespace = 'link'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE');
SELECT relname, relkind FROM pg_class WHERE relnamespace = 'link'::regnamespace AND relkind IN ('r', 'v', 'S')
	AND has_table_privilege('public', oid, 'SELECT') ORDER BY 1;
