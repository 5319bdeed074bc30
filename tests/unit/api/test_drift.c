// SPDX-License-Identifier: MIT
#include "api/drift.h"

#include "support/testkit.h"

#include <math.h>
#include <string.h>

static struct gw_buf text;
static struct gw_json_writer writer;

static int setup(void **state)
{
    (void)state;
    gw_json_writer_init(&writer, &text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_buf_deinit(&text);
    return 0;
}

static void assert_written(const char *expected)
{
    assert_ok(gw_json_writer_finish(&writer, NULL));
    assert_ok(gw_buf_append(&text, "", 1));
    assert_string_equal((const char *)text.data, expected);
}

static void a_rate_is_a_number_over_0(void **state)
{
    (void)state;
    double rate = 0;
    assert_true(gw_api_parse_rate("850", &rate) && rate == 850.0);
    assert_true(gw_api_parse_rate("0.5", &rate) && rate == 0.5);
    assert_true(gw_api_parse_rate("1e9", &rate) && rate == 1e9);
    static const char *const wrong[] = {"",     "0",    "-1", "-0", "nan", "inf",   "1e9999", "1.1e9", "1e-9999",
                                        "0x10", " 850", "1 ", "+1", "1,5", "850/s", ".5",     "1e",    "1_000"};
    for (size_t i = 0; i < GW_COUNT_OF(wrong); i++) {
        rate = 7;
        if (gw_api_parse_rate(wrong[i], &rate)) {
            fail_msg("'%s' is taken for a rate", wrong[i]);
        }
        assert_true(rate == 7.0);
    }
}

static void what_has_no_number_is_null(void **state)
{
    (void)state;
    struct gw_api_drift_stream stream = {.stream = "user.age",
                                         .kind = "feature",
                                         .state = "quiet",
                                         .evidence = 1,
                                         .threshold = 2.5e9,
                                         .effect_sigma = (double)NAN,
                                         .psi = (double)NAN,
                                         .missing_share = (double)NAN,
                                         .promise = {(double)INFINITY, (double)INFINITY, 0.25}};
    const struct gw_api_drift drift = {.model = "engage",
                                       .version = 3,
                                       .has_reference = true,
                                       .sample_count = 12,
                                       .streams = &stream,
                                       .stream_count = 1};
    gw_api_write_drift(&writer, &drift, NULL);
    assert_written("{\"model\":\"engage\",\"version\":3,\"hasReference\":true,\"why\":null,\"sampleCount\":12,"
                   "\"streams\":[{\"name\":\"user.age\",\"kind\":\"feature\",\"state\":\"quiet\",\"evidence\":1,"
                   "\"threshold\":2500000000,\"effectSigma\":null,\"psi\":null,\"missingShare\":null,"
                   "\"windowCount\":0,\"ratePerS\":0,\"promise\":{\"falseAlarmDays\":null,"
                   "\"smallestShift10s\":null,\"smallestShift5min\":0.25}}]}");
}

static void a_version_without_a_reference_says_why(void **state)
{
    (void)state;
    const struct gw_api_drift drift = {.model = "engage", .version = 1, .why = "it came without"};
    const struct gw_api_alerts alerts = {.caught_up = true};
    gw_api_write_drift(&writer, &drift, &alerts);
    assert_written("{\"model\":\"engage\",\"version\":1,\"hasReference\":false,\"why\":\"it came without\","
                   "\"sampleCount\":0,\"streams\":[],\"alerts\":[],\"caughtUp\":true}");
}

static void an_alert_tells_its_promise(void **state)
{
    (void)state;
    struct gw_api_alert alert = {.id = "m/3/x",
                                 .model = "engage",
                                 .version = 3,
                                 .open = true,
                                 .kind = "concept",
                                 .stream = "is_replied",
                                 .severity = "high",
                                 .evidence = 5e9,
                                 .threshold = 2.5e9,
                                 .effect_sigma = 0.125,
                                 .harm = 0.25,
                                 .psi = (double)NAN,
                                 .psi_by_chance = (double)NAN,
                                 .jensen_shannon = (double)NAN,
                                 .jensen_shannon_by_chance = (double)NAN,
                                 .share = (double)NAN,
                                 .reference_share = (double)NAN,
                                 .rate_per_s = 850,
                                 .promise = {30, (double)INFINITY, 0.0625},
                                 .samples = 1000,
                                 .from_ms = 1700000000000,
                                 .at_ms = 1700000300000};
    const struct gw_api_alerts alerts = {.alerts = &alert, .count = 1};
    gw_api_write_alerts(&writer, &alerts);
    assert_written("{\"alerts\":[{\"id\":\"m/3/x\",\"model\":\"engage\",\"version\":3,\"state\":\"open\","
                   "\"kind\":\"concept\",\"stream\":\"is_replied\",\"severity\":\"high\",\"evidence\":5000000000,"
                   "\"threshold\":2500000000,\"effectSigma\":0.125,\"harm\":0.25,\"psi\":null,\"psiByChance\":null,"
                   "\"jensenShannon\":null,\"jensenShannonByChance\":null,\"share\":null,\"referenceShare\":null,"
                   "\"ratePerS\":850,\"promise\":{\"falseAlarmDays\":30,\"smallestShift10s\":null,"
                   "\"smallestShift5min\":0.0625},\"samples\":1000,\"since\":\"2023-11-14T22:13:20.000Z\","
                   "\"at\":\"2023-11-14T22:18:20.000Z\"}],\"caughtUp\":false}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_rate_is_a_number_over_0),
        TEST(what_has_no_number_is_null),
        TEST(a_version_without_a_reference_says_why),
        TEST(an_alert_tells_its_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
