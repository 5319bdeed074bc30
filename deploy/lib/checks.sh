# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What a machine must have before anything is begun. To be sourced. Each check prints one line when something is short.

# Memory that this process may still take: the machine's, or what its control group leaves.
available_mb() {
    local available limit used
    available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    if read -r limit 2>/dev/null </sys/fs/cgroup/memory.max && [[ $limit != max ]]; then
        # Pages of files count as used there, but make way.
        used=$(($(</sys/fs/cgroup/memory.current) - $(awk '$1 == "inactive_file" { print $2 }' /sys/fs/cgroup/memory.stat)))
        limit=$(((limit - used) >> 20))
        ((limit >= available)) || available=$limit
    fi
    echo "$available"
}

check_memory() { # MB
    local available
    available=$(available_mb)
    ((available >= $1)) || { note "memory: $available MB are available, $1 MB are needed"; return 1; }
}

# Disk where FOLDER is, or will be.
check_disk() { # FOLDER MB WHAT
    local folder=$1 available
    while [[ ! -d $folder ]]; do
        folder=$(dirname "$folder")
    done
    available=$(($(df -Pk -- "$folder" | awk 'NR == 2 { print $4 }') / 1024))
    ((available >= $2)) || { note "disk: $available MB are free at $1, $2 MB are needed for $3"; return 1; }
    [[ -w $folder ]] || { note "disk: $folder is not writable for $(id -un), needed for $3"; return 1; }
}

check_port_free() { # PORT WHAT OPTION
    ! port_answers "$1" || { note "port $1 ($2) is in use by another program: choose another with $3 N"; return 1; }
}
