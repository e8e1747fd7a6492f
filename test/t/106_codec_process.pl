# A codec in a process of its own: the same bytes, the same errors, and nothing of it
# stays.

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('codec', conf => "max_worker_processes = 8\nmax_parallel_workers = 8\nmin_parallel_table_scan_size = '64kB'\nmax_parallel_workers_per_gather = 2\n");
my $root = $node->basedir . '/files';
mkdir $root or die;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql(qq(SELECT link.create_link('fs', 'FS', config => '{"root":"$root"}')));
sql(q{
	CREATE TABLE t AS SELECT n AS id, md5(n::text) AS name, repeat(md5((n / 7)::text), n % 5) AS more FROM generate_series(1, 200000) n;
	ANALYZE t;
	CREATE SEQUENCE s;
	CREATE TABLE u (LIKE t)});

# They are connected to no database, so no view has them.
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
sql(qq{CREATE FUNCTION workers() RETURNS int LANGUAGE plpgsql AS \$\$
	BEGIN
		CREATE TEMP TABLE IF NOT EXISTS pids (pid int);
		DELETE FROM pids;
		COPY pids FROM PROGRAM 'pgrep -P $postmaster -f "link codec" || true';
		RETURN (SELECT count(*) FROM pids);
	END \$\$});

# Until there is none, for 10 seconds.
sub none_left { return $node->poll_query_until('postgres', 'SELECT workers() = 0'); }

# How many there were while the query ran: it looks after its first 150,000 rows.
my $looks = "CASE WHEN id = 150000 THEN set_config('test.workers', workers()::text, false) END AS w";
my $unsafe = "SELECT id, name, more, nextval('s') > 0 AS n FROM t";

sub plain
{
	my ($codec, $file) = @_;
	my ($out, $err) = ('', '');
	my @command = $codec eq 'gzip' ? qw(gzip -dc) : $codec eq 'zstd' ? qw(zstd -qdc) : qw(lz4 -qdc);
	IPC::Run::run([ @command, $file ], '>', \$out, '2>', \$err) or die "$codec: $err";
	return $out;
}

sql("COPY ($unsafe) TO '$root/expected' (FORMAT csv)");
my $expected = slurp_file("$root/expected");
for my $codec (qw(gzip zstd lz4))
{
	is(sql("SELECT path, rows FROM link.select_into(\$\$$unsafe\$\$, 'fs', '$codec', 'csv', compression => '$codec', parallel => 2)"),
		"$codec|200000", "$codec: one object");
	ok(plain($codec, "$root/$codec") eq $expected, "$codec: its command reads what COPY writes");
	sql("SELECT link.select_into(\$\$$unsafe\$\$, 'fs', '$codec.alone', 'csv', compression => '$codec', parallel => 1)");
	ok(slurp_file("$root/$codec") eq slurp_file("$root/$codec.alone"), "$codec: the same bytes as without a process");
}

# When there is one
sql('CREATE FUNCTION little() RETURNS SETOF t LANGUAGE plpgsql ROWS 1 AS $$ BEGIN RETURN QUERY TABLE t; END $$');
for my $case (
	[ 'asked for', 'parallel => 2', 1 ], [ 'by size', 'parallel => NULL', 1 ], [ 'not wanted', 'parallel => 1', 0 ],
	[ 'none for what the planner takes for little', 'parallel => NULL', 0, 'little()' ],
	[ 'none without core\'s leave', 'parallel => NULL', 0, 't', 'SET max_parallel_workers_per_gather = 0' ],
	[ 'none by the table of 64 kB objects', 'file_size => 65535', 0 ])
{
	my ($name, $options, $count, $from, $set) = @$case;
	my $query = "SELECT *, $looks FROM " . ($from // 't');
	$set //= '';
	is(sql("SET test.workers = 'never'; $set; SELECT count(*) > 0 FROM link.select_into(\$\$$query\$\$, 'fs', 'case', compression => 'zstd', overwrite => true, $options); SELECT current_setting('test.workers')"),
		"t\n$count", $name);
}
ok(none_left(), 'they end with their export');

# Loading
sql("SELECT link.select_into('TABLE t', 'fs', 'load.$_', compression => '$_') FROM (VALUES (1)) v") for qw(gzip zstd lz4);
append_to_file("$root/load.two", slurp_file("$root/load.zstd") . slurp_file("$root/load.zstd"));
sql(q{CREATE TABLE seen (workers bigint);
	CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (workers()); RETURN NULL; END $$;
	CREATE TRIGGER look AFTER INSERT ON u FOR EACH ROW WHEN (NEW.id = 199999) EXECUTE FUNCTION look()});
for my $object (qw(load.gzip load.zstd load.lz4 load.two))
{
	my $times = $object eq 'load.two' ? 2 : 1;
	my $like = "SELECT count(*), count(*) FILTER (WHERE (u.*)::text = (t.*)::text) FROM u JOIN t USING (id)";
	for my $gather (2, 0)
	{
		is(sql("SET max_parallel_workers_per_gather = $gather; SELECT rows FROM link.load_data('fs', '$object', 'u'); $like; TRUNCATE u"),
			$times * 200000 . "\n" . $times * 200000 . '|' . $times * 200000, "$object: loaded, " . ($gather ? 'a process' : 'no process'));
	}
}
is(sql("SELECT count(*), sum(workers) FROM seen"), '10|0', 'triggers run after the object has been read');
sql("TRUNCATE seen; DROP TRIGGER look ON u; CREATE TRIGGER look BEFORE INSERT ON u FOR EACH ROW WHEN (NEW.id = 1000) EXECUTE FUNCTION look()");
sql("CREATE OR REPLACE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN INSERT INTO seen VALUES (workers()); RETURN NEW; END \$\$");
sql("SELECT link.load_data('fs', 'load.zstd', 'u'); SET max_parallel_workers_per_gather = 0; SELECT link.load_data('fs', 'load.zstd', 'u')");
is(sql("SELECT string_agg(workers::text, ' ') FROM seen"), '1 0', 'a load has a process, if it may');

# Its shared memory goes with the object, not with the statement.
mkdir "$root/many";
append_to_file("$root/many/$_.zst", slurp_file("$root/load.zstd")) for 1 .. 8;
sql(q{TRUNCATE seen;
	CREATE OR REPLACE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO seen VALUES (regexp_count(pg_read_file('/proc/self/maps'), 'PostgreSQL\.|posix_dsm|SYSV'));
		RETURN NEW; END $$});
sql("SELECT count(*) FROM link.load_data('fs', 'many/', 'u')");
is(sql('SELECT count(*), max(workers) - min(workers) <= 1 FROM seen'), '8|t', 'eight objects take the memory of one');
sql('TRUNCATE u; DROP TRIGGER look ON u');

# Broken objects: the same words with and without
sub outcome
{
	my ($gather, $object) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "SET max_parallel_workers_per_gather = $gather; \\set VERBOSITY verbose\nSELECT link.load_data('fs', '$object', 'u')");
	return $err;
}
my $whole = slurp_file("$root/load.zstd");
append_to_file("$root/broken.cut", substr($whole, 0, length($whole) - 5000));
append_to_file("$root/broken.bit", substr($whole, 0, 1_000_000) . chr(ord(substr($whole, 1_000_000, 1)) ^ 4) . substr($whole, 1_000_001));
append_to_file("$root/broken.rest", $whole . 'rest');
for my $object (qw(broken.cut broken.bit broken.rest))
{
	my $with = outcome(2, $object);
	like($with, qr/XX001: could not decompress "$object" with zstd: .*DETAIL:  This is at byte \d+ of the object/s, "$object: an error");
	# the line that COPY had come to, and the byte within the codec's buffer, are not of the error
	my $words = qr/^(?:CONTEXT|LOCATION):.*|at byte \d+/m;
	is($with =~ s/$words//gr, outcome(0, $object) =~ s/$words//gr, "$object: ... which is the same without a process");
}
is(sql('SELECT count(*) FROM u'), 0, 'and no row');

# An error that is caught: the process goes, the session goes on
is(sql(q{
	DO $$ BEGIN
		FOR i IN 1..5 LOOP
			BEGIN
				PERFORM link.select_into('SELECT 1 / (199999 - id) FROM t', 'fs', 'caught', compression => 'zstd', parallel => 2);
			EXCEPTION WHEN division_by_zero THEN NULL;
			END;
			BEGIN
				PERFORM link.load_data('fs', 'broken.cut', 'u');
			EXCEPTION WHEN data_corrupted THEN NULL;
			END;
			BEGIN
				PERFORM link.load_data('fs', 'load.zstd', 'u', "where" => '1 / (5000 - id) > 5');
			EXCEPTION WHEN division_by_zero THEN NULL;
			END;
		END LOOP;
	END $$;
	SELECT link.select_into('TABLE t', 'fs', 'after', compression => 'zstd', parallel => 1);
	SELECT count(*) FROM (SELECT * FROM link.select_from('fs', 'load.gzip') AS f(id int, a text, b text) LIMIT 3) f}), "(after,200000," . (-s "$root/after") . ")\n3", 'errors that are caught');
ok(none_left(), '... leave no process');
ok(!-e "$root/caught", '... and no object');

# One that is lost
for my $case ([ 'export', "SELECT link.select_into('SELECT *, nextval(''s''), CASE WHEN id % 1000 = 0 THEN pg_sleep(0.05) END FROM t', 'fs', 'lost', compression => 'zstd', parallel => 2)" ],
	[ 'load', "SELECT link.load_data('fs', 'load.zstd', 'u', \"where\" => 'CASE WHEN id % 1000 = 0 THEN pg_sleep(0.05) IS NOT NULL ELSE true END')" ])
{
	my ($name, $statement) = @$case;
	for my $how ('kill', 'cancel')
	{
		my ($err, $out) = ('', '');
		my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-v', 'VERBOSITY=verbose', '-c', $statement ],
			'>', \$out, '2>', \$err, IPC::Run::timer(60));
		$node->poll_query_until('postgres', 'SELECT workers() = 1') or die;
		if ($how eq 'kill') { kill 'TERM', `pgrep -P $postmaster -f 'link codec'` or die; }
		else { sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%''fs''%' AND pid <> pg_backend_pid()"); }
		$h->finish;
		like($err, $how eq 'cancel' ? qr/57014: canceling/ : qr/55000: lost the process that runs zstd/, "$name, $how: an error");
		ok(none_left(), "... and no process");
	}
}
ok(!-e "$root/lost", 'no object');
is(sql('SELECT count(*) FROM u'), 0, 'no row');

# None to be had
$node->safe_psql('postgres', 'ALTER SYSTEM SET max_parallel_workers = 0');
$node->reload;
is(sql("SET test.workers = 'never'; SELECT count(*) > 0 FROM link.select_into(\$\$SELECT *, $looks FROM t\$\$, 'fs', 'none', compression => 'zstd', parallel => 2); SELECT current_setting('test.workers')"),
	"t\n0", 'without a worker to be had');
is(sql("SELECT rows FROM link.load_data('fs', 'load.zstd', 'u')"), 200000, '... also for a load');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'nothing crashed');

done_testing();
