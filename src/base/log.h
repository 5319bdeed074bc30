// SPDX-License-Identifier: MIT
// Structured log lines on stderr: `time level event key=value ...` (logfmt). Never used on the hot path.
//
// An event is a stable noun phrase such as "batch.committed"; everything variable is a key. info: an operator wants it
// daily; warn: degraded, says what is skipped; error: somebody must act, says how. Thread-safe: one write per line.
#pragma once

#include "base/macros.h"

#include <stdint.h>

enum gw_log_level { GW_LOG_DEBUG, GW_LOG_INFO, GW_LOG_WARN, GW_LOG_ERROR };

// Set once at start, before threads. `worker` (borrowed for ever, may be NULL) is printed with each line.
void gw_log_configure(enum gw_log_level level, const char *worker);

// `fields` is a printf format of "key=value key2='quoted value'" pairs, or "" for none.
void gw_log(enum gw_log_level level, const char *event, const char *fields, ...) GW_PRINTF(3, 4);

#define gw_log_info(event, ...)  gw_log(GW_LOG_INFO, event, __VA_ARGS__)
#define gw_log_warn(event, ...)  gw_log(GW_LOG_WARN, event, __VA_ARGS__)
#define gw_log_error(event, ...) gw_log(GW_LOG_ERROR, event, __VA_ARGS__)
