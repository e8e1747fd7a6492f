# Pipelines from objects: rows appear, each once, whatever dies in between; rights,
# bad objects, bad rows, and what code of the target's owner may not.

use strict;
use warnings;
use IO::Compress::Gzip ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_service('s3b');

my $node = new_node('pipeline', preload => 'shared', init => [ extra => [ '--encoding=UTF8', '--locale=C' ] ],
	conf => "restart_after_crash = on\nmax_worker_processes = 16\nlink.fs_roots = '/'\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql) }
sub eventually { my ($sql, $expected, $name, $db) = @_; ok($node->poll_query_until($db // 'postgres', $sql, $expected), $name) or diag(sql($sql, $db)) }
sub put { my ($name, $content) = @_; my $path = "$root/$name"; open my $f, '>', "$path.new" or die; binmode $f; print $f $content; close $f; rename "$path.new", $path or die }
sub folder { my ($name) = @_; mkdir "$root/$name" or die; return "$name/*.csv" }

# pipeline(NAME, PATH, TARGET, MORE...): created and started; MORE as arguments of the function
sub pipeline
{
	my ($name, $path, $table, @more) = @_;
	sql(join ', ', "SELECT link.create_pipeline('$name', 'files', '$path', '$table'", @more, "format => 'csv', batch_interval => 100); SELECT link.start_pipeline('$name')");
}
sub state_of { my ($name) = @_; return sql("SELECT state FROM link.pipelines WHERE pipeline = '$name'") }
sub error_of { my ($name) = @_; return sql("SELECT sqlstate, source, position FROM link.pipeline_errors WHERE pipeline = '$name' AND kind = 'Load' ORDER BY error_id DESC LIMIT 1") }
sub stops { my ($name) = @_; eventually("SELECT state FROM link.pipelines WHERE pipeline = '$name'", 'Error', "... state Error") }

make_link($node, 'files', 'FS', {}, { root => $root });

# Rows appear.
my $path = folder('first');
put("first/$_.csv", "$_,a$_\n") foreach 1 .. 30;
sql('CREATE TABLE first (n int, t text)');
pipeline('first', $path, 'first');
eventually('SELECT count(*), count(DISTINCT n), sum(n) FROM first', '30|30|465', 'rows of files that were there');
my $start = time;
put('first/31.csv', "31,a31\n");
eventually('SELECT count(*) FROM first', '31', 'rows of one that comes later');
cmp_ok(time - $start, '<', 1.1, '... after the interval and a second at most');
put('first/1.csv', "1,changed\n");
put('first/32.csv', "32,a32\n");
eventually('SELECT count(*), count(*) FILTER (WHERE t = $$changed$$) FROM first', '32|0', 'one that changes after it was loaded is not loaded again');
sql("SELECT link.stop_pipeline('first'); SELECT link.drop_pipeline_file('first', 'first/1.csv'); SELECT link.start_pipeline('first')");
eventually('SELECT count(*) FILTER (WHERE t = $$changed$$) FROM first', '1', '... unless it is dropped from the state');
is(sql("SELECT sum(rows), count(*) FILTER (WHERE state <> 'Succeeded') FROM link.pipeline_batches WHERE pipeline = 'first'"), '33|0', 'batches count them');
is(sql("SELECT pending_files FROM link.pipelines WHERE pipeline = 'first'"), '0', '... nothing is pending');
$node->restart;
put('first/33.csv', "33,a33\n");
eventually('SELECT count(*) FROM first', '34', 'after a restart it goes on');
sql("ALTER SYSTEM SET link.pipelines = off");
$node->reload;
sleep 0.3;
put('first/34.csv', "34,a34\n");
sleep 1;
is(sql('SELECT count(*) FROM first'), '34', 'link.pipelines = off keeps it quiet');
sql("ALTER SYSTEM RESET link.pipelines");
$node->reload;
eventually('SELECT count(*) FROM first', '35', '... and on again it goes on');
sql("SELECT link.stop_pipeline('first')");
eventually("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'link %' AND backend_type <> 'link launcher'", '0', 'where nothing runs there are no processes');

# In the foreground, and a test.
$path = folder('fore');
put("fore/$_.csv", "$_,b$_\n") foreach 1 .. 3;
sql("CREATE TABLE fore (n int, t text); SELECT link.create_pipeline('fore', 'files', '$path', 'fore', format => 'csv')");
is(sql("SELECT link.test_pipeline('fore', 2)"), qq({"n":1,"t":"b1"}\n{"n":2,"t":"b2"}), 'a test gives rows');
is(sql('SELECT count(*) FROM fore'), '0', '... and loads nothing');
is(sql("SELECT link.start_pipeline('fore', foreground => true, batches => 1)"), '1', 'one batch in the foreground');
is(sql("SELECT link.start_pipeline('fore', foreground => true)"), '2', '... and all others');
is(sql('SELECT count(*), sum(n) FROM fore'), '3|6', '... are loaded');
is(state_of('fore'), 'Stopped', '... it is stopped as before');
put('fore/4.csv', "x,b4\n");
is(sqlstate_of($node, "SELECT link.start_pipeline('fore', foreground => true)"), '22P02', 'an error in the foreground is thrown');

# Bad objects.
foreach my $case ([ 'csv', '1,x' . "\nnone,y\n", '22P02', 2 ], [ 'csv.gz', do { my ($in, $out) = (join('', map { "$_,t$_\n" } 1 .. 50000)); IO::Compress::Gzip::gzip(\$in, \$out); substr($out, 0, length($out) - 1000) }, 'XX001', '' ])
{
	my ($ending, $content, $sqlstate, $line) = @$case;
	my $name = "bad_" . ($ending =~ tr/./_/r);
	folder($name);
	put("$name/$_.csv", "$_,c$_\n") foreach 1 .. 5;
	put("$name/3x.$ending", $content);
	sql("CREATE TABLE $name (n int, t text)");
	pipeline($name, "$name/*", $name, 'max_retries => 1');
	stops($name);
	like(error_of($name), qr{^\Q$sqlstate\E\|$name/3x\.\Q$ending\E\|$line}, "... $sqlstate, with object and line");
	is(sql("SELECT count(*) FROM link.pipeline_errors WHERE pipeline = '$name'"), '2', '... after a retry');
	cmp_ok(sql("SELECT count(*) FROM $name"), '<=', 5, '... nothing of it is loaded');
	put("$name/3x.$ending", $ending eq 'csv' ? "6,c6\n" : do { my ($in, $out) = ("6,c6\n"); IO::Compress::Gzip::gzip(\$in, \$out); $out });
	sql("SELECT link.start_pipeline('$name')");
	eventually("SELECT count(*), sum(n) FROM $name", '6|21', '... START goes on once it is whole');
	sql("SELECT link.stop_pipeline('$name')");
}
$path = folder('skipped');
put("skipped/$_.csv", $_ == 3 ? "no,c\n" : "$_,c$_\n") foreach 1 .. 5;
sql('CREATE TABLE skipped (n int, t text)');
pipeline('skipped', $path, 'skipped', 'max_retries => 0', 'stop_on_error => false');
eventually('SELECT count(*), sum(n) FROM skipped', '4|12', 'STOP_ON_ERROR OFF: the others are loaded');
eventually("SELECT string_agg(path, ' ') FROM link.pipeline_files WHERE pipeline = 'skipped' AND state = 'Skipped'", 'skipped/3.csv', '... it is skipped');
is(state_of('skipped'), 'Running', '... and the pipeline runs');
sql("SELECT link.stop_pipeline('skipped')");

# One statement for several objects, of which one is bad: the others are not blamed.
$path = folder('blame');
put("blame/$_.csv", $_ == 7 ? "0,x\n" : "$_,c$_\n") foreach 1 .. 20;
sql('CREATE TABLE blame (n int CHECK (n > 0), t text)');
pipeline('blame', $path, 'blame', q{"where" => 'n < 100'}, 'max_retries => 0', 'stop_on_error => false', 'max_partitions => 1');
eventually("SELECT string_agg(path, ' ') FROM link.pipeline_files WHERE pipeline = 'blame' AND state = 'Skipped'", 'blame/7.csv', 'of several objects in one statement the bad one is skipped');
eventually('SELECT count(*), sum(n) FROM blame', '19|203', '... and no other');
is(sql("SELECT count(*) FROM link.pipeline_errors WHERE pipeline = 'blame'"), '1', '... with one error');
sql("SELECT link.stop_pipeline('blame')");

# Bad rows.
$path = folder('rows');
put('rows/1.csv', "1,a\n2,b,c\nx,d\n4,\n5,e\n5,f\n6,g\n");
put('rows/2.csv', "7,h\n1,i\n");
sql('CREATE TABLE rows (n int PRIMARY KEY, t text NOT NULL)');
pipeline('rows', $path, 'rows', 'max_partitions => 1', q{skip_errors => '{PARSER,CONSTRAINT,DUPLICATE KEY}'});
eventually("SELECT string_agg(n || t, ' ' ORDER BY n) FROM rows", '1a 5e 6g 7h', 'SKIP ALL ERRORS: good rows are loaded');
is(sql("SELECT string_agg(concat_ws(' ', source, position, sqlstate, raw), E'\n' ORDER BY source, position) FROM link.pipeline_errors WHERE pipeline = 'rows' AND kind = 'Row'"),
	"rows/1.csv 2 22P04 2,b,c\nrows/1.csv 3 22P02 x,d\nrows/1.csv 4 23502\nrows/1.csv 6 23505\nrows/2.csv 2 23505", '... bad ones are recorded');
sql("SELECT link.stop_pipeline('rows')");

# Clauses.
$path = folder('clauses');
put('clauses/1.csv', "1,10,keep\n2,20,drop\n3,30,keep\n1,5,keep\n");
sql('CREATE TABLE clauses (n int PRIMARY KEY, m int, f text)');
pipeline('clauses', $path, 'clauses', q{fields => '{n,@m,@w}'}, q{"set" => 'm = @m::int * 2, f = pipeline_source_file()'}, q{"where" => $$@w = 'keep'$$},
	q{on_conflict => '(n) DO NOTHING'});
eventually("SELECT string_agg(concat_ws(' ', n, m, f), ',' ORDER BY n) FROM clauses", '1 20 clauses/1.csv,3 60 clauses/1.csv', 'variables, SET, WHERE, ON CONFLICT, the source');
is(sql("SELECT sum(rows) FROM link.pipeline_batches WHERE pipeline = 'clauses'"), '2', '... are counted as inserted');
sql("SELECT link.stop_pipeline('clauses')");
mkdir "$root/json";
put('json/1.json', qq({"a":{"b":1,"c":"x"},"d":[1,2],"e":"text"}\n{"a":{"b":"2"},"d":null}\n));
sql(q{CREATE TABLE json (b int, c text, d jsonb, e text);
	SELECT link.create_pipeline('json', 'files', 'json/*', 'json', format => 'json', batch_interval => 100, fields => '{b <- a::b,c <- a::c,d,e}');
	SELECT link.start_pipeline('json')});
eventually("SELECT string_agg(json::text, ' ' ORDER BY b) FROM json", '(1,x,"[1, 2]",text) (2,,,)', 'JSON paths');
sql("SELECT link.stop_pipeline('json')");
$path = folder('proc');
put("proc/$_.csv", "$_,p$_\n") foreach 1 .. 4;
sql(q{CREATE TABLE proc (n int, t text);
	CREATE PROCEDURE take(batch regclass) LANGUAGE plpgsql AS $$BEGIN EXECUTE format('INSERT INTO public.proc SELECT n::int, t FROM %s', batch); END$$;
	CREATE PROCEDURE commits(batch regclass) LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$;
	SELECT link.create_pipeline('proc', 'files', 'proc/*.csv', procedure => 'take(regclass)', fields => '{n,t}', format => 'csv', batch_interval => 100);
	SELECT link.create_pipeline('commits', 'files', 'proc/*.csv', procedure => 'commits(regclass)', fields => '{n,t}', format => 'csv', max_retries => 0);
	SELECT link.start_pipeline('proc')});
eventually('SELECT count(*), sum(n) FROM proc', '4|10', 'a procedure takes the rows');
sql("SELECT link.stop_pipeline('proc')");
is(sqlstate_of($node, "SELECT link.start_pipeline('commits', foreground => true)"), '2D000', '... and cannot commit');

# From S3.
my $bucket = "pipeline-$$";
{
	local @ENV{qw(LINK_S3_ENDPOINT LINK_S3_ACCESS_KEY LINK_S3_SECRET_KEY)} = @ENV{qw(LINK_S3B_ENDPOINT LINK_S3B_ACCESS_KEY LINK_S3B_SECRET_KEY)};
	make_bucket($bucket);
	mkdir "$root/s3";
	put("s3/$_.csv", join '', map { $_ . ",s$_\n" } $_ * 10 .. $_ * 10 + 9) foreach 1 .. 40;
	aws('s3', 'sync', '--quiet', "$root/s3", "s3://$bucket/in");
	s3_link($node, 's3', config => s3_config(region => $ENV{LINK_S3B_REGION}));
}
my ($good, $wrong) = map { sprintf q(SELECT link.alter_link('s3', credentials => '{"aws_access_key_id":"%s","aws_secret_access_key":"%s"}')), $ENV{LINK_S3B_ACCESS_KEY}, $_ } $ENV{LINK_S3B_SECRET_KEY}, 'wrong';
sql(qq{CREATE TABLE s3 (n int, t text); SELECT link.create_pipeline('s3', 's3', '$bucket/in/*', 's3', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('s3')});
eventually('SELECT count(*), count(DISTINCT n), count(*) FILTER (WHERE t <> $$s$$ || n) FROM s3', '400|400|0', 'rows of S3');
sql("SELECT link.stop_pipeline('s3')");

# Nothing is skipped, and with STOP_ON_ERROR OFF nothing stops, because the provider does not let us in.
sql("$wrong; CREATE TABLE off (n int, t text); SELECT link.create_pipeline('off', 's3', '$bucket/in/1*', 'off', format => 'csv', batch_interval => 100, max_retries => 0, stop_on_error => false, force => true); SELECT link.start_pipeline('off')");
eventually("SELECT count(*) > 1 FROM link.pipeline_errors WHERE pipeline = 'off' AND sqlstate LIKE '08%'", 't', 'a provider that refuses the credentials');
is(state_of('off'), 'Running', '... STOP_ON_ERROR OFF goes on trying');
sql($good);
eventually("SELECT count(*) = (SELECT count(*) FROM s3 WHERE t LIKE 's1%') FROM off", 't', '... and loads, once it may');
is(sql("SELECT count(*) FROM link.pipeline_files WHERE pipeline = 'off' AND state = 'Skipped'"), '0', '... nothing was skipped');
sql("SELECT link.stop_pipeline('off')");

# Rights.
sql(q{CREATE ROLE loader LOGIN; CREATE ROLE target; GRANT target TO loader; GRANT CREATE ON SCHEMA public TO target, loader;
	SELECT link.grant_privilege('READ', 'LINK public.files', 'loader')});
$path = folder('rights');
put("rights/$_.csv", "$_\n") foreach 1 .. 3;
sql(q{SET ROLE target; CREATE TABLE rights (n int, who text DEFAULT current_user || ' ' || session_user); GRANT INSERT ON rights TO loader});
sub as_loader { my ($sql) = @_; my ($out, $err) = ('', ''); $node->psql('postgres', "SET SESSION AUTHORIZATION loader; $sql", stdout => \$out, stderr => \$err); return $err ? $err : $out }
is(as_loader("SELECT link.create_pipeline('rights', 'files', '$path', 'rights', fields => '{n}', format => 'csv', batch_interval => 100, max_retries => 3); SELECT link.start_pipeline('rights')") =~ /ERROR/ ? 1 : 0, 0, 'a pipeline of a role without other rights');
eventually('SELECT count(*), min(who), max(who) FROM rights', '3|target loader|target loader', 'rows are inserted as the owner of the target, in a session of the owner of the pipeline');
foreach my $case ([ "SELECT link.revoke_privilege('READ', 'LINK public.files', 'loader')", "SELECT link.grant_privilege('READ', 'LINK public.files', 'loader')", 'READ on the link' ],
	[ 'REVOKE INSERT ON rights FROM loader; REVOKE target FROM loader', 'GRANT INSERT ON rights TO loader; GRANT target TO loader', 'INSERT on the target' ],
	[ 'REVOKE target FROM loader', 'GRANT target TO loader', 'SET ROLE to the owner of the target' ],
	[ 'ALTER ROLE loader SUPERUSER', 'ALTER ROLE loader NOSUPERUSER', 'a superuser and a table of another' ])
{
	my ($revoke, $grant, $what) = @$case;
	my $before = sql('SELECT count(*) FROM rights');
	sql($revoke);
	put('rights/' . ($before + 1) . '.csv', ($before + 1) . "\n");
	stops('rights');
	like(error_of('rights'), qr/^42501/, "... 42501: $what");
	is(sql('SELECT count(*) FROM rights'), $before, '... nothing was loaded');
	sql("$grant; SELECT link.start_pipeline('rights')");
	eventually('SELECT count(*) FROM rights', $before + 1, '... given back, START goes on');
}
# in mid-batch: the file is large, and the link read slowly enough for the look at rights every second
sql("SELECT link.stop_pipeline('rights')");

# What the owner of the target cannot do.
my @attacks = ('RESET ROLE', 'SET ROLE loader', 'SET SESSION AUTHORIZATION loader', 'RESET SESSION AUTHORIZATION', 'ALTER ROLE target SUPERUSER',
	"PERFORM link.read_file('files', 'rights/1.csv')", "PERFORM link.create_pipeline('mine', 'files', 'rights/*', 'rights')", 'CREATE TEMP TABLE x (n int)',
	'UPDATE link.pipeline_file SET attempts = 9', "PERFORM set_config('role', 'loader', false)", 'SET CONSTRAINTS ALL DEFERRED; INSERT INTO public.later VALUES (1)');
$path = folder('attack');
sql(q{SET ROLE target; CREATE TABLE attack (n int); GRANT INSERT ON attack TO loader; CREATE TABLE log (a text, s text, who text); CREATE TABLE later (n int)});
my $body = join '', map { my $a = $_ =~ s/'/''/gr; "BEGIN $_; INSERT INTO public.log VALUES (TG_NAME || ' $a', '00000', current_user || session_user); EXCEPTION WHEN others THEN INSERT INTO public.log VALUES (TG_NAME || ' $a', SQLSTATE, current_user || ' ' || session_user); END;\n" } @attacks;
sql("SET ROLE target; CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS \$f\$BEGIN\n$body RETURN NEW; END\$f\$;"
	  . 'CREATE TRIGGER before BEFORE INSERT ON attack FOR EACH ROW EXECUTE FUNCTION attack();'
	  . 'CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON attack DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack();'
	  . 'CREATE CONSTRAINT TRIGGER later AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack()');
put('attack/1.csv', "1\n");
as_loader("SELECT link.create_pipeline('attack', 'files', '$path', 'attack', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('attack')");
eventually('SELECT count(*) FROM attack', '1', 'a table with triggers that try');
is(sql("SELECT count(*) FROM log WHERE s = '00000'"), '0', '... none gets anywhere') or diag(sql("SELECT * FROM log WHERE s = '00000'"));
is(sql('SELECT count(*), min(who), max(who) FROM log'), 2 * @attacks . '|target loader|target loader', '... and all ran as the owner of the table, deferred ones too');
as_loader("SELECT link.stop_pipeline('attack')");

# What the pipeline is about changes.
$path = folder('change');
put('change/1.csv', "1,a\n");
sql('CREATE TABLE change (n int, t text)');
pipeline('change', $path, 'change');
eventually('SELECT count(*) FROM change', '1', 'a table');
sql('ALTER TABLE change DROP COLUMN t');
put('change/2.csv', "2,b\n");
stops('change');
like(error_of('change'), qr/^22P04/, '... whose columns change');
sql("ALTER TABLE change ADD COLUMN t text; SELECT link.start_pipeline('change')");
eventually('SELECT count(*) FROM change', '2', '... START goes on');
sql('DROP TABLE change CASCADE');
is(sql("SELECT count(*) FROM link.pipelines WHERE pipeline = 'change'"), '0', 'DROP CASCADE takes the pipeline along');

# Databases and the extension go.
sql('CREATE DATABASE other');
sql('CREATE EXTENSION link', 'other');
sub other_pipeline
{
	sql(sprintf(q{SELECT link.create_link('files', 'FS', '{}', '{"root":"%s"}'); CREATE TABLE o (n int, t text);
		SELECT link.create_pipeline('o', 'files', 'first/*.csv', 'o', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('o')}, $root), $_[0]);
	eventually('SELECT count(*) > 0 FROM o', 't', 'a pipeline of another database', $_[0]);
}
other_pipeline('other');
sql('ALTER DATABASE other RENAME TO another');
eventually("SELECT count(*) FROM pg_stat_activity WHERE datname = 'another' AND backend_type = 'link scheduler'", '1', '... which is renamed while it runs, and it goes on');
sql('CREATE DATABASE clone TEMPLATE another');
sleep 1;
is(sql('SELECT state FROM link.pipelines', 'clone'), 'Stopped (moved)', 'in a copy it does not run');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'clone'"), '0', '... there is no process');
sql('DROP EXTENSION link CASCADE; CREATE EXTENSION link; DROP TABLE o', 'another');
eventually("SELECT count(*) FROM pg_stat_activity WHERE datname = 'another'", '0', 'DROP EXTENSION ends the processes');
other_pipeline('another');
sql('DROP DATABASE another');
is(sql("SELECT count(*) FROM pg_database WHERE datname = 'another'"), '0', 'DROP DATABASE of one in which it runs');

$start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'the server stops at once');
my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal (?!9)/, 'nothing crashed but what was killed');
unlike($log, qr/PANIC|TRAP/, '... nor panicked');
done_testing();
