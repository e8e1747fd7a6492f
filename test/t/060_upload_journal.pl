# Uploads that outlive their session (SECURITY 32): a backend that is killed in
# the middle of an export leaves nothing visible, and what it leaves behind is on
# record and taken back by the next writer of the link or by link.abort_uploads();
# what belongs to somebody who lives, or may, is never touched.

use strict;
use warnings;
use File::Copy qw(copy);
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_s3();
my $node = new_node('journal', init => [ allows_streaming => 1 ],
	conf => "restart_after_crash = on\n");
my $dir = $node->data_dir . '/link_uploads';
my $root = $node->basedir . '/files';
mkdir $root or die;
make_bucket('journal');

# Whatever uploads there are.
sub abort_by_hand
{
	foreach my $upload (split /\n/, aws('s3api', 'list-multipart-uploads', '--bucket', 'journal', '--query', 'Uploads[].[Key,UploadId]', '--output', 'text'))
	{
		my ($key, $upload_id) = split /\t/, $upload;
		aws('s3api', 'abort-multipart-upload', '--bucket', 'journal', '--key', $key, '--upload-id', $upload_id) if $upload_id;
	}
}

# The server may have seen this test before.
aws('s3', 'rm', '--recursive', '--quiet', 's3://journal');
abort_by_hand();
s3_link($node, 's3');
$node->safe_psql('postgres', "SELECT link.create_link('fs', 'FS', config => '{\"root\":\"$root\"}')");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Names of the records.
sub records { return map { s{.*/}{}r } sort glob("$dir/*"); }

sub record_text { return slurp_file("$dir/$_[0]"); }

# Rewrites a record, in place: it stays the same file.
sub rewrite
{
	my ($name, $change) = @_;
	local $_ = record_text($name);
	$change->();
	open my $fh, '+<', "$dir/$name" or die $!;
	truncate $fh, 0;
	print $fh $_;
	close $fh;
}

# A record that nobody of ours wrote: the text of another one, changed.
sub forge
{
	my ($name, $like, $change) = @_;
	open my $fh, '>', "$dir/$name" or die $!;
	print $fh $like;
	close $fh;
	my $inode = (stat "$dir/$name")[1];
	rewrite($name, sub { s/^inode=.*/inode=$inode/m; $change->() });
}

sub wait_for
{
	my ($what, $condition) = @_;
	for (1 .. 400) { return 1 if $condition->(); sleep 0.05 }
	die "timed out waiting for $what";
}

sub hidden_files { return map { s{.*/}{}r } glob("$root/.link-*.tmp $root/*/.link-*.tmp"); }
sub orphans { return sql("SELECT value FROM link.status() WHERE item = 'orphaned uploads'"); }
sub abort_all { return sql("SELECT link, path, outcome FROM link.abort_uploads($_[0])"); }

# Sessions wait in mid-export for a lock that this one holds.
my $holder;
sub hold { $holder = $node->background_psql('postgres'); $holder->query_safe('SELECT pg_advisory_lock(1)') }
hold();
my $slow = 'SELECT CASE n WHEN 60000 THEN pg_advisory_lock_shared(1)::text ELSE repeat(md5(n::text), 10) END FROM generate_series(1, 60001) n';

# A session in the middle of an export of 19 MB: it waits for the lock, or, if a
# PATTERN is given, its record has just come to hold that.
sub begin_export
{
	my ($link, $path, %arg) = @_;
	my %before = map { $_ => 1 } records();
	my $pattern = $arg{pattern} // qr/^upload=.+\n/m;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');
	my $record;
	$psql->query_until(qr/go/, "\\echo go\nSELECT rows FROM link.select_into('$slow', '$link', '$path', overwrite => true);\n");
	wait_for("the record of $path", sub {
		($record) = grep { !$before{$_} && !/\.tmp$/ } records();
		return $record && record_text($record) =~ $pattern;
	});
	$node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $pid") or die
	  unless $arg{pattern};
	return { psql => $psql, pid => $pid, record => $record };
}

my %way = (
	'kill -9' => sub {
		my ($pid) = @_;
		my $offset = -s $node->logfile;
		kill 9, $pid;
		wait_for('recovery', sub { slurp_file($node->logfile, $offset) =~ /ready to accept connections/ });
		eval { $holder->quit };
		hold();
	},
	pg_terminate_backend => sub { sql("SELECT pg_terminate_backend($_[0], 10000)") });

# Ends an export the hard way; what is left is an orphan.
sub orphan
{
	my ($link, $path, %arg) = @_;
	my $export = begin_export($link, $path, %arg);
	$way{ $arg{way} // 'pg_terminate_backend' }->($export->{pid});
	eval { $export->{psql}->quit };
	return $export->{record};
}

sub finish
{
	my ($export) = @_;
	$holder->query_safe('SELECT pg_advisory_unlock(1)');
	my $out = $export->{psql}->query("SELECT 'end'");
	$export->{psql}->quit;
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	return $out;
}

# Nothing is on record where nothing goes on.
is(orphans(), '0', 'no orphans at first');
sql("SELECT link.write_file('s3', 'journal/small', 'x'); SELECT link.remove_file('s3', 'journal/small')");
is(-e $dir ? 1 : 0, 0, 'an object of one PUT needs no record');
my $fast = $slow =~ s/pg_advisory_lock_shared\(1\)::text/NULL/r;
foreach my $target ("'s3', 'journal/done'", "'fs', 'done'")
{
	is(sql("BEGIN READ ONLY; SELECT rows FROM link.select_into('$fast', $target); COMMIT"), '60001', "export to $target in a read-only transaction");
}
is(sprintf('%o', (stat $dir)[2] & 07777), '700', 'the directory of records is closed to others');
is(join(' ', records()), '', 'and empty after success');
isnt(sqlstate_of($node, "SELECT link.select_into('SELECT 1 / (60000 - n), repeat(md5(n::text), 10) FROM generate_series(1, 60000) n', $_)"), '00000', "a failed export to $_")
  foreach "'s3', 'journal/failed'", "'fs', 'failed'";
isnt(sqlstate_of($node, "SELECT link.select_into('$fast', $_)"), '00000', "an object that is there: $_")
  foreach "'s3', 'journal/done'", "'fs', 'done'";
isnt(sqlstate_of($node, "SELECT link.select_into('$fast', 's3', 'no-such-bucket/x', overwrite => true)"), '00000', 'a bucket that is not there');
chmod 0500, $root;
is(sqlstate_of($node, "SELECT link.write_file('fs', 'x', 'x')"), '42501', 'a directory that may not be written');
chmod 0700, $root;
s3_link($node, 'away', config => s3_config(endpoint_url => 'http://127.0.0.1:9'));
is(sqlstate_of($node, "SELECT link.select_into('$fast', 'away', 'journal/x', overwrite => true)"), '08001', 'a server that is away');
is(join(' ', records()), '', 'and after errors');
is(sql("SELECT count(*) FROM link.check_link('fs', 'probe') WHERE ok"), '7', 'CHECK LINK');
is(join(' ', records()), '', 'leaves none either');
sql("SELECT link.remove_file('s3', 'journal/done'); SELECT link.remove_file('fs', 'done')");

# Killed in mid-export, both ways, both providers.
foreach my $case ([ 's3', 'journal/out' ], [ 'fs', 'd/out' ])
{
	my ($link, $path) = @$case;
	my $left = sub { return join ' ', $link eq 's3' ? uploads_left('journal') : map { 'file' } hidden_files() };
	foreach my $way (sort keys %way)
	{
		my $record = orphan($link, $path, way => $way);
		my $name = "$link, $way";
		is(join(' ', records()), $record, "$name: its record stays");
		is($left->(), $link eq 's3' ? 'out' : 'file', "$name: so does its upload");
		is(sql("SELECT count(*) FROM link.list_files('$link', '" . ($link eq 's3' ? 'journal/' : '') . "')"), '0', "$name: nothing is visible");
		is(orphans(), '1', "$name: the status tells of it");
		unlike(record_text($record), qr/\Q$ENV{LINK_S3_SECRET_KEY}\E|\Q$ENV{LINK_S3_ACCESS_KEY}\E/, "$name: no credential is in the record");
		is(sprintf('%o', (stat "$dir/$record")[2] & 07777), '600', "$name: nor is it open to others");
		is(sqlstate_of($node, "SELECT link.read_file('$link', '" . ($link eq 's3' ? 'journal/' : '') . "absent')"), '58P01', "$name: a read");
		is(join(' ', records()), $record, "$name: takes nothing back");

		sql("SELECT link.write_file('$link', '" . ($link eq 's3' ? 'journal/' : '') . "next', 'x')");
		is($left->(), '', "$name: the next use of the link takes the upload back");
		is(join(' ', records()), '', "$name: and its record");
		is(orphans(), '0', "$name: none is left");
		sql("SELECT link.remove_file('$link', '" . ($link eq 's3' ? 'journal/' : '') . "next')");
	}
}
like(slurp_file($node->logfile), qr{LOG:  unfinished upload of "journal/out" through link public\.s3 was taken back}, 'the log tells of it');

# A program that the session started does not keep its record.
my $child = $node->basedir . '/child';
sql("CREATE FUNCTION spawn() RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN
	COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; setsid sleep 600 > /dev/null 2>&1 & echo \$! > $child'; RETURN 'x'; END \$\$");
my $slow_before = $slow;
$slow =~ s/CASE n/CASE n WHEN 59999 THEN spawn()/;
my $parent = begin_export('fs', 'spawned');
$slow = $slow_before;
$way{pg_terminate_backend}->($parent->{pid});
$child = slurp_file($child) + 0;
is(kill(0, $child), 1, 'a child outlives its session');
is(abort_all("'fs'"), 'public.fs|spawned|aborted', 'and does not hold the record');
kill 9, $child;
eval { $parent->{psql}->quit };    # the child had its connection too

# At most a few at a time.
my @many = map { begin_export('fs', "many/$_") } 1 .. 6;
foreach my $export (@many)
{
	$way{pg_terminate_backend}->($export->{pid});
	eval { $export->{psql}->quit };
}
is(scalar(hidden_files()), 6, 'six orphans');
sql("SELECT link.write_file('fs', 'next', 'x', overwrite => true)");
is(scalar(hidden_files()), 2, 'of which one use takes four');
sql("SELECT link.write_file('fs', 'next', 'x', overwrite => true)");
is(scalar(hidden_files()), 0, 'and the next the rest');

# link.abort_uploads, and who may.
sql('CREATE ROLE reader LOGIN; CREATE ROLE writer LOGIN; CREATE ROLE stranger LOGIN;'
	  . "SELECT link.grant_privilege('READ', 'LINK s3', 'reader'); SELECT link.grant_privilege('WRITE', 'LINK s3', 'writer')");
orphan('s3', 'journal/a');
orphan('fs', 'a');
is(abort_all("'s3', '1 hour'"), '', 'nothing is older than an hour');
is(sqlstate_of($node, "SELECT link.abort_uploads('s3')", user => $_), '42501', "as $_") foreach qw(reader stranger);
is(sqlstate_of($node, 'SELECT link.abort_uploads(NULL, NULL)'), '22004', 'an interval that is NULL');
is(sqlstate_of($node, "SELECT link.abort_uploads('absent')"), '42704', 'a link that is not there');
is($node->safe_psql('postgres', 'SELECT * FROM link.abort_uploads()', extra_params => [ '-U', $_ ]), '', "all that $_ may write: none")
  foreach qw(reader stranger);
is(scalar(records()), 2, 'both are there still');
is($node->safe_psql('postgres', "SELECT link, path, started BETWEEN now() - interval '1 minute' AND now(), outcome FROM link.abort_uploads()", extra_params => [ '-U', 'writer' ]),
	'public.s3|journal/a|t|aborted', 'all that writer may write: one');
is(join(' ', uploads_left('journal')), '', 'which is gone');
is(abort_all("'fs'"), 'public.fs|a|aborted', 'the other by its name');
is(join(' ', hidden_files()), '', 'which is gone too');
is(abort_all(''), '', 'and no more');

# Somebody else has taken it back.
my $record = orphan('s3', 'journal/a');
my ($id) = record_text($record) =~ /^upload=(.*)/m;
aws('s3api', 'abort-multipart-upload', '--bucket', 'journal', '--key', 'a', '--upload-id', $id);
is(abort_all("'s3'"), 'public.s3|journal/a|nothing left', 'an upload that is gone');
orphan('fs', 'a');
unlink glob("$root/.link-*.tmp");
is(abort_all("'fs'"), 'public.fs|a|nothing left', 'a file that is gone');
is(join(' ', records()), '', 'is no more on record');

# What lives is not touched; nor by a record that somebody forged.
foreach my $case ([ 's3', 'journal/live' ], [ 'fs', 'live' ])
{
	my ($link, $path) = @$case;
	my $export = begin_export($link, $path);
	my $text = record_text($export->{record});
	is(orphans(), '0', "$link: an upload in progress is no orphan");
	is(abort_all(''), '', "$link: link.abort_uploads leaves it alone");
	sql("SELECT link.write_file('$link', '${path}2', 'x')");
	forge('0-0-0', $text, sub { });
	is(abort_all("'$link'"), "public.$link|$path|failed: its upload is that of another record, and in progress", "$link: also under a forged record");
	unlink "$dir/0-0-0";
	like(finish($export), qr/^60001$/m, "$link: it ends well");
	is(sql("SELECT length(link.read_file('$link', '$path')) > 19000000"), 't', "$link: whole");
	is(join(' ', records()), '', "$link: and is no more on record");
	sql("SELECT link.remove_file('$link', '$path'); SELECT link.remove_file('$link', '${path}2')");
}

# Without an id: killed between the record and the answer.  On the real server.
sub no_id { my ($name) = @_; rewrite($name, sub { s/^upload=.*\n//m }) }
sub begin_upload { return aws('s3api', 'create-multipart-upload', '--bucket', 'journal', '--key', $_[0], '--query', 'UploadId', '--output', 'text') =~ s/\s//r }

no_id(orphan('s3', 'journal/k'));
begin_upload('k2');
is(abort_all("'s3'"), 'public.s3|journal/k|aborted', 'no id: the only upload of the key is found');
is(join(' ', uploads_left('journal')), 'k2', 'that of a longer key stays');

rewrite(orphan('s3', 'journal/k'), sub { s/^upload=.*\n/upload=/m });
is(abort_all("'s3'"), 'public.s3|journal/k|aborted', 'an id that was cut off in the middle counts as none');

no_id($record = orphan('s3', 'journal/k'));
begin_upload('k');
like(abort_all("'s3'"), qr{^public.s3\|journal/k\|in doubt: 2 uploads}, 'no id: two that began in time are in doubt');
is(join(' ', sort { $a cmp $b } uploads_left('journal')), 'k k k2', 'and stay');
is(join(' ', records()), $record, 'on record');
rewrite($record, sub { s/^(started|latest)=(\d+)/"$1=" . ($2 - 3600 * 1000000)/gme });
is(abort_all("'s3'"), 'public.s3|journal/k|in doubt: uploads of this object were begun, but at other times', 'no id: those of another time stay too');
my ($live) = map { begin_export('s3', 'journal/k') } 1;
like(abort_all("'s3'"), qr/in doubt/, 'no id: somebody else writes the object');
like(finish($live), qr/^60001$/m, 'and is not disturbed');
abort_by_hand();
is(abort_all("'s3'"), 'public.s3|journal/k|nothing left', 'no id: none of the key is there, and none can begin any more');
no_id($record = orphan('s3', 'journal/k'));
abort_by_hand();
is(abort_all("'s3'"), 'public.s3|journal/k|in doubt: its upload may still be about to begin', 'but not at once');
is(join(' ', records()), $record, 'and so it stays on record');
$live = begin_export('s3', 'journal/k');
is(abort_all("'s3'"), 'public.s3|journal/k|in doubt: its upload may still be about to begin', 'no id: the only upload in time is known to be another session\'s');
like(finish($live), qr/^60001$/m, 'and is not disturbed');
unlink "$dir/$record";

# The same on the fake, where it can be killed in that very moment.
sub fake_link
{
	my ($name, $faults) = @_;
	my ($url, $stop, $log) = start_fake($faults);
	s3_link($node, $name, config => s3_config(endpoint_url => $url));
	return $log;
}
my %no_id = (pattern => qr/^latest=\d+\n\z/m);
my $log = fake_link('lost', '[{"method":"POST","match":"?uploads","do":"hang","seconds":600},{"method":"POST","match":"?uploads","do":"lose"}]');
$live = begin_export('lost', 'b/k', %no_id);
wait_for('its request', sub { fake_log($log) =~ /uploads= hang/ });
my $lost = begin_export('lost', 'b/k', %no_id);
wait_for('the other', sub { fake_log($log) =~ /uploads= lose/ });
$way{pg_terminate_backend}->($lost->{pid});
eval { $lost->{psql}->quit };
is(abort_all("'lost'"), 'public.lost|b/k|in doubt: the only upload may be that of a session that is about to begin', 'killed before the answer, and another waits for it');
unlike(fake_log($log), qr/^DELETE/m, 'nothing is tried');
$way{pg_terminate_backend}->($live->{pid});
eval { $live->{psql}->quit };
is(abort_all("'lost'"), "public.lost|b/k|aborted\npublic.lost|b/k|in doubt: its upload may still be about to begin", 'once both are gone');
is(scalar(() = fake_log($log) =~ /^DELETE/mg), 1, 'the one upload is aborted');
is(scalar(records()), 1, 'and one record goes');
unlink map { "$dir/$_" } records();
$log = fake_link('ago', '[{"method":"POST","match":"?uploads","do":"ago","seconds":300}]');
no_id(orphan('ago', 'b/k'));
is(abort_all("'ago'"), 'public.ago|b/k|in doubt: uploads of this object were begun, but at other times', 'one that began five minutes before the record is not it');
unlink map { "$dir/$_" } records();

# Cancelled between the record and the answer.
$log = fake_link('unanswered', '[{"method":"POST","match":"?uploads","do":"lose"}]');
my ($out, $err);
$node->psql('postgres', "SET statement_timeout = '2s';\nSELECT link.select_into('$fast', 'unanswered', 'b/k', overwrite => true);\n", stdout => \$out, stderr => \$err, on_error_stop => 0);
like($err, qr/canceling statement/, 'a cancel while the server does not answer');
is(abort_all("'unanswered'"), 'public.unanswered|b/k|aborted', 'leaves a record without an id');
is(join(' ', records()), '', 'until its upload is found');

# Two at once: the second does not touch what the first is about to take back.
$log = fake_link('twice', '[{"method":"DELETE","do":"late","seconds":1.5}]');
orphan('twice', 'b/k');
my $first = $node->background_psql('postgres');
$first->query_until(qr/go/, "\\echo go\nSELECT outcome FROM link.abort_uploads('twice');\n");
wait_for('its request', sub { fake_log($log) =~ /^DELETE/m });
is(abort_all("'twice'"), '', 'somebody else is at it');
like($first->query("SELECT 'end'"), qr/^aborted$/m, 'and does it');
$first->quit;
is(scalar(() = fake_log($log) =~ /^DELETE/mg), 1, 'once');

# A server that fails: the record stays, the statement does not suffer.
$log = fake_link('failing', '[{"method":"DELETE","do":"status","status":503},{"method":"DELETE","do":"status","status":403,"code":"AccessDenied"},
	{"method":"DELETE","do":"reset"},{"method":"DELETE","do":"hang","seconds":30},{"method":"DELETE","do":"hang","seconds":30}]');
$record = orphan('failing', 'b/k');
is(abort_all("'failing'"), 'public.failing|b/k|failed: The server answered HTTP 503, SlowDown: scripted SlowDown (request id req-1).', 'a server that is overloaded');
is(abort_all("'failing'"), 'public.failing|b/k|failed: The server answered HTTP 403, AccessDenied: scripted AccessDenied (request id req-1).', 'that denies it');
is(abort_all("'failing'"), 'public.failing|b/k|failed: the server gave no answer', 'that hangs up');
my $start = time;
sql("SELECT link.write_file('failing', 'b/x', 'x')");
cmp_ok(time - $start, '<', 4, 'that hangs: the statement succeeds after two seconds');
$start = time;
is(abort_all("'failing'"), 'public.failing|b/k|failed: the server gave no answer', 'and fails');
cmp_ok(time - $start, '<', 4, 'as soon');
is(join(' ', records()), $record, 'the record stays all the while');
sql("SELECT link.write_file('failing', 'b/y', 'x')");
is(join(' ', records()), '', 'until it is done');

# An abort that did not get through is an orphan of the session that lives on.
$log = fake_link('hung', '[{"method":"DELETE","do":"hang","seconds":30}]');
$node->psql('postgres', "SET statement_timeout = '2s';\nSELECT link.select_into('$slow', 'hung', 'b/k');\nRESET statement_timeout;\n"
	  . "SELECT value FROM link.status() WHERE item = 'orphaned uploads';\nSELECT link.write_file('hung', 'b/x', 'x');\n"
	  . "SELECT value FROM link.status() WHERE item = 'orphaned uploads';\n", stdout => \$out, stderr => \$err, on_error_stop => 0);
like($err, qr/canceling statement/, 'a cancel, and an abort that hangs');
is($out, "1\n\n0", 'is an orphan until the next use');

# Completed, but nobody was told.
$log = fake_link('told', '[{"method":"POST","match":"uploadId","do":"lose"},{"method":"DELETE","do":"hang","seconds":30}]');
$node->psql('postgres', "SET statement_timeout = '4s';\nSELECT link.select_into('$fast', 'told', 'b/k');\n", stdout => \$out, stderr => \$err, on_error_stop => 0);
like($err, qr/canceling statement/, 'a completion without an answer');
is(scalar(records()), 1, 'stays on record');
is(abort_all("'told'"), 'public.told|b/k|nothing left', 'its upload is gone');
is(sql("SELECT length(link.read_file('told', 'b/k')) > 19000000"), 't', 'and the object stays');

# Links that were changed since.
my $credentials = qq({"aws_access_key_id":"$ENV{LINK_S3_ACCESS_KEY}","aws_secret_access_key":"$ENV{LINK_S3_SECRET_KEY}"});
my ($url, $stop, $elsewhere) = start_fake('[]');
orphan('s3', 'journal/a');
orphan('fs', 'a');
mkdir "$root/below" or die;
sql('SELECT link.alter_link(' . join(', ', map { quote($_) } 's3', s3_config(endpoint_url => $url), $credentials) . ')');
sql("SELECT link.set_link_config('fs', 'root', '$root/below')");
is(abort_all(''), "public.s3|journal/a|in doubt: the link leads elsewhere now\npublic.fs|a|in doubt: the link leads elsewhere now", 'links that lead elsewhere now');
unlike(fake_log($elsewhere), qr/DELETE|uploads/, 'where nobody is asked');
sql('SELECT link.alter_link(' . join(', ', map { quote($_) } 's3', s3_config(), $credentials) . ')');
sql("SELECT link.alter_link('fs', '{\"root\":\"$root\",\"path_prefixes\":[\"b/\"]}')");
is(abort_all(''), "public.s3|journal/a|aborted\npublic.fs|a|failed: link public.fs may not touch path \"a\"", 'a link that was limited since');
sql("SELECT link.alter_link('fs', '{\"root\":\"$root\"}')");
is(abort_all(''), 'public.fs|a|aborted', 'and back');
sql("SELECT link.create_link('gone', 'FS', config => '{\"root\":\"$root\"}')");
$record = orphan('gone', 'a');
sql("SELECT link.drop_link('gone')");
is(abort_all(''), "|a|the link is gone: link_uploads/$record", 'a link that is gone');
is($node->safe_psql('postgres', 'SELECT * FROM link.abort_uploads()', extra_params => [ '-U', 'writer' ]), '', 'which superusers alone are told');
is(scalar(hidden_files()), 1, 'the file stays');
my $genuine = record_text($record);
unlink "$dir/$record", glob("$root/.link-*.tmp");

# Whatever else is in the directory.
my $other = $node->safe_psql('postgres', 'CREATE DATABASE other') . sql("SELECT oid FROM pg_database WHERE datname = 'other'");
forge('1-0-0', $genuine, sub { s/^database=.*/database=$other/m });
forge('1-0-1', $genuine, sub { s/^database=.*/database=4294967295/m });
forge('1-0-2', $genuine, sub { s/^server=\d/server=/m });
copy("$dir/1-0-0", "$dir/1-0-3") or die;
my %bad = (
	'2-empty' => '',
	'2-0-1' => '',
	'2-0-2' => "\0" x 100,
	'2-0-3' => join('', map { chr rand 256 } 1 .. 5000),
	'2-0-4' => $genuine . 'x' x 1_000_000,
	'2-0-5' => substr($genuine, 0, 100),
	'2-0-6' => $genuine =~ s/^version=1/version=2/r,
	'2-0-7' => $genuine =~ s/^link=.*/link=-1/mr,
	'2-0-8' => $genuine =~ s/^started=.*/started=99999999999999999999999999/mr,
	'2-0-9' => $genuine =~ s/^type=FS/type=fs/mr,
	'2-1-0' => $genuine . "upload=second\n",
	'2-1-1' => $genuine =~ s/^path=.*\n//mr,
	"2-\e[1m" => $genuine,
	'2-' . '0' x 200 => $genuine);
foreach my $name (keys %bad)
{
	open my $fh, '>', "$dir/$name" or die $!;
	print $fh $bad{$name};
	close $fh;
}
symlink "$dir/1-0-0", "$dir/3-0-0" or die;
system('mkfifo', "$dir/3-0-1") == 0 or die;
mkdir "$dir/3-0-2" or die;
my $before = join ' ', records();
is(orphans(), '0, and 2 in other databases, 2 of another server, ' . (keys(%bad) + 3) . ' unreadable', 'the status counts what it finds');
my $reported = sql("SELECT coalesce(path, '-'), outcome FROM link.abort_uploads() ORDER BY outcome COLLATE \"C\"");
like($reported, qr{^a\|the database is gone: link_uploads/1-0-1$}m, 'a database that is gone');
like($reported, qr{^a\|record of another server: link_uploads/1-0-2$}m, 'a record of another server');
like($reported, qr{^a\|record of another server: link_uploads/1-0-3$}m, 'and one that is a copy');
is(scalar(() = $reported =~ m{^-\|unreadable record: link_uploads/[23]-[^\n]*$}mg), keys(%bad) + 3, 'what is no record is told by its name');
like($reported, qr{2-\\x1b\[1m$}m, 'made printable');
unlike($reported, qr{1-0-0}, 'those of other databases are told there');
is($node->safe_psql('other', 'CREATE EXTENSION link; SELECT outcome FROM link.abort_uploads() WHERE path IS NOT NULL ORDER BY 1') =~ s/link_uploads.*//gmr,
	"record of another server: \nrecord of another server: \nthe database is gone: \nthe link is gone: ", 'there');
is($node->safe_psql('postgres', 'SELECT * FROM link.abort_uploads()', extra_params => [ '-U', 'writer' ]), '', 'to others than superusers not at all');
is(sql("SELECT link.write_file('fs', 'next', 'x', overwrite => true)"), '', 'writers do not mind them');
is(join(' ', records()), $before, 'and nothing of it is touched');
rmdir "$dir/3-0-2";
unlink glob("$dir/[123]-*");

# Records of the right form that say what they should not.
sub touch { open my $fh, '>', $_[0] or die "$_[0]: $!"; close $fh; return $_[0] }
my $link_id = sql("SELECT id FROM link.link WHERE name = 'fs'");
my $hidden = '.link-0123456789abcdef.tmp';
my @precious = map { touch($_) } $node->basedir . "/$hidden", "$root/$hidden", "$root/precious";
my @tricks = (
	[ '../a', $hidden, 'failed: invalid path: "../a"' ],
	[ '/a', $hidden, 'failed: invalid path: "/a"' ],
	[ "a\xff", $hidden, 'failed: invalid path: "a\\xff"' ],
	[ 'a', "../$hidden", 'failed: it names no unfinished file' ],
	[ 'a', 'precious', 'failed: it names no unfinished file' ],
	[ 'a', '.link-0123456789ABCDEF.tmp', 'failed: it names no unfinished file' ],
	[ 'a', '.link-../precious/.tmp', 'failed: it names no unfinished file' ],
	[ 'a', undef, 'failed: it names no unfinished file' ]);
foreach my $trick (@tricks)
{
	my ($path, $upload, $expected) = @$trick;
	forge('4-0-0', $genuine, sub {
		s/^link=.*/link=$link_id/m;
		s/^path=.*/path=$path/m;
		s/^upload=.*\n/defined $upload ? "upload=$upload\n" : ''/me;
	});
	is(sql("SELECT outcome FROM link.abort_uploads('fs')"), $expected, 'path ' . ($path =~ s/\xff/?/r) . ', file ' . ($upload // '?'));
	is(sql("SELECT rows FROM link.select_into('SELECT 1', 'fs', 'next', overwrite => true)"), '1', '  does not keep others from writing');
}
is(scalar(grep { -e } @precious), 3, 'no other file is touched');
forge('4-0-0', $genuine, sub { s/^link=.*/link=$link_id/m; s/^upload=.*/upload=$hidden/m });
is(abort_all("'fs'"), 'public.fs|a|aborted', 'a proper one of the same form is obeyed');
is(scalar(grep { -e } @precious), 2, 'so the test can fail');
my $s3_id = sql("SELECT id FROM link.link WHERE name = 's3'");
forge('4-0-0', $genuine, sub { s/^link=.*/link=$s3_id/m });
like(abort_all("'s3'"), qr/failed: upload is of another link/, 'a record of another type of link');
unlink "$dir/4-0-0";

# Records that were never finished.
touch("$dir/5-0-0.tmp");
touch("$dir/5-0-1.tmp");
open my $locked, '<', "$dir/5-0-1.tmp" or die;
flock $locked, 2;
orphans();
is(join(' ', map { s{.*/}{}r } glob("$dir/*")), '5-0-1.tmp', 'are swept up, but for those that somebody is writing');
close $locked;
orphans();
is(join(' ', records()), '', 'or was');

# A standby has its own, and copies of its primary's.
$live = begin_export('s3', 'journal/live');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\n");
$standby->start;
my $of_standby = $standby->data_dir . '/link_uploads';
is($standby->safe_psql('postgres', "SELECT value FROM link.status() WHERE item = 'orphaned uploads'"), '0, and 1 of another server', 'a standby knows the records of its primary');
is($standby->safe_psql('postgres', 'SELECT path, outcome FROM link.abort_uploads()'), "journal/live|record of another server: link_uploads/$live->{record}", 'and leaves them alone');
is($standby->safe_psql('postgres', "SELECT rows FROM link.select_into('$fast', 's3', 'journal/standby')"), '60001', 'an export of the standby');
is(join(' ', uploads_left('journal')), 'live', 'leaves the upload of the primary alone too');
like(finish($live), qr/^60001$/m, 'which ends well');
{
	my $psql = $standby->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');
	$psql->query_until(qr/go/, "\\echo go\nSELECT link.select_into('" . $slow =~ s/pg_advisory_lock_shared\(1\)/pg_sleep(600)/r . "', 's3', 'journal/out');\n");
	wait_for('the record on the standby', sub { grep { slurp_file($_) =~ /^path=journal\/out\n.*^upload=.+\n/ms } glob("$of_standby/*") });
	$standby->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
	eval { $psql->quit };
}
is(join(' ', uploads_left('journal')), 'out', 'killed on the standby');
sql("SELECT link.write_file('s3', 'journal/next', 'x', overwrite => true)");
is(join(' ', uploads_left('journal')), 'out', 'the primary does not know of it');
$standby->safe_psql('postgres', "SELECT link.write_file('s3', 'journal/next', 'x', overwrite => true)");
is(join(' ', uploads_left('journal')), '', 'the next use there takes it back');
$standby->stop;

is(join(' ', records()), '', 'nothing is on record in the end');
is(join(' ', hidden_files()), '', 'nor is anything left of ours');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal (?!9)/, 'the log tells of no crash but those of ours');

done_testing();
