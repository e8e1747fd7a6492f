# The client's side of the wire protocol, for what psql does not send: Parse, Bind
# and Execute as one likes them, function calls of the fast path, a connection for
# replication that runs SQL.
package LinkWire;

use strict;
use warnings;

use IO::Socket::UNIX;
use Socket;

# new(NODE, name => value...): a session of database postgres; the pairs go into
# the startup message.
sub new
{
	my ($class, $node, %startup) = @_;
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $node->host . '/.s.PGSQL.' . $node->port)
	  or die "no connection: $!";
	my %pairs = (user => scalar(getpwuid $<), database => 'postgres', %startup);
	my $body = pack('N', 196608) . join('', map { "$_\0$pairs{$_}\0" } sort keys %pairs) . "\0";
	my $self = bless { socket => $socket }, $class;

	syswrite $socket, pack('N', length($body) + 4) . $body;
	my $said = $self->answer;
	die $said if $said =~ /^FATAL/m;
	return $self;
}

sub send_message
{
	my ($self, $type, $body) = @_;
	syswrite $self->{socket}, $type . pack('N', length($body) + 4) . $body;
}

sub read_bytes
{
	my ($self, $n) = @_;
	my $bytes = '';
	while (length $bytes < $n)
	{
		sysread($self->{socket}, $bytes, $n - length $bytes, length $bytes) or return;
	}
	return $bytes;
}

# All that the server says until it is ready for the next query, or gone: each
# error and notice with all its fields, each row, one a line.
sub answer
{
	my ($self) = @_;
	my $said = '';
	while (defined(my $head = $self->read_bytes(5)))
	{
		my ($type, $length) = unpack 'aN', $head;
		my $body = $self->read_bytes($length - 4);
		last unless defined $body;
		if ($type eq 'Z') { $self->{pid} //= 0; return $said }
		if ($type eq 'K') { $self->{pid} = unpack 'N', $body }
		if ($type eq 'E' || $type eq 'N')
		{
			my %field = map { (substr($_, 0, 1), substr($_, 1)) } grep { $_ ne '' } split /\0/, $body;
			$said .= join(' | ', map { $field{$_} } grep { exists $field{$_} } qw(V C M D H W q)) . "\n";
		}
		if ($type eq 'D')
		{
			my ($columns, @values) = unpack 'n', $body;
			my $at = 2;
			for (1 .. $columns)
			{
				my $n = unpack 'l>', substr($body, $at, 4);
				push @values, $n < 0 ? '' : substr($body, $at + 4, $n);
				$at += 4 + ($n < 0 ? 0 : $n);
			}
			$said .= join('|', @values) . "\n";
		}
	}
	return $said . "connection closed\n";
}

# Simple protocol.
sub query
{
	my ($self, $sql) = @_;
	$self->send_message('Q', "$sql\0");
	return $self->answer;
}

# Extended protocol: prepare(NAME, SQL), then execute(NAME, [VALUES], ROWS), which
# is one Bind and as many Execute messages as ROWS, the most rows of each, has;
# sync() gives the answer to all of it.
sub prepare
{
	my ($self, $name, $sql) = @_;
	$self->send_message('P', "$name\0$sql\0" . pack('n', 0));
}

sub execute
{
	my ($self, $name, $values, @rows) = @_;
	my $body = "\0$name\0" . pack('n n', 0, scalar @$values)
	  . join('', map { defined $_ ? pack('N', length $_) . $_ : pack('N', 0xFFFFFFFF) } @$values) . pack('n', 0);

	$self->send_message('B', $body);
	$self->send_message('D', "P\0");
	$self->send_message('E', "\0" . pack('N', $_)) for @rows ? @rows : (0);
}

sub sync
{
	my ($self) = @_;
	$self->send_message('S', '');
	return $self->answer;
}

# Fast path: a function by its oid, arguments as text.
sub call
{
	my ($self, $oid, @values) = @_;
	my $body = pack('N n n', $oid, 0, scalar @values)
	  . join('', map { pack('N', length $_) . $_ } @values) . pack('n', 0);

	$self->send_message('F', $body);
	return $self->answer;
}

sub close
{
	my ($self) = @_;
	$self->send_message('X', '');
	$self->{socket}->close;
}

1;
