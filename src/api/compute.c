// SPDX-License-Identifier: MIT
// Threads for what may block: stored features (Redis) and the registry (PostgreSQL). They stand behind a bounded queue;
// a loop thread only puts a call there.
#include "api/exchange.h"
#include "base/mem.h"

#define POP_WAIT_MS 1000

static void *compute_thread(void *context)
{
    struct gw_api_compute *compute = context;
    struct gw_api *api = compute->api;
    while (!atomic_load_explicit(&api->compute_closed, memory_order_acquire) || gw_queue_size(api->compute_queue) > 0) {
        struct gw_api_call *call = gw_queue_pop(api->compute_queue, POP_WAIT_MS);
        if (call != NULL) {
            call->run(compute, call);
            gw_api_call_free(call);
        }
    }
    gw_registry_free(compute->registry);
    gw_mem_free(compute->row);
    return NULL;
}

gw_status gw_api_compute_registry(struct gw_api_compute *compute, struct gw_registry **ret_registry, gw_err *err)
{
    if (compute->registry == NULL) {
        GW_TRY(gw_registry_new(&compute->api->registry, &compute->registry, err));
    }
    *ret_registry = compute->registry;
    return GW_OK;
}

void gw_api_compute_submit(struct gw_api_call *call, gw_api_run run, const char *busy)
{
    call->run = run;
    if (!gw_queue_try_push(call->exchange.api->compute_queue, call)) {
        gw_api_reply_problem(&call->exchange, GW_API_PROBLEM_OVERLOADED, NULL, busy);
        gw_api_call_free(call);
    }
}

gw_status gw_api_compute_start(struct gw_api *api, gw_err *err)
{
    GW_TRY(gw_queue_new(GW_API_COMPUTE_QUEUE, &api->compute_queue, err));
    for (uint32_t i = 0; i < api->options.compute_threads; i++) {
        api->computes[i].api = api;
        if (pthread_create(&api->computes[i].thread, NULL, compute_thread, &api->computes[i]) != 0) {
            return gw_fail(err, GW_E_EXHAUSTED, "api: a compute thread does not start");
        }
        api->compute_count++;
    }
    return GW_OK;
}

void gw_api_compute_stop(struct gw_api *api)
{
    if (api->compute_queue == NULL) {
        return;
    }
    atomic_store_explicit(&api->compute_closed, true, memory_order_release);
    gw_queue_close(api->compute_queue);
    for (uint32_t i = 0; i < api->compute_count; i++) {
        pthread_join(api->computes[i].thread, NULL);
    }
    gw_queue_free(api->compute_queue);
    api->compute_queue = NULL;
}
