// SPDX-License-Identifier: MIT
// The ring of requests that came lately, by which new models are warmed up. Lanes put in, the side thread takes copies.
#pragma once

#include "base/bytes.h"

enum {
    GW_SCORE_RECENT_REQUESTS = 64,
    GW_SCORE_RECENT_BYTES_MAX = 256 << 10, // of one; a larger one is not remembered
};

struct gw_score_recent;

GW_CHECK gw_status gw_score_recent_new(struct gw_score_recent **ret_recent, gw_err *err);
void gw_score_recent_free(struct gw_score_recent *recent);

// Keeps a copy, unless one was kept within the last 50 ms, or somebody else is in the ring. Never waits. Any thread.
// now_us: monotonic.
void gw_score_recent_add(struct gw_score_recent *recent, struct gw_slice body, uint64_t now_us);

// Copies the index-th newest into *out (cleared first); *ret_found false: there are fewer. GW_E_MEMORY. Any thread.
GW_CHECK gw_status gw_score_recent_copy(struct gw_score_recent *recent, size_t index, struct gw_buf *out,
                                        bool *ret_found);
