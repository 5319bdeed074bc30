# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Apicurio Registry, for its Confluent-compatible API. To be sourced; see service.sh.

REGISTRY_STOP_SIGNAL=TERM
REGISTRY_STOP_SECONDS=60

registry_identity() { echo "-Dgodwit.stack=$DIR/registry "; }

registry_logs() { echo "$DIR/log/registry.log"; }

registry_url() { echo "http://127.0.0.1:$REGISTRY_PORT/apis/ccompat/v7"; }

registry_prepare() {
    mkdir -p "$DIR/registry"
    if registry_is_durable && ! wait_until "$DEADLINE_S" postgres_serves registry; then
        note "registry: its database did not come up"
        return 1
    fi
}

# Tests register their schemas anew and do without the wait for PostgreSQL.
registry_is_durable() { [[ $PROFILE != test ]]; }

registry_run() {
    local settings=(
        QUARKUS_HTTP_HOST=127.0.0.1 "QUARKUS_HTTP_PORT=$REGISTRY_PORT" QUARKUS_HTTP_ACCESS_LOG_ENABLED=false
        QUARKUS_LOG_LEVEL=WARN QUARKUS_LOG_FILE_ENABLE=true "QUARKUS_LOG_FILE_PATH=$DIR/log/registry.log"
        QUARKUS_LOG_FILE_ROTATION_MAX_FILE_SIZE=10M QUARKUS_LOG_FILE_ROTATION_MAX_BACKUP_INDEX=2
        QUARKUS_LOG_CONSOLE_ENABLE=false QUARKUS_LOG_FILE_JSON_ENABLED=false QUARKUS_LOG_FILE_JSON=false
        QUARKUS_LOG_CATEGORY__IO_APICURIO__LEVEL=WARN
    )
    if registry_is_durable; then
        settings+=(
            APICURIO_STORAGE_KIND=sql APICURIO_STORAGE_SQL_KIND=postgresql
            "APICURIO_DATASOURCE_URL=jdbc:postgresql://127.0.0.1:$POSTGRES_PORT/registry"
            APICURIO_DATASOURCE_USERNAME=registry APICURIO_DATASOURCE_PASSWORD=unused
        )
    fi
    # Few requests ever reach it: the quick compiler alone starts faster and is fast enough.
    spawn registry env "${settings[@]}" "$JAVA" -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -XX:+ExitOnOutOfMemoryError "$(archive_option registry SerialGC)" "-Dgodwit.stack=$DIR/registry" \
        -jar "$JARS"/registry/*-runner.jar
}

registry_ready() {
    curl -sf -o /dev/null -m 5 --noproxy '*' "$(registry_url)/subjects"
}

registry_finish() { :; }

registry_stopped() { archive_keep registry SerialGC; }
