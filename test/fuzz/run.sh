#!/usr/bin/env bash
# Fuzzes, with libFuzzer and the sanitizers, all that reads what others have
# written: statements, options, paths and globs, answers of S3, Azure, HDFS and of
# those who hand out tokens, URLs and allowed hosts, key rings, sealed values,
# files of JSON. Installs what is missing; needs root or sudo for that.
#
#   bash test/fuzz/run.sh [SECONDS] [TARGET...]    60 seconds for each target, of all or of those
#
# A target is TARGET.c here, its seeds are in corpus/TARGET, its words in
# TARGET.dict. The sources are compiled as they are and linked with a stand-in for
# the backend (backend.c). A target fails when the fuzzer finds an input that
# crashes, hangs, leaks, has an internal error (XX000) or breaks what the target
# expects, and when it has not been through 80 % of the lines of a file it is for.
#
# LINK_FUZZ_CORPUS=folder  where inputs that reach something new are kept for the next run
# LINK_FUZZ_FINDS=folder   where inputs that failed go; the current folder if not given
# LINK_KEEP=1              keeps the work folder with all logs
#
# The last line is "N passed, N failed", of targets.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
trap clean_up EXIT

least_coverage=80
limit=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then limit=$1; shift; fi

targets=(statement options path s3 azure hdfs identity url keyring seal json_lines)
declare -A files=(
	[statement]="lexis.c statement/link_gram.y statement/grammar/links.y statement/grammar/transfers.y
		statement/grammar/pipelines.y statement/grammar/backups.y statement/link_scanner.l statement/query.c statement/parse.c"
	[options]="catalog/json.c catalog/options.c catalog/options_value.c catalog/options_map.c"
	[path]="provider/path.c"
	[s3]="provider/s3/s3_xml.c provider/s3/s3_error.c provider/s3/s3_list.c"
	[azure]="provider/azure/azure_blob.c provider/s3/s3_list.c"
	[hdfs]="provider/hdfs/hdfs_status.c provider/hdfs/hdfs_request.c provider/hdfs/hdfs_read.c provider/hdfs/hdfs_write.c"
	[identity]="provider/token.c provider/s3/s3_identity.c"
	[url]="http/url.c http/policy.c"
	[keyring]="catalog/keyring_text.c"
	[seal]="catalog/seal.c"
	[json_lines]="format/json_lines.c"
)
declare -A longest=([statement]=2048 [options]=4096 [path]=2200 [s3]=8192 [azure]=8192 [hdfs]=8192
	[identity]=8192 [url]=1024 [keyring]=2048 [seal]=512 [json_lines]=2048)
if [ $# -gt 0 ]; then targets=("$@"); fi
for target in "${targets[@]}"; do
	[ -n "${files[$target]:-}" ] || die "no target $target; there are ${!files[*]}"
done

# What is linked with every target; what these files call and nobody defines
# aborts if it is called.
sources()
{
	cd "$LINK_WORK/build/src"
	ls errors.c lexis.c hygiene_text.c http/{url,policy,sigv4,shared_key}.c statement/{link_gram,link_scanner,query,parse}.c \
		catalog/{json,options,options_value,options_map,keyring_text,keyring_file,seal,links}.c \
		format/{encode,text,json_lines}.c provider/*.c provider/*/*.c
}

install_clang()
{
	local version
	install_packages clang llvm
	version=$(clang -dumpversion)
	install_packages "libclang-rt-${version%%.*}-dev"
}

compile()
{
	local library
	for library in "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --libdir)"; do
		if [ -e "$library/libpgcommon.a" ]; then libraries="$library/libpgcommon.a $library/libpgport.a"; fi
	done
	[ -n "${libraries:-}" ] || die "libpgcommon.a is not installed"
	# palloc and its kin are in libpgcommon, too: the first that are found count
	libraries+=" -Wl,-z,muldefs $(pkg-config --libs json-c libcurl libcrypto libxml-2.0 krb5-gssapi) -lm"

	sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
	flags="-std=gnu99 -O1 -g -fno-omit-frame-pointer -fwrapv -fno-strict-aliasing -D_GNU_SOURCE
		-DUSE_ASSERT_CHECKING=1 -DLINK_VERSION=\"fuzz\" -Wall -Wno-ignored-attributes
		-I$LINK_WORK/build/src -I$("$PG_CONFIG" --includedir-server) $sanitizers
		$(pkg-config --cflags json-c libcurl libcrypto libxml-2.0 krb5-gssapi rdkafka)"
	make -s -C "$LINK_WORK/build" PG_CONFIG="$PG_CONFIG" src/statement/link_gram.c \
		src/statement/link_scanner.c src/statement/link_gram.h
	mkdir "$objects"
	# Preprocessed first: else what stands in a macro, as all errors do, would count
	# as covered with the line before it.
	sources | xargs -P "$(nproc)" -I{} bash -c '
		set -e
		out=$2/$(tr / - <<<"$3")
		clang $1 -E -o "$out.i" "$4/$3"
		clang $1 -w -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping -c -o "$out.o" "$out.i"
		' - "$flags" "$objects" {} "$LINK_WORK/build/src"
	local file
	for file in backend answers; do
		clang $flags -I"$LINK_WORK/build/test/fuzz" -c -o "$LINK_WORK/$file.o" "$LINK_WORK/build/test/fuzz/$file.c"
	done
}

# link_target TARGET
link_target()
{
	local target=$1 here=$LINK_WORK/$1
	mkdir "$here" "$here/corpus"
	clang $flags -c -o "$here/target.o" "$LINK_WORK/build/test/fuzz/$target.c"
	link_with() { clang $sanitizers -fsanitize=fuzzer -fprofile-instr-generate -o "$here/fuzz" \
		"$here/target.o" "$LINK_WORK/backend.o" "$LINK_WORK/answers.o" "$objects"/*.o "$@" $libraries; }
	link_with >"$here/link.log" 2>&1 || true
	{
		echo '#include <stdio.h>'
		echo '#include <stdlib.h>'
		sed -n "s/.*undefined reference to \`\(.*\)'.*/\1/p" "$here/link.log" | sort -u | sed 's/.*/\
void &(void);\
void &(void) { fprintf(stderr, "BUG: & is not in the stand-in\\n"); abort(); }/'
	} >"$here/absent.c"
	clang -w -fno-builtin -c -o "$here/absent.o" "$here/absent.c"
	link_with "$here/absent.o" 2>"$here/link.log" || { cat "$here/link.log" >&2; die "$target does not link"; }
}

# fuzz TARGET: its log is fuzz.log, its profile profile.raw.
fuzz()
{
	local target=$1 here=$LINK_WORK/$1 fuzz_source=$LINK_WORK/build/test/fuzz dictionary=
	local corpus=$here/corpus
	if [ -n "${LINK_FUZZ_CORPUS:-}" ]; then corpus=$LINK_FUZZ_CORPUS/$target; mkdir -p "$corpus"; fi
	[ ! -e "$fuzz_source/$target.dict" ] || dictionary=-dict=$fuzz_source/$target.dict
	LLVM_PROFILE_FILE=$here/profile.raw nice "$here/fuzz" -max_total_time="$limit" \
		-max_len="${longest[$target]}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$finds/$target-" $dictionary "$corpus" "$fuzz_source/corpus/$target" \
		>"$here/fuzz.log" 2>&1
}

# line_coverage: "FILE COVERED LINES" for each file of src.
line_coverage()
{
	local binaries=() target
	for target in "${targets[@]}"; do binaries+=(-object "$LINK_WORK/$target/fuzz"); done
	llvm-profdata merge -o "$LINK_WORK/profile" "$LINK_WORK"/*/profile.raw
	llvm-cov export -format=lcov -instr-profile "$LINK_WORK/profile" "${binaries[@]}" >"$LINK_WORK/lcov"

	# The lines of what was compiled are turned into those of the sources by its
	# line markers, which are also those of bison and flex.
	awk '
		/^SF:/ {
			file = substr($0, 4)
			split("", places)
			from = ""
			for (n = 1; (getline line <file) > 0; n++)
				if (line ~ /^# [0-9]+ "/)
				{
					split(line, part, /[ "]+/)
					shift = part[2] - n - 1
					from = part[3]
					if (!sub(/^(.*\/)?src\//, "", from))
						from = ""
				}
				else if (from != "")
					places[n] = from SUBSEP (n + shift)
			close(file)
		}
		/^DA:/ {
			split(substr($0, 4), part, ",")
			place = places[part[1]]
			if (place != "" && part[2] + 0 >= hit[place] + 0)
				hit[place] = part[2] + 0
		}
		END {
			for (place in hit)
			{
				split(place, part, SUBSEP)
				lines[part[1]]++
				if (hit[place] > 0)
					covered[part[1]]++
				else
					print part[1], part[2] >"'"$LINK_WORK"'/uncovered"
			}
			for (name in lines)
				print name, covered[name] + 0, lines[name]
		}' "$LINK_WORK/lcov" >"$LINK_WORK/coverage"
}

# value NAME LOG: of libFuzzer's final statistics
value() { sed -n "s/^stat::$1: *//p" "$2"; }

find_postgres
install_build_packages
install_clang
make_work_folder
finds=${LINK_FUZZ_FINDS:-$PWD}
mkdir -p "$finds"
objects=$LINK_WORK/objects
say "building"
compile
for target in "${targets[@]}"; do link_target "$target"; done

declare -A status pids
for target in "${targets[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
	say "fuzzing $target for $limit s"
	fuzz "$target" &
	pids[$target]=$!
done
for target in "${targets[@]}"; do
	status[$target]=0
	wait "${pids[$target]}" || status[$target]=$?
done
line_coverage

passed=0 failed=0
for target in "${targets[@]}"; do
	log=$LINK_WORK/$target/fuzz.log
	first=$(sed -n 's/.*INITED cov: \([0-9]*\).*/\1/p' "$log")
	last=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
	ok=1
	printf '%-10s %s executions, %s a second; %s edges, %s of them new; %s inputs kept\n' "$target" \
		"$(value number_of_executed_units "$log")" "$(value average_exec_per_sec "$log")" \
		"${last:-0}" "$((${last:-0} - ${first:-0}))" "$(value new_units_added "$log")"
	# it leaves no profile when it ends early
	if [ "${status[$target]}" != 0 ]; then
		failed=$((failed + 1))
		grep -aE '^BUG|ERROR: |SUMMARY: |runtime error|^    #[0-9]|Test unit written|Base64:' "$log" |
			head -n 40 | cut -b 1-500 | LC_ALL=C tr -c '[:print:]\n' '?' || true
		continue
	fi
	for file in ${files[$target]}; do
		read -r covered lines < <(awk -v f="$file" '$1 == f { print $2, $3 }' "$LINK_WORK/coverage") ||
			{ covered=0 lines=1; }
		percent=$((100 * covered / lines))
		printf '  %3d %% of %4d lines of src/%s\n' $percent "$lines" "$file"
		[ $percent -ge $least_coverage ] || ok=0
	done
	if [ $ok = 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
