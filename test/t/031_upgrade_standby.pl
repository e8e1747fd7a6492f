# A standby, a read-only transaction, single-user mode, triggers that sleep: what
# works there, what is refused, and what is left behind. (pg_upgrade is in 030,
# with dump and restore.)

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use LinkWire;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($url, undef, $fake_log) = start_fake('[]');
my $primary = new_node('primary', init => [ allows_streaming => 1 ]);
my $root = $primary->basedir . '/exports';
my $ring = $primary->basedir . '/link_master.key';
mkdir $root or die;
$primary->safe_psql('postgres', qq{
	CREATE ROLE user1 LOGIN; CREATE ROLE idle;
	CREATE SCHEMA s; CREATE SCHEMA spare; GRANT USAGE ON SCHEMA s TO user1;
	CREATE TABLE rows AS SELECT n FROM generate_series(1, 3) n;
	SELECT link.create_link('s.files', 'FS', config => '{"root":"$root"}');
	SELECT link.grant_privilege('SHOW', 's.*', 'user1');
	SELECT link.write_file('s.files', 'there', E'1\\n2\\n')});
s3_link($primary, 's.cloud', key => 'AKIAONE', secret => 'one', config => s3_config(endpoint_url => $url));
$primary->safe_psql('postgres', "SELECT link.write_file('s.cloud', 'b/x', 'x')");

# Whatever writes the database.
my $sealed = '{"aws_access_key_id":"AKIATWO","aws_secret_access_key":"two"}';
my @writes = (
	"SELECT link.create_link('s.new', 'S3', '$sealed')",
	"SELECT link.create_link('s.files', 'FS', config => '{\"root\":\"$root\"}', or_replace => true)",
	"SELECT link.create_link('s.files', 'FS', config => '{\"root\":\"$root\"}', if_not_exists => true)",
	"SELECT link.alter_link('s.cloud', credentials => '$sealed')",
	"SELECT link.set_link_config('s.cloud', 'region', 'x')",
	"SELECT link.set_link_credential('s.cloud', 'aws_access_key_id', 'x')",
	"SELECT link.rename_link('s.cloud', 'x')",
	"SELECT link.set_link_schema('s.cloud', 'spare')",
	"SELECT link.set_link_owner('s.cloud', 'user1')",
	"SELECT link.drop_link('s.cloud')",
	"SELECT link.drop_link('s.nowhere', if_exists => true)",
	"SELECT link.reassign_owned('user1', 'idle')",
	"SELECT link.grant_privilege('USE', '*.*', 'idle')",
	"SELECT link.revoke_privilege('SHOW', 's.*', 'user1')",
	'SELECT link.reseal()',
	"SELECT link.execute('CREATE LINK s.new AS S3 CREDENTIALS ''{\"creds_mode\":\"anonymous\"}''')",
	"SELECT link.execute('DROP LINK s.cloud')",
	"SELECT link.execute('GRANT USE LINK ON *.* TO idle')",
	"SELECT link.execute('LOAD DATA LINK s.files ''there'' INTO TABLE rows')",
	"SELECT link.load_data('s.files', 'there', 'rows')",
	"COPY rows FROM 'link://s.files/there'");

# What does not: statement and its answer.
my $n = 0;
sub reads
{
	$n++;
	return (
		'SELECT schema, link, owner = current_user FROM link.links ORDER BY 2' => "s|cloud|t\ns|files|t",
		"SELECT link FROM link.show_links('s')" => "files\ncloud",
		"SELECT count(*) FROM link.execute('SHOW CREATE LINK s.cloud') l WHERE l LIKE '%<redacted>%'" => '1',
		'SELECT grantee, scope, privilege FROM link.privileges' => 'user1|s.*|SHOW LINK',
		"SELECT link.has_link_privilege('user1', 's.files', 'READ')" => 't',
		"SELECT count(*) FROM link.status() WHERE item = 'key ids' AND value <> 'none'" => '1',
		"SELECT path, size FROM link.list_files('s.files', 'there')" => 'there|4',
		"SELECT link.read_file('s.cloud', 'b/x')" => '\x78',
		"SELECT * FROM link.select_from('s.files', 'there') AS t(n int)" => "1\n2",
		"SELECT rows FROM link.select_into('SELECT * FROM rows', 's.files', 'out$n')" => '3',
		"SELECT link.execute('SELECT * FROM rows INTO LINK s.files ''said$n''')" => 'SELECT 3',
		"COPY rows TO 'link://s.files/copied$n'; SELECT size FROM link.list_files('s.files', 'copied$n')" => '6',
		"SELECT link.write_file('s.files', 'own$n', 'x'); SELECT link.remove_file('s.files', 'own$n')" => "\n",
		"SELECT bool_and(ok) FROM link.check_link('s.cloud')" => 't');
}

sub answers_ok
{
	my ($node, $where, $before, $after) = @_;
	my @reads = reads();
	while (my ($sql, $expected) = splice @reads, 0, 2)
	{
		my ($out, $err) = ('', '');
		$node->psql('postgres', "$before$sql$after", stdout => \$out, stderr => \$err);
		is($out, $expected, "$where: $sql") or diag($err);
	}
}

#
# Read-only transactions.
#

my $state = 'SELECT * FROM link.link ORDER BY id; SELECT * FROM link.privilege ORDER BY 1, 2, 3, 4, 5; TABLE rows';
my $before = $primary->safe_psql('postgres', $state);
is(sqlstate_of($primary, "SET default_transaction_read_only = on; $_"), '25006', "read only: $_ is refused") foreach @writes;
answers_ok($primary, 'read only', 'BEGIN READ ONLY; ', '; COMMIT');
is($primary->safe_psql('postgres', $state), $before, 'and nothing has changed');

#
# A standby, with the ring that the primary has.
#

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
is(sqlstate_of($standby, $_), '25006', "standby: $_ is refused") foreach @writes;
answers_ok($standby, 'standby', '', '');
is(sqlstate_of($standby, "SELECT link.read_file('s.files', 'there')", user => 'user1'), '00000', 'a user reads as on the primary');

# What the primary changes counts there, in a session that used the link before.
my $session = LinkWire->new($standby);
my $user_session = LinkWire->new($standby, user => 'user1');
like($_->query("SELECT link.read_file('s.cloud', 'b/x')"), qr/\\x78/, 'a session of the standby') foreach $session, $user_session;
$primary->safe_psql('postgres', "SELECT link.alter_link('s.cloud', credentials => '$sealed'); SELECT link.revoke_privilege('SHOW', 's.*', 'user1')");
$primary->wait_for_catchup($standby);
my $seen = length fake_log($fake_log);
like($session->query("SELECT link.read_file('s.cloud', 'b/x')"), qr/\\x78/, 'goes on');
like(substr(fake_log($fake_log), $seen), qr{^GET /b/x - AKIATWO$}m, 'with the new credentials');
like($user_session->query("SELECT link.read_file('s.cloud', 'b/x')"), qr/ERROR \| 42501/, 'and not after a REVOKE');
$_->close foreach $session, $user_session;
$primary->safe_psql('postgres', "SELECT link.grant_privilege('SHOW', 's.*', 'user1')");
$primary->wait_for_catchup($standby);

# A standby without the ring says which key it lacks, and makes none.
my $own_ring = $standby->basedir . '/own_ring.key';
$standby->append_conf('postgresql.conf', "link.master_key_file = '$own_ring'\n");
$standby->reload;
my $key_id = $primary->safe_psql('postgres', "SELECT value FROM link.status() WHERE item = 'key ids'");
my $err;
$standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT link.read_file('s.cloud', 'b/x')", stderr => \$err);
like($err, qr/ERROR:  55000: .*has no key "\Q$key_id\E"/, 'a standby without the ring names the key that it lacks');
is(sqlstate_of($standby, $_), '55000', "and refuses $_") foreach 'SELECT link.add_master_key()', "SELECT link.retire_master_key('$key_id')";
is(sqlstate_of($standby, $writes[0]), '25006', 'and to seal');
ok(!-e $own_ring, 'no ring is made');

# Nor where nothing is sealed yet, so that the primary and it would differ.
is($primary->safe_psql('postgres', "CREATE DATABASE empty; \\c empty\nCREATE EXTENSION link; SELECT count(*) FROM link.links"), '0', 'a database without links');
$primary->wait_for_catchup($standby);
is(sqlstate_of($standby, 'SELECT link.add_master_key()', db => 'empty'), '55000', 'gives a standby no ring');
is(sqlstate_of($standby, "SELECT link.create_link('public.l', 'S3', '$sealed')", db => 'empty'), '25006', 'nor by sealing');
ok(!-e $own_ring, 'there is none');

# Promotion.
my $top = $primary->safe_psql('postgres', 'SELECT max(id) FROM link.link');
$standby->promote;
is(sqlstate_of($standby, "SELECT link.create_link('s.late', 'S3', '$sealed')"), '55000', 'promoted without the ring, it makes no second one');
ok(!-e $own_ring, 'there is none still');
$standby->append_conf('postgresql.conf', "link.master_key_file = '$ring'\n");
$standby->reload;
is(sqlstate_of($standby, "SELECT link.create_link('s.late', 'S3', '$sealed')"), '00000', 'with the ring links are made');
cmp_ok($standby->safe_psql('postgres', "SELECT id FROM link.link WHERE name = 'late'"), '>', $top, 'with new ids');
is(sqlstate_of($standby, "SELECT link.load_data('s.files', 'there', 'rows')"), '00000', 'and rows loaded');
is(sqlstate_of($standby, 'DROP SCHEMA s'), '2BP01', 'schemas are guarded');
$standby->stop;

#
# Triggers that sleep: all of ours do not under session_replication_role.
#

my $replica = 'SET session_replication_role = replica;';
is(sqlstate_of($primary, "$replica DROP SCHEMA s"), '2BP01', 'replica: DROP SCHEMA is refused');
is($primary->safe_psql('postgres', "BEGIN; $replica ALTER SCHEMA s RENAME TO t; SELECT schema, link FROM link.links ORDER BY 2;
	SELECT scope FROM link.privileges; DROP SCHEMA t CASCADE; SELECT count(*) FROM link.link; SELECT count(*) FROM link.privilege; ROLLBACK"),
	"t|cloud\nt|files\nt.*\n0\n0", 'replica: RENAME and CASCADE are followed');
is($primary->safe_psql('postgres', "BEGIN; $replica DROP OWNED BY user1; SELECT count(*) FROM link.privilege; DROP ROLE user1; ROLLBACK"), '0', 'replica: DROP OWNED is followed');
is(sqlstate_of($primary, "$replica INSERT INTO link.role_anchor DEFAULT VALUES"), '55000', 'replica: the guard is awake');
is(sqlstate_of($primary, "$replica UPDATE link.link SET folded_name = 'x' WHERE name = 'cloud'"), '23514', 'and checks what a superuser writes');
is(sqlstate_of($primary, "$replica TRUNCATE link.link"), '0A000', 'and lets nobody truncate');

#
# Where no event trigger runs: single-user mode, and event_triggers = off. Rows of
# a schema that is gone mean nothing; a superuser can remove them.
#

sub rows_left_ok
{
	my ($where) = @_;
	$primary->safe_psql('postgres', "SELECT link.grant_privilege('VIEW, READ', '*.*', 'user1')");
	my @as_user1 = (extra_params => [ '-U', 'user1' ]);
	is($primary->safe_psql('postgres', "SELECT count(*) FROM link.link WHERE namespace = 'doomed'"), '1', "$where: DROP SCHEMA leaves the link");
	is($primary->safe_psql('postgres', "SELECT link FROM link.links", @as_user1), "files\ncloud", 'which nobody sees');
	is(sqlstate_of($primary, "SELECT link.read_file('doomed.left', 'there')", user => 'user1'), '42501', 'nor uses');
	is($primary->safe_psql('postgres', "SELECT link.has_link_privilege('user1', 'doomed.left', 'READ')"), 'f', 'nor holds a privilege on');
	is($primary->safe_psql('postgres', "SELECT count(*) FROM link.privileges WHERE scope = 'doomed.*'"), '0', 'as grants on the schema mean nothing');
	is($primary->safe_psql('postgres', 'SELECT link FROM link.links WHERE schema IS NULL'), 'left', 'but a superuser, without schema');
	is($primary->safe_psql('postgres', "SELECT link.drop_link('doomed.left'); SELECT count(*) FROM link.links WHERE link = 'left'"), "\n0", 'who can remove it');
	is($primary->safe_psql('postgres', "DELETE FROM link.privilege WHERE namespace = 'doomed'; SELECT link.revoke_privilege('VIEW, READ', '*.*', 'user1'); SELECT count(*) FROM link.privilege"), "\n1",
		'and the grants');
}

sub make_doomed
{
	$primary->safe_psql('postgres', "CREATE SCHEMA doomed; SELECT link.create_link('doomed.left', 'FS', config => '{\"root\":\"$root\"}');
		SELECT link.grant_privilege('USE', 'doomed.*', 'idle')");
}

make_doomed();
$primary->stop;
my ($out, $said) = ('', '');
IPC::Run::run([ 'postgres', '--single', '-j', '-D', $primary->data_dir, 'postgres' ],
	'<', \join(";\n\n", 'SELECT schema, link FROM link.links', "SELECT link.read_file('s.files', 'there')",
		"SELECT link.create_link('s.single', 'S3', '{\"creds_mode\":\"anonymous\"}')", "SELECT link.drop_link('s.single')",
		'DROP SCHEMA doomed CASCADE', 'ALTER SCHEMA s RENAME TO t', 'ALTER SCHEMA t RENAME TO s', ''), '>', \$out, '2>', \$said);
like($out, qr/link = "files".*link = "cloud".*link = "left"/s, 'single-user mode: the links are shown');
like($out, qr/read_file = "\\x310a320a"/, 'and used') or diag($out . $said);
unlike($said, qr/ERROR|FATAL|PANIC/, 'and made and removed');
$primary->start;
rows_left_ok('single-user mode');

# Event triggers can be turned off from PostgreSQL 17 on.
if ($primary->safe_psql('postgres', 'SHOW server_version_num') >= 170000)
{
	make_doomed();
	$primary->safe_psql('postgres', 'SET event_triggers = off; DROP SCHEMA doomed CASCADE');
	rows_left_ok('event_triggers = off');
}

done_testing();
