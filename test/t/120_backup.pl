# A database with every kind of object goes to S3 and to Azure and comes back equal:
# the texts that pg_dump gives of both, and the contents of all their tables.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use IPC::Run ();
use LinkTest;
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;

need_s3;
need_service('azurite');

my $node = new_node('backup', conf => "max_worker_processes = 16\nmax_locks_per_transaction = 128\n");
my $source = 'Source "1" ä';
make_bucket('backups');
make_container('backups');

sub psql_of { my ($db) = @_; return ('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-d', "dbname='" . ($db =~ s/(['\\])/\\$1/gr) . "'") }
sub run_file { my ($db, $file) = @_; my $err = ''; IPC::Run::run([ psql_of($db), '-f', $file ], '>', \my $out, '2>', \$err) or BAIL_OUT("$file: $err") }
sub sql { my ($db, $sql) = @_; my ($out, $err) = ('', ''); IPC::Run::run([ psql_of($db) ], '<', \$sql, '>', \$out, '2>', \$err) or die "$sql: $err"; chomp $out; return $out }

# The independent client: a container of the account.
sub make_container
{
	my ($name) = @_;
	my ($account, $key) = @ENV{qw(LINK_AZURE_ACCOUNT LINK_AZURE_KEY)};
	my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime);
	my $mac = hmac_sha256_base64(join("\n", 'PUT', ('') x 11, "x-ms-date:$date\nx-ms-version:2021-12-02\n/$account/$account/$name\nrestype:container"), decode_base64($key));
	system_or_bail('curl', '-sS', '-o', '/dev/null', '--noproxy', '*', '-X', 'PUT', '-H', "x-ms-date: $date", '-H', 'x-ms-version: 2021-12-02', '-H', 'Content-Length: 0',
		'-H', "Authorization: SharedKey $account:$mac" . '=' x (-length($mac) % 4), "$ENV{LINK_AZURE_ENDPOINT}/$account/$name?restype=container");
}

# Links to both stores, in a database.
sub make_links
{
	my ($db) = @_;
	sql($db, sprintf("SELECT link.create_link('public.s3', 'S3', %s, %s); SELECT link.create_link('public.azure', 'AZURE', %s, %s)",
			quote(qq({"aws_access_key_id":"$ENV{LINK_S3_ACCESS_KEY}","aws_secret_access_key":"$ENV{LINK_S3_SECRET_KEY}"})), quote(s3_config()),
			quote(qq({"account_name":"$ENV{LINK_AZURE_ACCOUNT}","account_key":"$ENV{LINK_AZURE_KEY}"})),
			quote(qq({"endpoint_url":"$ENV{LINK_AZURE_ENDPOINT}/$ENV{LINK_AZURE_ACCOUNT}"}))));
}

# All that pg_dump says of a database, its properties and data too, with its name taken out.
sub dump_of
{
	my ($db) = @_;
	my ($out, $err) = ('', '');
	my $quoted = '"' . ($db =~ s/"/""/gr) . '"';
	IPC::Run::run([ 'pg_dump', '--create', '--exclude-table-data=s.hashed_*', '-h', $node->host, '-p', $node->port, '-d', (psql_of($db))[-1] ], '>', \$out, '2>', \$err) or die "pg_dump: $err";
	$out =~ s/^\\(un)?restrict .*\n//mg;
	# how psql comes into a database of a name with spaces is another way
	$out =~ s/^\\(encoding SQL_ASCII|connect .*)\n//mg;
	$out =~ s/(\Q$quoted\E|(?<=DATABASE )\Q$db\E\b)/the_database/g;
	$out =~ s/(?<=Name: )(DATABASE |)\Q$db\E/$1the_database/g;
	# rows have no order
	$out =~ s/^(COPY [^\n]* FROM stdin;\n)(.*?)(?=^\\\.$)/$1 . join('', sort split m{^}m, $2)/gmse;
	return $out;
}

# Rows and a hash of them, of each table; of partitions by hash of an enum together,
# since each database has its own Oids, and so its own hashes.
my $contents = q{SET search_path = pg_catalog; SELECT c.oid::regclass, query_to_xml(format(
	'SELECT count(*), md5(string_agg(md5(t::text), '''' ORDER BY md5(t::text))) AS hash FROM %s %s t', CASE WHEN relkind <> 'p' THEN 'ONLY' END, c.oid::regclass), true, true, '')
	FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE (relkind IN ('r', 'p') AND relname !~ '^hashed_' OR relkind = 'm' AND relispopulated)
	AND nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema', 'link') ORDER BY c.oid::regclass::text COLLATE "C";
	SELECT loid, count(*), md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject GROUP BY 1 ORDER BY 1};

sub is_equal
{
	my ($got, $expected, $name) = @_;
	return ok(1, $name) if $got eq $expected;
	my $base = $PostgreSQL::Test::Utils::tmp_check . '/' . ($name =~ s/\W+/_/gr);
	foreach ([ "$base.got", $got ], [ "$base.expected", $expected ]) { open my $f, '>', $_->[0] or die; print $f $_->[1]; close $f }
	ok(0, $name) or diag(substr(`diff -a -U2 $base.expected $base.got`, 0, 8000));
}

# A database with a subscription is not dropped.
sub drop { my ($db) = @_; sql($db, 'SET default_transaction_read_only = off; ALTER SUBSCRIPTION subscribed DISABLE; DROP SUBSCRIPTION subscribed') if sql($db, 'SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())'); sql('postgres', 'DROP DATABASE "' . ($db =~ s/"/""/gr) . '" WITH (FORCE)') }

# round_trip(DB, LINK, NAME, OPTIONS): out, back under another name, compared.
sub round_trip
{
	my ($db, $link, $path, $options) = @_;
	my $name = "back from $link";
	my $id = sql($db, "SET default_transaction_read_only = off; SELECT link.backup_database('public.$link', '$path'$options)");

	like($id, qr/^\d{16}$/, "$path: backup by $link");
	is(sql('postgres', "SELECT link.restore_database('public.$link', '$path', as_name => '$name')"), $id, '... restored');
	is_equal(dump_of($name), dump_of($db), "$path: pg_dump is equal from $link");
	is_equal(sql($name, $contents), sql($db, $contents), "$path: contents are equal from $link");
	is(sql('postgres', "SELECT database, mode, base, error FROM link.list_backups('public.$link', '$path') WHERE id = $id"), "$db|full||", '... listed');
	return $name;
}

run_file('postgres', 'test/backup/roles.sql');
make_links('postgres');
sql('postgres', 'CREATE DATABASE "' . ($source =~ s/"/""/gr) . '" OWNER keeper');
sql($source, 'CREATE EXTENSION link');
make_links($source);
run_file($source, 'test/backup/everything.sql');
sql('postgres', q{DO $do$ DECLARE d text := quote_ident('Source "1" ä'); s text;
BEGIN FOREACH s IN ARRAY ARRAY[
	$$ALTER DATABASE d SET search_path = s, "Quoted ""schema"". Ä", public$$,
	$$ALTER DATABASE d SET work_mem = '3MB'$$, $$ALTER DATABASE d SET default_transaction_read_only = on$$, $$ALTER DATABASE d SET s.custom = E'it''s \\ ü'$$,
	$$ALTER DATABASE d SET datestyle = 'SQL, DMY'$$, $$ALTER DATABASE d SET intervalstyle = 'sql_standard'$$, $$ALTER DATABASE d SET xmloption = 'document'$$, $$ALTER DATABASE d SET statement_timeout = '10min'$$,
	$$ALTER DATABASE d SET log_min_messages = 'error'$$,
	$$ALTER ROLE reader IN DATABASE d SET search_path = ''$$, $$ALTER ROLE "odd ""role"", - Üx" IN DATABASE d SET temp_tablespaces = "x y", z$$,
	$$ALTER DATABASE d CONNECTION LIMIT 17$$, $$COMMENT ON DATABASE d IS 'it''s a \ comment ü'$$,
	$$REVOKE ALL ON DATABASE d FROM PUBLIC$$, $$GRANT TEMPORARY ON DATABASE d TO PUBLIC$$, $$GRANT CONNECT, CREATE ON DATABASE d TO giver WITH GRANT OPTION$$,
	$$SET LOCAL ROLE giver$$, $$GRANT CONNECT ON DATABASE d TO reader, "odd ""role"", - Üx"$$, $$RESET ROLE$$, $$REVOKE CREATE ON DATABASE d FROM keeper$$]
	LOOP EXECUTE regexp_replace(s, '(DATABASE) d\y', '\1 ' || d); END LOOP; END $do$});

# From S3 and from Azure; each way of compressing.
my $back = round_trip($source, 's3', 'backups/one', '');
is(sql($back, 'SET search_path = s; SELECT count(*) FROM filled'), '10', 'a materialized view is filled');
is(sqlstate_of($node, 'SELECT * FROM s.unfilled', db => $back), '55000', '... and one that was not is not');
is(sql($back, q{SELECT encode(credentials, 'escape') ~ 'AKIDINBACKUP' FROM link.link WHERE name = 'bucket'}), 'f', 'credentials are sealed');
is(sql($back, q{SELECT count(*) > 0 FROM link.list_files('public.s3', 'backups/one/*/BACKUP_COMPLETE')}), 't', 'a restored link works');
is(sql($back, q{SELECT state FROM link.pipelines WHERE pipeline = 'Piped'}), 'Stopped', '... a pipeline does not');
drop($back);
drop(round_trip($source, 'azure', 'backups/one', q{, parallel => 1}));
drop(round_trip($source, 's3', 'backups/none', q{, compression => 'none', parallel => 3}));

# What is taken is not given back under the same name, nor lost.
is(sqlstate_of($node, "SELECT link.restore_database('public.s3', 'backups/one')"), '42P04', 'never over a database that is there');
drop($source);
sql('postgres', q{SELECT link.restore_database('public.s3', 'backups/one')});
is(sql($source, 'SELECT count(*) FROM s.parts'), '311', 'without AS it has the name that it had');
drop($source);

# Other encodings and locales.
foreach (
	[ 'latin', "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'" ],
	[ 'icu', "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'" ])
{
	my ($db, $options) = @$_;
	sql('postgres', "CREATE DATABASE $db $options");
	sql($db, 'CREATE EXTENSION link');
	make_links($db);
	sql($db, q{SET client_encoding = 'UTF8'; CREATE SCHEMA "schön"; CREATE TABLE "schön"."Ärger é" ("ö" text PRIMARY KEY, "ß §" int GENERATED ALWAYS AS IDENTITY, "é (ü)" int);
		INSERT INTO "schön"."Ärger é" VALUES ('ä'), ('z'), ('Ö'), ('o'), (E'\u00ff'); COMMENT ON TABLE "schön"."Ärger é" IS 'ÿ'; CREATE SEQUENCE "schön"."Zähler"; SELECT nextval('"schön"."Zähler"')});
	drop(round_trip($db, 's3', "backups/$db", ''));
}

# More tables than one transaction of a loader takes, each of which needs a snapshot.
sql('postgres', 'CREATE DATABASE crowd');
sql('crowd', 'CREATE EXTENSION link');
make_links('crowd');
sql('crowd', q{CREATE FUNCTION fine(text) RETURNS bool LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) > 0 FROM pg_catalog.pg_class WHERE length($1) > 0); END';
	SELECT format('CREATE TABLE many_%s (t text CHECK (public.fine(t))); ALTER TABLE many_%s ALTER t SET STORAGE external; INSERT INTO many_%s VALUES (repeat(''x'', 10000))', n, n, n) FROM generate_series(1, 250) n \gexec
	CREATE SCHEMA s; CREATE TYPE s.color AS ENUM ('red', 'green', 'blue', 'black'); CREATE TABLE s.colored (c s.color, t text CHECK (public.fine(t))) PARTITION BY HASH (c);
	SELECT format('CREATE TABLE s.hashed_%s PARTITION OF s.colored FOR VALUES WITH (MODULUS 2, REMAINDER %s)', n, n) FROM generate_series(0, 1) n \gexec
	INSERT INTO s.colored SELECT c, 'x' FROM unnest(enum_range(NULL::s.color)) c});
drop(round_trip('crowd', 's3', 'backups/crowd', ', parallel => 1'));

# One of several ranges of pages; LINK_TEST_LONG=1: of 5 GB.
my $megabytes = $ENV{LINK_TEST_LONG} ? 5000 : 600;
{
	sql('postgres', 'CREATE DATABASE large');
	sql('large', 'CREATE EXTENSION link');
	make_links('large');
	sql('large', qq{CREATE TABLE big AS SELECT i, repeat(md5(i::text), 14) AS t FROM generate_series(1, $megabytes * 2100) i});
	cmp_ok(sql('large', q{SELECT pg_relation_size('big')}), '>', $megabytes * 1e6, "a table of $megabytes MB");
	my $sum = 'SELECT count(*), sum(i), sum(hashtextextended(t, 0)) FROM big';
	foreach my $link (qw(s3 azure))
	{
		sql('large', qq{SELECT link.backup_database('public.$link', 'backups/large')});
		sql('postgres', qq{SELECT link.restore_database('public.$link', 'backups/large', as_name => 'large_back')});
		is(sql('large_back', $sum), sql('large', $sum), "... comes back equal from $link");
		drop('large_back');
	}
}

is(sql('postgres', "SELECT datname FROM pg_database WHERE datname ~ '^link_restore'"), '', 'nothing is left behind');
unlike(slurp_file($node->logfile), qr/secret in backup|\Q$ENV{LINK_S3_SECRET_KEY}\E/, 'no secret in the log');
done_testing();
