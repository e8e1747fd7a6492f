# A backup that has been tampered with, by accident or on purpose: it is told which
# object it is, and nothing is made of it.
#
# LINK_TEST_LONG=1: each of 200 damages is given to RESTORE, and not every sixth.
# LINK_TEST_SEED: those of another run.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use IPC::Run ();
use JSON::PP ();
use LinkTest;
use MIME::Base64 qw(decode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

need_s3;

my $seed = $ENV{LINK_TEST_SEED} // time ^ $$;
srand($seed);
note("seed $seed");
my $node = new_node('damage', conf => "link.fs_roots = '/'\nmax_worker_processes = 16\n");
my $root = $node->basedir . '/files';
mkdir $root or die;

sub sql { my ($sql, $db) = @_; return $node->safe_psql($db // 'postgres', $sql) }
sub says { my ($sql, $of) = @_; my ($out, $err) = ('', ''); ($of // $node)->psql('postgres', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err); return $out . $err }
sub put { my ($path, $content) = @_; open my $f, '>:raw', $path or die "$path: $!"; print $f $content; close $f }
sub databases { return sql('SELECT string_agg(datname, \',\' ORDER BY 1) FROM pg_database') }
sub backup { my ($path, $options) = @_; return sql("SELECT link.backup_database('files', '$path'" . ($options // '') . ')', 'source') }
sub files { my ($dir) = @_; return sort split /\n/, `cd $dir && find . -type f | cut -c3-` }
sub copy_folder { my ($from, $to) = @_; system_or_bail('cp', '-r', $from, $to) }
sub restore { my ($path, $id) = @_; return says("SELECT link.restore_database('files', '$path', as_name => 'restored', backup_id => $id)") }
sub verify { my ($path, $id, $level) = @_; return says("SELECT link.verify_backup('files', '$path', $id, '" . ($level // 'checksums') . "')") }

sql('CREATE DATABASE source');
sql('CREATE EXTENSION link', 'source');
sql(qq{SELECT link.create_link('public.files', 'FS', '{}', '{"root":"$root"}')}, $_) foreach qw(postgres source);
sql(q{CREATE TABLE numbers AS SELECT i, md5(i::text) AS t FROM generate_series(1, 2000) i; CREATE TABLE nothing (a int); CREATE TABLE "Two" (a int PRIMARY KEY);
	INSERT INTO "Two" VALUES (1), (2); CREATE VIEW v AS SELECT * FROM numbers; SELECT lo_from_bytea(0, repeat('large', 100)::bytea)}, 'source');
my $none = backup('plain', q{, compression => 'none'});
my $id = backup('b');
my $databases = databases();
my @objects = files("$root/b/$id");

ok(scalar(grep { /^data\/public\.numbers/ } @objects) && scalar(grep { /^schema\/large_objects/ } @objects) && scalar(grep { /^data\/link\.link\b/ } @objects),
	'a backup of tables, large objects and links');
foreach my $level (qw(sentinel checksums restore)) { is(verify('b', $id, $level), $id, "it is whole: $level") }

# told(ANSWER, OBJECT): as damage, or missing, of this object
sub told { my ($answer, $object) = @_; return $answer =~ /^(?:psql:[^\n]*)?ERROR:  (XX001|58P01|55000|0A000|22P02):/m && $answer =~ /\Q$object\E/ }

# Each object removed, cut, longer, one bit of it another.
sub damage
{
	my ($file, $how) = @_;
	my $content = slurp_file($file);
	my $size = length $content;

	if ($how eq 'removed') { unlink $file or die }
	elsif ($how eq 'cut') { put($file, substr($content, 0, int(rand($size)))) }
	elsif ($how eq 'longer') { put($file, $content . chr(int(rand(256)))) }
	else
	{
		my $bit = int(rand($size * 8));
		vec($content, $bit, 1) ^= 1;
		put($file, $content);
		return " $bit";
	}
	return '';
}

sub try_damage
{
	my ($path, $id, $object, $how, $restores) = @_;
	my $file = "$root/$path/$id/$object";
	my $before = slurp_file($file);
	my $what = "$object: $how" . damage($file, $how);
	my $verified = verify($path, $id);
	my @wrong;

	push @wrong, "verify: $verified" unless told($verified, "$id/$object");
	if ($restores)
	{
		my $restored = restore($path, $id);
		push @wrong, "restore: $restored" unless told($restored, "$id/$object");
	}
	put($file, $before);
	diag("$what: @wrong") if @wrong;
	return scalar @wrong;
}

my $failed = 0;
my $round = 0;
foreach my $how (qw(removed cut longer flipped))
{
	# whatever chance does
	foreach my $object (grep { /numbers|Two|nothing|schema|manifest|COMPLETE|link\.link\b/ } @objects) { $failed += try_damage('b', $id, $object, $how, $object =~ /nothing|COMPLETE/ || $ENV{LINK_TEST_LONG}) }
}
while ($round++ < 160) { $failed += try_damage('b', $id, $objects[rand @objects], (qw(removed cut longer flipped))[rand 4], $ENV{LINK_TEST_LONG} || $round % 6 == 0) }
is($failed, 0, 'every damage is told, with its object');
is(databases(), $databases, '... and nothing is made');
is(verify('b', $id), $id, 'as it was it is whole');
my ($empty) = grep { /nothing/ } files("$root/plain/$none");
is(-s "$root/plain/$none/$empty", 0, 'an object of no bytes');
is(try_damage('plain', $none, $empty, $_, 1), 0, "... $_") foreach qw(removed longer);

# From S3 as well, whose answers are others.
make_bucket('damage');
s3_link($node, 'bucket');
sub aws_cp { my (@what) = @_; aws('s3', @what, '--only-show-errors') }
aws_cp('cp', '--recursive', "$root/b", 's3://damage/b');
my ($numbers) = grep { /numbers/ } @objects;
my $verify_s3 = "SELECT link.verify_backup('bucket', 'damage/b', $id)";
is(says($verify_s3), $id, 'S3: it is whole');
foreach my $case ([ "$id/$numbers", 'cut' ], [ "$id/$numbers", 'longer' ], [ "$id/$numbers", 'flipped' ], [ "$id/$numbers", 'removed' ], [ "$id/BACKUP_COMPLETE", 'removed' ])
{
	my ($object, $how) = @$case;
	my $file = "$root/damaged";
	copy("$root/b/$object", $file) or die;
	damage($file, $how);
	if ($how eq 'removed') { aws_cp('rm', "s3://damage/b/$object") }
	else { aws_cp('cp', $file, "s3://damage/b/$object") }
	ok(told(says($verify_s3), $object), "S3: $object $how");
	ok(told(says("SELECT link.restore_database('bucket', 'damage/b', as_name => 'restored', backup_id => $id)"), $object), '... RESTORE');
}
is(databases(), $databases, '... nothing is made');

#
# Whoever may write the bucket and knows all of the format, but has no key.
#
my $ring = JSON::PP::decode_json(slurp_file($node->basedir . '/link_master.key'));
my ($key_id, $key) = ($ring->{keys}[-1]{id}, decode_base64($ring->{keys}[-1]{key}));

sub sentinel
{
	my ($id, $manifest, $name, $secret) = @_;
	return sprintf("{\"link_backup\": 1, \"id\": %s, \"manifest_sha256\": \"%s\", \"key_id\": \"%s\", \"hmac_sha256\": \"%s\"}\n",
		$id, sha256_hex($manifest), $name, hmac_sha256_hex($manifest, hmac_sha256('link backup manifest', $secret)));
}

# forge(PATH, CHANGE, KEY ID, KEY): a copy of the backup there, of which CHANGE makes
# what it likes of the manifest's text and the objects.
sub forge
{
	my ($path, $change, $name, $secret) = @_;
	my $dir = "$root/$path/$id";
	make_path("$root/$path");
	copy_folder("$root/b/$id", $dir);
	my $manifest = $change->(slurp_file("$dir/manifest.json"), $dir);
	put("$dir/manifest.json", $manifest);
	put("$dir/BACKUP_COMPLETE", sentinel($id, $manifest, $name // $key_id, $secret // $key));
	return $path;
}

# One object written anew, and all that the manifest has of it.
sub rewrite
{
	my ($name, $content, %more) = @_;
	return sub {
		my ($manifest, $dir) = @_;
		my ($object) = grep { /\Q$name\E/ } @objects;
		put("$dir/$object", $content);
		my ($size, $sum) = (length $content, sha256_hex($content));
		$manifest =~ s{("path": "$id/\Q$object\E", "bytes": )\d+(.*?"sha256": ")[0-9a-f]+}{$1$size$2$sum} or die;
		$manifest =~ s{("path": "$id/\Q$object\E".*?"$_": )\d+}{$1$more{$_}} or die foreach keys %more;
		return $manifest;
	};
}
sub zstd { my ($text) = @_; my $out; IPC::Run::run([ 'zstd', '-qc' ], '<', \$text, '>', \$out) or die; return $out }
my $forged = zstd("1\tforged\n");
my $change = rewrite('numbers', $forged);

sub refused
{
	my ($path, $pattern, $name, $backup) = @_;
	$backup //= $id;
	like(verify($path, $backup, 'sentinel'), $pattern, "$name: verify");
	like(restore($path, $backup), $pattern, '... RESTORE');
	like(sql("SELECT count(*), count(error), count(database) FROM link.list_backups('files', '$path') WHERE id = $backup"), qr/^1\|1\|0$/, '... listed as such');
}

# With the key it would be taken: so what follows is refused for the key alone.
is(restore(forge('with_key', $change), $id), $id, 'forged with the key of the ring');
is(sql('SELECT * FROM numbers', 'restored'), '1|forged', '... it is what was forged');
sql('DROP DATABASE restored');

my $mine = 'k' x 32;
refused(forge('own_key', $change, $key_id, $mine), qr/ERROR:  XX001:.*BACKUP_COMPLETE/, 'with a key of his own under the name of ours');
refused(forge('no_key', $change, $key_id, ''), qr/ERROR:  XX001:.*BACKUP_COMPLETE/, 'with no key');
refused(forge('zero_key', $change, $key_id, "\0" x 32), qr/ERROR:  XX001:.*BACKUP_COMPLETE/, 'with a key of zeros');
refused(forge('other_name', $change, 'mine', $mine), qr/ERROR:  55000:.*"mine", which is not in the key ring/, 'with a key of his own');
refused(forge('bad_name', $change, '', $mine), qr/ERROR:  XX001:.*BACKUP_COMPLETE/, 'with a key of no name');
forge('as_it_was', $change);
copy("$root/b/$id/BACKUP_COMPLETE", "$root/as_it_was/$id/BACKUP_COMPLETE") or die;
refused('as_it_was', qr/ERROR:  XX001:.*manifest\.json/, 'under the sentinel that was there');
foreach my $left ([ 'without', sub { $_[0] =~ s/, "hmac_sha256": "\w+"//r } ], [ 'null', sub { $_[0] =~ s/("hmac_sha256": )"\w+"/$1null/r } ], [ 'short', sub { $_[0] =~ s/("hmac_sha256": "\w\w)\w+/$1/r } ],
	[ 'twice', sub { $_[0] =~ s/("hmac_sha256": )"(\w+)"/$1"$2", $1"$2"/r } ], [ 'spaces', sub { $_[0] =~ s/\}/ }/r } ], [ 'more', sub { $_[0] . '{}' } ], [ 'zero', sub { $_[0] . "\0" } ], [ 'long', sub { $_[0] =~ s/\}/', "more": [' . ('0,' x 10_000) . '0]}'/er } ], [ 'nothing', sub { '' } ])
{
	my ($what, $how) = @$left;
	copy_folder("$root/b/.", "$root/$what");
	put("$root/$what/$id/BACKUP_COMPLETE", $how->(slurp_file("$root/b/$id/BACKUP_COMPLETE")));
	refused($what, qr/ERROR:  (XX001|22P02):.*BACKUP_COMPLETE/, "a sentinel: $what");
}

like(verify('long', $id), qr/longer than any/, '... which is not even parsed');

# Older backups in the place of a newer one.
sql(q{INSERT INTO numbers VALUES (-1, 'newer')}, 'source');
my $newer = backup('b');
copy_folder("$root/b/.", "$root/replayed");
foreach my $part ([ qw(BACKUP_COMPLETE) ], [ qw(manifest.json) ], [ qw(BACKUP_COMPLETE manifest.json) ])
{
	copy("$root/b/$newer/$_", "$root/replayed/$newer/$_") or die foreach qw(BACKUP_COMPLETE manifest.json);
	copy("$root/b/$id/$_", "$root/replayed/$newer/$_") or die foreach @$part;
	refused('replayed', qr/ERROR:  XX001:/, "@$part of an older one", $newer);
}
remove_tree("$root/replayed/$newer");
rename "$root/replayed/$id", "$root/replayed/$newer" or die;
refused('replayed', qr/ERROR:  XX001:/, 'an older one under the new id', $newer);
my ($sealed) = grep { /numbers/ } files("$root/b/$newer");
copy_folder("$root/b/$newer/.", "$root/mixed.$newer");
make_path("$root/mixed");
rename "$root/mixed.$newer", "$root/mixed/$newer" or die;
copy("$root/b/$id/$numbers", "$root/mixed/$newer/$sealed") or die;
ok(told(verify('mixed', $newer), $sealed), 'an object of an older one');

# What is authentic is looked at all the same: these have the key.
foreach my $path ('../../secret', '/etc/passwd', '', "$id/data", "$id/data/../../../secret", "$id/data/a/b", "$id/other/x", "$newer/data/x", "x/data/y", "-1/data/x", "$id/data/x\\u0000y", "$id/data/..", "$id//data/x", "$id/data/*")
{
	my $name = 'outside ' . ($path =~ s/\W/_/gr);
	refused(forge($name, sub { $_[0] =~ s{"path": "$id/\Q$numbers\E"}{"path": "$path"}r }), qr/ERROR:  XX001:.*manifest\.json/, "a manifest that names \"$path\"");
}
refused(forge("as $_->[0]", $_->[1]), qr/ERROR:  (XX001|22P02):.*manifest\.json/, "a manifest: $_->[0]") foreach
  [ 'no JSON', sub { 'x' } ], [ 'an array', sub { '[]' } ], [ 'nothing', sub { '' } ], [ 'deep', sub { '[' x 100000 } ], [ 'no tables', sub { $_[0] =~ s/"tables"/"tablets"/r } ],
  [ 'a number for a text', sub { $_[0] =~ s/("finished": )"[^"]*"/${1}1/r } ], [ 'its own base', sub { $_[0] =~ s/("base": )0/$1$id/r } ];
sub future { my ($text, $member, $value) = @_; return $text =~ s/("$member": )\d+/$1$value/r }
foreach my $format (0, 2, 99)
{
	copy_folder("$root/b/$id/.", "$root/format.$format");
	make_path("$root/format_$format");
	rename "$root/format.$format", "$root/format_$format/$id" or die;
	put("$root/format_$format/$id/BACKUP_COMPLETE", future(slurp_file("$root/b/$id/BACKUP_COMPLETE"), 'link_backup', $format));
	refused("format_$format", qr/ERROR:  0A000:.*BACKUP_COMPLETE.*format/, "format $format");
}
like(restore(forge('newer_server', sub { future($_[0], 'server_version', 990000) }), $id), qr/ERROR:  0A000:.*PostgreSQL 99/, 'of a server of the future');

# What decompresses to more than there was, of the size that there was: it ends long before the disk is full.
my $old = slurp_file("$root/b/$id/$numbers");
my $bomb = zstd("7\n" x 50_000_000);
cmp_ok(length($bomb) + 8, '<', length($old), 'a hundred megabytes in the place of ' . length($old) . ' bytes');
$bomb .= pack('VV', 0x184D2A50, length($old) - length($bomb) - 8) . "\0" x (length($old) - length($bomb) - 8);
copy_folder("$root/b/.", "$root/bomb");
put("$root/bomb/$id/$numbers", $bomb);
my $size = sql('SELECT pg_current_wal_lsn()');
ok(told(restore('bomb', $id), $numbers), 'a decompression bomb is told');
cmp_ok(sql("SELECT pg_current_wal_lsn() - '$size'::pg_lsn"), '<', 50e6, '... before much of it is written');
like(restore(forge('bomb_with_key', rewrite('numbers', $bomb)), $id), qr/ERROR:  XX001:.*\n.*larger/, '... and one that somebody with the key has made');

# Another ring.
my $stranger = new_node('stranger', conf => "link.fs_roots = '/'\nlink.master_key_file = '" . $node->basedir . "/other.key'\n");
$stranger->safe_psql('postgres', qq{SELECT link.create_link('public.files', 'FS', '{}', '{"root":"$root"}'); SELECT link.create_link('s', 'S3', '{"aws_access_key_id":"a","aws_secret_access_key":"b"}')});
foreach my $call ("verify_backup('files', 'b', $id)", "restore_database('files', 'b', backup_id => $id)")
{
	like(says("SELECT link.$call", $stranger), qr/ERROR:  55000:.*\Q$key_id\E.*not in the key ring/, "another ring: $call");
}
is($stranger->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE NOT datistemplate"), '1', '... nothing is made');

is(databases(), $databases, 'nothing is made of any of these');
done_testing();
