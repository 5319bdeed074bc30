// SPDX-License-Identifier: MIT
#include "score_fixture.h"

struct fixture {
    struct score_fixture base;
    char path[128]; // of a written bundle
};

static int setup(void **state)
{
    struct fixture *f = gw_mem_calloc(1, sizeof *f);
    assert_non_null(f);
    score_fixture_init(&f->base);
    snprintf(f->path, sizeof f->path, "%s/bundle", f->base.directory);
    test_model_write(f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    remove_bundle(f->path);
    score_fixture_deinit(&f->base);
    gw_mem_free(f);
    return 0;
}

static struct gw_score_model *load(const struct fixture *f, const char *name, int32_t version)
{
    struct gw_score_model *model = NULL;
    gw_err err = {0};
    assert_ok_err(gw_score_model_load(f->path, name, version, NULL, f->base.set, &model, &err), &err);
    return model;
}

static void a_registered_name_counts_not_the_bundles(void **state)
{
    struct gw_score_model *model = load(*state, "ranker-of-the-registry", 12);
    assert_string_equal(model->name, "ranker-of-the-registry");
    assert_int_equal(model->version, 12);
    assert_string_equal(model->digest, gw_bundle_info(model->bundle)->digest);
    gw_score_model_unref(model);
}

static void without_a_name_the_bundle_says(void **state)
{
    struct gw_score_model *model = load(*state, NULL, 0);
    assert_string_equal(model->name, TEST_MODEL_NAME);
    assert_int_equal(model->version, TEST_MODEL_VERSION);
    gw_score_model_unref(model);
}

static void identity_tells_name_and_version_layout_only_features(void **state)
{
    struct gw_score_model *one = load(*state, "a", 1);
    struct gw_score_model *same = load(*state, "a", 1);
    struct gw_score_model *newer = load(*state, "a", 2);
    struct gw_score_model *other = load(*state, "b", 1);
    assert_true(one->identity == same->identity);
    assert_true(one->identity != newer->identity);
    assert_true(one->identity != other->identity);
    assert_true(one->layout == newer->layout && one->layout == other->layout);
    gw_score_model_unref(one);
    gw_score_model_unref(same);
    gw_score_model_unref(newer);
    gw_score_model_unref(other);
}

static void refuses_another_digest(void **state)
{
    const struct fixture *f = *state;
    struct gw_score_model *model = load(f, "a", 1);
    char digest[GW_ROUTE_DIGEST_BYTES];
    snprintf(digest, sizeof digest, "%s", model->digest);
    gw_score_model_unref(model);
    gw_err err = {0};
    assert_ok_err(gw_score_model_load(f->path, "a", 1, digest, f->base.set, &model, &err), &err);
    gw_score_model_unref(model);
    model = NULL;
    digest[0] = digest[0] == '0' ? '1' : '0';
    assert_fails(gw_score_model_load(f->path, "a", 1, digest, f->base.set, &model, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "digest"));
    assert_null(model);
}

static void refuses_a_name_that_no_route_can_hold(void **state)
{
    const struct fixture *f = *state;
    char name[GW_ROUTE_NAME_BYTES + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct gw_score_model *model = NULL;
    gw_err err = {0};
    assert_fails(gw_score_model_load(f->path, name, 1, NULL, f->base.set, &model, &err), GW_E_INVALID);
}

static void names_the_feature_that_the_set_lacks(void **state)
{
    const struct fixture *f = *state;
    static const char text[] = "[view user]\ncode = U\nkeys = 1\nsides = actor\n"
                               "[feature user.state]\nview = user\naggregate = last\nvalue = user_state\n"
                               "where = user_state present\n";
    struct gw_feature_set *poor = NULL;
    struct gw_score_model *model = NULL;
    gw_err err = {0};
    assert_ok_err(gw_feature_set_compile("poor", text, strlen(text), &f->base.vocabulary.vocabulary, &poor, &err),
                  &err);
    assert_fails(gw_score_model_load(f->path, "a", 1, NULL, poor, &model, &err), GW_E_CONFIG);
    assert_non_null(strstr(err.message, "user.follower_count"));
    gw_feature_set_free(poor);
}

static void the_last_reference_frees_it(void **state)
{
    struct gw_score_model *model = load(*state, "a", 1);
    assert_ptr_equal(gw_score_model_ref(model), model);
    gw_score_model_unref(model);
    assert_string_equal(model->name, "a"); // the sanitizer watches
    gw_score_model_unref(model);
    gw_score_model_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registered_name_counts_not_the_bundles),
        cmocka_unit_test(without_a_name_the_bundle_says),
        cmocka_unit_test(identity_tells_name_and_version_layout_only_features),
        cmocka_unit_test(refuses_another_digest),
        cmocka_unit_test(refuses_a_name_that_no_route_can_hold),
        cmocka_unit_test(names_the_feature_that_the_set_lacks),
        cmocka_unit_test(the_last_reference_frees_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
