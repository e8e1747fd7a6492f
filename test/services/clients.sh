# Clients of other makers, that tests let read what we wrote and write what we read:
# Microsoft's and Google's libraries for Python, from PyPI, in a virtual environment
# of their own. Sourced by bash after test/lib.sh.
#
# clients_start FOLDER   false if they do not run
# clients_stop
#
# Exports LINK_CLIENTS_PYTHON, a Python that has azure.storage.blob and google.cloud.storage.

. "$LINK_SOURCE/test/services/util.sh"

# Of Debian's own Python, and named after it and what is installed: another one makes another.
clients_name()
{
	local list=$LINK_SOURCE/test/services/clients.txt
	/usr/bin/python3 -c '
import hashlib, sys
print("clients-%d.%d-%s" % (*sys.version_info[:2], hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:12]))
' "$list"
}

# clients_download FOLDER: files whose sums are not those of the list are refused, and nothing is built.
clients_download()
{
	/usr/bin/python3 -m venv "$1" && "$1/bin/python3" -m pip install --no-cache-dir --disable-pip-version-check \
		--require-hashes --only-binary :all: -r "$LINK_SOURCE/test/services/clients.txt"
}

clients_packages()
{
	install_packages python3 python3-venv ca-certificates && service_cached "$(clients_name)" clients_download
}

clients_start()
{
	local python
	python=$LINK_CACHE/$(clients_name)/bin/python3
	"$python" -c 'import azure.storage.blob, google.cloud.storage' || return 1
	export LINK_CLIENTS_PYTHON=$python
}

clients_stop() { :; }
