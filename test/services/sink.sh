# nginx as an S3 endpoint for the benchmark: takes puts at memory speed and
# keeps nothing. Verifies nothing, and cannot take conditional puts (nginx answers
# those itself): write with overwrite. Sourced by bash after test/lib.sh.
#
# sink_start FOLDER    exports LINK_SINK_ENDPOINT
# sink_stop

LINK_SINK=

sink_packages() { install_packages nginx-light; }

sink_start()
{
	local d=$1 port=18480
	LINK_SINK=$d
	mkdir -p "$d"
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	cat >"$d/nginx.conf" <<C
worker_processes 1;
pid $d/nginx.pid;
error_log $d/error.log;
daemon on;
events { worker_connections 64; }
http {
	access_log off;
	client_max_body_size 0;
	client_body_temp_path $d/body;
	keepalive_requests 1000000;
	server {
		listen 127.0.0.1:$port;
		location / {
			if (\$request_method = HEAD) { return 404; }
			if (\$args ~ "^uploads") { return 200 '<?xml version="1.0"?><InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>'; }
			if (\$request_method = POST) { return 200 '<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"d41d8cd98f00b204e9800998ecf8427e-1"</ETag></CompleteMultipartUploadResult>'; }
			if (\$request_method = DELETE) { return 204; }
			add_header ETag '"d41d8cd98f00b204e9800998ecf8427e"' always;
			return 200;
		}
	}
}
C
	nginx -c "$d/nginx.conf" -e "$d/error.log"
	export LINK_SINK_ENDPOINT=http://127.0.0.1:$port
}

sink_stop()
{
	local p i
	[ -n "$LINK_SINK" ] || return 0
	if p=$(cat "$LINK_SINK/nginx.pid" 2>/dev/null) && kill "$p" 2>/dev/null; then
		for i in $(seq 50); do
			[ -e "$LINK_SINK/nginx.pid" ] || break
			sleep 0.1
		done
	fi
	LINK_SINK=
}
