# Loads of text and CSV give what core's COPY FROM gives of the same file: the same
# rows, or the same error with its context.

use strict;
use warnings;
use LinkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('load');
my $root = $node->basedir . '/files';
mkdir $root or die;
$node->safe_psql('postgres', qq(SELECT link.create_link('files', 'FS', config => '{"root":"$root"}')));
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (i int, n numeric(10,2), d date, ts timestamp, t text, v varchar(10), c char(8), b bool CHECK (b));
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text; message text; state text; detail text; hint text; context text;
BEGIN
	EXECUTE statement;
	SELECT 'ROWS ' || count(*) || ' ' || coalesce(string_agg((t.*)::text || coalesce(pg_column_size(t.n), 0), E'\n' ORDER BY (t.*)::text), '')
		INTO result FROM t;
	RAISE EXCEPTION USING errcode = 'ZZ999';
EXCEPTION WHEN OTHERS THEN
	IF sqlstate = 'ZZ999' THEN RETURN result; END IF;
	GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text,
		detail = pg_exception_detail, hint = pg_exception_hint, context = pg_exception_context;
	RETURN concat_ws('|', state, message, detail, hint,
		split_part(split_part(context, E'\nlink public', 1), E'\nSQL statement', 1));
END $$;
SQL

srand(7);
sub one { return $_[ int rand @_ ]; }
my %usual = (i => '5', n => '3.14', d => '2001-02-03', ts => '2001-02-03 04:05:06', t => 'plain', b => 't');
my %other = (
	i => [ 1, -7, 2147483647, 2147483648, 'abc', '', ' 3', '+4', '007', '-0', '-', '9' x 18, '9' x 19 ],
	n => [ '1.5', '-0.00', '123456.789', '99999999.99', '1e3', 'NaN', '.5', '5.', '12345678901234567890', '-12.345',
		'0001.10', '0.0001', '10000', '100000000', '-', '1.2.3' ],
	d => [ '1999-12-31', '2000-02-29', '1900-02-29', 'infinity', '0999-01-01', '99-1-1', '2024-13-01', '2024-1-05', '9999-12-31' ],
	ts => [ '1999-12-31 23:59:59', '2000-02-29 00:00:00.5', '2000-02-29 24:00:00', '2000-01-01 23:59:60',
		'2000-01-01 01:02:03.1234567', '1000-01-01 00:00:00.000001' ],
	t => [ 'hello', "\xc3\xa9", '\\N', 'x"y', 'a\\tb', '\\.', "\xe6\x97\xa5", '', ' ', '\\x41', '\\', 'long' x 40, "\0", 'a,b', 'NULL' ],
	b => [ 't', 'f', 'true', 'x', '1' ]);

sub field
{
	my ($kind, $csv, $tame) = @_;
	my $value = rand() < $tame ? $usual{$kind} : one(@{ $other{$kind} });
	$value = $csv ? '' : '\\N' if rand() < .04;
	return $value if !$csv;
	my $r = rand();
	return $r < .15 ? qq("$value") : $r < .17 ? qq("$value""q") : $r < .18 && $kind eq 't' ? qq("$value\nz") : $r < .182 ? qq($value") : $value;
}

sub file
{
	my ($csv) = @_;
	my $tame = rand() < .7 ? .99 : .9;
	my $end = one("\n", "\n", "\n", "\r\n", "\r");
	my $file = '';
	for (1 .. int rand 15)
	{
		my $n = rand() < .01 ? one(1, 7, 9) : 8;
		my $line = join($csv ? ',' : "\t", map { field($_, $csv, $tame) } (qw(i n d ts t t t b b))[ 0 .. $n - 1 ]);
		$line = one('', '\\.', '\\.x', "\xc3", "$line\xff", "$line\\.") if rand() < .01;
		$file .= $line . (rand() < .01 ? one("\n", "\r", "\r\n") : $end);
	}
	substr($file, -1) = '' if length $file && rand() < .2;
	substr($file, int rand length $file, 1) = chr int rand 256 if length $file && rand() < .1;
	return $file;
}

my $sql = '';
my $n = $ENV{LINK_TEST_LONG} ? 100000 : 20000;
for my $i (0 .. $n - 1)
{
	my $csv = rand() < .6;
	my $format = $csv ? 'csv' : 'text';
	my $header = rand() < .25 ? 'true' : 'false';
	open my $out, '>:raw', "$root/f$i" or die;
	print $out file($csv);
	close $out;
	$sql .= "SELECT $i, a = b, left(a, 5), CASE WHEN a <> b THEN a || ' <> ' || b END FROM (SELECT outcome(\$\$COPY t FROM '$root/f$i' WITH (FORMAT $format, HEADER $header)\$\$) AS a, "
	  . "outcome(\$\$SELECT link.load_data('files', 'f$i', 't', format => '$format', header => '$header', compression => 'none')\$\$) AS b OFFSET 0) x;\n";
}
my ($status, $out, $err) = $node->psql('postgres', $sql, timeout => 300);
my @lines = split /\n/, $out;
my %seen;
$seen{$_}++ for $out =~ /^\d+\|t\|(.....)\|/mg;
is($err, '', 'every file was compared');
is((grep { /^\d+\|t\|/ } @lines) + 0, $n, 'files give the same rows, or the same error') or diag(join("\n", (grep { /^\d+\|f\|/ } @lines)[ 0 .. 3 ]));
cmp_ok($seen{$_} // 0, '>', 50, "of these, files with outcome $_") for ('ROWS ', '22P02', '22P04', '22007', '22021', '23514');
done_testing();
