# Apache Kafka, one broker (KRaft) from Maven Central, with a listener of each kind:
# plain, SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) without and with TLS, and TLS
# with a client certificate. Verifies passwords and certificates. Sourced by bash
# after test/lib.sh.
#
# kafka_start FOLDER             false if it does not start
# kafka_stop
# kafka_topic NAME [PARTITIONS [CONFIG=VALUE...]]   makes a topic (topics are not made by themselves)
# kafka_tool CLASS ARGUMENT...   a command of org.apache.kafka.tools, on the plain listener
# kafka_down, kafka_up           the broker alone, its data kept; kafka_restart does both
# kafka_kill                     the broker dies at once (SIGKILL)
# kafka_freeze, kafka_thaw       it stops answering, connections stay open
#
# These need LINK_KAFKA_FOLDER only, so a test may call them from another shell:
#   bash -c '. test/lib.sh; . test/services/kafka.sh; kafka_restart'
#
# Exports LINK_KAFKA_PLAINTEXT, LINK_KAFKA_SASL_PLAINTEXT, LINK_KAFKA_SASL_SSL,
# LINK_KAFKA_SSL (each 127.0.0.1:PORT or, with TLS, localhost:PORT), LINK_KAFKA_CA,
# LINK_KAFKA_CLIENT_CERT, LINK_KAFKA_CLIENT_KEY, LINK_KAFKA_USER, LINK_KAFKA_PASSWORD
# (for all three mechanisms), LINK_KAFKA_DENIED_USER with LINK_KAFKA_DENIED_PASSWORD
# (may log in, may touch no topic), LINK_KAFKA_FOLDER; LINK_KAFKA_AWAY and
# LINK_KAFKA_SASL_AWAY, where the broker names another address as its own, at which
# nobody listens: LINK_KAFKA_AWAY_TO and LINK_KAFKA_SASL_AWAY_TO.

. "$LINK_SOURCE/test/services/util.sh"

KAFKA_VERSION=3.9.2

kafka_packages()
{
	install_packages openssl kcat && service_java "kafka-$KAFKA_VERSION" &&
		service_cached "kafka-$KAFKA_VERSION" service_jars "org.apache.kafka:kafka_2.13:$KAFKA_VERSION" \
			"org.apache.kafka:kafka-tools:$KAFKA_VERSION" org.slf4j:slf4j-reload4j:1.7.36
}

# kafka_java CLASS ARGUMENT...
kafka_java()
{
	service_as "$LINK_KAFKA_FOLDER" java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		"-Dlog4j.configuration=file:$LINK_KAFKA_FOLDER/log4j.properties" \
		-cp "$LINK_CACHE/kafka-$KAFKA_VERSION/*" "$@"
}

kafka_tool()
{
	local class=$1
	shift
	kafka_java "$class" --bootstrap-server "$(cat "$LINK_KAFKA_FOLDER/plain")" "$@"
}

kafka_topic()
{
	local name=$1 partitions=${2:-1} c more=()
	shift $(($# > 1 ? 2 : 1))
	for c in "$@"; do more+=(--config "$c"); done
	kafka_tool org.apache.kafka.tools.TopicCommand --create --topic "$name" --partitions "$partitions" \
		--replication-factor 1 ${more[@]+"${more[@]}"}
}

kafka_answers()
{
	local at
	at=$(cat "$LINK_KAFKA_FOLDER/plain")
	service_port_open "${at#*:}" && kcat -b "$at" -L -m 5
}

kafka_up()
{
	local d=$LINK_KAFKA_FOLDER
	service_spawn "$d" kafka java -Xmx512m -XX:+UseSerialGC -XX:-UsePerfData \
		"-Dlog4j.configuration=file:$d/log4j.properties" \
		-cp "$LINK_CACHE/kafka-$KAFKA_VERSION/*" kafka.Kafka "$d/server.properties" &&
		service_wait "$d" kafka 60 kafka_answers
}

kafka_down() { service_end "$LINK_KAFKA_FOLDER" kafka 30; }
kafka_restart() { kafka_down && kafka_up; }
kafka_kill() { service_end "$LINK_KAFKA_FOLDER" kafka 0; }
kafka_freeze() { kill -STOP "$(cat "$LINK_KAFKA_FOLDER/kafka.pid")"; }
kafka_thaw() { kill -CONT "$(cat "$LINK_KAFKA_FOLDER/kafka.pid")"; }

kafka_start()
{
	local d=$1 base pw denied
	[ -e "$LINK_CACHE/kafka-$KAFKA_VERSION" ] || return 1
	export LINK_KAFKA_FOLDER=$d
	mkdir -p "$d/data" && base=$(service_ports 9) && service_tls "$d/tls" || return 1
	cat "$d/tls/key.pem" "$d/tls/cert.pem" "$d/tls/ca.pem" >"$d/tls/broker.pem"
	pw=$(openssl rand -hex 12) denied=$(openssl rand -hex 12)
	echo "127.0.0.1:$base" >"$d/plain"
	cat >"$d/log4j.properties" <<C
log4j.rootLogger=WARN, err
log4j.appender.err=org.apache.log4j.ConsoleAppender
log4j.appender.err.Target=System.err
log4j.appender.err.layout=org.apache.log4j.PatternLayout
log4j.appender.err.layout.ConversionPattern=%d %p %m (%c)%n
C
	# "broker.session.timeout.ms": a restarted broker waits until the old one is forgotten, 9 s by default.
	cat >"$d/server.properties" <<C
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((base + 4))
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$base,SASL_PLAINTEXT://127.0.0.1:$((base + 1)),SASL_SSL://127.0.0.1:$((base + 2)),SSL://127.0.0.1:$((base + 3)),CONTROLLER://127.0.0.1:$((base + 4)),AWAY://127.0.0.1:$((base + 5)),SASL_AWAY://127.0.0.1:$((base + 7))
advertised.listeners=PLAINTEXT://127.0.0.1:$base,SASL_PLAINTEXT://127.0.0.1:$((base + 1)),SASL_SSL://localhost:$((base + 2)),SSL://localhost:$((base + 3)),AWAY://127.0.0.1:$((base + 6)),SASL_AWAY://127.0.0.1:$((base + 8))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT,AWAY:PLAINTEXT,SASL_AWAY:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_tester="$pw" user_denied="$denied";
listener.name.sasl_away.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_away.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_tester="$pw" user_denied="$denied";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_tester="$pw" user_denied="$denied";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$d/tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$d/tls/ca.pem
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:tester;User:CN=client
log.dirs=$d/data
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
controlled.shutdown.enable=false
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=300
controller.quorum.election.timeout.ms=200
controller.quorum.fetch.timeout.ms=1000
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=2000000
C
	service_folder "$d" || return 1
	kafka_java kafka.tools.StorageTool format --cluster-id "$(openssl rand 16 | base64 | tr '+/' '-_' | tr -d =)" \
		--config "$d/server.properties" \
		--add-scram "SCRAM-SHA-256=[name=tester,password=$pw]" --add-scram "SCRAM-SHA-512=[name=tester,password=$pw]" \
		--add-scram "SCRAM-SHA-256=[name=denied,password=$denied]" --add-scram "SCRAM-SHA-512=[name=denied,password=$denied]" \
		>"$d/format.log" 2>&1 || { cat "$d/format.log" >&2; return 1; }
	kafka_up || return 1

	export LINK_KAFKA_PLAINTEXT=127.0.0.1:$base
	export LINK_KAFKA_SASL_PLAINTEXT=127.0.0.1:$((base + 1))
	export LINK_KAFKA_SASL_SSL=localhost:$((base + 2))
	export LINK_KAFKA_SSL=localhost:$((base + 3))
	export LINK_KAFKA_AWAY=127.0.0.1:$((base + 5)) LINK_KAFKA_AWAY_TO=127.0.0.1:$((base + 6))
	export LINK_KAFKA_SASL_AWAY=127.0.0.1:$((base + 7)) LINK_KAFKA_SASL_AWAY_TO=127.0.0.1:$((base + 8))
	export LINK_KAFKA_CA=$d/tls/ca.pem
	export LINK_KAFKA_CLIENT_CERT=$d/tls/client.pem LINK_KAFKA_CLIENT_KEY=$d/tls/client.key
	export LINK_KAFKA_USER=tester LINK_KAFKA_PASSWORD=$pw
	export LINK_KAFKA_DENIED_USER=denied LINK_KAFKA_DENIED_PASSWORD=$denied
}

kafka_stop()
{
	[ -n "${LINK_KAFKA_FOLDER:-}" ] || return 0
	kafka_down
}
