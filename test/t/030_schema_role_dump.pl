# Links follow schemas and roles, and survive dump and restore.

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

# No preload: core's dependencies and event triggers alone hold.
my $node = new_node('roles', preload => '');
$node->safe_psql('postgres', q{
	CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE giver; CREATE ROLE gone;
	CREATE SCHEMA one; CREATE SCHEMA two;
	SELECT link.create_link('one.first', 'S3', '{"aws_access_key_id":"a","aws_secret_access_key":"b"}');
	SELECT link.create_link('one.second', 'S3', '{"creds_mode":"anonymous"}', description => 'it''s');
	SELECT link.create_link('two.third', 'S3', '{"creds_mode":"anonymous"}');
	SELECT link.drop_link('two.third');
	SELECT link.create_link('two.fourth', 'S3', '{"creds_mode":"anonymous"}');
	SELECT link.set_link_owner('one.first', 'keeper');
	SELECT link.grant_privilege('SHOW', 'one.*', 'giver', true);
	SELECT link.grant_privilege('USE', '*.*', 'gone');
	SET ROLE giver;
	SELECT link.grant_privilege('READ', 'LINK one.first', 'reader');
});
$node->safe_psql('postgres', 'CREATE DATABASE other');

# Roles, from a database without the extension.
foreach my $role (qw(keeper reader giver))
{
	is(sqlstate_of($node, "DROP ROLE $role", db => 'other'), '2BP01', "DROP ROLE $role is refused from another database");
}
$node->safe_psql('postgres', 'CREATE ROLE idle');
is(sqlstate_of($node, 'DROP ROLE idle', db => 'other'), '00000', 'a role of no link can go');

# Schemas.
my $err;
$node->psql('postgres', "\\set VERBOSITY verbose\nDROP SCHEMA one", stderr => \$err);
like($err, qr/2BP01/, 'DROP SCHEMA is refused');
like($err, qr/one\.first.*one\.second/s, 'and names the links');
$node->safe_psql('postgres', 'ALTER SCHEMA two RENAME TO three');
is($node->safe_psql('postgres', "SELECT schema || '.' || link FROM link.links ORDER BY 1"), "one.first\none.second\nthree.fourth",
	'ALTER SCHEMA RENAME is followed');
is($node->safe_psql('postgres', q{BEGIN; DROP SCHEMA one CASCADE; SELECT link FROM link.links;
	SELECT grantee, scope FROM link.privileges; ROLLBACK}), "fourth\ngone|*.*", 'CASCADE removes links and grants');
is(sqlstate_of($node, 'DROP SCHEMA link CASCADE'), '2BP01', 'the schema of the extension stays');
is($node->safe_psql('postgres', q{SET session_replication_role = replica; ALTER SCHEMA three RENAME TO two; SELECT schema FROM link.links WHERE link = 'fourth'}),
	'two', 'also under session_replication_role = replica');
is($node->safe_psql('postgres', q{SET event_triggers = off; SELECT 1}) , '1', 'event triggers can be turned off')
  if $node->safe_psql('postgres', 'SHOW server_version_num') >= 170000;

# DROP OWNED, and the tables themselves.
is($node->safe_psql('postgres', q{BEGIN; DROP OWNED BY keeper, giver; SELECT link FROM link.links ORDER BY 1; SELECT grantee FROM link.privileges; ROLLBACK}),
	"fourth\nsecond\ngone", 'DROP OWNED removes links and grants');
$node->safe_psql('postgres', 'CREATE ROLE scribe LOGIN IN ROLE pg_write_all_data; GRANT USAGE ON SCHEMA link TO scribe');
is(sqlstate_of($node, "$_ ", user => 'scribe'), '42501', "pg_write_all_data: $_")
  foreach "INSERT INTO link.privilege VALUES (0, '', 'scribe', 'SHOW', 'scribe', false)",
  "UPDATE link.link SET owner = 'scribe'", 'DELETE FROM link.link';

# A second cluster, where a role of equal oid has another name, and one is missing.
my $before = $node->safe_psql('postgres', 'SELECT id, namespace, name, owner FROM link.link ORDER BY id');
my $grants = $node->safe_psql('postgres', 'SELECT grantor, grantee, scope, privilege, is_grantable FROM link.privileges ORDER BY 3, 2, 4');
my ($dump);
IPC::Run::run([ 'pg_dump', '-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$dump, '2>', \$err) or die $err;

my $second = PostgreSQL::Test::Cluster->new('second');
$second->init;
$second->append_conf('postgresql.conf', "link.master_key_file = '" . $node->basedir . "/link_master.key'\n");
$second->start;
$second->safe_psql('postgres', 'CREATE ROLE mallory; CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE giver; CREATE ROLE scribe');
my $restore_err;
$second->psql('postgres', $dump, stderr => \$restore_err);
unlike($restore_err, qr/^psql:.*ERROR/m, 'the dump restores');
like($restore_err, qr/role "gone" does not exist/, 'with a warning for the role that is missing');
is($second->safe_psql('postgres', 'SELECT id, namespace, name, owner FROM link.link ORDER BY id'), $before, 'links, ids and owners arrive');
is($second->safe_psql('postgres', 'SELECT grantor, grantee, scope, privilege, is_grantable FROM link.privileges ORDER BY 3, 2, 4'),
	join("\n", grep { !/gone/ } split /\n/, $grants), 'grants arrive, and nobody gains');
is($second->safe_psql('postgres', "SELECT link.has_link_privilege('mallory', 'one.first', 'READ')"), 'f', 'a role of equal oid gains nothing');
is(sqlstate_of($second, 'DROP ROLE keeper'), '2BP01', 'the roles are anchored again');
$second->safe_psql('postgres', q{SELECT link.create_link('one.fifth', 'S3', '{"creds_mode":"anonymous"}')});
is($second->safe_psql('postgres', 'SELECT max(id) FROM link.link'), '5', 'ids go on where they were');
is($second->safe_psql('postgres', "SELECT count(*) FROM link.link WHERE credentials IS NOT NULL AND 'aws_secret_access_key' = ANY (credential_keys)"), '1', 'credentials arrive sealed');
is(sqlstate_of($second, "SELECT link.set_link_credential('one.first', 'aws_access_key_id', 'c')"), '00000', 'and open with the same ring');

# A squatted schema.
$second->safe_psql('postgres', 'CREATE DATABASE squatted');
$second->safe_psql('squatted', 'CREATE SCHEMA link AUTHORIZATION mallory');
is(sqlstate_of($second, 'CREATE EXTENSION link', db => 'squatted'), '42P06', 'a squatted schema is refused');

# Dropping the extension takes everything with it.
$node->safe_psql('postgres', 'DROP EXTENSION link');
is(sqlstate_of($node, 'DROP ROLE gone'), '00000', 'DROP EXTENSION frees the roles');

done_testing();
