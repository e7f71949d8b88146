# shellcheck shell=bash
# A Kafka broker of our own: KRaft, one node that is broker and controller, on loopback. Its data outlives it.

kafka_prepare() {
    local dir="${STATE}/kafka" id port controller
    port="$(port_of KAFKA_PORT)"
    controller="$(port_of KAFKA_CONTROLLER_PORT)"
    mkdir -p "${dir}"
    kafka_write_properties "${dir}" "${port}" "${controller}"
    if [[ -f "${dir}/data/meta.properties" ]]; then
        return 0
    fi
    say "kafka" "formatting its data directory"
    # a cluster id is 16 bytes in base64url, and may not begin with a minus
    id="$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 1-22)"
    quietly "${LOG_DIR}/kafka-format.log" "$(kafka_java)" -Xmx256m -cp "${TOOLS}/kafka/libs/*" \
        kafka.tools.StorageTool format --cluster-id="${id/#-/A}" --config "${dir}/server.properties" \
        || die "the broker's data directory could not be formatted"
}

# A listener for each program that reaches the broker through a proxy: SLUICE_DEV_KAFKA_LISTENERS is a list of
# NAME:PORT:PROXY, where the broker listens and what it tells whoever came that way.
kafka_listeners() { # sets LISTENERS, ADVERTISED and PROTOCOLS
    local name port proxy listener
    LISTENERS='' ADVERTISED='' PROTOCOLS=''
    for listener in ${SLUICE_DEV_KAFKA_LISTENERS:-}; do
        IFS=: read -r name port proxy <<<"${listener}"
        LISTENERS+=",${name}://127.0.0.1:${port}"
        ADVERTISED+=",${name}://127.0.0.1:${proxy}"
        PROTOCOLS+=",${name}:PLAINTEXT"
    done
}

kafka_write_properties() { # folder, port, controller's port
    local LISTENERS ADVERTISED PROTOCOLS
    kafka_listeners
    cat >"$1/server.properties.new" <<PROPERTIES
# Written by ./dev at each start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3${LISTENERS}
advertised.listeners=PLAINTEXT://127.0.0.1:$2${ADVERTISED}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${PROTOCOLS}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$1/data
auto.create.topics.enable=false
# 2 MiB and some for the record batch round it
message.max.bytes=2162688
replica.fetch.max.bytes=2162688
# one broker holds every replica there is
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# a consumer group is complete at once: nobody waits for more members
group.initial.rebalance.delay.ms=0
# a killed member is noticed soon
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=300000
# after a SIGKILL the node is refused until its former session is over: 9 s by default
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=250
# the only voter has nobody to wait for
controller.quorum.election.timeout.ms=100
controller.quorum.election.backoff.max.ms=100
controller.quorum.fetch.timeout.ms=200
PROPERTIES
    mv "$1/server.properties.new" "$1/server.properties"
}

# Kafka 4 wants Java 17 or newer; the machine's default may be older. The version stands in a file beside each: asking
# the program itself takes half a second.
kafka_java() {
    local java version
    for java in "$(command -v java)" /usr/lib/jvm/*/bin/java; do
        java="$(readlink -f "${java}")"
        version="$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "${java%/bin/java}/release" 2>/dev/null)" || continue
        if [[ -x "${java}" && -n "${version}" ]] && ((version >= 17)); then
            printf '%s' "${java}"
            return 0
        fi
    done
    die "no Java of version 17 or newer found"
}

kafka_start() {
    kafka_prepare
    process_spawn kafka "$(kafka_java)" -Xmx768m -XX:+ExitOnOutOfMemoryError \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX" \
        -cp "${TOOLS}/kafka/libs/*" kafka.Kafka "${STATE}/kafka/server.properties"
    process_ready kafka 60 kafka_ready
}

kafka_ready() { # it answers a metadata request, and names itself in it
    local port
    port="$(port_of KAFKA_PORT)"
    port_answers "${port}" && /usr/bin/python3 "${ROOT}/scripts/dev/kafka_ready.py" "${port}"
}
