# What hostile owners of targets, procedures and pipelines try, and strangers who may
# create in a schema: each by itself, with the SQLSTATE that comes of it.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = new_node('escalation', preload => 'shared', conf => "max_worker_processes = 16\nlink.fs_roots = '/'\nlink.pipeline_history = 50\nlog_lock_waits = on\ndeadlock_timeout = 200ms\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub eventually { my ($sql, $expected, $name) = @_; ok($node->poll_query_until('postgres', $sql, $expected), $name) or diag(sql($sql), sql('SELECT pipeline, state, error FROM link.pipelines')) }
sub put { my ($name, $content) = @_; mkdir "$root/" . ($name =~ s{/.*}{}r); open my $f, '>', "$root/.new" or die; print $f $content; close $f; rename "$root/.new", "$root/$name" or die "$name: $!" }

# What it says as a role whose session it is, or the SQLSTATE.
sub as
{
	my ($role, $sql) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', "SET SESSION AUTHORIZATION $role; $sql", stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:  (\w{5})/ ? $1 : $out;
}
sub recorded { my ($name) = @_; return sql("SELECT sqlstate FROM link.pipeline_errors WHERE pipeline = '$name' AND kind = 'Load' ORDER BY error_id DESC LIMIT 1") }
sub ends { my ($name, $sqlstate, $what) = @_; eventually("SELECT state FROM link.pipelines WHERE pipeline = '$name'", 'Error', "$what: state Error"); is(recorded($name), $sqlstate, "... $sqlstate") }

make_link($node, 'files', 'FS', {}, { root => $root });
sql(q{CREATE ROLE loader LOGIN; CREATE ROLE target; CREATE ROLE other LOGIN; CREATE ROLE chief SUPERUSER LOGIN;
	GRANT target TO loader; GRANT CREATE ON SCHEMA public TO target, loader, other; CREATE EXTENSION dblink;
	SELECT link.grant_privilege('READ', 'LINK public.files', r) FROM unnest('{loader,other}'::text[]) r});

#
# Code of the target's owner, one statement at a time: each object holds one, which a
# trigger, an expression of the clauses, or the procedure executes.
#
sql(q{SET ROLE target;
	CREATE FUNCTION run(what text) RETURNS text LANGUAGE plpgsql AS $$BEGIN
		IF what = 'report' THEN RETURN concat_ws(' ', current_user, session_user, current_setting('search_path'), current_setting('work_mem'), current_setting('row_security'),
			current_setting('statement_timeout'), current_setting('role'), current_setting('my.own', true)); END IF;
		EXECUTE what; RETURN what; END$$;
	CREATE FUNCTION run_trigger() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.t := public.run(NEW.t); NEW.pid := pg_backend_pid(); RETURN NEW; END$$;
	CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$;
	CREATE TABLE by_trigger (t text, pid int); CREATE TRIGGER run BEFORE INSERT ON by_trigger FOR EACH ROW EXECUTE FUNCTION run_trigger();
	CREATE TABLE by_clause (t text, pid int); CREATE TABLE by_procedure (t text, pid int);
	CREATE PROCEDURE by_procedure(batch regclass) LANGUAGE plpgsql AS $$DECLARE what text; BEGIN
		EXECUTE 'SELECT t FROM ' || batch INTO what; INSERT INTO public.by_procedure VALUES (public.run(what), pg_backend_pid()); END$$;
	CREATE TABLE later (n int); CREATE CONSTRAINT TRIGGER later AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION run_trigger();
	GRANT INSERT ON by_trigger, by_clause, by_procedure TO loader});
my %into = (
	trigger => "'by_trigger', fields => '{t}'",
	clause => q{'by_clause', fields => '{@t}', "set" => 't = public.run(@t), pid = pg_backend_pid()'},
	procedure => "procedure => 'by_procedure(regclass)', fields => '{t}'",
);
my $me = sql('SELECT pg_postmaster_start_time()');
my $roles = q{SELECT md5(string_agg(concat_ws(' ', r.*), ',' ORDER BY oid)) || (SELECT md5(string_agg(m::text, ',' ORDER BY roleid, member)) FROM pg_auth_members m) FROM pg_authid r};
my $before = sql($roles);
my @attacks = (
	[ 'RESET ROLE', '42501' ], [ 'SET ROLE loader', '42501' ], [ 'SET ROLE chief', '42501' ], [ 'SET LOCAL ROLE chief', '42501' ], [ 'SET ROLE NONE', '42501' ],
	[ 'SET SESSION AUTHORIZATION chief', '42501' ], [ 'SET SESSION AUTHORIZATION DEFAULT', '42501' ], [ 'RESET SESSION AUTHORIZATION', '42501' ],
	[ 'ALTER ROLE target SUPERUSER', '42501' ], [ 'ALTER ROLE loader SUPERUSER', '42501' ], [ "ALTER ROLE loader PASSWORD 'x'", '42501' ], [ 'GRANT chief TO target', '42501' ],
	[ "SELECT set_config('role', 'chief', false)", '42501' ], [ "SELECT set_config('session_authorization', 'chief', true)", '42501' ], [ "SELECT set_config('is_superuser', 'on', false)", '55P02' ],
	[ 'SET session_replication_role = replica', '42501' ], [ 'SET link.log_use = none', '42501' ],
	[ "SELECT link.read_file('files', 'trigger/1')", '42501' ], [ "SELECT link.write_file('files', 'x', 'x')", '42501' ], [ "SELECT link.remove_file('files', 'trigger/1')", '42501' ],
	[ "SELECT link.execute('DROP LINK files')", '42501' ], [ "SELECT link.load_data('files', 'trigger/1', 'public.later')", '42501' ],
	[ "SELECT link.create_pipeline('mine', 'files', 'trigger/*', 'later')", '42501' ], [ "SELECT link.drop_pipeline('trigger')", '42501' ], [ "SELECT link.set_pipeline_owner('trigger', 'target')", '42501' ],
	[ 'UPDATE link.pipeline_file SET attempts = 9', '42501' ], [ 'SELECT * FROM link.pipeline_error', '42501' ], [ 'LOCK TABLE link.pipeline', '42501' ], [ 'ALTER TABLE link.pipeline DISABLE TRIGGER ALL', '42501' ],
	[ 'DROP EXTENSION link CASCADE', '42501' ], [ 'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION run_trigger()', '42501' ],
	[ 'CREATE TEMP TABLE x (n int)', '42501' ], [ 'CREATE TEMP VIEW pipeline_rows AS SELECT 1', '42501' ], [ 'DECLARE c CURSOR WITH HOLD FOR SELECT 1', '42501' ], [ 'PREPARE p AS SELECT 1', '42501' ],
	[ 'LISTEN x', '42501' ], [ 'DISCARD PLANS', '42501' ], [ "LOAD 'link'", '42501' ], [ 'SET CONSTRAINTS ALL DEFERRED; INSERT INTO public.later VALUES (1)', '42501' ],
	[ 'COMMIT', '0A000' ], [ 'CALL public.commits()', '2D000' ], [ 'ALTER SYSTEM SET work_mem = 64', '25001' ], [ 'CREATE DATABASE x', '25001' ],
	[ "SELECT public.dblink_exec('dbname=postgres user=chief', 'ALTER ROLE target SUPERUSER')", '2F003' ], [ "COPY public.later TO PROGRAM 'true'", '42501' ], [ "SELECT pg_read_file('/etc/hostname')", '42501' ],
	[ "SELECT lo_import('/etc/hostname')", '42501' ], [ 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $$loader$$', '42501' ], [ 'REASSIGN OWNED BY loader TO target', '42501' ],
);
foreach my $place (sort keys %into)
{
	put("$place/1", "-\n");
	is(as('loader', "SELECT link.create_pipeline('$place', 'files', '$place/*', $into{$place}, format => 'csv', quote => E'\\x01', batch_interval => 100, max_partitions => 1, max_retries => 0)"), '', "code in a $place");
	my @came;
	foreach my $attack (@attacks)
	{
		put("$place/1", "\x01$attack->[0]\x01\n");
		my $got = as('loader', "SELECT link.start_pipeline('$place', foreground => true)");
		push @came, "$attack->[0]: $got, recorded " . recorded($place) if $got ne $attack->[1] || recorded($place) ne $attack->[1];
	}
	is("@came", '', '... ' . @attacks . ' attacks, each with the error that it has to have');
	is(sql("SELECT count(*) FROM by_$place"), '0', '... nothing was loaded');
	is(sql($roles), $before, '... no role has changed');
	is(sql("SELECT count(*) FROM link.pipelines WHERE pipeline IN ('trigger', 'clause', 'procedure') AND owner = 'loader' AND state = 'Stopped'"), sql('SELECT count(*) FROM link.pipelines'), '... no pipeline either');

	# what may be set ends with the batch
	put("$place/1", "\x01SET search_path = trap; SET work_mem = 64; SET row_security = off; SET statement_timeout = 1; SET my.own = 1\x01\n");
	put("$place/2", "report\n");
	is(as('loader', "SELECT link.start_pipeline('$place', foreground => true)"), '2', '... what is set');
	is(sql("SELECT count(DISTINCT pid) FROM by_$place"), '1', '... in one process');
	like(sql("SELECT t FROM by_$place WHERE t NOT LIKE 'SET%'"), qr/^target loader public, pg_temp 4MB on 0 none ?$/, '... is not there for the next batch');
}
is(sql('SELECT count(DISTINCT pid) FROM (SELECT pid FROM by_trigger UNION ALL SELECT pid FROM by_clause UNION ALL SELECT pid FROM by_procedure) p'), '3', 'each pipeline has processes of its own');

# A superuser who tries the pipeline of another lends nothing to it either.
put('trigger/3', "\x01ALTER ROLE target SUPERUSER\x01\n");
put('clause/3', "\x01ALTER ROLE target SUPERUSER\x01\n");
is(as('chief', "SELECT link.test_pipeline('clause')"), '42501', 'TEST by a superuser');
is(as('chief', "SELECT link.start_pipeline('trigger', foreground => true)"), '42501', '... START by a superuser');
is(sql($roles), $before, '... no role has changed');

# Rules: what they put in the place of INSERT is not run.
sql("SET ROLE target; CREATE TABLE ruled (n int); GRANT INSERT ON ruled TO loader");
put('ruled/1', "1\n");
my $create = q{SELECT link.create_pipeline('ruled', 'files', 'ruled/*', 'ruled', "set" => 'n = n + 1', format => 'csv', batch_interval => 100, max_retries => 0); };
is(as('loader', "$create SELECT link.start_pipeline('ruled', foreground => true)"), "\n1", 'a table');
foreach my $action ('NOTIFY x', 'DELETE FROM public.ruled', 'NOTHING')
{
	sql("SET ROLE target; CREATE RULE r AS ON INSERT TO ruled DO INSTEAD $action; SELECT link.set_pipeline_offsets('ruled', 'EARLIEST')" =~ s/SELECT/RESET ROLE; SELECT/r);
	is(as('loader', "SELECT link.start_pipeline('ruled', foreground => true)"), '0A000', "... with a rule: DO INSTEAD $action");
	is(sql('SELECT count(*) FROM ruled'), '1', '... nothing happens');
	sql('DROP RULE r ON ruled');
}
sql('CREATE RULE r AS ON INSERT TO ruled DO INSTEAD NOTIFY x');
is(as('loader', $create =~ s/'ruled', 'files'/'ruled2', 'files'/r), '0A000', '... nor is a pipeline made into such a table');

# SQLSTATEs by which the engine tells its own ends are no way to go on for ever unseen.
put('cancel/1', "1\n");
sql(q{SET ROLE target; CREATE TABLE cancel (n int); CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '57014'; END$$;
	CREATE TRIGGER cancel BEFORE INSERT ON cancel FOR EACH ROW EXECUTE FUNCTION cancel(); GRANT INSERT ON cancel TO loader});
as('loader', "SELECT link.create_pipeline('cancel', 'files', 'cancel/*', 'cancel', format => 'csv', batch_interval => 100, max_retries => 1); SELECT link.start_pipeline('cancel')");
ends('cancel', '57014', 'a trigger that says that it was cancelled');

# Settings of the pipeline's owner: no tablespace that the role may not use, no other role.
my $space = $node->basedir . '/space';
mkdir $space or die;
put('space/1', "1\n");
sql("CREATE TABLESPACE space LOCATION '$space'");
sql(q{CREATE ROLE weak; GRANT weak TO loader; ALTER ROLE loader SET temp_tablespaces = space; ALTER ROLE loader SET role = weak;
	SET ROLE target; CREATE TABLE spaces (t text); CREATE PROCEDURE space(batch regclass) LANGUAGE sql AS $$INSERT INTO public.spaces SELECT concat_ws(' ', reltablespace, session_user, current_setting('role')) FROM pg_class WHERE oid = batch$$});
as('loader', "SELECT link.create_pipeline('space', 'public.files', 'space/*', procedure => 'space(regclass)', fields => '{n}', format => 'csv', max_retries => 0)");
is(as('loader', "SELECT link.start_pipeline('space', foreground => true)"), '1', 'a role with settings');
is(sql('SELECT t FROM spaces'), '0 loader none', '... has its rows where it may, and its own name');
sql('GRANT CREATE ON TABLESPACE space TO loader');
as('loader', "SELECT link.set_pipeline_offsets('space', 'EARLIEST'); SELECT link.start_pipeline('space', foreground => true)");
is(sql("SELECT count(*) FROM spaces WHERE t ~ '^[1-9]'"), '1', '... and in the tablespace once it may');
sql('ALTER ROLE loader RESET ALL');

# Whoever may create in a schema of the path puts nothing in the place of what the clauses mean.
put('path/1', "1\n");
sql(q{CREATE SCHEMA trap; GRANT ALL ON SCHEMA trap TO other; GRANT USAGE ON SCHEMA trap TO loader, target; CREATE SCHEMA own; GRANT USAGE ON SCHEMA own TO loader, target;
	CREATE FUNCTION own.mark(text) RETURNS text LANGUAGE sql AS $$SELECT 'marked ' || $1$$; CREATE TABLE own.words (w text); GRANT SELECT ON own.words TO loader, target; INSERT INTO own.words VALUES ('a');
	SET ROLE target; CREATE TABLE path (n int UNIQUE, t text); GRANT INSERT ON path TO loader});
is(as('loader', q{SET search_path = trap, own, public; SELECT link.create_pipeline('path', 'files', 'path/*', 'path', fields => '{n}', "set" => 't = mark(n || upper(n::varchar))',
	"where" => 'n < 10::int8 AND n::text::name <> $$b$$ AND EXISTS (SELECT FROM words)', on_conflict => '(n) DO UPDATE SET t = excluded.t || path.n', format => 'csv', max_retries => 0)}), '', 'clauses along a path');
is(sql("SELECT search_path || ' / ' || clause_path FROM link.pipeline WHERE name = 'path'"), 'trap, own, public, pg_temp / own, pg_temp', '... of which they need one schema');
as('other', q{CREATE FUNCTION trap.evil(int, text) RETURNS text LANGUAGE sql AS $$SELECT 'trapped'$$; CREATE OPERATOR trap.|| (LEFTARG = int, RIGHTARG = text, FUNCTION = trap.evil);
	CREATE FUNCTION trap.evil(text, int) RETURNS text LANGUAGE sql AS $$SELECT 'trapped'$$; CREATE OPERATOR trap.|| (LEFTARG = text, RIGHTARG = int, FUNCTION = trap.evil);
	CREATE FUNCTION trap.evil(int, int8) RETURNS boolean LANGUAGE sql AS $$SELECT true$$; CREATE OPERATOR trap.< (LEFTARG = int, RIGHTARG = int8, FUNCTION = trap.evil);
	CREATE FUNCTION trap.upper(varchar) RETURNS text LANGUAGE sql AS $$SELECT 'trapped'$$; CREATE FUNCTION trap.mark(text) RETURNS text LANGUAGE sql AS $$SELECT 'trapped'$$;
	CREATE DOMAIN trap.int8 AS pg_catalog.int8; CREATE TABLE trap.path (n int, t text); CREATE TABLE trap.words (w text); GRANT ALL ON trap.path, trap.words TO PUBLIC});
foreach my $time (1, 2)
{
	is(as('loader', "SELECT link.set_pipeline_offsets('path', 'EARLIEST'); SELECT link.start_pipeline('path', foreground => true)"), "\n1", '... a batch');
	is(sql('SELECT t FROM path'), $time == 1 ? 'marked 11' : 'marked 111', '... has what it had at creation');
}
is(sql('SELECT count(*) FROM trap.path'), '0', '... nothing went elsewhere');

# Pipelines of others are in nobody's way, wherever their targets are.
sql(q{CREATE SCHEMA hidden; CREATE PROCEDURE hidden.take(batch regclass) LANGUAGE plpgsql AS $$BEGIN END$$;
	SELECT link.create_pipeline('hidden', 'files', 'path/*', procedure => 'hidden.take(regclass)', fields => '{n}', format => 'csv')});
is(as('other', 'SELECT count(*) FROM link.pipelines'), '0', 'a procedure in a schema that others may not use: they see their own');
is(as('other', 'CREATE PROCEDURE public.own() LANGUAGE sql AS $$SELECT 1$$; ALTER PROCEDURE public.own() RENAME TO own2; ALTER PROCEDURE public.own2() SET SCHEMA trap; DROP PROCEDURE trap.own2()'), '', '... and name theirs as they like');

# Row security and rights of roles that change while it runs.
put('row/1', "1\n");
put('super/1', "1\n");
sql(q{SET ROLE target; CREATE TABLE row (n int); GRANT INSERT ON row TO loader; SET ROLE chief; CREATE TABLE super (n int)});
as('loader', "SELECT link.create_pipeline('row', 'files', 'row/*', 'row', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('row')");
as('chief', "SELECT link.create_pipeline('super', 'files', 'super/*', 'super', format => 'csv', batch_interval => 100); SELECT link.start_pipeline('super')");
eventually('SELECT count(*) FROM row, super', '1', 'pipelines of a role and of a superuser');
my $n = 2;
foreach my $case ([ 'row', 'ALTER TABLE row ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'ALTER TABLE row NO FORCE ROW LEVEL SECURITY', '0A000', 'row security of the owner of the target' ],
	[ 'row', 'ALTER TABLE row OWNER TO chief', 'ALTER TABLE row OWNER TO target', '42501', 'another owner of the target' ],
	[ 'row', 'REVOKE target FROM loader', 'GRANT target TO loader', '42501', 'membership' ],
	[ 'row', "SELECT link.revoke_privilege('READ', 'LINK public.files', 'loader')", "SELECT link.grant_privilege('READ', 'LINK public.files', 'loader')", '42501', 'READ on the link' ],
	[ 'super', 'ALTER ROLE chief NOSUPERUSER', 'ALTER ROLE chief SUPERUSER', '42501', 'a superuser no more' ],
	[ 'super', 'ALTER TABLE super OWNER TO target', 'ALTER TABLE super OWNER TO chief', '42501', 'a superuser and the table of another' ],
	sql('SHOW server_version_num') < 160000 ? () :
	([ 'row', 'GRANT target TO loader WITH SET FALSE', 'GRANT target TO loader WITH SET TRUE', '42501', 'membership without SET' ]))
{
	my ($name, $revoke, $grant, $sqlstate, $what) = @$case;
	sql($revoke);
	put("$name/$n", "$n\n");
	ends($name, $sqlstate, $what);
	is(sql("SELECT count(*) FROM $name WHERE n = $n"), '0', '... nothing was loaded');
	sql("$grant; SELECT link.start_pipeline('$name')");
	eventually("SELECT count(*) FROM $name WHERE n = $n", '1', '... given back, START goes on');
	$n++;
}
sql("SELECT link.stop_all_pipelines()");

# A partition of a superuser's table that belongs to another.
put('part/1', "1\n");
sql(q{SET ROLE chief; CREATE TABLE part (n int, who text) PARTITION BY RANGE (n); CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10); ALTER TABLE part_1 OWNER TO target; SET ROLE target;
	CREATE FUNCTION part() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.who := current_user; RETURN NEW; END$$; CREATE TRIGGER part BEFORE INSERT ON part_1 FOR EACH ROW EXECUTE FUNCTION part()});
my $part = q{SELECT link.create_pipeline('part', 'files', 'part/*', 'part', fields => '{n}', format => 'csv', max_retries => 0)};
is(as('chief', $part), '42501', 'a superuser and a partition of another');
sql('ALTER TABLE part_1 OWNER TO chief');
is(as('chief', $part), '', '... of a superuser');
sql('ALTER TABLE part_1 OWNER TO target');
is(as('chief', "SELECT link.start_pipeline('part', foreground => true)"), '42501', '... which comes to be of another');
is(sql('SELECT count(*) FROM part'), '0', '... nothing was loaded, and no code of others ran');

# Bad rows without end, of whoever may write to the bucket: no more is written down than is kept.
put('flood/1', "x\n" x 5000);
sql('CREATE TABLE flood (n int)');
sql("SELECT link.create_pipeline('flood', 'files', 'flood/*', 'flood', format => 'csv', skip_errors => '{ALL}')");
is(sql("SELECT link.start_pipeline('flood', foreground => true)"), '0', 'an object of bad rows');
is(sql("SELECT count(*), min(position) FROM link.pipeline_errors WHERE pipeline = 'flood'"), '50|1', '... of which the first are on record');

#
# Owners and targets that go, each in the middle of a batch.
#
sql('ALTER SYSTEM SET link.pipeline_pause = 1000');
$node->reload;
foreach my $case ([ 'DROP TABLE target_g CASCADE', 0 ], [ 'DROP OWNED BY g CASCADE', 0 ], [ 'DROP SCHEMA s_g CASCADE', 0 ], [ "SELECT link.drop_pipeline('g')", 0 ],
	[ 'REASSIGN OWNED BY g TO heir', 1 ], [ 'ALTER TABLE target_g RENAME TO renamed', 1 ], [ 'ALTER SCHEMA s_g RENAME TO s_h', 1 ])
{
	my ($command, $stays) = @$case;
	sql(q{CREATE ROLE g LOGIN; CREATE ROLE heir LOGIN; CREATE SCHEMA s_g AUTHORIZATION g; SELECT link.grant_privilege('READ', 'LINK public.files', r) FROM unnest('{g,heir}'::text[]) r});
	put("g/$_", "$_\n") foreach 1 .. 3;
	as('g', q{SET search_path = s_g; CREATE TABLE target_g (n int); SELECT link.create_pipeline('g', 'public.files', 'g/*', 'target_g', format => 'csv', batch_interval => 100, max_partitions => 1); SELECT link.start_pipeline('g')});
	eventually("SELECT count(*) FROM pg_stat_activity WHERE query = 'pause before commit'", '1', 'a batch that has not committed');
	is($node->psql('postgres', "SET search_path = s_g; $command"), 0, "... $command") or diag(slurp_file($node->logfile));
	if ($stays)
	{
		my $table = sql("SELECT target FROM link.pipelines WHERE pipeline = 'g'") =~ s/^table //r;
		eventually("SELECT count(*), count(DISTINCT n) FROM $table", '3|3', '... it goes on, with each row once');
		is(sql("SELECT state FROM link.pipelines WHERE pipeline = 'g'"), 'Running', '... and runs');
	}
	else
	{
		is(sql("SELECT count(*) FROM link.pipelines WHERE pipeline = 'g'"), '0', '... the pipeline is gone');
		eventually("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'link worker'", '0', '... and its worker');
		is(sql('SELECT count(*) FROM link.pipeline_file f WHERE NOT EXISTS (SELECT FROM link.pipeline p WHERE p.id = f.pipeline_id)'), '0', '... and leaves nothing');
	}
	sql('SET client_min_messages = error; DROP OWNED BY g, heir CASCADE; DROP ROLE g, heir');
}
sql('ALTER SYSTEM RESET link.pipeline_pause');
$node->reload;

is(sql('SELECT pg_postmaster_start_time()'), $me, 'the server has been up all the time');
$node->stop('fast');
unlike(slurp_file($node->logfile), qr{terminated by signal|PANIC|TRAP}, "... and no process of it crashed");
unlike(slurp_file($node->logfile), qr{detected deadlock}, "... nor waited for one that waited for it");
done_testing();
