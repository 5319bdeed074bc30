// SPDX-License-Identifier: MIT
#include "api/route.h"
#include "support/testkit.h"

static char allow[64];
static struct gw_slice params[GW_API_PARAMS_MAX];

static const char *found(uint8_t listener, const char *method, const char *path)
{
    const struct gw_api_route *route = gw_api_route_find(listener, method, path, params, allow, sizeof allow);
    return route != NULL ? route->pattern : NULL;
}

static void paths_match_whole(void **state)
{
    (void)state;
    assert_string_equal(found(GW_API_ON_API, "GET", "/health"), "/health");
    assert_string_equal(found(GW_API_ON_API, "GET", "/models/production"), "/models/production");
    const char *const unknown[] = {"/health/", "/healt", "/healthy", "//health", "health", "", "/models/", "/HEALTH"};
    for (size_t i = 0; i < GW_COUNT_OF(unknown); i++) {
        assert_null(found(GW_API_ON_API, "GET", unknown[i]));
        assert_string_equal(allow, "");
    }
}

static void a_parameter_takes_one_segment(void **state)
{
    (void)state;
    assert_string_equal(found(GW_API_ON_API, "POST", "/features/user/-42/compute"), "/features/user/:userId/compute");
    assert_true(gw_slice_is(params[0], "-42"));
    assert_null(found(GW_API_ON_API, "POST", "/features/user//compute"));
    assert_null(found(GW_API_ON_API, "POST", "/features/user/1/2/compute"));
    assert_null(found(GW_API_ON_API, "POST", "/features/user/1/compute/"));
}

static void two_parameters_are_kept_in_order(void **state)
{
    (void)state;
    assert_true(gw_api_route_matches("/models/:id/:version/promote", "/models/engage/7/promote", params));
    assert_true(gw_slice_is(params[0], "engage") && gw_slice_is(params[1], "7"));
}

static void words_come_before_versions(void **state)
{
    (void)state;
    assert_string_equal(found(GW_API_ON_API, "GET", "/models/engage/history"), "/models/:id/history");
    assert_string_equal(found(GW_API_ON_API, "GET", "/models/engage/7"), "/models/:id/:version");
    assert_string_equal(found(GW_API_ON_API, "GET", "/models/engage"), "/models/:id");
    assert_string_equal(found(GW_API_ON_API, "POST", "/models/engage/versions"), "/models/:id/versions");
    assert_string_equal(found(GW_API_ON_API, "POST", "/models/engage/7/promote"), "/models/:id/:version/promote");
    assert_true(gw_slice_is(params[0], "engage") && gw_slice_is(params[1], "7"));
}

static void a_method_of_two_patterns_is_named_once(void **state)
{
    (void)state;
    assert_null(found(GW_API_ON_API, "DELETE", "/models/engage/versions"));
    assert_string_equal(allow, "GET, HEAD, POST");
}

static void head_is_answered_as_get(void **state)
{
    (void)state;
    assert_string_equal(found(GW_API_ON_API, "HEAD", "/health"), "/health");
    assert_null(found(GW_API_ON_API, "HEAD", "/predict"));
    assert_string_equal(allow, "POST");
}

static void other_methods_are_told_what_is_allowed(void **state)
{
    (void)state;
    assert_null(found(GW_API_ON_API, "DELETE", "/health"));
    assert_string_equal(allow, "GET, HEAD");
    assert_null(found(GW_API_ON_API, "GET", "/predict"));
    assert_string_equal(allow, "POST");
}

static void the_page_is_on_the_ui_listener_only(void **state)
{
    (void)state;
    assert_string_equal(found(GW_API_ON_UI, "GET", "/"), "/");
    assert_string_equal(found(GW_API_ON_UI, "GET", "/ui/app.js"), "/ui/:file");
    assert_null(found(GW_API_ON_API, "GET", "/"));
    assert_string_equal(found(GW_API_ON_UI, "POST", "/predict"), "/predict");
}

static void the_ops_listener_offers_liveness_readiness_and_metrics(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t i = 0; i < gw_api_route_count; i++) {
        count += (gw_api_routes[i].listeners & GW_API_ON_OPS) != 0 ? 1 : 0;
    }
    assert_int_equal(count, 3);
    assert_non_null(found(GW_API_ON_OPS, "GET", "/livez"));
    assert_non_null(found(GW_API_ON_OPS, "GET", "/readyz"));
    assert_non_null(found(GW_API_ON_OPS, "GET", "/metrics"));
}

GW_TESTS(paths_match_whole, a_parameter_takes_one_segment, two_parameters_are_kept_in_order, words_come_before_versions,
         a_method_of_two_patterns_is_named_once, head_is_answered_as_get, other_methods_are_told_what_is_allowed,
         the_page_is_on_the_ui_listener_only, the_ops_listener_offers_liveness_readiness_and_metrics)
