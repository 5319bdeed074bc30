# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# All workers of godwit, supervised by `godwit run`. To be sourced; see service.sh.

GODWIT_STOP_SIGNAL=TERM
GODWIT_STOP_SECONDS=45

godwit_identity() { echo "/keep $DIR/log/godwit.log "; }

godwit_logs() { echo "$DIR/log/godwit.log"; }

godwit_url() { echo "http://127.0.0.1:$GODWIT_PORT"; }

godwit_prepare() { :; }

godwit_run() {
    spawn godwit "$HERE/lib/keep" "$DIR/log/godwit.log" "$BINARIES/godwit" run --config "$DIR/godwit.ini"
}

# Able to serve: every dependency answers and a model is loaded.
godwit_ready() {
    curl -sf -o /dev/null -m 5 --noproxy '*' "$(godwit_url)/health"
}

godwit_finish() { :; }

godwit_stopped() { :; }
