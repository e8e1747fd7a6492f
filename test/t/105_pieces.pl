# Large objects are read as ranges of 8 MiB, four of them on their way at a time
# and all of one version; small ones, and those of servers that cannot do that, are
# one request.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use LinkTest;
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

need_s3();
need_service('azurite');

my $piece = 8 * 1024 * 1024;
my $node = new_node('pieces', conf => "shared_buffers = '1MB'\n");
sub sql { return $node->safe_psql('postgres', $_[0]) }

#
# Real servers.
#

{
	my ($account, $key) = @ENV{qw(LINK_AZURE_ACCOUNT LINK_AZURE_KEY)};
	my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime);
	my $text = "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:$date\nx-ms-version:2021-08-06\n/$account/$account/pieces\nrestype:container";
	my $signature = hmac_sha256_base64($text, decode_base64($key));
	$signature .= '=' while length($signature) % 4;
	system_or_bail('curl', '-sS', '--fail-with-body', '--noproxy', '*', '-X', 'PUT', '-H', "x-ms-date: $date", '-H', 'x-ms-version: 2021-08-06',
		'-H', 'Content-Length: 0', '-H', "Authorization: SharedKey $account:$signature", "$ENV{LINK_AZURE_ENDPOINT}/$account/pieces?restype=container");
	make_link($node, 'azure', 'AZURE', { account_name => $account, account_key => $key }, { endpoint_url => "$ENV{LINK_AZURE_ENDPOINT}/$account" });
}
make_bucket('pieces');
s3_link($node, 's3');

# Hexadecimal digits, which no codec makes much less of: 42 MB, compressed more than two pieces.
sql(q{CREATE TABLE rows AS SELECT n, (SELECT string_agg(md5((n * 10 + i)::text), '') FROM generate_series(0, 9) i) AS a FROM generate_series(1, 128000) n;
	CREATE TABLE loaded (LIKE rows)});
foreach my $link ('s3', 'azure')
{
	foreach my $ending ('', '.zst')
	{
		# requests: those of this session
		my $bytes = sql("SELECT bytes FROM link.select_into('TABLE rows', '$link', 'pieces/large/x$ending', 'csv')");
		cmp_ok($bytes, '>', 2 * $piece, "$link, an object of $bytes bytes") or next;
		is(sql("TRUNCATE loaded; SELECT rows, bytes FROM link.load_data('$link', 'pieces/large/x$ending', 'loaded', format => 'csv');
			SELECT requests, retries FROM link.stat_links WHERE link = '$link';
			SELECT count(*) FROM (TABLE rows EXCEPT TABLE loaded) d"),
			join("\n", "128000|$bytes", int(($bytes + $piece - 1) / $piece) . '|0', 0), "... is loaded by a request for each 8 MiB");
	}
	is(sql("SELECT link.load_data('$link', 'pieces/large/', 'loaded', format => 'csv'); TRUNCATE loaded;
		SELECT count(*), sum(rows) FROM link.load_data('$link', 'pieces/large/', 'loaded', format => 'csv')") =~ s/.*\n//sr, '2|256000', "$link: two in a row");
	my $bad = '';
	foreach my $size (0, 1, $piece - 1, $piece, $piece + 1, 2 * $piece, 2 * $piece + 1)
	{
		my $bytes = "convert_to(left(repeat('0123456789abc', $size / 13 + 1), $size), 'UTF8')";
		my $got = sql("SELECT link.write_file('$link', 'pieces/size', $bytes, overwrite => true);
			SELECT link.read_file('$link', 'pieces/size') = $bytes");
		$bad .= "$size: $got " unless $got =~ /\nt$/;
	}
	is($bad, '', "$link: objects of all sizes");
}

#
# The fake: "large" has five pieces, "four" four, "one" less than one.
#

my $lines = 5 * $piece / 320;
my @four = qw(together replaced removed other ignored later fewer grown plain weak broken reset busy hang);
my ($url, undef, $log) = start_fake(JSON::PP::encode_json([
	{ objects => [ 'b/large', 'b/many/1', 'b/many/2', 'b/many/3', 'b/many/4' ], lines => $lines },
	{ objects => [ map { "b/$_" } @four ], lines => 100000 },
	{ objects => [ 'b/one', 'b/small/1', 'b/small/2' ], lines => 1000 },
	{ match => '/b/large', range => '=0-', do => 'pause' },
	{ match => '/b/large', range => '=(8388608|16777216|25165824)-', do => 'gather', of => 3, seconds => 20, times => 3 },
	{ match => '/b/together', range => '=(8388608|16777216|25165824)-', do => 'gather', of => 3, seconds => 20, times => 3 },
	{ match => '/b/many/', range => '=0-', do => 'gather', of => 3, seconds => 20, times => 3 },
	{ match => '/b/replaced', range => '=16777216-', do => 'changed' },
	{ match => '/b/removed', range => '=16777216-', do => 'removed' },
	{ match => '/b/other', range => '=16777216-', do => 'other' },
	{ match => '/b/ignored', do => 'whole', times => 100 },
	{ match => '/b/later', range => '=16777216-', do => 'whole' },
	{ match => '/b/fewer', range => '=16777216-', do => 'fewer' },
	{ match => '/b/grown', range => '=16777216-', do => 'grown' },
	{ match => '/b/plain', do => 'no_etag', times => 100 },
	{ match => '/b/weak', do => 'weak', times => 100 },
	{ match => '/b/broken', range => '=(0|16777216)-', do => 'cut', times => 2 },
	{ match => '/b/reset', range => '=16777216-', do => 'reset' },
	{ match => '/b/busy', range => '=8388608-', do => 'status', status => 503 },
	{ match => '/b/hang', range => '=8388608-', do => 'hang', seconds => 30, times => 100 } ]));
s3_link($node, 'fake', config => s3_config(endpoint_url => $url));
sql('CREATE TABLE t (n int, a text)');

# loads(PATH, ROWS, OBJECTS): so many in each; gives what the fake says of it.
sub loads
{
	my ($path, $rows, $objects) = (@_, 1);
	my $before = length fake_log($log);
	is(sql("TRUNCATE t; SELECT sum(rows) FROM link.load_data('fake', 'b/$path', 't', format => 'csv');
		SELECT count(*), bool_and(n = r % $rows), bool_and(length(a) = 311) FROM (SELECT *, row_number() OVER (ORDER BY ctid) - 1 AS r FROM t) t"),
		$rows * $objects . "\n" . $rows * $objects . '|t|t', "$path: every row, in order");
	return substr(fake_log($log), $before);
}

# fails(PATH, SQLSTATE, PATTERN)
sub fails
{
	my ($path, $sqlstate, $pattern) = @_;
	my $err = '';
	$node->psql('postgres', "\\set VERBOSITY verbose\nTRUNCATE t; SELECT link.load_data('fake', 'b/$path', 't', format => 'csv')", stderr => \$err);
	like($err, qr/ERROR:  $sqlstate: .*$pattern/, $path);
	is(sql('SELECT count(*) FROM t'), '0', '... nothing is loaded');
	return $err;
}

# Those that are on their way together come in any order.
sub ranges { no warnings 'numeric'; return join ' ', sort { $a <=> $b } map { s/^ bytes=//r } grep { /^ / } split /\n/, $_[0] }

my $got = loads('large', $lines);
my ($etag) = $got =~ /("[0-9a-f]{32}")$/m;
is(ranges($got), "0-8388607 - 8388608-16777215 $etag 16777216-25165823 $etag 25165824-33554431 $etag 33554432-41943039 $etag",
	'asked for as pieces, of one version');
is(scalar(() = $got =~ /^GATHERED$/mg), 3, 'the three behind the first are on their way together');
unlike($got, qr/^WAITED$/m, '... and none waits for another');
unlike($got =~ s/GATHERED.*//sr, qr/33554432-/, '... while the last one does, for the first to be read');
is(scalar(() = $got =~ /^CONNECT$/mg), 4, 'over as many connections');
loads('together', 100000);

$got = loads('many/', $lines, 4);
is(scalar(() = $got =~ /^GATHERED$/mg), 3, 'the beginnings of the next objects too');
unlike($got =~ s/GATHERED.*//sr, qr{^GET /b/many/4}m, '... of as many as there is memory for');
$got = loads('small/', 1000, 2);
is(scalar(() = $got =~ m{^GET /b/small/}mg), 2, 'small ones of a listing: one request each');
is(ranges($got), '', '... for all of it');
$got = loads('one', 1000);
is(scalar(() = $got =~ m{^GET /b/}mg), 1, 'one whose size is not known: one request');
is(ranges($got), '0-8388607 -', '... for a piece');

like(fails('replaced', 'XX001', 'replaced while it was read'), qr/HTTP 412/, '... as the server says');
fails('removed', 'XX001', 'could not read "b/removed" through link .*: it was changed while it was read');
fails('other', 'XX001', 'could not read "b/other" through link .*: it was changed while it was read');
fails('grown', 'XX001', 'object "b/grown" of link .* was changed while it was read');
fails('fewer', '08P01', 'could not read "b/fewer"');
fails('later', '08P01', 'could not read "b/later"');

$got = loads('ignored', 100000);
is(scalar(() = $got =~ m{^GET /b/}mg), 1, 'a server that knows no ranges: one request');
foreach my $path ('plain', 'weak')
{
	$got = loads($path, 100000);
	is(scalar(() = $got =~ m{^GET /b/}mg), 2, "no ETag that a condition takes: one stream");
	is(ranges($got), '0-8388607 -', '... of all of it');
}

$got = loads('broken', 100000);
my %rest = map { /^ bytes=(\d+)-(\d+) "/ ? ($2 => $1) : () } split /\n/, $got;	# what was asked for last
ok($rest{ 2 * $piece - 1 + $piece } > 2 * $piece, 'a piece that breaks goes on where it broke');
ok($rest{ $piece - 1 } > 0, '... the first too');
is(scalar(() = $got =~ m{^GET /b/}mg), 6, '... no more is asked for than is missing');
$got = loads('reset', 100000);
is(scalar(() = $got =~ m{^GET /b/}mg), 5, 'a piece that is not answered is asked for again');
$got = loads('busy', 100000);
is(scalar(() = $got =~ m{^GET /b/}mg), 5, '... or refused for the moment');

# Whatever ends the load ends all of them.
my ($out, $err) = ('', '');
my $start = time;
$node->psql('postgres', "\\set VERBOSITY sqlstate\nSET statement_timeout = '1s';
	SELECT link.load_data('fake', 'b/hang', 't', format => 'csv'); RESET statement_timeout;
	CREATE TABLE dates (n int, d date);
	SELECT link.load_data('fake', 'b/hang', 'dates', format => 'csv');
	SELECT rows FROM link.load_data('fake', 'b/one', 't', format => 'csv')", stdout => \$out, stderr => \$err, on_error_stop => 0);
like($err, qr/ERROR:  57014/, 'cancel while pieces are awaited');
like($err, qr/ERROR:  22007/, 'an error in the first row');
cmp_ok(time - $start, '<', 8, '... at once');
like($out, qr/^1000$/m, '... and the session goes on');

# Memory: of an object and of the beginnings of those that follow.
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe("SELECT rows FROM link.load_data('fake', 'b/one', 't', format => 'csv'); SELECT pg_backend_pid()") =~ s/.*\n//sr;
my $memory = sub { my ($field) = @_; return slurp_file("/proc/$pid/status") =~ /^$field:\s+(\d+)/m ? $1 : die };
append_to_file("/proc/$pid/clear_refs", '5');
my $before = $memory->('VmRSS');
is($session->query_safe("SELECT sum(rows) FROM link.load_data('fake', 'b/many/', 't', format => 'csv')"), 4 * $lines, 'four large objects');
my $growth = ($memory->('VmHWM') - $before) / 1024;
cmp_ok($growth, '<', 64, sprintf('... in little memory (%.1f MiB)', $growth));
cmp_ok($growth, '>', 8, '... as measured');
$session->quit;

unlike(slurp_file($node->logfile), qr/PANIC|server process .* was terminated by signal|TRAP/, 'nothing crashed');
$node->stop;
done_testing();
