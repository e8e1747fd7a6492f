# What BACKUP, RESTORE and their kin refuse, whom they refuse it, and where they run:
# clear errors, and nothing touched.

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Path qw(make_path);
use IPC::Run ();
use JSON::PP ();
use LinkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_node('input', preload => 'shared', init => [ allows_streaming => 1, extra => [ @{ $INITDB[1] } ] ], conf => "link.fs_roots = '/'\nmax_worker_processes = 8\nmax_connections = 20\nlink.pipelines = off\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'source', $sql) }
sub says
{
	my ($sql, %arg) = @_;
	my ($out, $err) = ('', '');
	($arg{of} // $node)->psql($arg{db} // 'source', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err, extra_params => $arg{user} ? [ '-U', $arg{user} ] : []);
	return $out . $err;
}
sub refused { my ($sql, $pattern, $name, %arg) = @_; like(says($sql, %arg), $pattern, $name) }
sub databases { return sql(q{SELECT string_agg(datname, ',' ORDER BY 1) FROM pg_database}) }

sql('CREATE DATABASE source', 'postgres');
sql('CREATE EXTENSION link');
sql(qq{SELECT link.create_link('public.files', 'FS', '{}', '{"root":"$root"}'); SELECT link.create_link('public.kept', 'FS', '{}', '{"root":"$root","append_only":true}');
	SELECT link.create_link('public.stream', 'KAFKA', '{}', '{"bootstrap.servers":"127.0.0.1:1"}')}, $_) foreach qw(postgres source);
sql(q{CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i});
my $good = sql(q{SELECT link.backup_database('files', 'good')});
my $databases = databases();

# A setting of the database that a server of another version does not know.
sql(q{ALTER DATABASE source SET work_mem = '3MB'; UPDATE pg_db_role_setting SET setconfig = array_prepend('no_such_parameter=1', setconfig) WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'source')}, 'postgres');
like(says(q{SELECT link.backup_database('files', 'odd')}), qr/^\d{16}/, 'a setting that is not known');
like(says(q{SELECT link.restore_database('files', 'odd', as_name => 'odd')}, db => 'postgres'), qr/^\d{16}.*WARNING:.*"no_such_parameter" is not restored/s, '... is left out, and that is told');
is(sql(q{SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'odd')}, 'postgres'), '{work_mem=3MB}', '... and the others are there');
sql('DROP DATABASE odd', 'postgres');
sql('ALTER DATABASE source RESET ALL', 'postgres');

# Arguments.
foreach my $case (
	[ q{backup_database('files', 'b/*')}, '22023' ], [ q{backup_database('files', '../b')}, '22023' ], [ q{backup_database('files', '')}, '\w+' ],
	[ q{backup_database('files', NULL)}, '22004' ], [ q{backup_database(NULL, 'b')}, '22004' ], [ q{backup_database('nosuch', 'b')}, '42704' ], [ q{backup_database('stream', 'b')}, '0A000' ],
	[ q{backup_database('files', 'b', parallel => 0)}, '22023' ], [ q{backup_database('files', 'b', parallel => -3)}, '22023' ], [ q{backup_database('files', 'b', compression => 'arj')}, '22023' ],
	[ q{backup_database('files', 'b', mode => 'incremental')}, '22023' ], [ q{backup_database('files', 'b', schemas => '{nosuch}')}, '3F000' ], [ q{backup_database('files', 'nobase', mode => 'differential')}, '55000' ],
	[ q{restore_database('files', 'nothing')}, '58P01' ], [ q{restore_database('files', 'good', backup_id => 1)}, '58P01' ], [ q{restore_database('files', 'good', backup_id => -1)}, '58P01' ],
	[ q{restore_database('files', 'good')}, '42P04' ], [ q{restore_database('files', 'good', as_name => 'postgres')}, '42P04' ], [ q{restore_database('files', 'good', as_name => '')}, '42602' ],
	[ q{restore_database('files', 'good', as_name => repeat('x', 64))}, '42622' ], [ q{restore_database('files', 'good', as_name => 'a', parallel => 0)}, '22023' ], [ q{restore_database('stream', 'good')}, '0A000' ],
	[ q{verify_backup('files', 'nothing')}, '58P01' ], [ q{verify_backup('files', 'good', 1)}, '58P01' ], [ q{verify_backup('files', 'good', level => 'all')}, '22023' ],
	[ q{drop_backup('files', 'good', 1)}, '58P01' ], [ q{drop_backup('files', 'good', 0)}, '22023' ], [ q{drop_backup('files', 'good', -1)}, '22023' ], [ q{list_backups('stream', 'good')}, '0A000' ])
{
	refused("SELECT link.$case->[0]", qr/ERROR:  $case->[1]:/, "$case->[0]: $case->[1]");
}
is(sql(q{SELECT count(*) FROM link.list_backups('files', 'nothing')}), 0, 'a path without backups has none');
is(databases(), $databases, '... and no database was made');

# Within transactions.
sql(q{CREATE TABLE written (a int);
	CREATE FUNCTION writes(text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE r bigint; BEGIN INSERT INTO written VALUES (1); EXECUTE $1 INTO r; RETURN r; END $$;
	CREATE FUNCTION catches(text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r bigint; BEGIN EXECUTE $1 INTO r; RETURN r; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$;
	CREATE FUNCTION plain(text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE r bigint; BEGIN EXECUTE $1 INTO r; RETURN r; END $$});
foreach my $call (q{SELECT link.backup_database('files', 'within')}, q{SELECT link.restore_database('files', 'good', as_name => 'within')}, q{SELECT link.verify_backup('files', 'good', level => 'restore')})
{
	my $quoted = quote($call);
	my ($what) = $call =~ /link\.(\w+)/;
	refused("BEGIN; $call", qr/ERROR:  25001:/, "$what: a transaction block");
	refused("BEGIN; SAVEPOINT s; $call", qr/ERROR:  25001:/, '... a subtransaction');
	IPC::Run::run([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-h', $node->host, '-p', $node->port, '-d', 'source', '-c', "SELECT 1; $call" ], '>', \my $out, '2>', \my $err);
	like($err, qr/ERROR:  25001:/, '... several statements at once');
	refused("SELECT writes($quoted)", qr/ERROR:  25001:/, '... a function that has written');
	like(says("SELECT catches($quoted)"), qr/^25001 /, '... an EXCEPTION block');
	refused("SET default_transaction_read_only = on; $call", qr/ERROR:  25006:/, '... a read-only transaction');
	refused("SELECT $_", qr/ERROR:  25001:/, '... a query that has written') foreach "txid_current(), ($call)";
}
like(says(q{SELECT plain($$SELECT link.backup_database('files', 'within')$$)}), qr/^\d{16}$/, 'a function that has done nothing else may');
is(sql(q{SELECT count(*) FROM link.list_backups('files', 'within')}), 1, '... and it is the only one');
is(databases(), $databases, '... no database was made');

# Few processes and connections.
foreach my $set ('max_parallel_workers = 0', 'max_parallel_maintenance_workers = 0', q{lock_timeout = '10s'}, q{work_mem = '64kB'}, 'force_parallel_mode = on')
{
	next if $set =~ /^force/ && $node->pg_version >= 16;
	like(says("SET $set; SELECT link.backup_database('files', 'few', parallel => 4)"), qr/^\d{16}$/, "BACKUP with $set");
	like(says("SET $set; SELECT link.verify_backup('files', 'few', parallel => 4)"), qr/^\d{16}$/, '... verified');
}
like(says(q{SELECT link.backup_database('files', 'many', parallel => 1000)}), qr/^\d{16}$/, 'BACKUP by a thousand processes takes those that there are');
like(says(q{SELECT link.restore_database('files', 'many', as_name => 'restored', parallel => 1000)}), qr/^\d{16}$|ERROR:  (08001|53300|58030):.*too many clients/s, 'RESTORE by a thousand: by as many as there are tables, or an error');
sql('DROP DATABASE IF EXISTS restored');
my @sessions = map { $node->background_psql('source') } 1 .. 14;
refused(q{SELECT link.restore_database('files', 'good', as_name => 'restored', parallel => 8)}, qr/ERROR:  (08001|53300):.*(too many clients|remaining connection slots)/, 'RESTORE without connections');
$_->quit foreach @sessions;
is(sql(q{SELECT count(*) FROM pg_database WHERE datname ~ 'restore'}), 0, '... has made nothing');

# Rights.
sql(q{CREATE ROLE nobody LOGIN; CREATE ROLE user_only LOGIN; CREATE ROLE writer LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE dumper LOGIN BYPASSRLS; CREATE ROLE owner LOGIN CREATEDB;
	GRANT pg_read_all_data TO writer, reader, dumper; CREATE TABLE secured (a int, who name DEFAULT current_user); INSERT INTO secured VALUES (1), (2); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
	CREATE POLICY mine ON secured USING (who = current_user); ALTER DATABASE source OWNER TO owner;
	CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'mapped secret')});
sql(q{SELECT link.grant_privilege('USE', 'LINK public.files', r) FROM unnest('{user_only,dumper,owner}'::text[]) r; SELECT link.grant_privilege('WRITE', 'LINK public.files', 'writer'); SELECT link.grant_privilege('READ', 'LINK public.files', 'reader');
	SELECT link.grant_privilege('VIEW', 'LINK public.files', 'nobody')});
my $backup = q{SELECT link.backup_database('files', 'rights')};
refused($backup, qr/ERROR:  42501:.*files/, "BACKUP by one with no privilege on the link: $_", user => $_) foreach qw(nobody reader);
refused($backup, qr/ERROR:  42501:.*back up/, "BACKUP by one without pg_read_all_data: $_", user => $_) foreach qw(user_only owner);
refused($backup, qr/row-level security policy for table "secured"/, 'BACKUP by one from whom row security hides rows', user => 'writer');
my $dumped = says($backup, user => 'dumper');
like($dumped, qr/^\d{16}$/, 'BACKUP by one from whom nothing is hidden');
is(says($backup, user => 'dumper') =~ /^\d{16}$/ ? 1 : 0, 1, '... and again');
my $manifest = JSON::PP::decode_json(slurp_file("$root/rights/$dumped/manifest.json"));
is_deeply([ grep { $_->{name} =~ /^link\./ } @{ $manifest->{tables} } ], [], '... without links');
unlike(join('', map { slurp_file($_) } glob("$root/rights/*/schema/*")), qr/mapped secret/, '... without the options of user mappings');
like(sql(q{SELECT link.restore_database('files', 'rights', as_name => 'restored')}), qr/^\d{16}$/, '... it is restored by a superuser');
is(sql('SELECT (SELECT count(*) FROM link.link), (SELECT count(*) FROM secured)', 'restored'), '0|2', '... with all its rows, and no links');
sql('DROP DATABASE restored');
foreach my $call ([ q{restore_database('files', 'good', as_name => 'mine')}, qw(owner dumper reader nobody) ], [ q{verify_backup('files', 'good', level => 'restore')}, qw(dumper reader nobody) ],
	[ q{verify_backup('files', 'good')}, qw(writer nobody) ], [ q{list_backups('files', 'good')}, qw(writer nobody) ], [ q{drop_backup('files', 'good', } . "$good)", qw(reader writer nobody) ])
{
	my ($what, @users) = @$call;
	refused("SELECT link.$what", qr/ERROR:  42501:/, "$what by $_", user => $_) foreach @users;
}
is(says(qq{SELECT link.verify_backup('files', 'good', $good)}, user => 'reader'), $good, 'one who may READ verifies');
my $kept = sql(q{SELECT link.backup_database('kept', 'kept')});
like($kept, qr/^\d{16}$/, 'BACKUP to a link that only adds');
refused("SELECT link.drop_backup('kept', 'kept', $kept)", qr/ERROR:  42501:.*append_only/s, '... of which no backup is dropped');
is(sql("SELECT link.verify_backup('kept', 'kept', $kept)"), $kept, '... it is whole');
sql("SELECT link.drop_backup('files', 'kept', $kept)");
is(`find $root/kept -type f`, '', '... and dropped through another leaves nothing');

# How it gets in.
sub set_conninfo { my ($value) = @_; sql("ALTER SYSTEM SET link.backup_conninfo = " . quote($value), 'postgres'); $node->reload; $node->poll_query_until('source', 'SHOW link.backup_conninfo', $value) or die }
foreach my $conninfo ('host=/nonexistent', 'host=127.0.0.1 port=1', "host=@{[ $node->host ]} port=@{[ $node->port ]} user=nosuch")
{
	set_conninfo($conninfo);
	refused("SELECT link.$_", qr/ERROR:  (08001|58030):/, "link.backup_conninfo = '$conninfo': $_") foreach q{backup_database('files', 'in')}, q{restore_database('files', 'good', as_name => 'restored')};
}
set_conninfo("host=@{[ $node->host ]} port=@{[ $node->port ]} user=dumper");
refused($backup, qr/ERROR:  42501:/, "... as one who is no superuser: $_", $_ eq 'dumper' ? (user => $_) : ()) foreach qw(dumper superuser);
set_conninfo('');
refused(q{ALTER SYSTEM SET link.backup_conninfo = 'host=x password=secret'}, qr/ERROR:  22023:/, 'no password in link.backup_conninfo');
refused(q{SET link.backup_conninfo = 'host=x'}, qr/ERROR:  55P02:/, '... which no session sets', user => 'dumper');

# On a standby nothing is made, but what is there can be looked at.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('input_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
refused("SELECT link.$_", qr/ERROR:  25006:/, "on a standby: $_", of => $standby) foreach q{backup_database('files', 'standby')}, q{restore_database('files', 'good', as_name => 'standby')}, q{verify_backup('files', 'good', level => 'restore')};
is(says("SELECT link.verify_backup('files', 'good', $good)", of => $standby), $good, '... a backup is verified there');
is(says("SELECT id FROM link.list_backups('files', 'good')", of => $standby), $good, '... and listed');
$standby->stop;

# A server with programs of its own: a copy of the server's, since they are looked for beside it.
my ($bindir, $sharedir, $pkglibdir) = map { my $dir = `pg_config --$_`; chomp $dir; abs_path($dir) } qw(bindir sharedir pkglibdir);
my $common = '';
foreach my $part (split m{(?<=/)}, $bindir) { last unless index("$sharedir/", $common . $part) == 0; $common .= $part }
my $tree = $node->basedir . '/programs/';
my $bin = $tree . substr($bindir, length $common);
make_path($bin, map { my $dir = $tree . substr($_, length $common); $dir =~ s{/[^/]*$}{}r } $sharedir, $pkglibdir);
copy("$bindir/postgres", "$bin/postgres") && chmod(0755, "$bin/postgres") or die;
symlink($_, $tree . substr($_, length $common)) or die "$_: $!" foreach $sharedir, $pkglibdir;
sub program { my ($name, $text) = @_; open my $f, '>', "$bin/$name" or die; print $f "#!/bin/sh\n$text\n"; close $f; chmod 0755, "$bin/$name" or die }
$node->stop;
system_or_bail('pg_ctl', '-w', '-s', '-p', "$bin/postgres", '-D', $node->data_dir, '-l', $node->logfile, 'start');
$node->_update_pid(1);
refused(q{SELECT link.backup_database('files', 'missing')}, qr{ERROR:  58P01:.*/pg_dump".*\n.*HINT:.*beside}, 'without pg_dump');
symlink("$bindir/pg_dump", "$bin/pg_dump") or die;
like(says(q{SELECT link.backup_database('files', 'missing')}), qr/^\d{16}$/, '... and with it');
refused(q{SELECT link.restore_database('files', 'good', as_name => 'restored')}, qr{ERROR:  58P01:.*/pg_restore"}, 'without pg_restore');
unlink "$bin/pg_dump" or die;
program('pg_dump', 'echo "half of it"; echo "something about secret\033[2J things" >&2; exit 3');
refused(q{SELECT link.backup_database('files', 'fails')}, qr/ERROR:  58030:.*pg_dump failed\n.*something about secret\\x1b/, 'a pg_dump that fails is told with its words, made printable');
program('pg_dump', 'kill -9 $$');
refused(q{SELECT link.backup_database('files', 'fails')}, qr/ERROR:  58030:.*pg_dump failed/, 'one that is killed');
is(sql(q{SELECT count(*) FROM link.list_backups('files', 'fails')}), 0, '... is no backup');
program('pg_dump', "env > $root/environment; exec $bindir/pg_dump \"\$\@\"");
{
	local $ENV{PGPASSWORD} = 'secret of the environment';
	$node->stop;
	system_or_bail('pg_ctl', '-w', '-s', '-p', "$bin/postgres", '-D', $node->data_dir, '-l', $node->logfile, 'start');
	$node->_update_pid(1);
}
like(says(q{SELECT link.backup_database('files', 'environment')}), qr/^\d{16}$/, 'one that looks around');
unlike(slurp_file("$root/environment"), qr/secret of the environment|^PG|^LINK/m, '... sees nothing of the server\'s environment');

# Somebody who wants a table for himself comes between our lock and pg_dump's, and waits for us.
program('pg_dump', "while [ ! -e $root/go ]; do sleep 0.1; done; exec $bindir/pg_dump \"\$\@\"");
my ($in, $out, $err) = ('', '', '');
my @psql = ('psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-h', $node->host, '-p', $node->port, '-d', 'source', '-c');
my $run = IPC::Run::start([ @psql, q{SELECT link.backup_database('files', 'between')} ], '<', \$in, '>', \$out, '2>', \$err);
$node->poll_query_until('source', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 't'::regclass AND pid <> pg_backend_pid()}) or die;
my $other = IPC::Run::start([ @psql, 'ALTER TABLE t ADD j int' ], '<', \my $nothing, '>', \my $altered, '2>', \my $problem);
$node->poll_query_until('source', q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 't'::regclass AND NOT granted}) or die;
my $start = time;
open my $go, '>', "$root/go" or die;
close $go;
$run->finish;
like($out . $err, qr/ERROR:  58030:.*pg_dump failed\n.*timeout.*LOCK TABLE public\.t/, 'a deadlock that no server sees ends');
cmp_ok(time - $start, '<', 15, '... soon');
$other->finish;
is($problem, '', '... and the other has what it wanted');
like(says(q{SELECT link.backup_database('files', 'between')}), qr/^\d{16}$/, '... and then the backup works');
$node->stop;
unlike(slurp_file($node->logfile), qr/secret of the environment|mapped secret'?\)? of/, 'no secret in the log');
done_testing();
