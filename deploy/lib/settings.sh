# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Settings that a directory remembers: NAME=VALUE lines, each the shell variable of that name. To be sourced.
#
# GIVEN holds what this command line asked for: it wins over what is remembered, but not under the feet of what runs.

declare -A GIVEN=()

check_port() { # OPTION VALUE
    if ! [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || (($2 > 65535)); then
        die 2 "$1: '$2' is not a port"
    fi
}

# Notes the value of a port option under its variable, which is KAFKA_PORT for --kafka-port.
give_port() { # OPTION VALUE [VARIABLE]
    local name=${1#--}
    check_port "$1" "$2"
    name=${name^^}
    GIVEN[${3:-${name//-/_}}]=$2
}

settings_load() { # FILE NAME...
    local file=$1 key value
    shift
    [[ -f $file ]] || return 0
    while IFS='=' read -r key value; do
        [[ " $* " != *" $key "* ]] || printf -v "$key" '%s' "$value"
    done <"$file"
}

# Succeeds when GIVEN asks for another value of one of the names than is in force.
settings_change() { # NAME...
    local key
    for key in "$@"; do
        [[ ${GIVEN[$key]-${!key}} == "${!key}" ]] || return 0
    done
    return 1
}

settings_apply() {
    local key
    for key in "${!GIVEN[@]}"; do
        printf -v "$key" '%s' "${GIVEN[$key]}"
    done
}

settings_save() { # FILE NAME...
    local file=$1 key
    shift
    for key in "$@"; do
        printf '%s=%s\n' "$key" "${!key}"
    done >"$file"
}
