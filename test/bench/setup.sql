-- A table like TPC-H's lineitem, and the links of the benchmark.
CREATE EXTENSION link;
CREATE UNLOGGED TABLE lineitem (
	l_orderkey bigint NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL, l_linenumber integer NOT NULL,
	l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL,
	l_tax numeric(15,2) NOT NULL, l_returnflag character(1) NOT NULL, l_linestatus character(1) NOT NULL,
	l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
	l_shipinstruct character(25) NOT NULL, l_shipmode character(10) NOT NULL, l_comment character varying(44) NOT NULL);
CREATE UNLOGGED TABLE target (LIKE lineitem);
SELECT setseed(0.5);
INSERT INTO lineitem
SELECT n / 4, (random() * 200000)::int, (random() * 10000)::int, n % 7 + 1,
	(random() * 50)::int, (random() * 100000)::numeric(15,2), (random() * 0.1)::numeric(15,2), (random() * 0.08)::numeric(15,2),
	(ARRAY['A', 'N', 'R'])[n % 3 + 1], (ARRAY['O', 'F'])[n % 2 + 1],
	date '1992-01-02' + n % 2500, date '1992-01-31' + n % 2450, date '1992-01-05' + n % 2510,
	(ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[n % 4 + 1],
	(ARRAY['AIR', 'TRUCK', 'MAIL', 'SHIP', 'RAIL', 'REG AIR', 'FOB'])[n % 7 + 1],
	substr('carefully final deposits, quickly ironic "accounts" sleep furiously about the regular', n % 40 + 1, 10 + n % 34)
FROM generate_series(1, :rows) n;
VACUUM ANALYZE lineitem;
CHECKPOINT;
SELECT link.create_link('files', 'FS', config => json_build_object('root', :'files')::text);
SELECT link.create_link('s3', 'S3', json_build_object('aws_access_key_id', :'key', 'aws_secret_access_key', :'secret')::text,
	json_build_object('region', 'us-east-1', 'endpoint_url', :'s3')::text);
SELECT link.create_link('sink', 'S3', json_build_object('aws_access_key_id', :'key', 'aws_secret_access_key', :'secret')::text,
	json_build_object('region', 'us-east-1', 'endpoint_url', :'sink')::text);
