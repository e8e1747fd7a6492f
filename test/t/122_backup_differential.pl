# Differential backups: what has changed since the base is copied, whatever the
# change leaves on the pages, and what has not is the base's (INTERNALS A1).
#
# LINK_TEST_LONG=1: 50 random rounds instead of 5. LINK_TEST_SEED: those of another run.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use JSON::PP ();
use LinkTest;
use MIME::Base64 qw(decode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $seed = $ENV{LINK_TEST_SEED} // time ^ $$;
srand($seed);
note("seed $seed");

# Small segments, so that positions in the WAL soon pass each other. Without streaming, what
# a transaction writes to a file that it has made leaves no position on the pages.
my $segment = [ '--wal-segsize=1' ];
my $node = new_node('differential', preload => '', init => [ extra => [ @{ $INITDB[1] }, @$segment ] ],
	conf => "autovacuum = off\nshared_buffers = 1MB\nmax_prepared_transactions = 5\nwal_level = minimal\nmax_wal_senders = 0\nwal_skip_threshold = 0\n"
	  . "checkpoint_timeout = 1h\nmax_wal_size = 1GB\nmax_worker_processes = 8\n");
my $root = $node->basedir . '/files';
mkdir $root or die;
my $here = $node;    # the server that sql() and those after it ask

sub sql { my ($sql, $db) = @_; return $here->safe_psql($db // 'postgres', $sql) }
sub says { my ($sql, $db) = @_; my ($out, $err) = ('', ''); $here->psql($db // 'postgres', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err); return $out . $err }
sub session { return $here->background_psql('postgres') }
sub full { my ($path, %arg) = @_; return sql(($arg{set} // '') . "SELECT link.backup_database('files', '$path')") }
sub differential { my ($path, %arg) = @_; return sql(($arg{set} // '') . "SELECT link.backup_database('files', '$path', mode => 'differential')", $arg{db}) }
sub next_segments { sql(q{SELECT pg_logical_emit_message(false, 'test', repeat('x', 3000000))}) }

# waits(SESSION PID): until it waits for a lock
sub waits { my ($query) = @_; $here->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%$query%' AND pid <> pg_backend_pid()") or die "no wait for $query" }

# Tables, without the extension's, that a backup has copied itself, and those that it has of its base.
sub manifest { my ($path, $id) = @_; return JSON::PP::decode_json(slurp_file("$root/$path/$id/manifest.json")) }
sub tables_of { my ($path, $id, $of) = @_; return join ' ', sort map { $_->{name} =~ s/^public\.//r } grep { $_->{name} !~ /^link\./ && $_->{parts}[0]{path} =~ m{^$of/} } @{ manifest($path, $id)->{tables} } }
sub copied { my ($path, $id) = @_; return tables_of($path, $id, $id) }
sub referred { my ($path, $id) = @_; return tables_of($path, $id, manifest($path, $id)->{base}) }

# What all tables hold, one line each.
sub contents
{
	my ($db) = @_;
	my $queries = sql(q{SELECT string_agg(format('SELECT %L, count(*), md5(coalesce(string_agg(t::text, E''\n'' ORDER BY t::text), '''')) FROM ONLY %s t', c.oid::regclass, c.oid::regclass), ' UNION ALL ')
		FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema|link$)'}, $db);
	return join "\n", sort split /\n/, sql($queries, $db);
}

# The database that a backup makes is the one that it is of.
sub restores
{
	my ($path, $id, $name) = @_;
	my $before = contents('postgres');
	sql("SELECT link.restore_database('files', '$path', 'restored', $id)");
	is(contents('restored'), $before, $name);
	sql('DROP DATABASE restored');
}

make_link($node, 'files', 'FS', {}, { root => $root });

#
# Every way to change a table that does not show on its pages.
#
sql(q{
	CREATE TYPE color AS ENUM ('red', 'green', 'blue'); CREATE TYPE shade AS ENUM ('light', 'dark');
	CREATE TYPE size AS ENUM ('s', 'm', 'l'); CREATE TYPE grade AS ENUM ('good', 'bad'); CREATE TYPE step AS ENUM ('one', 'two');
	CREATE TYPE mood AS ENUM ('calm', 'wild');
	CREATE DOMAIN tone AS shade; CREATE TYPE sizes AS RANGE (subtype = size, multirange_type_name = sizes_multirange); CREATE TYPE graded AS (id int, grade grade);
	CREATE TYPE pair AS (a int, b int); CREATE DOMAIN positive AS int CONSTRAINT c CHECK (VALUE > 0);
	CREATE TABLE row_of (x int, step step);
	CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler;
	CREATE SCHEMA elsewhere;
});
my $rows = 'SELECT n, md5(n::text) FROM generate_series(1, 1000) n';
my $plain = "CREATE TABLE %s (n int, t text); INSERT INTO %s $rows";

# name => [made by, changed by, name afterwards]; of a name in lower case nothing has changed
my %tables = (
	same => [$plain],
	empty => ['CREATE TABLE %s (n int)'],
	nothing => ['CREATE TABLE %s ()'],
	toasted => ["CREATE TABLE %s (n int, t text); ALTER TABLE %s ALTER t SET STORAGE external; INSERT INTO %s SELECT n, repeat(md5(n::text), 200) FROM generate_series(1, 20) n"],
	read_only => [$plain, "SELECT count(*) FROM %s; BEGIN; LOCK %s IN ROW SHARE MODE; COMMIT; ANALYZE %s; CREATE INDEX ON %s (n); COMMENT ON TABLE %s IS 'x'"],
	moved => [$plain, 'ALTER TABLE %s RENAME TO renamed; ALTER TABLE renamed SET SCHEMA elsewhere', 'elsewhere.renamed'],
	settled => ["CREATE TABLE %s (d date, t timestamptz, i interval, m money, f float8, a numeric[], j jsonb, r int4range, b bytea); INSERT INTO %s VALUES ('2020-02-03', now(), '-1 day 2:3', 12.34, 1.0/3, '{1,2}', '{}', '[1,2)', 'x')", "SELECT 1"],
	locked_weakly => [$plain],
	partitioned_1 => ['CREATE TABLE partitioned (n int) PARTITION BY RANGE (n); CREATE TABLE %s PARTITION OF partitioned FOR VALUES FROM (1) TO (100); INSERT INTO %s VALUES (1)'],
	enum_same => ["CREATE TYPE same_enum AS ENUM ('a'); CREATE TABLE %s (p same_enum); INSERT INTO %s VALUES ('a')"],

	PARTITIONED_2 => ['CREATE TABLE %s PARTITION OF partitioned FOR VALUES FROM (100) TO (200); INSERT INTO %s VALUES (101)', 'INSERT INTO partitioned VALUES (150)'],
	INSERTED => [$plain, "INSERT INTO %s VALUES (0, 'x')"],
	UPDATED => [$plain, "UPDATE %s SET t = reverse(t) WHERE n = 500"],
	DELETED => [$plain, 'DELETE FROM %s WHERE n = 500'],
	TOAST_UPDATED => ["CREATE TABLE %s (n int, t text); ALTER TABLE %s ALTER t SET STORAGE external; INSERT INTO %s SELECT n, repeat(md5(n::text), 200) FROM generate_series(1, 20) n", 'UPDATE %s SET t = reverse(t) WHERE n = 10'],
	ADDED_TO_EMPTY => ['CREATE TABLE %s (n int)', 'INSERT INTO %s VALUES (1)'],
	TAIL => [$plain, 'DELETE FROM %s WHERE ctid >= $$(4,0)$$; VACUUM %s'],
	ZEROS => [$plain, 'DELETE FROM %s WHERE ctid >= $$(4,0)$$; VACUUM %s'],
	ALL_DELETED => [$plain, 'DELETE FROM %s; VACUUM %s'],
	UNLOGGED => ["CREATE UNLOGGED TABLE %s (n int, t text); INSERT INTO %s $rows", "INSERT INTO %s VALUES (0, 'x')"],
	UNLOGGED_SAME => ["CREATE UNLOGGED TABLE %s (n int, t text); INSERT INTO %s $rows"],
	OTHER_METHOD => ["CREATE TABLE %s (n int) USING other; INSERT INTO %s VALUES (1)"],
	TRUNCATED => [$plain, 'TRUNCATE %s'],
	FILLED_AGAIN => [$plain, "BEGIN; TRUNCATE %s; INSERT INTO %s SELECT n, md5((-n)::text) FROM generate_series(1, 1000) n; COMMIT"],
	MADE_AGAIN => [$plain, "DROP TABLE %s; CREATE TABLE %s AS SELECT n, md5((-n)::text) AS t FROM generate_series(1, 1000) n"],
	NEW => ['SELECT 1', $plain],
	REWRITTEN => [$plain, 'ALTER TABLE %s ALTER n TYPE bigint USING -n'],
	VACUUM_FULL => [$plain, 'VACUUM FULL %s'],
	CLUSTERED => ["$plain; CREATE INDEX cluster_index ON %s (t)", 'CLUSTER %s USING cluster_index'],

	ENUM => ["CREATE TABLE %s (c color); INSERT INTO %s VALUES ('red'), ('blue')", "ALTER TYPE color RENAME VALUE 'red' TO 'rouge'"],
	ENUM_ARRAY => ["CREATE TABLE %s (c color[]); INSERT INTO %s VALUES ('{red,blue}')"],
	ENUM_DOMAIN => ["CREATE TABLE %s (t tone); INSERT INTO %s VALUES ('dark')", "ALTER TYPE shade RENAME VALUE 'dark' TO 'black'"],
	ENUM_RANGE => ["CREATE TABLE %s (s sizes); INSERT INTO %s VALUES ('[s,m]')", "ALTER TYPE size RENAME VALUE 's' TO 'small'"],
	ENUM_MULTIRANGE => ["CREATE TABLE %s (s sizes_multirange); INSERT INTO %s VALUES ('{[s,m]}')"],
	ENUM_COMPOSITE => ["CREATE TABLE %s (g graded[]); INSERT INTO %s VALUES (ARRAY[ROW(1, 'bad')::graded])", "ALTER TYPE grade RENAME VALUE 'bad' TO 'poor'"],
	ENUM_ROW => ["CREATE TABLE %s (r row_of); INSERT INTO %s VALUES (ROW(1, 'one'))", "ALTER TYPE step RENAME VALUE 'one' TO 'first'"],
	ENUM_THERE_AND_BACK => ["CREATE TABLE %s (m mood); INSERT INTO %s VALUES ('calm')", "ALTER TYPE mood RENAME VALUE 'calm' TO 'quiet'; ALTER TYPE mood RENAME VALUE 'quiet' TO 'calm'"],
	MORE_FIELDS => ["CREATE TABLE %s (p pair); INSERT INTO %s VALUES ('(1,2)')", 'ALTER TYPE pair ADD ATTRIBUTE c int'],
	DOMAIN => ["CREATE TABLE %s (p positive); INSERT INTO %s VALUES (1)", 'ALTER DOMAIN positive DROP CONSTRAINT c; ALTER DOMAIN positive ADD CONSTRAINT c CHECK (VALUE > -1)'],
	FIELD_DROPPED => ["CREATE TYPE shrinking AS (a int, b int); CREATE TABLE %s (p shrinking); INSERT INTO %s VALUES ('(1,2)')", 'ALTER TYPE shrinking DROP ATTRIBUTE b'],
	NAMES_OF_OTHERS => ["CREATE TABLE %s (r regclass); INSERT INTO %s VALUES ('moved')"],
	NAMES_OF_OTHERS_ARRAY => ["CREATE TABLE %s (r regclass[]); INSERT INTO %s VALUES ('{moved}')"],
	ROLES => ["CREATE ROLE old_name; CREATE TABLE %s (r regrole); INSERT INTO %s VALUES ('old_name')", 'ALTER ROLE old_name RENAME TO new_name'],
	COLUMN_ADDED => [$plain, 'ALTER TABLE %s ADD c int DEFAULT 1; ALTER TABLE %s ALTER c SET DEFAULT 2'],
	COLUMN_DROPPED => [$plain, 'ALTER TABLE %s DROP t'],
	COLUMN_REPLACED => [$plain, 'ALTER TABLE %s DROP t; ALTER TABLE %s ADD t text'],
	COLUMN_RENAMED => [$plain, 'ALTER TABLE %s RENAME t TO u'],
	COLUMN_LONGER => ['CREATE TABLE %s (v varchar(5)); INSERT INTO %s VALUES ($$x$$)', 'ALTER TABLE %s ALTER v TYPE varchar(10)'],
	COLUMN_COLLATED => [$plain, 'ALTER TABLE %s ALTER t TYPE text COLLATE "POSIX"'],
	NO_LONGER_GENERATED => ['CREATE TABLE %s (n int, m int GENERATED ALWAYS AS (n + 1) STORED); INSERT INTO %s VALUES (1)', 'ALTER TABLE %s ALTER m DROP EXPRESSION'],

	# while the base is made, another transaction
	OPEN_INSERT => [$plain],
	OPEN_UPDATE => [$plain],
	OPEN_DELETE => [$plain],
	OPEN_SUBTRANSACTION => [$plain],
	OPEN_LOCK => [$plain],
	PREPARED_INSERT => [$plain],
	PREPARED_DELETE => [$plain],
);
my @in_order = sort { lc $a cmp lc $b } keys %tables;
sub table_sql { my ($name, $sql) = @_; return defined $sql ? $sql =~ s/%s/lc $name/egr : () }
sql(table_sql($_, $tables{$_}[0])) foreach @in_order;
sql('VACUUM FREEZE');    # so that nobody who reads them has to write to them
next_segments();

my $open = session();
$open->query_safe(q{
	BEGIN;
	INSERT INTO open_insert VALUES (0, 'x');
	UPDATE open_update SET t = reverse(t) WHERE n = 500;
	DELETE FROM open_delete WHERE n = 500;
	SAVEPOINT s; INSERT INTO open_subtransaction VALUES (0, 'x'); RELEASE s;
	LOCK open_lock IN ROW EXCLUSIVE MODE;
	LOCK locked_weakly IN ROW SHARE MODE;});
my $rolled_back = session();
$rolled_back->query_safe("BEGIN; INSERT INTO open_lock VALUES (0, 'x')");
sql(q{BEGIN; INSERT INTO prepared_insert VALUES (0, 'x'); DELETE FROM prepared_delete WHERE n = 500; PREPARE TRANSACTION 'p'});
my $base = full('all');
$open->query_safe('COMMIT');
$open->quit;
$rolled_back->query_safe('ROLLBACK');
$rolled_back->quit;
sql("COMMIT PREPARED 'p'");
sql(table_sql($_, $tables{$_}[1])) foreach grep { defined $tables{$_}[1] } @in_order;

# a server that goes down while it extends a table leaves such pages
my $zeros = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('zeros')");
my $blocks = manifest('all', $base)->{tables};
($blocks) = map { $_->{blocks} } grep { $_->{name} eq 'public.zeros' } @$blocks;
$node->stop;
cmp_ok(-s $zeros, '<', $blocks * 8192, 'a table that has been cut off');
truncate($zeros, $blocks * 8192) or die;
$node->start;

my $id = differential('all');
is(referred('all', $id), join(' ', sort map { $tables{$_}[2] // $_ } grep { $_ eq lc } @in_order), 'what is unchanged is the base\'s');
is(copied('all', $id), join(' ', sort 'row_of', map { lc } grep { $_ ne lc } @in_order), 'what has changed is copied');
restores('all', $id, '... and together they are the database');
is(sql("SELECT mode, base, error IS NULL FROM link.list_backups('files', 'all')"), "differential|$base|t\nfull||t", 'both are listed');
isnt(join(' ', glob("$root/all/$id/data/link.pipeline_cursor.*")), '', 'tables that an extension has a condition for are copied');

#
# What is a base, and for how long.
#
like(says("SELECT link.backup_database('files', 'none', mode => 'differential')"), qr/ERROR:  55000: there is no full backup of this database at "none"/, 'a path without a base');
sql(q{CREATE DATABASE twin TEMPLATE postgres STRATEGY file_copy});
like(says("SELECT link.backup_database('files', 'all', mode => 'differential')", 'twin'), qr/ERROR:  55000: there is no full backup of this database/, 'a base of another database');
sql('DROP DATABASE twin');

# begin_backup(PATH, MODE, FIRST): gives what waits for its end and tells what it said
sub begin_backup
{
	my ($path, $mode, $set) = @_;
	my ($out, $h) = ('');
	$h = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $here->connstr('postgres'), '-c', $set // 'SELECT', '-c',
			"SELECT link.backup_database('files', '$path', mode => '$mode')" ], '<', \undef, '>', \$out, '2>&1', IPC::Run::timer(60));
	return sub { $h->finish; return $out =~ s/^\s+|\s+$//gr };
}

my $second = full('all');
my $sentinel = "$root/all/$second/BACKUP_COMPLETE";
my $holder = session();
$holder->query_safe('BEGIN; LOCK inserted IN ACCESS EXCLUSIVE MODE');
my $end = begin_backup('all', 'differential');
waits('backup_database');
like(says("SELECT link.drop_backup('files', 'all', $second)"), qr/ERROR:  55006: .*$second/, 'a base is not dropped while somebody builds on it');
$holder->query_safe('COMMIT');
my $on_second = $end->();
is(manifest('all', $on_second)->{base}, $second, 'the newest full backup is the base');
$holder->query_safe('BEGIN; LOCK inserted IN ACCESS EXCLUSIVE MODE');
$end = begin_backup('all', 'differential');
waits('backup_database');
rename $sentinel, "$sentinel.away" or die;
$holder->query_safe('COMMIT');
like($end->(), qr/ERROR:  55000: backup $second, .*dropped meanwhile/, '... if it stays: another server has no part in our locks');
rename "$sentinel.away", $sentinel or die;
like(says("SELECT link.drop_backup('files', 'all', $second)"), qr/ERROR:  2BP01: .*$second.*$on_second/, '... nor as long as there is one that builds on it');
sql("SELECT link.drop_backup('files', 'all', $on_second)");
is(says("SELECT link.drop_backup('files', 'all', $second)"), '', '... but then');
is(sql('SELECT count(*) FROM link.baseline'), 1, '... and it is no base any more');

my $flip = sub {
	my ($file) = @_;
	open my $f, '+<', $file or die "$file: $!";
	seek $f, int((-s $file) / 2), 0;
	read $f, my $byte, 1;
	seek $f, -1, 1;
	print $f chr(ord($byte) ^ 1);
	close $f;
};
my ($object) = glob("$root/all/$base/data/public.toasted.*");
$flip->($object);
like(says("SELECT link.verify_backup('files', 'all', $id)"), qr/ERROR:  XX001:.*$base\/data\/public\.toasted/s, 'a damaged object of the base: verify tells');
like(says("SELECT link.restore_database('files', 'all', 'restored', $id)"), qr/ERROR:  XX001:.*$base\/data\/public\.toasted/s, '... and RESTORE');
is(sql("SELECT count(*) FROM pg_database WHERE datname ~ 'restore'"), 0, '... which leaves nothing');
$flip->($object);
is(says("SELECT link.verify_backup('files', 'all', $id)"), $id, 'it is as it was');

# sign(PATH, ID, MANIFEST): as the server does it, by its key ring
sub sign
{
	my ($path, $id, $text) = @_;
	my ($key) = @{ JSON::PP::decode_json(slurp_file($node->basedir . '/link_master.key'))->{keys} };
	my $hmac = hmac_sha256_hex($text, hmac_sha256('link backup manifest', decode_base64($key->{key})));
	my %text = ('manifest.json' => $text, BACKUP_COMPLETE => qq({"link_backup": 1, "id": $id, "manifest_sha256": ") . sha256_hex($text) . qq(", "key_id": "$key->{id}", "hmac_sha256": "$hmac"}\n));
	foreach my $name (keys %text) { open my $f, '>', "$root/$path/$id/$name" or die; binmode $f; print $f $text{$name}; close $f }
}
my $manifest = slurp_file("$root/all/$id/manifest.json");
sign('all', $id, $manifest =~ s{"$base(/data/public\.same)}{"$second$1}r);
like(says("SELECT link.verify_backup('files', 'all', $id)"), qr/ERROR:  XX001:.*does not build on/s, 'a manifest that names objects of a third backup');
sign('all', $id, $manifest);
is(says("SELECT link.verify_backup('files', 'all', $id)"), $id, 'the true one, signed the same way');

full('damaged');
my $damaged = full('damaged');
$flip->("$root/damaged/$damaged/manifest.json");
like(says("SELECT link.backup_database('files', 'damaged', mode => 'differential')"), qr/^\d{16}.*WARNING: .*$damaged is passed over: .*is damaged/s, 'a base that is damaged is none: the one before it serves');
$flip->((glob("$root/damaged/*/manifest.json"))[0]);
like(says("SELECT link.backup_database('files', 'damaged', mode => 'differential')"), qr/WARNING: .*ERROR:  55000/s, '... as long as there is one');

isnt(says("SELECT link.backup_database('files', 'undone')::text::int"), '', 'a full backup whose statement fails');
like(says("SELECT link.backup_database('files', 'undone', mode => 'differential')"), qr/NOTICE: .*all tables are copied/, '... has not said that it is a base');

sql(q{CREATE ROLE writer LOGIN; GRANT pg_read_all_data TO writer; SELECT link.grant_privilege('WRITE', 'LINK public.files', 'writer')});
like(says("SET SESSION AUTHORIZATION writer; SELECT link.backup_database('files', 'all', mode => 'differential')"), qr/ERROR:  42501: .*READ/s, 'whoever may not read the link cannot build on what is there');
like(says('GRANT ALL ON link.baseline TO writer; SET SESSION AUTHORIZATION writer; INSERT INTO link.baseline VALUES (1)'), qr/ERROR:  42501/, 'nobody says what is a base but a backup');

#
# What the snapshot of the base has not seen is in doubt, or newer than its baseline.
#
foreach my $isolation ('read committed', 'repeatable read')
{
	my $path = $isolation =~ s/ /_/r;
	next_segments();
	$holder->query_safe('BEGIN; LOCK updated IN ACCESS EXCLUSIVE MODE');
	$end = begin_backup($path, 'full', "SET default_transaction_isolation = '$isolation'");
	waits('backup_database');
	sql("INSERT INTO same VALUES (0, '$isolation')");
	$holder->query_safe('COMMIT');
	like($end->(), qr/^\d{16}$/, "a base in $isolation that waits while others write");
	restores($path, differential($path), '... is one that a differential backup can build on');
}
is(referred('repeatable_read', differential('repeatable_read')), '', 'all is in doubt for a snapshot that is older than the statement');
isnt(referred('read_committed', differential('read_committed', set => "SET default_transaction_isolation = 'repeatable read';")), '', '... of the base, that is');
$holder->quit;

#
# Positions in the WAL mean nothing elsewhere.
#
# copy(NAME, CONF): of the server, which stops and starts meanwhile
sub copy
{
	my ($name, $conf) = @_;
	my $copy = PostgreSQL::Test::Cluster->new($name);
	mkdir $node->backup_dir;
	$node->stop;
	system_or_bail('cp', '-a', $node->data_dir, $node->backup_dir . "/$name");
	$node->start;
	$copy->init_from_backup($node, $name);
	$copy->append_conf('postgresql.conf', $conf);
	return $copy;
}

# A copy that goes its own way: when the base is made, it is behind.
my $clone = copy('clone', "wal_level = replica\n");
$clone->start;
next_segments();
sql("UPDATE same SET t = 'of the original'");
full('clone');
$here = $clone;
sql("UPDATE same SET t = 'of the copy'; VACUUM FREEZE same");
$id = differential('clone');
is(referred('clone', $id), '', 'a server that was not there when the base was made has all copied');
restores('clone', $id, '... so that it gets what is its own');
like(says("SELECT link.backup_database('files', 'clone', mode => 'differential')"), qr/NOTICE: .*all tables are copied.*history/, '... and says why');

# Another timeline.
full('timeline');
isnt(referred('timeline', differential('timeline')), '', 'a base of its own serves');
$clone->stop;
$clone->set_standby_mode;
$clone->start;
$clone->promote;
$id = differential('timeline');
is(manifest('timeline', $id)->{timeline}, 2, 'a timeline is over');
is(referred('timeline', $id), '', '... and all is copied');
restores('timeline', $id, '... as it is');
$clone->stop;

# Another system, which makes the same of itself.
my $stranger = new_node('stranger', preload => '', conf => "link.master_key_file = '" . $node->basedir . "/link_master.key'\n");
$here = $stranger;
make_link($stranger, 'files', 'FS', {}, { root => $root });
sql("CREATE TABLE theirs (n int); SET session_replication_role = replica; INSERT INTO link.baseline VALUES ($base)");
like(says("SELECT link.backup_database('files', 'all', mode => 'differential')"), qr/ERROR:  55000: there is no full backup of this database/, 'a base of another system');
$stranger->stop;
$here = $node;

# The WAL is lost, and pg_resetwal gives positions for the second time that are not in pg_control.
sql('CHECKPOINT');
next_segments();
sql("UPDATE same SET t = 'before'; VACUUM FREEZE same");
$base = full('reset');
sql('SELECT count(*) FROM link.baseline');
contents('postgres');    # pages go to disk, as there is no room for so many
$node->stop('immediate');
unlink glob($node->data_dir . '/pg_wal/0*');
$node->command_ok([ 'pg_resetwal', '-f', $node->data_dir ], 'pg_resetwal');
$node->start;
sql('DO $$ BEGIN FOR i IN 1 .. 200 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$');
sql("UPDATE same SET t = 'after'");
next_segments() foreach 1 .. 3;
restores('reset', differential('reset'), '... and what has changed since is copied');
$node->stop;

#
# At random: some write while the base is made, some have written and end after it.
#
my $tables = 150;
my $rounds = $ENV{LINK_TEST_LONG} ? 50 : 5;
$here = new_node('rounds', preload => '', conf => "max_prepared_transactions = 10\nautovacuum_naptime = 1s\nmax_worker_processes = 8\n");
make_link($here, 'files', 'FS', {}, { root => $root });
sql(q{
CREATE PROCEDURE change(t int, what int, x int) LANGUAGE plpgsql AS $$
DECLARE name text := 'public.t' || t;
BEGIN
	SET LOCAL lock_timeout = '50ms';
	IF what < 30 THEN EXECUTE format('INSERT INTO %s SELECT g, md5(g::text || $1) FROM generate_series(1, $1 %% 5 + 1) g', name) USING x;
	ELSIF what < 45 THEN EXECUTE format('UPDATE %s SET v = md5(v) WHERE n %% 7 = $1 %% 7', name) USING x;
	ELSIF what < 60 THEN EXECUTE format('DELETE FROM %s WHERE n %% 11 = $1 %% 11', name) USING x;
	ELSIF what < 70 THEN EXECUTE format('DELETE FROM %s WHERE ctid >= ''(1,0)''', name);
	ELSIF what < 80 THEN EXECUTE format('UPDATE %s SET v = repeat(v, 100) WHERE n = $1 %% 50', name) USING x;
	ELSIF what < 85 THEN EXECUTE format('INSERT INTO %s SELECT g, md5(g::text) FROM generate_series(1, 300) g', name);
	ELSIF what < 88 THEN EXECUTE format('TRUNCATE %s', name);
	ELSIF what < 90 THEN EXECUTE format('ALTER TABLE %s ADD c%s text DEFAULT ''x''', name, x);
	ELSE
		BEGIN
			EXECUTE format('INSERT INTO %s VALUES ($1, ''subtransaction'')', name) USING x;
			IF what < 93 THEN RAISE division_by_zero; END IF;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END IF;
EXCEPTION WHEN lock_not_available OR duplicate_column OR undefined_function THEN NULL;
END $$;
});
sql(join '', map { "CREATE TABLE t$_ (n int, v text); INSERT INTO t$_ SELECT g, md5(g::text) FROM generate_series(1, 100 + 10 * ($_ % 40)) g;" } 1 .. $tables);
sql('VACUUM');
my $script = $node->basedir . '/change.sql';
append_to_file($script, "\\set t random(1, $tables)\n\\set what random(0, 99)\n\\set x random(1, 1000)\n\\set ms random(0, 20)\nBEGIN;\nCALL change(:t, :what, :x);\n\\sleep :ms ms\nEND;\n");
append_to_file("$script.vacuum", "\\set t random(1, $tables)\nSET lock_timeout = '50ms'; VACUUM public.t:t;\n");
sub one_of { return $_[ rand @_ ] }
sub change { my ($kinds) = @_; return sprintf 'CALL change(%d, %d, %d)', 1 + int rand $tables, rand($kinds // 100), rand 1000 }

my ($reused, $copied) = (0, 0);
foreach my $round (1 .. $rounds)
{
	my $path = "round$round";
	# whom no VACUUM has followed reads write to, where there are checksums
	sql('VACUUM FREEZE') if rand() < 0.3;
	my @open = map { session() } 1 .. 4;
	foreach my $open (@open) { $open->query_safe('BEGIN'); $open->query_safe(change(80)) foreach 1 .. 3; $open->query_safe('SAVEPOINT s; ' . change(80) . '; ' . one_of('RELEASE s', 'ROLLBACK TO s')) }
	sql('BEGIN; ' . change(80) . '; ' . change(80) . "; PREPARE TRANSACTION 'p$round'");

	my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', 3, '-T', 60, '-R', 120, '-f', "$script\@4", '-f', "$script.vacuum\@1", $here->connstr('postgres') ], '<', \undef, '>', \my $out, '2>&1', IPC::Run::timer(120));
	sleep(0.2 + rand 0.3);
	my $base = full($path, set => rand() < 0.1 ? "SET default_transaction_isolation = 'repeatable read';" : '');
	sleep(rand 0.2);
	$writers->signal('INT');
	eval { $writers->finish };
	foreach my $open (@open) { $open->query_safe(one_of('COMMIT', 'ROLLBACK')); $open->quit }
	sql(one_of('COMMIT', 'ROLLBACK') . " PREPARED 'p$round'");
	sql(join '; ', map { change() } 1 .. rand 10);
	if (rand() < 0.4) { $here->stop(one_of('fast', 'immediate')); $here->start }

	my $still_open = session();
	$still_open->query_safe('BEGIN; ' . change(60));
	my $id = differential($path);
	restores($path, $id, "round $round");
	$still_open->query_safe('ROLLBACK');
	$still_open->quit;
	$reused += scalar(my @old = split / /, referred($path, $id));
	$copied += scalar(my @new = split / /, copied($path, $id));
}
cmp_ok($reused, '>', $rounds * $tables / 10, 'of tables that nobody has changed nothing was copied');
note("$reused tables referred to the base, $copied were copied");
cmp_ok($copied, '>', $rounds * $tables / 10, '... and many have been changed');

done_testing();
