// SPDX-License-Identifier: MIT
// Commands written one behind the other, and where each ends, so that the sender can keep a window. Internal to redis/.
//
// A failed allocation sticks until the next clear: writers need no check on each argument.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

// Zero-initialised is empty and valid.
struct gw_redis_pipeline {
    struct gw_buf bytes;
    size_t *ends;
    size_t count;
    size_t capacity;
    size_t arguments_due; // of the command begun last
    bool failed;          // memory ran out while writing
};

void gw_redis_pipeline_deinit(struct gw_redis_pipeline *pipeline);
void gw_redis_pipeline_clear(struct gw_redis_pipeline *pipeline);
void gw_redis_pipeline_command(struct gw_redis_pipeline *pipeline, size_t argument_count);
void gw_redis_pipeline_argument(struct gw_redis_pipeline *pipeline, const void *data, size_t size);
void gw_redis_pipeline_text(struct gw_redis_pipeline *pipeline, const char *text);
