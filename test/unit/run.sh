#!/usr/bin/env bash
# Unit tests of what is pure: builds the sources as frontend code together with
# unit.c in a temporary folder, and runs it. Prints TAP:
#
#   prove --exec bash test/unit/run.sh      PG_CONFIG=/path/to/pg_config for another server
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
src=$here/../../src
pg_config=${PG_CONFIG:-pg_config}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The frontend libraries lie where the distribution wants them.
libs=
for folder in "$("$pg_config" --pkglibdir)" "$("$pg_config" --libdir)"; do
	[ -e "$folder/libpgcommon.a" ] && libs=$folder
done
[ -n "$libs" ] || { echo "1..0 # SKIP libpgcommon.a is not installed"; exit 0; }

"${CC:-cc}" -std=gnu99 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -fwrapv -fno-strict-aliasing -O1 -g -D_GNU_SOURCE -DFRONTEND \
	-I"$src" -I"$("$pg_config" --includedir-server)" \
	-o "$work/unit" "$here/unit.c" "$src"/http/{url,sigv4,shared_key,jwt}.c \
	"$libs/libpgcommon.a" "$libs/libpgport.a" -lcrypto -lm -lpthread
"$work/unit"
