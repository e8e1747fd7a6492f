# Whose rights pipelines have, and where they run: code of others gets nothing by
# them, revoked rights end them, and no second server loads the same again.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

$ENV{PGAPPNAME} = 'trusted';	# where these tables are made, and rows are read
my $node = new_node('rights', preload => 'shared', init => [ allows_streaming => 'logical' ],
	conf => "max_worker_processes = 16\nlink.fs_roots = '/'\nwal_level = logical\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql, $on, $db) = @_; return ($on // $node)->safe_psql($db // 'postgres', $sql) }
sub eventually { my ($sql, $expected, $name, $on, $db) = @_; ok(($on // $node)->poll_query_until($db // 'postgres', $sql, $expected), $name) or diag(sql($sql, $on, $db), sql('SELECT pipeline, state, error FROM link.pipelines', $on, $db)) }
sub put { my ($name, $content) = @_; open my $f, '>', "$root/.new" or die; print $f $content; close $f; rename "$root/.new", "$root/$name" or die "$name: $!" }
# As a role whose session it is: what it says, or nothing.
sub as
{
	my ($role, $sql, $db) = @_;
	my ($out, $err) = ('', '');
	$node->psql($db // 'postgres', "SET SESSION AUTHORIZATION $role; SET application_name = attacked; $sql", stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:  (\w{5})/ ? $1 : $out;
}
sub ends { my ($name, $sqlstate, $what) = @_; eventually("SELECT state FROM link.pipelines WHERE pipeline = '$name'", 'Error', "$what: state Error"); is(sql("SELECT sqlstate FROM link.pipeline_errors WHERE pipeline = '$name' AND kind = 'Load' ORDER BY error_id DESC LIMIT 1"), $sqlstate, "... $sqlstate") }

make_link($node, 'files', 'FS', {}, { root => $root });
sql(q{CREATE ROLE loader LOGIN; CREATE ROLE target; CREATE ROLE other LOGIN; CREATE ROLE chief SUPERUSER LOGIN;
	GRANT target TO loader; GRANT CREATE ON SCHEMA public TO target, loader, other;
	SELECT link.grant_privilege('READ', 'LINK public.files', r) FROM unnest('{loader,other}'::text[]) r});

#
# Code of the target's owner, wherever it is reached. Each place calls attack(), which
# tries all and writes down what came of it; a place that may not write leaves that to
# the error it throws.
#
my @attacks = ('RESET ROLE', 'SET ROLE loader', 'SET ROLE chief', 'SET SESSION AUTHORIZATION chief', 'SET SESSION AUTHORIZATION DEFAULT', 'RESET SESSION AUTHORIZATION',
	'ALTER ROLE target SUPERUSER', 'ALTER ROLE loader SUPERUSER', "PERFORM set_config('role', 'chief', false)", "PERFORM set_config('session_authorization', 'chief', true)",
	"PERFORM set_config('is_superuser', 'on', false)", "PERFORM link.read_file('files', 'in/1')", "PERFORM link.write_file('files', 'in/x', 'x')",
	"PERFORM link.execute('SHOW CREATE LINK files')", "PERFORM link.create_pipeline('mine', 'files', 'in/*', 't_default')", "PERFORM link.drop_pipeline('t_default')",
	'CREATE TEMP TABLE x (n int)', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'LISTEN x', 'UPDATE link.pipeline_file SET attempts = 9', 'DELETE FROM link.pipeline', 'SET LOCAL ROLE chief',
	"PERFORM pg_read_file('/etc/hostname')", "COPY public.log TO PROGRAM 'true'", 'ALTER SYSTEM SET work_mem = 64', 'CREATE EXTENSION pgcrypto', 'COMMIT');
my $body = join '', map { my $a = s/^PERFORM/SELECT/r =~ s/'/''/gr; "BEGIN EXECUTE '$a'; done := done || '$a; '; EXCEPTION WHEN others THEN tried := tried + 1; END;\n" } @attacks;
sql("SET ROLE target; CREATE TABLE log (place text, done text, tried int, who text);
	CREATE FUNCTION attack_all(place text) RETURNS int LANGUAGE plpgsql AS \$f\$DECLARE done text := ''; tried int := 0; BEGIN\n$body
		IF done <> '' OR current_user || session_user <> 'targetloader' THEN RAISE EXCEPTION 'place %, as %: %', place, current_user || session_user, done USING ERRCODE = 'P0666'; END IF; RETURN 0; END\$f\$;
	CREATE FUNCTION attack(place text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \$f\$BEGIN IF current_setting('application_name') = 'trusted' THEN RETURN 0; END IF; RETURN public.attack_all(place); END\$f\$;
	CREATE FUNCTION attack_trigger() RETURNS trigger LANGUAGE plpgsql AS \$f\$BEGIN PERFORM public.attack(TG_NAME); INSERT INTO public.log VALUES (TG_NAME, '', 0, current_user || session_user); RETURN NEW; END\$f\$;
	CREATE DOMAIN trap AS int CHECK (public.attack('domain') = 0);");
my %places = (
	default => '(n int, m int DEFAULT public.attack($$default$$))',
	generated => '(n int, m int GENERATED ALWAYS AS (public.attack($$generated$$)) STORED)',
	check => '(n int CHECK (public.attack($$check$$) = 0))',
	domain => '(n public.trap)',
	expression => '(n int); CREATE INDEX ON t_expression (public.attack(n::text))',
	predicate => '(n int); CREATE INDEX ON t_predicate (n) WHERE public.attack(n::text) = 0',
	before_row => '(n int); CREATE TRIGGER before_row BEFORE INSERT ON t_before_row FOR EACH ROW EXECUTE FUNCTION attack_trigger()',
	after_row => '(n int); CREATE TRIGGER after_row AFTER INSERT ON t_after_row FOR EACH ROW EXECUTE FUNCTION attack_trigger()',
	before_all => '(n int); CREATE TRIGGER before_all BEFORE INSERT ON t_before_all FOR EACH STATEMENT EXECUTE FUNCTION attack_trigger()',
	after_all => '(n int); CREATE TRIGGER after_all AFTER INSERT ON t_after_all FOR EACH STATEMENT EXECUTE FUNCTION attack_trigger()',
	deferred => '(n int); CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON t_deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack_trigger()',
	partition => '(n int) PARTITION BY RANGE ((public.attack(n::text) + n)); CREATE TABLE t_partition_1 PARTITION OF t_partition FOR VALUES FROM (0) TO (1000)',
);
mkdir "$root/in" or die;
put("in/$_", "$_\n") foreach 1 .. 3;
foreach my $place (sort keys %places)
{
	sql("SET ROLE target; CREATE TABLE t_$place $places{$place}; GRANT INSERT ON t_$place TO loader");
	is(as('loader', "SELECT link.create_pipeline('t_$place', 'files', 'in/*', 't_$place', fields => '{n}', format => 'csv', batch_interval => 100, max_retries => 0); SELECT link.start_pipeline('t_$place')"), "\n", "code at $place");
	eventually("SELECT count(*) FROM t_$place", '3', '... it ran, and got nowhere');
	sql("SELECT link.stop_pipeline('t_$place', if_running => true)");
}
is(sql('SELECT string_agg(DISTINCT who, $$ $$) FROM log'), 'targetloader', 'all of it as the owner of the target, in a session of the owner of the pipeline');
is(sql("SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper AND rolname IN ('loader', 'target')"), '', 'nobody is a superuser for it');
is(sql('SELECT current_setting($$work_mem$$)'), '4MB', '... nothing is set');

# The same in clauses and procedures, which are the pipeline owner's choice.
sql(q{SET ROLE target; CREATE TABLE clause (n int, m int); GRANT INSERT, SELECT, UPDATE ON clause TO loader; CREATE UNIQUE INDEX ON clause (n);
	CREATE PROCEDURE takes(batch regclass) LANGUAGE plpgsql AS $$BEGIN PERFORM public.attack('procedure'); EXECUTE 'INSERT INTO public.clause SELECT n::int + 100 FROM ' || batch; END$$;
	REVOKE EXECUTE ON PROCEDURE takes FROM PUBLIC; GRANT EXECUTE ON PROCEDURE takes TO loader});
is(as('loader', q{SELECT link.create_pipeline('clause', 'files', 'in/*', 'clause', fields => '{n}', "set" => 'm = public.attack($$set$$)', "where" => 'public.attack($$where$$) = 0',
	on_conflict => '(n) DO UPDATE SET m = public.attack($$conflict$$)', format => 'csv', batch_interval => 100, max_retries => 0); SELECT link.start_pipeline('clause')}), "\n", 'code in SET, WHERE and ON CONFLICT');
eventually('SELECT count(*) FROM clause', '3', '... gets nowhere');
sql("SELECT link.stop_pipeline('clause', if_running => true)");
is(as('loader', q{SELECT link.create_pipeline('takes', 'files', 'in/*', procedure => 'takes(regclass)', fields => '{n}', format => 'csv', batch_interval => 100, max_retries => 0); SELECT link.start_pipeline('takes')}), "\n", 'code in a procedure');
eventually('SELECT count(*) FROM clause WHERE n > 100', '3', '... gets nowhere');

# What the names of clauses mean is settled when the pipeline is made, and nobody comes between.
sql(q{CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$SELECT 'trapped'$$; CREATE SCHEMA trap; GRANT ALL ON SCHEMA trap TO other; GRANT USAGE ON SCHEMA trap TO loader, target;
	SET ROLE target; CREATE TABLE path (n int, t text); GRANT INSERT ON path TO loader});
is(as('loader', q{SET search_path = trap, public; SELECT link.create_pipeline('path', 'public.files', 'in/*', 'public.path', fields => '{n}', "set" => 't = lower($$A$$)', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('path')}), "\n", 'a clause with a function');
eventually('SELECT count(*), min(t) FROM path', '3|a', '... is the one of pg_catalog');
as('other', q{CREATE FUNCTION trap.upper(text) RETURNS text LANGUAGE sql AS $$SELECT 'trapped'$$; CREATE TABLE trap.path (n int, t text)});
put('in/4', "4\n");
eventually('SELECT count(*), min(t), max(t) FROM path', '4|a|a', '... later too, and the table is the one that it was');
sql("SELECT link.stop_pipeline('path')");

# Rights that are revoked end it within a batch.
foreach my $case ([ 'takes', 'REVOKE EXECUTE ON PROCEDURE takes FROM loader; REVOKE target FROM loader', 'GRANT EXECUTE ON PROCEDURE takes TO loader; GRANT target TO loader', 'EXECUTE on the procedure', 5 ],
	[ 'path', 'REVOKE INSERT ON path FROM loader; REVOKE target FROM loader; ALTER ROLE loader NOINHERIT; GRANT target TO loader',
		'REVOKE target FROM loader; ALTER ROLE loader INHERIT; GRANT target TO loader; GRANT INSERT ON path TO loader', 'INSERT, of one who inherits nothing', 6 ],
	[ 'path', 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC', 'CONNECT', 7 ],
	[ 'path', 'ALTER ROLE loader NOLOGIN', 'ALTER ROLE loader LOGIN', 'LOGIN', 8 ])
{
	my ($name, $revoke, $grant, $what, $n) = @$case;
	sql("SELECT link.start_pipeline('$name', if_not_running => true)");
	next if $what eq 'LOGIN' && sql('SHOW server_version_num') >= 170000;
	sql($revoke);
	put("in/$n", "$n\n");
	ends($name, '42501', "$what is revoked");
	is(sql("SELECT count(*) FROM " . ($name eq 'path' ? "path WHERE n = $n" : 'clause WHERE n = ' . ($n + 100))), '0', '... nothing was loaded');
	sql("$grant; SELECT link.start_pipeline('$name')");
	eventually('SELECT count(*) FROM ' . ($name eq 'path' ? "path WHERE n = $n" : 'clause WHERE n = ' . ($n + 100)), '1', '... given back, START goes on');
	sql("SELECT link.stop_pipeline('$name')");
}
# In the middle of a batch: rows come slowly, as a function of the default sleeps.
mkdir "$root/slow" or die;
put('slow/1', join '', map { "$_\n" } 1 .. 100);
sql('SET ROLE target; CREATE TABLE slow (n int, m text DEFAULT pg_sleep(0.05)::text); GRANT INSERT ON slow TO loader');
as('loader', "SELECT link.create_pipeline('slow', 'files', 'slow/*', 'slow', fields => '{n}', format => 'csv', batch_interval => 100, max_retries => 0); SELECT link.start_pipeline('slow')");
eventually("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'link worker'", '1', 'a batch that takes its time');
sleep 0.5;
my $start = time;
sql("SELECT link.stop_pipeline('slow')");
eventually("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'link worker'", '0', '... STOP ends it');
sleep 0.5;
is(sql('SELECT count(*) FROM slow'), '0', '... and nothing of it is there');

# Who manages it, and sees what of it.
foreach my $statement ("SELECT link.start_pipeline('path')", "SELECT link.stop_pipeline('path')", "SELECT link.drop_pipeline('path')", "SELECT link.alter_pipeline('path', batch_interval => 5)",
	"SELECT link.test_pipeline('path')", "SELECT link.drop_pipeline_file('path', 'in/1')", "SELECT link.drop_orphan_files('path')", "SELECT link.clear_pipeline_errors('path')",
	"SELECT link.rename_pipeline('path', 'p')", "SELECT link.set_pipeline_owner('path', 'other')", "SELECT link.show_create_pipeline('path')", "SELECT link.set_pipeline_offsets('path', 'EARLIEST')",
	"SELECT link.create_pipeline('path', 'files', 'in/*', 'public.path', or_replace => true)")
{
	is(as('other', $statement), '42501', "not for others: $statement");
	is(as('target', $statement), '42501', '... nor for the owner of the target') if $statement =~ /drop_pipeline\(|start/;
}
mkdir "$root/raw" or die;
put('raw/1', "secret in a row\n");
sql("SET ROLE target; CREATE TABLE raw (n int); GRANT INSERT ON raw TO loader");
as('loader', "SELECT link.create_pipeline('raw', 'files', 'raw/*', 'raw', format => 'csv', batch_interval => 100, skip_errors => '{ALL}'); SELECT link.start_pipeline('raw')");
eventually("SELECT count(*) FROM link.pipeline_errors WHERE pipeline = 'raw'", '1', 'a bad row');
sql("SELECT link.stop_pipeline('raw')");
is(as('loader', "SELECT raw FROM link.pipeline_errors WHERE pipeline = 'raw'"), 'secret in a row', '... its owner sees');
is(as($_, "SELECT count(*) FROM link.pipeline_errors"), '0', "... $_ does not") foreach 'other', 'target';
is(as('other', 'SELECT * FROM link.pipeline_error'), '42501', '... nor in the table');
unlike(slurp_file($node->logfile), qr/secret in a row/, '... nor who reads the log');

# Procedures and tables keep their pipelines under other names.
sql("SELECT link.start_pipeline('takes'); ALTER PROCEDURE takes RENAME TO takes_all; CREATE SCHEMA moved; ALTER PROCEDURE takes_all SET SCHEMA moved; ALTER SCHEMA moved RENAME TO moved_on; GRANT USAGE ON SCHEMA moved_on TO PUBLIC");
put('in/9', "9\n");
eventually('SELECT count(*) FROM clause WHERE n = 109', '1', 'a procedure that is renamed and moved while the pipeline runs');
like(sql("SELECT link.show_create_pipeline('takes')"), qr/moved_on\.takes_all/, '... is shown by its new name');
sql("SELECT link.stop_pipeline('takes')");

#
# Elsewhere it does not run.
#
mkdir "$root/once" or die;
put("once/$_", "$_\n") foreach 1 .. 5;
sql("CREATE TABLE once (n int); SELECT link.create_pipeline('once', 'files', 'once/*', 'once', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('once')");
eventually('SELECT count(*) FROM once', '5', 'a pipeline');

# A subscriber to all tables: rows of ours do not arrive.
sql('CREATE PUBLICATION everything FOR ALL TABLES');
my $subscriber = new_node('subscriber', preload => 'shared', conf => "max_worker_processes = 16\nlink.fs_roots = '/'\n");
sql($node->safe_psql('postgres', q{SELECT string_agg(format('CREATE ROLE %I', rolname), '; ') FROM pg_roles WHERE rolname IN ('loader', 'target', 'other')}), $subscriber);
sql('CREATE TABLE once (n int)', $subscriber);
my $tables = sql(q{SELECT string_agg(format('CREATE TABLE public.%I (%s)', c.relname, (SELECT string_agg(format('%I text', attname), ', ') FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '')), '; ')
	FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'once'});
sql("$tables; CREATE TABLE t_partition (n int); CREATE SCHEMA trap; CREATE TABLE trap.path (n text, t text)", $subscriber);
sql("CREATE SUBSCRIPTION everything CONNECTION '" . $node->connstr('postgres') =~ s/'/''/gr . "' PUBLICATION everything", $subscriber);
eventually('SELECT count(*) FROM once', '5', 'a logical subscriber has the rows of the table', $subscriber);
put('once/6', "6\n");
eventually('SELECT count(*) FROM once', '6', '... and those that come later', $subscriber);
is(sql('SELECT count(*) FROM link.pipeline', $subscriber), '0', '... but no pipeline');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('link scheduler', 'link worker')", $subscriber), '0', '... nothing runs');
sql('DROP SUBSCRIPTION everything', $subscriber);

# A restored dump, in a database of the same name on the other server.
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'a dump');
$subscriber->safe_psql('postgres', 'CREATE DATABASE restored');
$subscriber->command_ok([ 'pg_restore', '-d', $subscriber->connstr('restored'), $dump ], '... is restored');
is(sql("SELECT count(*), count(*) FILTER (WHERE state LIKE 'Stopped%') FROM link.pipelines", $subscriber, 'restored'), join('|', (sql('SELECT count(*) FROM link.pipelines')) x 2), '... every pipeline is stopped there');
is(sql("SELECT state FROM link.pipelines WHERE pipeline = 'once'"), 'Running', '... while it runs here');
put('once/7', "7\n");
eventually('SELECT count(*) FROM once', '7', '... and goes on');
is(sql('SELECT count(*) FROM once', $subscriber, 'restored'), '6', '... there nothing was loaded');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'restored'", $subscriber), '0', '... there is no process');
sql("SELECT link.start_pipeline('once')", $subscriber, 'restored');
eventually('SELECT count(*), count(DISTINCT n) FROM once', '7|7', '... until it is started there, and loads what the dump did not have', $subscriber, 'restored');
sql("SELECT link.stop_pipeline('once')", $subscriber, 'restored');

# A standby: nothing runs, and when it takes over, it goes on.
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "link.master_key_file = '" . $node->basedir . "/link_master.key'\n");
$standby->start;
put('once/8', "8\n");
eventually('SELECT count(*) FROM once', '8', 'a primary with a standby');
eventually('SELECT count(*) FROM once', '8', '... which follows', $standby);
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'link %'", $standby), '0', '... and runs nothing');
is(sql("SELECT state FROM link.pipelines WHERE pipeline = 'once'", $standby), 'Stopped (standby)', '... and says so');
is(sqlstate_of($standby, "SELECT link.start_pipeline('once')"), '25006', '... nor can be told to');
$node->stop('fast');
put('once/9', "9\n");
$standby->promote;
eventually('SELECT count(*), count(DISTINCT n) FROM once', '9|9', 'promoted, it goes on by itself, each row once', $standby);
$standby->stop('fast');

# A copy of the files under another system identifier is another server.
my $copy = PostgreSQL::Test::Cluster->new('copy');
mkdir $copy->basedir;
system_or_bail('cp', '-a', $standby->data_dir, $copy->data_dir);
$copy->append_conf('postgresql.conf', 'port = ' . $copy->port . "\nunix_socket_directories = '" . $copy->host . "'\n");
my $control = $copy->data_dir . '/global/pg_control';
{
	# the identifier is the first eight bytes; pg_resetwal -f writes a control file that fits it
	open my $f, '+<:raw', $control or die;
	print $f pack('q', 7000000000000000001);
	close $f;
	system_log('pg_resetwal', '-f', $copy->data_dir);
}
put('once/10', "10\n");
if ($copy->start(fail_ok => 1))
{
	sleep 1;
	is(sql("SELECT state FROM link.pipelines WHERE pipeline = 'once'", $copy), 'Stopped (moved)', 'a copy of another identity runs nothing');
	is(sql('SELECT count(*) FROM once', $copy), '9', '... and loads nothing');
	sql("SELECT link.start_pipeline('once')", $copy);
	eventually('SELECT count(*), count(DISTINCT n) FROM once', '10|10', '... until it is told to', $copy);
	$copy->stop('fast');
}
else { fail('a copy starts'); }
foreach my $one ($node, $standby, $subscriber) { unlike(slurp_file($one->logfile), qr/terminated by signal|PANIC|TRAP/, 'nothing crashed: ' . $one->name) }
done_testing();
