#!/usr/bin/env bash
# The extension with one more provider, made as src/provider/README.md says, and
# functions for tests (range.c, publish.c), in a private installation of the server: nothing
# outside of FOLDER changes.
#
#   bash test/dummy_provider/build.sh FOLDER    run in the tree; prints "bindir ..." of the installation
set -euo pipefail

to=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
config=${PG_CONFIG:-pg_config}

# Server programs find their libraries from where they lie: programs are copied, the rest is linked.
bin=$("$config" --bindir)
mkdir -p "$to/inst$bin"
cp -L "$bin"/* "$to/inst$bin/"
for d in "$("$config" --pkglibdir)" "$("$config" --sharedir)" "$("$config" --includedir-server)"; do
	mkdir -p "$to/inst$d"
	cp -as "$d/." "$to/inst$d/"
done
for f in link.so extension/link.control; do rm -f "$to/inst$("$config" --pkglibdir)/$f" "$to/inst$("$config" --sharedir)/$f"; done

# The tree, with the folder, the declaration and the line of the list.
mkdir "$to/build"
tar -C "$here" --exclude=./.git --exclude=./tmp_check --exclude=./results --exclude='*.d' -cf - . | tar -C "$to/build" -xf -
cp -r "$here/test/dummy_provider/memory" "$to/build/src/provider/"
cp "$here/test/dummy_provider/range.c" "$here/test/dummy_provider/publish.c" "$to/build/src/statement/"
cd "$to/build"
sed -i '/link_fs_provider;/a extern const LinkProvider link_memory_provider;' src/provider/list.h
sed -i '/&link_fs_provider,/a \	\&link_memory_provider,' src/provider/provider.c

# objects whose sources are the same need no second compilation
rm -f link.so src/provider/*.o src/provider/*/*.o
export PG_CONFIG=$to/inst$bin/pg_config
make -s -j2 PG_CONFIG="$PG_CONFIG" WERROR=1
make -s PG_CONFIG="$PG_CONFIG" install
echo "bindir $to/inst$bin"
