# versitygw, an S3 server of another make than Ceph: verifies signatures, region,
# body hash and clock; takes conditional puts. Sourced by bash after test/lib.sh.
#
# s3b_start FOLDER   on http and https, the same data behind both; false if they do not start
# s3b_stop
# s3b_kill, s3b_up             the gateway on http dies at once (SIGKILL), and is back
# s3b_freeze, s3b_thaw         it stops answering, connections stay open
#
# These four need the exported values only, so a test may call them from another shell.
#
# Exports LINK_S3B_ENDPOINT, LINK_S3B_TLS_ENDPOINT, LINK_S3B_CA, LINK_S3B_REGION,
# LINK_S3B_ACCESS_KEY, LINK_S3B_SECRET_KEY, LINK_S3B_OTHER_ACCESS_KEY,
# LINK_S3B_OTHER_SECRET_KEY (a user who may touch no bucket of the first one's),
# LINK_S3B_FOLDER.

. "$LINK_SOURCE/test/services/util.sh"

VERSITYGW_VERSION=1.8.0

s3b_packages()
{
	install_packages openssl awscli && service_go_packages "versitygw-$VERSITYGW_VERSION" &&
		service_cached "versitygw-$VERSITYGW_VERSION" service_go "github.com/versity/versitygw/cmd/versitygw@v$VERSITYGW_VERSION"
}

# s3b_gateway NAME PORT ARGUMENT...
s3b_gateway()
{
	local d=$LINK_S3B_FOLDER name=$1 port=$2
	shift 2
	service_spawn "$d" "$name" env ROOT_ACCESS_KEY_ID="$LINK_S3B_ACCESS_KEY" ROOT_SECRET_ACCESS_KEY="$LINK_S3B_SECRET_KEY" \
		"$LINK_CACHE/versitygw-$VERSITYGW_VERSION/versitygw" --port "127.0.0.1:$port" --region "$LINK_S3B_REGION" \
		--iam-dir "$d/iam" --keep-alive --quiet "$@" posix --sidecar "$d/meta" "$d/data" &&
		service_wait "$d" "$name" 30 service_port_open "$port"
}

s3b_up() { s3b_gateway gw0 "${LINK_S3B_ENDPOINT##*:}"; }
s3b_kill() { service_end "$LINK_S3B_FOLDER" gw0 0; }
s3b_freeze() { kill -STOP "$(cat "$LINK_S3B_FOLDER/gw0.pid")"; }
s3b_thaw() { kill -CONT "$(cat "$LINK_S3B_FOLDER/gw0.pid")"; }

s3b_start()
{
	local d=$1 base gw=$LINK_CACHE/versitygw-$VERSITYGW_VERSION/versitygw
	[ -x "$gw" ] || return 1
	export LINK_S3B_FOLDER=$d
	mkdir -p "$d/data" "$d/meta" "$d/iam" && base=$(service_ports 2) && service_tls "$d/tls" && service_folder "$d" || return 1
	export LINK_S3B_REGION=eu-south-2
	export LINK_S3B_ACCESS_KEY=AKIATEST0000000000VG LINK_S3B_SECRET_KEY LINK_S3B_OTHER_ACCESS_KEY=AKIAOTHER000000000VG LINK_S3B_OTHER_SECRET_KEY
	LINK_S3B_SECRET_KEY=$(openssl rand -hex 20) LINK_S3B_OTHER_SECRET_KEY=$(openssl rand -hex 20)
	s3b_gateway gw0 "$base" && s3b_gateway gw1 $((base + 1)) --cert "$d/tls/cert.pem" --key "$d/tls/key.pem" || return 1
	ADMIN_ACCESS_KEY_ID=$LINK_S3B_ACCESS_KEY ADMIN_SECRET_ACCESS_KEY=$LINK_S3B_SECRET_KEY ADMIN_REGION=$LINK_S3B_REGION \
		"$gw" admin --endpoint-url "http://127.0.0.1:$base" create-user --access "$LINK_S3B_OTHER_ACCESS_KEY" \
		--secret "$LINK_S3B_OTHER_SECRET_KEY" --role userplus >"$d/admin.log" 2>&1 || { cat "$d/admin.log" >&2; return 1; }

	export LINK_S3B_ENDPOINT=http://127.0.0.1:$base
	export LINK_S3B_TLS_ENDPOINT=https://localhost:$((base + 1))
	export LINK_S3B_CA=$d/tls/ca.pem
}

s3b_stop()
{
	[ -n "${LINK_S3B_FOLDER:-}" ] || return 0
	service_end "$LINK_S3B_FOLDER" gw1
	service_end "$LINK_S3B_FOLDER" gw0
}
