// SPDX-License-Identifier: MIT
// The registry's verbs against a real PostgreSQL (GODWIT_POSTGRES_URI): what each changes, and what it refuses.
#include "integration/registry_bundles.h"

#include <inttypes.h>

static struct bundles b;
static struct gw_registry_outcome outcome;
static gw_err err;

static void expect_message(const char *part)
{
    if (strstr(err.message, part) == NULL) {
        print_error("'%s' is not in '%s'\n", part, err.message);
    }
    assert_non_null(strstr(err.message, part));
}

static gw_status rollback(int32_t version)
{
    const struct gw_registry_change change = by("worse");
    return gw_registry_rollback(b.registry, MODEL, version, &change, &outcome, &err);
}

static gw_status shadow(int32_t version, bool on)
{
    const struct gw_registry_change change = by("");
    return gw_registry_shadow(b.registry, MODEL, version, on, &change, &outcome, &err);
}

static gw_status split(const struct gw_registry_share *shares, size_t count)
{
    const struct gw_registry_change change = by("");
    return gw_registry_split(b.registry, MODEL, shares, count, &change, &outcome, &err);
}

static gw_status archive(int32_t version)
{
    const struct gw_registry_change change = by("");
    return gw_registry_archive(b.registry, MODEL, version, &change, &outcome, &err);
}

static gw_status reject(int32_t version, const char *reason)
{
    const struct gw_registry_change change = by(reason);
    return gw_registry_reject(b.registry, MODEL, version, &change, &outcome, &err);
}

static void new_model_serves_its_baseline(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 1, true);
    assert_string_equal(route_text(&b), "1:champion:10000");
    assert_int_equal(registry_number(b.fixture.postgres,
                                     "SELECT (string_agg(transition, ' ' ORDER BY sequence) = 'create register verify "
                                     "promote')::int FROM registry_events"),
                     1);
    assert_int_equal(registry_number(b.fixture.postgres, "SELECT count(*) FROM registry_events WHERE route IS NOT "
                                                         "NULL AND sequence = 4 AND route->>'sequence' = '4'"),
                     1);
    const struct gw_registry_create again = {.model = MODEL, .description = ""};
    const struct gw_registry_change change = by("");
    assert_fails(gw_registry_create(b.registry, &again, &change, &outcome, &err), GW_E_CONFLICT);
    expect_message("model 'ranker' exists");
    assert_consistent(&b);
    bundles_close(&b);
}

static void registered_version_says_what_it_is(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 1, true);
    char path[128];
    bundle_path(&b, 2, path);
    const struct test_model_variant variant = {.name = "x",
                                               .version = 9,
                                               .features = test_model_features,
                                               .feature_count = test_model_feature_count,
                                               .metadata_json = "{\"lineage\":{\"manifest\":\"m7\"},\"metrics\":"
                                                                "{\"auc\":0.75},\"other\":1}",
                                               .factor = 1};
    test_model_write_variant(path, &variant);
    const struct gw_registry_change change = by("");
    const struct gw_registry_register request = {.model = MODEL,
                                                 .directory = path,
                                                 .description = "second",
                                                 .tags_json = "{\"team\":\"feed\"}",
                                                 .features = b.features};
    assert_ok_err(gw_registry_register(b.registry, &request, &change, &outcome, &err), &err);
    assert_int_equal(outcome.version, 2);
    assert_int_equal(outcome.revision, outcome.sequence);
    assert_int_equal(registry_number(b.fixture.postgres,
                                     "SELECT count(*) FROM registry_versions WHERE version = 2 AND state = 'VERIFIED' "
                                     "AND lineage = '{\"manifest\":\"m7\"}' AND metrics = '{\"auc\":0.75}' AND tags = "
                                     "'{\"team\":\"feed\"}' AND parent_version = 1 AND created_by = 'tester' AND "
                                     "signature->>'layout' ~ '^[0-9a-f]{16}$' AND signature->>'primary' = "
                                     "'is_favorited' AND jsonb_array_length(signature->'features') = 12 AND "
                                     "signature->'heads'->1->>'objective' = 'binary:logistic' AND artefact = digest"),
                     1);
    bundles_close(&b);
}

static void unchecked_version_cannot_serve(void **state)
{
    (void)state;
    char path[128];
    bundles_open(&b);
    bundles_fill(&b, 1, true);
    bundle_write(&b, 2, path);
    assert_ok_err(register_path(&b, path, false, &outcome, &err), &err);
    assert_int_equal(state_of(&b, 2), GW_ROLLOUT_REGISTERED);
    assert_fails(promote(b.registry, 2, &err), GW_E_CONFLICT);
    expect_message("model 'ranker' version 2: version is REGISTERED: cannot promote it, legal are");
    bundles_close(&b);
}

static void bundle_that_is_not_good_is_not_stored(void **state)
{
    (void)state;
    char path[128];
    const char *names[16];
    bundles_open(&b);
    bundles_fill(&b, 1, true);
    memcpy(names, test_model_features, test_model_feature_count * sizeof names[0]);
    names[3] = "tweet.favs_totl";
    bundle_path(&b, 2, path);
    test_model_write_of(path, "x", 2, names, test_model_feature_count);
    assert_fails(register_path(&b, path, true, &outcome, &err), GW_E_INVALID);
    expect_message("tweet.favs_totl");
    expect_message("tweet.favs_total");

    bundle_path(&b, 3, path);
    const struct test_model_variant huge = {.name = "x",
                                            .features = test_model_features,
                                            .feature_count = test_model_feature_count,
                                            .metadata_json = "{}",
                                            .factor = 1,
                                            .weight = 1e300};
    test_model_write_variant(path, &huge);
    assert_fails(register_path(&b, path, true, &outcome, &err), GW_E_INVALID);
    expect_message("the score is inf for row 0");

    assert_fails(register_path(&b, "/nowhere/at/all", true, &outcome, &err), GW_E_NOT_FOUND);
    assert_int_equal(registry_number(b.fixture.postgres, "SELECT count(*) FROM registry_artefacts"), 1);
    assert_int_equal(registry_number(b.fixture.postgres, "SELECT last_version FROM registry_models"), 1);
    bundles_close(&b);
}

static void what_does_not_exist_is_not_found(void **state)
{
    (void)state;
    bundles_open(&b);
    assert_fails(promote(b.registry, 1, &err), GW_E_NOT_FOUND);
    expect_message("no model 'ranker'");
    bundles_fill(&b, 0, false);
    assert_fails(promote(b.registry, 0, &err), GW_E_NOT_FOUND);
    expect_message("model 'ranker' has no version yet");
    assert_fails(promote(b.registry, 7, &err), GW_E_NOT_FOUND);
    expect_message("model 'ranker' has no version 7");
    assert_fails(rollback(0), GW_E_CONFLICT);
    expect_message("no champion to go back to");
    assert_fails(archive(2), GW_E_NOT_FOUND);
    assert_fails(reject(2, "bad"), GW_E_NOT_FOUND);
    assert_fails(shadow(2, true), GW_E_NOT_FOUND);
    assert_fails(split(&(struct gw_registry_share){.version = 2, .weight = 1}, 1), GW_E_NOT_FOUND);
    assert_string_equal(route_text(&b), "none");
    assert_consistent(&b);
    bundles_close(&b);
}

static void values_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 2, true);
    struct gw_registry_change change = {.actor = "", .reason = ""};
    assert_fails(gw_registry_promote(b.registry, MODEL, 2, &change, &outcome, &err), GW_E_INVALID);
    change = (struct gw_registry_change){.actor = "a\xff", .reason = ""};
    assert_fails(gw_registry_promote(b.registry, MODEL, 2, &change, &outcome, &err), GW_E_INVALID);
    char long_key[300];
    memset(long_key, 'k', sizeof long_key);
    long_key[299] = '\0';
    change = (struct gw_registry_change){.actor = "a", .reason = "", .idempotency_key = long_key};
    assert_fails(gw_registry_promote(b.registry, MODEL, 2, &change, &outcome, &err), GW_E_INVALID);
    change = by("");
    const struct gw_registry_create create = {.model = "no spaces", .description = ""};
    assert_fails(gw_registry_create(b.registry, &create, &change, &outcome, &err), GW_E_INVALID);
    bundles_close(&b);
}

static void promotion_takes_all_users(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 4, true);
    assert_ok(shadow(4, true));
    assert_ok(split(&(struct gw_registry_share){.version = 3, .weight = 500}, 1));
    assert_string_equal(route_text(&b), "1:champion:9500 3:canary:500 | 4");
    const struct gw_registry_change change = by("wins");
    assert_ok(gw_registry_promote(b.registry, MODEL, 2, &change, &outcome, &err));
    assert_int_equal(outcome.version, 2);
    assert_int_equal(outcome.previous_version, 1);
    assert_string_equal(route_text(&b), "2:champion:10000 | 4");
    assert_int_equal(state_of(&b, 1), GW_ROLLOUT_RETIRED);
    assert_int_equal(state_of(&b, 3), GW_ROLLOUT_RETIRED);
    assert_fails(promote(b.registry, 2, &err), GW_E_CONFLICT);
    expect_message("version is CHAMPION: cannot promote it, legal are");
    assert_ok(promote(b.registry, 0, &err)); // the newest, which shadows
    assert_string_equal(route_text(&b), "4:champion:10000");
    assert_consistent(&b);
    bundles_close(&b);
}

static void rollbacks_go_back_through_the_reigns(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 5, true);
    assert_ok(promote(b.registry, 2, &err));
    assert_ok(promote(b.registry, 3, &err));
    assert_ok(rollback(0));
    assert_int_equal(outcome.version, 2);
    assert_int_equal(outcome.previous_version, 3);
    assert_ok(rollback(0));
    assert_string_equal(route_text(&b), "1:champion:10000"); // not back to 3
    assert_fails(rollback(0), GW_E_CONFLICT);
    assert_ok(promote(b.registry, 4, &err)); // lies on 1's reign
    assert_ok(rollback(0));
    assert_string_equal(route_text(&b), "1:champion:10000");
    assert_ok(rollback(3)); // by name: as it was when 3 reigned, on 2, on 1
    assert_ok(rollback(0));
    assert_string_equal(route_text(&b), "2:champion:10000");
    assert_consistent(&b);
    bundles_close(&b);
}

static void rollback_passes_over_what_cannot_serve(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 5, true);
    for (int32_t version = 2; version <= 4; version++) {
        assert_ok(promote(b.registry, version, &err));
    }
    assert_ok(reject(3, "wrong"));
    assert_ok(archive(2));
    assert_ok(rollback(0));
    assert_string_equal(route_text(&b), "1:champion:10000");
    assert_fails(rollback(2), GW_E_CONFLICT);
    expect_message("version 2 is archived and cannot come back");
    assert_fails(rollback(3), GW_E_CONFLICT);
    expect_message("version is REJECTED: cannot rollback it");
    assert_fails(rollback(5), GW_E_CONFLICT);
    expect_message("version 5 never was champion");
    assert_fails(rollback(1), GW_E_CONFLICT);
    expect_message("version is CHAMPION");
    bundles_close(&b);
}

static void former_champion_comes_back_from_the_shadow(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    assert_ok(promote(b.registry, 2, &err));
    assert_ok(shadow(1, true));
    assert_ok(split(&(struct gw_registry_share){.version = 3, .weight = 100}, 1));
    assert_ok(rollback(0));
    assert_string_equal(route_text(&b), "1:champion:10000");
    assert_int_equal(registry_number(b.fixture.postgres, "SELECT count(*) FROM registry_events WHERE transition = "
                                                         "'rollback' AND from_state = 'SHADOW'"),
                     1);
    bundles_close(&b);
}

static void shadows_begin_and_end(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 7, true);
    for (int32_t version = 6; version >= 3; version--) {
        assert_ok_err(shadow(version, true), &err);
    }
    assert_string_equal(route_text(&b), "1:champion:10000 | 3 4 5 6");
    assert_fails(shadow(7, true), GW_E_CONFLICT);
    expect_message("has 4 shadows, which is the most");
    assert_int_equal(state_of(&b, 7), GW_ROLLOUT_VERIFIED);
    assert_fails(shadow(1, true), GW_E_CONFLICT);
    assert_fails(shadow(3, true), GW_E_CONFLICT);
    assert_fails(shadow(7, false), GW_E_CONFLICT);
    expect_message("cannot unshadow it");
    assert_ok(shadow(4, false));
    assert_string_equal(route_text(&b), "1:champion:10000 | 3 5 6");
    assert_consistent(&b);
    bundles_close(&b);
}

static void split_gives_shares_and_takes_them(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 4, false);
    const struct gw_registry_share two[] = {{.version = 4, .weight = 2000}, {.version = 2, .weight = 1000}};
    const struct gw_registry_share one[] = {{.version = 4, .weight = 3000, .variant = "bold"}};
    assert_fails(split(one, 1), GW_E_CONFLICT);
    expect_message("no champion to split users with");
    assert_ok(promote(b.registry, 1, &err));
    assert_ok_err(split(two, 2), &err);
    assert_string_equal(route_text(&b), "1:champion:7000 2:canary-2:1000 4:canary-4:2000");
    const int64_t revision = revision_of(&b);
    assert_ok(split(two, 2)); // as it is: nothing happens
    assert_true(outcome.repeated && outcome.revision == revision && revision_of(&b) == revision);
    assert_ok(split(one, 1));
    assert_string_equal(route_text(&b), "1:champion:7000 4:bold:3000");
    assert_int_equal(outcome.version, 4);
    assert_int_equal(state_of(&b, 2), GW_ROLLOUT_RETIRED);
    assert_ok(split(NULL, 0));
    assert_string_equal(route_text(&b), "1:champion:10000");
    assert_consistent(&b);
    bundles_close(&b);
}

static void shares_that_do_not_fit_change_nothing(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    static const struct {
        struct gw_registry_share shares[2];
        size_t count;
        gw_status status;
        const char *message;
    } cases[] = {
        {{{.version = 2, .weight = 0}}, 1, GW_E_INVALID, "must be 1 to 9999"},
        {{{.version = 2, .weight = 10000}}, 1, GW_E_INVALID, "must be 1 to 9999"},
        {{{.version = 2, .weight = 5000}, {.version = 3, .weight = 5000}}, 2, GW_E_INVALID, "nothing is left"},
        {{{.version = 2, .weight = 5}, {.version = 2, .weight = 5}}, 2, GW_E_INVALID, "version 2 has two shares"},
        {{{.version = 2, .weight = 5, .variant = "no space"}}, 1, GW_E_INVALID, "variant 'no space'"},
        {{{.version = 2, .weight = 5, .variant = "champion"}}, 1, GW_E_INVALID, "name of another role"},
        {{{.version = 2, .weight = 5, .variant = "x"}, {.version = 3, .weight = 5, .variant = "x"}},
         2,
         GW_E_INVALID,
         "same variant 'x'"},
        {{{.version = 1, .weight = 5}}, 1, GW_E_CONFLICT, "version is CHAMPION: cannot split it"},
        {{{.version = 9, .weight = 5}}, 1, GW_E_NOT_FOUND, "no version 9"},
    };
    const int64_t events = event_count(&b);
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        assert_fails(split(cases[i].shares, cases[i].count), cases[i].status);
        expect_message(cases[i].message);
    }
    assert_int_equal(event_count(&b), events);
    assert_consistent(&b);
    bundles_close(&b);
}

static void archived_version_is_gone(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    assert_fails(archive(1), GW_E_CONFLICT);
    expect_message("version is CHAMPION: cannot archive it");
    assert_ok(archive(2));
    assert_int_equal(state_of(&b, 2), GW_ROLLOUT_RETIRED);
    assert_fails(promote(b.registry, 2, &err), GW_E_CONFLICT);
    expect_message("version 2 is archived and cannot come back");
    assert_fails(shadow(2, true), GW_E_CONFLICT);
    assert_ok(archive(2));
    assert_true(outcome.repeated);
    assert_int_equal(registry_number(b.fixture.postgres,
                                     "SELECT (artefact IS NULL AND digest <> '')::int FROM registry_versions WHERE "
                                     "version = 2"),
                     1);
    assert_consistent(&b);
    bundles_close(&b);
}

static void rejected_champion_falls_back(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    assert_ok(promote(b.registry, 2, &err));
    assert_ok(split(&(struct gw_registry_share){.version = 3, .weight = 100}, 1));
    assert_ok(reject(2, "answers NaN"));
    assert_string_equal(route_text(&b), "1:champion:10000");
    assert_int_equal(registry_number(b.fixture.postgres,
                                     "SELECT count(*) FROM registry_events WHERE transition = 'rollback' AND version "
                                     "= 1 AND reason = 'version 2 was rejected: answers NaN' AND route IS NOT NULL"),
                     1);
    assert_int_equal(registry_number(b.fixture.postgres, "SELECT count(*) FROM registry_versions WHERE version = 2 "
                                                         "AND rejected_because = 'answers NaN'"),
                     1);
    const int64_t events = event_count(&b);
    assert_ok(reject(2, "says another scorer"));
    assert_true(outcome.repeated);
    assert_int_equal(event_count(&b), events);
    assert_fails(promote(b.registry, 2, &err), GW_E_CONFLICT);
    expect_message("version is REJECTED");
    assert_ok_err(archive(2), &err);
    assert_int_equal(state_of(&b, 2), GW_ROLLOUT_REJECTED);
    assert_int_equal(registry_number(b.fixture.postgres,
                                     "SELECT (artefact IS NULL AND rejected_because = 'answers NaN')::int "
                                     "FROM registry_versions WHERE version = 2"),
                     1);
    assert_ok(reject(1, "bad too")); // without a predecessor nobody serves
    assert_string_equal(route_text(&b), "");
    assert_int_equal(registry_number(b.fixture.postgres, "SELECT count(*) FROM registry_events WHERE route IS NOT "
                                                         "NULL AND jsonb_array_length(route->'targets') = 0"),
                     1);
    assert_ok(promote(b.registry, 3, &err));
    assert_string_equal(route_text(&b), "3:champion:10000");
    assert_consistent(&b);
    bundles_close(&b);
}

static void change_on_an_older_state_is_stale(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    struct gw_registry_change change = by("");
    change.if_revision = revision_of(&b);
    assert_ok(gw_registry_promote(b.registry, MODEL, 2, &change, &outcome, &err));
    assert_fails(gw_registry_promote(b.registry, MODEL, 3, &change, &outcome, &err), GW_E_STALE);
    char part[64];
    snprintf(part, sizeof part, "is at revision %" PRId64 ", not at %" PRId64, revision_of(&b), change.if_revision);
    expect_message(part);
    assert_string_equal(route_text(&b), "2:champion:10000");
    bundles_close(&b);
}

static void repeated_request_gets_the_first_answer(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    struct gw_registry_change change = by("");
    struct gw_registry_outcome first;
    change.idempotency_key = "key-1";
    change.if_revision = revision_of(&b);
    assert_ok(gw_registry_promote(b.registry, MODEL, 2, &change, &first, &err));
    assert_false(first.repeated);
    assert_ok(promote(b.registry, 3, &err));
    const int64_t events = event_count(&b);
    assert_ok(gw_registry_promote(b.registry, MODEL, 2, &change, &outcome, &err)); // stale by now, but done
    assert_true(outcome.repeated);
    assert_int_equal(outcome.version, 2);
    assert_int_equal(outcome.previous_version, 1);
    assert_int_equal(outcome.sequence, first.sequence);
    assert_int_equal(outcome.revision, first.revision);
    assert_fails(gw_registry_promote(b.registry, MODEL, 3, &change, &outcome, &err), GW_E_INVALID);
    expect_message("idempotency key 'key-1' was used for 'promote ranker 2'");
    assert_fails(gw_registry_rollback(b.registry, MODEL, 2, &change, &outcome, &err), GW_E_INVALID);
    assert_int_equal(event_count(&b), events);
    bundles_close(&b);
}

static void repeated_registration_says_the_same(void **state)
{
    (void)state;
    char path[128];
    bundles_open(&b);
    bundles_fill(&b, 1, true);
    bundle_write(&b, 7, path);
    struct gw_registry_change change = by("");
    change.idempotency_key = "key-1";
    struct gw_registry_register request = {
        .model = MODEL, .directory = path, .description = "first", .features = b.features};
    assert_ok_err(gw_registry_register(b.registry, &request, &change, &outcome, &err), &err);
    assert_ok_err(gw_registry_register(b.registry, &request, &change, &outcome, &err), &err);
    assert_true(outcome.repeated);
    assert_int_equal(outcome.version, 2);
    request.tags_json = "{\"team\":\"a\"}";
    assert_fails(gw_registry_register(b.registry, &request, &change, &outcome, &err), GW_E_INVALID);
    request.tags_json = NULL;
    request.description = "second";
    assert_fails(gw_registry_register(b.registry, &request, &change, &outcome, &err), GW_E_INVALID);
    expect_message("idempotency key 'key-1' was used for");
    bundles_close(&b);
}

static void key_of_a_change_with_nothing_to_do_is_kept(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    const struct gw_registry_share share = {.version = 2, .weight = 100};
    const struct gw_registry_share more = {.version = 2, .weight = 200};
    struct gw_registry_change change = by("");
    struct gw_registry_outcome first;
    assert_ok(split(&share, 1));
    assert_ok(reject(3, "bad"));
    change.idempotency_key = "key-1";
    const int64_t events = event_count(&b);
    assert_ok_err(gw_registry_split(b.registry, MODEL, &share, 1, &change, &first, &err), &err);
    assert_true(first.repeated);
    assert_int_equal(first.revision, revision_of(&b));
    assert_int_equal(event_count(&b), events);
    assert_ok(split(&more, 1));
    assert_ok_err(gw_registry_split(b.registry, MODEL, &share, 1, &change, &outcome, &err), &err);
    assert_int_equal(outcome.version, first.version);
    assert_int_equal(outcome.previous_version, first.previous_version);
    assert_int_equal(outcome.sequence, first.sequence);
    assert_int_equal(event_count(&b), events + 1); // the repetition did not take the later split back
    assert_fails(gw_registry_split(b.registry, MODEL, &more, 1, &change, &outcome, &err), GW_E_INVALID);
    expect_message("idempotency key 'key-1' was used for");
    assert_consistent(&b); // the history has no gap
    bundles_close(&b);
}

static void history_is_append_only(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 1, true);
    static const char *const statements[] = {"UPDATE registry_events SET actor = 'x'", "DELETE FROM registry_events",
                                             "TRUNCATE registry_events"};
    for (size_t i = 0; i < GW_COUNT_OF(statements); i++) {
        assert_fails(gw_postgres_exec(b.fixture.postgres, statements[i], NULL, 0, NULL, &err), GW_E_INVALID);
        expect_message("append-only");
    }
    bundles_close(&b);
}

static void missing_tables_name_the_remedy(void **state)
{
    (void)state;
    struct registry_fixture empty;
    struct gw_registry *registry = NULL;
    registry_open_empty(&empty);
    const struct gw_registry_options options = {.uri = empty.uri, .application = "godwit-test", .timeout_ms = 30000};
    assert_ok(gw_registry_new(&options, &registry, &err));
    assert_fails(promote(registry, 1, &err), GW_E_MISMATCH);
    expect_message("godwit db migrate");
    gw_registry_free(registry);
    registry_close(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_model_serves_its_baseline),
        cmocka_unit_test(registered_version_says_what_it_is),
        cmocka_unit_test(unchecked_version_cannot_serve),
        cmocka_unit_test(bundle_that_is_not_good_is_not_stored),
        cmocka_unit_test(what_does_not_exist_is_not_found),
        cmocka_unit_test(values_that_break_a_rule_are_refused),
        cmocka_unit_test(promotion_takes_all_users),
        cmocka_unit_test(rollbacks_go_back_through_the_reigns),
        cmocka_unit_test(rollback_passes_over_what_cannot_serve),
        cmocka_unit_test(former_champion_comes_back_from_the_shadow),
        cmocka_unit_test(shadows_begin_and_end),
        cmocka_unit_test(split_gives_shares_and_takes_them),
        cmocka_unit_test(shares_that_do_not_fit_change_nothing),
        cmocka_unit_test(archived_version_is_gone),
        cmocka_unit_test(rejected_champion_falls_back),
        cmocka_unit_test(change_on_an_older_state_is_stale),
        cmocka_unit_test(repeated_request_gets_the_first_answer),
        cmocka_unit_test(key_of_a_change_with_nothing_to_do_is_kept),
        cmocka_unit_test(repeated_registration_says_the_same),
        cmocka_unit_test(history_is_append_only),
        cmocka_unit_test(missing_tables_name_the_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
