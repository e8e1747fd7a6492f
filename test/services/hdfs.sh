# Apache Hadoop HDFS from Maven Central: a NameNode and a DataNode with WebHDFS, on
# http and https. Sourced by bash after test/lib.sh. Three kinds, which may run
# side by side, each in a folder of its own:
#
# hdfs_start FOLDER            simple authentication: it believes any user.name
# hdfs_kerberos_start FOLDER   Kerberos (SPNEGO); after kerberos_start of kerberos.sh
# hdfs_ha_start FOLDER         simple, two NameNodes, the first one active
# hdfs_stop                    all that were started; each _start is false if it does not start
# hdfs_down FOLDER NAME, hdfs_up FOLDER NAME   one process (nn1, nn2, dn), its data kept
# hdfs_kill FOLDER NAME        it dies at once
# hdfs_failover FOLDER         the other NameNode becomes the active one
#
# hdfs_touch FOLDER DIRECTORY N  makes empty files 1 to N there, which everybody may read
#
# These five need no variable of this shell, so a test may call them from another one.
#
# Users and permissions are checked: superuser hdfs; /user/tester is tester's (mode
# 750), /user/other is other's, /tmp is everybody's.
#
# hdfs_start exports LINK_HDFS_ENDPOINT (http://localhost:PORT; paths begin with
# /webhdfs/v1), LINK_HDFS_TLS_ENDPOINT, LINK_HDFS_CA, LINK_HDFS_USER, LINK_HDFS_FOLDER;
# the others the same as LINK_HDFS_KERBEROS_... and LINK_HDFS_HA_..., and
# LINK_HDFS_HA_ENDPOINT2, LINK_HDFS_HA_TLS_ENDPOINT2.

. "$LINK_SOURCE/test/services/util.sh"
. "$LINK_SOURCE/test/services/kerberos.sh"

HADOOP_VERSION=3.4.2

hdfs_packages()
{
	install_packages openssl curl && service_java "hadoop-$HADOOP_VERSION" &&
		service_cached "hadoop-$HADOOP_VERSION" service_jars "org.apache.hadoop:hadoop-common:$HADOOP_VERSION" \
			"org.apache.hadoop:hadoop-hdfs:$HADOOP_VERSION" "org.apache.hadoop:hadoop-hdfs-client:$HADOOP_VERSION"
}

hdfs_kerberos_packages() { hdfs_packages && kerberos_packages; }
hdfs_ha_packages() { hdfs_packages; }

# hdfs_properties < "NAME VALUE" lines
hdfs_properties()
{
	local name value
	echo '<?xml version="1.0"?><configuration>'
	while read -r name value; do
		[ -z "$name" ] || echo "<property><name>$name</name><value>$value</value></property>"
	done
	echo '</configuration>'
}

# hdfs_command FOLDER NAME: the java command for its node NAME, one word a line
hdfs_command()
{
	local d=$1
	# opened: jersey's XML binding reflects on java.lang; the first compiler alone: it starts in half the time
	printf '%s\n' java -Xmx256m -XX:TieredStopAtLevel=1 --add-opens=java.base/java.lang=ALL-UNNAMED -XX:+UseSerialGC -XX:-UsePerfData -Djava.net.preferIPv4Stack=true \
		"-Dhadoop.log.dir=$d" "-Duser.home=$d" \
		"-Djava.util.logging.config.file=$d/conf/logging.properties"
	[ ! -e "$d/kerberos" ] || echo "-Djava.security.krb5.conf=$(cat "$d/kerberos")"
	printf '%s\n' -cp "$d/conf-$2:$d/conf:$LINK_CACHE/hadoop-$HADOOP_VERSION/*"
}

# hdfs_tool FOLDER NAME CLASS ARGUMENT...: as HADOOP_USER_NAME, the superuser if it is not set
hdfs_tool()
{
	local d=$1 java
	mapfile -t java < <(hdfs_command "$d" "$2")
	shift 2
	service_as "$d" env HADOOP_USER_NAME="${HADOOP_USER_NAME:-hdfs}" "${java[@]}" "$@"
}

# hdfs_spawn FOLDER NAME
hdfs_spawn()
{
	local d=$1 java class=org.apache.hadoop.hdfs.server.namenode.NameNode
	[ "$2" != dn ] || class=org.apache.hadoop.hdfs.server.datanode.DataNode
	mapfile -t java < <(hdfs_command "$d" "$2")
	service_spawn "$d" "$2" env HADOOP_USER_NAME=hdfs "${java[@]}" "$class"
}

# hdfs_curl FOLDER ARGUMENT...: as the superuser where it is Kerberos
hdfs_curl()
{
	local d=$1 conf
	shift
	if conf=$(cat "$d/kerberos" 2>/dev/null); then
		KRB5_CONFIG=$conf KRB5_CLIENT_KTNAME=FILE:${conf%/*}/hdfs.keytab KRB5CCNAME=MEMORY: \
			curl -sS --noproxy '*' --negotiate -u : "$@"
	else
		curl -sS --noproxy '*' "$@"
	fi
}

# hdfs_jmx FOLDER NAME BEAN
hdfs_jmx() { hdfs_curl "$1" --max-time 5 "$(cat "$1/$2.url")/jmx?qry=Hadoop:service=$3" 2>/dev/null; }


# hdfs_live FOLDER NAME: a NameNode out of safe mode with a live DataNode; a DataNode
# that has registered
hdfs_live()
{
	if [ "$2" = dn ]; then
		hdfs_jmx "$1" dn DataNode,name=DataNodeInfo | grep -q 'ActorState.*RUNNING'
	else
		hdfs_jmx "$1" "$2" NameNode,name=FSNamesystemState | grep -q '"NumLiveDataNodes" : 1' &&
			hdfs_jmx "$1" "$2" NameNode,name=FSNamesystemState | grep -q '"FSState" : "Operational"'
	fi
}

hdfs_up()
{
	hdfs_spawn "$1" "$2" && service_wait "$1" "$2" 90 hdfs_live "$1" "$2"
}

hdfs_down() { service_end "$1" "$2" 20; }
hdfs_kill() { service_end "$1" "$2" 0; }

# hdfs_boot FOLDER KIND PREFIX
hdfs_boot()
{
	local d=$1 kind=$2 prefix=$3 base n
	[ -e "$LINK_CACHE/hadoop-$HADOOP_VERSION" ] || return 1
	LINK_HDFS_STARTED="${LINK_HDFS_STARTED:-} $d"
	mkdir -p "$d/conf/webapps/hdfs" "$d/conf/webapps/datanode" "$d/conf-nn1" "$d/conf-nn2" "$d/conf-dn" "$d/tmp" "$d/shared"
	base=$(service_ports 10) && service_tls "$d/tls" || return 1
	openssl pkcs12 -export -passout pass:changeit -in "$d/tls/cert.pem" -inkey "$d/tls/key.pem" \
		-certfile "$d/tls/ca.pem" -name server -out "$d/tls/server.p12" || return 1
	{
		echo 'hadoop.security.authorization false'
		[ "$kind" != ha ] && echo "fs.defaultFS hdfs://localhost:$base" || echo "fs.defaultFS hdfs://pair"
		echo "hadoop.tmp.dir $d/tmp"
		echo 'hadoop.user.group.static.mapping.overrides hdfs=hdfs;tester=tester;other=other;dr.who=nobody'
		echo 'hadoop.ssl.server.conf ssl-server.xml'
			if [ "$kind" = kerberos ]; then
			cat <<C
hadoop.security.authentication kerberos
hadoop.http.filter.initializers org.apache.hadoop.hdfs.web.AuthFilterInitializer
hadoop.http.authentication.type kerberos
hadoop.http.authentication.kerberos.principal HTTP/localhost@$LINK_KERBEROS_REALM
hadoop.http.authentication.kerberos.keytab $LINK_KERBEROS_FOLDER/http.keytab
hadoop.http.authentication.signature.secret.file $d/secret
C
		fi
	} | hdfs_properties >"$d/conf/core-site.xml"
	hdfs_properties >"$d/conf/ssl-server.xml" <<C
ssl.server.keystore.location $d/tls/server.p12
ssl.server.keystore.type pkcs12
ssl.server.keystore.password changeit
ssl.server.keystore.keypassword changeit
C
	{
		cat <<C
dfs.replication 1
dfs.ls.limit 10
dfs.http.policy HTTP_AND_HTTPS
dfs.permissions.superusergroup hdfs
dfs.namenode.name.dir file://$d/data/\${link.node}
dfs.datanode.data.dir file://$d/data/dn
dfs.datanode.hostname localhost
dfs.datanode.address localhost:$((base + 3))
dfs.datanode.http.address localhost:$((base + 4))
dfs.datanode.https.address localhost:$((base + 5))
dfs.datanode.ipc.address localhost:$((base + 6))
dfs.namenode.datanode.registration.ip-hostname-check false
dfs.namenode.safemode.extension 0
dfs.namenode.handler.count 4
dfs.datanode.handler.count 4
dfs.heartbeat.interval 1
dfs.namenode.heartbeat.recheck-interval 2000
dfs.datanode.du.reserved 0
dfs.disk.balancer.enabled false
dfs.namenode.stale.datanode.interval 10000
dfs.client.block.write.locateFollowingBlock.initial.delay.ms 10
C
		if [ "$kind" = ha ]; then
			cat <<C
dfs.nameservices pair
dfs.ha.namenodes.pair nn1,nn2
dfs.ha.automatic-failover.enabled false
dfs.ha.fencing.methods shell(/bin/true)
dfs.ha.tail-edits.period 1
dfs.ha.log-roll.period 5
dfs.namenode.shared.edits.dir file://$d/shared
dfs.client.failover.proxy.provider.pair org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider
C
			for n in 1 2; do
				cat <<C
dfs.namenode.rpc-address.pair.nn$n localhost:$((base + 7 * (n - 1)))
dfs.namenode.http-address.pair.nn$n localhost:$((base + 7 * (n - 1) + 1))
dfs.namenode.https-address.pair.nn$n localhost:$((base + 7 * (n - 1) + 2))
C
			done
		else
			cat <<C
dfs.namenode.rpc-address localhost:$base
dfs.namenode.http-address localhost:$((base + 1))
dfs.namenode.https-address localhost:$((base + 2))
C
		fi
		if [ "$kind" = kerberos ]; then
			cat <<C
dfs.block.access.token.enable true
dfs.namenode.delegation.token.renew-interval 15000
dfs.namenode.kerberos.principal hdfs/localhost@$LINK_KERBEROS_REALM
dfs.namenode.keytab.file $LINK_KERBEROS_FOLDER/hdfs.keytab
dfs.datanode.kerberos.principal hdfs/localhost@$LINK_KERBEROS_REALM
dfs.datanode.keytab.file $LINK_KERBEROS_FOLDER/hdfs.keytab
dfs.web.authentication.kerberos.principal HTTP/localhost@$LINK_KERBEROS_REALM
dfs.web.authentication.kerberos.keytab $LINK_KERBEROS_FOLDER/http.keytab
ignore.secure.ports.for.testing true
C
		fi
	} >"$d/conf/site"
	for n in nn1 nn2 dn; do
		{ sed "s/\${link.node}/$n/" "$d/conf/site"
		  [ "$kind" != ha ] || [ $n = dn ] || echo "dfs.ha.namenode.id $n"; } | hdfs_properties >"$d/conf-$n/hdfs-site.xml"
	done
	cat >"$d/conf/log4j.properties" <<C
log4j.rootLogger=WARN, err
log4j.appender.err=org.apache.log4j.ConsoleAppender
log4j.appender.err.Target=System.err
log4j.appender.err.layout=org.apache.log4j.PatternLayout
log4j.appender.err.layout.ConversionPattern=%d %p %m (%c)%n
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
C
	echo '.level=SEVERE' >"$d/conf/logging.properties"
	openssl rand -hex 32 >"$d/secret"
	[ "$kind" != kerberos ] || echo "$LINK_KERBEROS_FOLDER/krb5.conf" >"$d/kerberos"
	echo "http://localhost:$((base + 1))" >"$d/nn1.url"
	echo "http://localhost:$((base + 4))" >"$d/dn.url"
	[ "$kind" != ha ] || echo "http://localhost:$((base + 8))" >"$d/nn2.url"
	service_folder "$d" || return 1

	hdfs_tool "$d" nn1 org.apache.hadoop.hdfs.server.namenode.NameNode -format -force -nonInteractive \
		>"$d/format.log" 2>&1 || { tail -n 30 "$d/format.log" >&2; return 1; }
	hdfs_spawn "$d" nn1 && hdfs_spawn "$d" dn || return 1
	if [ "$kind" = ha ]; then
		service_as "$d" cp -r "$d/data/nn1" "$d/data/nn2" && service_as "$d" rm -f "$d/data/nn2/in_use.lock" &&
			hdfs_spawn "$d" nn2 &&
			service_wait "$d" nn1 60 hdfs_jmx "$d" nn1 NameNode,name=NameNodeStatus && service_wait "$d" nn2 60 hdfs_jmx "$d" nn2 NameNode,name=NameNodeStatus &&
			service_wait "$d" nn1 60 service_port_open "$base" && service_wait "$d" nn2 60 service_port_open $((base + 7)) &&
			hdfs_tool "$d" nn1 org.apache.hadoop.hdfs.tools.DFSHAAdmin -transitionToActive nn1 || return 1
	fi
	service_wait "$d" nn1 60 hdfs_live "$d" nn1 && hdfs_folders "$d" "$kind" || return 1

	export "${prefix}_FOLDER=$d" "${prefix}_USER=tester" "${prefix}_CA=$d/tls/ca.pem"
	export "${prefix}_ENDPOINT=http://localhost:$((base + 1))" "${prefix}_TLS_ENDPOINT=https://localhost:$((base + 2))"
	if [ "$kind" = ha ]; then
		export "${prefix}_ENDPOINT2=http://localhost:$((base + 8))" "${prefix}_TLS_ENDPOINT2=https://localhost:$((base + 9))"
	fi
}

# hdfs_folders FOLDER KIND: the users' folders, made by the superuser over WebHDFS
hdfs_folders()
{
	local d=$1 url q='&user.name=hdfs' spec
	url=$(cat "$d/nn1.url")/webhdfs/v1
	[ "$2" != kerberos ] || q=
	for spec in '/tmp?op=MKDIRS&permission=1777' '/user?op=MKDIRS&permission=755' '/user/tester?op=MKDIRS&permission=750' \
		'/user/other?op=MKDIRS&permission=750' '/user/tester?op=SETOWNER&owner=tester&group=tester' \
		'/user/other?op=SETOWNER&owner=other&group=other' '/tmp?op=SETPERMISSION&permission=1777'; do
		hdfs_curl "$d" --fail-with-body -X PUT "$url$spec$q" >"$d/curl.log" ||
			{ tail -n 5 "$d/curl.log" "$d/nn1.log" >&2; return 1; }
	done
}

hdfs_start() { hdfs_boot "$1" simple LINK_HDFS; }
hdfs_ha_start() { hdfs_boot "$1" ha LINK_HDFS_HA; }

hdfs_kerberos_start()
{
	[ -n "${LINK_KERBEROS_FOLDER:-}" ] && kerberos_principal hdfs/localhost hdfs.keytab || return 1
	hdfs_boot "$1" kerberos LINK_HDFS_KERBEROS
}

hdfs_touch()
{
	hdfs_tool "$1" nn1 org.apache.hadoop.fs.FsShell -mkdir -p "$2" &&
		hdfs_tool "$1" nn1 org.apache.hadoop.fs.FsShell -touchz $(seq -f "$2/%g" "$3")
}

# The other one becomes active; the first need not be alive.
hdfs_failover()
{
	local d=$1 from=nn1 to=nn2 tool=org.apache.hadoop.hdfs.tools.DFSHAAdmin
	if hdfs_jmx "$d" nn2 NameNode,name=NameNodeStatus | grep -q '"State" : "active"'; then from=nn2 to=nn1; fi
	if kill -0 "$(cat "$d/$from.pid" 2>/dev/null)" 2>/dev/null; then
		hdfs_tool "$d" nn1 $tool -transitionToStandby $from && hdfs_tool "$d" nn1 $tool -transitionToActive $to
	else
		hdfs_tool "$d" nn1 $tool -transitionToActive --forceactive $to 2>>"$d/$to.log"
	fi
}

hdfs_kerberos_stop() { hdfs_stop; }
hdfs_ha_stop() { hdfs_stop; }

hdfs_stop()
{
	local d
	for d in ${LINK_HDFS_STARTED:-}; do
		service_end "$d" dn
		service_end "$d" nn1
		service_end "$d" nn2
	done
	LINK_HDFS_STARTED=
}
