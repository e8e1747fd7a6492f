# Looking for secrets in texts and files, in whatever form they may be there.
package SecretHunt;

use strict;
use warnings;

use Exporter 'import';
use File::Find;
use MIME::Base64;

our @EXPORT = qw(random_word forms all_forms found_in secrets_in files_with loud_settings server_logs);

sub random_word { return join '', map { ('a' .. 'z', 'A' .. 'Z', 0 .. 9)[ rand 62 ] } 1 .. $_[0] }

# forms(BYTES): what encodings make of some bytes. Of each the first and the last 16
# bytes count alone, since a text may be cut off.
sub forms
{
	my ($bytes) = @_;
	my %form;
	foreach my $piece (substr($bytes, 0, 16), substr($bytes, -16))
	{
		my @codes = unpack 'C*', $piece;
		push @{ $form{plain} }, $piece;
		push @{ $form{hex} }, unpack('H*', $piece), uc unpack('H*', $piece);
		push @{ $form{decimal} }, join($_, @codes), join($_, unpack 'c*', $piece) foreach ' ', ',', ', ';
		foreach my $format ('%%%02x', '%%%02X')
		{
			push @{ $form{URL} }, join('', map { sprintf $format, $_ } @codes),
			  join('', map { chr =~ /[\w.~-]/ ? chr : sprintf $format, $_ } @codes);
		}
		foreach my $shift (0 .. 2)
		{
			# without the characters that other bytes have a share in
			my $base64 = substr encode_base64("\0" x $shift . $piece, ''), $shift && $shift + 1, 20 - $shift;
			push @{ $form{base64} }, $base64, $base64 =~ tr{+/}{-_}r;
		}
	}
	my %name = map { my $name = $_; map { $_ => $name } @{ $form{$name} } } qw(URL plain hex decimal base64);
	return names(%name);
}

sub names
{
	my (%name) = @_;
	my $any = join '|', map { quotemeta } sort keys %name;
	return { name => \%name, any => qr/($any)/ };
}

# all_forms(NAME => BYTES...): of several, each found as "NAME FORM"
sub all_forms
{
	my (%secret) = @_;
	my %name;
	foreach my $secret (sort keys %secret)
	{
		my $forms = forms($secret{$secret})->{name};
		$name{$_} = "$secret $forms->{$_}" foreach keys %$forms;
	}
	return names(%name);
}

# Which forms a text holds, "" if none.
sub found_in
{
	my ($forms, $text) = @_;
	my %found;
	$found{ $forms->{name}{$1} } = 1 while $text =~ /$forms->{any}/g;
	return join ' ', sort keys %found;
}

# The names of those of all_forms() that a text holds.
sub secrets_in
{
	my ($forms, $text) = @_;
	my %found = map { $_ => 1 } found_in($forms, $text) =~ /([\w.]+) (?:URL|plain|hex|decimal|base64)/g;
	return join ' ', sort keys %found;
}

# The files below a directory that hold a secret: "name (forms)".
sub files_with
{
	my ($forms, $dir) = @_;
	my @hits;
	find({ no_chdir => 1, wanted => sub {
			return unless -f $_ && open my $fh, '<:raw', $_;
			local $/;
			my $found = found_in($forms, <$fh> // '');
			push @hits, substr($_, length($dir) + 1) . " ($found)" if $found ne '';
		} }, $dir);
	return join "\n", sort @hits;
}

# A server that tells as much as it can, to all three kinds of log.
sub loud_settings
{
	return q{
	log_statement = all
	log_min_error_statement = debug5
	log_min_messages = debug1
	log_min_duration_statement = 0
	log_duration = on
	log_executor_stats = on
	log_lock_waits = on
	log_replication_commands = on
	log_error_verbosity = verbose
	log_parameter_max_length = -1
	log_parameter_max_length_on_error = -1
	log_destination = 'stderr,csvlog,jsonlog'
	logging_collector = on
	log_directory = 'log'
	log_filename = 'server.log'
	debug_print_parse = on
	debug_print_rewritten = on
	debug_print_plan = on
	auto_explain.log_min_duration = 0
	auto_explain.log_analyze = on
	auto_explain.log_nested_statements = on
	auto_explain.log_verbose = on
	auto_explain.log_level = log
	pg_stat_statements.track = all
	pg_stat_statements.track_utility = on
	pg_stat_statements.track_planning = on
	track_activity_query_size = 4096
	compute_query_id = on
	wal_level = replica
	max_wal_senders = 2
	max_prepared_transactions = 2
	deadlock_timeout = 20ms
	restart_after_crash = on
	link.log_use = 'all'
};
}

sub server_logs { my ($node) = @_; return map { $node->data_dir . "/log/server.$_" } qw(log csv json) }

1;
