# Exports of all kinds: compressed, in several objects, by several processes, in
# transactions of all sorts; and that a failure anywhere leaves nothing.

use strict;
use warnings;
use IPC::Run ();
use JSON::PP qw(decode_json);
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_s3();
my $node = new_node('objects', conf => "max_worker_processes = 8\nmax_parallel_workers = 8\nmin_parallel_table_scan_size = '64kB'\n");
my $root = $node->basedir . '/files';
mkdir $root or die;
make_bucket('objects');
aws('s3', 'rm', '--recursive', '--quiet', 's3://objects');
s3_link($node, 's3');
$node->safe_psql('postgres', "SELECT link.create_link('fs', 'FS', config => '{\"root\":\"$root\"}')");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Hidden files left behind, uploads at the server, and records. An abort whose answer
# a loaded server owes too long keeps its record, so these are looked through first.
sub left_behind
{
	my @left = ((grep { /link-/ } split /\n/, `find $root -name '.*'`), uploads_left('objects'));
	sql('SELECT link.abort_uploads()');
	return join ' ', @left, glob($node->data_dir . '/link_uploads/*');
}

sub files { return join ' ', grep { !m{/\.link-} } map { s{^\Q$root/}{}r } sort split /\n/, `find $root -type f -path '$root/$_[0]'`; }

sql(q{
	CREATE TABLE t AS SELECT n AS id, md5(n::text) AS name, n % 7 AS kind, repeat('x', n % 50) AS pad FROM generate_series(1, 300000) n;
	CREATE TABLE same (LIKE t);
	ANALYZE t;
	CREATE FUNCTION loaded(path text, options text DEFAULT '', link text DEFAULT 'fs') RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		TRUNCATE same;
		EXECUTE format('SELECT count(*) FROM link.load_data(%L, %L, ''same''%s)', link, path, options);
		RETURN (SELECT format('%s rows, %s differ', (SELECT count(*) FROM same), count(*)) FROM (TABLE t EXCEPT ALL TABLE same) d);
	END $$});

#
# Codecs, beside the commands of their names.
#

my %command = (gzip => [ 'gz', 'gzip', '-dc' ], zstd => [ 'zst', 'zstd', '-dcq' ], lz4 => [ 'lz4', 'lz4', '-dcq' ]);
sql("SELECT link.select_into('TABLE t', 'fs', 'plain', parallel => 1)");
my $plain = slurp_file("$root/plain");
foreach my $codec (sort keys %command)
{
	my ($ending, @decompress) = @{ $command{$codec} };
	my @compress = ($decompress[0], '-c', $codec eq 'gzip' ? () : '-q');
	my ($out, $err) = ('', '');

	sql("SELECT link.select_into('TABLE t', 'fs', 'c.$ending', parallel => 1)");
	IPC::Run::run([ @decompress, "$root/c.$ending" ], '>', \$out, '2>', \$err);
	ok($out eq $plain && $err eq '', "$codec: the command reads what we wrote") or diag($err);
	IPC::Run::run([ @compress, "$root/plain" ], '>', "$root/their.$ending") or die;
	is(sql("SELECT loaded('their.$ending')"), '300000 rows, 0 differ', "$codec: we read what the command wrote");
	system("cat $root/c.$ending $root/their.$ending > $root/both.$ending");
	is(sql("SELECT rows FROM link.load_data('fs', 'both.$ending', 'same')"), 600000, "$codec: one behind the other");

	# every byte that is cut off or changed is noticed, and where
	my $bytes = slurp_file("$root/c.$ending");
	foreach my $at (0, 1, 5, 20, int(length($bytes) / 2), length($bytes) - 1)
	{
		append_to_file("$root/cut-$at.$ending", substr($bytes, 0, $at));
		is(sqlstate_of($node, "SELECT link.load_data('fs', 'cut-$at.$ending', 'same')"), 'XX001', "$codec: cut off at $at");
	}
	my $damaged = $bytes;
	substr($damaged, length($bytes) / 2, 64) = 'x' x 64;
	append_to_file("$root/damaged.$ending", $damaged);
	my ($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT link.load_data('fs', 'damaged.$ending', 'same')");
	like($stderr, qr/could not decompress "damaged\.$ending" with $codec.*DETAIL:  This is at byte \d+ of the object|invalid|missing data|extra data/s, "$codec: damaged");
	is(sql("SELECT loaded('c.$ending')"), '300000 rows, 0 differ', "$codec: there and back");
	sql("SELECT link.select_into('TABLE t', 's3', 'objects/c.$ending', parallel => 1)");
	is(sql("SELECT loaded('objects/c.$ending', link => 's3')"), '300000 rows, 0 differ', "$codec: through S3");
}

#
# Several processes.
#

# Numbers of the objects' rows; more than one has some.
sub parallel_export
{
	my ($link, $path, $query, $more) = @_;
	return sql("SELECT path, rows FROM link.select_into(\$\$$query\$\$, '$link', '$path', parallel => 3" . ($more // '') . ')');
}

foreach my $where ([ 'fs', 'p/t.csv', 'p/t_*.csv' ], [ 's3', 'objects/p/t.csv', 'objects/p/t_*.csv' ])
{
	my ($link, $path, $glob) = @$where;
	my $written = parallel_export($link, $path, 'TABLE t');
	my @lines = split /\n/, $written;
	cmp_ok(scalar @lines, '>', 1, "$link: several objects") or diag($written);
	is(join(' ', map { /_(\d{4})\.csv\|[1-9]/ ? $1 : $_ } @lines), join(' ', map { sprintf '%04d', $_ } 0 .. $#lines), '... numbered, none is empty');
	is(sql("SELECT loaded('$glob', link => '$link')"), '300000 rows, 0 differ', '... that hold every row once');
}
is(sql("SELECT bool_and(ordered) FROM (SELECT a < lead(a, 1, a + 1) OVER (ORDER BY n) AS ordered FROM (SELECT row_number() OVER () AS n, split_part(line, E'\\t', 1)::int AS a
	FROM regexp_split_to_table(rtrim(convert_from(link.read_file('fs', 'p/t_0000.csv'), 'UTF8'), E'\\n'), E'\\n') line) l) o"), 't', 'order is kept within an object');

# By default one, and as many as core's own scan would have where there are several objects anyway.
is(sql("SELECT path FROM link.select_into('TABLE t', 'fs', 'd/one')"), 'd/one', 'one object, unless more are asked for');
like(sql("SELECT count(*) FROM link.select_into('TABLE t', 'fs', 'd/t', file_size => 1000000000)"), qr/^[23]$/, 'by the size of the table where files are cut');
is(sql("SET max_parallel_workers_per_gather = 0; SELECT path FROM link.select_into('TABLE t', 'fs', 'd/cut', file_size => 1000000000)"), 'd/cut_0000', '... or one');
is(sql("SELECT path FROM link.select_into('TABLE t', 'fs', 'd/one', parallel => 1, overwrite => true)"), 'd/one', 'one that is asked for');
is(sql("SET max_parallel_workers = 0; SELECT path FROM link.select_into('TABLE t', 'fs', 'd/none', parallel => 4)"), 'd/none', 'none to be had');
my $busy = $node->background_psql('postgres');
$busy->query_safe("SET debug_parallel_query = on") if $node->pg_version >= 16;
{
	# all workers are in use: a scan that holds them
	my $held = PostgreSQL::Test::Cluster->can('new') && $node;
	sql('ALTER SYSTEM SET max_worker_processes = 1');
	$node->restart;
	like(sql("SELECT string_agg(path, ' ') FROM link.select_into('TABLE t', 'fs', 'd/few', parallel => 4)"), qr{^d/few(?:_0000 d/few_0001)?$}, 'fewer workers than asked for');
	sql('ALTER SYSTEM RESET max_worker_processes');
	$node->restart;
}
$busy->quit;

# The rows of other queries are dealt out.
foreach my $query ('SELECT * FROM t ORDER BY id', 'SELECT t.* FROM t JOIN (SELECT id FROM t) u USING (id)', 'TABLE t UNION ALL SELECT 1, NULL, NULL, NULL WHERE random() < 0', 'WITH w AS MATERIALIZED (TABLE t) TABLE w')
{
	foreach my $where ([ 'fs', 'dealt/' ], [ 's3', 'objects/dealt/' ])
	{
		my ($link, $folder) = @$where;
		my @lines = split /\n/, parallel_export($link, "${folder}t", $query, ', overwrite => true');
		cmp_ok(scalar @lines, '>=', 2, "$link, dealt out: $query");	# the leader takes what is left over, if anything is
		is(sql("SELECT loaded('${folder}t_*', link => '$link')"), '300000 rows, 0 differ', '... every row once');
		sql("SELECT link.remove_file('$link', path) FROM link.list_files('$link', '$folder')");
	}
}
parallel_export('fs', 'dealt/o', 'SELECT id, ROW(id, name) FROM t ORDER BY id');
is(sql("SELECT bool_and(ordered) FROM (SELECT a < lead(a, 1, a + 1) OVER (PARTITION BY path ORDER BY n) AS ordered FROM (SELECT path, ordinality AS n, split_part(line, E'\\t', 1)::int AS a
	FROM link.list_files('fs', 'dealt/'), regexp_split_to_table(rtrim(convert_from(link.read_file('fs', path), 'UTF8'), E'\\n'), E'\\n') WITH ORDINALITY r(line)) l) o"), 't', 'order is kept within an object');
is(sql("SELECT count(*), count(DISTINCT a) FROM link.select_from('fs', 'dealt/') AS f(a int, b text) WHERE b = '(' || a || ',' || md5(a::text) || ')'"), '300000|300000', 'anonymous rows');
sql("SELECT link.select_into('SELECT repeat(name, 3000) AS v FROM t WHERE id <= 300 ORDER BY id', 'fs', 'dealt/large', parallel => 3)");
is(sql("SELECT count(DISTINCT v), sum(length(v)) FROM link.select_from('fs', 'dealt/large_*') AS f(v text)"), '300|' . 300 * 32 * 3000, 'rows larger than a queue');

# Or written by one, where no other may see what the query sees.
sql('CREATE TABLE counted (n int); CREATE SEQUENCE s');
foreach my $query ('SELECT id, nextval($s$s$s$) FROM t LIMIT 10', 'VALUES (1)', 'SELECT count(*) FROM t')
{
	is(() = parallel_export('fs', 'serial', $query, ', overwrite => true') =~ /^serial/mg, 1, "one object: $query");
}
is(sql("SET max_parallel_workers_per_gather = 2; SELECT count(*) FROM link.select_into('SELECT * FROM t ORDER BY id', 'fs', 'unasked')"), 1, 'one process unless asked for more');
is(sql("CREATE TEMP TABLE mine AS TABLE t; SELECT count(*) FROM link.select_into('TABLE mine', 'fs', 'temporary', parallel => 3)") =~ s/.*\n//r, 1, 'one process: a temporary table');

# A condition, columns that are computed, partitions, row security, a function of the caller's.
is(sql("SELECT sum(rows) FROM link.select_into('SELECT id * 2, upper(name) FROM t WHERE kind = 3', 'fs', 'w/t', parallel => 3)"),
	sql('SELECT count(*) FROM t WHERE kind = 3'), 'a condition');
is(sql("SELECT count(*) FROM link.select_from('fs', 'w/t_*') AS f(a int, b text) WHERE b ~ '^[0-9A-F]{32}\$'"), sql('SELECT count(*) FROM t WHERE kind = 3'), '... and computed columns');
sql("CREATE TABLE parts (LIKE t) PARTITION BY LIST (kind); CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (0, 1, 2); CREATE TABLE parts2 PARTITION OF parts DEFAULT; INSERT INTO parts TABLE t; ANALYZE parts");
parallel_export('fs', 'parts/t', 'TABLE parts');
is(sql("SELECT loaded('parts/t_*')"), '300000 rows, 0 differ', 'a partitioned table');
cmp_ok(scalar(split / /, files('parts/*')), '>', 1, '... by several');
sql("CREATE ROLE reader LOGIN; GRANT SELECT ON t TO reader; CREATE POLICY p ON t USING (kind = 1); ALTER TABLE t ENABLE ROW LEVEL SECURITY; SELECT link.grant_privilege('WRITE', 'LINK fs', 'reader')");
is($node->safe_psql('postgres', "SELECT sum(rows) FROM link.select_into('TABLE t', 'fs', 'rls/t', parallel => 3)", extra_params => [ '-U', 'reader' ]),
	sql('SELECT count(*) FROM t WHERE kind = 1'), 'row security');
sql('ALTER TABLE t DISABLE ROW LEVEL SECURITY');

# Uncommitted rows, of an uncommitted link: written, and stay.
is(sql("BEGIN; SELECT link.create_link('new', 'FS', config => '{\"root\":\"$root\"}'); CREATE TABLE u AS SELECT * FROM t WHERE id <= 100000; INSERT INTO u SELECT -1, 'last'; SAVEPOINT s; INSERT INTO u SELECT -2, 'gone'; ROLLBACK TO s;
	ANALYZE u; SELECT sum(rows) FROM link.select_into('TABLE u', 'new', 'u/t', parallel => 3); ROLLBACK") =~ s/^\n//r, 100001, 'rows that nobody else sees');
is(sql("SELECT count(*) FROM link.select_from('fs', 'u/t_*') AS f(a int, b text, c int, d text)"), 100001, '... are there after ROLLBACK');

# Names of a search_path, settings and encodings reach the workers.
is(sql(q{SET DateStyle = 'SQL, DMY'; SET client_encoding = 'LATIN1'; CREATE TABLE dated AS SELECT date '2026-12-31' AS d, U&'\00fc' AS u FROM t;
	SELECT count(*) > 1 FROM link.select_into('TABLE dated', 'fs', 'dated/t', parallel => 3)}), 't', 'settings of the session');
is(sql(q{SELECT bool_and(convert_from(link.read_file('fs', path), 'LATIN1') LIKE U&'31/12/2026\0009\00fc\000a31/%') FROM link.list_files('fs', 'dated/')}), 't', '... in every object');
is(sql("SELECT count(*) FILTER (WHERE content LIKE 'id,name%') = count(*) FROM (SELECT convert_from(link.read_file('fs', r.path), 'UTF8') AS content FROM link.select_into('TABLE t', 'fs', 'h/t.csv', 'csv', header => true, parallel => 3) r) c"),
	't', 'each object has its header');
my $manifest = do { sql("SELECT link.select_into('TABLE t', 'fs', 'm/t.csv.gz', 'csv', parallel => 3, file_size => 3000000, manifest => true)"); decode_json(slurp_file("$root/m/t_manifest.json")) };
is($manifest->{rows}, 300000, 'a manifest of all');
is(join(' ', sort map { s{^m/}{}r } map { $_->{path} } @{ $manifest->{objects} }), files('m/*.csv.gz') =~ s{m/}{}gr, '... names all');
is((grep { $_->{bytes} != -s "$root/$_->{path}" } @{ $manifest->{objects} }) + 0, 0, '... their sizes');

#
# Failures leave nothing, whoever fails.
#

sub leaves_nothing
{
	my ($what, $sqlstate, $query, $more) = @_;
	foreach my $link ('fs', 's3')
	{
		my $path = ($link eq 's3' ? 'objects/' : '') . 'failed/t';
		is(sqlstate_of($node, "SET statement_timeout = '20s'; SELECT link.select_into(\$\$$query\$\$, '$link', '$path', $more)"), $sqlstate, "$link: $what");
		is(join('', ($link eq 's3' ? grep { /failed/ } bucket_keys('objects') : files('failed/*'))), '', '... nothing is visible');
	}
	is(left_behind(), '', '... nothing is left');
}
leaves_nothing('the last row', '22012', 'SELECT id, 1 / (id - 300000) FROM t', 'parallel => 1');
leaves_nothing('a row of some process', '22012', 'SELECT id, 1 / (id - 299999), repeat(name, 100) FROM t', 'parallel => 3');
leaves_nothing('the last object', '22012', 'SELECT id, 1 / (id - 300000) FROM t', 'parallel => 1, file_size => 100000');
leaves_nothing('many columns, several processes', '22012', 'SELECT *, 1 / (id - 1), repeat(name, 300) FROM t', 'parallel => 3');
leaves_nothing('a query whose rows are dealt out', '22012', 'SELECT id, 1 / (id - 250000), repeat(name, 100) FROM t ORDER BY id', 'parallel => 3');
leaves_nothing('what a worker formats', '22P05', q{SELECT id, repeat(name, 100), CASE WHEN id = 250000 THEN U&'\\4e2d' END FROM t ORDER BY id}, q{parallel => 3, encoding => 'LATIN1'});
leaves_nothing('FOR UPDATE', '0A000', 'SELECT * FROM t FOR UPDATE', 'parallel => 3');

# Cancelled, and terminated, while all processes are at it.
foreach my $how ('cancel', 'terminate')
{
	foreach my $kind ('fs', 's3', 'dealt')
	{
		my $from = $kind eq 'dealt' ? '(TABLE t UNION ALL SELECT 0, NULL, 0, NULL) u' : 't';
		my $link = $kind eq 'fs' ? 'fs' : 's3';
		my $path = ($link eq 's3' ? 'objects/' : '') . 'cancelled/t';
		my ($err, $timer) = ('', IPC::Run::timer(60));
		my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
				"SELECT link.select_into('SELECT *, repeat(name, 1000), pg_sleep(0.00001) FROM $from', '$link', '$path', parallel => 3) /* victim */" ], '>', '/dev/null', '2>', \$err, $timer);
		$node->poll_query_until('postgres', "SELECT count(*) >= 2 FROM pg_stat_activity WHERE backend_type = 'parallel worker'") or die 'no workers';
		sleep 1;
		my $start = time;
		sql("SELECT pg_${how}_backend(pid) FROM pg_stat_activity WHERE query LIKE '%victim%' AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
		$h->finish;
		cmp_ok(time - $start, '<', 3, "$kind, $how: soon");
		$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'") or die 'workers stay';
		is(join('', ($link eq 's3' ? grep { /cancelled/ } bucket_keys('objects') : files('cancelled/*'))), '', '... nothing is visible');
		sql("SELECT link.abort_uploads('$link')") if $how eq 'terminate';	# its own process had no time
		is(left_behind(), '', '... nothing is left');
	}
}

# A worker alone is terminated.
my $err = '';
my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
		"SELECT link.select_into('SELECT *, repeat(name, 1000), pg_sleep(0.00001) FROM t', 's3', 'objects/worker/t', parallel => 3)" ], '>', '/dev/null', '2>', \$err, IPC::Run::timer(60));
$node->poll_query_until('postgres', "SELECT count(*) >= 2 FROM pg_stat_activity WHERE backend_type = 'parallel worker'") or die 'no workers';
sleep 1;
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' LIMIT 1");
$h->finish;
like($err, qr/terminating|lost connection to parallel worker/, 'a worker that is terminated ends the export');
is(join('', grep { /worker/ } bucket_keys('objects')), '', '... nothing is visible');
is(left_behind(), '', '... nothing is left');

# Somebody else takes the name of the third object between its beginning and the
# publish: those that had been published are removed again.
foreach my $link ('fs', 's3')
{
	my $prefix = $link eq 's3' ? 'objects/' : '';
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_until(qr/^$/, "SELECT link.select_into('SELECT id, CASE WHEN id = 50000 THEN pg_sleep(3) END FROM t WHERE id <= 50000', '$link', '${prefix}race/t', file_size => 100000, parallel => 1);\n\\echo over\n");
	sleep 1.5;
	sql("SELECT link.write_file('$link', '${prefix}race/t_0002', 'mine')");
	$session->query_until(qr/over/, "\n");
	$session->quit;
	is($link eq 's3' ? join(' ', grep { /race/ } bucket_keys('objects')) : files('race/*'), 'race/t_0002', "$link: all but the other's object are removed again");
	is(sql("SELECT convert_from(link.read_file('$link', '${prefix}race/t_0002'), 'UTF8')"), 'mine', '... which is as it was');
	is(left_behind(), '', '... nothing is left');
}

#
# Rows and transactions of all sorts.
#

sql('CREATE TABLE wide (' . join(', ', map { "c$_ " . (qw(int text numeric timestamptz bool))[ $_ % 5 ] } 1 .. 200) . ')');
sql('INSERT INTO wide SELECT ' . join(', ', map { ('n', "'text ' || n", 'n / 3.0', "timestamptz '2026-01-01' + n * interval '1 min'", 'n % 2 = 0')[ $_ % 5 ] } 1 .. 200) . ' FROM generate_series(1, 2000) n');
sql("CREATE TABLE wide2 (LIKE wide); SELECT link.select_into('TABLE wide', 'fs', 'wide.csv.zst', 'csv', parallel => 1); SELECT link.load_data('fs', 'wide.csv.zst', 'wide2', format => 'csv')");
is(sql('SELECT count(*) FROM (TABLE wide EXCEPT ALL TABLE wide2) d'), 0, '200 columns');
is(sql("CREATE FUNCTION exporting() RETURNS bigint LANGUAGE sql AS \$\$ SELECT rows FROM link.select_into('SELECT 1', 'fs', 'in-function') \$\$; SELECT exporting()"), 1, 'within a function');
is(sql("BEGIN; INSERT INTO counted VALUES (1), (2); SELECT rows FROM link.select_into('TABLE counted', 'fs', 'uncommitted'); ROLLBACK"), 2, 'uncommitted rows');
is(slurp_file("$root/uncommitted"), "1\n2\n", '... stay exported after ROLLBACK');
is(sql("SELECT rows FROM link.select_into('SELECT nextval(''s'') FROM generate_series(1, 3)', 'fs', 'sequence')"), 3, 'nextval()');
is(sql("SELECT rows FROM link.select_into('SELECT 1 WHERE false', 'fs', 'empty')"), 0, 'an empty result');
is(-s "$root/empty", 0, '... is an empty object');
is(sql("SELECT sum(rows) FROM link.select_into('SELECT * FROM t WHERE id < 0', 'fs', 'empty_parallel', parallel => 3)"), 0, 'an empty result of several processes');
is(files('empty_parallel*'), 'empty_parallel_0000', '... is one object');

# A row of 900 MB, as large as a text may be with its escapes doubled.
SKIP:
{
	sql(q{CREATE TABLE large (v text); INSERT INTO large SELECT repeat('0123456789abcdef', 900 * 65536)});
	is(sql("SELECT rows || ' ' || bytes FROM link.select_into('TABLE large', 'fs', 'large.zst', parallel => 1)") =~ s/ .*//r, 1, 'a row of 900 MB');
	sql("CREATE TABLE large2 (LIKE large); SELECT link.load_data('fs', 'large.zst', 'large2')");
	is(sql('SELECT (SELECT md5(v) FROM large) = (SELECT md5(v) FROM large2)'), 't', '... and back');
}

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
$node->stop;
done_testing();
