// SPDX-License-Identifier: MIT
// What every benchmark that talks to the stack starts with: options, configuration, names and schemas.
//
// The configuration comes from GODWIT_SECTION_KEY variables, as tests/bench/run exports them; children inherit them.
#pragma once

#include "worker/runtime.h"

struct bench_session {
    struct gw_config *config;
    struct gw_runtime runtime;
    atomic_bool stop;
};

GW_CHECK gw_status bench_session_init(struct bench_session *session, gw_err *err);
void bench_session_deinit(struct bench_session *session);

// Command line of the programs: NAME VALUE pairs from a table. GW_E_INVALID names what is wrong.
struct bench_option {
    const char *name;  // with its dashes
    const char **text; // where a text goes, or NULL
    double *number;    // where a number >= 0 goes, or NULL
};
GW_CHECK gw_status bench_options_parse(int argc, char **argv, const struct bench_option *options, size_t count,
                                       gw_err *err);

// Positions of all partitions of a topic, each at `offset` (such as GW_KAFKA_OFFSET_END), appended to
// positions[*count].
GW_CHECK gw_status bench_positions(const struct bench_session *session, enum gw_topic topic, int64_t offset,
                                   struct gw_kafka_position *positions, size_t capacity, size_t *count, gw_err *err);
