// SPDX-License-Identifier: MIT
#include "score_fixture.h"
#include "worker/score_shadow.h"
#include "worker/score_targets.h"

#define FEATURES 4

enum { CANDIDATES = 5, USERS = 400, ROWS_MAX = USERS * CANDIDATES };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct fixture {
    struct score_fixture score;
    struct gw_score_model *models[3]; // of different features, so that they differ in what they say
    struct gw_score_tables tables;
    struct gw_score_batch *batch;
    struct gw_score_targets *targets;
};

static struct fixture fixture;

static int setup(void **state)
{
    struct fixture *f = &fixture;
    score_fixture_init(&f->score);
    f->models[0] = score_fixture_model(&f->score, f->score.set, "m", test_model_features, FEATURES);
    f->models[1] = score_fixture_model(&f->score, f->score.set, "m", test_model_features + 3, FEATURES);
    f->models[2] = score_fixture_model(&f->score, f->score.set, "m", test_model_features + 5, FEATURES);
    for (int i = 0; i < 3; i++) {
        f->models[i]->version = i + 1;
    }
    for (int64_t id = 1; id <= USERS; id++) {
        store_put(&f->score, "user", id, 0, 1 + (int)(id % 5));
        store_put(&f->score, "tweet", 10000 + id, 0, 1 + (int)(id % 7));
    }
    assert_ok(gw_score_tables_init(&f->tables, NULL));
    assert_ok(gw_score_batch_new(f->score.set, &f->score.store, ROWS_MAX, &f->batch, NULL));
    assert_ok(gw_score_targets_new(&f->targets, NULL));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gw_score_targets_free(f->targets);
    gw_score_batch_free(f->batch);
    gw_score_tables_deinit(&f->tables);
    for (int i = 0; i < 3; i++) {
        gw_score_model_unref(f->models[i]);
    }
    score_fixture_deinit(&f->score);
    return 0;
}

static struct gw_route_version version_of(int32_t version, const char *variant, uint32_t weight)
{
    struct gw_route_version made = {.version = version, .weight = weight};
    snprintf(made.variant, sizeof made.variant, "%s", variant);
    snprintf(made.digest, sizeof made.digest, "%s", digest);
    return made;
}

// Champion 1, canary 2 with a fifth of the users, shadow 3, which may be left out.
static void use_routes(struct fixture *f, bool shadow_loaded)
{
    struct gw_score_route route = {.route = {.model = "m", .salt = "salt", .sequence = 1}};
    const struct gw_score_route *routes[] = {&route};
    struct gw_score_table *table = NULL;
    route.route.targets[route.route.target_count++] = version_of(1, "champion", 8000);
    route.route.targets[route.route.target_count++] = version_of(2, "canary", 2000);
    route.route.shadows[route.route.shadow_count++] = version_of(3, "shadow", 0);
    assert_ok(gw_route_check(&route.route, NULL));
    route.targets[0] = f->models[0];
    route.targets[1] = f->models[1];
    route.shadows[0] = shadow_loaded ? f->models[2] : NULL;
    assert_ok(gw_score_table_new(&f->tables, routes, 1, "m", &table, NULL));
    gw_score_tables_swap(&f->tables, table);
}

static void begin(struct fixture *f)
{
    gw_score_batch_clear(f->batch);
    gw_score_targets_begin(f->targets, gw_score_tables_acquire(&f->tables), f->batch);
}

static struct gw_score_target *choose(struct fixture *f, const char *model, int32_t version, int64_t user,
                                      enum gw_prediction_status *ret_status, char why[96])
{
    struct gw_score_target *target = NULL;
    const struct gw_prediction_request request = {
        .user_id = user, .model_name = gw_slice_text(model), .model_version = version};
    assert_ok(gw_score_targets_choose(f->targets, &request, &target, ret_status, why, 96, NULL));
    assert_int_equal(target != NULL, *ret_status == GW_PREDICTION_STATUS_OK);
    return target;
}

static void refuses(struct fixture *f, const char *model, int32_t version, enum gw_prediction_status expected,
                    const char *text)
{
    enum gw_prediction_status status = GW_PREDICTION_STATUS_UNKNOWN;
    char why[96] = "";
    assert_null(choose(f, model, version, 1, &status, why));
    assert_int_equal(status, expected);
    assert_non_null(strstr(why, text));
}

static void a_users_bucket_decides_unless_a_version_is_named(void **state)
{
    struct fixture *f = *state;
    enum gw_prediction_status status = GW_PREDICTION_STATUS_UNKNOWN;
    char why[96];
    size_t canaries = 0;
    use_routes(f, true);
    begin(f);
    for (int64_t user = 1; user <= USERS; user++) {
        const struct gw_score_target *target = choose(f, "", 0, user, &status, why);
        bool canary = gw_route_bucket("salt", user) < 2000; // canaries own the lowest buckets
        assert_int_equal(target->model->version, canary ? 2 : 1);
        assert_string_equal(target->variant, canary ? "canary" : "champion");
        assert_ptr_equal(target, choose(f, "m", 0, user, &status, why));
        canaries += canary;
    }
    assert_in_range(canaries, USERS / 10, USERS / 3);
    assert_int_equal(choose(f, "m", 1, 7, &status, why)->model->version, 1);
    assert_int_equal(choose(f, "", 2, 7, &status, why)->model->version, 2);
    const struct gw_score_target *shadow = choose(f, "m", 3, 7, &status, why);
    assert_int_equal(shadow->model->version, 3);
    assert_string_equal(shadow->variant, "shadow");
    assert_int_equal(gw_score_targets_count(f->targets), 3);
    gw_score_targets_end(f->targets);
}

static void what_is_not_served_is_refused_with_the_reason(void **state)
{
    struct fixture *f = *state;
    struct gw_score_table *empty = NULL;
    use_routes(f, false);
    begin(f);
    refuses(f, "nobody", 0, GW_PREDICTION_STATUS_MODEL_NOT_FOUND, "nobody");
    refuses(f, "m", 9, GW_PREDICTION_STATUS_MODEL_NOT_FOUND, "version 9");
    refuses(f, "m", 3, GW_PREDICTION_STATUS_MODEL_NOT_READY, "not loaded yet");
    gw_score_targets_end(f->targets);

    assert_ok(gw_score_table_new(&f->tables, NULL, 0, "m", &empty, NULL));
    gw_score_tables_swap(&f->tables, empty);
    begin(f);
    refuses(f, "", 0, GW_PREDICTION_STATUS_MODEL_NOT_READY, "default model");
    gw_score_targets_end(f->targets);

    struct gw_score_route route = {
        .route = {.model = "m", .salt = "s", .sequence = 2}}; // its only version was rejected
    const struct gw_score_route *routes[] = {&route};
    assert_ok(gw_score_table_new(&f->tables, routes, 1, "m", &empty, NULL));
    gw_score_tables_swap(&f->tables, empty);
    begin(f);
    refuses(f, "", 0, GW_PREDICTION_STATUS_MODEL_NOT_READY, "rejected");
    gw_score_targets_end(f->targets);
}

// Gives every user a request and scores the poll.
static void score_users(struct fixture *f)
{
    uint64_t us = 0;
    begin(f);
    for (int64_t user = 1; user <= USERS; user++) {
        enum gw_prediction_status status = GW_PREDICTION_STATUS_UNKNOWN;
        char why[96];
        uint32_t at = 0;
        uint32_t index = 0;
        struct gw_score_target *target = choose(f, "", 0, user, &status, why);
        const struct gw_score_request request = {.user_id = user, .reads = target->reads};
        assert_ok(gw_score_batch_add_request(f->batch, &request, &at, NULL));
        for (int64_t i = 0; i < CANDIDATES; i++) {
            const struct gw_score_candidate one = {.tweet_id = 10000 + 1 + (user * 7 + i * 3) % USERS};
            assert_ok(gw_score_batch_add_candidate(f->batch, &one, NULL));
        }
        assert_ok(gw_score_target_add(target, at, &index, NULL));
    }
    assert_ok(gw_score_batch_hydrate(f->batch, gw_clock_mono_us() + 1000000, false, NULL));
    assert_ok(gw_score_targets_run(f->targets, f->batch, NULL, &us, NULL));
}

static void each_target_scores_its_own_users(void **state)
{
    struct fixture *f = *state;
    size_t seen = 0;
    use_routes(f, true);
    score_users(f);
    for (size_t t = 0; t < gw_score_targets_count(f->targets); t++) {
        const struct gw_score_target *target = gw_score_targets_at(f->targets, t);
        struct gw_score_pass *alone = NULL;
        assert_ok(gw_score_pass_new(&alone, NULL));
        assert_ok(gw_score_pass_run(alone, f->batch, target->model, target->requests, target->count, NULL, NULL));
        for (uint32_t i = 0; i < target->count; i++) {
            struct gw_score_result got;
            struct gw_score_result expected;
            gw_score_pass_result(target->pass, i, &got);
            gw_score_pass_result(alone, i, &expected);
            assert_memory_equal(got.scores, expected.scores, got.count * sizeof(float));
            seen++;
        }
        gw_score_pass_free(alone);
    }
    assert_int_equal(seen, USERS);
    gw_score_targets_end(f->targets);
}

static void a_swap_does_not_touch_the_poll_that_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct gw_score_table *empty = NULL;
    use_routes(f, true);
    score_users(f);
    assert_ok(gw_score_table_new(&f->tables, NULL, 0, "m", &empty, NULL));
    gw_score_tables_swap(&f->tables, empty);
    gw_score_tables_reclaim(&f->tables);
    assert_int_equal(gw_score_targets_at(f->targets, 0)->model->set == f->score.set, 1);
    gw_score_targets_end(f->targets);
    gw_score_tables_reclaim(&f->tables);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&f->models[i]->refs), 1); // only ours is left
    }
}

// ---- shadows --------------------------------------------------------------------------------------------------------

static void a_shadow_sees_every_request_that_the_budget_covers(void **state)
{
    struct fixture *f = *state;
    struct gw_score_shadow *shadow = NULL;
    const struct gw_score_shadowed *noted = NULL;
    assert_ok(gw_score_shadow_new(1, &shadow, NULL));
    use_routes(f, true);
    score_users(f);
    // What a row costs is learnt on one request of a target, and then better with each run.
    for (int runs = 0; runs == 0 || (noted->skipped > 0 && runs < 100); runs++) {
        gw_score_shadow_clear(shadow);
        gw_score_shadow_run(shadow, f->targets, f->batch, 1000000);
        assert_int_equal(gw_score_shadow_noted(shadow, &noted), 1);
    }
    assert_int_equal(noted->version, 3);
    assert_string_equal(noted->model, "m");
    assert_int_equal(noted->tally.requests + noted->skipped, USERS);
    assert_int_equal(noted->skipped, 0);
    assert_int_equal(noted->tally.candidates, USERS * CANDIDATES);
    assert_true(noted->tally.delta_sum > 0);
    assert_true(noted->tally.flips > 0);
    gw_score_targets_end(f->targets);
    gw_score_shadow_free(shadow);
}

static void what_is_over_the_budget_is_skipped_and_counted(void **state)
{
    struct fixture *f = *state;
    struct gw_score_shadow *shadow = NULL;
    const struct gw_score_shadowed *noted = NULL;
    assert_ok(gw_score_shadow_new(0.5, &shadow, NULL));
    use_routes(f, true);
    score_users(f);
    gw_score_shadow_run(shadow, f->targets, f->batch, 1); // half a microsecond: one request, which overdraws
    gw_score_shadow_run(shadow, f->targets, f->batch, 0);
    assert_int_equal(gw_score_shadow_noted(shadow, &noted), 1);
    assert_int_equal(noted->tally.requests + noted->skipped, 2 * USERS);
    assert_in_range(noted->tally.requests, 1, 2);
    gw_score_targets_end(f->targets);
    gw_score_shadow_free(shadow);
}

static void nothing_is_earned_while_there_is_no_shadow(void **state)
{
    struct fixture *f = *state;
    struct gw_score_shadow *shadow = NULL;
    const struct gw_score_shadowed *noted = NULL;
    assert_ok(gw_score_shadow_new(1, &shadow, NULL));
    use_routes(f, false);
    score_users(f);
    gw_score_shadow_run(shadow, f->targets, f->batch, 1000000);
    gw_score_targets_end(f->targets);
    use_routes(f, true);
    score_users(f);
    gw_score_shadow_run(shadow, f->targets, f->batch, 0);
    assert_int_equal(gw_score_shadow_noted(shadow, &noted), 1);
    assert_int_equal(noted->tally.requests, 0);
    assert_int_equal(noted->skipped, USERS);
    gw_score_targets_end(f->targets);
    gw_score_shadow_free(shadow);
}

static void a_budget_of_nothing_turns_shadows_off(void **state)
{
    struct fixture *f = *state;
    struct gw_score_shadow *shadow = NULL;
    const struct gw_score_shadowed *noted = NULL;
    assert_ok(gw_score_shadow_new(0, &shadow, NULL));
    use_routes(f, true);
    score_users(f);
    gw_score_shadow_run(shadow, f->targets, f->batch, 1000000);
    assert_int_equal(gw_score_shadow_noted(shadow, &noted), 0);
    gw_score_targets_end(f->targets);
    gw_score_shadow_free(shadow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_users_bucket_decides_unless_a_version_is_named),
        cmocka_unit_test(what_is_not_served_is_refused_with_the_reason),
        cmocka_unit_test(each_target_scores_its_own_users),
        cmocka_unit_test(a_swap_does_not_touch_the_poll_that_is_under_way),
        cmocka_unit_test(a_shadow_sees_every_request_that_the_budget_covers),
        cmocka_unit_test(what_is_over_the_budget_is_skipped_and_counted),
        cmocka_unit_test(nothing_is_earned_while_there_is_no_shadow),
        cmocka_unit_test(a_budget_of_nothing_turns_shadows_off),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
