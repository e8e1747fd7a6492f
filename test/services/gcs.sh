# Google Cloud Storage: versitygw (XML API) and fake-gcs-server (JSON API) behind
# gcs_gate.py, which verifies OAuth tokens and what leads to them, and keeps the
# objects of the two the same. Sourced by bash after test/lib.sh.
#
# gcs_start FOLDER   false if they do not start
# gcs_stop
# curl -X POST $LINK_GCS_ENDPOINT/gate/expire   ends all tokens
#
# Exports LINK_GCS_ENDPOINT (http://127.0.0.1:PORT), LINK_GCS_TLS_ENDPOINT, LINK_GCS_CA,
# LINK_GCS_TOKEN_ENDPOINT (https; also the key files' token_uri), LINK_GCS_KEY_FILE (of a
# service account), LINK_GCS_DENIED_KEY_FILE (one that gets tokens and may touch
# nothing), LINK_GCS_FORGED_KEY_FILE (the first one's name, another key),
# LINK_GCS_METADATA_ENDPOINT, LINK_GCS_ACCESS_ID and LINK_GCS_SECRET_KEY (HMAC, XML API
# only; region "auto"), LINK_GCS_LOG (a line a request), LINK_GCS_FOLDER.

. "$LINK_SOURCE/test/services/util.sh"
. "$LINK_SOURCE/test/services/s3b.sh"

FAKE_GCS_VERSION=1.56.1

gcs_packages()
{
	s3b_packages && install_packages python3 curl && service_go_packages "fake-gcs-server-$FAKE_GCS_VERSION" &&
		service_cached "fake-gcs-server-$FAKE_GCS_VERSION" service_go "github.com/fsouza/fake-gcs-server@v$FAKE_GCS_VERSION"
}

# gcs_key FOLDER NAME EMAIL [KEY ID]: NAME.json as Google hands it out, and NAME.pub
gcs_key()
{
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1/$2.key" 2>/dev/null &&
		openssl pkey -in "$1/$2.key" -pubout -out "$1/$2.pub" &&
		python3 -c '
import json, sys
folder, name, email, kid, uri = sys.argv[1:]
json.dump({"type": "service_account", "project_id": "link-test", "private_key_id": kid,
           "private_key": open(f"{folder}/{name}.key").read(), "client_email": email, "client_id": "1",
           "auth_uri": uri, "token_uri": uri}, open(f"{folder}/{name}.json", "w"), indent=2)
' "$1" "$2" "$3" "${4:-$2}" "$LINK_GCS_TOKEN_ENDPOINT"
}

gcs_start()
{
	local d=$1 base gw=$LINK_CACHE/versitygw-$VERSITYGW_VERSION/versitygw
	local fake=$LINK_CACHE/fake-gcs-server-$FAKE_GCS_VERSION/fake-gcs-server email=link@link-test.iam.gserviceaccount.com
	[ -x "$gw" ] && [ -x "$fake" ] || return 1
	export LINK_GCS_FOLDER=$d
	mkdir -p "$d/data" "$d/meta" "$d/iam" && base=$(service_ports 4) && service_tls "$d/tls" || return 1
	export LINK_GCS_TOKEN_ENDPOINT=https://localhost:$((base + 1))/token
	export LINK_GCS_ACCESS_ID=GOOGTEST00000000000A LINK_GCS_SECRET_KEY
	LINK_GCS_SECRET_KEY=$(openssl rand -base64 30 | tr '+/' 'xy')
	gcs_key "$d" account "$email" && gcs_key "$d" denied "denied-$email" && gcs_key "$d" forged "$email" account || return 1
	cp "$LINK_SOURCE/test/services/gcs_gate.py" "$d/gate.py"
	cat >"$d/gate.json" <<C
{"port": $base, "tls_port": $((base + 1)), "s3": $((base + 2)), "emulator": $((base + 3)), "ttl": 3600,
 "access": "$LINK_GCS_ACCESS_ID", "secret": "$LINK_GCS_SECRET_KEY", "folder": "$d", "log": "$d/requests.log",
 "cert": "$d/tls/cert.pem", "key": "$d/tls/key.pem",
 "audiences": ["$LINK_GCS_TOKEN_ENDPOINT", "http://127.0.0.1:$base/token", "https://oauth2.googleapis.com/token"],
 "accounts": {"$email": {"kid": "account", "public_key": "$d/account.pub"},
  "denied-$email": {"kid": "denied", "public_key": "$d/denied.pub"}},
 "denied": ["denied-$email"], "instance": "instance"}
C
	service_folder "$d" || return 1
	service_spawn "$d" xml env ROOT_ACCESS_KEY_ID="$LINK_GCS_ACCESS_ID" ROOT_SECRET_ACCESS_KEY="$LINK_GCS_SECRET_KEY" \
		"$gw" --port "127.0.0.1:$((base + 2))" --region auto --iam-dir "$d/iam" --keep-alive --quiet posix \
		--sidecar "$d/meta" "$d/data" &&
		service_spawn "$d" json "$fake" -scheme http -host 127.0.0.1 -port $((base + 3)) -backend memory \
			-public-host "127.0.0.1:$base" -external-url "http://127.0.0.1:$base" -log-level warn &&
		service_spawn "$d" gate python3 "$d/gate.py" "$d/gate.json" &&
		service_wait "$d" xml 30 service_port_open $((base + 2)) &&
		service_wait "$d" json 30 service_port_open $((base + 3)) &&
		service_wait "$d" gate 30 service_port_open $((base + 1)) || return 1

	export LINK_GCS_ENDPOINT=http://127.0.0.1:$base
	export LINK_GCS_TLS_ENDPOINT=https://localhost:$((base + 1))
	export LINK_GCS_CA=$d/tls/ca.pem
	export LINK_GCS_KEY_FILE=$d/account.json LINK_GCS_DENIED_KEY_FILE=$d/denied.json LINK_GCS_FORGED_KEY_FILE=$d/forged.json
	export LINK_GCS_METADATA_ENDPOINT=http://127.0.0.1:$base
	export LINK_GCS_LOG=$d/requests.log
}

gcs_stop()
{
	[ -n "${LINK_GCS_FOLDER:-}" ] || return 0
	service_end "$LINK_GCS_FOLDER" gate
	service_end "$LINK_GCS_FOLDER" json
	service_end "$LINK_GCS_FOLDER" xml
}
