#!/usr/bin/env bash
# Do the tests notice when a rule is broken? Each of test/mutations.txt is applied to
# a copy of the source, and its test has to fail. Needs root or sudo; about a
# minute each. The library that is installed at the end is the true one again.
#
#   bash test/mutations.sh [NUMBER]...    all, or those rules of SECURITY alone
#
# The last line is "N passed, N failed, N skipped": noticed, not noticed, 0.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$LINK_SOURCE/test/services/ceph.sh"
stop_services() { ceph_stop; }
trap clean_up EXIT

passed=0 failed=0

# mutate N FOLDER: applies the Nth of the list; prints its rule, test and title.
mutate()
{
	python3 - "$LINK_SOURCE/test/mutations.txt" "$1" "$2" <<'PYTHON'
import re, sys
text = open(sys.argv[1]).read()
blocks = re.split(r'^== ', text, flags=re.M)[1:]
if int(sys.argv[2]) >= len(blocks):
    sys.exit(3)
head, body = blocks[int(sys.argv[2])].split('\n', 1)
rule, test, title = head.split(' ', 2)
for part in re.split(r'^-- ', body, flags=re.M)[1:]:
    name, change = part.split('\n', 1)
    old, new = (part.strip('\n').replace('\\n', '\n') for part in change.split('\n=>', 1))
    path = sys.argv[3] + '/' + name
    source = open(path).read()
    if source.count(old) != 1:
        sys.exit('%s: %d times in %s: %s' % (title, source.count(old), name, old))
    open(path, 'w').write(source.replace(old, new))
print(rule, test, title)
PYTHON
}

find_postgres
install_build_packages
install_packages libipc-run-perl python3 perl
make_work_folder
ceph_packages && ceph_start "$LINK_WORK/ceph" || say "Ceph radosgw could not be started; each test tries its own"

for ((n = 0;; n++)); do
	copy=$LINK_WORK/mutated
	rm -rf "$copy"
	mkdir -p "$copy"
	(cd "$LINK_SOURCE" && tar --exclude=.git --exclude='*.o' -cf - .) | tar -C "$copy" -xf -
	status=0
	what=$(mutate "$n" "$copy") || status=$?
	[ $status != 3 ] || break
	[ $status = 0 ] || { failed=$((failed + 1)); continue; }
	read -r rule test title <<<"$what"
	case " $* " in
		"  " | *" $rule "*) ;;
		*) continue ;;
	esac
	# shellcheck disable=SC2086
	bash "$copy/test/run.sh" $test >"$LINK_WORK/mutation.log" 2>&1 || true
	if [[ $(tail -n 1 "$LINK_WORK/mutation.log") =~ ^[0-9]+\ passed,\ ([0-9]+)\ failed ]] && [ "${BASH_REMATCH[1]}" -gt 0 ]; then
		passed=$((passed + 1))
		say "rule $rule, $title: noticed by $test (${BASH_REMATCH[1]} failed)"
	else
		failed=$((failed + 1))
		say "rule $rule, $title: NOT noticed by $test: $(tail -n 1 "$LINK_WORK/mutation.log")"
	fi
done

build_and_install WERROR=1
stop_services
printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ]
