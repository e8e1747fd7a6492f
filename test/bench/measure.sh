# What the benchmarks share: times and their medians, and the memory of a backend.
# Sourced by bash after test/lib.sh.

repeats=${LINK_BENCH_REPEATS:-3}
declare -A times seconds
order=()

sql() { as_user psql -X -q -At -v ON_ERROR_STOP=1 -c "$@"; }

# time_once NAME COMMAND [BEFORE]: one run more of NAME; BEFORE is not timed.
time_once()
{
	local start
	[ -z "${3:-}" ] || eval "$3" >/dev/null
	[ -n "${times[$1]:-}" ] || order+=("$1")
	start=$(date +%s%N)
	eval "$2" >/dev/null
	times[$1]="${times[$1]:-} $((($(date +%s%N) - start) / 1000000))"
}

# median NAME: of its runs, into seconds[NAME].
median()
{
	seconds[$1]=$(tr ' ' '\n' <<<"${times[$1]# }" | sort -n | awk '{v[NR]=$1} END {print v[int((NR + 1) / 2)] / 1000}')
	say "  $1: ${seconds[$1]} s (${times[$1]# } ms)"
}

# measure_rows: each of names, commands, befores that often, in turn, into seconds.
measure_rows()
{
	local round i name
	for round in $(seq "$repeats"); do
		say "round $round of $repeats"
		for i in "${!names[@]}"; do
			time_once "${names[i]}" "${commands[i]}" "${befores[i]}"
		done
	done
	for name in "${order[@]}"; do median "$name"; done
}

# measure NAME COMMAND [BEFORE]: the median of $repeats runs, in seconds.
measure()
{
	local i
	for i in $(seq "$repeats"); do time_once "$@"; done
	median "$1"
}

# peak_growth NAME WARM SQL: how much the backend's private memory grew at most,
# MiB, after it had run WARM.
peak_growth()
{
	local pid before=0 now peak=0 out="$LINK_WORK/peak"
	rm -f "$out"
	as_user psql -X -q -At -v ON_ERROR_STOP=1 >"$out" <<S &
SELECT pg_backend_pid(), count(*) FROM ($2) w;
SELECT pg_sleep(1);
$3
S
	local client=$!
	while [ ! -s "$out" ]; do sleep 0.1; done
	pid=$(head -n 1 "$out" | cut -d'|' -f1)
	before=$(awk '/^RssAnon/{print $2}' "/proc/$pid/status")
	while kill -0 $client 2>/dev/null; do
		now=$(awk '/^RssAnon/{print $2}' "/proc/$pid/status" 2>/dev/null) || break
		[ "${now:-0}" -le "$peak" ] || peak=$now
		sleep 0.1
	done
	wait $client || return 1
	printf '%-44s %8.1f MiB\n' "$1" "$(awk "BEGIN {print ($peak - $before) / 1024}")"
}
