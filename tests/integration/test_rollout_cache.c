// SPDX-License-Identifier: MIT
// The prediction cache as callers see it: what is asked again is answered from it bit for bit, and a promotion, a
// changed row or age make it a miss by themselves.
#include "integration/rollout_fixture.h"

#include "base/json.h"
#include "http/client.h"

enum { MAX_AGE_MS = 3000 };

static int setup(void **state)
{
    (void)state;
    static const char *const sets[] = {"score.sync_deadline=5s", "redis.timeout=5s", "score.commit_interval=50ms",
                                       "score.cache_max_age=3s", NULL};
    rollout_begin(sets);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rollout_end();
    return 0;
}

static const struct traffic_request *ask(void)
{
    const struct traffic_request *request = traffic_ask(&rollout.traffic, TRAFFIC_SYNC, &rollout_anybody);
    rollout_assert_served(request, rollout.champion, "champion");
    return request;
}

// A key is let in when it comes for the second time; the third is served from it. All have the scores of the model.
static void assert_third_is_hit(void)
{
    assert_int_equal(ask()->cache_hits, 0);
    const struct traffic_request *second = ask();
    assert_int_equal(second->cache_hits, 0);
    const struct traffic_request *third = ask();
    assert_int_equal(third->cache_hits, OFFLINE_TWEETS);
    assert_memory_equal(third->scores, second->scores, sizeof third->scores);
}

static void what_is_asked_again_is_answered_from_the_cache_bit_for_bit(void **state)
{
    (void)state;
    assert_third_is_hit();
    assert_int_equal(traffic_ask(&rollout.traffic, TRAFFIC_BULK, &rollout_anybody)->cache_hits, 0); // it has none
}

static void a_promotion_makes_it_a_miss(void **state)
{
    (void)state;
    const struct traffic_request *former = ask();
    rollout_wait_followed(TEST_MODEL_NAME, rollout_promote(rollout_add_version(TEST_MODEL_NAME, 2)));
    assert_third_is_hit();
    assert_memory_not_equal(ask()->scores, former->scores, sizeof former->scores);
}

static void a_changed_row_makes_it_a_miss(void **state)
{
    (void)state;
    const struct traffic_request *former = ask();
    assert_true(former->cache_hits > 0);
    offline_rows_put_user(&rollout.rows, OFFLINE_FOLLOWERS - 400); // over a threshold of the model
    assert_third_is_hit();
    assert_memory_not_equal(ask()->scores, former->scores, sizeof former->scores);
}

struct ageing {
    uint64_t hits;
    uint64_t last_hit_us;
};

static bool has_aged(void *context)
{
    struct ageing *ageing = context;
    uint64_t asked_us = gw_clock_mono_us();
    if (ask()->cache_hits == 0) {
        return true;
    }
    ageing->hits++;
    ageing->last_hit_us = asked_us;
    return false;
}

static void an_entry_is_good_for_its_age_only(void **state)
{
    (void)state;
    struct ageing ageing = {0};
    rollout_wait_followed(TEST_MODEL_NAME, rollout_promote(rollout_add_version(TEST_MODEL_NAME, 3))); // all is new
    assert_int_equal(ask()->cache_hits, 0);
    uint64_t before_us = gw_clock_mono_us();
    assert_int_equal(ask()->cache_hits, 0); // let in
    uint64_t after_us = gw_clock_mono_us();
    wait_until(has_aged, &ageing, CLUSTER_WAIT_MS, "the end of an entry");
    assert_true(gw_clock_mono_us() - before_us >= MAX_AGE_MS * 1000u); // not before
    assert_true(ageing.hits > 0);
    assert_true(ageing.last_hit_us - after_us <= MAX_AGE_MS * 1000u); // nor after
    assert_int_equal(ask()->cache_hits, OFFLINE_TWEETS);              // a known key is let in at once
}

// ---- by REST --------------------------------------------------------------------------------------------------------

// The word that POST /predict says about the cache.
static void post(struct gw_http_client *client, struct gw_buf *body, char *ret_word, size_t size)
{
    static const char asked[] = "{\"userId\":\"8\",\"candidateTweets\":[\"100\",\"101\",\"102\"]}";
    const struct gw_http_call call = {.method = "POST", .path = "/predict", .body = gw_slice_text(asked)};
    int code = 0;
    gw_err err = {0};
    assert_ok_err(gw_http_client_call(client, &call, body, &code, &err), &err);
    assert_int_equal(code, 200);
    assert_ok(gw_buf_append(body, "", 1));
    const char *said = strstr((const char *)body->data, "\"cache\":\"");
    assert_non_null(said);
    said += strlen("\"cache\":\"");
    snprintf(ret_word, size, "%.*s", (int)strcspn(said, "\""), said);
}

static void the_rest_reply_says_hit_or_miss(void **state)
{
    (void)state;
    static const char *const words[] = {"miss", "miss", "hit"};
    char url[64];
    char word[16];
    struct gw_http_client *client = NULL;
    struct gw_buf body = {0};
    gw_err err = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u", rollout.bridge_port);
    const struct gw_http_client_options options = {.urls = url};
    assert_ok_err(gw_http_client_new(&options, &client, &err), &err);
    for (size_t i = 0; i < GW_COUNT_OF(words); i++) {
        post(client, &body, word, sizeof word);
        assert_string_equal(word, words[i]);
    }
    gw_buf_deinit(&body);
    gw_http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_again_is_answered_from_the_cache_bit_for_bit),
        cmocka_unit_test(a_promotion_makes_it_a_miss),
        cmocka_unit_test(a_changed_row_makes_it_a_miss),
        cmocka_unit_test(an_entry_is_good_for_its_age_only),
        cmocka_unit_test(the_rest_reply_says_hit_or_miss),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
