# The main job on a real S3 server that verifies signatures: a DBA makes links,
# grants SHOW LINK, another role writes a query's rows and loads them back.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

need_s3();
my $node = new_node('story');
make_bucket('testing');

$node->safe_psql('postgres', q{
	CREATE ROLE dba LOGIN;
	CREATE ROLE user1 LOGIN;
	CREATE ROLE stranger LOGIN;
	CREATE SCHEMA productdb;
	GRANT USAGE ON SCHEMA productdb TO dba, user1, stranger;
	CREATE TABLE productdb.t1 AS
		SELECT n AS id, E'pro\tduct \\ ' || n AS name, CASE WHEN n % 3 > 0 THEN n * 1.25 END AS price
		FROM generate_series(1, 1000) n;
	CREATE TABLE productdb.t2 (LIKE productdb.t1);
	GRANT SELECT ON productdb.t1 TO user1;
	GRANT SELECT, INSERT ON productdb.t2 TO user1;
	SELECT link.grant_privilege('CREATE LINK', 'productdb.*', 'dba');
	SELECT link.grant_privilege('SHOW LINK', 'productdb.*', 'dba', with_grant_option => true);
});

# One statement through link.execute, as a role; the statement goes in a file so
# that its lines arrive as they are.
my @notices;
sub execute
{
	my ($user, @statements) = @_;
	my $sql = "\\pset format unaligned\n\\t on\n";
	$sql .= "SELECT * FROM link.execute(\$link\$$_\$link\$);\n" for @statements;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', $user, '-v', 'ON_ERROR_STOP=1' ]);
	is($status, 0, "no error as $user: $err") if $status != 0;
	push @notices, $err;
	$out =~ s/^(Output format is unaligned.|Tuples only is on.)\n//mg;
	return $out;
}

my $config = s3_config();
my $credentials = qq({"aws_access_key_id":"$ENV{LINK_S3_ACCESS_KEY}","aws_secret_access_key":"$ENV{LINK_S3_SECRET_KEY}"});

is(execute('dba', "CREATE LINK productdb.demouser_S3 AS S3
CREDENTIALS '$credentials'
CONFIG '$config'
DESCRIPTION 'Product list';"), 'CREATE LINK', 'create over four lines with its semicolon');
is(execute('dba', "GRANT SHOW LINK ON productdb.* TO 'user1';"), 'GRANT', 'grant');
is(execute('dba', "CREATE LINK productdb.demouser2_S3 AS S3
CREDENTIALS '$credentials'
CONFIG '$config'
DESCRIPTION 'Brand list';"), 'CREATE LINK', 'a second link');
like($notices[-1], qr/NOTICE.*can be used by others already.*user1 \(SHOW LINK on productdb\.\*\)/s,
	'its owner is told who can use it at once');

is(execute('user1', 'SHOW LINKS ON productdb;'), <<'T' =~ s/\n\z//r, 'show links, in order of creation');
     Link     | Type | Description  
--------------+------+--------------
 demouser_S3  | S3   | Product list
 demouser2_S3 | S3   | Brand list
(2 rows)
T

is(execute('user1', 'USE productdb;', "SELECT * FROM t1 INTO LINK demouser_S3 'testing/output';"),
	"USE\nSELECT 1000", 'use, select into link');
is(join(' ', bucket_keys('testing')), 'output', 'the object is there, and no other');

my $file = "$PostgreSQL::Test::Utils::tmp_check/output";
aws('s3api', 'get-object', '--bucket', 'testing', '--key', 'output', $file);
is(slurp_file($file), $node->safe_psql('postgres', 'COPY productdb.t1 TO STDOUT') . "\n", 'equal to COPY byte for byte');

is(execute('user1', 'USE productdb', "LOAD DATA LINK demouser_S3 'testing/output' INTO TABLE t2"),
	"USE\nLOAD DATA 1000", 'load data link');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ((TABLE productdb.t1 EXCEPT ALL TABLE productdb.t2)
	UNION ALL (TABLE productdb.t2 EXCEPT ALL TABLE productdb.t1)) d'), '0', 'an equal table');

# A stranger sees nothing, and cannot tell a link from none.
my %message;
foreach my $link (qw(demouser_S3 no_such_S3))
{
	my $err;
	$node->psql('postgres', "SELECT link.read_file('productdb.$link', 'testing/output')",
		stderr => \$err, extra_params => [ '-U', 'stranger' ]);
	like($err, qr/permission denied/, "stranger is refused $link");
	$message{ $err =~ s/$link/LINK/gr } = 1;
}
is(scalar(keys %message), 1, 'in the same words');
is($node->safe_psql('postgres', 'SELECT count(*) FROM link.links', extra_params => [ '-U', 'stranger' ]), '0',
	'and the view is empty for him');

# Larger than a part, both ways; equal to COPY.
$node->safe_psql('postgres', q{
	CREATE TABLE big AS SELECT n AS id, repeat(md5(n::text), 10) AS filler FROM generate_series(1, 120000) n;
	CREATE TABLE big2 (LIKE big);
});
is($node->safe_psql('postgres', q{SELECT rows, bytes > 39000000 FROM
	link.select_into('TABLE big', 'productdb.demouser_S3', 'testing/big.csv', format => 'csv', header => true)}), '120000|t', 'an export of many parts');
aws('s3api', 'get-object', '--bucket', 'testing', '--key', 'big.csv', $file);
$node->safe_psql('postgres', "COPY big TO '$file.copy' (FORMAT csv, HEADER)");
is(system('cmp', $file, "$file.copy"), 0, 'equal to COPY byte for byte');
is($node->safe_psql('postgres', q{SELECT rows, bytes > 39000000 FROM
	link.load_data('productdb.demouser_S3', 'testing/big.csv', 'big2', format => 'csv', header => 'match')}), '120000|t', 'its load');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (TABLE big EXCEPT ALL TABLE big2) d'), '0', 'an equal table');
is(join(' ', uploads_left('testing')), '', 'no upload is left');

# TLS with the server's own certificate as ca_certificate, and without it.
{
	s3_link($node, 'tls', config => s3_config(endpoint_url => $ENV{LINK_S3_TLS_ENDPOINT}, ca_certificate => slurp_file($ENV{LINK_S3_CA})));
	is($node->safe_psql('postgres', "SELECT length(link.read_file('tls', 'testing/output')) > 0"), 't', 'over TLS with its CA');
	s3_link($node, 'untrusted', config => s3_config(endpoint_url => $ENV{LINK_S3_TLS_ENDPOINT}));
	is(sqlstate_of($node, "SELECT link.read_file('untrusted', 'testing/output')"), '08001', 'an unknown CA is refused');
}

done_testing();
