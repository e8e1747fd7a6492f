# What a pipeline cannot load: for each kind of it the state the pipeline ends in, what
# is recorded, what START does then; nothing is lost, nothing doubled.

use strict;
use warnings;
use IO::Compress::Gzip ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

# A disk that is full while a file is there: no table grows, ours included.
my $full = PostgreSQL::Test::Utils::tempdir . '/full';
append_to_file("$full.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int full(int fd, off_t end)
{
	char name[64], path[4096];
	struct stat st;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (access(FLAG, F_OK) != 0 || (n = readlink(name, path, sizeof(path) - 1)) < 0)
		return 0;
	path[n] = 0;
	if (!strstr(path, "/base/") || fstat(fd, &st) != 0 || end <= st.st_size)
		return 0;
	errno = ENOSPC;
	return 1;
}

static off_t size_of(const struct iovec *v, int n)
{
	off_t size = 0;
	for (int i = 0; i < n; i++) size += v[i].iov_len;
	return size;
}

#define NEXT(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return full(fd, at + size) ? -1 : NEXT(pwrite)(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return full(fd, at + size) ? -1 : NEXT(pwrite64)(fd, data, size, at); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { return full(fd, at + size_of(v, n)) ? -1 : NEXT(pwritev)(fd, v, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at) { return full(fd, at + size_of(v, n)) ? -1 : NEXT(pwritev64)(fd, v, n, at); }
int posix_fallocate(int fd, off_t at, off_t size) { return full(fd, at + size) ? ENOSPC : NEXT(posix_fallocate)(fd, at, size); }
int posix_fallocate64(int fd, off_t at, off_t size) { return full(fd, at + size) ? ENOSPC : NEXT(posix_fallocate64)(fd, at, size); }
C
system_or_bail('gcc', '-shared', '-fPIC', '-O', "-DFLAG=\"$full\"", '-o', "$full.so", "$full.c", '-ldl');
$ENV{LD_PRELOAD} = "$full.so";
my $node = new_node('bad_input', preload => 'shared', conf => "max_worker_processes = 16\nlink.fs_roots = '/'\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub eventually { my ($sql, $expected, $name) = @_; ok($node->poll_query_until('postgres', $sql, $expected), $name) or diag(sql($sql), sql('SELECT pipeline, state, error FROM link.pipelines; SELECT * FROM link.pipeline_errors')) }
sub put { my ($name, $content) = @_; my $path = "$root/$name"; open my $f, '>', "$root/.new" or die "$path: $!"; binmode $f; print $f $content; close $f; rename "$root/.new", $path or die "$path: $!" }
sub gzip { my ($in) = @_; my $out; IO::Compress::Gzip::gzip(\$in, \$out) or die; return $out }
sub program { my ($in, @command) = @_; my $out; IPC::Run::run(\@command, '<', \$in, '>', \$out) or die "@command"; return $out }
sub start { sql("SELECT link.start_pipeline('$_[0]')") }
sub stop { sql("SELECT link.stop_pipeline('$_[0]', if_running => true)") }
sub ends { my ($name) = @_; eventually("SELECT state FROM link.pipelines WHERE pipeline = '$name'", 'Error', '... state Error') }
sub last_error { my ($name) = @_; return sql("SELECT sqlstate || ' ' || coalesce(source, '') || ' ' || coalesce(position::text, '') FROM link.pipeline_errors WHERE pipeline = '$name' AND kind = 'Load' ORDER BY error_id DESC LIMIT 1") }
sub pending { my ($name) = @_; return sql("SELECT pending_files FROM link.pipelines WHERE pipeline = '$name'") }

# A table of its own for each, and a folder; not started.
sub pipeline
{
	my ($name, $more, $columns, $format) = @_;
	$format //= 'csv';
	mkdir "$root/$name" or die;
	sql("CREATE TABLE $name (" . ($columns // 'n int, t text') . ')');
	sql("SELECT link.create_pipeline('$name', 'files', '$name/*', '$name', format => '$format', batch_interval => 100"
		  . (($more // '') =~ /max_retries/ ? '' : ', max_retries => 1') . ($more ? ", $more" : '') . ')');
}

make_link($node, 'files', 'FS', {}, { root => $root });

#
# One broken object among good ones: (name, what it holds, SQLSTATE, line, columns of the
# target, what it holds when it is mended, ending of its path).
#
my $table = 'n int PRIMARY KEY CHECK (n > 0), t text NOT NULL';
my $lines = join '', map { "$_,line $_\n" } 100 .. 50000;
my @broken = (
	[ 'value', "10,a\nnone,b\n", '22P02', 2 ],
	[ 'constraint', "10,a\n-1,b\n", '23514', 2 ],
	[ 'duplicate', "10,a\n10,b\n", '23505', 2 ],
	[ 'null', "10,a\n11,\n", '23502', 2 ],
	[ 'more', "10,a\n11,b,c\n", '22P04', 2 ],
	[ 'fewer', "10,a\n11\n", '22P04', 2 ],
	[ 'encoding', "10,a\n11,\xff\xfe\n", '22021', 2 ],
	[ 'nothing', "10,a\n11,\0\n", '22021', 2 ],
	[ 'quote', "10,a\n11,\"b\n", '22P04', 3 ],
	[ 'cut_gzip', substr(gzip($lines), 0, -500), 'XX001', '', '.gz' ],
	[ 'no_gzip', "10,a\n", 'XX001', '', '.gz' ],
	[ 'behind_gzip', gzip("10,a\n") . 'what is that?', 'XX001', '', '.gz' ],
	[ 'bad_zstd', do { my $z = program($lines, 'zstd', '-qc', '--check'); substr($z, length($z) / 2, 40) = 'x' x 40; $z }, 'XX001', '', '.zst' ],
);
foreach my $case (@broken)
{
	my ($name, $content, $sqlstate, $line, $ending) = @$case;
	$ending //= '';
	foreach my $stops (1, 0)
	{
		my $p = "${name}_$stops";
		pipeline($p, 'stop_on_error => ' . ($stops ? 'true' : 'false'), $table);
		put("$p/$_", "$_,good\n") foreach 1, 2, 8, 9;
		put("$p/5$ending", $content);
		start($p);
		if ($stops)
		{
			ends($p);
			my $where = $line eq '' ? '\d*' : $line;
			like(last_error($p), qr{^$sqlstate $p/5\Q$ending\E $where$}, "$name: $sqlstate, with object and line");
			is(sql("SELECT count(*) FROM $p WHERE n NOT IN (1, 2, 8, 9)"), '0', '... nothing of it is loaded');
			is(sql("SELECT count(*) FROM link.pipeline_errors WHERE pipeline = '$p'"), '2', '... it was tried twice');
			my $again = "10,mended\n";
			put("$p/5$ending", $ending eq '.gz' ? gzip($again) : $ending eq '.zst' ? program($again, 'zstd', '-qc') : $again);
			start($p);
			eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM $p", '1 2 8 9 10', '... mended, START loads it and all others');
		}
		else
		{
			eventually("SELECT string_agg(path, ' ') FROM link.pipeline_files WHERE pipeline = '$p' AND state = 'Skipped'", "$p/5$ending", "$name, STOP_ON_ERROR OFF: it is skipped");
			eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM $p", '1 2 8 9', '... all others are loaded');
			is(sql("SELECT state FROM link.pipelines WHERE pipeline = '$p'"), 'Running', '... the pipeline runs');
			put("$p/5$ending", $ending ? gzip("10,mended\n") : "10,mended\n");
			stop($p);
			next if $ending eq '.zst';
			sql("SELECT link.drop_pipeline_file('$p', '$p/5$ending')");
			start($p);
			eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM $p", '1 2 8 9 10', '... forgotten and mended, it is loaded');
		}
		stop($p);
	}
}

# SKIP ... ERRORS: each kind leaves out its own rows, and no others.
my $rows = "1,a\n2,b,c\nx,d\n4,\n-5,e\n6,f\n6,g\n7,h\n";
foreach my $case ([ 'PARSER', "1,a\n2,b,c\nx,d\n7,h\n", '1 7', '22P04 2,22P02 3' ], [ 'CONSTRAINT', "1,a\n4,\n-5,e\n7,h\n", '1 7', '23502 2,23514 3' ],
	[ 'DUPLICATE KEY', "1,a\n6,f\n6,g\n7,h\n", '1 6 7', '23505 3' ], [ 'ALL', $rows, '1 6 7', '22P04 2,22P02 3,23502 4,23514 5,23505 7' ])
{
	my ($kind, $content, $good, $bad) = @$case;
	my $p = 'skip_' . lc($kind =~ tr/ /_/r);
	pipeline($p, "skip_errors => '{$kind}'", $table);
	put("$p/1", $content);
	start($p);
	eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM $p", $good, "SKIP $kind ERRORS: good rows are loaded");
	is(sql("SELECT string_agg(sqlstate || ' ' || position, ',' ORDER BY position) FROM link.pipeline_errors WHERE pipeline = '$p' AND kind = 'Row'"), $bad, '... bad ones recorded');
	if ($kind ne 'ALL')
	{
		put("$p/2", $rows =~ s/\d/8$&/gr);
		ends($p);
		like(last_error($p), qr{^2\w{4} $p/2 }, '... what it does not name stops the pipeline');
		is(sql("SELECT string_agg(n::text, ' ' ORDER BY n) FROM $p"), $good, '... with nothing of that object loaded');
		is(sql("SELECT count(*) FROM link.pipeline_errors WHERE pipeline = '$p' AND kind = 'Row' AND source = '$p/2'"), '0', '... and none of its rows recorded as left out');
	}
	stop($p);
}

# What is recorded of a row is short, and of the row.
pipeline('raw', "skip_errors => '{PARSER}'");
put('raw/1', "1,a\nx" . ("\xe2\x82\xac" x 200) . ",b\n3,c\n");
start('raw');
eventually('SELECT count(*) FROM raw', '2', 'a long bad row');
is(sql("SELECT octet_length(raw), raw FROM link.pipeline_errors WHERE pipeline = 'raw'"), '100|x' . ("\xe2\x82\xac" x 33), '... its first 100 bytes, at most, in whole characters');
stop('raw');

# Where the end of a row is not known nothing can be left out: the object fails, at once and with one error.
put('.binary', '');
sql("COPY (SELECT i, i FROM generate_series(1, 3) i) TO '$root/.binary' (FORMAT binary)");
foreach my $case ([ 'skip_bytes', "1,a\n2,\xff\n3,c\n", 'csv', '22021' ], [ 'skip_json_bytes', qq({"n":1,"t":"a"}\n{"n":2,"t":"\xff"}\n), 'json', '22021' ],
	[ 'skip_binary', slurp_file("$root/.binary"), 'binary', '22021' ])
{
	my ($p, $content, $format, $sqlstate) = @$case;
	pipeline($p, "skip_errors => '{PARSER}', max_retries => 0", $format eq 'binary' ? 'n text, t text' : undef, $format);
	put("$p/1", $content);
	start($p);
	ends($p);
	is(sql("SELECT kind, sqlstate, source FROM link.pipeline_errors WHERE pipeline = '$p'"), "Load|$sqlstate|$p/1", "... SKIP PARSER ERRORS, $p: the object fails");
	is(sql("SELECT count(*) FROM $p"), '0', '... and none of it is loaded');
	stop($p);
}
# a line of JSON that is none has an end
pipeline('skip_json', "skip_errors => '{PARSER}'", undef, 'json');
put('skip_json/1', qq({"n":1,"t":"a"}\n{"n":2,"t":\n{"n":"x","t":"b"}\n{"n":3,"t":"c"}\n));
start('skip_json');
eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM skip_json", '1 3', 'JSON: good rows are loaded');
is(sql("SELECT string_agg(sqlstate || ' ' || position, ',' ORDER BY position) FROM link.pipeline_errors WHERE pipeline = 'skip_json' AND kind = 'Row'"), '22P02 2,22P02 3', '... bad ones recorded');
stop('skip_json');

# What is said of a row quotes it no further either.
pipeline('quoted', "skip_errors => '{PARSER}', max_retries => 0");
put('quoted/1', "1,a\n" . ('x' x (300 << 20)) . ",b\n3,c\n");
start('quoted');
eventually('SELECT count(*) FROM quoted', '2', 'a row of 300 MB that is left out');
is(sql("SELECT octet_length(raw), octet_length(message), octet_length(detail) <= 200 FROM link.pipeline_errors WHERE pipeline = 'quoted'"), '100|200|t', '... leaves its first bytes');
sql("SELECT link.stop_pipeline('quoted'); SELECT link.alter_pipeline('quoted', skip_errors => '{}'); SELECT link.drop_pipeline_file('quoted', 'quoted/1'); TRUNCATE quoted");
start('quoted');
ends('quoted');
is(sql("SELECT octet_length(p.error), octet_length(e.message) FROM link.pipelines p JOIN link.pipeline_errors e USING (pipeline) WHERE pipeline = 'quoted' AND kind = 'Load'"), '200|200', '... also where it stops the pipeline');
unlink "$root/quoted/1";
stop('quoted');

# Nothing to load is no error.
pipeline('empty', "header => 'true'");
put('empty/nothing', '');
put('empty/header', "n,t\n");
put('empty/one', "n,t\n1,a\n");
start('empty');
eventually("SELECT count(*) FROM link.pipeline_files WHERE pipeline = 'empty' AND state = 'Loaded'", '3', 'an empty object and one with a header alone are loaded');
is(sql('SELECT count(*) FROM empty'), '1', '... with no row');
is(sql("SELECT count(*) FROM link.pipeline_errors WHERE pipeline = 'empty'"), '0', '... and no error');
stop('empty');
pipeline('none');
rmdir "$root/none";
start('none');
sleep 0.5;
is(sql("SELECT state FROM link.pipelines WHERE pipeline = 'none'"), 'Running', 'a path that names nothing is waited for');
mkdir "$root/none";
put('none/1', "1,a\n");
eventually('SELECT count(*) FROM none', '1', '... until there is something');
stop('none');

# Odd names.
pipeline('names');
my @names = ("it's", 'with "quotes"', 'a;b', '$1', '%s', "\xc3\xa4\xe4\xb8\xad", 'x,y', '{}', '[a]', '*', '?', ' space ');
put("names/$names[$_]", "$_,a\n") foreach 0 .. $#names;
start('names');
eventually('SELECT count(*), count(DISTINCT n) FROM names', @names . '|' . @names, 'odd names of objects');
put("names/\n", "99,a\n");
put('names/later', "50,a\n");
eventually('SELECT max(n) >= 50 FROM names', 't', '... one that is no name is passed over');
is(sql('SELECT count(*) FROM names WHERE n = 99'), '0', '... and not loaded');
is(sql("SELECT state FROM link.pipelines WHERE pipeline = 'names'"), 'Running', '... it runs');
stop('names');

# A line without end does not take all memory.
pipeline('endless', 'max_retries => 0');
{
	open my $f, '>', "$root/endless/.1" or die;
	print $f '1,';
	print $f 'x' x (1 << 20) foreach 1 .. 1100;
	close $f;
	rename "$root/endless/.1", "$root/endless/1" or die;
}
start('endless');
ends('endless');
like(last_error('endless'), qr{^54000 endless/1|^53200 endless/1}, '... a line of more than a gigabyte');
unlink "$root/endless/1";
put('endless/1', "1,a\n");
start('endless');
eventually('SELECT count(*) FROM endless', '1', '... START loads what is there then');
stop('endless');

# What decompresses to more than there is room for ends as any large object does: row by row, in flat memory.
pipeline('bomb', 'max_retries => 0', 'n int');
put('bomb/1.gz', gzip("1\n" . ('9' x (64 << 20))));
start('bomb');
ends('bomb');
like(last_error('bomb'), qr{^(22003|22P02) bomb/1.gz 2}, '... a number of 64 million digits, which took 65 kB');
is(sql('SELECT count(*) FROM bomb'), '0', '... is not loaded');
stop('bomb');

# Objects that go, or become others, between being found and being read.
pipeline('gone');
put("gone/$_", "$_,a\n") foreach 1 .. 3;
{
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('BEGIN; LOCK TABLE gone IN SHARE MODE');
	start('gone');
	eventually("SELECT count(*) FROM link.pipeline_files WHERE pipeline = 'gone'", '3', 'objects that were found');
	unlink "$root/gone/2";
	put('gone/3', "33,other\n");
	$holder->query_safe('COMMIT');
	$holder->quit;
}
ends('gone');
like(last_error('gone'), qr{^58P01 gone/2}, '... one that is gone when it is to be read');
is(sql("SELECT count(*) FROM gone WHERE n IN (2, 3)"), '0', '... nothing old is loaded');
sql("SELECT link.drop_orphan_files('gone')");
start('gone');
eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM gone", '1 33', '... DROP ORPHAN FILES forgets it; of one that became another all is that other');
put('gone/1', "11,changed\n");
put('gone/4', "4,a\n");
eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM gone", '1 4 33', 'one that changes after it was loaded is not loaded again');
stop('gone');
sql("SELECT link.drop_pipeline_file('gone', 'gone/1')");
start('gone');
eventually("SELECT string_agg(n::text, ' ' ORDER BY n) FROM gone", '1 4 11 33', '... unless it is forgotten');
stop('gone');

#
# The target changes while the pipeline runs: (name, statement, SQLSTATE or none, what mends it).
#
my @changes = (
	[ 'added', 'ALTER TABLE % ADD COLUMN x int', '22P04', 'ALTER TABLE % DROP COLUMN x' ],
	[ 'dropped', 'ALTER TABLE % DROP COLUMN t', '22P04', 'ALTER TABLE % ADD COLUMN t text' ],
	[ 'column_renamed', 'ALTER TABLE % RENAME COLUMN t TO u', '', '' ],
	[ 'retyped', 'ALTER TABLE % ALTER COLUMN t TYPE int USING 1', '22P02', 'ALTER TABLE % ALTER COLUMN t TYPE text' ],
	[ 'narrowed', 'ALTER TABLE % ALTER COLUMN t TYPE varchar(1) USING left(t, 1)', '22001', 'ALTER TABLE % ALTER COLUMN t TYPE text' ],
	[ 'checked', "ALTER TABLE % ADD CHECK (t <> 'late 2') NOT VALID", '23514', 'ALTER TABLE % DROP CONSTRAINT checked_t_check' ],
	[ 'not_null', 'ALTER TABLE % ADD COLUMN x int NOT NULL DEFAULT 0; ALTER TABLE % ALTER x DROP DEFAULT', '23502', 'ALTER TABLE % ALTER x SET DEFAULT 0', '{n,t}' ],
	[ 'listed_added', 'ALTER TABLE % ADD COLUMN x int', '', '', '{n,t}' ],
	[ 'listed_dropped', 'ALTER TABLE % DROP COLUMN t', '42703', 'ALTER TABLE % ADD COLUMN t text', '{n,t}' ],
	[ 'listed_renamed', 'ALTER TABLE % RENAME COLUMN t TO u', '42703', 'ALTER TABLE % RENAME COLUMN u TO t', '{n,t}' ],
	[ 'inside', 'ALTER TABLE % RENAME TO inside_old; CREATE TABLE % (n int, t text) PARTITION BY RANGE (n); ALTER TABLE % ATTACH PARTITION inside_old FOR VALUES FROM (0) TO (10)', '', '' ],
	[ 'renamed', 'ALTER TABLE % RENAME TO renamed_new; CREATE VIEW renamed AS TABLE renamed_new', '', '' ],
	[ 'moved', 'ALTER TABLE % SET SCHEMA elsewhere; CREATE VIEW moved AS TABLE elsewhere.moved', '', '' ],
);
sql('CREATE SCHEMA elsewhere');
foreach my $case (@changes)
{
	my ($name, $change, $sqlstate, $mend, $fields) = @$case;
	pipeline($name, $fields ? "fields => '$fields'" : undef);
	put("$name/1", "1,early 1\n");
	start($name);
	eventually("SELECT count(*) FROM $name", '1', "$name: a table");
	sql($change =~ s/%/$name/gr);
	put("$name/2", "2,late 2\n");
	if ($sqlstate)
	{
		ends($name);
		like(last_error($name), $sqlstate eq '42703' ? qr{^42703 $name/2 } : qr{^$sqlstate $name/2 1}, "... $sqlstate");
		is(sql("SELECT count(*) FROM $name"), '1', '... nothing is loaded');
		sql($mend =~ s/%/$name/r);
		start($name);
	}
	eventually("SELECT count(*), max(n) FROM $name", '2|2', $sqlstate ? '... put right, START goes on' : '... it goes on');
	stop($name);
}
is(sqlstate_of($node, 'DROP TABLE added'), '2BP01', 'a target cannot be dropped');
sql('DROP TABLE added CASCADE; CREATE TABLE added (n int, t text)');
is(sql("SELECT count(*) FROM link.pipelines WHERE pipeline = 'added'"), '0', '... but with its pipeline; one of the same name is not its target');
sql('CREATE PROCEDURE takes(regclass) LANGUAGE plpgsql AS $$BEGIN END$$');
sql("SELECT link.create_pipeline('takes', 'files', 'added/*', procedure => 'takes(regclass)', fields => '{n,t}', format => 'csv', batch_interval => 100)");
is(sqlstate_of($node, 'DROP PROCEDURE takes'), '2BP01', 'a procedure neither');
sql('DROP PROCEDURE takes CASCADE');
is(sql("SELECT count(*) FROM link.pipelines WHERE pipeline = 'takes'"), '0', '... but with its pipeline');
is(sqlstate_of($node, "SELECT link.drop_link('files')"), '2BP01', 'a link neither');
isnt(sqlstate_of($node, "SELECT link.create_link('files', 'S3', or_replace => true)"), '00000', '... nor become one of another type');

# One that is gone although nobody was asked, as by a superuser who has event triggers disabled.
pipeline('unasked');
put('unasked/1', "1,a\n");
start('unasked');
eventually('SELECT count(*) FROM unasked', '1', 'a table');
sql('ALTER EVENT TRIGGER link_on_sql_drop DISABLE; DROP TABLE unasked; ALTER EVENT TRIGGER link_on_sql_drop ENABLE ALWAYS; CREATE TABLE unasked (n int, t text)');
put('unasked/2', "2,a\n");
ends('unasked');
like(last_error('unasked'), qr/^42P01/, '... that is gone is no table');
is(sqlstate_of($node, "SELECT link.start_pipeline('unasked')"), '42P01', '... nor when it is started');
is(sql('SELECT count(*) FROM unasked'), '0', '... one of the same name is not its target');
sql("SELECT link.create_pipeline('unasked', 'files', 'unasked/*', 'unasked', format => 'csv', batch_interval => 100, or_replace => true)");
start('unasked');
eventually("SELECT string_agg(n::text, ' ') FROM unasked", '2', '... until OR REPLACE makes it so; positions stay');
stop('unasked');

# What can be watched: a line of the log for each change of state.
{
	pipeline('watched', 'max_retries => 0');
	my $from = -s $node->logfile;
	start('watched');
	eventually("SELECT string_agg(DISTINCT wait_event_type, ' ') FROM pg_stat_activity WHERE backend_type = 'link scheduler'", 'Extension', 'a scheduler that waits says so');
	put('watched/1', "1,a\n2,b\n");
	eventually("SELECT rows, bytes, duration_ms > 0, state FROM link.pipeline_batches WHERE pipeline = 'watched'", '2|8|t|Succeeded', 'a batch has rows, bytes, duration');
	is(sql("SELECT * FROM link.show_pipelines() WHERE pipeline = 'watched'"), 'watched|Running|t', 'SHOW PIPELINES');
	put('watched/2', "x,a\n");
	ends('watched');
	is(sql("SELECT state, pending_files, lag FROM link.pipelines WHERE pipeline = 'watched'"), 'Error|1|', '... what waits is counted');
	start('watched');
	ends('watched');
	stop('watched');
	my @lines = grep { /LOG:.*(verb=(start|stop)_pipeline|has stopped with)/ } split /\n/, slurp_file($node->logfile, $from);
	is(join(' ', map { /pipeline "?watched"?.*22P02/ ? 'Error' : /verb=(\w+)_pipeline.*outcome=ok.*watched/ ? $1 : $_ } @lines), 'start Error start Error stop', '... and each change of state has a line of the log');
}
sql("SELECT link.create_link('spare', 'FS', config => '{\"root\":\"$root\"}'); CREATE TABLE spare (n int, t text);
	SELECT link.create_pipeline('spare', 'spare', 'gone/*', 'spare', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('spare')");
eventually('SELECT count(*) > 0 FROM spare', 't', 'a pipeline of a link');
sql("SELECT link.drop_link('spare', cascade => true)");
is(sql("SELECT count(*) FROM link.pipelines WHERE pipeline = 'spare'"), '0', '... is dropped with it');

# Dropped while its objects fail, one after the other.
mkdir "$root/churn" or die;
put("churn/$_", "none,a\n") foreach 1 .. 1500;
sql('CREATE TABLE churn (n int, t text)');
my @failed = grep { $_ ne '' } map {
	sql("SELECT link.create_pipeline('churn', 'files', 'churn/*', 'churn', format => 'csv', batch_interval => 10, max_retries => 1000, stop_on_error => false); SELECT link.start_pipeline('churn')");
	sleep 0.1 + rand 0.3;
	my $err;
	$node->psql('postgres', "SELECT link.drop_pipeline('churn')", stderr => \$err);
	sql("SELECT link.drop_pipeline('churn', if_exists => true)") if $err ne '';
	$err
} 1 .. 20;
is("@failed", '', 'a pipeline is dropped while it is at work');
eventually("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'link worker'", '0', '... its workers end');
is(sql("SELECT count(*) FROM (SELECT pipeline_id FROM link.pipeline_file UNION ALL SELECT pipeline_id FROM link.pipeline_error UNION ALL SELECT pipeline_id FROM link.pipeline_batch) x WHERE pipeline_id NOT IN (SELECT id FROM link.pipeline)"),
	'0', '... and nothing of it stays');

# No room: that is outside of the object, so nothing is skipped, and all is loaded once there is room.
foreach my $stops (0, 1)
{
	my $p = "full_$stops";
	pipeline($p, 'stop_on_error => ' . ($stops ? 'true' : 'false'));
	put("$p/1", "1,a\n");
	start($p);
	eventually("SELECT count(*) FROM $p", '1', 'a disk with room');
	append_to_file($full, '');
	put("$p/2", join '', map { "$_," . ('x' x 1000) . "\n" } 2 .. 1000);
	if ($stops) { ends($p) }
	else
	{
		# what is wrong is in the table, or, if that cannot grow either, in the log
		my $tries = 200;
		sleep 0.1 while $tries-- && sql("SELECT count(*) FROM link.pipeline_errors WHERE pipeline = '$p' AND sqlstate = '53100'") == 0 && slurp_file($node->logfile) !~ /No space left on device/;
		cmp_ok($tries, '>', 0, '... that is full then');
		sleep 2;
		is(sql("SELECT state FROM link.pipelines WHERE pipeline = '$p'"), 'Running', '... STOP_ON_ERROR OFF goes on trying');
	}
	is(sql("SELECT count(*) FROM $p"), '1', '... nothing is loaded');
	unlink $full or die;
	start($p) if $stops;
	eventually("SELECT count(*), count(DISTINCT n) FROM $p", '1000|1000', '... with room again all is');
	is(sql("SELECT count(*) FROM link.pipeline_files WHERE pipeline = '$p' AND state <> 'Loaded'"), '0', '... nothing was skipped');
	stop($p);
}

is(sql('SELECT count(*) FROM pg_stat_activity WHERE backend_type = \'link launcher\''), '1', 'the server is up');
$node->stop('fast');
my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal|PANIC|TRAP/, '... and has been all the time');
done_testing();
