// SPDX-License-Identifier: MIT
#include "worker/monitor_remembered.h"

#include "base/mem.h"
#include "support/testkit.h"

enum { ROWS = 100, NEWER = GW_MONITOR_SPARES_MAX };

static struct gw_monitor_remembered *remembered;

static struct gw_drift_profile *make_profile(void)
{
    static const char *const names[] = {"a"};
    float values[ROWS];
    struct gw_drift_profile *profile = NULL;
    for (int i = 0; i < ROWS; i++) {
        values[i] = (float)i;
    }
    const struct gw_drift_rows rows = {.values = values, .row_count = ROWS, .feature_count = 1, .names = names};
    assert_ok(gw_drift_profile_build(&rows, &(struct gw_drift_build_options){.independent = true}, &profile, NULL));
    return profile;
}

static const struct gw_monitor_reference *find(const char *model, int32_t version)
{
    return gw_monitor_remembered_find(remembered, gw_slice_text(model), version);
}

static const struct gw_monitor_reference *keep(const char *model, int32_t version,
                                               enum gw_monitor_reference_state state)
{
    struct gw_drift_profile *profile = state == GW_MONITOR_REFERENCE_READY ? make_profile() : NULL;
    const struct gw_monitor_reference reference = {.state = state, .profile = profile};
    const struct gw_monitor_reference *kept = NULL;
    assert_ok(gw_monitor_remembered_keep(remembered, gw_slice_text(model), version, &reference, profile, &kept, NULL));
    assert_ptr_equal(find(model, version), kept);
    return kept;
}

static int begin(void **state)
{
    (void)state;
    remembered = gw_monitor_remembered_new();
    return remembered != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    gw_monitor_remembered_free(remembered);
    return 0;
}

static void keep_more(int count)
{
    for (int i = 0; i < count; i++) {
        keep("more", 1 + i, GW_MONITOR_REFERENCE_READY);
    }
}

static void a_reference_is_remembered_by_model_and_version(void **state)
{
    (void)state;
    assert_null(find("m", 1));
    const struct gw_monitor_reference *reference = keep("m", 1, GW_MONITOR_REFERENCE_READY);
    assert_int_equal(reference->state, GW_MONITOR_REFERENCE_READY);
    assert_int_equal(reference->profile->feature_count, 1);
    assert_null(find("m", 2));
    assert_null(find("n", 1));
}

static void of_references_that_nobody_watches_the_last_asked_for_stay(void **state)
{
    (void)state;
    keep("first", 1, GW_MONITOR_REFERENCE_READY);
    keep("second", 1, GW_MONITOR_REFERENCE_READY);
    keep_more(NEWER - 2);
    assert_non_null(find("first", 1)); // now "second" is the oldest
    keep("last", 1, GW_MONITOR_REFERENCE_READY);
    assert_null(find("second", 1));
    assert_non_null(find("first", 1));
    assert_non_null(find("last", 1));
}

static void a_reference_that_is_watched_stays(void **state)
{
    (void)state;
    const struct gw_monitor_reference *watched = keep("watched", 1, GW_MONITOR_REFERENCE_READY);
    ++*watched->watch_count;
    keep_more(3 * NEWER);
    assert_ptr_equal(find("watched", 1), watched);
    assert_non_null(find("more", 3 * NEWER));
    assert_null(find("more", 2 * NEWER));
    --*watched->watch_count;
    for (int i = 0; i < NEWER; i++) {
        keep("others", 1 + i, GW_MONITOR_REFERENCE_READY);
    }
    assert_null(find("watched", 1));
}

static void refusals_make_room_for_newer_ones_and_for_no_reference(void **state)
{
    (void)state;
    keep("ready", 1, GW_MONITOR_REFERENCE_READY);
    for (int i = 0; i <= GW_MONITOR_REFUSALS_MAX; i++) {
        keep("none", 1 + i, GW_MONITOR_REFERENCE_NONE);
    }
    assert_null(find("none", 1));
    assert_int_equal(find("none", 2)->state, GW_MONITOR_REFERENCE_NONE);
    assert_non_null(find("ready", 1));
}

static void without_memory_the_profile_stays_the_callers(void **state)
{
    (void)state;
    struct gw_drift_profile *profile = make_profile();
    const struct gw_monitor_reference reference = {.state = GW_MONITOR_REFERENCE_READY, .profile = profile};
    const struct gw_monitor_reference *kept = NULL;
    for (unsigned long n = 1; n <= 2; n++) {
        gw_mem_fail_nth(n);
        assert_int_equal(
            gw_monitor_remembered_keep(remembered, gw_slice_text("m"), 1, &reference, profile, &kept, NULL),
            GW_E_MEMORY);
        gw_mem_fail_nth(0);
        assert_null(find("m", 1));
    }
    gw_drift_profile_free(profile);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_reference_is_remembered_by_model_and_version),
        TEST(of_references_that_nobody_watches_the_last_asked_for_stay),
        TEST(a_reference_that_is_watched_stays),
        TEST(refusals_make_room_for_newer_ones_and_for_no_reference),
        TEST(without_memory_the_profile_stays_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
