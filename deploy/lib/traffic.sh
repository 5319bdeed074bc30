# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Simulated users of the quickstart: requests and events at a gentle rate, for ever. To be sourced; see service.sh.
#
# The world is small on purpose: pairs of users and authors have rows that do not expire, so their number bounds the disk
# (deploy/README.md has the sum).

TRAFFIC_STOP_SIGNAL=TERM
TRAFFIC_STOP_SECONDS=20
TRAFFIC_PORT=-

# The world that history, examples and live traffic share.
TRAFFIC_WORLD=(--seed 1 --users 2000 --authors 200 --tweets 5000 --candidates 50 --rate 10)
# What live traffic does besides.
TRAFFIC_LIVE=()

traffic_identity() { echo "/keep $DIR/log/traffic.log "; }

traffic_logs() { echo "$DIR/log/traffic.log"; }

traffic_prepare() { :; }

traffic_run() {
    spawn traffic "$HERE/lib/keep" "$DIR/log/traffic.log" \
        "$BINARIES/godwit" simulate --config "$DIR/godwit.ini" "${TRAFFIC_WORLD[@]}" "${TRAFFIC_LIVE[@]}"
}

# Whether it is heard is seen at the other end: the quickstart asks for a prediction.
traffic_ready() { :; }

traffic_finish() { :; }

traffic_stopped() { :; }
