// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "worker/retrain_trained.h"

#include <math.h>

#define METADATA "{\"rows\":5,\"heads\":{\"a\":{\"auc\":0.7},\"b\":{\"base_rate\":0.25,\"auc\":\"high\"}}}"

static void a_measure_of_a_head_is_found(void **state)
{
    (void)state;
    assert_true(gw_retrain_trained(METADATA, "b", "base_rate") == 0.25);
    assert_true(gw_retrain_trained(METADATA, "a", "auc") == 0.7);
}

static void what_is_not_there_or_no_number_is_nan(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{}", "[]", "{\"heads\":5}", "{\"heads\":{\"b\":{\"base_rate\":", METADATA};
    for (size_t i = 0; i < GW_COUNT_OF(texts); i++) {
        assert_true(isnan(gw_retrain_trained(texts[i], "b", i + 1 < GW_COUNT_OF(texts) ? "base_rate" : "auc")));
    }
    assert_true(isnan(gw_retrain_trained(METADATA, "c", "auc")));
}

static void a_version_has_it_where_its_registration_put_it(void **state)
{
    (void)state;
    const struct gw_registry_version versions[] = {
        {.metrics_json = "{\"gate\":{\"heads\":[]},\"training\":" METADATA "}", .lineage_json = "{}"},
        {.metrics_json = METADATA, .lineage_json = "{}"},
        {.metrics_json = "{}", .lineage_json = METADATA},
    };
    for (size_t i = 0; i < GW_COUNT_OF(versions); i++) {
        assert_true(gw_retrain_trained_version(&versions[i], "b", "base_rate") == 0.25);
        assert_true(isnan(gw_retrain_trained_version(&versions[i], "b", "nothing")));
    }
}

static void the_primary_head_is_named_by_the_signature(void **state)
{
    (void)state;
    struct gw_registry_version version = {.signature_json = "{\"features\":[\"x\"],\"primary\":\"is_favorited\"}"};
    char head[16];
    gw_retrain_primary_head(&version, head, sizeof head);
    assert_string_equal(head, "is_favorited");
    gw_retrain_primary_head(&version, head, sizeof "is_favorited" - 1);
    assert_string_equal(head, "");
    version.signature_json = "{}";
    gw_retrain_primary_head(&version, head, sizeof head);
    assert_string_equal(head, "");
}

GW_TESTS(a_measure_of_a_head_is_found, what_is_not_there_or_no_number_is_nan,
         a_version_has_it_where_its_registration_put_it, the_primary_head_is_named_by_the_signature)
