# What a session keeps of a link: connections, for the same version of the same
# row only; and what reaches a transfer that is under way: new credentials,
# REVOKE, DROP (SECURITY 13).

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('caches');
my ($url, $stop, $log) = start_fake('[]');

$node->safe_psql('postgres', q{
	CREATE ROLE user1 LOGIN;
	CREATE TABLE rows AS SELECT n, repeat(md5(n::text), 10) AS filler FROM generate_series(1, 30000) n;
	GRANT SELECT ON rows TO user1});
s3_link($node, 'l', key => 'AKIAONE', secret => 'one', config => s3_config(endpoint_url => $url));
$node->safe_psql('postgres', "SELECT link.grant_privilege('USE', 'LINK l', 'user1'); SELECT link.write_file('l', 'b/x', 'x')");

# Lines that the fake logs while some SQL runs in one session.
sub during
{
	my ($sql, %arg) = @_;
	my $before = length(fake_log($log));
	my ($out, $err);
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 0,
		extra_params => $arg{user} ? [ '-U', $arg{user} ] : []);
	return (substr(fake_log($log), $before), $out, $err);
}
sub connections { my ($lines) = @_; return scalar(() = $lines =~ /^CONNECT$/mg); }

my $read = "SELECT link.read_file('l', 'b/x');\n";
my ($lines) = during($read x 10);
is(scalar(() = $lines =~ m{^GET /b/x}mg), 10, 'ten reads');
is(connections($lines), 1, 'over one connection');
($lines) = during($read . "DISCARD ALL;\n" . $read);
is(connections($lines), 2, 'DISCARD ALL closes it');
($lines) = during($read . "SELECT link.alter_link('l', description => 'changed');\n" . $read);
is(connections($lines), 2, 'a change of the link closes it');
($lines) = during($read . "SELECT link.read_file('l', 'b/absent');\n" . $read);
is(connections($lines), 2, 'an error closes it');
($lines) = during("$read\\! psql -X -q -h @{[$node->host]} -p @{[$node->port]} -c \"SELECT link.alter_link('l', description => 'again')\" postgres\n$read");
is(connections($lines), 2, 'so does a change by another session');
s3_link($node, 'twin', key => 'AKIATWIN', secret => 'twin', config => s3_config(endpoint_url => $url));
($lines) = during($read . "SELECT link.read_file('twin', 'b/x');\n" . $read);
is(connections($lines), 2, 'each link has its own');

# Rights are asked before a waiting connection is used.
(undef, my $out, my $err) = during($read
	  . "\\! psql -X -q -h @{[$node->host]} -p @{[$node->port]} -c \"SELECT link.revoke_privilege('USE', 'LINK l', 'user1')\" postgres\n$read", user => 'user1');
like($out, qr/^\\x78$/m, 'a user reads');
like($err, qr/permission denied for link l/, 'and no more after REVOKE, in the same session');
$node->safe_psql('postgres', "SELECT link.grant_privilege('USE', 'LINK l', 'user1')");

# An export whose first part is sent at once, and which then takes its time.
my $slow = "SELECT n, filler, CASE WHEN n > 20000 AND n % 1000 = 0 THEN pg_sleep(1) END FROM rows";
sub export_while
{
	my ($path, $change) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'user1' ]);
	my $before = length(fake_log($log));
	$psql->query_until(qr/go/, "\\echo go\nSELECT rows FROM link.select_into(\$\$$slow\$\$, 'l', '$path', overwrite => true);\n\\echo ended\n");
	sleep 1;
	$node->safe_psql('postgres', $change);
	$psql->query_until(qr/ended/, "\n");
	my $stderr = $psql->{stderr};
	eval { $psql->quit };
	return (substr(fake_log($log), $before), $stderr);
}
$node->safe_psql('postgres', "SELECT link.set_link_config('l', 'multipart_chunk_size_mb', '5')");
($lines, $err) = export_while('b/rotated', q{SELECT link.alter_link('l', credentials => '{"aws_access_key_id":"AKIATWO","aws_secret_access_key":"two"}')});
unlike($err, qr/ERROR/, 'an export goes on while its credentials change');
like($lines, qr{^POST /b/rotated\?uploads\S* - AKIAONE$}m, 'it began with the old key') or diag($lines);
like($lines, qr{^POST /b/rotated\?uploadId=\S* - AKIATWO$}m, 'and ended with the new one') or diag($lines);
($lines, $err) = export_while('b/revoked', "SELECT link.revoke_privilege('USE', 'LINK l', 'user1')");
like($err, qr/ERROR:  the privileges on link .*l have been revoked while it was used/, 'REVOKE stops an export');
unlike($lines, qr{^POST /b/revoked\?uploadId}m, 'which is not completed');
like($lines, qr{^DELETE /b/revoked\?uploadId}m, 'but aborted') or diag($lines);
$node->safe_psql('postgres', "SELECT link.grant_privilege('USE', 'LINK l', 'user1')");
($lines, $err) = export_while('b/moved', qq{SELECT link.alter_link('l', config => '{"endpoint_url":"http://127.0.0.1:1","region":"us-east-1"}', credentials => '{"aws_access_key_id":"AKIATHREE","aws_secret_access_key":"three"}')});
like($err, qr/ERROR:  link .*l has been changed to lead elsewhere/, 'a new origin stops an export');
unlike($lines, qr/AKIATHREE/, 'and the old place sees nothing of the new key');
$stop->();

done_testing();
