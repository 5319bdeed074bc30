# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The life of one background service. To be sourced.
#
# A service NAME is a set of functions in deploy/lib/NAME.sh, called with DIR, PROFILE and the *_PORT variables set:
#   NAME_identity   prints a text that the command line of the running process contains and no other process's does
#   NAME_prepare    writes the configuration, makes the data directory; may be called again
#   NAME_run        calls `spawn NAME command...`
#   NAME_ready      succeeds when the service answers
#   NAME_finish     what is left to do once it answers; may be called again
#   NAME_logs       prints its log files, the most telling one last
#   NAME_stopped    tidies up after the process has gone
# NAME_STOP_SIGNAL and NAME_STOP_SECONDS say how it is stopped.

# Starts a command away from the terminal and from the caller's lock (descriptor 9), and records its pid.
spawn() { # NAME COMMAND...
    local name=$1
    shift
    setsid "$@" </dev/null >"$DIR/log/$name.out" 2>&1 9>&- &
    printf '%s\n' $! >"$DIR/run/$name.pid"
}

# Prints the pid of NAME when the recorded process is alive and really is that service.
service_pid() { # NAME
    local pid cmdline
    read -r pid 2>/dev/null <"$DIR/run/$1.pid" || return 1
    cmdline=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
    [[ $cmdline == *"$("$1_identity")"* ]] || return 1
    printf '%s\n' "$pid"
}

service_port() { # NAME
    local variable=${1^^}_PORT
    printf '%s\n' "${!variable}"
}

service_state() { # NAME
    if ! service_pid "$1" >/dev/null; then
        echo down
    elif "$1_ready"; then
        echo up
    else
        echo starting
    fi
}

ready_or_gone() { # NAME
    "$1_ready" || ! service_pid "$1" >/dev/null
}

service_start() { # NAME
    local name=$1 port
    port=$(service_port "$name")
    if ! service_pid "$name" >/dev/null; then
        rm -f "$DIR/run/$name.pid"
        if port_answers "$port"; then
            note "$name: port $port is in use by another program"
            return 1
        fi
        "${name}_prepare"
        "${name}_run"
    fi
    if ! wait_until "$DEADLINE_S" ready_or_gone "$name"; then
        note "$name: no answer on port $port within $DEADLINE_S s"
        return 1
    fi
    if ! service_pid "$name" >/dev/null; then
        note "$name: ended while starting"
        return 1
    fi
    "${name}_finish"
}

service_show_logs() { # NAME
    local log
    for log in "$DIR/log/$1.out" $("$1_logs"); do
        if [[ -s $log ]]; then
            note "--- tail of $log"
            tail -n 20 "$log" >&2
        fi
    done
}

service_gone() { # NAME
    ! service_pid "$1" >/dev/null
}

service_stop() { # NAME
    local name=$1 pid signal=${1^^}_STOP_SIGNAL seconds=${1^^}_STOP_SECONDS
    if pid=$(service_pid "$name"); then
        kill -s "${!signal}" "$pid" 2>/dev/null || true
        if ! wait_until "${!seconds}" service_gone "$name"; then
            note "$name: still there after ${!seconds} s, killing pid $pid"
            kill -s KILL "$pid" 2>/dev/null || true
            wait_until 10 service_gone "$name" || return 1
        fi
        "${name}_stopped"
    fi
    rm -f "$DIR/run/$name.pid"
}

service_print_status() { # NAME
    local pid
    pid=$(service_pid "$1") || pid=-
    printf '%-9s %-9s pid %-8s port %s\n' "$1" "$(service_state "$1")" "$pid" "$(service_port "$1")"
}
