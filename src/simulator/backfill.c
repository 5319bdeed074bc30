// SPDX-License-Identifier: MIT
#include "simulator/backfill.h"

struct gw_sim_backfill gw_sim_backfill_of(const struct gw_sim_drift *drift)
{
    bool both =
        drift->kind == GW_SIM_DRIFT_SHIFT || drift->kind == GW_SIM_DRIFT_SPREAD || drift->kind == GW_SIM_DRIFT_MISSING;
    return (struct gw_sim_backfill){
        .from_ms = drift->from_ms, .profiles = both, .tweets = both || drift->kind == GW_SIM_DRIFT_CATEGORY};
}

static gw_status push_profiles(struct gw_sim_backfill *backfill, uint32_t user_count, int64_t until_ms,
                               struct gw_sim_heap *heap, gw_err *err)
{
    for (; backfill->next_user < user_count; backfill->next_user++) {
        int64_t after_ms = (int64_t)backfill->next_user * GW_SIM_BACKFILL_MS / user_count;
        if (backfill->from_ms + after_ms >= until_ms) {
            break;
        }
        struct gw_sim_pending item = {
            .time_ms = backfill->from_ms + after_ms, .user = backfill->next_user, .kind = GW_SIM_PROFILE};
        GW_TRY(gw_sim_heap_push(heap, item, err));
    }
    return GW_OK;
}

static gw_status push_tweets(struct gw_sim_backfill *backfill, const struct gw_sim_tweets *tweets, int64_t until_ms,
                             struct gw_sim_heap *heap, gw_err *err)
{
    while (backfill->next_serial > 0) {
        const struct gw_sim_alive *alive = gw_sim_tweets_find(tweets, backfill->next_serial);
        int64_t age_ms = alive != NULL ? backfill->from_ms - alive->created_ms : GW_SIM_HORIZON_MS;
        if (age_ms >= GW_SIM_HORIZON_MS) {
            backfill->next_serial = 0; // and so are all older ones
            break;
        }
        int64_t after_ms = age_ms * GW_SIM_BACKFILL_MS / GW_SIM_HORIZON_MS;
        if (backfill->from_ms + after_ms >= until_ms) {
            break;
        }
        // As with deletes, the serial stands in the field for join ids.
        struct gw_sim_pending item = {.time_ms = backfill->from_ms + after_ms,
                                      .join_id = (int64_t)backfill->next_serial,
                                      .kind = GW_SIM_TWEET,
                                      .is_edit = true};
        GW_TRY(gw_sim_heap_push(heap, item, err));
        backfill->next_serial--;
    }
    return GW_OK;
}

gw_status gw_sim_backfill_push(struct gw_sim_backfill *backfill, uint32_t user_count,
                               const struct gw_sim_tweets *tweets, int64_t until_ms, struct gw_sim_heap *heap,
                               gw_err *err)
{
    if (until_ms <= backfill->from_ms) {
        return GW_OK;
    }
    if (!backfill->begun) {
        backfill->begun = true;
        backfill->next_serial = backfill->tweets ? tweets->serial : 0;
    }
    if (backfill->profiles) {
        GW_TRY(push_profiles(backfill, user_count, until_ms, heap, err));
    }
    return push_tweets(backfill, tweets, until_ms, heap, err);
}
