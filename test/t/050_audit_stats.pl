# Uses of links in the server log (link.log_use) and in link.stat_links: each
# once, whatever became of it, nothing that a role may not know, no secret.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my ($node, $root, $seen);

# The lines of the log since the last call, without what comes before "role=".
sub new_lines
{
	my $log = slurp_file($node->logfile);
	my $new = substr($log, $seen // 0);
	$seen = length $log;
	return map { /LOG:  link use: (.*)/ ? $1 : () } split /\n/, $new;
}

# uses_of(SQL, user => ...): what a session of these statements leaves in the
# log: "link verb path rows/bytes outcome" and the rest of the line, for each.
sub uses_of
{
	my ($sql, %arg) = @_;
	my ($out, $err);
	new_lines();
	$node->psql($arg{db} // 'postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 0,
		extra_params => $arg{user} ? [ '-U', $arg{user} ] : []);
	my @uses;
	foreach my $line (new_lines())
	{
		my $value = qr/"(?:[^"\\]|\\.)*"|[^" ]+/;
		$line =~ /^role=($value) session=($value) link=($value) verb=(\w+) path=($value) rows=(\d+) bytes=(\d+) ms=[0-9.]+ outcome=(\w+)(.*)$/
		  or die "not a line of a use: $line";
		push @uses, ($arg{roles} ? "$1/$2 " : '') . "$3 $4 $5 $6/$7 $8$9";
	}
	return join("\n", @uses);
}

sub stats
{
	my ($link, $columns, %arg) = @_;
	return $node->safe_psql('postgres', "SELECT $columns FROM link.stat_links WHERE link = '$link'", %arg);
}

sub make_node
{
	my ($name, $preload) = @_;
	$node = new_node($name, preload => $preload, conf => "link.log_use = 'all'\n");
	$seen = 0;
	$root = $node->basedir . '/exports';
	mkdir $root or die;
	$node->safe_psql('postgres', qq{
		CREATE SCHEMA s; CREATE ROLE user1 LOGIN; CREATE ROLE stranger LOGIN; CREATE ROLE "odd role" LOGIN SUPERUSER;
		GRANT CREATE ON SCHEMA public TO user1;
		SELECT link.create_link('s.files', 'FS', config => '{"root":"$root"}');
		SELECT link.grant_privilege('SHOW', 'LINK s.files', 'user1')});
}

make_node('shared', 'shared');

# Every verb of the log.
is(uses_of(qq{SELECT link.create_link('s.other', 'FS', config => '{"root":"$root"}');
	SELECT link.execute('CREATE LINK IF NOT EXISTS s.other AS FS');
	SELECT link.create_link('s.other', 'FS', config => '{"root":"$root"}', or_replace => true);
	SELECT link.alter_link('s.other', config => '{"root":"$root"}', description => 'x');
	SELECT link.rename_link('s.other', 'Another one');
	SELECT link.set_link_schema('s."another one"', 'public');
	SELECT link.set_link_owner('public."Another one"', 'user1');
	SELECT link.grant_privilege('READ, WRITE', 's.*', 'user1', true);
	SELECT link.execute('GRANT CREATE LINK ON *.* TO user1, stranger');
	SELECT link.revoke_privilege('ALL', 's.*', 'user1');
	SELECT link.revoke_privilege('CREATE', '*.*', 'stranger');
	SELECT link.drop_link('public."another one"');
	SELECT link.drop_link('s.nothing', if_exists => true);
	SELECT link.reseal()}),
	join("\n", 's.other create_link "" 0/0 ok detail="type FS"',
		's.other create_link "" 0/0 ok detail="already exists, skipped"',
		's.other create_link "" 0/0 ok detail="type FS, replaced"',
		's.other alter_link "" 0/0 ok detail="set config description"',
		's.other rename_link "" 0/0 ok detail="to \\"Another one\\""',
		'"s.\\"Another one\\"" set_link_schema "" 0/0 ok detail="to public"',
		'"public.\\"Another one\\"" set_link_owner "" 0/0 ok detail="to user1"',
		's.* grant_privilege "" 0/0 ok detail="READ LINK, WRITE LINK to user1 with grant option"',
		'*.* grant_privilege "" 0/0 ok detail="CREATE LINK to user1, stranger"',
		's.* revoke_privilege "" 0/0 ok detail="CREATE LINK, SHOW LINK, USE LINK, VIEW LINK, READ LINK, WRITE LINK, ALTER LINK, DROP LINK from user1"',
		'*.* revoke_privilege "" 0/0 ok detail="CREATE LINK from stranger"',
		'"public.\\"Another one\\"" drop_link "" 0/0 ok',
		'*.* reseal "" 0/0 ok'), 'each change of links and privileges is logged');
like(uses_of('SELECT link.add_master_key(); SELECT link.add_master_key()'),
	qr/^(\*\.\* add_master_key "" 0\/0 ok detail="[-0-9a-f]+"\n?){2}$/, 'and those of the key ring');
is(uses_of("SELECT link.retire_master_key('nope')"), '*.* retire_master_key "" 0/0 22023 detail="nope"', 'also a failed one');
is(uses_of(qq{SELECT link.create_link('s.other', 'FS', config => '{"root":"$root"}'); SET client_min_messages = warning;
	REVOKE ALL ON SCHEMA s FROM PUBLIC; SELECT link.set_link_owner('s.other', 'stranger');
	REASSIGN OWNED BY stranger TO user1; DROP OWNED BY user1; CREATE SCHEMA t;
	SELECT link.create_link('t.x', 'FS', config => '{"root":"$root"}'); DROP SCHEMA t CASCADE;
	SELECT link.grant_privilege('SHOW', 'LINK s.files', 'user1'); GRANT CREATE ON SCHEMA public TO user1}) =~ s/ "" 0\/0 ok//gr,
	join("\n", 's.other create_link detail="type FS"', 's.other set_link_owner detail="to stranger"',
		's.other set_link_owner detail="to user1"', 's.other drop_link',
		't.x create_link detail="type FS"', 't.x drop_link',
		's.files grant_privilege detail="SHOW LINK to user1"'), 'links that go with a schema or a role too');

# Pipelines, as changes of their links.
is(uses_of(qq{CREATE TABLE s.t (a text); SELECT link.create_link('s.other', 'FS', config => '{"root":"$root"}');
	SELECT link.create_pipeline('Pipe', 's.other', 'x', 's.t', force => true);
	SELECT link.alter_pipeline('pipe', batch_interval => 5);
	SELECT link.rename_pipeline('pipe', 'q');
	SELECT link.set_pipeline_offsets('q', '{"x": 1}');
	BEGIN; SELECT link.start_pipeline('q'); SELECT link.stop_pipeline('q'); ROLLBACK;
	SELECT link.create_pipeline('q', 's.other', 'y', 's.t', force => true, or_replace => true);
	SELECT link.drop_pipeline('nothing', if_exists => true);
	SELECT link.create_pipeline('r', 's.other', 'x', 's.t', force => true);
	SELECT link.drop_pipeline('r');
	SET client_min_messages = warning;
	SELECT link.drop_link('s.other', cascade => true)}) =~ s/ 0\/0 ok//gr,
	join("\n", 's.other create_link "" detail="type FS"', 's.other create_pipeline "x" detail="pipeline \\"Pipe\\""',
		's.other alter_pipeline "" detail="pipeline \\"Pipe\\""', 's.other alter_pipeline "" detail="pipeline \\"Pipe\\", renamed to q"',
		's.other alter_pipeline "" detail="pipeline q"', 's.other start_pipeline "" detail="pipeline q"', 's.other stop_pipeline "" detail="pipeline q"',
		's.other create_pipeline "y" detail="pipeline q, replaced"', 's.other create_pipeline "x" detail="pipeline r"',
		's.other drop_pipeline "" detail="pipeline r"', 's.other drop_pipeline "" detail="pipeline q"', 's.other drop_link ""'),
	'changes of pipelines are logged');
is(uses_of("SELECT link.create_pipeline('p', 's.files', 'x', (SELECT oid FROM pg_class WHERE relname = 't'))", user => 'stranger'), 's.files create_pipeline "x" 0/0 42501', 'and refused ones');

is(uses_of(q{SELECT link.select_into('SELECT generate_series(1, 100)', 's.files', 'a/one');
	SELECT * FROM link.execute($$SELECT 1 INTO LINK s.files 'a/two'$$);
	CREATE TABLE t1 (n int);
	SELECT link.load_data('s.files', 'a/*', 't1');
	SELECT count(*) FROM link.select_from('s.files', 'a/one') AS t(n int);
	SELECT link.write_file('s.files', 'b', 'four');
	SELECT link.read_file('s.files', 'b');
	SELECT link.list_files('s.files', '');
	SELECT link.check_link('s.files'); SELECT link.check_link('s.files', 'c');
	SELECT link.remove_file('s.files', 'b')}, user => 'user1', roles => 1) =~ s{^user1/user1 s\.files }{}mgr,
	join("\n", 'select_into "a/one" 100/292 ok', 'select_into "a/two" 1/2 ok', 'load_data "a/*" 101/294 ok',
		'select_from "a/one" 100/292 ok', 'write_file "b" 0/4 ok', 'read_file "b" 0/4 ok', 'list_files "" 0/0 ok',
		'check_link "" 0/0 ok', 'check_link "c" 0/0 ok', 'remove_file "b" 0/0 ok'), 'each use of a link is logged');
is(uses_of("SET ROLE user1; SELECT link.list_files('s.files', '')", user => 'odd role', roles => 1),
	'user1/"odd role" s.files list_files "" 0/0 ok', 'with the current role and that of the session');

# Failures, refusals.
is(uses_of("SELECT link.read_file('s.files', 'absent')"), 's.files read_file "absent" 0/0 58P01', 'a failure is logged with its SQLSTATE');
is(uses_of("SELECT link.select_into('SELECT 1 / 0', 's.files', 'x')"), 's.files select_into "x" 0/0 22012', 'also one of the query');
is(uses_of("SELECT link.load_data('s.files', 'a/*', 't1', \"where\" => 'n / 0 = 1')"), 's.files load_data "a/*" 0/0 22012', 'and one of a load');
is(uses_of("SELECT link.list_files('s.files', '')", user => 'stranger', roles => 1), 'stranger/stranger s.files list_files "" 0/0 42501', 'a refusal');
is(uses_of("SELECT link.list_files('s.absent', '')", user => 'stranger'), '', 'but not where there is no link');
is(uses_of("SELECT link.drop_link('s.files')", user => 'user1'), 's.files drop_link "" 0/0 42501', 'a refused change');
is(uses_of("SELECT link.create_link('s.new', 'FS')", user => 'stranger'), 's.new create_link "" 0/0 42501', 'a refused CREATE LINK');
is(uses_of("SELECT link.grant_privilege('READ', 'LINK s.files', 'stranger')", user => 'user1'),
	's.files grant_privilege "" 0/0 42501 detail="READ LINK to stranger"', 'a refused GRANT');
mkdir "$root/gone" or die;
$node->safe_psql('postgres', qq{SELECT link.create_link('s.gone', 'FS', config => '{"root":"$root/gone"}')});
rmdir "$root/gone" or die;
like(uses_of("SELECT link.check_link('s.gone')"), qr/^s\.gone check_link "" 0\/0 (?!ok)\w{5}$/, 'a step of CHECK LINK that fails is the outcome');
is(stats('gone', 'uses, errors, last_error IS NOT NULL'), '1|1|t', 'in the statistics too');

# One line, whatever is in it.
is(uses_of(q{SELECT link.read_file('s.files', E'a "b"\n\x1b[0m\\\\c')}), 's.files read_file "a \\"b\\"\\x0a\\x1b[0m\\\\c" 0/0 22023',
	'control bytes, quotes and backslashes of a path are escaped');
like(uses_of("SELECT link.read_file('s.files', repeat('x', 1000000))"), qr/"x{1024}"/, 'a long one is cut');

# Nesting, and errors that are caught.
$node->safe_psql('postgres', q{
	SELECT link.write_file('s.files', 'small', 'x');
	CREATE FUNCTION peek() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		BEGIN PERFORM link.read_file('s.files', 'absent'); EXCEPTION WHEN undefined_file THEN NULL; END;
		PERFORM link.read_file('s.files', 'small');
		RETURN NULL; END $$;
	CREATE TABLE t2 (n int);
	CREATE TRIGGER peek AFTER INSERT ON t2 EXECUTE FUNCTION peek();
	SELECT link.reset_stat_links()});
is(uses_of(q{DO $$ BEGIN
		PERFORM link.select_into('SELECT 1 / 0', 's.files', 'x');
	EXCEPTION WHEN division_by_zero THEN
		PERFORM link.load_data('s.files', 'a/two', 't2');
	END $$;
	SELECT link.read_file('s.files', 'small')}),
	join("\n", map { "s.files $_" } 'select_into "x" 0/0 22012', 'read_file "absent" 0/0 58P01', 'read_file "small" 0/1 ok', 'load_data "a/two" 1/2 ok',
		'read_file "small" 0/1 ok'), 'uses within uses, and errors that are caught');
is(stats('files', 'uses, rows, bytes, requests, retries, errors, last_sqlstate, last_use >= stats_reset'), '5|1|4|0|0|2|58P01|t', 'each counts once');

# What ends a session.
{
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');
	new_lines();
	$psql->query_until(qr/go/, "\\echo go\nSELECT link.select_into('SELECT pg_sleep(60)', 's.files', 'x');\n");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'PgSleep'");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
	like(join("\n", new_lines()), qr/^role=\w+ session=\w+ link=s\.files verb=select_into path="x" rows=0 bytes=0 ms=[0-9.]+ outcome=57P01$/,
		'a use that a terminated session leaves is logged');
	eval { $psql->quit };
	is(stats('files', 'uses, errors, last_sqlstate'), '6|3|57P01', 'and counted');
}

# Which uses are logged.
my $each = q{SELECT link.set_link_config('s.files', 'append_only', NULL); SELECT link.write_file('s.files', 'small', 'x', true);
	SELECT link.check_link('s.files', ''); SELECT link.read_file('s.files', 'small'); SELECT link.check_link('s.files')};
foreach ([ none => '' ], [ ddl => 'alter_link' ], [ write => 'alter_link write_file check_link' ],
	[ all => 'alter_link write_file check_link read_file check_link' ])
{
	my ($level, $verbs) = @$_;
	is(join(' ', map { (split)[1] } split /\n/, uses_of("SET link.log_use = $level;\n$each")), $verbs, "log_use = $level");
}
is(sqlstate_of($node, 'SET link.log_use = none', user => 'user1'), '42501', 'only a superuser turns it off');
is($node->safe_psql('postgres', "RESET link.log_use; ALTER SYSTEM RESET link.log_use; SELECT boot_val FROM pg_settings WHERE name = 'link.log_use'"), 'ddl',
	'the default is ddl');

# A client never sees these lines: they would tell a stranger which links exist.
{
	my ($out, $err);
	$node->psql('postgres', "SET client_min_messages = debug1;\nSELECT link.list_files('s.files', '')", stdout => \$out, stderr => \$err,
		extra_params => [ '-U', 'stranger' ]);
	like($err, qr/permission denied/, 'a client gets the error');
	unlike($err, qr/link use/, 'and no line of the log');
}

# With the hygiene that hides the statement.
my $secret = 'S3cr3t' . join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. 30;
my $json = qq({"aws_access_key_id":"AKIA","aws_secret_access_key":"$secret"});
is(uses_of(qq{SELECT link.create_link('s.sealed', 'S3', '$json');
	SELECT link.set_link_credential('s.sealed', 'aws_secret_access_key', '$secret');
	SELECT link.execute(\$\$ALTER LINK s.sealed SET CREDENTIALS '$json'\$\$);
	SELECT link.create_link('s.sealed', 'S3', '$json');
	SELECT link.set_link_credential('s.sealed', '$secret', 'x')}),
	join("\n", map { "s.sealed $_" } 'create_link "" 0/0 ok detail="type S3"', 'alter_link "" 0/0 ok detail="set credentials"',
		'alter_link "" 0/0 ok detail="set credentials"', 'create_link "" 0/0 42710', 'alter_link "" 0/0 22023 detail="set credentials"'),
	'statements with credentials are logged');
unlike(join("\n", grep { /link use/ } split /\n/, slurp_file($node->logfile)), qr/\Q$secret\E/, 'without them');

# Who sees the statistics.
is($node->safe_psql('postgres', 'SELECT string_agg(link, $$ $$ ORDER BY link) FROM link.stat_links', extra_params => [ '-U', 'user1' ]), 'files',
	'only of links that the role may VIEW');
is($node->safe_psql('postgres', 'SELECT count(*) FROM link.stat_links', extra_params => [ '-U', 'stranger' ]), '0', 'none of others');
is(sqlstate_of($node, 'SELECT link.reset_stat_links()', user => 'user1'), '42501', 'and nobody but superusers clears them');
is(stats('sealed', 'uses, errors, last_use, last_error, last_sqlstate, stats_reset'), '0|0||||', 'changes of a link are no uses of it');

# Messages that are not ours show what was in the rows.
$node->safe_psql('postgres', 'SELECT link.reset_stat_links()');
is(sqlstate_of($node, "SELECT * FROM link.select_from('s.files', 'small') AS t(n int)"), '22P02', 'a value that does not fit');
is(stats('files', 'uses, errors, last_sqlstate, last_error'), '1|1|22P02|', 'is not shown');
is(sqlstate_of($node, "SELECT link.read_file('s.files', repeat('yy/', 300) || 'y')"), '58P01', 'a message that is long');
is(stats('files', 'uses, errors, length(last_error)'), '2|2|255', 'is cut');

# Counts of requests, on the fake.
sub fake_link
{
	my ($name, $faults, $token) = @_;
	my ($url, $stop, $log) = start_fake($faults);
	my $credentials = '{"aws_access_key_id":"AKIAFAKE","aws_secret_access_key":"' . 'x' x 40 . '"' . ($token ? qq(,"aws_session_token":"$token") : '') . '}';
	$node->safe_psql('postgres', sprintf('SELECT link.create_link(%s, %s, %s, %s)', map { quote($_) } "s.$name", 'S3', $credentials,
			s3_config(endpoint_url => $url)));
	my $requests = sub { return scalar(() = fake_log($log) =~ /^[A-Z]+ \S/mg) };
	my $before = $requests->();	# other test files use logs of the same names
	return sub { return $requests->() - $before };
}
$node->safe_psql('postgres', "ALTER SYSTEM SET link.log_use = 'all'");
$node->reload;
$node->poll_query_until('postgres', 'SHOW link.log_use', 'all');
my $busy = fake_link('busy', '[{"method":"PUT","do":"status","status":503,"times":2}]');
is(uses_of("SELECT link.write_file('s.busy', 'b/x', 'abc', true)"), 's.busy write_file "b/x" 0/3 ok request_id=req-1', "the log has the provider's request id");
is(stats('busy', 'uses, requests, retries, errors'), join('|', 1, $busy->(), 2, 0), 'requests are counted, and which were repeated');
my $away = fake_link('away', '[{"method":"PUT","do":"status","status":503,"times":1000}]');
is(uses_of("SELECT link.write_file('s.away', 'b/x', 'abc', true)"), 's.away write_file "b/x" 0/0 58030 request_id=req-1', 'the same of one that fails');
is(stats('away', 'uses, requests > 1, requests - retries, errors, last_sqlstate'), '1|t|1|1|58030', 'with all its requests');
my $outer = fake_link('outer', '[]');
my $inner = fake_link('inner', '[]');
$node->safe_psql('postgres', "SELECT link.write_file('s.inner', 'b/y', 'yy')");
uses_of("SELECT link.select_into(\$\$SELECT length(link.read_file('s.inner', 'b/y')) FROM generate_series(1, 5)\$\$, 's.outer', 'b/z')");
is(stats('outer', 'uses, rows, bytes, requests'), join('|', 1, 5, 10, $outer->()), 'requests of an outer use');
is(stats('inner', 'uses, rows, bytes, requests'), join('|', 6, 0, 12, $inner->()), 'and of those within it');
my $token = 'T0ken' . 'z' x 60;
fake_link('mirror', qq([{"method":"PUT","do":"status","status":403,"code":"AccessDenied","request_id":"id $token"}]), $token);
my $mirrored = uses_of("SELECT link.write_file('s.mirror', 'b/x', 'abc', true)");
like($mirrored, qr/^s\.mirror write_file "b\/x" 0\/0 42501 request_id="id <redacted>"$/, 'a server that repeats a secret does not get it into the log');

# Shared by sessions and databases, and bounded.
$node->safe_psql('postgres', "ALTER SYSTEM SET link.log_use = 'none'");
$node->reload;
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', qq{CREATE EXTENSION link; SELECT link.create_link('public.one', 'FS', config => '{"root":"$root"}');
	SELECT link.list_files('public.one', '')});
is($node->safe_psql('other', 'SELECT link, uses FROM link.stat_links'), 'one|1', 'links of another database with the same id are others');
$node->safe_psql('postgres', 'SELECT link.reset_stat_links()');
is($node->safe_psql('other', 'SELECT link, uses FROM link.stat_links'), 'one|1', 'a reset is of one database');
is($node->safe_psql('postgres', 'SELECT sum(uses), count(last_use) FROM link.stat_links'), '0|0', 'and of all its links');
$node->safe_psql('postgres', qq{CREATE SCHEMA many;
	SELECT count(link.create_link('many.l' || n, 'FS', config => '{"root":"$root"}')) FROM generate_series(1, 4097) n;
	SELECT count(*) FROM generate_series(1, 4097) n, link.list_files('many.l' || n, 'none') f});
is($node->safe_psql('other', 'SELECT link, uses FROM link.stat_links'), 'one|0', 'when there is no room the figures of the oldest go');
is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE uses = 0), min(link) FILTER (WHERE uses = 0), count(*) FROM link.stat_links WHERE schema = 'many'"),
	'1|l1|4097', 'one after the other');
is($node->safe_psql('postgres', "SELECT value FROM link.status() WHERE item = 'statistics'"), 'of all sessions', 'link.status() tells that they are shared');

# Without shared memory each session has its own.
foreach my $preload ('session', '')
{
	make_node($preload ? 'session' : 'none', $preload);
	is($node->safe_psql('postgres', q{SELECT link.write_file('s.files', 'x', 'abc'); SELECT link.list_files('s.files', 'none');
		SELECT uses, bytes, errors, last_error FROM link.stat_links; SELECT value FROM link.status() WHERE item = 'statistics';
		SELECT link.reset_stat_links(); SELECT uses FROM link.stat_links}), "\n2|3|0|\nof this session\n\n0", "preload '$preload': the session's own figures");
	is(stats('files', 'uses'), '0', 'and nobody else\'s');
	is(uses_of(qq{SELECT link.create_link('s.sealed', 'S3', '$json')}), 's.sealed create_link "" 0/0 ok detail="type S3"', 'the log is the same');
}

done_testing();
