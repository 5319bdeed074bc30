// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "registry/documents.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct gw_route route = {
    .model = "heavy-ranker",
    .sequence = 9007199254740993,
    .salt = "s-1",
    .target_count = 2,
    .targets = {{.version = 2, .variant = "champion", .weight = 9500, .digest = DIGEST_A},
                {.version = 3, .variant = "canary", .weight = 500, .digest = DIGEST_B}},
    .shadow_count = 1,
    .shadows = {{.version = 4, .variant = "shadow", .digest = DIGEST_B}},
    .at_ms = 1735689600123,
};

static const struct gw_registry_version left = {
    .model = "m",
    .version = 2,
    .digest = DIGEST_A,
    .state = GW_ROLLOUT_CHAMPION,
    .variant = "champion",
    .weight = 9500,
    .description = "say \"hello\"",
    .tags_json = "{\"team\": \"feed\"}",
    .signature_json =
        "{\"features\": [\"b\", \"a\", \"old\"], \"layout\": \"0123456789abcdef\", \"primary\": \"like\", "
        "\"heads\": [{\"name\": \"like\", \"weight\": 1, \"trees\": 100}, {\"name\": \"reply\", "
        "\"weight\": 13.5, \"trees\": 50, \"objective\": \"binary:logistic\"}]}",
    .metrics_json = "{\"like\": {\"auc\": 0.75, \"note\": \"x\", \"curve\": [1, 2]}, \"rows\": 1000}",
    .lineage_json = "{\"manifest\": \"abc\"}",
    .rejected_because = "",
    .created_ms = 1735689600000,
    .created_by = "ann",
    .champion_since_ms = 1735689660000,
};

static const struct gw_registry_version right = {
    .model = "m",
    .version = 3,
    .digest = DIGEST_B,
    .state = GW_ROLLOUT_REJECTED,
    .variant = "",
    .description = "",
    .tags_json = "{}",
    .signature_json = "{\"features\": [\"new\", \"a\", \"b\"], \"layout\": null, \"heads\": [{\"name\": \"like\", "
                      "\"weight\": 0.5, \"trees\": 120}]}",
    .metrics_json = "{\"like\": {\"auc\": 0.875}, \"loss\": 0.25}",
    .lineage_json = "{}",
    .parent_version = 2,
    .rejected_because = "answers NaN",
    .created_ms = -1,
    .created_by = "bob",
};

static struct gw_json_writer writer;
static struct gw_buf text;

static void begin(void)
{
    gw_buf_deinit(&text);
    text = (struct gw_buf){0};
    gw_json_writer_init(&writer, &text);
}

// What was written; it must be JSON.
static const char *end(void)
{
    gw_err err = {0};
    struct gw_json json;
    assert_ok(gw_json_writer_finish(&writer, NULL));
    gw_json_init(&json, gw_buf_slice(&text));
    assert_ok_err(gw_json_skip(&json, &err), &err);
    assert_ok_err(gw_json_end(&json, &err), &err);
    assert_ok(gw_buf_append(&text, "", 1));
    return (const char *)text.data;
}

static void assert_has(const char *document, const char *part)
{
    if (strstr(document, part) == NULL) {
        print_error("%s\nlacks %s\n", document, part);
    }
    assert_non_null(strstr(document, part));
}

static gw_status parse(const char *json, struct gw_route *ret_route, gw_err *err)
{
    return gw_registry_parse_route(gw_slice_text(json), ret_route, err);
}

static void stored_route_reads_back_equal(void **state)
{
    (void)state;
    struct gw_route parsed;
    gw_err err = {0};
    memset(&parsed, 0xff, sizeof parsed);
    begin();
    gw_registry_write_route(&writer, &route);
    assert_ok_err(parse(end(), &parsed, &err), &err);
    assert_memory_equal(&parsed, &route, sizeof route);
    gw_buf_deinit(&text);
}

static void route_without_targets_reads_back(void **state)
{
    (void)state;
    struct gw_route parsed;
    gw_err err = {0};
    assert_ok_err(parse("{\"model\": \"m\", \"salt\": \"s\", \"sequence\": 1, \"targets\": []}", &parsed, &err), &err);
    assert_int_equal(parsed.target_count, 0);
    assert_int_equal(parsed.shadow_count, 0);
}

static void unknown_keys_of_a_route_are_ignored(void **state)
{
    (void)state;
    struct gw_route parsed;
    gw_err err = {0};
    assert_ok_err(parse("{\"future\": {\"a\": [1, {}]}, \"model\": \"m\", \"salt\": \"s\", \"targets\": [{\"guard\": "
                        "true, \"version\": 1, \"variant\": \"champion\", \"weight\": 10000, \"digest\": \"" DIGEST_A
                        "\"}]}",
                        &parsed, &err),
                  &err);
    assert_int_equal(parsed.targets[0].version, 1);
}

#define TARGET(version, weight)                                                                                        \
    "{\"version\": " version ", \"variant\": \"v\", \"weight\": " weight ", \"digest\": \"" DIGEST_A "\"}"
#define ROUTE(targets) "{\"model\": \"m\", \"salt\": \"s\", \"targets\": [" targets "]}"

static void bad_routes_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        gw_status status;
    } cases[] = {
        {"", GW_E_MALFORMED},
        {"{\"model\": \"m\"", GW_E_MALFORMED},
        {ROUTE("") " x", GW_E_MALFORMED},
        {"[]", GW_E_INVALID},
        {"{}", GW_E_INVALID},
        {"{\"model\": 5, \"salt\": \"s\"}", GW_E_INVALID},
        {"{\"model\": \"m\\u0041\", \"salt\": \"s\"}", GW_E_INVALID},
        {"{\"model\": \"m\", \"salt\": \"0123456789012345678901234567890123\"}", GW_E_INVALID},
        {"{\"model\": \"m\", \"salt\": \"s\", \"sequence\": -1}", GW_E_INVALID},
        {ROUTE(TARGET("1", "9999")), GW_E_INVALID},
        {ROUTE(TARGET("1", "10001")), GW_E_INVALID},
        {ROUTE(TARGET("1", "-1")), GW_E_INVALID},
        {ROUTE(TARGET("1", "1e4")), GW_E_INVALID},
        {ROUTE(TARGET("4294967297", "10000")), GW_E_INVALID},
        {ROUTE(TARGET("1", "5000") ", " TARGET("1", "5000")), GW_E_INVALID},
        {ROUTE(TARGET("1", "0") ", " TARGET("2", "0") ", " TARGET("3", "0") ", " TARGET("4", "0") ", " TARGET(
             "5", "0") ", " TARGET("6", "0") ", " TARGET("7", "0") ", " TARGET("8", "0") ", " TARGET("9", "10000")),
         GW_E_INVALID},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_route parsed = {.sequence = 77};
        gw_err err = {0};
        gw_status status = parse(cases[i].json, &parsed, &err);
        if (status != cases[i].status) {
            print_error("case %zu: %s\n", i, err.message);
        }
        assert_fails(status, cases[i].status);
        assert_int_equal(parsed.sequence, 77);
    }
}

static void model_document_has_all_its_fields(void **state)
{
    (void)state;
    const struct gw_registry_model model = {
        .name = "m", .description = "d", .revision = 7, .last_version = 3, .created_ms = 1735689600123};
    begin();
    gw_registry_write_model(&writer, &model);
    assert_string_equal(end(), "{\"name\":\"m\",\"description\":\"d\",\"revision\":7,\"champion\":null,"
                               "\"lastVersion\":3,\"createdAt\":\"2025-01-01T00:00:00.123Z\"}");
    gw_buf_deinit(&text);
}

static void version_document_shows_what_applies(void **state)
{
    (void)state;
    begin();
    gw_registry_write_version(&writer, &left, false);
    const char *document = end();
    assert_has(document, "\"version\":2,\"state\":\"CHAMPION\",\"digest\":\"" DIGEST_A "\"");
    assert_has(document, "\"variant\":\"champion\",\"weight\":0.95,\"parentVersion\":null");
    assert_has(document, "\"description\":\"say \\\"hello\\\"\",\"tags\":{\"team\": \"feed\"}");
    assert_has(document, "\"championSince\":\"2025-01-01T00:01:00.000Z\"");
    assert_null(strstr(document, "rejectedBecause"));
    assert_null(strstr(document, "signature"));

    begin();
    gw_registry_write_version(&writer, &right, true);
    document = end();
    assert_has(document, "\"variant\":null,\"weight\":0,\"parentVersion\":2");
    assert_has(document, "\"rejectedBecause\":\"answers NaN\"");
    assert_has(document, "\"createdAt\":\"1969-12-31T23:59:59.999Z\"");
    assert_has(document, "\"signature\":{\"features\": [\"new\"");
    assert_has(document, "\"metrics\":{");
    assert_has(document, "\"lineage\":{}");
    assert_null(strstr(document, "championSince"));
    gw_buf_deinit(&text);
}

static void event_document_shows_the_route_in_shares(void **state)
{
    (void)state;
    struct gw_registry_event event = {.sequence = 5,
                                      .model = "m",
                                      .version = 2,
                                      .transition = "promote",
                                      .from_state = "VERIFIED",
                                      .to_state = "CHAMPION",
                                      .digest = DIGEST_A,
                                      .actor = "ann",
                                      .reason = "better",
                                      .at_ms = 1735689600000,
                                      .route = &route};
    begin();
    gw_registry_write_event(&writer, &event);
    const char *document = end();
    assert_has(document, "\"sequence\":5,\"model\":\"m\",\"version\":2,\"transition\":\"promote\"");
    assert_has(document, "\"route\":{\"targets\":[{\"version\":2,\"variant\":\"champion\",\"weight\":0.95,");
    assert_has(document, "\"shadows\":[{\"version\":4,");

    event.version = 0;
    event.from_state = event.to_state = event.digest = "";
    event.route = NULL;
    begin();
    gw_registry_write_event(&writer, &event);
    document = end();
    assert_has(document, "\"version\":null");
    assert_has(document, "\"fromState\":null,\"toState\":null,\"digest\":null");
    assert_has(document, "\"route\":null}");
    gw_buf_deinit(&text);
}

static void outcome_document_has_all_its_fields(void **state)
{
    (void)state;
    const struct gw_registry_outcome outcome = {.version = 3, .previous_version = 2, .sequence = 9, .revision = 9};
    begin();
    gw_registry_write_outcome(&writer, "m", &outcome);
    assert_string_equal(end(), "{\"model\":\"m\",\"version\":3,\"previousVersion\":2,\"sequence\":9,\"revision\":9,"
                               "\"repeated\":false}");
    gw_buf_deinit(&text);
}

static void comparison_shows_what_differs(void **state)
{
    (void)state;
    gw_err err = {0};
    begin();
    assert_ok_err(gw_registry_write_comparison(&writer, &left, &right, &err), &err);
    const char *document = end();
    assert_has(document, "\"left\":{\"model\":\"m\",\"version\":2,\"state\":\"CHAMPION\",\"digest\":\"" DIGEST_A
                         "\",\"layout\":\"0123456789abcdef\",\"lineage\":{\"manifest\": \"abc\"}}");
    assert_has(document, "\"right\":{\"model\":\"m\",\"version\":3,\"state\":\"REJECTED\"");
    assert_has(document, "\"sameArtefact\":false");
    assert_has(document, "\"features\":{\"added\":[\"new\"],\"removed\":[\"old\"]}");
    assert_has(document,
               "\"heads\":[{\"name\":\"like\",\"left\":{\"weight\":1,\"trees\":100},\"right\":{\"weight\":0.5,"
               "\"trees\":120}},{\"name\":\"reply\",\"left\":{\"weight\":13.5,\"trees\":50},\"right\":null}]");
    assert_has(document, "\"metrics\":[{\"name\":\"like.auc\",\"left\":0.75,\"right\":0.875,\"difference\":0.125},"
                         "{\"name\":\"loss\",\"left\":null,\"right\":0.25,\"difference\":null},"
                         "{\"name\":\"rows\",\"left\":1000,\"right\":null,\"difference\":null}]");
    gw_buf_deinit(&text);
}

static void comparison_with_itself_shows_nothing(void **state)
{
    (void)state;
    begin();
    assert_ok(gw_registry_write_comparison(&writer, &left, &left, NULL));
    const char *document = end();
    assert_has(document, "\"sameArtefact\":true,\"features\":{\"added\":[],\"removed\":[]}");
    assert_has(document, "\"name\":\"like.auc\",\"left\":0.75,\"right\":0.75,\"difference\":0}");
    gw_buf_deinit(&text);
}

static void stored_document_that_does_not_parse_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *signature;
        const char *metrics;
        const char *culprit;
    } cases[] = {
        {"{\"features\": {}}", "{}", "version 9 of 'm': stored signature"},
        {"{\"features\": [1]}", "{}", "stored signature"},
        {"{\"heads\": [5]}", "{}", "stored signature"},
        {"{}", "{\"a\": ", "stored metrics"},
        {"{}", "[]", "stored metrics"},
        {"{}", "{\"a\": 1} 2", "stored metrics"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_registry_version broken = right;
        broken.version = 9;
        broken.signature_json = cases[i].signature;
        broken.metrics_json = cases[i].metrics;
        gw_err err = {0};
        begin();
        assert_fails(gw_registry_write_comparison(&writer, &left, &broken, &err), GW_E_MALFORMED);
        assert_has(err.message, cases[i].culprit);
        assert_int_equal(text.size, 0); // nothing is written before all is read
    }
    gw_buf_deinit(&text);
}

static void comparison_survives_every_failed_allocation(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        gw_err err = {0};
        begin();
        gw_mem_fail_nth(n);
        gw_status status = gw_registry_write_comparison(&writer, &left, &right, &err);
        if (status == GW_OK) {
            status = gw_json_writer_finish(&writer, &err);
        }
        gw_mem_fail_nth(0);
        gw_buf_deinit(&text);
        text = (struct gw_buf){0};
        if (status == GW_OK) {
            assert_true(n > 4);
            return;
        }
        assert_fails(status, GW_E_MEMORY);
    }
}

GW_TESTS(stored_route_reads_back_equal, route_without_targets_reads_back, unknown_keys_of_a_route_are_ignored,
         bad_routes_are_refused_and_change_nothing, model_document_has_all_its_fields,
         version_document_shows_what_applies, event_document_shows_the_route_in_shares,
         outcome_document_has_all_its_fields, comparison_shows_what_differs, comparison_with_itself_shows_nothing,
         stored_document_that_does_not_parse_is_named, comparison_survives_every_failed_allocation)
