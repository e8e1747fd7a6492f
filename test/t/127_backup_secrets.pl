# Secrets of links and keys of the ring are nowhere while backups are made and
# restored, nor afterwards: not in the backup, the logs, the data directories, the
# arguments and environments of programs, what others see, or an error.

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use MIME::Base64 qw(decode_base64);
use PostgreSQL::Test::Utils;
use SecretHunt;
use Test::More;

my $secret = random_word(8) . '+/' . random_word(20) . '/+' . random_word(8);
my $node = new_node('backup_secrets', preload => '',
	conf => loud_settings() . "shared_preload_libraries = 'pg_stat_statements, auto_explain, link'\nlink.fs_roots = '/'\nmax_worker_processes = 16\nautovacuum = off\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

my $said = '';
sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'source', $sql) }
sub says { my ($sql, $db) = @_; my ($out, $err) = ('', ''); $node->psql($db // 'source', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err); $said .= $out . $err; return $out . $err }

# Arguments and environments of all programs that the server's user runs beside the server.
my $programs = '';
sub look { foreach my $dir (glob '/proc/[0-9]*') { my $all = join "\0", map { open my $f, '<:raw', "$dir/$_" or (); local $/; $f ? <$f> // '' : '' } qw(cmdline environ); $programs .= "$all\n" if $all =~ /pg_(dump|restore)\0/ } }

# watched(DB, SQL): the same as says(), while others look
sub watched
{
	my ($db, $sql) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-h', $node->host, '-p', $node->port, '-d', $db, '-c', $sql ], '<', \$in, '>', \$out, '2>', \$err);
	while ($run->pumpable) { look(); $said .= sql('SELECT query, application_name FROM pg_stat_activity; TABLE link.backup_progress'); $run->pump_nb }
	$run->finish;
	$said .= $out . $err;
	return $out . $err;
}

sql('CREATE DATABASE source', 'postgres');
sql('CREATE EXTENSION link');
sql(qq{SELECT link.create_link('public.files', 'FS', '{}', '{"root":"$root"}')}, $_) foreach qw(postgres source);
sql(qq{SELECT link.create_link('public.cloud', 'S3', '{"aws_access_key_id":"AKIAHUNT","aws_secret_access_key":"$secret"}', '{"region":"us-east-1","endpoint_url":"http://127.0.0.1:1"}')}, $_) foreach qw(postgres source);
sql(q{CREATE SCHEMA s; CREATE TABLE s.t AS SELECT i, md5(i::text) FROM generate_series(1, 1000) i; CREATE TABLE s.u (a int PRIMARY KEY); CREATE EXTENSION pg_stat_statements; SELECT lo_from_bytea(0, 'large')});

like(watched('source', q{SELECT link.backup_database('files', 'b', compression => 'none', parallel => 2)}), qr/^\d{16}$/, 'a backup');
like(watched('source', q{SELECT link.backup_database('files', 'b', 'differential', compression => 'none')}), qr/^\d{16}$/, 'a differential one');
like(watched('source', q{SELECT link.backup_database('files', 's', compression => 'none', schemas => '{s}')}), qr/^\d{16}$/, 'one of a schema');
like(watched('postgres', q{SELECT link.restore_database('files', 'b', as_name => 'restored', parallel => 2)}), qr/^\d{16}$/, 'restored');
like(watched('source', q{SELECT link.restore_database('files', 's', as_name => 'restored')}), qr/^\d{16}$/, '... the schema too');
like(watched('postgres', q{SELECT link.verify_backup('files', 'b', level => 'restore')}), qr/^\d{16}$/, 'proved');
like(says(q{SELECT link.backup_database('cloud', 'b')}), qr/ERROR:  08001/, 'a backup to what does not answer');
like(says(q{SELECT link.restore_database('cloud', 'b', as_name => 'x')}, 'postgres'), qr/ERROR:  08001/, '... and from there');
my ($rows) = glob "$root/b/*/data/s.t.*";
my $before = slurp_file($rows);
open my $f, '>', $rows or die; print $f scalar reverse $before; close $f;
like(says(q{SELECT link.verify_backup('files', 'b')}), qr/ERROR:  XX001/, 'a damaged one');
like(says(q{SELECT link.restore_database('files', 'b', as_name => 'x')}, 'postgres'), qr/ERROR:  (XX001|22P02):.*data\/s\.t\./s, '... is told');
like($programs, qr/pg_dump\0.*pg_restore\0/s, 'programs were seen at work');
is(sql(q{SELECT credentials IS NOT NULL FROM link.link WHERE name = 'cloud'}, 'restored'), 't', 'the link came back with its credentials');
$said .= sql(q{TABLE link.backups; SELECT * FROM link.list_backups('files', 'b'); SELECT * FROM pg_stat_statements});

my %keys = map { ("key $_" => decode_base64($_)) } slurp_file($node->basedir . '/link_master.key') =~ m{"([A-Za-z0-9+/]{43}=)"}g;
is(scalar(keys %keys), 1, 'a master key');
my %hunted = ('the secret' => forms($secret), 'the master key' => forms((values %keys)[0]));
sql('CHECKPOINT', 'postgres');
foreach my $what (sort keys %hunted)
{
	is(found_in($hunted{$what}, $said), '', "$what: in no answer, error or view");
	is(found_in($hunted{$what}, $programs), '', '... argument or environment');
	is(files_with($hunted{$what}, $root), '', '... object of a backup');
}
$node->stop;
is(files_with($hunted{'the secret'}, $node->basedir), '', 'the secret: in no file, of data, log or WAL');
is(files_with($hunted{'the master key'}, $node->basedir), 'link_master.key (base64)', 'the master key: in that of the ring alone');
is(found_in($hunted{'the secret'}, slurp_file($node->logfile)), '', '... nor in what the server said before its log began');

# What is seen if it is there.
open $f, '>', "$root/control" or die; print $f unpack('H*', $secret), "\n"; close $f;
is(files_with($hunted{'the secret'}, $root), 'control (hex)', 'control');
done_testing();
