// SPDX-License-Identifier: MIT
// Counts the holders of something shared and immutable. Embedded in the shared struct; any thread.
#pragma once

#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gw_refcount {
    atomic_uint holders;
};

// Starts with the creator as the one holder.
static inline void gw_refcount_init(struct gw_refcount *count)
{
    atomic_init(&count->holders, 1);
}

// One holder more. The caller holds a reference itself, so nothing can be freed meanwhile and relaxed order is enough.
static inline void gw_refcount_ref(struct gw_refcount *count)
{
    unsigned before = atomic_fetch_add_explicit(&count->holders, 1, memory_order_relaxed);
    GW_ASSERT(before > 0 && before < UINT32_MAX);
}

// One holder less. True for the last one, who frees: release lets its earlier reads end before the free, acquire lets
// the freeing thread see the writes of all others.
static inline bool gw_refcount_unref(struct gw_refcount *count)
{
    unsigned before = atomic_fetch_sub_explicit(&count->holders, 1, memory_order_acq_rel);
    GW_ASSERT(before > 0);
    return before == 1;
}
