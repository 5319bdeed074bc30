// SPDX-License-Identifier: MIT
// The processes under test: `godwit run WORKER` as children, and what any process costs.
//
// A child inherits the environment, and with it the configuration; `sets` are its --set options. Its log goes to a file
// that is named when it dies. It is ended by SIGTERM and waited for.
#pragma once

#include "support/session.h"

#include <sys/types.h>

struct bench_child {
    pid_t pid; // 0: none
    char log[512];
};

// `program` is the path of godwit; sets ends with NULL.
GW_CHECK gw_status bench_child_start(const char *program, const char *worker, const char *const *sets, const char *log,
                                     struct bench_child *ret_child, gw_err *err);
// GW_E_UNAVAILABLE when it has died, naming its log.
GW_CHECK gw_status bench_child_check(struct bench_child *child, gw_err *err);
// Ends it and waits; kills it after 30 s. Safe on a zeroed child.
void bench_child_stop(struct bench_child *child);

// CPU that a process has used since its start, user and system, in nanoseconds (steps of 10 ms); pid 0 gives 0.
GW_CHECK gw_status bench_cpu_ns(pid_t pid, double *ret_ns, gw_err *err);

// CPU time of the whole machine since its start: spent by anybody here, and stolen by other machines on the same host.
struct bench_machine {
    double busy_ns;
    double stolen_ns;
};
GW_CHECK gw_status bench_machine_cpu(struct bench_machine *ret_machine, gw_err *err);

// Puts the group `score` back to these positions. The group must be empty.
GW_CHECK gw_status bench_rewind(const struct bench_session *session, const struct gw_kafka_position *positions,
                                size_t count, gw_err *err);
