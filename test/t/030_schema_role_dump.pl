# Links follow schemas and roles, and survive dump and restore and pg_upgrade; so do
# pipelines, which are stopped then.

use strict;
use warnings;
use File::Copy;
use IPC::Run ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

# What all readers of the tables would see of links and grants, as names.
my $links_sql = 'SELECT id, namespace, name, owner FROM link.link ORDER BY id';
my $grants_sql = 'SELECT grantor, grantee, scope, privilege, is_grantable FROM link.privileges ORDER BY 3, 2, 4, 1';

my $pipelines_sql = 'SELECT id, name, owner, link_id, target_table, target_procedure, options, where_clause, search_path FROM link.pipeline ORDER BY id';
my $positions_sql = 'SELECT pipeline_id, path, state FROM link.pipeline_file ORDER BY 1, 2; SELECT pipeline_id, partition, next_offset FROM link.pipeline_cursor ORDER BY 1, 2';

# No preload: core's dependencies and event triggers alone hold.  Pipelines that are
# started are stored as running, and nothing is loaded.
my $node = new_node('roles', preload => '', conf => "link.pipelines = off\n");
$node->safe_psql('postgres', q{
	CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE giver; CREATE ROLE gone; CREATE ROLE gone_too;
	CREATE ROLE "odd ""role"", - Üx"; CREATE ROLE "-"; CREATE ROLE "?";
	CREATE SCHEMA one; CREATE SCHEMA two;
	SELECT link.create_link('one.first', 'S3', '{"aws_access_key_id":"a","aws_secret_access_key":"b"}');
	SELECT link.create_link('one.second', 'S3', '{"creds_mode":"anonymous"}', description => 'it''s');
	SELECT link.create_link('two.third', 'S3', '{"creds_mode":"anonymous"}');
	SELECT link.drop_link('two.third');
	SELECT link.create_link('two.fourth', 'S3', '{"creds_mode":"anonymous"}');
	SELECT link.create_link('two.orphan', 'S3', '{"creds_mode":"anonymous"}');
	SELECT link.set_link_owner('one.first', 'keeper');
	SELECT link.set_link_owner('two.orphan', 'gone');
	SELECT link.grant_privilege('SHOW', 'one.*', 'giver', true);
	SELECT link.grant_privilege('USE', '*.*', 'gone');
	SELECT link.grant_privilege('USE', '*.*', 'gone_too');
	SELECT link.grant_privilege('READ', 'LINK one.second', 'gone', true);
	SELECT link.grant_privilege('WRITE', '*.*', '"odd ""role"", - Üx"');
	SELECT link.grant_privilege('WRITE', '*.*', '"-"');
	SELECT link.grant_privilege('WRITE', '*.*', '"?"');
	SELECT link.grant_privilege('VIEW', 'two.*', 'public');
	SET ROLE giver;
	SELECT link.grant_privilege('READ', 'LINK one.first', 'reader');
	SET ROLE gone;
	SELECT link.grant_privilege('READ', 'LINK one.second', 'reader');
});
$node->safe_psql('postgres', q{
	CREATE ROLE piper; GRANT piper TO gone;
	CREATE SCHEMA pipes; GRANT USAGE ON SCHEMA pipes TO PUBLIC;
	CREATE TABLE pipes.target (id int); ALTER TABLE pipes.target OWNER TO piper;
	CREATE TABLE pipes.doomed (id int); ALTER TABLE pipes.doomed OWNER TO piper;
	CREATE PROCEDURE pipes."Take it"(batch regclass) LANGUAGE sql AS 'SELECT 1'; ALTER PROCEDURE pipes."Take it" OWNER TO piper;
	SELECT link.grant_privilege('READ', 'LINK two.fourth', 'piper');
	SET ROLE piper;
	SET search_path = pipes;
	SELECT link.create_pipeline('Kept', 'two.fourth', 'bucket/*.csv', 'pipes.target', '{id}', format => 'csv', "where" => 'id > 0', force => true);
	SELECT link.create_pipeline('called', 'two.fourth', 'bucket/*.csv', procedure => 'pipes."Take it"(regclass)', fields => '{id}', force => true);
	SELECT link.create_pipeline('doomed', 'two.fourth', 'bucket/*.csv', 'pipes.doomed', force => true);
	SELECT link.set_pipeline_offsets('kept', '{"bucket/seen.csv": 1}');
	SELECT link.set_pipeline_offsets('doomed', '{"bucket/lost.csv": 1}');
	SET ROLE gone;
	SELECT link.create_pipeline('orphan', 'two.fourth', 'bucket/*.csv', 'pipes.target', force => true);
	RESET ROLE;
	INSERT INTO link.pipeline_cursor (pipeline_id, partition, next_offset, latest_offset, attempts) SELECT id, 3, 100, 200, 0 FROM link.pipeline WHERE name = 'called';
	INSERT INTO link.pipeline_batch (pipeline_id, state, partitions, rows, bytes, started_at, duration_ms) SELECT id, 'Succeeded', 1, 2, 3, now(), 4 FROM link.pipeline WHERE name = 'Kept';
	INSERT INTO link.pipeline_error (pipeline_id, kind, sqlstate, message, raw, occurred_at) SELECT id, 'Row', '22P02', 'bad', 'raw bytes', now() FROM link.pipeline WHERE name = 'Kept';
	SELECT link.start_pipeline('kept');
});
is($node->safe_psql('postgres', "SELECT pipeline, state FROM link.pipelines WHERE state <> 'Stopped'"), 'Kept|Running', 'a pipeline is running');
$node->safe_psql('postgres', 'CREATE DATABASE other');

# Roles, from a database without the extension.
foreach my $role (qw(keeper reader giver piper "?"))
{
	is(sqlstate_of($node, "DROP ROLE $role", db => 'other'), '2BP01', "DROP ROLE $role is refused from another database");
}
$node->safe_psql('postgres', 'CREATE ROLE idle');
is(sqlstate_of($node, 'DROP ROLE idle', db => 'other'), '00000', 'a role of no link can go');
$node->safe_psql('postgres', "CREATE ROLE former; SELECT link.grant_privilege('USE', '*.*', 'former'); SELECT link.revoke_privilege('USE', '*.*', 'former')");
is(sqlstate_of($node, 'DROP ROLE former', db => 'other'), '00000', 'and one that no longer has any');

# REASSIGN OWNED: followed where the library is loaded; elsewhere by hand, and
# the role stays until then.
$node->safe_psql('postgres', "CREATE ROLE leaver; SELECT link.create_link('two.left', 'S3', '{\"creds_mode\":\"anonymous\"}'); SELECT link.set_link_owner('two.left', 'leaver')");
$node->safe_psql('postgres', 'REASSIGN OWNED BY leaver TO keeper');
is($node->safe_psql('postgres', "SELECT owner FROM link.links WHERE link = 'left'"), 'leaver', 'REASSIGN OWNED passes links by without the library');
is(sqlstate_of($node, 'DROP ROLE leaver'), '2BP01', 'then the role cannot go');
is($node->safe_psql('postgres', "SELECT link.reassign_owned('leaver', 'keeper'); SELECT owner FROM link.links WHERE link = 'left'; DROP ROLE leaver"), "\nkeeper",
	'link.reassign_owned() mends it');
is($node->safe_psql('postgres', "CREATE ROLE heir; LOAD 'link'; REASSIGN OWNED BY keeper TO heir; SELECT link FROM link.links WHERE owner = 'heir' ORDER BY 1;
	REASSIGN OWNED BY heir TO keeper; DROP ROLE heir; SELECT link.drop_link('two.left')"), "first\nleft\n", 'with the library it is followed');

# Schemas.
my $err;
$node->psql('postgres', "\\set VERBOSITY verbose\nDROP SCHEMA one", stderr => \$err);
like($err, qr/2BP01/, 'DROP SCHEMA is refused');
like($err, qr/one\.first.*one\.second/s, 'and names the links');
$node->safe_psql('postgres', 'ALTER SCHEMA two RENAME TO three');
is($node->safe_psql('postgres', "SELECT schema || '.' || link FROM link.links ORDER BY 1"), "one.first\none.second\nthree.fourth\nthree.orphan",
	'ALTER SCHEMA RENAME is followed');
is($node->safe_psql('postgres', "SELECT scope FROM link.privileges WHERE grantee = 'PUBLIC'"), 'three.*', 'by grants too');
is($node->safe_psql('postgres', q{BEGIN; DROP SCHEMA one CASCADE; SELECT link FROM link.links ORDER BY 1;
	SELECT grantee, scope FROM link.privileges WHERE scope LIKE '%one%'; ROLLBACK}), "fourth\norphan", 'CASCADE removes links and grants');
is(sqlstate_of($node, 'DROP SCHEMA link CASCADE'), '2BP01', 'the schema of the extension stays');

# DROP OWNED.
is($node->safe_psql('postgres', q{BEGIN; DROP OWNED BY keeper, giver, gone; SELECT link FROM link.links ORDER BY 1;
	SELECT grantee FROM link.privileges WHERE scope <> '*.*'; DROP ROLE giver; DROP ROLE gone; ROLLBACK}),
	"fourth\nsecond\nPUBLIC\npiper", 'DROP OWNED removes links and grants, and what was passed on; then the roles can go');

#
# Dumps.
#

sub dump_of
{
	my ($from, @options) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'pg_dump', '-h', $from->host, '-p', $from->port, @options ], '>', \$out, '2>', \$err);
	return ($out, $err);
}

# One whose target went away unseen is not dumped.
$node->safe_psql('postgres', 'ALTER EVENT TRIGGER link_on_sql_drop DISABLE; DROP TABLE pipes.doomed; ALTER EVENT TRIGGER link_on_sql_drop ENABLE ALWAYS');
is($node->safe_psql('postgres', "SELECT target FROM link.pipelines WHERE pipeline = 'doomed'"), 'a table that is gone', 'a pipeline without a target is shown as such');
is(sqlstate_of($node, "SELECT link.start_pipeline('doomed')"), '42P01', 'and does not start');

my $before = $node->safe_psql('postgres', $links_sql);
my $pipelines = $node->safe_psql('postgres', $pipelines_sql);
my $positions = $node->safe_psql('postgres', $positions_sql);
my $grants = $node->safe_psql('postgres', $grants_sql);
my ($dump) = dump_of($node, 'postgres');

# A second cluster, in which a role of equal oid has another name, and two of
# those that hold the same privilege are missing.
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init(@INITDB);
$second->append_conf('postgresql.conf', "link.master_key_file = '" . $node->basedir . "/link_master.key'\n");
$second->start;
my $oid = $node->safe_psql('postgres', "SELECT oid FROM pg_roles WHERE rolname = 'giver'");
$second->safe_psql('postgres', qq{
	DO \$\$ DECLARE r oid; BEGIN
		LOOP
			CREATE ROLE mallory;
			SELECT oid INTO r FROM pg_roles WHERE rolname = 'mallory';
			EXIT WHEN r >= $oid;
			DROP ROLE mallory;
		END LOOP;
	END \$\$;
	CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE giver; CREATE ROLE scribe; CREATE ROLE piper;
	CREATE ROLE "odd ""role"", - Üx"; CREATE ROLE "-"; CREATE ROLE "?"});
is($second->safe_psql('postgres', "SELECT oid FROM pg_roles WHERE rolname = 'mallory'"), $oid, 'a role has the oid of another one elsewhere');
my $restore_err;
$second->psql('postgres', $dump, stderr => \$restore_err);
unlike($restore_err, qr/^psql:.*ERROR/m, 'the dump restores');
like($restore_err, qr/role "$_" does not exist/, "with a warning for $_, which is missing") foreach qw(gone gone_too);
is($second->safe_psql('postgres', $links_sql), $before =~ s/\|gone$/|?/mr, 'links, ids and owners arrive');
is($second->safe_psql('postgres', $grants_sql), join("\n", grep { !/gone/ } split /\n/, $grants),
	'grants arrive but for those to and by the missing, and nobody gains');
is($second->safe_psql('postgres', "SELECT count(*) FROM link.who_can_use('one.first') WHERE role = 'mallory'"), '0', 'a role of equal oid gains nothing');
is(sqlstate_of($second, "DROP ROLE $_"), '2BP01', "$_ is anchored again") foreach 'keeper', 'giver', 'reader', 'piper', '"odd ""role"", - Üx"';
my $arrived = join("\n", map { s/\|gone\|/|?|/r } grep { !/\|doomed\|/ } split /\n/, $pipelines);
is($second->safe_psql('postgres', $pipelines_sql), $arrived, 'pipelines arrive, but for the one without a target');
is($second->safe_psql('postgres', $positions_sql), join("\n", grep { !/lost/ } split /\n/, $positions), 'with their positions');
is($second->safe_psql('postgres', 'SELECT DISTINCT state, system_identifier, database, error FROM link.pipeline'), 'Stopped|0|0|', 'and are stopped');
is($second->safe_psql('postgres', 'SELECT (SELECT count(*) FROM link.pipeline_batch) + (SELECT count(*) FROM link.pipeline_error)'), '0', 'what was loaded, and what was not, stays behind');
unlike($dump, qr/raw bytes/, 'no raw text of rows is in a dump');
is($second->safe_psql('postgres', "SELECT nextval('link.pipeline_batch_id_seq') > (SELECT max(batch_id) FROM (SELECT batch_id FROM link.pipeline_file UNION ALL SELECT 1) b)"), 't', 'numbers of batches go on');
is($second->safe_psql('postgres', "SELECT target FROM link.pipelines WHERE pipeline = 'called'"), 'procedure pipes."Take it"(pg_catalog.regclass)', 'a procedure is found by its name');
is(sqlstate_of($second, "SELECT link.start_pipeline('orphan')"), '42704', 'one without an owner does not start');
is(sqlstate_of($second, 'DROP ROLE mallory'), '00000', 'mallory is not');
$second->safe_psql('postgres', q{SELECT link.create_link('one.sixth', 'S3', '{"creds_mode":"anonymous"}')});
is($second->safe_psql('postgres', 'SELECT max(id) FROM link.link'), $node->safe_psql('postgres', 'SELECT last_value + 1 FROM link.link_id_seq'), 'ids go on where they were');
is($second->safe_psql('postgres', "SELECT count(*) FROM link.link WHERE credentials IS NOT NULL AND 'aws_secret_access_key' = ANY (credential_keys)"), '1', 'credentials arrive sealed');
is(sqlstate_of($second, "SELECT link.set_link_credential('one.first', 'aws_access_key_id', 'c')"), '00000', 'and open with the same ring');

# A link without owner is a superuser's to give away; until then nobody's, and
# not in the next dump.
is($second->safe_psql('postgres', "SELECT owner FROM link.links WHERE link = 'orphan'"), 'unknown (1)', 'a link without owner is shown as such');
$second->safe_psql('postgres', 'CREATE ROLE gone');
is($second->safe_psql('postgres', "SELECT link.has_link_privilege('gone', 'three.orphan', 'READ')"), 'f', 'a later role of the old name does not get it');
unlike((dump_of($second, 'postgres'))[0], qr/\torphan\t/, 'a dump leaves it out');
is($second->safe_psql('postgres', "SELECT link.set_link_owner('three.orphan', 'gone'); SELECT link.has_link_privilege('gone', 'three.orphan', 'READ')"), "\nt",
	'link.set_link_owner() gives it to somebody');
like((dump_of($second, 'postgres'))[0], qr/\torphan\torphan\tS3\tgone\t/, 'then a dump has it');

# Other shapes of a dump; the extension is there already for the data alone.
my $original = $node->safe_psql('postgres', 'SELECT * FROM link.link ORDER BY id; SELECT * FROM link.privilege ORDER BY 1, 2, 3, 4, 5');
foreach my $options ([ '--inserts' ], [ '--column-inserts', '--rows-per-insert=2' ], [ '--data-only', '--disable-triggers' ])
{
	$node->safe_psql('postgres', 'CREATE DATABASE restored');
	$node->safe_psql('restored', q{CREATE EXTENSION link; CREATE SCHEMA pipes; CREATE TABLE pipes.target (id int);
		CREATE PROCEDURE pipes."Take it"(batch regclass) LANGUAGE sql AS 'SELECT 1'}) if $options->[0] eq '--data-only';
	($dump) = dump_of($node, @$options, 'postgres');
	my $errors;
	$node->psql('restored', $dump, stderr => \$errors);
	is($errors, '', "pg_dump @$options restores");
	is($node->safe_psql('restored', 'SELECT * FROM link.link ORDER BY id; SELECT * FROM link.privilege ORDER BY 1, 2, 3, 4, 5'), $original, 'to the same rows');
	is($node->safe_psql('restored', $pipelines_sql), join("\n", grep { !/\|doomed\|/ } split /\n/, $pipelines), 'and pipelines');
	is($node->safe_psql('restored', "SELECT count(*) FROM link.show_pipelines() WHERE scheduled OR state LIKE 'Run%'"), '0', 'none of which runs');
	$node->safe_psql('postgres', 'DROP DATABASE restored');
}

# A database's owner who is no superuser.
$node->safe_psql('postgres', 'CREATE ROLE dbo LOGIN; CREATE DATABASE owned OWNER dbo');
$node->safe_psql('owned', "CREATE EXTENSION link; SELECT link.create_link('public.l', 'S3', '{\"creds_mode\":\"anonymous\"}'); CREATE TABLE public.kept (i int); ALTER TABLE public.kept OWNER TO dbo");
like((dump_of($node, '-U', 'dbo', 'owned'))[1], qr/permission denied|may lack SELECT privilege/, 'pg_dump by the owner of a database is refused the tables of the extension');
my ($partial, $partial_err) = dump_of($node, '-U', 'dbo', '-N', 'link', 'owned');
is($partial_err, '', 'with -N link it works');
like($partial, qr/CREATE EXTENSION IF NOT EXISTS link.*CREATE TABLE public\.kept/s, 'and has the rest');
unlike($partial, qr/COPY link\./, 'without links');
$node->safe_psql('postgres', 'GRANT pg_read_all_data TO dbo');
($partial, $partial_err) = dump_of($node, '-U', 'dbo', 'owned');
is($partial_err, '', 'as a member of pg_read_all_data too');
like($partial, qr/COPY link\.link .*\tl\tl\tS3\t/s, 'with links');

# A squatted schema.
$second->safe_psql('postgres', 'CREATE DATABASE squatted');
$second->safe_psql('squatted', 'CREATE SCHEMA link AUTHORIZATION scribe');
is(sqlstate_of($second, 'CREATE EXTENSION link', db => 'squatted'), '42P06', 'a squatted schema is refused');
$second->stop;

#
# pg_upgrade, to the same version: rows come as files, the rest by pg_dump. The
# ring lies in the data directory, which is the worst case.
#

copy($node->basedir . '/link_master.key', $node->data_dir . '/link_master.key') or die;
chmod 0600, $node->data_dir . '/link_master.key';
$node->append_conf('postgresql.conf', "link.master_key_file = ''\n");
$node->restart;
my $sealed = "SELECT link.set_link_credential('one.first', 'aws_access_key_id', 'd')";
is(sqlstate_of($node, $sealed), '00000', 'a ring in the data directory');
my $key_id = $node->safe_psql('postgres', "SELECT value FROM link.status() WHERE item = 'key ids'");
my $seq = $node->safe_psql('postgres', 'SELECT last_value FROM link.link_id_seq');
$node->stop;

my $new = PostgreSQL::Test::Cluster->new('upgraded');
$new->init(@INITDB);
{
	my $bin = $node->config_data('--bindir');
	my $dir = $new->basedir;
	my ($out, $err) = ('', '');
	# its socket comes to lie in the current directory
	my $ok = IPC::Run::run([ 'pg_upgrade', '--no-sync', '-b', $bin, '-B', $bin, '-d', $node->data_dir, '-D', $new->data_dir,
			'-s', $new->host, '-p', $node->port, '-P', $new->port ], '>', \$out, '2>', \$err, init => sub { chdir $dir });
	ok($ok, 'pg_upgrade') or diag($out . $err);
}
$new->start;
is($new->safe_psql('postgres', $links_sql), $before, 'links survive');
is($new->safe_psql('postgres', $grants_sql), $grants, 'grants survive');
is($new->safe_psql('postgres', $pipelines_sql), $pipelines, 'pipelines survive');
is($new->safe_psql('postgres', $positions_sql), $positions, 'with their positions');
is($new->safe_psql('postgres', "SELECT state, target FROM link.pipelines WHERE pipeline IN ('Kept', 'called') ORDER BY pipeline COLLATE \"C\""),
	"Stopped (moved)|table pipes.target\nStopped|procedure pipes.\"Take it\"(pg_catalog.regclass)", 'and are stopped');
is($new->safe_psql('postgres', 'SELECT last_value FROM link.link_id_seq'), $seq, 'so does the sequence of ids');
is(sqlstate_of($new, "DROP ROLE $_", db => 'other'), '2BP01', "DROP ROLE $_ is refused still") foreach qw(keeper reader giver "?");
is(sqlstate_of($new, 'DROP SCHEMA one'), '2BP01', 'so is DROP SCHEMA');
is($new->safe_psql('postgres', q{SELECT evtname, evtenabled FROM pg_event_trigger WHERE evtname LIKE 'link%' ORDER BY 1;
	SELECT count(*), min(tgenabled), max(tgenabled) FROM pg_trigger WHERE tgname LIKE 'link_guard%'}),
	"link_on_ddl_command_end|A\nlink_on_ddl_command_start|A\nlink_on_sql_drop|A\n20|A|A", 'all triggers are there, and always fire');
is($new->safe_psql('postgres', q{BEGIN; DROP OWNED BY keeper, giver, gone; DROP ROLE keeper; SELECT link FROM link.links ORDER BY 1; ROLLBACK}),
	"fourth\nsecond", 'DROP OWNED works still');

my $message;
$new->psql('postgres', "\\set VERBOSITY verbose\n$sealed", stderr => \$message);
like($message, qr/ERROR:  55000: .*one\.first.* master key ring has no key "\Q$key_id\E"/, 'without the ring a link cannot be opened, and the key is named');
is(sqlstate_of($new, "SELECT link.create_link('one.new', 'S3', '{\"aws_access_key_id\":\"a\",\"aws_secret_access_key\":\"b\"}')"), '55000', 'nor is a second ring made');
is(sqlstate_of($new, 'SELECT link.add_master_key()'), '55000', 'not even on demand');
ok(!-e $new->data_dir . '/link_master.key', 'there is no file');
copy($node->data_dir . '/link_master.key', $new->data_dir . '/link_master.key') or die;
chmod 0644, $new->data_dir . '/link_master.key';
is(sqlstate_of($new, $sealed), 'F0000', 'a ring that others can read is refused');
chmod 0600, $new->data_dir . '/link_master.key';
is(sqlstate_of($new, $sealed), '00000', 'with the file copied as it was it works');
unlink $new->data_dir . '/link_master.key';
$new->append_conf('postgresql.conf', "link.master_key_file = '" . $node->basedir . "/link_master.key'\n");
$new->reload;
is(sqlstate_of($new, $sealed), '00000', 'as it does with a ring outside of the data directory');

# Dropping the extension takes everything with it.
$new->safe_psql('postgres', 'DROP EXTENSION link');
is(sqlstate_of($new, "DROP ROLE $_"), '00000', "DROP EXTENSION frees $_") foreach qw(gone keeper "-");
is($new->safe_psql('postgres', q{SELECT (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_namespace WHERE nspname = 'link')}), '0', 'nothing is left');

done_testing();
