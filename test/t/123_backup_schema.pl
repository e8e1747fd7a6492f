# Backups of schemas, where one session is not enough: what others see of a BACKUP or
# RESTORE, its rate, ends that nobody has asked for, and other encodings.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_node('schemas', preload => '', conf => "link.log_use = 'all'\nautovacuum = off\nrestart_after_crash = on\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql) }
sub says { my ($sql, $db) = @_; my ($out, $err) = ('', ''); $node->psql($db // 'postgres', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err); return $out . $err }

# Statements in the background, one by one: [handle, its output].
sub start
{
	my ($sql) = @_;
	my $out = '';
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), map { ('-c', $_) } split /;\s*/, $sql ], '>', \$out, '2>&1', IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default * 4));
	return [ $run, \$out ];
}
sub ended { my ($session) = @_; $session->[0]->finish; return ${ $session->[1] } }
sub until_true { my ($query) = @_; $node->poll_query_until('postgres', $query) or die "never true: $query" }

make_link($node, 'files', 'FS', {}, { root => $root });
sql(q{
	CREATE ROLE maker LOGIN; CREATE ROLE watcher LOGIN; CREATE ROLE nobody LOGIN; GRANT pg_read_all_stats TO watcher;
	GRANT CREATE ON DATABASE postgres TO maker;
	SELECT link.grant_privilege('USE', '*.*', 'maker');
	CREATE SCHEMA shop AUTHORIZATION maker;
	SET ROLE maker;
	CREATE TABLE shop.small AS SELECT 'é' || n AS t FROM generate_series(1, 1000) n;
	CREATE TABLE shop.large AS SELECT n, md5(n::text) || md5((-n)::text) AS t FROM generate_series(1, 20000) n;
	CREATE TABLE shop.other AS TABLE shop.large;
	ALTER TABLE shop.large ADD PRIMARY KEY (n); ALTER TABLE shop.other ADD FOREIGN KEY (n) REFERENCES shop.large;
	CREATE MATERIALIZED VIEW shop.counted AS SELECT count(*) FROM shop.other; CREATE UNIQUE INDEX ON shop.counted (count);
	CREATE VIEW shop.both AS SELECT count(*) FROM shop.small, shop.large WHERE n = 1;
});
my $bytes = 2_800_000;    # of both large tables as text, more or less

#
# What others see of a backup that takes its time, and how long it takes.
#
sub backup { my ($path, $rate) = @_; return "SET ROLE maker; SET link.backup_rate = '$rate'; SELECT link.backup_database('files', '$path', schemas => '{shop}', compression => 'none', parallel => 2)" }
my $began = time;
my $session = start(backup('seen', '500kB'));
until_true(q{SELECT count(*) = 1 FROM link.backup_progress WHERE "table" = 'shop.large' AND bytes > 0 AND parts_done = 0});
is(sql(q{SELECT command, phase, "table", parts_total, bytes > 0 OR "table" = 'shop.small', bytes_total FROM link.backup_progress WHERE parts_done < 3 ORDER BY "table" NULLS FIRST}),
	"BACKUP|tables||3|t|\nBACKUP|tables|shop.large|1|t|\nBACKUP|tables|shop.other|1|t|\nBACKUP|tables|shop.small|1|t|", 'a row for all of it and for each table');
is(sql('SET ROLE watcher; SELECT count(*) FROM link.backup_progress'), 4, 'whoever reads all statistics sees it');
is(sql('SET ROLE maker; SELECT count(DISTINCT backup_id) FROM link.backup_progress'), 1, 'the role itself too');
is(sql('SET ROLE nobody; SELECT count(*) FROM link.backup_progress'), 0, 'others do not');
is(sql('SELECT status, finished IS NULL, role FROM link.backups'), 'running|t|maker', 'link.backups says that it runs');
my $id = ended($session);
my $took = time - $began;
like($id, qr/^\d+\n$/, 'it succeeds');
cmp_ok($took, '>', $bytes / 500_000 / 1.2, "500 kB/s, all processes together: $took s");
cmp_ok($took, '<', $bytes / 500_000 * 3 + 3, '... and not much less');
is(sql('SELECT count(*) FROM link.backup_progress'), 0, 'afterwards nothing is seen');
is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0, 'nor held');
is(sql('SELECT status, objects FROM link.backups'), 'succeeded|4', 'link.backups says that it has');
chomp $id;

# The same of RESTORE: what is to come is known.
$session = start("SET ROLE maker; SET link.backup_rate = '500kB'; SELECT * FROM link.execute('RESTORE shop AS copy FROM LINK files ''seen''')");
until_true(q{SELECT count(*) = 1 FROM link.backup_progress WHERE command = 'RESTORE' AND "table" = 'shop.large' AND bytes BETWEEN 1 AND bytes_total - 1});
is(sql(q{SELECT sum(bytes_total) FILTER (WHERE "table" IS NOT NULL) = sum(bytes_total) FILTER (WHERE "table" IS NULL) FROM link.backup_progress}), 't', 'the sum is that of the tables');
# Meanwhile the schema whose name it uses is there for everybody else.
is(sql(q{SET lock_timeout = '1s'; SELECT count(*) FROM shop.large}), 20000, 'its name is used by others all the time');
is(sql(q{INSERT INTO shop.small VALUES ('meanwhile'); SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(shop|copy|link_restore)'}), 1, 'who see nothing else');
is(ended($session), "RESTORE $id\n", 'it succeeds');
is(sql('SELECT (SELECT count(*) FROM copy.small), (SELECT count(*) FROM shop.small), (SELECT count FROM copy.both), (SELECT count FROM copy.counted)'), '1000|1001|1000|20000', 'both are what they should be');
is(sql(q{SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace WHERE nspname ~ '^(shop|copy|link_restore)'}), 'copy shop', 'under their names');
sql('DROP SCHEMA copy CASCADE');

#
# The log.
#
my $log = slurp_file($node->logfile);
like($log, qr/link use: role=maker session=\S+ link=public\.files verb=backup_database path="seen" rows=41000 bytes=2\d{6} ms=[\d.]+ outcome=ok$/m, 'the backup is in the log');
like($log, qr/link use: role=maker session=\S+ link=public\.files verb=restore_database path="seen" rows=41000 bytes=2\d{6} ms=[\d.]+ outcome=ok$/m, '... and RESTORE');

#
# Ends that nobody has asked for.
#
my $slow = "SELECT pid FROM link.backup_progress WHERE \"table\" = 'shop.large' AND bytes > 0";
sub leaves_nothing
{
	my ($what) = @_;
	is(sql(q{SELECT count(*) FROM link.backup_progress}) . sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '00', "$what: nothing is left");
}
$session = start(backup('cancelled', '10kB'));
until_true("SELECT count(*) = 1 FROM ($slow) s");
$began = time;
sql("SELECT pg_cancel_backend(pid) FROM ($slow) s");
like(ended($session), qr/ERROR:  57014/, 'a backup that waits for its rate is cancelled');
cmp_ok(time - $began, '<', 3, '... at once');
is(sql(q{SELECT status, finished IS NOT NULL, error FROM link.backups WHERE path = 'cancelled'}), 'failed|t|SQLSTATE 57014', '... and is seen to have failed');
leaves_nothing('cancelled');

$session = start(backup('terminated', '10kB'));
until_true("SELECT count(*) = 1 FROM ($slow) s");
sql("SELECT pg_terminate_backend(pid) FROM ($slow) s");
like(ended($session), qr/57P01/, 'the session of a backup is ended');
until_true(q{SELECT status = 'failed' AND error = 'the session ended' FROM link.backups WHERE path = 'terminated'});
is(sql(q{SELECT status FROM link.backup WHERE path = 'terminated'}), 'running', '... which nobody has had the time to write down');
leaves_nothing('terminated');

my $restore = "SET ROLE maker; SET link.backup_rate = '10kB'; SELECT link.restore_database('files', 'seen', %s)";
$session = start(sprintf $restore, "'copy'");
until_true("SELECT count(*) = 1 FROM ($slow) s");
sql("SELECT pg_cancel_backend(pid) FROM ($slow) s");
like(ended($session), qr/ERROR:  57014/, 'RESTORE is cancelled');
leaves_nothing('cancelled');
is(sql(q{SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace WHERE nspname ~ '^(shop|copy|link_restore)'}), 'shop', 'no schema is made, and the other has its name');

$session = start(sprintf $restore, "'copy'");
until_true("SELECT count(*) = 1 FROM ($slow) s");
kill 'KILL', sql($slow);
like(ended($session), qr/connection/, 'the server crashes');
my $tries = 100;
sleep(0.1) until $node->psql('postgres', 'SELECT 1') == 0 || !$tries--;
is(sql(q{SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace WHERE nspname ~ '^(shop|copy|link_restore)'}), 'shop', 'a crash: the same');
is(sql('SELECT count(*) FROM shop.large'), 20000, 'what was there is there');
leaves_nothing('a crash');
is(sql("SET ROLE maker; SELECT link.restore_database('files', 'seen', 'copy')"), $id, 'the next RESTORE works');
sql('DROP SCHEMA copy CASCADE');

#
# What the backup is of.
#
like(says("SELECT link.execute('RESTORE postgres FROM LINK files ''seen''')"), qr/ERROR:  22023: backup $id is that of schema "shop", not of "postgres"\nHINT:  link.list_backups/, 'another is asked for');
like(says("SELECT link.execute('RESTORE shop AS x FROM LINK files ''seen'' WITH FILE = 1')"), qr/ERROR:  58P01/, 'an id that is not there');
is(sql("SELECT link.execute('RESTORE shop AS x FROM LINK files ''seen'' WITH FILE = $id'); SELECT count(*) FROM x.small; DROP SCHEMA x CASCADE"), "RESTORE $id\n1000", 'the one that is');

#
# Code of a backup: it runs as who restores it, with no way back to who logged in.
#
sql(q{
	SET ROLE maker;
	CREATE SCHEMA trap;
	CREATE FUNCTION trap.spring(int) RETURNS bool LANGUAGE plpgsql AS $$
	BEGIN
		IF current_setting('trap.armed', true) = 'yes' THEN
			RAISE WARNING 'as %', current_user;
			EXECUTE 'RESET ROLE';
		END IF;
		RETURN true;
	END $$;
	CREATE TABLE trap.bait (n int CHECK (trap.spring(n)));
	INSERT INTO trap.bait VALUES (1);
	SELECT link.backup_database('files', 'trap', schemas => '{trap}')});
like(says(q{SET ROLE maker; SET trap.armed = 'yes'; SELECT link.restore_database('files', 'trap', 'sprung')}), qr/WARNING:  01000: as maker\n.*ERROR:  42501: cannot set parameter "role"/s, 'code of a backup takes no role back');
is(sql(q{SET ROLE maker; SELECT link.restore_database('files', 'trap', 'owned') > 0; RESET ROLE; SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'owned'}), "t\nmaker", '... and makes what the role may make');
sql('ALTER SCHEMA trap OWNER TO postgres; ALTER SCHEMA trap RENAME TO gone');
is(sql(q{SET ROLE maker; SELECT link.restore_database('files', 'trap') > 0; SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'trap'}), "t\nmaker", 'under its own name too');
sql('DROP SCHEMA trap, owned, gone CASCADE');

#
# Damage: which object, and nothing is made.
#
sub damaged
{
	my ($file, $what) = @_;
	my $whole = slurp_file($file);
	my $cut = $whole;
	substr($cut, length($cut) / 2, 1) ^= "\1";
	open my $f, '>:raw', $file or die;
	print $f $cut;
	close $f;
	like(says("SELECT link.restore_database('files', 'seen', 'copy')"), qr/ERROR:  XX001:.*\Q$what\E/s, "one bit of $what");
	is(sql(q{SELECT count(*) FROM pg_namespace WHERE nspname = 'copy'}), 0, '... and nothing is made');
	open $f, '>:raw', $file or die;
	print $f $whole;
	close $f;
}
damaged("$root/seen/$id/schema/definitions.dump", 'definitions.dump');
damaged((glob "$root/seen/$id/data/shop.large*")[0], 'data/shop.large');
damaged("$root/seen/$id/manifest.json", 'manifest.json');

#
# A database of another encoding, of another kind of strings.
#
sql(q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'});
sql(q{ALTER DATABASE latin SET standard_conforming_strings = off; ALTER DATABASE latin SET DateStyle = 'German'; CREATE ROLE "é"});
sql(q{CREATE EXTENSION link}, 'latin');
sql(qq{SELECT link.create_link('files', 'FS', config => '{"root":"$root"}')}, 'latin');
sql(q{CREATE SCHEMA strings; CREATE TABLE strings.t (a text DEFAULT E'back\\\\slash\\\\', "ä" text DEFAULT 'ö', d date DEFAULT '2020-02-03'); INSERT INTO strings.t VALUES (E'\\\\N', 'ü')});
sql(q{SELECT link.backup_database('files', 'strings', schemas => '{strings}')});
sql(q{SELECT link.restore_database('files', 'strings')}, 'latin');
is(sql(q{SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET DateStyle = ISO; INSERT INTO strings.t DEFAULT VALUES; SELECT * FROM strings.t ORDER BY d NULLS LAST, a}, 'latin'), sql(q{INSERT INTO strings.t DEFAULT VALUES; SELECT * FROM strings.t ORDER BY d NULLS LAST, a}), 'strings are what they were');
is(sql('SHOW standard_conforming_strings', 'latin'), 'off', 'and the session keeps its settings');
sql(q{SELECT link.backup_database('files', 'back', schemas => '{strings}')}, 'latin');
sql(q{SELECT link.restore_database('files', 'back', 'returned')});
is(sql('SELECT * FROM returned.t ORDER BY d NULLS LAST, a'), sql('SELECT * FROM strings.t ORDER BY d NULLS LAST, a'), '... back again');

$node->stop;
done_testing();
