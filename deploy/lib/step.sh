# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Long steps that say how they get on. To be sourced.

# Runs COMMAND with its output in LOG; meanwhile the title, the seconds, and on a terminal the last line of output. When it
# fails, the end of its output is shown and the script ends.
step() { # TITLE LOG COMMAND...
    local title=$1 log=$2 started=$EPOCHREALTIME began=$SECONDS next=5 job status=0 traps
    traps=$(trap -p INT TERM)
    shift 2
    # A process group of its own, so that an interrupt ends all of it.
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    job=$!
    set +m
    trap 'kill -- -"$job" 2>/dev/null; exit 130' INT TERM
    while kill -0 "$job" 2>/dev/null; do
        if [[ -t 2 ]]; then
            printf '\r\e[K%s  %d s  %.*s' "$title" $((SECONDS - began)) $((${COLUMNS:-80} - ${#title} - 12)) \
                "$(tail -n 1 "$log" | tr -d '[:cntrl:]')" >&2
        elif ((SECONDS - began >= next)); then
            note "$title: $((SECONDS - began)) s ... $(tail -n 1 "$log" | cut -c1-100)"
            next=$((SECONDS - began + 20))
        fi
        sleep 0.2
    done
    wait "$job" || status=$?
    trap - INT TERM
    eval "$traps"
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    if ((status != 0)); then
        note "$title: failed after $((SECONDS - began)) s; the end of $log:"
        tail -n 30 "$log" >&2
        exit 1
    fi
    note "$title: $(seconds_since "$started") s"
}

seconds_since() { # EPOCHREALTIME
    local tenths=$(((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 100000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}
