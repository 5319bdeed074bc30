// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "base/queue.h"
#include "support/testkit.h"

#include <pthread.h>
#include <sched.h>

enum { DEADLINE_MS = 20000 };

static void items_leave_in_the_order_they_came(void **state)
{
    (void)state;
    struct gw_queue *queue = NULL;
    int items[5] = {0};
    assert_ok(gw_queue_new(3, &queue, NULL));
    for (int round = 0; round < 4; round++) { // round the ring
        assert_true(gw_queue_try_push(queue, &items[0]));
        assert_true(gw_queue_try_push(queue, &items[1]));
        assert_int_equal(gw_queue_size(queue), 2);
        assert_ptr_equal(gw_queue_pop(queue, 0), &items[0]);
        assert_ptr_equal(gw_queue_pop(queue, 0), &items[1]);
    }
    assert_null(gw_queue_pop(queue, 0));
    assert_null(gw_queue_pop(queue, 1));
    gw_queue_free(queue);
}

static void full_queue_refuses(void **state)
{
    (void)state;
    struct gw_queue *queue = NULL;
    int item = 0;
    assert_ok(gw_queue_new(1, &queue, NULL));
    assert_true(gw_queue_try_push(queue, &item));
    assert_false(gw_queue_try_push(queue, &item));
    assert_ptr_equal(gw_queue_pop(queue, 0), &item);
    assert_true(gw_queue_try_push(queue, &item));
    gw_queue_free(queue);
}

static void closed_queue_refuses_and_drains(void **state)
{
    (void)state;
    struct gw_queue *queue = NULL;
    int item = 0;
    assert_ok(gw_queue_new(2, &queue, NULL));
    assert_true(gw_queue_try_push(queue, &item));
    gw_queue_close(queue);
    assert_false(gw_queue_try_push(queue, &item));
    assert_ptr_equal(gw_queue_pop(queue, DEADLINE_MS), &item);
    assert_null(gw_queue_pop(queue, DEADLINE_MS)); // at once, not after the deadline
    gw_queue_free(queue);
}

static void *pop_one(void *queue)
{
    return gw_queue_pop(queue, DEADLINE_MS);
}

static void close_wakes_a_waiter(void **state)
{
    (void)state;
    struct gw_queue *queue = NULL;
    pthread_t waiter;
    void *popped = &queue;
    assert_ok(gw_queue_new(1, &queue, NULL));
    assert_int_equal(pthread_create(&waiter, NULL, pop_one, queue), 0);
    gw_queue_close(queue);
    assert_int_equal(pthread_join(waiter, &popped), 0);
    assert_null(popped);
    gw_queue_free(queue);
}

enum { THREADS = 2, ITEMS = 2000 };

struct exchange {
    struct gw_queue *queue;
    int *items;
};

static void *produce(void *context)
{
    struct exchange *exchange = context;
    for (int i = 0; i < ITEMS; i++) {
        while (!gw_queue_try_push(exchange->queue, &exchange->items[i])) {
            sched_yield();
        }
    }
    return NULL;
}

static void *consume(void *context)
{
    struct exchange *exchange = context;
    for (int i = 0; i < ITEMS; i++) {
        int *item = gw_queue_pop(exchange->queue, DEADLINE_MS);
        if (item == NULL) {
            return NULL;
        }
        __atomic_add_fetch(item, 1, __ATOMIC_RELAXED);
    }
    return exchange;
}

static void every_item_passes_once_between_threads(void **state)
{
    (void)state;
    static int items[THREADS][ITEMS];
    struct exchange exchanges[THREADS];
    struct gw_queue *queue = NULL;
    pthread_t producers[THREADS];
    pthread_t consumers[THREADS];
    assert_ok(gw_queue_new(16, &queue, NULL));
    for (int i = 0; i < THREADS; i++) {
        exchanges[i] = (struct exchange){.queue = queue, .items = items[i]};
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, &exchanges[i]), 0);
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &exchanges[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *finished = NULL;
        assert_int_equal(pthread_join(producers[i], NULL), 0);
        assert_int_equal(pthread_join(consumers[i], &finished), 0);
        assert_non_null(finished);
    }
    for (int i = 0; i < THREADS * ITEMS; i++) {
        assert_int_equal(items[i / ITEMS][i % ITEMS], 1);
    }
    gw_queue_free(queue);
}

static void failed_allocation_gives_no_queue(void **state)
{
    (void)state;
    struct gw_queue *queue = NULL;
    gw_mem_fail_nth(1);
    assert_fails(gw_queue_new(4, &queue, NULL), GW_E_MEMORY);
    assert_fails(gw_queue_new(SIZE_MAX, &queue, NULL), GW_E_MEMORY);
    assert_null(queue);
}

GW_TESTS(items_leave_in_the_order_they_came, full_queue_refuses, closed_queue_refuses_and_drains, close_wakes_a_waiter,
         every_item_passes_once_between_threads, failed_allocation_gives_no_queue)
