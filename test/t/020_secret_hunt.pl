# A secret that was typed is nowhere: not in the log, not in the raw bytes of the
# data directory, not in a dump, a view, an error or pg_stat_activity.

use strict;
use warnings;
use File::Find;
use IPC::Run ();
use LinkTest;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = join '', map { ('a' .. 'z', 'A' .. 'Z', 0 .. 9)[ rand 62 ] } 1 .. 40;

# The secret as it is, and as encodings of it would show it.
my $base64 = encode_base64($secret, '');
my %form = (
	plain => $secret,
	base64 => substr($base64, 4, 44),
	hex => unpack('H*', $secret),
	'reversed hex' => uc unpack('H*', $secret),
	'decimal bytes' => join(', ', unpack 'C*', $secret));

sub found_in
{
	my ($text) = @_;
	return join ' ', grep { index($text, $form{$_}) >= 0 } sort keys %form;
}

# Names of the files below a directory that hold the secret.
sub files_with_secret
{
	my ($dir) = @_;
	my @hits;
	find({ no_chdir => 1, wanted => sub {
			return unless -f $_;
			open my $fh, '<:raw', $_ or return;
			local $/;
			my $text = <$fh> // '';
			push @hits, $_ if found_in($text) ne '';
		} }, $dir);
	return @hits;
}

my $json = qq({"aws_access_key_id":"AKIAHUNT","aws_secret_access_key":"$secret"});
my @statements = (
	# what works
	"SELECT link.create_link('plain', 'S3', '$json')",
	"SELECT link.execute(\$\$CREATE LINK spoken AS S3 CREDENTIALS '$json' CONFIG '{\"region\":\"us-east-1\"}'\$\$)",
	"SELECT link.alter_link('plain', credentials => '$json')",
	"SELECT link.set_link_credential('plain', 'aws_secret_access_key', '$secret')",
	"SELECT link.execute(\$\$ALTER LINK spoken SET CREDENTIALS ::aws_secret_access_key = '$secret'\$\$)",
	"SELECT link.create_link('plain', 'S3', '$json', or_replace => true)",
	# what fails
	"SELECT link.create_lnk('x', 'S3', '$json')",
	"SELECT link.create_link('x', 'S3', '$json'::int)",
	"SELEC link.create_link('x', 'S3', '$json')",
	"SELECT link.create_link('x', 'S3', '$json' frm y",
	"SELECT link.create_link('x', 'S3', '$json', 'x', 'y', 'z')",
	"SELECT link.create_link('plain', 'S3', '$json')",
	"SELECT link.create_link('x', 'S3', '{\"aws_secret_access_key\":\"$secret\"')",
	"SELECT link.create_link('x', 'S3', '{\"aws_secret_acces_key\":\"$secret\"}')",
	"SELECT link.create_link('x', 'S3', '{\"aws_secret_access_key\":[\"$secret\"]}')",
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
	"DO \$\$ BEGIN PERFORM link.read_file('plain', 'no/such'), '$json'; END \$\$");

my @settings = ("log_statement = all", "log_min_error_statement = debug5", "log_min_duration_statement = 0",
	"log_error_verbosity = verbose", "log_destination = 'stderr,csvlog,jsonlog'", "logging_collector = on",
	"log_directory = 'log'", "log_filename = 'server.log'", "link.allowed_hosts = 'http://127.0.0.1:1'");

# Types all of it, with a psql that shows what the server said and nothing else.
sub type_all
{
	my ($node) = @_;
	my $said = '';
	foreach my $sql (@statements)
	{
		my ($out, $err);
		$node->psql('postgres', "\\set VERBOSITY terse\n$sql;\n", stdout => \$out, stderr => \$err);
		$said .= $out . $err;
	}
	return $said;
}

my $node = new_node('hunt', preload => 'shared', conf => join("\n", @settings) . "\n");
my $said = type_all($node);
like($said, qr/ERROR/, 'some of the statements fail');
is(found_in($said), '', 'no answer and no error holds the secret');

# Another session's view of a statement that runs.
my $slow = $node->background_psql('postgres');
$slow->query_until(qr/started/, "\\echo started\nSELECT link.create_link('slow', 'S3', '$json'), pg_sleep(5);\n");
my $seen = '';
for (1 .. 100)
{
	$seen = $node->safe_psql('postgres', "SELECT query FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
	last if $seen ne '';
	select undef, undef, undef, 0.05;
}
isnt($seen, '', 'a statement with credentials runs');
is(found_in($seen), '', 'and shows no secret in pg_stat_activity');
$slow->quit;

# Every view, function and table of the extension.
my $shown = $node->safe_psql('postgres', q{
	SELECT * FROM link.links; SELECT * FROM link.link; SELECT * FROM link.privileges; SELECT * FROM link.status();
	SELECT link.show_create_link('plain'); SELECT * FROM link.show_links(); SELECT * FROM link.execute('SHOW FULL LINKS');
	SELECT * FROM link.check_link('plain'); SELECT * FROM link.who_can_use('plain')});
like($shown, qr/<redacted>/, 'the links are shown');
is(found_in($shown), '', 'without the secret');
my ($dump, $err);
IPC::Run::run([ 'pg_dumpall', '-h', $node->host, '-p', $node->port ], '>', \$dump, '2>', \$err) or die $err;
like($dump, qr/COPY link\.link /, 'the dump has the links');
is(found_in($dump), '', 'without the secret');

# The raw bytes, with everything flushed, and after a crash too.
$node->safe_psql('postgres', 'CHECKPOINT');
$node->stop('immediate');
is(join(' ', files_with_secret($node->data_dir)), '', 'no file of the data directory, log and WAL included, holds the secret');
my $log = slurp_file($node->data_dir . '/log/server.log');
like($log, qr/statement with credentials/, 'the log says that something was left out');

# The control: without the library loaded the same words do end up in the log,
# so this test would see them.
my $control = new_node('control', preload => '', conf => join("\n", @settings) . "\n");
type_all($control);
$control->stop;
isnt(join(' ', files_with_secret($control->data_dir)), '', 'control: without preload the log has it');

done_testing();
