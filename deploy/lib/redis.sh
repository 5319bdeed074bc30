# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Redis: nothing is ever evicted, an append-only file synced every second. To be sourced; see service.sh.

REDIS_STOP_SIGNAL=TERM
REDIS_STOP_SECONDS=30

redis_identity() { echo "$DIR/redis/redis.conf"; }

redis_logs() { echo "$DIR/log/redis.log"; }

# Memory bounds the append-only file too: it is rewritten when it has doubled.
redis_memory() {
    if [[ $PROFILE == bench ]]; then
        echo 4gb
    else
        echo 1gb
    fi
}

redis_prepare() {
    mkdir -p "$DIR/redis"
    # A new log with each start: Redis does not bound its own.
    rm -f "$DIR/log/redis.log"
    cat >"$DIR/redis/redis.conf" <<CONF
bind 127.0.0.1
port $REDIS_PORT
protected-mode yes
daemonize no
dir "$DIR/redis"
logfile "$DIR/log/redis.log"
loglevel warning
save ""
appendonly yes
appendfsync everysec
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
maxmemory $(redis_memory)
maxmemory-policy noeviction
proc-title-template "{title} {listen-addr} {config-file}"
CONF
}

redis_run() { spawn redis redis-server "$DIR/redis/redis.conf"; }

redis_ready() { [[ $(redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping 2>/dev/null) == PONG ]]; }

redis_finish() { :; }

redis_stopped() { :; }
