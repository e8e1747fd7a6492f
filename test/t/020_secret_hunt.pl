# A secret that was typed is nowhere: not in the log, not in the raw bytes of the
# data directory, not in a dump, a view, an error or pg_stat_activity; whatever
# the statement, the protocol and the other libraries, and after a crash. Nor are
# the keys of the master key ring anywhere but in its file.

use strict;
use warnings;
use IPC::Run ();
use LinkTest;
use LinkWire;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use SecretHunt;
use Test::More;
use Time::HiRes qw(sleep);

# As a real one has them, some characters that encodings change.
my $secret = random_word(8) . '+/' . random_word(20) . '/+' . random_word(8);

my $forms = forms($secret);

# Each form is seen, wherever in a file it stands.
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my %in = (
		plain => "x${secret}x",
		'plain of a text cut off' => substr("x$secret", 0, 20),
		hex => unpack('H*', $secret),
		'hex in capitals' => uc unpack('H*', $secret),
		'URL as curl does' => $secret =~ s/(\W)/sprintf '%%%02X', ord $1/ger,
		'URL of each byte' => join('', map { sprintf '%%%02x', $_ } unpack 'C*', $secret),
		'decimal as debug_print_plan does' => join(' ', 76, 0, 0, unpack 'C*', $secret),
		'decimal with commas' => join(', ', unpack 'C*', $secret),
		map { ("base64 after $_ bytes" => encode_base64('y' x $_ . $secret . 'y' x 5, '')) } 0 .. 2);
	append_to_file("$dir/" . $_ =~ tr/ /_/r, "\0" x 1000 . $in{$_} . "\n") foreach keys %in;
	is(files_with($forms, $dir), join("\n", map { tr/ /_/r . ' (' . (split)[0] . ')' } sort keys %in), 'all encodings are seen');
}

#
# What is typed.
#

my @echoes = ($secret, encode_base64($secret, ''), $secret =~ s/(\W)/sprintf '%%%02X', ord $1/ger);
my ($fake_url) = start_fake(sprintf '[%s]', join ',',
	map { qq({"match": "echo$_", "times": 9, "do": "status", "status": 403, "code": "$echoes[$_]"}) } 0 .. 2);
my $json = qq({"aws_access_key_id":"AKIAHUNT","aws_secret_access_key":"$secret"});
my $config = s3_config(endpoint_url => $fake_url);

# the parameter has one name or the other
my @parallel = map { "SET $_ = on" } qw(force_parallel_mode debug_parallel_query);

# Each is a session of its own. "ANSWER" in front: who types it is shown it again.
my @simple = (
	# what works
	"SELECT link.create_link('plain', 'S3', '$json', '$config')",
	"SELECT link.execute(\$\$CREATE LINK spoken AS S3 CREDENTIALS '$json' CONFIG '{\"region\":\"us-east-1\"}'\$\$)",
	"SELECT link.alter_link('plain', credentials => '$json')",
	"SELECT link.set_link_credential('plain', 'aws_secret_access_key', '$secret')",
	"SELECT link.execute(\$\$ALTER LINK spoken SET CREDENTIALS ::aws_secret_access_key = '$secret'\$\$)",
	"SELECT link.create_link('plain', 'S3', '$json', '$config', or_replace => true)",
	"SELECT 1; SELECT link.create_link('among', 'S3', '$json'); SELECT 2",
	"DO \$\$ BEGIN PERFORM link.create_link('done', 'S3', '$json'); END \$\$",
	"DO \$\$ BEGIN EXECUTE 'EXPLAIN SELECT ''$secret'''; PERFORM link.create_link('nested', 'S3', '$json'); END \$\$",
	"SELECT wrap('wrapped', '$json')",
	"CREATE TABLE made AS SELECT link.create_link('made', 'S3', '$json') IS NULL AS done",
	"SELECT link.create_link('into', 'S3', '$json') IS NULL AS done INTO made_into",
	"COPY (SELECT link.create_link('copied', 'S3', '$json')) TO STDOUT",
	"COPY (SELECT link.create_link('linked', 'S3', '$json')) TO 'link://plain/b/linked' (overwrite)",
	[ 'BEGIN', "DECLARE c CURSOR FOR SELECT link.create_link('declared', 'S3', '$json')", 'FETCH c',
		'SELECT statement FROM pg_cursors', 'COMMIT' ],
	[ "PREPARE p AS SELECT link.create_link('prepared', 'S3', '$json')", 'EXECUTE p', 'SELECT statement FROM pg_prepared_statements' ],
	[ "PREPARE p(text) AS SELECT link.set_link_credential('plain', 'aws_secret_access_key', \$1)", "EXECUTE p('$secret')",
		"EXPLAIN ANALYZE EXECUTE p('$secret')", "EXPLAIN EXECUTE p ('$secret')", "EXECUTE/* */p('$secret'::text)" ],
	[ 'BEGIN', "SELECT link.create_link('two_phases', 'S3', '$json')", "PREPARE TRANSACTION 'hunt'", "COMMIT PREPARED 'hunt'" ],
	[ 'BEGIN', 'SAVEPOINT s', "SELECT link.create_link('undone', 'S3', '$json')", 'ROLLBACK TO s', 'COMMIT' ],
	"ANSWER EXPLAIN VERBOSE SELECT link.create_link('explained', 'S3', '$json')",
	"ANSWER EXPLAIN (ANALYZE, VERBOSE, FORMAT json) SELECT link.create_link('explained', 'S3', '$json')",
	[ @parallel, "SELECT count(*) FROM pg_class WHERE relname <> 'aws_secret_access_key $secret'" ],
	# use, and what the provider makes of it: its errors repeat the secret
	"SELECT link.write_file('plain', 'b/x', 'x')",
	(map { "SELECT link.read_file('plain', 'b/echo$_')" } 0 .. 2),
	# what fails
	"CREATE LINK x AS S3 CREDENTIALS '$json'",
	"SELECT link.create_lnk('x', 'S3', '$json')",
	"SELECT link.create_link('x', 'S3', '$json'::int)",
	"SELEC link.create_link('x', 'S3', '$json')",
	"SELECT link.create_link('x', 'S3', '$json' frm y",
	"SELECT link.create_link('x', 'S3', '$json') FROM no_such_table",
	"SELECT link.create_link('x', 'S3', '$json', 'x', 'y', 'z')",
	"SELECT link.create_link('plain', 'S3', '$json')",
	"SELECT link.create_link('x', 'S3', '{\"aws_secret_access_key\":\"$secret\"')",
	"SELECT link.create_link('x', 'S3', '{\"aws_secret_acces_key\":\"$secret\"}')",
	"SELECT link.create_link('x', 'S3', '{\"aws_secret_access_key\":[\"$secret\"]}')",
	"SELECT link.create_link('x', 'S3', '{\"aws_secret_access_key\":\"$secret\",\"aws_secret_access_key\":\"$secret\"}')",
	"SELECT link.create_link('x', 'S3', '{}', '{\"aws_secret_access_key\":\"$secret\"}')",
	"SELECT link.create_link('x', 'AZURE', '{\"account_key\":\"$secret\"}')",
	"SELECT link.execute(\$\$CREATE LINK x AS S3 CREDENTIALS '$json' CONFIG\$\$)",
	"SELECT link.execute(\$\$CREATE LINK x AS S3 CREDENTIALS '$json\$\$)",
	"SELECT link.execute(\$\$CREATE LINK x AS S3 CREDENTALS '$json'\$\$)",
	"SELECT link.execute(\$\$CREATE LINK x AS S3 CREDENTIALS '$json' CONFIG '{}' '$secret'\$\$)",
	"SELECT link.set_link_credential('plain', 'aws_secret_acces_key', '$secret')",
	"SELECT link.set_link_config('plain', 'aws_secret_access_key', '$secret')",
	"SELECT 1/0 AS aws_secret_access_key, '$secret'",
	"DO \$\$ BEGIN PERFORM link.create_link('x', 'S3', '$json', 'bad'); END \$\$",
	"DO \$\$ BEGIN PERFORM link.read_file('plain', 'no/such'), '$json'; END \$\$",
	"SELECT link.create_link('kept', 'S3', '$json'); SELECT 1/0",
	"SELECT fails('$json')",
	"CREATE TABLE made AS SELECT link.create_link('x', 'S3', '$json')",
	"EXPLAIN VERBOSE SELECT link.create_link('x', 'S3', '$json'::int)",
	"COPY (SELECT link.create_link('x', 'S3', '$json'::int)) TO 'link://plain/b/x'",
	"COPY (SELECT link.create_link('x', 'S3', '$json')) TO 'link://plain/b/x' (nope '$secret')",
	"COPY (SELECT 1 AS aws_secret_access_key) TO 'link://AKIAHUNT:$secret\@plain/b/x'",
	[ "SET statement_timeout = '50ms'", "SELECT link.create_link('late', 'S3', '$json'), pg_sleep(5)" ],
	[ @parallel, "SELECT sum(1 / (oid::int - oid::int)) FROM pg_class WHERE relname <> 'aws_secret_access_key $secret'" ],
	[ "PREPARE p(text) AS SELECT link.set_link_credential('nowhere', 'aws_secret_access_key', \$1)", "EXECUTE p('$secret')",
		"EXECUTE p('$secret', 1)", "EXECUTE p('$secret'::int)" ]);

# Over the extended protocol: statement, values to bind, rows of each Execute.
my @extended = (
	[ "SELECT link.create_link('e1', 'S3', '$json')" ],
	[ 'SELECT link.create_link($1, $2, $3)', [ 'e2', 'S3', $json ] ],
	[ 'SELECT link.execute($1)', ["CREATE LINK e3 AS S3 CREDENTIALS '$json'"] ],
	[ 'SELECT link.execute($1)', ["ALTER LINK e3 SET CREDENTIALS ::aws_secret_access_key = '$secret'"] ],
	[ 'SELECT link.set_link_credential($1, $2, $3), n FROM generate_series(1, 3) n', [ 'e3', 'aws_secret_access_key', $secret ], 1, 1, 0 ],
	[ "SELECT link.set_link_credential('e3', 'aws_secret_access_key', '$secret'), n FROM generate_series(1, 3) n", [], 1, 1, 0 ],
	[ 'SELECT wrap($1, $2)', [ 'e4', $json ] ],
	[ "DO \$\$ BEGIN PERFORM link.create_link('e5', 'S3', '$json'); END \$\$" ],
	[ "CREATE TABLE made_extended AS SELECT link.create_link('e6', 'S3', '$json') IS NULL AS done" ],
	[ "DECLARE c CURSOR WITH HOLD FOR SELECT link.create_link('e7', 'S3', '$json')" ],
	# failing: in Parse, in Bind, in Execute
	[ "SELECT link.create_link('x', 'S3', '$json' frm y" ],
	[ 'SELECT link.create_link($1, $2, $3::int::text)', [ 'x', 'S3', $json ] ],
	[ 'SELECT link.create_link($1, $2, $3)', [ 'e2', 'S3', $json ] ],
	[ 'SELECT link.create_link($1, $2, $3), 1 / $4::int', [ 'x', 'S3', $json, 0 ] ],
	[ 'SELECT link.execute($1)', ["CREATE LINK x AS S3 CREDENTALS '$json'"] ],
	[ 'SELECT link.execute($1)', ["CREATE LINK e3 AS S3 CREDENTIALS '$json'"] ],
	[ 'SELECT fails($1)', [$json] ],
	[ 'SELECT 1 / $1::int', ["aws_secret_access_key $secret"] ],
	[ "DO \$\$ BEGIN PERFORM link.create_link('e5', 'S3', '$json'); END \$\$" ]);

# Types all of it; gives what was answered, and what another session saw in
# pg_stat_activity after each statement.
sub type_all
{
	my ($node, %arg) = @_;
	my $watcher = LinkWire->new($node);
	my ($said, $shown) = ('', '');
	my $look = sub {
		my ($session) = @_;
		$shown .= $watcher->query("SELECT query FROM pg_stat_activity WHERE pid = $session->{pid}");
	};

	# a statement that is planned again after pg_stat_statements forgot it: it then
	# takes the text as it comes
	my $again = LinkWire->new($node);
	$again->query('SET plan_cache_mode = force_custom_plan');
	$again->prepare('s', "SELECT link.create_link('again', 'S3', '$json', or_replace => \$1)");
	for (1, 2)
	{
		$again->execute('s', ['t']);
		$said .= $again->sync;
		$watcher->query('SELECT pg_stat_statements_reset()') if $_ == 1;
	}
	$again->close;

	foreach my $statements (@simple)
	{
		my $session = LinkWire->new($node);
		foreach my $sql (ref $statements ? @$statements : $statements)
		{
			my $answer = $session->query($sql =~ s/^ANSWER //r);
			$said .= $answer unless $sql =~ /^ANSWER/;
			$look->($session);
		}
		$session->close;
	}
	foreach my $case (@extended)
	{
		my ($sql, $values, @rows) = @$case;
		foreach my $name ('', 'named')
		{
			my $session = LinkWire->new($node);
			$session->prepare($name, $sql);
			$session->execute($name, $values // [], @rows) for 1 .. ($name eq '' ? 1 : 2);
			$said .= $session->sync;
			$look->($session);
			$session->close;
		}
	}

	# function calls of the fast path
	my $oid = $watcher->query("SELECT 'link.set_link_credential'::regproc::oid") + 0;
	foreach my $link ('plain', 'nowhere')
	{
		my $session = LinkWire->new($node);
		$said .= $session->call($oid, $link, 'aws_secret_access_key', $secret);
		$look->($session);
		$session->close;
	}

	# SQL over a connection for replication
	if ($arg{replication})
	{
		my $session = LinkWire->new($node, replication => 'database');
		$said .= $session->query("SELECT link.create_link('replica', 'S3', '$json')") . $session->query("SELECT link.create_lnk('x', '$json')");
		$look->($session);
		$session->close;
	}
	else
	{
		my $session = LinkWire->new($node, replication => 'database');
		like($session->query("SELECT link.create_link('replica', 'S3', '" . $json =~ s/\Q$secret\E/none/r . "')"),
			qr/^WARNING \| 01000 \| the server log may show credentials/m, 'a connection for replication is warned');
		$session->close;
	}
	$watcher->close;
	return ($said, $shown);
}

#
# Where it may end.
#

sub loud_node
{
	my ($name, $settings) = @_;
	my $node = new_node($name, preload => '', conf => loud_settings() . $settings);
	$node->safe_psql('postgres', q{
		CREATE EXTENSION pg_stat_statements;
		CREATE FUNCTION wrap(name text, credentials text) RETURNS void LANGUAGE plpgsql AS
			$$ BEGIN PERFORM link.create_link(name, 'S3', credentials); END $$;
		CREATE FUNCTION fails(t text) RETURNS void LANGUAGE plpgsql AS
			$$ BEGIN RAISE EXCEPTION 'no %', t USING DETAIL = t, HINT = t; END $$});
	return $node;
}

# The keys of the ring, and what they look like elsewhere.
sub keys_of_ring
{
	my ($node) = @_;
	return map { decode_base64($_) } slurp_file($node->basedir . '/link_master.key') =~ m{"([A-Za-z0-9+/]{43}=)"}g;
}

# A statement that takes its time, given to a new session, until it sleeps.
sub start_slow
{
	my ($node, $extended, $sql) = @_;
	my $session = LinkWire->new($node);
	if ($extended) { $session->prepare('', $sql); $session->execute('', []); $session->send_message('S', '') }
	else { $session->send_message('Q', "$sql\0") }
	$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $session->{pid}") or die;
	return $session;
}

sub hunt
{
	my ($preload, $settings) = @_;
	my $node = loud_node($preload, $settings);
	my ($said, $shown) = type_all($node, replication => $preload eq 'shared');

	like($said, qr/ERROR \| 22012 \|.*ERROR \| 42601 \|.*ERROR \| 42710 \| link/s, "$preload preload: some of the statements fail");
	unlike($said, qr/WARNING/, 'no session is warned');
	is($node->safe_psql('postgres', q{SELECT string_agg(link, ' ' ORDER BY link COLLATE "C") FROM link.links}),
		'again among copied declared done e1 e2 e3 e4 e5 e6 e7 explained into linked made nested plain prepared replica spoken two_phases wrapped', 'the others have made their links');
	is(found_in($forms, $said), '', 'no answer and no error holds the secret');
	like($said, qr/scripted/, 'those of the provider included');
	is(found_in($forms, $shown), '', 'nothing is left in pg_stat_activity');

	# Another session's look at a statement that runs.
	foreach my $extended (0, 1)
	{
		my $session = start_slow($node, $extended, "SELECT link.create_link('slow$extended', 'S3', '$json'), pg_sleep(1)");
		my $seen = $node->safe_psql('postgres', "SELECT query FROM pg_stat_activity WHERE pid = $session->{pid}");
		is($seen, 'statement with credentials left out by link', 'another session sees that a statement runs, and no more');
		$session->answer;
		$session->close;
	}

	# The server quotes statements of others: who waits for whom.
	my @pair = map { LinkWire->new($node) } 0, 1;
	$_->query('BEGIN') foreach @pair;
	$pair[$_]->query("SELECT pg_advisory_xact_lock($_)") foreach 0, 1;
	$pair[0]->send_message('Q', "SELECT link.set_link_credential('plain', 'aws_secret_access_key', '$secret'), pg_advisory_xact_lock(1)\0");
	$node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $pair[0]{pid}") or die;
	my $deadlock = $pair[1]->query('SELECT pg_advisory_xact_lock(0)');
	$pair[1]->query('ROLLBACK');
	$deadlock .= $pair[0]->answer;
	$_->close foreach @pair;
	like($deadlock, qr/40P01/, 'a deadlock');
	is(found_in($forms, $deadlock), '', 'is told without the secret');

	# Every view, function and table of the extension, and a dump of all.
	my $all = $node->safe_psql('postgres', q{
		SELECT * FROM link.links; SELECT * FROM link.link; SELECT * FROM link.privileges; SELECT * FROM link.status();
		SELECT link.show_create_link('plain'); SELECT * FROM link.show_links(); SELECT * FROM link.execute('SHOW FULL LINKS');
		SELECT * FROM link.execute('SHOW CREATE LINK spoken');
		SELECT * FROM link.check_link('plain'); SELECT * FROM link.who_can_use('plain');
		SELECT * FROM pg_stat_statements; SELECT * FROM pg_stat_activity});
	like($all, qr/<redacted>.*calls|<redacted>/s, 'the links are shown');
	is(found_in($forms, $all), '', 'without the secret');
	my ($dump, $err);
	IPC::Run::run([ 'pg_dumpall', '-h', $node->host, '-p', $node->port ], '>', \$dump, '2>', \$err) or die $err;
	like($dump, qr/COPY link\.link /, 'the dump has the links');
	is(found_in($forms, $dump), '', 'without the secret');

	# The master keys, before and after a rotation.
	my @keys = keys_of_ring($node);
	$node->safe_psql('postgres', qq{SELECT link.add_master_key(); SELECT link.reseal();
		SELECT link.retire_master_key((SELECT split_part(split_part(value, ',', 1), ',', 1) FROM link.status() WHERE item = 'key ids'))});
	push @keys, keys_of_ring($node);
	is(scalar(@keys), 2, 'two master keys');
	my @key_forms = map { forms($_) } @keys;
	is(join('', map { found_in($_, $dump . $all . $said) } @key_forms), '', 'are in no dump and no answer');

	# The raw bytes: of the running server, after its end, and after a crash with
	# the statement running, which the postmaster quotes in the log.
	$node->safe_psql('postgres', 'CHECKPOINT');
	my $holds_queries = sub { scalar grep { -s } map { $node->data_dir . "/$_" } 'pg_stat_tmp/pgss_query_texts.stat', 'pg_stat/pg_stat_statements.stat' };
	ok($holds_queries->(), 'pg_stat_statements has its texts in a file');
	is(files_with($forms, $node->basedir), '', 'no file of the running server holds the secret');
	$node->stop;
	ok($holds_queries->(), 'and still after its end');
	is(files_with($forms, $node->basedir), '', 'nor does one after its end');
	$node->start;
	foreach my $extended (0, 1)
	{
		my $session = start_slow($node, $extended, "SELECT link.create_link('crash', 'S3', '$json'), pg_sleep(30)");
		kill 'KILL', $session->{pid};
		$node->poll_query_until('postgres', 'SELECT true') or die;
		$session->close;
	}
	$node->stop('immediate');
	my %log = map { ($_ => slurp_file($_)) } server_logs($node);
	is(scalar(grep { /terminated by signal 9.{1,200}statement with credentials left out by link/s } values %log), 3,
		'after a crash the postmaster says that it leaves out what ran');
	is(files_with($forms, $node->basedir), '', 'no file holds the secret: data, log and WAL');
	is(found_in($forms, slurp_file($node->logfile)), '', 'nor does what the server said before its log began');
	is(files_with($key_forms[0], $node->basedir), '', 'the old master key is nowhere');
	is(files_with($key_forms[1], $node->basedir), 'link_master.key (base64)', 'the new one is in the file of the ring alone');
	foreach my $file (sort keys %log)
	{
		like($log{$file}, qr/statement with credentials left out by link/, "$file says that something was left out");
		like($log{$file}, qr/22012/, 'but not that there was an error');
		like($log{$file}, qr/SELECT pg_advisory_xact_lock\(0\)/, 'nor the other statements');
	}
}

hunt('shared', "shared_preload_libraries = 'pg_stat_statements, auto_explain, link'\n");
# PostgreSQL does not load the libraries of session_preload_libraries for a
# connection for replication: there the session is warned, as without preload.
hunt('session', "shared_preload_libraries = 'pg_stat_statements'\nsession_preload_libraries = 'auto_explain, link'\n");

#
# The control: without our library the same words do end up everywhere, so this
# test would see them.
#

my $control = loud_node('control', "shared_preload_libraries = 'pg_stat_statements, auto_explain'\n");
my ($said, $shown) = type_all($control, replication => 1);
like(found_in($forms, $said), qr/plain/, 'control: without preload answers hold the secret');
like(found_in($forms, $shown), qr/plain/, 'pg_stat_activity too');
like(found_in($forms, $control->safe_psql('postgres', 'SELECT query FROM pg_stat_statements')), qr/plain/, 'and pg_stat_statements');

# One warning a session, and none for what is no secret.
my @warnings;
foreach my $statements ([ ("SELECT link.alter_link('plain', credentials => '$json')") x 3 ],
	["SELECT link.create_link('open', 'S3', '{\"creds_mode\":\"anonymous\"}')"])
{
	my $session = LinkWire->new($control);
	my $answer = join '', map { $session->query($_) } @$statements;
	$session->close;
	push @warnings, scalar(() = $answer =~ /WARNING \| 01000 \| the server log may show credentials/g);
}
is("@warnings", '1 0', 'without preload a session is warned once, if it types a secret');

# link.require_hygiene: a refusal, which is not the user's to lift.
$control->safe_psql('postgres', q{CREATE ROLE maker LOGIN; SELECT link.grant_privilege('CREATE', '*.*', 'maker');
	ALTER DATABASE postgres SET link.require_hygiene = on});
my $count = 0;
foreach my $user (scalar getpwuid($<), 'maker')
{
	my $refused = qr/ERROR \| 55000 \| credentials are refused while library "link" is not preloaded/;
	foreach my $first ('SELECT 1', $user eq 'maker' ? 'SET link.require_hygiene = off' : "LOAD 'link'")
	{
		my $session = LinkWire->new($control, user => $user);
		$session->query($first);
		like($session->query("SELECT link.create_link('public.strict', 'S3', '$json')"), $refused, "$user: refused after $first");
		like($session->query("SELECT link.execute(\$\$CREATE LINK public.strict AS S3 CREDENTIALS '$json'\$\$)"), $refused, 'as a statement too');
		unlike($session->query("SELECT link.create_link('public.open_@{[++$count]}', 'S3', '{\"creds_mode\":\"anonymous\"}')"), qr/ERROR/, 'but not what holds no secret');
		$session->close;
	}
}
$control->safe_psql('postgres', "ALTER DATABASE postgres SET session_preload_libraries = 'link'");
unlike($control->safe_psql('postgres', "SELECT link.create_link('public.strict', 'S3', '$json')"), qr/ERROR/,
	'with the library set for the database alone it works');

ok(found_in($forms, slurp_file($control->data_dir . '/pg_stat_tmp/pgss_query_texts.stat')), 'control: the file of pg_stat_statements has it');
$control->stop;
like(files_with($forms, $control->basedir), qr{pgdata/log/server.$_ \(.*plain.*\)}, "the $_ log has it") foreach qw(csv json log);
like(found_in($forms, slurp_file((server_logs($control))[0])), qr/decimal/, 'also as the bytes of a plan');
like(files_with(forms((keys_of_ring($control))[0]), $control->basedir), qr/^link_master.key/, 'and a key of the ring is seen');

done_testing();
