-- The story of test/demo.sh; "root" is a directory that the server may write to.
\set ECHO queries
\pset footer off
\echo '\n-- A superuser installs the extension and makes a link to a directory of the server.\n'
CREATE EXTENSION link;
CREATE SCHEMA productdb;
CREATE ROLE user1 LOGIN;
GRANT USAGE ON SCHEMA productdb TO user1;
CREATE TABLE productdb.t1 AS SELECT n AS id, 'product ' || n AS name, (n * 1.25)::numeric(10,2) AS price, date '2026-01-01' + n AS since FROM generate_series(1, 5) n;
GRANT SELECT ON productdb.t1 TO user1;
SELECT link.create_link('productdb.exports', 'FS', config => json_build_object('root', :'root')::text, description => 'Exports of this server');

\echo '\n-- USE lets a role write and read through the link without seeing where it leads.\n'
SELECT * FROM link.execute($$GRANT USE LINK ON productdb.* TO 'user1'$$);

\echo '\n-- From here on as that role.\n'
SET SESSION AUTHORIZATION user1;
SELECT * FROM link.execute('USE productdb');
SELECT * FROM link.execute($$SELECT * FROM t1 INTO LINK exports 'testing/output'$$);
SELECT * FROM link.execute($$LIST LINK exports 'testing/'$$);
SELECT convert_from(link.read_file('exports', 'testing/output'), 'UTF8') AS "the object, as COPY would write it";
CREATE TEMP TABLE t2 (id int, name text, price numeric(10,2), since date);
SELECT * FROM link.execute($$LOAD DATA LINK exports 'testing/output' INTO TABLE t2$$);
SELECT count(*) AS "rows that differ" FROM ((TABLE t1 EXCEPT TABLE t2) UNION ALL (TABLE t2 EXCEPT TABLE t1)) d;

\echo '\n-- The same through functions, as CSV; and a query straight from the object.\n'
SELECT * FROM link.select_into('SELECT id, name FROM productdb.t1 WHERE id > 3', 'exports', 'testing/some.csv', format => 'csv', header => true);
SELECT * FROM link.select_from('exports', 'testing/some.csv', format => 'csv', header => 'true') AS t(id int, name text);

\echo '\n-- An object that exists is not replaced by accident, a failed export leaves nothing, and seeing needs SHOW or VIEW.\n'
\set ON_ERROR_STOP off
SELECT * FROM link.execute($$SELECT * FROM t1 INTO LINK exports 'testing/output'$$);
SELECT * FROM link.execute($$SELECT 1 / (5 - id) FROM t1 INTO LINK exports 'testing/half'$$);
SELECT * FROM link.execute($$SHOW CREATE LINK exports$$);
\set ON_ERROR_STOP on
SELECT path, size FROM link.list_files('exports', 'testing/*');

\echo '\n-- And back as the superuser: what is there, who may use it, does it work?\n'
RESET SESSION AUTHORIZATION;
SELECT * FROM link.execute('SHOW FULL LINKS ON productdb');
SELECT * FROM link.who_can_use('productdb.exports');
SELECT step, ok, detail FROM link.check_link('productdb.exports', 'testing');

\echo '\n-- A schema goes to the link and comes back under another name, whole or not at all.\n'
SELECT * FROM link.execute($$BACKUP DATABASE productdb TO LINK productdb.exports 'nightly'$$);
SELECT * FROM link.execute($$RESTORE DATABASE productdb AS yesterday FROM LINK productdb.exports 'nightly'$$);
SELECT count(*) AS "rows that differ" FROM ((TABLE productdb.t1 EXCEPT TABLE yesterday.t1) UNION ALL (TABLE yesterday.t1 EXCEPT TABLE productdb.t1)) d;
SELECT schemas, mode, error FROM link.list_backups('productdb.exports', 'nightly');
