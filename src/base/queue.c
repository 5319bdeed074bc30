// SPDX-License-Identifier: MIT
#include "base/queue.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct gw_queue {
    pthread_mutex_t lock; // guards everything below
    pthread_cond_t filled;
    bool closed;
    size_t capacity;
    size_t first; // index of the oldest item
    size_t size;
    void *items[];
};

// The condition waits on the monotonic clock, so that a stepped wall clock neither hangs nor wakes anybody.
static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    if (failed == 0) {
        failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        failed = failed == 0 ? pthread_cond_init(condition, &attributes) : failed;
        pthread_condattr_destroy(&attributes);
    }
    return failed;
}

gw_status gw_queue_new(size_t capacity, struct gw_queue **ret_queue, gw_err *err)
{
    GW_ASSERT(capacity > 0);
    struct gw_queue *queue = NULL;
    if (capacity <= (SIZE_MAX - sizeof *queue) / sizeof(void *)) {
        queue = gw_mem_calloc(1, sizeof *queue + capacity * sizeof(void *));
    }
    if (queue == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a queue of %zu items", capacity);
    }
    queue->capacity = capacity;
    if (pthread_mutex_init(&queue->lock, NULL) != 0) {
        gw_mem_free(queue);
        return gw_fail(err, GW_E_MEMORY, "no memory for a lock");
    }
    if (init_condition(&queue->filled) != 0) {
        pthread_mutex_destroy(&queue->lock);
        gw_mem_free(queue);
        return gw_fail(err, GW_E_MEMORY, "no memory for a condition");
    }
    *ret_queue = queue;
    return GW_OK;
}

void gw_queue_free(struct gw_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    gw_mem_free(queue);
}

bool gw_queue_try_push(struct gw_queue *queue, void *item)
{
    GW_ASSERT(item != NULL);
    pthread_mutex_lock(&queue->lock);
    bool taken = !queue->closed && queue->size < queue->capacity;
    if (taken) {
        queue->items[(queue->first + queue->size) % queue->capacity] = item;
        queue->size++;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

void *gw_queue_pop(struct gw_queue *queue, uint32_t timeout_ms)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    if (queue->size == 0 && !queue->closed && timeout_ms > 0) {
        uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)timeout_ms * 1000;
        struct timespec deadline = {.tv_sec = (time_t)(deadline_us / 1000000),
                                    .tv_nsec = (long)(deadline_us % 1000000) * 1000};
        int waited = 0;
        while (queue->size == 0 && !queue->closed && waited == 0) {
            waited = pthread_cond_timedwait(&queue->filled, &queue->lock, &deadline);
        }
    }
    if (queue->size > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->size--;
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void gw_queue_close(struct gw_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

size_t gw_queue_size(struct gw_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t size = queue->size;
    pthread_mutex_unlock(&queue->lock);
    return size;
}
