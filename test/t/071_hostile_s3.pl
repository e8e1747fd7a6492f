# A server that means harm (test/services/hostile_s3.py): whatever it answers,
# the statement ends soon with a clear error, no secret is in it, the session
# goes on, and nothing that was there before is lost.

use strict;
use warnings;
use HostileS3;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $secret = 'aB3/xY+zQ9kLmN0pQrStUvWxYz12345678abcdEF';
my $node = new_node('hostile', conf => "link.request_timeout = '1s'\nlink.retry_timeout = '2s'\nlog_error_verbosity = verbose\n");
my $elsewhere = start_hostile();
my $server = start_hostile($elsewhere->{url}, $secret);
s3_link($node, 'hostile', key => 'AKIAHOSTILE', secret => $secret, config => s3_config(endpoint_url => $server->{url}));
$node->safe_psql('postgres', "CREATE TABLE kept AS SELECT md5(n::text) AS a FROM generate_series(1, 1000) n");

# harm(BUCKET, VERB, SQLSTATES, PATTERN): in a session that goes on. Where libcurl
# decides, versions of it differ.
my %verbs = (
	list => "SELECT path, size FROM link.list_files('hostile', 'BUCKET/p/')",
	read => "SELECT length(link.read_file('hostile', 'BUCKET/x'))",
	load => "SELECT link.load_data('hostile', 'BUCKET/x', 'kept')",
	load_small => "SELECT link.load_data('hostile', 'BUCKET/p/', 'kept')",
	check => "SELECT * FROM link.check_link('hostile', 'BUCKET')",
	remove => "SELECT link.remove_file('hostile', 'BUCKET/x')",
	write => "SELECT link.write_file('hostile', 'BUCKET/x', 'x', overwrite => true)",
	export => "SELECT rows FROM link.select_into('SELECT repeat(md5(n::text), 30) FROM generate_series(1, 12000) n', 'hostile', 'BUCKET/x')");

sub harm
{
	my ($bucket, $verb, $sqlstate, $pattern, %arg) = @_;
	my $start = time;
	my ($out, $err, $timed_out);
	$node->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '20s';\n" . ($arg{before} // '') . $verbs{$verb} =~ s/BUCKET/$bucket/r . ";\nSELECT 'alive';\n",
		stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 30, timed_out => \$timed_out);
	my $took = time - $start;
	my ($got) = $err =~ /ERROR:  ([0-9A-Z]{5}):/;
	like($got // '00000', qr/^(?:$sqlstate)$/, "$bucket, $verb: the SQLSTATE") or diag($out, $err);
	like($out . $err, $pattern, "$bucket, $verb: what it says");
	like($out, qr/^alive$/m, "$bucket, $verb: the session goes on");
	cmp_ok($took, '<', $arg{within} // 3, sprintf('%s, %s: over soon (%.1f s)', $bucket, $verb, $took));
	unlike($out . $err, qr/\Q$secret\E/, "$bucket, $verb: no secret");
	return $out . $err;
}

# Listings.
harm('repeated-token', 'list', '08P01', qr/The listing does not go on/);
harm('no-token', 'list', '08P01', qr/The listing does not go on/);
harm('new-tokens', 'list', '08P01', qr/The listing does not go on/, within => 10);
harm('long-token', 'list', '08P01', qr/The listing does not go on/);
for my $case ([ 'repeated-token', 2 ], [ 'no-token', 1 ], [ 'new-tokens', 1001 ], [ 'long-token', 1 ])
{
	my ($bucket, $pages) = @$case;
	is(scalar(() = slurp_file($server->{log}) =~ m{^GET /$bucket\?}mg), $pages, "$bucket: pages asked for");
}
harm('endless-keys', 'list', '54000', qr/more than 10000 objects/);
harm('same-page', 'list', '08P01', qr/The keys of the listing do not ascend/);
harm('descending', 'list', '08P01', qr/The keys of the listing do not ascend/);
harm('outside', 'list', '08P01', qr/a key outside of what was asked for/);
harm('long-key', 'list', '08P01', qr/A key of the listing is too long/);
harm($_, 'list', '08P01', qr/no key or no size/) for qw(negative no-number too-large);
my $listed = harm('odd-keys', 'list', '00000', qr{^odd-keys/p/a\|1$}m);
unlike($listed, qr/FORGED|\.\.|p\/\/x/, 'keys that no path may be are not listed');

# XML.
harm($_, 'list', '08P01', qr/not well-formed/)
  for qw(bomb external attributes tag-without-end deep nested huge-text not-utf8 cut-xml html);
harm('many-tags', 'list', '57014', qr/statement timeout/, before => "SET statement_timeout = '50ms';\n");
harm('attributes', 'read', '00000', qr/^\d+$/m);    # an object may hold what it likes

# Headers.
harm('long-line', 'list', '08P01', qr/a line of the answer's headers is too long/);
# A newer libcurl has limits of its own.
my $headers_too_large = qr/the headers of the answer are larger than 65536 bytes|a line of the answer's headers is too long/;
harm('many-headers', 'list', '08P01', $headers_too_large);
harm('continues', 'read', '08P01', $headers_too_large);
harm('slow-continues', 'read', '58030', qr/after \d attempts/, within => 6);
harm('nul-header', 'list', '08P01', qr/Nul byte in header/);
harm('no-http', 'list', '08P01', qr/HTTP\/0\.9/);
harm('status-0', 'list', '08P01', qr/response code/);
harm('switching', 'list', '58030|08P01', qr/could not list/, within => 6);
harm('slow-head', 'read', '58030', qr/could not read/, within => 6);

# A byte every half second.
harm('slow-page', 'list', '58030', qr/too slow/, within => 6);
harm('slow-object', 'read', '58030', qr/too slow/, within => 6);

# Redirects are not followed, neither round and round nor elsewhere.
harm('loop', $_, '22023', qr/the bucket is elsewhere/) for qw(list read remove);
for my $status (301, 302, 303, 307, 308)
{
	harm("to-$status", $_, $status == 303 ? '58030' : '22023', qr/HTTP $status/) for qw(list read write);
}

# Objects.
harm('rest', 'read', '00000', qr/^1048576$/m);      # the fault itself is cured
harm($_, 'load', 'XX001', qr/the server does not send the rest/) for qw(other-range whole-again);
harm('other-version', 'load', 'XX001', qr/it was changed while it was read/);
harm('drip', 'load', '58030', qr/after \d+ attempts/, within => 6);
harm('short', 'load', 'XX001', qr/could not read/, within => 5);
harm('no-length', 'load', '08P01', qr/does not say how long/);
harm('unasked-206', 'load', '08P01', qr/does not send the range of bytes that was asked for/);
harm('unasked-206', 'load_small', '08P01', qr/a part of the object although all of it was asked for/);
harm('unasked-416', $_, '58030', qr/HTTP 416/) for qw(load load_small);
harm('piece-shifted', 'load', '08P01', qr/does not send the range of bytes that was asked for/);
harm('piece-longer', 'load', '08P01', qr/sends more bytes than were asked for/);
harm('piece-shorter', 'load', '08P01', qr/sends fewer bytes than were asked for/);
harm('piece-whole', 'load', '08P01', qr/does not send the range of bytes that was asked for/);
harm('piece-cut', 'load', '58030', qr/after \d+ attempts/, within => 6);
harm($_, 'load', 'XX001', qr/it was changed while it was read/) for qw(piece-version piece-anonymous piece-416 piece-404);
harm('piece-412', 'load', 'XX001', qr/replaced while it was read/);
harm('piece-huge', 'read', '54000', qr/larger than 268435456 bytes/);
harm('piece-huge', 'load', 'XX001', qr/it was changed while it was read/);
harm('negative-length', 'read', '08P01', qr/Invalid Content-Length/);
harm('huge-length', 'read', '54000', qr/larger than 268435456 bytes/);
harm('two-lengths', 'read', 'XX001|08P01', qr/could not read/);
harm('endless', 'read', '54000', qr/larger than 268435456 bytes/, within => 10);
is($node->safe_psql('postgres', 'SELECT count(*) FROM kept'), '1000', 'loads that failed left no rows');

# Uploads.
harm('upload-id', 'export', '08P01', qr/no usable upload id/);
harm('part-etag', 'export', '08P01', qr/no usable ETag/);
harm('completion', 'export', '08P01', qr/does not say whether the upload is complete/);
harm('blanks', 'export', '00000', qr/^12000$/m, within => 6);    # S3 itself is that slow
my $requests = slurp_file($server->{log});
like($requests, qr{^DELETE /$_/x\?uploadId=u1 }m, "$_: aborted") for qw(part-etag completion);

# A server that says what it should not: as it is, base64, URL-encoded.
harm("echo-$_", 'list', '42501', qr/it was \[<redacted>\]/) for 0 .. 4;
harm('echo-code', 'list', '42501', qr/HTTP 403, <redacted>: x \(request id (?:<redacted>|r-1)\)/);
{
	# a secret that could be a region
	my $label = 'abcdefghijklmnopqrstuvwxyz0123456789abcd';
	my $other = start_hostile('', $label);
	s3_link($node, 'echo', key => 'AKIAHOSTILE', secret => $label, config => s3_config(endpoint_url => $other->{url}));
	my $err = '';
	$node->psql('postgres', "SELECT link.list_files('echo', 'echo-region/')", stderr => \$err);
	like($err, qr/the bucket is elsewhere/, 'a redirect to another region');
	unlike($err, qr/$label/, 'which is not repeated if it is a secret');
	is($node->safe_psql('postgres', "SELECT count(*) FROM link.list_files('echo', 'b/p/')"), '0', 'while other buckets answer');
}
my $said = harm('forged', 'list', '42501', qr/HTTP 403/);
unlike($said, qr/^\s*FORGED/m, 'no line of its own');
unlike($said, qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, 'and no control characters');

# CHECK LINK says all of it as a row.
harm('html', 'check', '00000', qr/^list\|f\|[\d.]+\|08P01: /m);

# Afterwards.
like(slurp_file($server->{log}), qr/Credential=AKIAHOSTILE/, 'the server saw who we are');
unlike(slurp_file($server->{log}), qr/external-fetched/, 'no document had another fetched');
ok(!-s $elsewhere->{log}, 'nobody came where the redirects lead');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT a) FROM kept'), '1000|1000', 'nothing is lost');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|server process .* was terminated by signal|TRAP/, 'the server was never away');
unlike($log, qr/\Q$secret\E/, 'its log holds no secret');
unlike($log, qr/^\s*FORGED|parser error|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/m, 'nor anything that the hostile server wrote by itself');

done_testing();
