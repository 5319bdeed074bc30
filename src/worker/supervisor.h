// SPDX-License-Identifier: MIT
// `godwit run` with several workers: one child process each, started again when it dies, its lines prefixed.
//
// A child that exits with 0, 2 (usage) or 3 (not ready, needs an operator) is not started again, nor one that was fenced
// (5) three times in a row within a minute of its start. Others are, after a jittered delay that grows with quick deaths. SIGTERM or SIGINT drains all children; a second signal kills them. Children
// die with the supervisor, however it dies.
#pragma once

#include "base/err.h"

#include <stddef.h>

struct gw_supervised {
    const char *name;        // prefix of its lines
    const char *const *argv; // of the child, NULL-terminated; argv[0] is the program's path
};

struct gw_supervisor_options {
    const struct gw_supervised *children;
    size_t child_count;
    uint32_t drain_ms; // how long a drain may take before children are killed
};

// Blocks signals of the calling thread while it runs. *ret_exit: 0 when every child ended well after a signal, else the
// first failing exit code.
GW_CHECK gw_status gw_supervisor_run(const struct gw_supervisor_options *options, int *ret_exit, gw_err *err);
