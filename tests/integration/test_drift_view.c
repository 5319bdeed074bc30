// SPDX-License-Identifier: MIT
// How drift is shown, end to end: samples of a version with a reference through the real monitor, then what REST and
// the command line say of its detectors, its promises and its alerts. They say the same.
#include "component/cli_run.h"
#include "integration/http_raw.h"
#include "support/model.h"
#include "support/records.h"

#include "base/hash.h"
#include "base/rng.h"
#include "drift/profile.h"
#include "label/bits.h"
#include "model/bundle.h"
#include "records/feature_sample.h"
#include "records/label_sample.h"

#include <math.h>
#include <pthread.h>

enum {
    REFERENCE_ROWS = 12000,
    CALM_ROWS = 3000,
    DRIFTED_ROWS = 1500,
    LABELLED_ROWS = 500,
    DRIFTED_FEATURE = 3,
    HEADS = 2,
    SECOND = 2, // the version with a reference
};

// 0.1 days at 100 samples/s.
#define DAYS_AT_850 "0.01176"

static const char *const heads[HEADS] = {"is_favorited", "is_retweeted"};
static struct cluster cluster;
static struct cluster_worker bridge;
static struct raw_reply reply;
static uint16_t port;
static uint64_t layout;
static struct gw_rng rng;

// ---- rows -----------------------------------------------------------------------------------------------------------

// `shift` in sigma, of one feature.
static float next_row(float *row, double shift)
{
    for (size_t f = 0; f < test_model_feature_count; f++) {
        row[f] = (float)(gw_rng_normal(&rng) + (f == DRIFTED_FEATURE ? shift : 0.0));
    }
    return (float)(1.0 / (1.0 + exp(-gw_rng_normal(&rng))));
}

static void next_labels(float *probabilities, uint8_t *labels)
{
    for (int h = 0; h < HEADS; h++) {
        probabilities[h] = (float)(1.0 / (1.0 + exp(1.0 - 0.7 * gw_rng_normal(&rng))));
        labels[h] = gw_rng_double(&rng) < (double)probabilities[h];
    }
}

static void write_bundle(const char *directory)
{
    static float values[REFERENCE_ROWS * TEST_MODEL_FEATURES_MAX];
    static float scores[REFERENCE_ROWS];
    static float probabilities[REFERENCE_ROWS * HEADS];
    static uint8_t labels[REFERENCE_ROWS * HEADS];
    struct gw_drift_profile *profile = NULL;
    struct gw_buf bytes = {0};
    for (size_t i = 0; i < REFERENCE_ROWS; i++) {
        scores[i] = next_row(values + i * test_model_feature_count, 0.0);
        next_labels(probabilities + i * HEADS, labels + i * HEADS);
    }
    const struct gw_drift_rows rows = {.values = values,
                                       .row_count = REFERENCE_ROWS,
                                       .feature_count = (uint32_t)test_model_feature_count,
                                       .names = test_model_features,
                                       .score_count = REFERENCE_ROWS,
                                       .scores = scores,
                                       .labelled_count = REFERENCE_ROWS,
                                       .probabilities = probabilities,
                                       .labels = labels,
                                       .head_count = HEADS,
                                       .head_names = heads};
    assert_ok(gw_drift_profile_build(&rows, &(struct gw_drift_build_options){.independent = true}, &profile, NULL));
    assert_ok(gw_drift_profile_write(profile, &bytes, NULL));
    test_model_write_variant(directory, &(struct test_model_variant){.name = TEST_MODEL_NAME,
                                                                     .version = SECOND,
                                                                     .features = test_model_features,
                                                                     .feature_count = test_model_feature_count,
                                                                     .metadata_json = "{}",
                                                                     .factor = 1,
                                                                     .profile = gw_buf_slice(&bytes)});
    struct gw_bundle *bundle = NULL;
    assert_ok(gw_bundle_load(directory, &bundle, NULL));
    layout = gw_bundle_layout(gw_bundle_info(bundle));
    gw_bundle_unref(bundle);
    gw_buf_deinit(&bytes);
    gw_drift_profile_free(profile);
}

static int32_t partition(enum gw_topic topic)
{
    return (int32_t)gw_hash_partition(TEST_MODEL_NAME, strlen(TEST_MODEL_NAME),
                                      gw_runtime_partitions(&cluster.runtime, topic));
}

static void send_samples(int count, double shift)
{
    float row[TEST_MODEL_FEATURES_MAX];
    for (int i = 0; i < count; i++) {
        float score = next_row(row, shift);
        const struct gw_feature_sample sample = {.model_name = gw_slice_text(TEST_MODEL_NAME),
                                                 .model_version = SECOND,
                                                 .variant = gw_slice_text("champion"),
                                                 .layout = (int64_t)layout,
                                                 .features =
                                                     gw_slice_make(row, test_model_feature_count * sizeof(float)),
                                                 .score = score,
                                                 .served_at_ms = 1,
                                                 .weight = 1};
        RECORDS_ENCODE(&cluster, GW_TOPIC_FEATURE_SAMPLES, gw_feature_sample_encode, &sample);
        records_put(&cluster, GW_TOPIC_FEATURE_SAMPLES, partition(GW_TOPIC_FEATURE_SAMPLES), 0,
                    gw_buf_slice(&cluster.value), NULL, 0);
    }
    records_flush(&cluster);
}

static void send_labels(int count)
{
    struct gw_slice names[HEADS] = {gw_slice_text(heads[0]), gw_slice_text(heads[1])};
    float probabilities[HEADS];
    uint8_t labels[HEADS];
    for (int i = 0; i < count; i++) {
        next_labels(probabilities, labels);
        struct gw_label_sample sample = {.model_name = gw_slice_text(TEST_MODEL_NAME),
                                         .model_version = SECOND,
                                         .variant = gw_slice_text("champion"),
                                         .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
                                         .weight = 1,
                                         .served_at_ms = 1 + i};
        sample.label_bits = (labels[0] ? GW_LABEL_BIT(FAVORITED) : 0) | (labels[1] ? GW_LABEL_BIT(RETWEETED) : 0);
        sample.heads.items = probabilities;
        sample.heads.count = HEADS;
        sample.head_names.items = names;
        sample.head_names.count = HEADS;
        RECORDS_ENCODE(&cluster, GW_TOPIC_LABEL_SAMPLES, gw_label_sample_encode, &sample);
        records_put(&cluster, GW_TOPIC_LABEL_SAMPLES, partition(GW_TOPIC_LABEL_SAMPLES), 0,
                    gw_buf_slice(&cluster.value), NULL, 0);
    }
    records_flush(&cluster);
}

// ---- asking ---------------------------------------------------------------------------------------------------------

static int get(const char *path)
{
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", path, port);
    raw_exchange(port, text, &reply);
    reply.body[reply.body_size < sizeof reply.body ? reply.body_size : sizeof reply.body - 1] = '\0';
    return reply.status;
}

static const struct cli_result *run_words(const char *const *words)
{
    const char *argv[64];
    size_t count = 0;
    for (; *words != NULL; words++) {
        argv[count++] = *words;
    }
    for (size_t i = 0; i < cluster.set_count; i++) {
        assert_true(count + 3 < GW_COUNT_OF(argv));
        argv[count++] = "--set";
        argv[count++] = cluster.sets[i];
    }
    argv[count] = NULL;
    return cli_run_with(NULL, NULL, argv);
}

#define godwit(...) run_words((const char *const[]){__VA_ARGS__, NULL})

struct wanted {
    const char *path;
    const char *text;
};

static bool is_shown(void *context)
{
    const struct wanted *wanted = context;
    return get(wanted->path) == 200 && strstr(reply.body, wanted->text) != NULL;
}

static bool all_have_rows(void *context)
{
    return get(context) == 200 && strstr(reply.body, "\"windowCount\":0,") == NULL;
}

static void wait_for(const char *path, const char *text)
{
    struct wanted wanted = {.path = path, .text = text};
    wait_until(is_shown, &wanted, CLUSTER_WAIT_MS, text);
}

// What the command line prints is what REST says, as far as it goes.
static void assert_said_alike(const struct cli_result *result)
{
    cli_assert_exit(result, 0);
    size_t size = strlen(result->out);
    assert_true(size > 2 && strcmp(result->out + size - 2, "}\n") == 0);
    if (strncmp(reply.body, result->out, size - 2) != 0) {
        fail_msg("REST says:\n%s\nthe command line:\n%s", reply.body, result->out);
    }
}

// ---- life -----------------------------------------------------------------------------------------------------------

static int setup(void **state)
{
    (void)state;
    static const char *const sets[] = {"monitor.drift_days=0.1", "monitor.drift_rate=100",
                                       "monitor.commit_interval=100ms", NULL};
    char directory[300];
    char api_port[64];
    gw_rng_init(&rng, 11);
    cluster_begin(&cluster, "driftview", sets);
    snprintf(directory, sizeof directory, "%s/second", cluster.directory);
    write_bundle(directory);
    cli_assert_exit(godwit("models", "register", TEST_MODEL_NAME, directory, "--no-publish"), 0);
    port = free_port();
    snprintf(api_port, sizeof api_port, "bridge.api_port=%u", port);
    bridge = cluster_run(&cluster, "bridge", (const char *const[]){api_port, "bridge.port=0", NULL});
    proc_wait_http_ok(bridge.proc, port, "/livez", CLUSTER_WAIT_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (bridge.proc != NULL) {                      // the setup came as far as that
        proc_stop(bridge.proc, 0, CLUSTER_WAIT_MS); // without a scorer it is never ready to predict
    }
    cluster_end(&cluster);
    return 0;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void what_does_not_exist_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(get("/drift/nobody"), 404);
    assert_int_equal(get("/drift/" TEST_MODEL_NAME "?version=9"), 404);
    cli_assert_refused(godwit("drift", "show", "nobody"), 1, "nobody");
    cli_assert_refused(godwit("drift", "promise", TEST_MODEL_NAME, "9"), 1, "no version 9");
    static const char *const wrong[] = {"?version=0", "?version=latest", "?version=2147483648", "?rate=0", "?rate=x",
                                        "?rate=-1",   "?rate=2e9"};
    for (size_t i = 0; i < GW_COUNT_OF(wrong); i++) {
        char path[128];
        snprintf(path, sizeof path, "/drift/" TEST_MODEL_NAME "%s", wrong[i]);
        assert_int_equal(get(path), 400);
    }
    assert_int_equal(get("/drift?limit=0"), 400);
    assert_int_equal(get("/drift?limit=501"), 400);
    assert_int_equal(get("/drift?state=closed"), 400);
    assert_int_equal(get("/drift?model=a/b"), 400);
}

static void a_version_without_a_reference_says_so(void **state)
{
    (void)state;
    assert_int_equal(get("/drift/" TEST_MODEL_NAME), 200); // the champion
    cli_assert_contains(reply.body, "\"version\":1,\"hasReference\":false,\"why\":\"the version came without");
    cli_assert_contains(reply.body, "\"streams\":[]");
    cli_assert_refused(godwit("drift", "show", TEST_MODEL_NAME), 1, "came without a reference");
}

static void before_any_sample_nothing_has_evidence(void **state)
{
    (void)state;
    wait_for("/drift", "{\"alerts\":[],\"caughtUp\":true}");
    assert_int_equal(get("/drift/" TEST_MODEL_NAME "?version=2"), 200);
    cli_assert_contains(reply.body,
                        "\"version\":2,\"hasReference\":true,\"why\":null,\"sampleCount\":0,"
                        "\"streams\":[{\"name\":\"score\",\"kind\":\"score\",\"state\":\"quiet\",\"evidence\":1,");
    cli_assert_contains(reply.body,
                        "{\"name\":\"is_favorited\",\"kind\":\"concept\",\"state\":\"quiet\",\"evidence\":1,");
    cli_assert_contains(reply.body, "\"effectSigma\":null,\"psi\":null,\"missingShare\":null,\"windowCount\":0,"
                                    "\"ratePerS\":0,\"promise\":{\"falseAlarmDays\":null,\"smallestShift10s\":null,"
                                    "\"smallestShift5min\":null}");
    assert_said_alike(godwit("drift", "show", TEST_MODEL_NAME, "2", "--json"));
}

static void a_promise_is_made_for_any_rate(void **state)
{
    (void)state;
    assert_int_equal(get("/drift/" TEST_MODEL_NAME "?version=2&rate=850"), 200);
    cli_assert_contains(reply.body, "\"promise\":{\"falseAlarmDays\":" DAYS_AT_850);
    assert_null(strstr(reply.body, "\"smallestShift5min\":null"));
    assert_said_alike(godwit("drift", "promise", TEST_MODEL_NAME, "2", "--rate", "850", "--json"));
    const struct cli_result *table = godwit("drift", "promise", TEST_MODEL_NAME, "2", "--rate", "850");
    cli_assert_exit(table, 0);
    cli_assert_contains(table->out, "FALSE_ALARM_DAYS");
    cli_assert_contains(table->out, "tweet.favs_total");
    cli_assert_contains(table->out, DAYS_AT_850);
    cli_assert_contains(godwit("drift", "promise", TEST_MODEL_NAME, "2")->err, "--rate R");
}

static void rest_and_the_command_line_show_what_monitor_has_seen(void **state)
{
    (void)state;
    static const char path[] = "/drift/" TEST_MODEL_NAME "?version=2";
    send_samples(CALM_ROWS, 0.0);
    send_labels(LABELLED_ROWS);
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    wait_for(path, "\"sampleCount\":3000,");
    wait_until(all_have_rows, (void *)(uintptr_t)path, CLUSTER_WAIT_MS, "rows of every feature and head");
    assert_null(strstr(reply.body, "\"state\":\"open\""));
    assert_said_alike(godwit("drift", "show", TEST_MODEL_NAME, "2", "--json"));
    cli_assert_contains(godwit("drift", "show", TEST_MODEL_NAME, "2")->out, "tweet.favs_total");

    send_samples(DRIFTED_ROWS, 1.0);
    wait_for(path, "\"sampleCount\":4500,");
    cli_assert_contains(reply.body, "{\"name\":\"tweet.favs_total\",\"kind\":\"feature\",\"state\":\"open\"");
    wait_for("/drift?state=open&model=" TEST_MODEL_NAME, "\"stream\":\"tweet.favs_total\"");
    cli_assert_contains(reply.body, "\"model\":\"" TEST_MODEL_NAME "\",\"version\":2,\"state\":\"open\","
                                    "\"kind\":\"feature\",\"stream\":\"tweet.favs_total\"");
    assert_said_alike(godwit("drift", "alerts", TEST_MODEL_NAME, "--open", "--json"));
    cli_assert_contains(godwit("drift", "alerts")->out, "tweet.favs_total");
    wait_for(path, "\"stream\":\"tweet.favs_total\""); // alerts stand beside the streams
    assert_int_equal(get("/drift?model=nobody"), 200);
    assert_string_equal(reply.body, "{\"alerts\":[],\"caughtUp\":true}");
    cluster_stop(&monitor);
}

// Monitor refuses such a version: no stream is called quiet that nobody watches.
static void a_promise_that_monitor_refuses_is_said(void **state)
{
    (void)state;
    static const char *const sets[] = {"monitor.drift_days=30", "monitor.drift_rate=1000000"};
    size_t before = cluster.set_count;
    for (size_t i = 0; i < GW_COUNT_OF(sets); i++) {
        assert_true(cluster.set_count < CLUSTER_SETS_MAX);
        snprintf(cluster.sets[cluster.set_count++], sizeof cluster.sets[0], "%s", sets[i]);
    }
    cli_assert_refused(godwit("drift", "show", TEST_MODEL_NAME, "2"), 1, "promise_too_long");
    cluster.set_count = before;
}

enum { CALLERS = 6 };

static void *call(void *context)
{
    char text[256];
    snprintf(text, sizeof text, "GET /drift/" TEST_MODEL_NAME "?version=2 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
             port);
    raw_exchange(port, text, context);
    return NULL;
}

// One is made at a time: the others wait for it and are given the same, or are told to come again.
static void callers_at_once_are_given_the_same_picture(void **state)
{
    (void)state;
    static struct raw_reply replies[CALLERS];
    pthread_t threads[CALLERS];
    const char *first = NULL;
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call, &replies[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < CALLERS; i++) {
        if (replies[i].status == 503) {
            cli_assert_contains(replies[i].body, "/problems/overloaded");
            continue;
        }
        assert_int_equal(replies[i].status, 200);
        first = first != NULL ? first : replies[i].body;
        assert_string_equal(replies[i].body, first);
    }
    assert_non_null(first);
    cli_assert_contains(first, "\"sampleCount\":4500,");
}

static void without_a_version_the_champion_is_shown(void **state)
{
    (void)state;
    cli_assert_exit(godwit("models", "promote", TEST_MODEL_NAME, "2", "--reason", "it has a reference"), 0);
    wait_for("/drift/" TEST_MODEL_NAME, "\"version\":2,\"hasReference\":true");
    assert_said_alike(godwit("drift", "show", TEST_MODEL_NAME, "--json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_exist_is_not_found),
        cmocka_unit_test(a_version_without_a_reference_says_so),
        cmocka_unit_test(before_any_sample_nothing_has_evidence),
        cmocka_unit_test(a_promise_is_made_for_any_rate),
        cmocka_unit_test(rest_and_the_command_line_show_what_monitor_has_seen),
        cmocka_unit_test(a_promise_that_monitor_refuses_is_said),
        cmocka_unit_test(callers_at_once_are_given_the_same_picture),
        cmocka_unit_test(without_a_version_the_champion_is_shown),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
