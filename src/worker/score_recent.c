// SPDX-License-Identifier: MIT
#include "worker/score_recent.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>

enum { INTERVAL_US = 50000 }; // 64 requests are the last 3.2 s of a busy scorer

struct gw_score_recent {
    _Atomic uint64_t next_us; // before that none is kept: asked first, so that most calls cost one load
    pthread_mutex_t lock;     // guards what follows
    uint64_t added;
    struct gw_buf bodies[GW_SCORE_RECENT_REQUESTS];
};

gw_status gw_score_recent_new(struct gw_score_recent **ret_recent, gw_err *err)
{
    struct gw_score_recent *recent = gw_mem_calloc(1, sizeof *recent);
    if (recent == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for recent requests");
    }
    pthread_mutex_init(&recent->lock, NULL);
    *ret_recent = recent;
    return GW_OK;
}

void gw_score_recent_free(struct gw_score_recent *recent)
{
    if (recent == NULL) {
        return;
    }
    for (size_t i = 0; i < GW_SCORE_RECENT_REQUESTS; i++) {
        gw_buf_deinit(&recent->bodies[i]);
    }
    pthread_mutex_destroy(&recent->lock);
    gw_mem_free(recent);
}

void gw_score_recent_add(struct gw_score_recent *recent, struct gw_slice body, uint64_t now_us)
{
    uint64_t next_us = atomic_load_explicit(&recent->next_us, memory_order_relaxed);
    if (now_us < next_us || body.size == 0 || body.size > GW_SCORE_RECENT_BYTES_MAX ||
        !atomic_compare_exchange_strong_explicit(&recent->next_us, &next_us, now_us + INTERVAL_US, memory_order_relaxed,
                                                 memory_order_relaxed) ||
        pthread_mutex_trylock(&recent->lock) != 0) {
        return;
    }
    struct gw_buf *slot = &recent->bodies[recent->added % GW_SCORE_RECENT_REQUESTS];
    gw_buf_clear(slot);
    if (gw_buf_append(slot, body.data, body.size) == GW_OK) { // without memory the slot is empty, and used next time
        recent->added++;
    }
    pthread_mutex_unlock(&recent->lock);
}

gw_status gw_score_recent_copy(struct gw_score_recent *recent, size_t index, struct gw_buf *out, bool *ret_found)
{
    gw_status status = GW_OK;
    gw_buf_clear(out);
    pthread_mutex_lock(&recent->lock);
    bool found = index < GW_MIN(recent->added, (uint64_t)GW_SCORE_RECENT_REQUESTS);
    if (found) {
        const struct gw_buf *slot = &recent->bodies[(recent->added - 1 - index) % GW_SCORE_RECENT_REQUESTS];
        status = gw_buf_append(out, slot->data, slot->size);
    }
    pthread_mutex_unlock(&recent->lock);
    *ret_found = found;
    return status;
}
