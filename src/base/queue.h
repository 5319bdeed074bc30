// SPDX-License-Identifier: MIT
// Bounded queue of pointers between threads: mutex and condition variables, many producers and consumers.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_queue;

// Gives a queue for at most `capacity` > 0 items.
GW_CHECK gw_status gw_queue_new(size_t capacity, struct gw_queue **ret_queue, gw_err *err);
void gw_queue_free(struct gw_queue *queue); // items still inside are the caller's to drain first

// False when full (or closed): the caller keeps the item. Never blocks. `item` is not NULL.
bool gw_queue_try_push(struct gw_queue *queue, void *item);

// Waits up to timeout_ms for an item; NULL on timeout, or when closed and empty.
void *gw_queue_pop(struct gw_queue *queue, uint32_t timeout_ms);

// Refuses further pushes and wakes every waiter.
void gw_queue_close(struct gw_queue *queue);
size_t gw_queue_size(struct gw_queue *queue);
