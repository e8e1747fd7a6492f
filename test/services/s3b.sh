# versitygw, an S3 server of another make than Ceph: verifies signatures, region,
# body hash and clock; takes conditional puts. Sourced by bash after test/lib.sh.
#
# s3b_start FOLDER   on http and https, the same data behind both; false if they do not start
# s3b_stop
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

s3b_start()
{
	local d=$1 base gw=$LINK_CACHE/versitygw-$VERSITYGW_VERSION/versitygw n tls=()
	[ -x "$gw" ] || return 1
	export LINK_S3B_FOLDER=$d
	mkdir -p "$d/data" "$d/meta" "$d/iam" && base=$(service_ports 2) && service_tls "$d/tls" && service_folder "$d" || return 1
	export LINK_S3B_REGION=eu-south-2
	export LINK_S3B_ACCESS_KEY=AKIATEST0000000000VG LINK_S3B_SECRET_KEY LINK_S3B_OTHER_ACCESS_KEY=AKIAOTHER000000000VG LINK_S3B_OTHER_SECRET_KEY
	LINK_S3B_SECRET_KEY=$(openssl rand -hex 20) LINK_S3B_OTHER_SECRET_KEY=$(openssl rand -hex 20)
	for n in 0 1; do
		[ $n = 0 ] || tls=(--cert "$d/tls/cert.pem" --key "$d/tls/key.pem")
		service_spawn "$d" "gw$n" env ROOT_ACCESS_KEY_ID="$LINK_S3B_ACCESS_KEY" ROOT_SECRET_ACCESS_KEY="$LINK_S3B_SECRET_KEY" \
			"$gw" --port "127.0.0.1:$((base + n))" --region "$LINK_S3B_REGION" --iam-dir "$d/iam" --keep-alive --quiet \
			${tls[@]+"${tls[@]}"} posix --sidecar "$d/meta" "$d/data" &&
			service_wait "$d" "gw$n" 30 service_port_open $((base + n)) || return 1
	done
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
