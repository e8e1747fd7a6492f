# Azurite, Microsoft's Azure Blob server for tests: verifies Shared Key and SAS; of
# an OAuth token the claims alone (audience, issuer, expiry), not the signature.
# Sourced by bash after test/lib.sh.
#
# azurite_start FOLDER   starts one with http and one with https; false if they do not start
# azurite_stop
#
# Exports LINK_AZURE_ENDPOINT (http://127.0.0.1:PORT; the URL of a blob is
# ENDPOINT/ACCOUNT/CONTAINER/BLOB), LINK_AZURE_TLS_ENDPOINT (https, accounts the
# same, data its own, takes OAuth tokens), LINK_AZURE_CA, LINK_AZURE_ACCOUNT,
# LINK_AZURE_KEY, LINK_AZURE_OTHER_ACCOUNT, LINK_AZURE_OTHER_KEY, LINK_AZURE_FOLDER.

. "$LINK_SOURCE/test/services/util.sh"

AZURITE_VERSION=3.35.0

# Its dependencies are those of a fixed day; npm checks each file's sum.
azurite_download()
{
	npm install --prefix "$1" --cache "$1/npm" --no-audit --no-fund --ignore-scripts --omit=dev --omit=optional \
		--before=2025-12-31 "azurite@$AZURITE_VERSION" && rm -rf "$1/npm"
}

azurite_packages()
{
	install_packages openssl curl && { command -v node >/dev/null || install_packages nodejs; } || return 1
	[ -e "$LINK_CACHE/azurite-$AZURITE_VERSION" ] || command -v npm >/dev/null || install_packages npm || return 1
	service_cached "azurite-$AZURITE_VERSION" azurite_download
}

azurite_answers() { curl -ksS -o /dev/null --noproxy '*' "$1"; }

azurite_start()
{
	local d=$1 base key1 key2
	local az=$LINK_CACHE/azurite-$AZURITE_VERSION/node_modules/azurite/dist/src/blob/main.js
	[ -e "$az" ] || return 1
	LINK_AZURITE=$d
	mkdir -p "$d/http" "$d/https" && base=$(service_ports 2) && service_tls "$d/tls" && service_folder "$d" || return 1
	key1=$(head -c 64 /dev/urandom | base64 -w0) key2=$(head -c 64 /dev/urandom | base64 -w0)
	export AZURITE_ACCOUNTS="acct1:$key1;acct2:$key2"
	service_spawn "$d" http node "$az" --silent --blobHost 127.0.0.1 --blobPort "$base" \
		--location "$d/http" --disableTelemetry --skipApiVersionCheck &&
		service_spawn "$d" https node "$az" --silent --blobHost 127.0.0.1 --blobPort $((base + 1)) \
			--location "$d/https" --disableTelemetry --skipApiVersionCheck \
			--cert "$d/tls/cert.pem" --key "$d/tls/key.pem" --oauth basic || return 1
	unset AZURITE_ACCOUNTS
	service_wait "$d" http 30 azurite_answers "http://127.0.0.1:$base/" &&
		service_wait "$d" https 30 azurite_answers "https://127.0.0.1:$((base + 1))/" || return 1

	export LINK_AZURE_FOLDER=$d
	export LINK_AZURE_ENDPOINT=http://127.0.0.1:$base
	export LINK_AZURE_TLS_ENDPOINT=https://localhost:$((base + 1))
	export LINK_AZURE_CA=$d/tls/ca.pem
	export LINK_AZURE_ACCOUNT=acct1 LINK_AZURE_KEY=$key1
	export LINK_AZURE_OTHER_ACCOUNT=acct2 LINK_AZURE_OTHER_KEY=$key2
}

azurite_stop()
{
	local d=${LINK_AZURITE:-${LINK_AZURE_FOLDER:-}}
	[ -n "$d" ] || return 0
	service_end "$d" https
	service_end "$d" http
	LINK_AZURITE=
}
