# A private Ceph cluster in memory with radosgw, the S3 server that the tests
# run against: it verifies signatures. Sourced by bash after test/lib.sh.
#
# ceph_start FOLDER    starts it and exports LINK_S3_* (see the end); false if it does not start
# ceph_stop
# ceph_sts_start FOLDER, ceph_sts_stop    after ceph_start: one more radosgw, which takes session
#                      tokens; exports LINK_S3_STS_ENDPOINT (S3 and STS) and LINK_S3_STS_ROLE, which
#                      the first user may take on

LINK_CEPH=

ceph_packages() { install_packages ceph-mon ceph-osd radosgw openssl awscli; }

ceph_port() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# First of a run of ports that nobody listens on. At random, since several may be
# starting; below the ports that clients are given.
ceph_free_ports()
{
	local base n
	for base in $(seq 17480 40 31480 | shuf); do
		for n in 0 1 2 3; do
			if ceph_port $((base + n)); then continue 2; fi
		done
		echo "$base"
		return
	done
	say "no free ports for Ceph"
	return 1
}

# Daemons and users. Each step is chained: "set -e" sleeps in the condition of an "if".
ceph_boot()
{
	local d=$1 base=$2 osd i
	monmaptool --create --clobber --fsid "$(awk '/^fsid/{print $3}' "$CEPH_CONF")" \
		--addv a "[v2:127.0.0.1:$((base + 2)),v1:127.0.0.1:$((base + 3))]" "$d/monmap" &&
		ceph-mon --mkfs -i a --monmap "$d/monmap" &&
		ceph-mon -i a &&
		osd=$(cat /proc/sys/kernel/random/uuid) &&
		timeout 60 ceph osd new "$osd" &&
		ceph-osd -i 0 --mkfs --osd-uuid "$osd" &&
		ceph-osd -i 0 || return 1
	for i in $(seq 100); do
		if timeout 10 ceph osd stat 2>/dev/null | grep -q '1 up'; then break; fi
		sleep 0.2
	done
	timeout 60 radosgw -n client.rgw.a &&
		timeout 60 radosgw-admin user create --uid=test --display-name=test \
			--access-key=AKIATEST0000000000AB --secret-key=secretsecretsecretsecretsecretsecretsecr &&
		timeout 60 radosgw-admin user create --uid=other --display-name=other \
			--access-key=AKIAOTHER000000000AB --secret-key=othersecretothersecretothersecretothersec || return 1
	for i in $(seq 150); do
		if ceph_port "$base" && ceph_port $((base + 1)); then return 0; fi
		sleep 0.2
	done
	return 1
}

ceph_start()
{
	local d=$1 base
	LINK_CEPH=$d
	mkdir -p "$d/mon" "$d/osd0" "$d/run" "$d/rgw" "$d/tls"
	base=$(ceph_free_ports) || return 1
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$d/tls/key.pem" -out "$d/tls/cert.pem" -days 30 \
		-subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2>/dev/null
	export CEPH_CONF=$d/ceph.conf
	# "ms mon client mode": radosgw asks for secure mode by default and hangs without cephx.
	# "paxos propose interval": each pool's creation waits one. "rgw gc": deleted objects
	# otherwise keep their memory for two hours.
	cat >"$CEPH_CONF" <<C
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon initial members = a
mon host = [v2:127.0.0.1:$((base + 2)),v1:127.0.0.1:$((base + 3))]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
paxos propose interval = 0.05
paxos min wait = 0.01
mon max pg per osd = 2000
osd crush chooseleaf type = 0
run dir = $d/run
admin socket = $d/run/\$name.asok
pid file = $d/run/\$name.pid
log file = $d/\$name.log
keyring = $d/keyring
mon data = $d/mon
mon data avail warn = 1
mon data avail crit = 1
osd data = $d/osd0
osd objectstore = memstore
memstore device bytes = ${LINK_CEPH_BYTES:-8589934592}
osd memory target = 1073741824
[client.rgw.a]
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:$base ssl_endpoint=127.0.0.1:$((base + 1)) ssl_certificate=$d/tls/cert.pem ssl_private_key=$d/tls/key.pem
rgw s3 auth use sts = false
rgw data = $d/rgw
rgw enable usage log = false
rgw enable ops log = false
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 5
C
	ceph_boot "$d" "$base" >"$d/start.log" 2>&1 || { tail -n 30 "$d"/*.log >&2; return 1; }
	chmod 755 "$d" "$d/tls"

	export LINK_S3_ENDPOINT=http://127.0.0.1:$base
	export LINK_S3_TLS_ENDPOINT=https://localhost:$((base + 1))
	export LINK_S3_CA=$d/tls/cert.pem
	export LINK_S3_ACCESS_KEY=AKIATEST0000000000AB
	export LINK_S3_SECRET_KEY=secretsecretsecretsecretsecretsecretsecr
	export LINK_S3_OTHER_ACCESS_KEY=AKIAOTHER000000000AB
	export LINK_S3_OTHER_SECRET_KEY=othersecretothersecretothersecretothersec
}

# radosgw first: one whose OSD is gone hangs for two minutes.
ceph_stop()
{
	local f p i
	[ -n "$LINK_CEPH" ] || return 0
	for f in client.rgw.a osd.0 mon.a; do
		p=$(cat "$LINK_CEPH/run/$f.pid" 2>/dev/null) || continue
		kill "$p" 2>/dev/null || continue
		for i in $(seq 100); do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$p" 2>/dev/null || true
	done
	LINK_CEPH=
}

ceph_sts_packages() { ceph_packages; }

ceph_sts_start()
{
	local d=$1 i port
	[ -n "$LINK_CEPH" ] || return 1
	port=$(ceph_free_ports) || return 1
	mkdir -p "$d/rgw"
	cat >>"$CEPH_CONF" <<C
[client.rgw.sts]
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:$port
rgw s3 auth use sts = true
rgw sts key = abcdefghijklmnop
rgw data = $d/rgw
C
	{
		timeout 60 radosgw -n client.rgw.sts &&
			timeout 60 radosgw-admin caps add --uid=test --caps="roles=*" &&
			timeout 60 radosgw-admin caps add --uid=test --caps="user-policy=*"
	} >"$d/start.log" 2>&1 || { tail -n 30 "$d/start.log" >&2; return 1; }
	for i in $(seq 150); do
		if ceph_port "$port"; then break; fi
		sleep 0.2
	done
	(
		export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
		export AWS_ACCESS_KEY_ID=$LINK_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$LINK_S3_SECRET_KEY
		iam() { aws --endpoint-url "$AWS_ENDPOINT_URL" iam "$@"; }
		iam put-user-policy --user-name test --policy-name p --policy-document \
			'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"arn:aws:iam:::role/r1"}]}' &&
			iam create-role --role-name r1 --path / --assume-role-policy-document \
				'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/test"]},"Action":["sts:AssumeRole"]}]}' &&
			iam put-role-policy --role-name r1 --policy-name p1 --policy-document \
				'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":"arn:aws:s3:::*"}]}'
	) >>"$d/start.log" 2>&1 || { tail -n 30 "$d/start.log" >&2; return 1; }
	export LINK_S3_STS_ENDPOINT=http://127.0.0.1:$port LINK_S3_STS_ROLE=arn:aws:iam:::role/r1
}

ceph_sts_stop()
{
	local p i
	p=$(cat "$LINK_CEPH/run/client.rgw.sts.pid" 2>/dev/null) || return 0
	kill "$p" 2>/dev/null || return 0
	for i in $(seq 100); do
		kill -0 "$p" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -9 "$p" 2>/dev/null || true
}
