# What goes wrong with S3, on the real server where it can be made to and on the
# scripted fake where not: the right SQLSTATE and words, nothing visible, no
# upload left, and a session that goes on.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

need_s3();
my $node = new_node('faults');
make_bucket('faults');
s3_link($node, 'good');
s3_link($node, 'wrong', secret => 'x' x 40);
s3_link($node, 'unknown', key => 'AKIANOBODY0000000000');
s3_link($node, 'stranger', key => $ENV{LINK_S3_OTHER_ACCESS_KEY}, secret => $ENV{LINK_S3_OTHER_SECRET_KEY});
s3_link($node, 'away', config => s3_config(endpoint_url => 'http://127.0.0.1:9'));
s3_link($node, 'forbidden', config => s3_config(endpoint_url => 'http://10.1.2.3:80'));

# 40 MB: several parts.
my $rows = "SELECT repeat(md5(n::text), 10) FROM generate_series(1, 130000) n";

# The error of a statement, in full, then proof that the session goes on.
sub failure
{
	my ($sql, %arg) = @_;
	my ($out, $err);
	$node->psql('postgres', "\\set VERBOSITY verbose\n" . ($arg{before} // '') . "$sql;\nSELECT 'alive';\n",
		stdout => \$out, stderr => \$err, on_error_stop => 0);
	like($out, qr/^alive$/m, "the session goes on after: " . substr($sql, 0, 60));
	return $err;
}

sub nothing_left
{
	my ($what) = @_;
	is(join(' ', bucket_keys('faults')), '', "no object: $what");
	is(join(' ', uploads_left('faults')), '', "no upload: $what");
}

# Credentials, buckets, hosts.
my $err = failure("SELECT link.select_into('SELECT 1', 'wrong', 'faults/x')");
like($err, qr/ERROR:  08004:/, 'a wrong secret');
like($err, qr/SignatureDoesNotMatch/, "with the provider's code");
unlike($err, qr/x{40}/, 'and no secret');
like(failure("SELECT link.list_files('unknown', 'faults/')"), qr/ERROR:  08004:.*InvalidAccessKeyId/s, 'an unknown key id');
like(failure("SELECT link.write_file('stranger', 'faults/x', 'x')"), qr/ERROR:  42501:.*AccessDenied/s, "another's bucket");
like(failure("SELECT link.select_into('SELECT 1', 'good', 'no-such-bucket/x')"), qr/ERROR:  58P01:.*bucket/s, 'a bucket that is not there');
like(failure("SELECT link.select_into('$rows', 'good', 'no-such-bucket/x')"), qr/ERROR:  58P01:.*bucket/s, 'the same in parts');
like(failure("SELECT link.read_file('good', 'faults/absent')"), qr/ERROR:  58P01:/, 'an object that is not there');
like(failure("SELECT link.remove_file('good', 'faults/absent')"), qr/ERROR:  58P01:/, 'nor to remove');
like(failure("SELECT link.load_data('good', 'faults/absent', 'pg_class')"), qr/ERROR:  (58P01|42809|42501):/, 'nor to load');
my $start = time;
like(failure("SELECT link.select_into('SELECT 1', 'away', 'faults/x')"), qr/ERROR:  08001:/, 'a server that is away');
cmp_ok(time - $start, '<', 10, 'is given up within the budget');
$err = failure("SELECT link.select_into('SELECT 1', 'forbidden', 'faults/x')");
like($err, qr/ERROR:  08001:/, 'a private address');
like($err, qr{HINT:.*http://10\.1\.2\.3:80.*link\.allowed_hosts}, 'with the entry to add');
nothing_left('refusals');

# Queries that fail, cancel, terminate.
like(failure("SELECT link.select_into('SELECT 1 / (130000 - n), repeat(md5(n::text), 10) FROM generate_series(1, 130000) n', 'good', 'faults/x')"),
	qr/ERROR:  22012:/, 'a query that fails in its last row');
nothing_left('a failed query');
like(failure("SELECT link.select_into('SELECT 1 / (3 - n) FROM generate_series(1, 3) n', 'good', 'faults/x')"),
	qr/ERROR:  22012:/, 'a small one');
nothing_left('a failed small query');
$start = time;
like(failure("SELECT link.select_into('SELECT repeat(md5(n::text), 10) FROM generate_series(1, 1000000000) n', 'good', 'faults/x')",
		before => "SET statement_timeout = '2s';\n"), qr/ERROR:  57014:/, 'cancel');
cmp_ok(time - $start, '<', 8, 'within seconds');
nothing_left('cancel');
like(failure("DO \$\$ BEGIN PERFORM link.select_into('SELECT 1 / (130000 - n), repeat(md5(n::text), 10) FROM generate_series(1, 130000) n', 'good', 'faults/x');
	EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught'; END \$\$"), qr/NOTICE:  00000: caught/, 'an error that is caught');
nothing_left('a caught error');

# Overwriting.
$node->safe_psql('postgres', "SELECT link.write_file('good', 'faults/there', 'one')");
like(failure("SELECT link.write_file('good', 'faults/there', 'two')"), qr/ERROR:  58P02:/, 'an object that is there');
like(failure("SELECT link.select_into('$rows', 'good', 'faults/there')"), qr/ERROR:  58P02:/, 'also to an export');
is($node->safe_psql('postgres', "SELECT link.read_file('good', 'faults/there')"), '\x6f6e65', 'stays as it was');
$node->safe_psql('postgres', "SELECT link.write_file('good', 'faults/there', 'two', overwrite => true)");
is($node->safe_psql('postgres', "SELECT link.read_file('good', 'faults/there')"), '\x74776f', 'unless told to overwrite');
like(failure("SELECT link.select_into('SELECT 1 / (130000 - n), repeat(md5(n::text), 10) FROM generate_series(1, 130000) n', 'good', 'faults/there', overwrite => true)"),
	qr/ERROR:  22012:/, 'a failed overwrite');
is($node->safe_psql('postgres', "SELECT link.read_file('good', 'faults/there')"), '\x74776f', 'leaves the old object');
$node->safe_psql('postgres', "SELECT link.remove_file('good', 'faults/there')");
nothing_left('removed');

# The same path twice in flight: one wins, nothing is mixed.
is($node->safe_psql('postgres', "SELECT rows FROM link.select_into('$rows', 'good', 'faults/big')"), '130000', 'an export of many parts');
is($node->safe_psql('postgres', "SELECT size > 39000000 FROM link.list_files('good', 'faults/big')"), 't', 'is listed');
$node->safe_psql('postgres', "SELECT link.remove_file('good', 'faults/big')");

# The fake: each case a server with its own script.
sub fake_case
{
	my ($name, $faults, $sql, $expect, %arg) = @_;
	my ($url, $stop, $log) = start_fake($faults);
	s3_link($node, $name, config => s3_config(endpoint_url => $url));
	my ($out, $got);
	my $status = $node->psql('postgres', "\\set VERBOSITY verbose\n" . ($arg{before} // '') . ($sql =~ s/LINK/$name/gr) . ";\nSELECT 'alive';\n",
		stdout => \$out, stderr => \$got, on_error_stop => 0);
	like($out, qr/^alive$/m, "$name: the session goes on");
	like($out . $got, $expect, $name);
	my $lines = fake_log($log);
	$arg{log}->($lines) if $arg{log};
	$stop->();
	return $lines;
}

sub aborted { my ($log) = @_; like($log, qr/^DELETE .*uploadId=/m, '  and the upload is aborted'); }

fake_case('slow_down', '[{"method":"PUT","do":"status","status":503,"times":2}]',
	"SELECT rows FROM link.select_into('SELECT 1', 'LINK', 'b/x')", qr/^1$/m,
	log => sub { is(scalar(() = $_[0] =~ /^PUT/mg), 3, '  after three tries') });
fake_case('slow_down_part', '[{"method":"PUT","match":"partNumber=2","do":"status","status":503,"times":2}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x')", qr/^130000$/m);
fake_case('always_503', '[{"method":"PUT","do":"status","status":503,"times":1000}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x')", qr/ERROR:  58030:.*SlowDown/s, log => \&aborted);
fake_case('reset_part', '[{"method":"PUT","match":"partNumber=2","do":"reset"}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x')", qr/^130000$/m);
fake_case('reset_always', '[{"method":"PUT","do":"reset","times":1000}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x')", qr/ERROR:  (58030|08001|08006):/, log => \&aborted);
fake_case('error_in_200', '[{"method":"POST","match":"uploadId","do":"error200"}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x')", qr/^130000$/m);
fake_case('errors_in_200', '[{"method":"POST","match":"uploadId","do":"error200","code":"InvalidPart","times":1000}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x')", qr/ERROR:  [0-9A-Z]{5}:.*InvalidPart/s, log => \&aborted);
fake_case('complete_twice', '[{"method":"POST","match":"uploadId","do":"status","status":500,"code":"InternalError"}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x')", qr/^130000$/m);
fake_case('cut_read', '[{"method":"GET","match":"b/x","do":"cut"}]',
	"SELECT rows FROM link.select_into('$rows', 'LINK', 'b/x');\n"
	  . "SELECT count(*), count(DISTINCT a) FROM link.select_from('LINK', 'b/x') AS t(a text)", qr/^130000\|130000$/m,
	log => sub { is(scalar(() = $_[0] =~ m{^GET /b/x}mg), 5 + 1, '  by asking for the rest of one of its five pieces') });
fake_case('short_read', '[{"method":"GET","match":"b/x","do":"short"}]',
	"SELECT rows FROM link.select_into('SELECT repeat(''x'', 3000)', 'LINK', 'b/x');\n"
	  . "SELECT length(a) FROM link.select_from('LINK', 'b/x') AS t(a text)", qr/^3000$/m,
	log => sub { is(scalar(() = $_[0] =~ m{^GET /b/x}mg), 2, '  also when it breaks before a byte of it is taken') });
fake_case('cut_always', '[{"method":"GET","match":"b/x","do":"cut","times":1000}]',
	"SELECT rows FROM link.select_into('SELECT repeat(''x'', 3000000)', 'LINK', 'b/x');\n"
	  . "SELECT length(a) FROM link.select_from('LINK', 'b/x') AS t(a text)", qr/^3000000$|ERROR:  (XX001|58030):/m);
fake_case('outside_list', '[{"method":"GET","match":"list-type","do":"extra_key","times":10}]',
	"SELECT link.write_file('LINK', 'b/p/x', 'x');\nSELECT path FROM link.list_files('LINK', 'b/p/')", qr/ERROR:  08P01:/);
fake_case('huge_list', '[{"method":"GET","match":"list-type","do":"big","times":10}]',
	"SELECT path FROM link.list_files('LINK', 'b/p/')", qr/ERROR:  08P01:/);
$start = time;
fake_case('hang', '[{"method":"PUT","do":"hang","seconds":30}]',
	"SELECT link.select_into('SELECT 1', 'LINK', 'b/x')", qr/ERROR:  57014:/, before => "SET statement_timeout = '1s';\n");
cmp_ok(time - $start, '<', 6, 'a server that hangs is left within seconds of a cancel');
$start = time;
fake_case('hang_abort', '[{"method":"PUT","match":"partNumber","do":"hang","seconds":60,"times":10},{"method":"DELETE","do":"hang","seconds":60,"times":10}]',
	"SELECT link.select_into('$rows', 'LINK', 'b/x')", qr/ERROR:  57014:/, before => "SET statement_timeout = '2s';\n");
cmp_ok(time - $start, '<', 10, 'also when the abort hangs');

# A backend that is terminated in mid-export ends at once, and the server stays.
{
	my ($url, $stop, $log) = start_fake('[{"method":"PUT","match":"partNumber","do":"hang","seconds":60,"times":10}]');
	s3_link($node, 'ended', config => s3_config(endpoint_url => $url));
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');
	$psql->query_until(qr/go/, "\\echo go\nSELECT link.select_into('$rows', 'ended', 'b/x');\n");
	sleep 1;
	$start = time;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
	cmp_ok(time - $start, '<', 5, 'terminate in mid-export');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), '0', 'the backend is gone');
	eval { $psql->quit };
	$stop->();
}
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server was never away');
unlike(slurp_file($node->logfile), qr/PANIC|server process .* was terminated by signal|TRAP/, 'and its log tells of no crash');

done_testing();
