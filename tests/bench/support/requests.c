// SPDX-License-Identifier: MIT
#include "support/world.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <string.h>

enum { VALUES = 2 };
static struct gw_slice value_names[VALUES];

gw_status bench_requests_init(struct bench_requests *requests, const struct bench_world *world,
                              uint32_t candidate_count, uint64_t seed, gw_err *err)
{
    *requests = (struct bench_requests){.world = world, .candidate_count = candidate_count};
    if (candidate_count == 0 || candidate_count > world->tweet_count / 4) {
        return gw_fail(err, GW_E_INVALID, "%u distinct candidates of %u tweets", candidate_count, world->tweet_count);
    }
    gw_rng_init(&requests->rng, seed);
    value_names[0] = gw_slice_text("in_network");
    value_names[1] = gw_slice_text("source_score");
    requests->last_use = gw_mem_calloc(world->tweet_count, sizeof *requests->last_use);
    requests->candidates = gw_mem_calloc(candidate_count, sizeof *requests->candidates);
    requests->values = gw_mem_calloc((size_t)candidate_count * VALUES, sizeof *requests->values);
    if (requests->last_use == NULL || requests->candidates == NULL || requests->values == NULL) {
        bench_requests_deinit(requests);
        return gw_fail(err, GW_E_MEMORY, "no memory for requests");
    }
    return GW_OK;
}

void bench_requests_deinit(struct bench_requests *requests)
{
    gw_mem_free(requests->last_use);
    gw_mem_free(requests->candidates);
    gw_mem_free(requests->values);
    *requests = (struct bench_requests){0};
}

static uint32_t draw_fresh(struct bench_requests *requests)
{
    for (;;) {
        uint32_t rank = bench_zipf_draw(&requests->world->tweets, &requests->rng);
        if (requests->last_use[rank] != requests->made + 1) {
            requests->last_use[rank] = requests->made + 1;
            return rank;
        }
    }
}

void bench_requests_next(struct bench_requests *requests, int64_t now_ms, struct gw_prediction_request *ret_request)
{
    const struct bench_world *world = requests->world;
    for (uint32_t i = 0; i < requests->candidate_count; i++) {
        uint32_t rank = draw_fresh(requests);
        float *values = requests->values + (size_t)i * VALUES;
        values[0] = (float)gw_rng_below(&requests->rng, 2);
        values[1] = (float)gw_rng_double(&requests->rng);
        requests->candidates[i] =
            (struct gw_candidate){.tweet_id = bench_world_tweet_id(rank),
                                  .author_id = bench_world_author_id(world, world->author_of[rank]),
                                  .values = {.items = values, .count = VALUES}};
    }
    *ret_request = (struct gw_prediction_request){
        .request_join_id = (int64_t)requests->made + 1,
        .user_id = bench_world_user_id(bench_zipf_draw(&world->users, &requests->rng)),
        .enqueued_at_ms = now_ms,
        .value_names = {.items = value_names, .count = VALUES},
        .candidates = {.items = requests->candidates, .count = requests->candidate_count},
    };
    gw_store_be64(ret_request->request_id, gw_rng_next(&requests->rng));
    gw_store_be64(ret_request->request_id + 8, requests->made++);
}

uint64_t bench_request_number(const uint8_t request_id[16])
{
    return gw_load_be64(request_id + 8);
}
