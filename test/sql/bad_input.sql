-- What users, mistakes and attackers type: a clear error, and nothing changed.
CREATE FUNCTION pg_temp.try(sql text) RETURNS TABLE (state text, message text, hint text) LANGUAGE plpgsql AS $$
DECLARE
	d text;
BEGIN
	EXECUTE sql;
	RETURN QUERY SELECT '00000', 'done', '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, d = PG_EXCEPTION_DETAIL;
	IF d <> '' THEN message := message || ' / ' || left(d, 300); END IF;
	message := left(message, 400);
	RETURN NEXT;
END $$;
SET client_min_messages = error;
CREATE SCHEMA bad;
SET search_path = bad, public;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_bad && mkdir -p /tmp/link_regress_bad && cat > /dev/null';
SELECT link.create_link('files', 'FS', config => '{"root":"/tmp/link_regress_bad"}');

-- JSON.
SELECT j.json, t.* FROM (VALUES ('{"a'), ('{'), (''), (' '), ('[]'), ('"x"'), ('null'), ('{}{}'), ('{} x'), ('{"creds_mode":}'),
	('{"creds_mode":"anonymous",}'), ('{"creds_mode":"anonymous","creds_mode":"static"}'), ('{"creds_m\u006fde":"anonymous","creds_mode":"static"}'),
	('{"creds_mode":"anon\u0000"}'), ('{''creds_mode'':''anonymous''}'), ('{"creds_mode":NaN}'), ('{"creds_mode":1}'), ('{"creds_mode":null}'),
	('{"creds_mode":["anonymous"]}'), ('{"creds_mode":"sttic"}'), ('{"creds_mode":"instance","aws_access_key_id":"x"}'), ('{"aws_acces_key_id":"x"}'), ('{"region":"x"}'),
	('{"aws_access_key_id":"only"}'), ('{"aws_secret_access_key":"only"}'), ('{"creds_mode":"anonymous","aws_access_key_id":"x"}'),
	('{"zzzzzzzzzzzz":"x"}'), ('{"role_arn":"arn:aws:iam::1:role/x"}')) j(json),
	LATERAL pg_temp.try(format('SELECT link.create_link(''x'', ''S3'', %L)', j.json)) t;

-- The identity of the server goes to hosts of the vendor only.
SELECT j.*, t.* FROM (VALUES ('S3', '{"creds_mode":"instance"}', '{"endpoint_url":"https://evil.example"}'), ('S3', '{"creds_mode":"environment"}', '{"endpoint_url":"https://evil.example"}'),
	('S3', '{"creds_mode":"eks_irsa"}', '{"endpoint_url":"https://evil.example"}'), ('S3', '{"creds_mode":"eks_irsa"}', '{"sts_endpoint_url":"https://evil.example"}'),
	('AZURE', '{"creds_mode":"managed_identity","account_name":"acct"}', '{"endpoint_url":"https://evil.example"}'),
	('GCS', '{"creds_mode":"instance"}', '{"endpoint_url":"https://evil.example"}'), ('GCS', '{"creds_mode":"instance"}', '{"token_endpoint_url":"https://evil.example"}')) j(type, credentials, config),
	LATERAL pg_temp.try(format('SELECT link.create_link(''x'', %L, %L, %L)', j.type, j.credentials, j.config)) t;
SELECT j.what, t.state, t.message FROM (VALUES
	('deep', repeat('{"a":', 100) || '1' || repeat('}', 100)),
	('deep array', '{"a":' || repeat('[', 100000)),
	('large value', '{"aws_access_key_id":"' || repeat('x', 1100000) || '"}'),
	('invalid escape', '{"aws_access_key_id":"\x"}'), ('lone surrogate', '{"aws_access_key_id":"\ud800"}'),
	('control byte', E'{"aws_access_key_id":"\x01"}'), ('raw newline', E'{"aws_access_key_id":"a\nb"}')) j(what, json),
	LATERAL pg_temp.try(format('SELECT link.create_link(''x'', ''S3'', %L)', j.json)) t;
SELECT t.state, t.message FROM pg_temp.try($$SELECT link.create_link('x', 'S3', convert_from('\x7b2261223a22ff227d', 'UTF8'))$$) t;

-- CONFIG.
SELECT j.json, t.* FROM (VALUES ('{"aws_secret_access_key":"x"}'), ('{"aws_access_key_id":"x"}'), ('{"regoin":"x"}'), ('{"region":"not a host"}'), ('{"region":5}'),
	('{"endpoint_url":"ftp://x"}'), ('{"endpoint_url":"https://user:pw@x"}'), ('{"endpoint_url":"https://x?y=z"}'), ('{"endpoint_url":"https://x#y"}'),
	('{"endpoint_url":"x"}'), ('{"endpoint_url":"https://x:99999"}'), ('{"endpoint_url":"https://"}'),
	('{"multipart_chunk_size_mb":4}'), ('{"multipart_chunk_size_mb":501}'), ('{"multipart_chunk_size_mb":"many"}'), ('{"multipart_chunk_size_mb":1.5}'),
	('{"path_prefixes":"../x"}'), ('{"path_prefixes":[1]}'), ('{"path_prefixes":["a//b"]}'), ('{"append_only":"maybe"}'), ('{"connect_timeout":-1}'), ('{"root":"/tmp"}')) j(json),
	LATERAL pg_temp.try(format('SELECT link.create_link(''x'', ''S3'', ''{"creds_mode":"anonymous"}'', %L)', j.json)) t;

-- Names.
SELECT left(j.name, 20) AS name, t.state, left(t.message, 120) AS message FROM (VALUES (repeat('n', 63)), (repeat('n', 64)), (repeat('é', 32)), (repeat('s', 64) || '.x'), (''), ('.'), ('a.'), ('.a'),
	('a.b.c'), ('"a'), ('"a"b'), ('""'), (E'a\tb'), (E'a\x7f')) j(name),
	LATERAL pg_temp.try(format('SELECT link.create_link(%L, ''S3'', ''{"creds_mode":"anonymous"}'')', j.name)) t;
SELECT t.* FROM pg_temp.try($$SELECT link.create_link(NULL, 'S3')$$) t
UNION ALL SELECT t.* FROM pg_temp.try($$SELECT link.create_link('x', NULL)$$) t
UNION ALL SELECT t.* FROM pg_temp.try($$SELECT link.create_link('x', '')$$) t
UNION ALL SELECT t.* FROM pg_temp.try($$SELECT link.create_link('x', 'S4')$$) t
UNION ALL SELECT t.* FROM pg_temp.try($$SELECT link.create_link('x', repeat('S', 10000))$$) t;

-- Paths.
SELECT left(quote_literal(j.path), 30) AS path, t.state, left(t.message, 200) AS message FROM (VALUES (''), ('/'), ('/etc/passwd'), ('..'), ('../x'), ('a/../b'), ('a/..'), ('.'), ('a/./b'), ('a//b'), ('a/'), ('a\b'),
	(E'a\nb'), (E'a\x7f'), (repeat('p', 1024)), (repeat('p', 1025)), ('%2e%2e/x'), ('a%2fb'), ('*'), ('[')) j(path),
	LATERAL pg_temp.try(format('SELECT link.read_file(''bad.files'', %L)', j.path)) t;
SELECT left(quote_literal(j.path), 30) AS path, t.state, left(t.message, 200) AS message FROM (VALUES ('[z-a]'), ('[abc'), ('{a,b'), ('a}'), ('{a,{b,c}}'), ('../*'), ('**/../x'), (repeat('*a', 500)), (repeat('{a,b}', 200))) j(path),
	LATERAL pg_temp.try(format('SELECT count(*) FROM link.list_files(''bad.files'', %L)', j.path)) t;

-- Statements, whole and cut off anywhere: an error or an answer, and never an internal one.
SELECT j.statement, t.* FROM (VALUES (''), (';'), ('FROB LINK x'), ('CREATE LINK'), ('CREATE LINK x'), ('CREATE LINK x AS'), ('CREATE LINK x AS S3 CREDENTIALS'),
	('CREATE LINK x AS S3 CREDENTIALS ''{}'' CREDENTIALS ''{}'''), ('CREATE OR REPLACE LINK IF NOT EXISTS x AS S3'), ('DROP LINK x; DROP LINK y'), ('DROP LINK ''x'),
	('SHOW LINKS ON'), ('SHOW TABLES'), ('ALTER LINK x SET CONFIG ::a ''b'''), ('ALTER LINK x SET CONFIG ''{}'' SET CONFIG ''{}'''), ('USE nowhere'),
	('SELECT 1'), ('SELECT 1 INTO LINK'), ('SELECT 1 INTO LINK files'), ('SELECT 1 INTO LINK files ''x'' FIELDS'), ('SELECT (1 INTO LINK files ''x'''),
	('SELECT ''1 INTO LINK files ''''x'''''''), ('INSERT INTO LINK files ''x'''), ('SELECT 1 INTO LINK files ''x'' FIELDS TERMINATED BY ''ab'''),
	('SELECT 1 INTO LINK files ''x'' LINES STARTING BY ''>'''), ('SELECT 1 INTO LINK files ''x'' FORMAT PARQUET'), ('SELECT 1 INTO LINK files ''x'' WITH (frob = 1)'),
	('LOAD DATA LINK files ''x'''), ('LOAD DATA INFILE ''x'' INTO TABLE t'), ('CREATE PIPELINE p AS LOAD DATA LINK files ''x'' INTO TABLE t'), ('BACKUP DATABASE d TO LINK files ''x'''),
	('/* unfinished'), ('"unfinished'), ('`unfinished'), ('GRANT'), ('CREATE LINK x AS S3 /* a /* b */ CONFIG ''{}'' "c"')) j(statement),
	LATERAL pg_temp.try(format('SELECT * FROM link.execute(%L)', j.statement)) t;
WITH whole(statement) AS (VALUES
	($$CREATE OR REPLACE LINK bad.cut AS S3 CREDENTIALS '{"aws_access_key_id":"a","aws_secret_access_key":"b"}' CONFIG '{"region":"r"}' DESCRIPTION 'it''s' x$$),
	($$ALTER LINK bad.cut SET CREDENTIALS ::aws_secret_access_key = 'b' SET CONFIG '{}' SET DESCRIPTION 'd' x$$),
	($$GRANT SHOW LINK, USE LINK ON bad.* TO 'user1'@'%', PUBLIC, ROLE r WITH GRANT OPTION x$$),
	($$REVOKE GRANT OPTION FOR SHOW LINK ON LINK bad.`cut` FROM "user1" CASCADE x$$),
	($$WITH a AS (SELECT $q$x$q$ AS b, E'\'' AS c, "d" FROM e) SELECT * FROM a INTO LINK bad.cut 'p' FIELDS TERMINATED BY '\t' OPTIONALLY ENCLOSED BY '"' LINES TERMINATED BY '\n' WITH (a = 1) x$$),
	($$LOAD DATA LINK bad.cut 'p' INTO TABLE t (a, b) FIELDS TERMINATED BY ',' IGNORE 1 LINES WITH (encoding = 'utf8') x$$)),
cuts AS (SELECT left(statement, n) AS statement FROM whole, LATERAL generate_series(0, length(statement)) n)
SELECT count(*) AS statements, count(*) FILTER (WHERE t.state IN ('00000', '42601', '42704', '22023', '3F000', '42501', '42P01', '42703')) AS as_they_should,
	count(*) FILTER (WHERE t.state LIKE 'XX%') AS internal, count(*) FILTER (WHERE t.message LIKE '%"b"}%' OR t.message LIKE '%:"b%') AS leaking
FROM cuts, LATERAL pg_temp.try(format('SELECT * FROM link.execute(%L)', cuts.statement)) t;

-- Positions point into the statement, secrets in it are blanked.
\set VERBOSITY default
RESET client_min_messages;
SELECT link.execute('SHOW LINKS FROM x');
SELECT link.execute($$CREATE LINK x AS S3 CREDENTIALS '{"aws_secret_access_key":"hidden"}' KONFIG '{"a":"shown?"}'$$);
SELECT link.execute('SELECT nope INTO LINK files ''x''');
SELECT link.execute('SELECT 1 FRM x INTO LINK files ''x''');

SELECT link.drop_link('cut', if_exists => true);
SELECT link FROM link.links ORDER BY 1;
DROP SCHEMA bad CASCADE;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_bad; cat > /dev/null';
