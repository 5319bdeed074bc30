// SPDX-License-Identifier: MIT
// Shadows: no caller sees anything of them, and what they would have said is measured.
#include "integration/rollout_fixture.h"

#include "records/serving_metrics.h"
#include "rollout/shadow.h"

#include <math.h>

enum { ASKED = 80 };

static int setup(void **state)
{
    (void)state;
    static const char *const sets[] = {"score.sync_deadline=5s", "redis.timeout=5s", "score.commit_interval=50ms",
                                       "score.shadow_budget=1", NULL};
    rollout_begin(sets);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rollout_end();
    return 0;
}

// ---- shadow ---------------------------------------------------------------------------------------------------------

// One request's comparison, computed here: all requests of these tests are the same.
static struct gw_shadow_tally tally_of(const struct offline_model *served, const struct offline_model *unseen)
{
    struct gw_shadow_tally tally = {0};
    struct offline_request request;
    float scores[2][OFFLINE_TWEETS];
    float primary[2][OFFLINE_TWEETS];
    float scratch[4 * OFFLINE_TWEETS];
    size_t head = gw_bundle_info(served->bundle)->primary_head;
    offline_request_init(&request, 0, OFFLINE_USER, true);
    for (int i = 0; i < OFFLINE_TWEETS; i++) {
        for (int m = 0; m < 2; m++) {
            struct offline_answer answer = offline_score(m == 0 ? served : unseen, &rollout.rows, OFFLINE_USER,
                                                         OFFLINE_FIRST_TWEET + i, request.values[i]);
            scores[m][i] = answer.score;
            primary[m][i] = answer.heads[head];
        }
    }
    gw_shadow_note(&tally, scores[0], scores[1], primary[0], primary[1], OFFLINE_TWEETS, scratch);
    return tally;
}

struct shadow_seen {
    struct tail *tail;
    int32_t version;
    struct gw_shadow_tally one;
    int64_t requests; // that the shadow scored, by serving_metrics
    struct gw_arena arena;
};

static void see_metrics(void *context, const struct gw_kafka_record *record)
{
    struct shadow_seen *seen = context;
    struct gw_serving_metrics metrics;
    gw_err err = {0};
    gw_arena_clear(&seen->arena);
    assert_ok_err(gw_serving_metrics_decode(records_body(&rollout.cluster, GW_TOPIC_SERVING_METRICS, record),
                                            &seen->arena, &metrics, &err),
                  &err);
    if (metrics.shadow_version != seen->version) {
        return;
    }
    seen->requests += metrics.shadow_requests;
    assert_true(metrics.shadow_requests > 0);
    assert_int_equal(metrics.shadow_flips, (int64_t)seen->one.flips * metrics.shadow_requests);
    assert_true(fabs(metrics.shadow_delta_mean - seen->one.delta_sum / (double)seen->one.candidates) < 1e-6);
    assert_true(fabs(metrics.shadow_rank_correlation - seen->one.correlation_sum) < 1e-6);
}

static bool shadow_reported(void *context)
{
    struct shadow_seen *seen = context;
    tail_drain(seen->tail, see_metrics, seen);
    return seen->requests > 0;
}

static double shadow_metric(const char *name, const char *lane, int32_t version)
{
    char prefix[192];
    snprintf(prefix, sizeof prefix, "godwit_score_shadow_%s{lane=\"%s\",slot=\"%d\",model=\"%s\",version=\"%d\"}", name,
             lane, strcmp(lane, "sync") == 0, TEST_MODEL_NAME, version);
    return cluster_metric(&rollout.score, prefix);
}

// The same request again and again, in several polls, so that their costs are known.
static void ask_many(void)
{
    for (size_t n = 0; n < ASKED; n++) {
        traffic_send(&rollout.traffic, (enum traffic_lane)(n % TRAFFIC_LANES), &rollout_anybody);
        if (n % 8 == 7) {
            traffic_complete(&rollout.traffic);
        }
    }
    traffic_complete(&rollout.traffic);
}

static bool shadow_counted(void *context)
{
    int32_t version = *(const int32_t *)context;
    return shadow_metric("requests_total", "bulk", version) > 0 && shadow_metric("requests_total", "sync", version) > 0;
}

static void a_shadow_changes_no_answer_and_its_differences_are_measured(void **state)
{
    (void)state;
    static const char *const lanes[] = {"bulk", "sync"};
    rollout_wait_followed(TEST_MODEL_NAME,
                          rollout_promote(rollout_add_version(TEST_MODEL_NAME, 1.5f))); // the split ends
    int32_t unseen = rollout_add_version(TEST_MODEL_NAME, -0.75f);
    struct shadow_seen seen = {.tail = tail_open(&rollout.cluster, GW_TOPIC_SERVING_METRICS, false),
                               .version = unseen,
                               .one = tally_of(&rollout.models[rollout.champion], &rollout.models[unseen])};
    gw_arena_init(&seen.arena, 1 << 14, 1 << 20);
    assert_int_equal(seen.one.flips, 1);
    assert_true(seen.one.correlation_sum < 0);
    rollout_shadow(unseen, true);
    size_t first = rollout.traffic.sent;
    ask_many();
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        rollout_assert_served(&rollout.traffic.requests[n], rollout.champion, "champion");
    }
    wait_until(shadow_counted, &unseen, CLUSTER_WAIT_MS, "metrics of a shadow in both lanes");
    wait_until(shadow_reported, &seen, CLUSTER_WAIT_MS, "a shadow in serving_metrics");
    for (size_t i = 0; i < GW_COUNT_OF(lanes); i++) {
        double requests = shadow_metric("requests_total", lanes[i], unseen);
        double skipped = shadow_metric("skipped_total", lanes[i], unseen);
        assert_true(requests + skipped <= ASKED / 2);
        assert_true(shadow_metric("flips_total", lanes[i], unseen) >= requests); // read a moment later
        assert_true(shadow_metric("not_a_number_total", lanes[i], unseen) == 0);
        assert_true(fabs(shadow_metric("delta_mean_ratio", lanes[i], unseen) -
                         seen.one.delta_sum / (double)seen.one.candidates) < 1e-6);
        assert_true(fabs(shadow_metric("rank_correlation_ratio", lanes[i], unseen) - seen.one.correlation_sum) < 1e-6);
    }
    gw_arena_deinit(&seen.arena);
    tail_close(seen.tail);
}

static bool both_lanes_counted(void *context)
{
    (void)context;
    return cluster_metric(&rollout.score, "godwit_score_requests_total{lane=\"bulk\"") >= ASKED / 2 &&
           cluster_metric(&rollout.score, "godwit_score_requests_total{lane=\"sync\"") >= ASKED / 2;
}

static void without_a_budget_shadows_do_not_run(void **state)
{
    (void)state;
    static const char *const none[] = {"score.shadow_budget=0", NULL};
    int32_t unseen = rollout_route(TEST_MODEL_NAME).shadows[0].version; // of the test before
    cluster_stop(&rollout.score);
    rollout.score = cluster_run_ready(&rollout.cluster, "score", none);
    size_t first = rollout.traffic.sent;
    ask_many();
    for (size_t n = first; n < rollout.traffic.sent; n++) {
        rollout_assert_served(&rollout.traffic.requests[n], rollout.champion, "champion");
    }
    wait_until(both_lanes_counted, NULL, CLUSTER_WAIT_MS, "metrics of both lanes");
    assert_true(shadow_metric("requests_total", "bulk", unseen) <= 0);
    assert_true(shadow_metric("requests_total", "sync", unseen) <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shadow_changes_no_answer_and_its_differences_are_measured),
        cmocka_unit_test(without_a_budget_shadows_do_not_run),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
