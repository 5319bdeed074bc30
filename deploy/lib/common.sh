# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts of this folder share: messages, waiting on a condition, TCP ports. To be sourced.

note() { printf '%s\n' "$*" >&2; }

die() { # STATUS MESSAGE...
    local status=$1
    shift
    note "${0##*/}: $*"
    exit "$status"
}

# Polls COMMAND until it succeeds or SECONDS have passed.
wait_until() { # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

port_answers() { # PORT
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
