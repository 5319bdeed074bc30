# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Kafka: one node in KRaft mode. To be sourced; see service.sh.

KAFKA_STOP_SIGNAL=TERM
KAFKA_STOP_SECONDS=60

kafka_identity() { echo "$DIR/kafka/server.properties"; }

kafka_logs() { echo "$DIR/log/kafka.log"; }

# The disk that one partition may take is about RETENTION_BYTES + SEGMENT_BYTES, unless its topic says otherwise.
kafka_limits() {
    case $PROFILE in
    quickstart) SEGMENT_BYTES=$((16 << 20)) RETENTION_BYTES=$((48 << 20)) RETENTION_HOURS=72 ;;
    test) SEGMENT_BYTES=$((64 << 20)) RETENTION_BYTES=-1 RETENTION_HOURS=24 ;;
    bench) SEGMENT_BYTES=$((256 << 20)) RETENTION_BYTES=$((2 << 30)) RETENTION_HOURS=24 ;;
    esac
    # Tests of takeover ask for short sessions; elsewhere Kafka's own lower limit holds.
    GROUP_MIN_SESSION_TIMEOUT_MS=6000
    [[ $PROFILE != test ]] || GROUP_MIN_SESSION_TIMEOUT_MS=1000
}

kafka_java() { # OPTION... MAIN-CLASS ARGUMENT...
    "$JAVA" -Dlog4j2.configurationFile="$HERE/kafka/log4j2.properties" -Dgodwit.log.dir="$DIR/log" \
        -cp "$JARS/kafka/lib/*" "$@"
}

kafka_cluster_id() {
    head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c1-22
}

kafka_prepare() {
    local collector
    collector=$(java_collector)
    mkdir -p "$DIR/kafka"
    kafka_limits
    sed -e "s#@KAFKA_PORT@#$KAFKA_PORT#g; s#@CONTROLLER_PORT@#$CONTROLLER_PORT#g; s#@DATA_DIR@#$DIR/kafka/data#" \
        -e "s#@SEGMENT_BYTES@#$SEGMENT_BYTES#; s#@RETENTION_BYTES@#$RETENTION_BYTES#" \
        -e "s#@RETENTION_HOURS@#$RETENTION_HOURS#" \
        -e "s#@GROUP_MIN_SESSION_TIMEOUT_MS@#$GROUP_MIN_SESSION_TIMEOUT_MS#" \
        "$HERE/kafka/server.properties.in" >"$DIR/kafka/server.properties"
    if [[ ! -f $DIR/kafka/data/meta.properties ]]; then
        kafka_java -XX:TieredStopAtLevel=1 "-XX:+Use$collector" \
            "-XX:SharedArchiveFile=$(archive_path kafka "$collector")" \
            kafka.tools.StorageTool format -t "$(kafka_cluster_id)" -c "$DIR/kafka/server.properties" \
            >"$DIR/log/kafka.out" 2>&1
    fi
}

kafka_run() {
    local collector heap=(-Xms256m -Xmx512m)
    collector=$(java_collector)
    [[ $PROFILE == test ]] || heap=(-Xms512m -Xmx1g)
    spawn kafka "$JAVA" "${heap[@]}" "-XX:+Use$collector" -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
        "$(archive_option kafka "$collector")" \
        -Dlog4j2.configurationFile="$HERE/kafka/log4j2.properties" -Dgodwit.log.dir="$DIR/log" \
        -cp "$JARS/kafka/lib/*" kafka.Kafka "$DIR/kafka/server.properties"
}

# The port is bound long before requests are served, so the broker's own word is waited for.
kafka_ready() {
    grep -qs 'Kafka Server started' "$DIR/log/kafka.out" && port_answers "$KAFKA_PORT"
}

kafka_finish() { :; }

kafka_stopped() { archive_keep kafka "$(java_collector)"; }
