# The Kafka broker of test/services/kafka.sh, seen by others than the server.
package LinkKafka;

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use IPC::Run ();
use PostgreSQL::Test::Utils;

our @EXPORT = qw(kcat committed topic drop_topic drop_messages add_partitions may broker);

# kcat(ARGUMENT...): the independent client; gives its standard output.
sub kcat
{
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'kcat', '-b', $ENV{LINK_KAFKA_PLAINTEXT}, '-q', @_ ], '>', \$out, '2>', \$err) or die "kcat @_: $err";
	return $out;
}

# What a reader with read_committed sees of a topic, sorted.
sub committed
{
	my ($topic, $format) = @_;
	return join '', sort { $a cmp $b } map { "$_\n" } split /\n/,
	  kcat('-C', '-e', '-X', 'isolation.level=read_committed', '-X', 'fetch.wait.max.ms=10', '-t', $topic, '-o', 'beginning', '-f', $format // '%s\n');
}

sub string { my ($text) = @_; return pack('n/a*', $text) }

# request(KEY, VERSION, BODY): the answer to a request of https://kafka.apache.org/protocol.html.
# Kafka's own tools take seconds to start.
sub request
{
	my ($key, $version, $body) = @_;
	my $request = pack('n n N', $key, $version, 1) . string('test') . $body;
	my $socket = IO::Socket::INET->new(PeerAddr => $ENV{LINK_KAFKA_PLAINTEXT}, Timeout => 20) or die "no broker: $!";
	my ($size, $answer) = ('', '');

	$socket->print(pack('N', length $request) . $request);
	$socket->flush;
	$socket->read($size, 4) == 4 && $socket->read($answer, unpack('N', $size)) or die "no answer to request $key";
	return $answer;
}

# topic(NAME, PARTITIONS, CONFIG => VALUE...): CreateTopics
sub topic
{
	my ($name, $partitions, %config) = @_;
	my $answer = request(19, 2, pack('N', 1) . string($name) . pack('N n N', $partitions // 1, 1, 0)
		  . pack('N', scalar keys %config) . join('', map { string($_) . string($config{$_}) } sort keys %config) . pack('N C', 20000, 0));
	my ($error) = unpack('x8 x4 n/x n', $answer);
	die "topic $name: error $error" if $error != 0;
	return $name;
}

# drop_topic(NAME): DeleteTopics
sub drop_topic
{
	my ($name) = @_;
	my ($error) = unpack('x8 x4 n/x n', request(20, 1, pack('N', 1) . string($name) . pack('N', 20000)));
	die "topic $name: error $error" if $error != 0;
}

# drop_messages(NAME, PARTITION, OFFSET): DeleteRecords, of all before that offset
sub drop_messages
{
	my ($name, $partition, $offset) = @_;
	my $answer = request(21, 0, pack('N', 1) . string($name) . pack('N N q> N', 1, $partition, $offset, 20000));
	my ($error) = unpack('n', substr($answer, -2));
	die "messages of $name: error $error" if $error != 0;
}

# add_partitions(NAME, TOTAL): CreatePartitions
sub add_partitions
{
	my ($name, $total) = @_;
	my ($error) = unpack('x4 x4 x4 n/x n', request(37, 0, pack('N', 1) . string($name) . pack('N N N C', $total, 0xffffffff, 20000, 0)));
	die "partitions of $name: error $error" if $error != 0;
}

# may(USER, OPERATION, TOPIC): CreateAcls
my %operations = (read => 3, write => 4, describe => 8);
sub may
{
	my ($user, $operation, $topic) = @_;
	my $answer = request(30, 1, pack('N C', 1, 2) . string($topic) . pack('C', 3) . string("User:$user") . string('*') . pack('C C', $operations{$operation}, 3));
	my ($error) = unpack('x8 x4 n', $answer);
	die "$user may not be let $operation $topic: error $error" if $error != 0;
}

# broker(WHAT): kafka_WHAT of test/services/kafka.sh: freeze, thaw, restart, kill, up.
sub broker
{
	my ($what) = @_;
	IPC::Run::run([ 'bash', '-c', '. test/lib.sh; . test/services/kafka.sh; kafka_"$1"', '-', $what ],
		'>', "$PostgreSQL::Test::Utils::tmp_check/broker.log", '2>&1') or die "broker $what";
}

1;
