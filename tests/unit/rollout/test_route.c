// SPDX-License-Identifier: MIT
#include "base/hash.h"
#include "rollout/route.h"
#include "support/testkit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct gw_route_version make_target(int32_t version, const char *variant, uint32_t weight)
{
    struct gw_route_version target = {.version = version, .weight = weight};
    snprintf(target.variant, sizeof target.variant, "%s", variant);
    memset(target.digest, 'a' + version % 6, GW_ROUTE_DIGEST_BYTES - 1);
    return target;
}

// Champion 2 with canaries 3 and 5, shadow 7.
static struct gw_route make_route(uint32_t canary_3, uint32_t canary_5)
{
    return (struct gw_route){
        .model = "heavy-ranker",
        .sequence = 9,
        .salt = "0123abcd",
        .target_count = 3,
        .targets = {make_target(2, "champion", GW_ROUTE_BUCKETS - canary_3 - canary_5),
                    make_target(3, "canary-3", canary_3), make_target(5, "canary-5", canary_5)},
        .shadow_count = 1,
        .shadows = {make_target(7, "shadow", 0)},
    };
}

static int32_t version_of(const struct gw_route *route, int64_t user)
{
    uint32_t index = gw_route_target_of_bucket(route, gw_route_bucket(route->salt, user));
    assert_true(index < route->target_count);
    return route->targets[index].version;
}

// Chi square over 100 cells of 100 buckets; with 99 degrees of freedom the sixth standard deviation is near 184, so a
// uniform hash stays below 200 and one with a visible pattern does not.
static double chi_square(const char *salt, int64_t start, int64_t step)
{
    enum { CELLS = 100, USERS = 200000 };
    static uint32_t counts[CELLS];
    memset(counts, 0, sizeof counts);
    for (int64_t i = 0; i < USERS; i++) {
        uint32_t bucket = gw_route_bucket(salt, start + i * step);
        assert_true(bucket < GW_ROUTE_BUCKETS);
        counts[bucket / (GW_ROUTE_BUCKETS / CELLS)]++;
    }
    double sum = 0;
    double expected = (double)USERS / CELLS;
    for (size_t c = 0; c < CELLS; c++) {
        sum += (counts[c] - expected) * (counts[c] - expected) / expected;
    }
    return sum;
}

static void buckets_are_uniform_over_ids_in_sequence_and_in_strides(void **state)
{
    (void)state;
    const char *const salts[] = {"a", "b", "0123456789abcdef0123456789abcdef"};
    const int64_t steps[] = {1, -1, 1000, 10000, 1 << 22};
    for (size_t s = 0; s < GW_COUNT_OF(salts); s++) {
        for (size_t t = 0; t < GW_COUNT_OF(steps); t++) {
            double chi = chi_square(salts[s], 1, steps[t]);
            if (chi > 200) {
                print_error("salt %s step %lld: %g\n", salts[s], (long long)steps[t], chi);
            }
            assert_true(chi < 200);
        }
    }
}

static void bucket_is_the_documented_formula(void **state)
{
    (void)state;
    // FNV-1a of "a" is af63dc4c8601ec8c by its authors' test vectors.
    assert_int_equal(gw_route_bucket("a", 0), gw_hash_mix(UINT64_C(0xaf63dc4c8601ec8c)) % 10000);
    assert_int_equal(gw_route_bucket("a", -1), gw_hash_mix(~UINT64_C(0xaf63dc4c8601ec8c)) % 10000);
}

static void buckets_of_two_salts_are_independent(void **state)
{
    (void)state;
    enum { USERS = 100000 };
    int both = 0;
    for (int64_t user = 0; user < USERS; user++) {
        both += gw_route_bucket("one", user) < 1000 && gw_route_bucket("two", user) < 1000;
    }
    assert_true(fabs(both - USERS * 0.01) < 6 * sqrt(USERS * 0.01));
}

static void shares_of_users_are_the_weights(void **state)
{
    (void)state;
    enum { USERS = 100000 };
    struct gw_route route = make_route(500, 2500);
    int counts[8] = {0};
    for (int64_t user = 0; user < USERS; user++) {
        counts[version_of(&route, user)]++;
    }
    for (uint32_t t = 0; t < route.target_count; t++) {
        double share = route.targets[t].weight / (double)GW_ROUTE_BUCKETS;
        double bound = 6 * sqrt(USERS * share * (1 - share));
        assert_true(fabs(counts[route.targets[t].version] - USERS * share) < bound);
    }
}

static void every_bucket_has_one_target_and_weights_are_exact(void **state)
{
    (void)state;
    struct gw_route route = make_route(1, 9998);
    uint32_t counts[3] = {0};
    for (uint32_t bucket = 0; bucket < GW_ROUTE_BUCKETS; bucket++) {
        counts[gw_route_target_of_bucket(&route, bucket)]++;
    }
    for (uint32_t t = 0; t < 3; t++) {
        assert_int_equal(counts[t], route.targets[t].weight);
    }
    assert_int_equal(gw_route_target_of_bucket(&route, 0), 1);
    assert_int_equal(gw_route_target_of_bucket(&route, 1), 2);
    assert_int_equal(gw_route_target_of_bucket(&route, 9999), 0);
}

static void raising_the_only_canary_moves_only_users_of_the_champion(void **state)
{
    (void)state;
    struct gw_route before = make_route(1000, 0);
    struct gw_route after = make_route(3000, 0);
    before.target_count = after.target_count = 2;
    int moved = 0;
    for (int64_t user = 0; user < 50000; user++) {
        int32_t was = version_of(&before, user);
        int32_t is = version_of(&after, user);
        moved += was != is;
        assert_true(was == is || (was == 2 && is == 3));
    }
    assert_true(moved > 50000 * 0.18 && moved < 50000 * 0.22);
}

static void user_keeps_the_version_while_the_route_keeps_its_weights(void **state)
{
    (void)state;
    struct gw_route before = make_route(1000, 2000);
    struct gw_route after = before;
    after.sequence = 77;
    after.shadow_count = 0;
    for (int64_t user = -1000; user < 1000; user++) {
        assert_int_equal(version_of(&before, user), version_of(&after, user));
    }
}

static void targets_and_shadows_are_found_by_version(void **state)
{
    (void)state;
    struct gw_route route = make_route(100, 100);
    assert_int_equal(gw_route_find(&route, 2), 0);
    assert_int_equal(gw_route_find(&route, 5), 2);
    assert_int_equal(gw_route_find(&route, 7), 3);
    assert_int_equal(gw_route_find(&route, 4), -1);
}

static void good_routes_pass(void **state)
{
    (void)state;
    struct gw_route route = make_route(100, 100);
    gw_err err = {0};
    assert_ok_err(gw_route_check(&route, &err), &err);
    route.target_count = 0; // nothing serves
    assert_ok_err(gw_route_check(&route, &err), &err);
}

static void refused(const struct gw_route *route, const char *culprit)
{
    gw_err err = {0};
    assert_fails(gw_route_check(route, &err), GW_E_INVALID);
    if (strstr(err.message, culprit) == NULL) {
        print_error("'%s' does not name %s\n", err.message, culprit);
    }
    assert_non_null(strstr(err.message, culprit));
}

static void broken_rules_name_the_culprit(void **state)
{
    (void)state;
    struct gw_route route = make_route(100, 100);
    route.model[5] = ' ';
    refused(&route, "model 'heavy ranker'");

    route = make_route(100, 100);
    memset(route.model, 'm', sizeof route.model); // no NUL
    refused(&route, "model 'mmm");

    route = make_route(100, 100);
    route.salt[0] = '\0';
    refused(&route, "salt ''");

    route = make_route(100, 100);
    route.targets[1].version = 0;
    refused(&route, "version 0");

    route = make_route(100, 100);
    route.shadows[0].version = 3;
    refused(&route, "version 3 twice");

    route = make_route(100, 100);
    route.targets[2].variant[0] = '/';
    refused(&route, "version 5: variant '/anary-5'");

    route = make_route(100, 100);
    route.targets[0].digest[63] = 'A';
    refused(&route, "version 2: digest");

    route = make_route(100, 100);
    route.targets[0].weight--;
    refused(&route, "add up to 9999");

    route = make_route(100, 100);
    route.targets[0].weight = UINT32_MAX;
    refused(&route, "version 2: weight 4294967295");

    route = make_route(100, 100);
    route.shadows[0].weight = 1;
    refused(&route, "version 7: a shadow");

    route = make_route(100, 100);
    route.target_count = GW_ROUTE_TARGETS_MAX + 1;
    refused(&route, "9 targets");
}

static void names_are_of_the_alphabet_and_bounded(void **state)
{
    (void)state;
    assert_true(gw_route_name_is_valid("heavy-ranker.v2_X", GW_ROUTE_NAME_BYTES));
    assert_true(gw_route_name_is_valid("abc", 4));
    assert_false(gw_route_name_is_valid("abcd", 4));
    assert_false(gw_route_name_is_valid("", 4));
    assert_false(gw_route_name_is_valid(".", 4));
    assert_false(gw_route_name_is_valid("..", 4));
    assert_true(gw_route_name_is_valid("...", 4));
    assert_true(gw_route_name_is_valid(".a", 4));
    assert_false(gw_route_name_is_valid("a b", 9));
    assert_false(gw_route_name_is_valid("h\xc3\xa9", 9));
}

GW_TESTS(buckets_are_uniform_over_ids_in_sequence_and_in_strides, bucket_is_the_documented_formula,
         buckets_of_two_salts_are_independent, shares_of_users_are_the_weights,
         every_bucket_has_one_target_and_weights_are_exact, raising_the_only_canary_moves_only_users_of_the_champion,
         user_keeps_the_version_while_the_route_keeps_its_weights, targets_and_shadows_are_found_by_version,
         good_routes_pass, broken_rules_name_the_culprit, names_are_of_the_alphabet_and_bounded)
