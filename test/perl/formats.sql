-- What test/t/100_formats.pl compares: values of every type, and a function that
-- writes the rows of a query twice, by COPY TO and through a link, and tells how
-- the files differ. Variables: root (of the link "files").

CREATE TABLE settings AS SELECT :'root'::text AS root;

-- ---- writing twice ----

CREATE TABLE results (what text, difference text);

CREATE FUNCTION copy_options(options jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(', ' || CASE
		WHEN key = 'force_quote' AND value = '["*"]' THEN 'FORCE_QUOTE *'
		WHEN key = 'force_quote' THEN 'FORCE_QUOTE (' || (SELECT string_agg(quote_ident(c), ', ') FROM jsonb_array_elements_text(value) c) || ')'
		WHEN key = 'header' THEN 'HEADER ' || (value #>> '{}')
		ELSE upper(key) || ' ' || quote_literal(value #>> '{}') END, ''), '')
	FROM jsonb_each(options) $$;

CREATE FUNCTION link_options(options jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format(', %I => ', key) || CASE
		WHEN key = 'force_quote' THEN quote_literal(ARRAY(SELECT jsonb_array_elements_text(value))) || '::text[]'
		WHEN key = 'header' THEN value #>> '{}'
		ELSE quote_literal(value #>> '{}') END, ''), '')
	FROM jsonb_each(options) $$;

-- Where two byte strings begin to differ, and what is there.
CREATE FUNCTION first_difference(expected bytea, written bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	low int := 0;
	high int := least(length(expected), length(written));
	mid int;
BEGIN
	IF substr(expected, 1, high) <> substr(written, 1, high) THEN
		WHILE low < high LOOP
			mid := (low + high + 1) / 2;
			IF substr(expected, 1, mid) = substr(written, 1, mid) THEN low := mid; ELSE high := mid - 1; END IF;
		END LOOP;
	ELSE
		low := high;
	END IF;
	RETURN format('at byte %s of %s and %s: expected %s found %s', low, length(expected), length(written),
		encode(substr(expected, greatest(low - 40, 1), 80), 'escape'), encode(substr(written, greatest(low - 40, 1), 80), 'escape'));
END $$;

-- NULL: the same bytes, or the same error.  JSON is compared with row_to_json().
CREATE FUNCTION difference(query text, format text, options jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	root text := (SELECT settings.root FROM settings);
	copied text;
	copy_error text;
	link_error text;
BEGIN
	IF format = 'json' THEN
		copied := format($c$COPY (SELECT translate(row_to_json(jt)::text, E'\r\n', '  ') FROM (%s) jt) TO %L (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', NULL 'absent'%s)$c$,
			query, root || '/copied', copy_options(options));
	ELSE
		copied := format('COPY (%s) TO %L (FORMAT %s%s)', query, root || '/copied', format, copy_options(options));
	END IF;
	BEGIN
		EXECUTE copied;
	EXCEPTION WHEN OTHERS THEN
		copy_error := SQLERRM;
	END;
	BEGIN
		EXECUTE format('SELECT count(*) FROM link.select_into(%L, ''files'', ''written'', format => %L, overwrite => true, parallel => 0%s)',
			query, format, link_options(options));
	EXCEPTION WHEN OTHERS THEN
		link_error := SQLERRM;
	END;
	IF copy_error IS DISTINCT FROM link_error THEN
		RETURN format('COPY says %s, the export says %s', coalesce(copy_error, 'nothing'), coalesce(link_error, 'nothing'));
	ELSIF copy_error IS NOT NULL THEN
		RETURN NULL;
	ELSIF pg_read_binary_file(root || '/copied') = pg_read_binary_file(root || '/written') THEN
		RETURN NULL;
	END IF;
	RETURN first_difference(pg_read_binary_file(root || '/copied'), pg_read_binary_file(root || '/written'));
END $$;

CREATE PROCEDURE compare(what text, query text, format text, options jsonb DEFAULT '{}') LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO results VALUES (format('%s, %s %s', what, format, options), difference(query, format, options));
END $$;

CREATE PROCEDURE compare_all(what text, query text) LANGUAGE plpgsql AS $$
DECLARE
	format text;
BEGIN
	FOREACH format IN ARRAY '{text,csv,json,binary}'::text[] LOOP
		CALL compare(what, query, format);
	END LOOP;
END $$;

-- ---- types of our own ----

CREATE TYPE mood AS ENUM ('sad', 'o"k', '', 'a,b', E'new\nline', E'back\\slash', '{x}', 'NULL', 'é', 'a b');
CREATE TYPE told AS ENUM ('x', 'y');
CREATE FUNCTION told_json(told) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT json_build_object('told', $1::text) $$;
CREATE CAST (told AS json) WITH FUNCTION told_json(told);
CREATE TYPE pair AS (a int, b text, c numeric[]);
CREATE TYPE nested AS (p pair, ps pair[], j json, t timestamptz);
CREATE TYPE textrange AS RANGE (subtype = text, multirange_type_name = textmultirange);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN price AS numeric(12,2);
CREATE DOMAIN stamp AS timestamptz;
CREATE DOMAIN label AS text;
CREATE DOMAIN ints AS int[];
CREATE DOMAIN pairs AS pair;
CREATE DOMAIN moody AS mood;
CREATE DOMAIN doc AS json;
CREATE DOMAIN blob AS bytea;

-- ---- values ----

-- Texts that a type's input function is tried with.
CREATE TABLE literals (type text, value text);
INSERT INTO literals SELECT 'text', v FROM unnest(ARRAY['', E'\\.', E'\\N', 'NULL', 'null', 'N', '"', '""', '"quoted"', '''', 'a,b', E'tab\there', E'new\nline', E'cr\rhere', E'crlf\r\n',
	E'\\', E'ends in \\', E'\\\\', E'\b\f\v', E'\x01\x1f\x7f', ' ', ' leading', 'trailing ', 'é', 'ß日本語', '😀', 'x''y', '{1,2}', '(a,b)', 'a|b;c:d', '1', '-1', 't', 'true',
	repeat('0123456789abcdef', 2) || E'\n', repeat('x', 15), repeat('x', 16), repeat('x', 17), repeat('x', 15) || '"', repeat('x', 16) || E'\\', repeat('é', 20) || ',', '\x41', E'</a>', 'infinity', 'NaN']) v;
INSERT INTO literals SELECT t, value FROM literals, unnest('{varchar,bpchar,name,label,refcursor}'::text[]) t WHERE type = 'text';
INSERT INTO literals SELECT 'char', v FROM unnest('{"",a,",","\"",N,t,|,1}'::text[]) v;
INSERT INTO literals SELECT 'bool', v FROM unnest('{t,f}'::text[]) v;
INSERT INTO literals SELECT t, v FROM unnest('{int2,int4,int8,positive,money,float4,float8,numeric,price,oid,xid,xid8,cid}'::text[]) t,
	unnest('{0,1,-1,7,10,99,100,12345,32767,-32768,2147483647,-2147483648,4294967295,9223372036854775807,-9223372036854775808}'::text[]) v;
INSERT INTO literals SELECT t, v FROM unnest('{float4,float8,numeric,price,money}'::text[]) t,
	unnest('{NaN,Infinity,-Infinity,-0,0.0,0.1,-0.5,1.10,1e-5,1e-4,1e15,1e16,1e22,1e23,123456.7,0.3,1e-45,3.4028235e38,1.17549435e-38,4.9e-324,1.7976931348623157e308,9007199254740993,
	0.0001,10000,9999,9999.9999,100000000,12345678901234567890.123456789,1e100,1e-100,0.00000001,10000.0001,1000000000000.00}'::text[]) v;
INSERT INTO literals SELECT 'date', v FROM unnest(ARRAY['4714-11-24 BC', '4713-01-01 BC', '5874897-12-31', 'infinity', '-infinity', '0001-01-01', '0001-12-31 BC', '0044-03-15 BC', '9999-12-31', '10000-01-01',
	'2000-02-29', '1900-02-28', '1999-12-31', '1970-01-01', '2000-01-01', '0999-01-01']) v;
INSERT INTO literals SELECT t, v FROM unnest('{timestamp,timestamptz,stamp}'::text[]) t,
	unnest(ARRAY['4714-11-24 00:00:00 BC', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', 'infinity', '-infinity', '0001-01-01', '0001-12-31 23:59:59.999999 BC', '9999-12-31 23:59:59.999999', '10000-01-01',
	'1999-12-31 23:59:59.999999', '1969-12-31 23:59:59.5', '1970-01-01', '2000-01-01', '2000-01-01 00:00:00.000001', '1999-12-31 23:59:59.9', '1883-11-18 16:59:59+00', '1883-11-18 17:00:00+00', '1890-05-05 05:05:05.05',
	'2024-03-10 06:59:59.999999+00', '2024-03-10 07:00:00+00', '2024-11-03 05:59:59+00', '2024-11-03 06:00:00+00', '1937-07-01 00:00:00+00', '1800-01-01 12:00+00', '2500-07-01 12:00+00']) v;
INSERT INTO literals SELECT 'time', v FROM unnest('{00:00,24:00:00,23:59:59.999999,12:34:56.1,00:00:00.000001}'::text[]) v;
INSERT INTO literals SELECT 'timetz', v FROM unnest('{24:00:00-15:59:59,00:00+15:59:59,12:00:00+05:30,12:00-00:00:01,23:59:59.5+00,01:02:03-08}'::text[]) v;
INSERT INTO literals SELECT 'interval', v FROM unnest(ARRAY['0', '1 year', '-1 year', '1 mon -1 day', '1 year 2 mons 3 days 04:05:06.789', '-00:00:00.000001', '178000000 years', '-178000000 years', '1 day -00:00:01',
	'-1 day 00:00:01', '1 hour ago', '100:00:00', '2562047788:00:54.775807', '1 mon', '-1 mon 1 day -1 hour', '2 years -3 mons', '5 days', '-5 days', '00:30', '00:00:01', 'infinity', '-infinity']) v;
INSERT INTO literals SELECT 'bytea', v FROM unnest(ARRAY['\x', '\x00', '\x5c', '\x7f80ff', '\x' || repeat('0123456789abcdef', 2), '\x' || repeat('9a', 17), 'text', '\x0a0d09']) v;
INSERT INTO literals SELECT 'uuid', v FROM unnest('{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'::text[]) v;
INSERT INTO literals SELECT t, v FROM unnest('{inet,cidr}'::text[]) t,
	unnest('{0.0.0.0,255.255.255.255,10.0.0.1/8,1.2.3.4/0,::,::1,::ffff:1.2.3.4,2001:db8::/32,1:2:3:4:5:6:7:8/127,::1.2.3.4,0.0.0.0/0,10.0.0.0/8,10.0.0.0/31,1.2.3.4/32,::/0,::1/128,fe80::/10,100.20.3.0/24}'::text[]) v;
INSERT INTO literals SELECT t, v FROM unnest('{json,jsonb,doc}'::text[]) t, unnest(ARRAY['{"a":1}', '[]', '{}', '"x"', ' {"b" : "\u00e9\"\\\n", "a":[1.50, true , {"c":{}}]} ',
	E'{"a":\n 1,\r\n"b":[\t2]}', '1e5', '-0.0', 'true', '"日本"', '[[[]],""]', '"\t\b\f/\/"']) v;
INSERT INTO literals SELECT 'xml', v FROM unnest(ARRAY['<a>x</a>', 'text', '<a b="c">&quot;,&amp;</a>', E'<a>\n</a>', '']) v;
INSERT INTO literals SELECT 'point', v FROM unnest('{"(0,0)","(NaN,Infinity)","(-0,1e300)","(1.5,-2.25)"}'::text[]) v;
INSERT INTO literals SELECT t, v FROM unnest('{lseg,box,path,polygon,circle,line}'::text[]) t,
	unnest('{"((0,0),(1,1))","[(0,0),(1,1)]","((0,0),(1,1),(2,0.1))","[(0,0),(1,1),(2,0.1)]","<(1,2),3.5>","{1,-1,0}"}'::text[]) v;
INSERT INTO literals SELECT t, v FROM unnest('{bit,varbit}'::text[]) t, unnest('{"",0,1,101,10101010101010101}'::text[]) v;
INSERT INTO literals SELECT 'mood', enumlabel FROM pg_enum WHERE enumtypid = 'mood'::regtype;
INSERT INTO literals SELECT 'moody', enumlabel FROM pg_enum WHERE enumtypid = 'mood'::regtype;
INSERT INTO literals SELECT t, v FROM unnest('{pair,pairs}'::text[]) t, unnest(ARRAY['(,,)', '(1,"x ""y"", z",{1.50,NaN})', E'(2,"\\\\ \n",{})', '(3,é,)']) v;
INSERT INTO literals VALUES ('nested', E'("(1,""x,y"",{1})","{""(1,a,{})"",NULL}","{""a"":\n 1}","2026-01-01 00:00:00+00")'), ('nested', '(,,,)'), ('nested', '("(,,)",{},"""s""",infinity)');
INSERT INTO literals SELECT 'ints', v FROM unnest('{"{}","{1,NULL,-3}","{{1,2},{3,4}}"}'::text[]) v;
INSERT INTO literals SELECT 'blob', v FROM unnest('{"","\\x00ff"}'::text[]) v;
INSERT INTO literals SELECT 'told', v FROM unnest('{x,y}'::text[]) v;
INSERT INTO literals SELECT 'textrange', v FROM unnest(ARRAY['empty', '[a,b)', '["a,""b",)', '(,)', E'["\\\\",é)']) v;
INSERT INTO literals SELECT 'textmultirange', v FROM unnest(ARRAY['{}', '{[a,b),[c,)}', E'{["\\"",")")}']) v;

-- Tried with all types: one of them fits most.
INSERT INTO literals SELECT 'any', v FROM unnest(ARRAY['0', '1', '', 'a', '1 2 3', '(0,1)', '0/16B3748', '10:20:10,14,15', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 'a & b | !c', '$.a[*] ? (@ > 1)',
	'pg_class', 'pg_catalog.now', '-', 'pg_catalog.+(integer,integer)', 'lower(text)', 'postgres', 'english', 'pg_catalog', 'postgres=r/postgres', 'empty', '[1,5)', '(,)', '{[1,5),[7,9)}', '{}',
	'YES', 'NO', 'FF:FF:FF:00:00:01', '<(1,2),3.5>', '<(0,0),1>', 'FF/FFFFFFFF', '10:20:', '""=/postgres', '(2,1),(0,0)', '[2020-01-01,2020-02-01)', '{[2020-01-01,2020-02-01)}', '["2020-01-01 00:00:00","2020-02-01 00:00:00.5")', '{["2020-01-01 00:00:00",)}', '''the'':1A ''fat'':2B,3', 'C', 'integer', 'simple']) v;

-- Those that its input function takes, in a table.
CREATE FUNCTION make_values(target text, name text, sql text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	value text;
	n int := 0;
BEGIN
	EXECUTE format('CREATE TABLE %s (id int, v %s)', target, sql);
	FOR value IN SELECT DISTINCT l.value FROM literals l WHERE type IN (name, 'any') ORDER BY 1 LOOP
		BEGIN
			EXECUTE format('INSERT INTO %s VALUES (%s, %L)', target, n, value);
			n := n + 1;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	RETURN n;
END $$;

CREATE TABLE with_statistics AS SELECT g % 3 AS a, g % 3 AS b, g % 5 AS c FROM generate_series(1, 300) g;
CREATE STATISTICS all_kinds (ndistinct, dependencies, mcv) ON a, b, c FROM with_statistics;
ANALYZE with_statistics;

-- Every type that a column can have, with its values in a table of its own.
CREATE TABLE types (n serial, name text, sql text, has_array boolean, has_input boolean, nvalues int, narrays int);
INSERT INTO types (name, sql, has_array)
	SELECT typname, quote_ident(nspname) || '.' || quote_ident(typname), typarray <> 0
	FROM pg_type t JOIN pg_namespace s ON s.oid = typnamespace LEFT JOIN pg_class c ON c.oid = typrelid
	WHERE nspname IN ('pg_catalog', 'public', 'information_schema') AND typtype IN ('b', 'd', 'e', 'r', 'm', 'c') AND typcategory <> 'A'
		AND (typrelid = 0 OR relkind = 'c') AND typname <> 'gtsvector'
	UNION ALL SELECT typname, typname, false FROM pg_type WHERE typname = 'ints'
	ORDER BY 1;
UPDATE types SET sql = sql || '(20)' WHERE name IN ('bpchar', 'varchar');

DO $$
DECLARE
	type types;
	made text;
BEGIN
	FOR type IN SELECT * FROM types LOOP
		type.nvalues := make_values('values_' || type.n, type.name, type.sql);
		made := CASE type.name WHEN 'pg_node_tree' THEN 'SELECT ev_action AS v FROM pg_rewrite ORDER BY oid LIMIT 3'
			WHEN 'pg_ndistinct' THEN 'SELECT stxdndistinct AS v FROM pg_statistic_ext_data'
			WHEN 'pg_dependencies' THEN 'SELECT stxddependencies AS v FROM pg_statistic_ext_data'
			WHEN 'pg_mcv_list' THEN 'SELECT stxdmcv AS v FROM pg_statistic_ext_data' END;
		IF made IS NOT NULL THEN
			EXECUTE format('INSERT INTO values_%s SELECT row_number() OVER () - 1, v FROM (%s) m', type.n, made);
			GET DIAGNOSTICS type.nvalues = ROW_COUNT;
		END IF;
		UPDATE types SET nvalues = type.nvalues, has_input = made IS NULL WHERE n = type.n;

		EXECUTE format('CREATE TABLE arrays_%s (id int, v %s)', type.n, CASE WHEN type.has_array THEN regexp_replace(type.sql, '\(.*', '') || '[]' ELSE 'text' END);
		CONTINUE WHEN NOT type.has_array OR type.nvalues = 0;
		EXECUTE format($q$INSERT INTO arrays_%1$s SELECT row_number() OVER () - 1, v FROM (SELECT array_agg(v) AS v FROM values_%1$s UNION ALL SELECT array_agg(CASE WHEN id %% 2 = 0 THEN v END) FROM values_%1$s
			UNION ALL SELECT array_agg(v) FROM values_%1$s WHERE false UNION ALL SELECT '{}' UNION ALL SELECT '{NULL}'
			UNION ALL SELECT ARRAY[ARRAY[a.v, NULL, a.v], ARRAY[a.v, a.v, NULL]] FROM values_%1$s a WHERE id < 3
			UNION ALL SELECT ARRAY[ARRAY[ARRAY[a.v], ARRAY[a.v]], ARRAY[ARRAY[a.v], ARRAY[a.v]]] FROM values_%1$s a WHERE id = 0) m$q$, type.n);
		GET DIAGNOSTICS type.narrays = ROW_COUNT;
		UPDATE types SET narrays = type.narrays WHERE n = type.n;
		-- lower bounds
		BEGIN
			EXECUTE format($q$INSERT INTO arrays_%1$s SELECT %2$s, ('[-1:0]=' || array_agg(v)::text)::%3$s[] FROM values_%1$s WHERE id < 2 HAVING count(*) = 2$q$,
				type.n, type.narrays, regexp_replace(type.sql, '\(.*', ''));
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
END $$;

-- All of them side by side: column "v_NAME", array "a_NAME".
SELECT string_agg(format(E', (SELECT v FROM values_%s WHERE id = g %% %s + (CASE WHEN g >= %2$s AND g %% 3 = 0 THEN 1000 ELSE 0 END)) AS %I', n, greatest(nvalues, 1), 'v_' || name), '' ORDER BY n)
	|| string_agg(format(', (SELECT v FROM arrays_%s WHERE id = g %% %s) AS %I', n, greatest(narrays + 1, 1), 'a_' || name), '' ORDER BY n) FILTER (WHERE has_array) AS columns FROM types \gset
CREATE TABLE wide AS SELECT g AS id :columns FROM generate_series(0, 59) g;

-- What depends on settings.
CREATE TABLE by_setting AS SELECT id, v_date, v_timestamp, v_timestamptz, v_stamp, v_time, v_timetz, v_interval, v_float4, v_float8, v_bytea, v_point, v_money, v_tstzrange, v_nested,
	"a_timestamptz", a_interval, a_float8, a_bytea, a_date FROM wide;

-- Random values of the types with encoders of their own.
SELECT setseed(:seed);
CREATE FUNCTION random_text(n int) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT coalesce(string_agg(substr(E'abcdefgh ,;|"\\''\t\n\r{}()N.éß日😀\x01\x1f', 1 + (random() * 33)::int, 1), ''), '') FROM generate_series(1, n) $$;
CREATE FUNCTION random_number(digits int, scale int) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN random() < 0.5 THEN '-' ELSE '' END || coalesce((SELECT string_agg((random() * 9)::int::text, '') FROM generate_series(1, digits)), '') || '0'
		|| CASE WHEN scale > 0 THEN '.' || (SELECT string_agg(CASE WHEN random() < 0.3 THEN '0' ELSE (random() * 9)::int::text END, '') FROM generate_series(1, scale)) ELSE '' END $$;
CREATE TABLE randoms AS SELECT g AS id, (random() * 65535 - 32768)::int2 AS i2, (random() * 4294967295 - 2147483648)::int4 AS i4, ((random() - 0.5) * 1.8e19 * power(10, -(g % 18)))::numeric(20,0)::int8 AS i8,
	(random_number(g % 17, g % 5) || 'e' || ((random() - 0.5) * 40)::int)::float4 AS f4, (random_number(g % 17, g % 7) || 'e' || ((random() - 0.5) * 560)::int)::float8 AS f8, random() AS f,
	random_number(g % 40, g % 23)::numeric AS n, random_text(g % 50) AS t, random_text(g % 20)::varchar AS v, decode(md5(g::text) || left(md5(random()::text), g % 16 * 2), 'hex') AS b,
	date '0100-01-01' + (random() * 1200000)::int AS d, timestamp '0100-01-01' + random() * interval '3500 years' AS ts, timestamptz '1850-01-01' + random() * interval '300 years' AS tz,
	timestamptz '2020-01-01' + make_interval(secs => (g * 8641)) AS tz2, time '00:00' + random() * interval '1 day' AS tm,
	make_interval((random() * 20 - 10)::int, (random() * 30 - 15)::int, 0, (random() * 60 - 30)::int, (random() * 50 - 25)::int, 0, random() * 100 - 50) AS iv,
	md5(g::text)::uuid AS u, (inet '0.0.0.0' + (random() * 4294967295)::bigint) AS ip, set_masklen(inet '2001::' + (random() * 1e15)::bigint, (random() * 128)::int) AS ip6,
	jsonb_build_object(random_text(3), random(), random_text(5), jsonb_build_array(random_text(9), NULL, true)) AS jb, json_build_object(random_text(3), random_text(6)) AS j,
	ARRAY[random_text(4), NULL, random_text(1), random_text(9)] AS ta, ARRAY[(random() * 100)::int, g] AS ia, ARRAY[random()::numeric(20,10)] AS na, g % 3 = 0 AS bo
	FROM generate_series(1, :rows) g;

-- Values too long for one piece, and those that are stored compressed or elsewhere.
CREATE TABLE large (id int, t text, n numeric, b bytea, j jsonb, a text[]);
ALTER TABLE large ALTER b SET STORAGE EXTERNAL;
INSERT INTO large VALUES (1, repeat('x', 16383) || E'\\' || repeat('y', 16384) || E'"\n', ('1' || repeat('0', 131071))::numeric, decode(repeat('00ff5c0a', 20000), 'hex'), jsonb_build_object('k', repeat('"', 20000)), ARRAY[repeat('a b"', 20000)]),
	(2, repeat(E'\t', 300000), (repeat('9', 131072) || '.' || repeat('9', 16383))::numeric, decode(repeat('ab', 16384), 'hex'), to_jsonb(repeat('é', 40000)), array_fill('x'::text, ARRAY[30000])),
	(3, repeat('é', 262143) || ',', -(('0.' || repeat('0', 16382) || '1')::numeric), decode(repeat('ab', 16385), 'hex'), '[]', array_fill(repeat('é,', 10), ARRAY[100,20])),
	(4, (SELECT string_agg(md5(i::text), E'\r') FROM generate_series(1, 20000) i), 1e16383::numeric, (SELECT decode(string_agg(md5(i::text), ''), 'hex') FROM generate_series(1, 30000) i), NULL, NULL),
	(5, repeat('x', 262144), 0.00, '', '{}', '{}');
