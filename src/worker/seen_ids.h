// SPDX-License-Identifier: MIT
// Ids that occurred in the last minutes of one source partition, by the log's own time. Memory is bounded by the records
// of two windows: trim forgets what no later record can be compared with.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_SEEN_ID_BYTES 16

struct gw_seen_ids;

GW_CHECK gw_status gw_seen_ids_new(int64_t window_ms, struct gw_seen_ids **ret_ids, gw_err *err);
void gw_seen_ids_free(struct gw_seen_ids *ids);

// Notes an id at its append time, which never decreases. *ret_duplicate: it occurred within the window before.
GW_CHECK gw_status gw_seen_ids_add(struct gw_seen_ids *ids, const uint8_t id[GW_SEEN_ID_BYTES], int64_t append_time_ms,
                                   bool *ret_duplicate, gw_err *err);

// Forgets ids older than the window before the newest append time.
void gw_seen_ids_trim(struct gw_seen_ids *ids);
size_t gw_seen_ids_count(const struct gw_seen_ids *ids);
