// SPDX-License-Identifier: MIT
// Drift, from samples to alerts: a version that came with a reference, rows whose law changes, and monitor killed with
// SIGKILL on the way. What it says must be, byte for byte, what a watch says that reads the same log undisturbed. Then
// samples that cannot be watched, a version that is served no more, and a registry that goes away.
#include "support/model.h"
#include "support/postgres_server.h"
#include "support/records.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "drift/profile.h"
#include "label/bits.h"
#include "model/bundle.h"
#include "records/drift_alert.h"
#include "registry/registry.h"
#include "worker/monitor_concept.h"
#include "worker/monitor_features.h"
#include "worker/monitor_options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    REFERENCE_ROWS = 12000,
    FEATURES = 12, // of the test model
    HEADS = 2,
    DRIFTING = 5, // the feature that does
    WITHOUT = 1,  // version that came without a reference
    VERSION = 2,  // that came with one
    LATER = 3,    // the same, which monitor has not seen before
    ROUNDS = 8,
    ROUND_ROWS = 500,
    QUIET_ROWS = 6000,
    LABEL_WINDOW_MS = 3 * 3600 * 1000,
    LABEL_STEP_MS = 50,
    WAIT_MS = 60000, // PostgreSQL comes back, groups are joined
};

static const char *const heads[HEADS] = {"is_favorited", "is_retweeted"};

static struct postgres_server database;
static struct cluster cluster;
static struct gw_rng rng;
static int64_t layout;
static double shift;      // of the drifting feature, in sigma
static double worse;      // of the first head's labels, in logits
static int64_t served_ms; // of labels
static size_t sent[GW_TOPIC_COUNT];

// ---- rows -----------------------------------------------------------------------------------------------------------

struct row {
    float values[FEATURES];
    float score;
    float probabilities[HEADS];
    bool labels[HEADS];
};

static struct row draw_row(void)
{
    struct row row;
    for (int f = 0; f < FEATURES; f++) {
        row.values[f] = (float)gw_rng_normal(&rng);
    }
    row.values[DRIFTING] += (float)shift;
    row.score = (float)(1 / (1 + exp(-gw_rng_normal(&rng))));
    for (int h = 0; h < HEADS; h++) {
        double logit = -1 + 0.7 * gw_rng_normal(&rng);
        row.probabilities[h] = (float)(1 / (1 + exp(-logit)));
        row.labels[h] = gw_rng_double(&rng) < 1 / (1 + exp(-logit - (h == 0 ? worse : 0)));
    }
    return row;
}

static void build_profile(struct gw_buf *bytes)
{
    float *values = gw_mem_calloc((size_t)REFERENCE_ROWS * FEATURES, sizeof *values);
    float *scores = gw_mem_calloc(REFERENCE_ROWS, sizeof *scores);
    float *probabilities = gw_mem_calloc((size_t)REFERENCE_ROWS * HEADS, sizeof *probabilities);
    uint8_t *labels = gw_mem_calloc((size_t)REFERENCE_ROWS * HEADS, sizeof *labels);
    struct gw_drift_profile *profile = NULL;
    gw_err err = {0};
    assert_true(values != NULL && scores != NULL && probabilities != NULL && labels != NULL);
    for (size_t i = 0; i < REFERENCE_ROWS; i++) {
        struct row row = draw_row();
        memcpy(values + i * FEATURES, row.values, sizeof row.values);
        memcpy(probabilities + i * HEADS, row.probabilities, sizeof row.probabilities);
        scores[i] = row.score;
        for (int h = 0; h < HEADS; h++) {
            labels[i * HEADS + (size_t)h] = row.labels[h];
        }
    }
    const struct gw_drift_rows rows = {.values = values,
                                       .row_count = REFERENCE_ROWS,
                                       .feature_count = FEATURES,
                                       .names = test_model_features,
                                       .score_count = REFERENCE_ROWS,
                                       .scores = scores,
                                       .labelled_count = REFERENCE_ROWS,
                                       .probabilities = probabilities,
                                       .labels = labels,
                                       .head_count = HEADS,
                                       .head_names = heads};
    const struct gw_drift_build_options options = {.independent = true};
    assert_ok_err(gw_drift_profile_build(&rows, &options, &profile, &err), &err);
    assert_ok(gw_drift_profile_write(profile, bytes, &err));
    gw_drift_profile_free(profile);
    gw_mem_free(values);
    gw_mem_free(scores);
    gw_mem_free(probabilities);
    gw_mem_free(labels);
}

static void register_version(struct gw_registry *registry, int32_t version, struct gw_slice profile)
{
    static const struct gw_registry_change change = {.actor = "test", .reason = "", .if_revision = 0};
    char directory[320];
    struct gw_registry_outcome outcome = {0};
    gw_err err = {0};
    snprintf(directory, sizeof directory, "%s/bundle-%d", cluster.directory, version);
    test_model_write_variant(directory, &(struct test_model_variant){.name = TEST_MODEL_NAME,
                                                                     .version = version,
                                                                     .features = test_model_features,
                                                                     .feature_count = test_model_feature_count,
                                                                     .metadata_json = "{}",
                                                                     .factor = (float)version,
                                                                     .profile = profile});
    const struct gw_registry_register registration = {
        .model = TEST_MODEL_NAME, .directory = directory, .description = "", .features = cluster.runtime.features};
    assert_ok_err(gw_registry_register(registry, &registration, &change, &outcome, &err), &err);
    assert_int_equal(outcome.version, version);
}

static void register_versions(void)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf profile = {0};
    const struct gw_registry_options options = {
        .uri = cluster.registry.uri, .application = "godwit-test", .timeout_ms = 30000};
    struct gw_registry *registry = NULL;
    gw_err err = {0};
    assert_int_equal(test_model_feature_count, FEATURES);
    build_profile(&profile);
    assert_ok_err(gw_registry_new(&options, &registry, &err), &err);
    register_version(registry, VERSION, gw_buf_slice(&profile));
    register_version(registry, LATER, gw_buf_slice(&profile));
    gw_registry_free(registry);
}

static int setup(void **state)
{
    (void)state;
    // Small batches and slow commits: a transaction is open most of the time, over several batches. Alerts that close
    // soon, so that there are many.
    static const char *const sets[] = {
        "monitor.commit_interval=400ms", "worker.poll_records=50",    "monitor.drift_rate=100",
        "monitor.drift_calm=1s",         "monitor.drift_cooldown=1s", "monitor.drift_update=2s",
        "monitor.version_idle=5s",       "postgres.timeout=3s",       NULL};
    const char *chosen = getenv("GODWIT_TEST_SEED");
    uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)gw_clock_wall_us();
    print_message("GODWIT_TEST_SEED=%llu\n", (unsigned long long)seed);
    gw_rng_init(&rng, seed);
    postgres_server_begin(&database);
    assert_int_equal(setenv("GODWIT_POSTGRES_URI", database.uri, 1), 0); // of the cluster's schema
    cluster_begin(&cluster, "drift", sets);
    register_versions();
    layout = (int64_t)GW_HASH_FNV_START;
    for (size_t i = 0; i < test_model_feature_count; i++) {
        layout = (int64_t)gw_hash_fnv1a((uint64_t)layout, test_model_features[i], strlen(test_model_features[i]) + 1);
    }
    served_ms = gw_clock_wall_ms() - 2 * (int64_t)LABEL_WINDOW_MS;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_postgres_free(cluster.registry.postgres); // the schema goes with its server
    cluster.registry.postgres = NULL;
    cluster_end(&cluster);
    postgres_server_end(&database);
    return 0;
}

// ---- sending --------------------------------------------------------------------------------------------------------

static void put(enum gw_topic topic)
{
    int32_t partition = (int32_t)gw_hash_partition(TEST_MODEL_NAME, strlen(TEST_MODEL_NAME),
                                                   gw_runtime_partitions(&cluster.runtime, topic));
    records_put(&cluster, topic, partition, 0, gw_buf_slice(&cluster.value), NULL, 0);
    sent[topic]++;
}

static struct gw_feature_sample feature_sample(const struct row *row, int32_t version)
{
    return (struct gw_feature_sample){.model_name = gw_slice_text(TEST_MODEL_NAME),
                                      .model_version = version,
                                      .variant = gw_slice_text("champion"),
                                      .layout = layout,
                                      .features = gw_slice_make(row->values, sizeof row->values),
                                      .heads = {.items = (float *)(uintptr_t)row->probabilities, .count = HEADS},
                                      .score = row->score,
                                      .served_at_ms = gw_clock_wall_ms() - 5,
                                      .weight = 1};
}

static void send_features(int32_t version, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct row row = draw_row();
        const struct gw_feature_sample sample = feature_sample(&row, version);
        RECORDS_ENCODE(&cluster, GW_TOPIC_FEATURE_SAMPLES, gw_feature_sample_encode, &sample);
        put(GW_TOPIC_FEATURE_SAMPLES);
    }
    records_flush(&cluster);
}

static void send_labels(int32_t version, size_t count)
{
    struct gw_slice names[HEADS];
    for (size_t i = 0; i < count; i++) {
        struct row row = draw_row();
        for (int h = 0; h < HEADS; h++) {
            names[h] = gw_slice_text(heads[h]);
        }
        const struct gw_label_sample sample = {.model_name = gw_slice_text(TEST_MODEL_NAME),
                                               .model_version = version,
                                               .variant = gw_slice_text("champion"),
                                               .heads = {.items = row.probabilities, .count = HEADS},
                                               .label_bits = (row.labels[0] ? GW_LABEL_BIT(FAVORITED) : 0) |
                                                             (row.labels[1] ? GW_LABEL_BIT(RETWEETED) : 0),
                                               .kind = GW_EXAMPLE_KIND_WINDOW_CLOSED,
                                               .weight = 1,
                                               .served_at_ms = served_ms,
                                               .closed_at_ms = served_ms + LABEL_WINDOW_MS,
                                               .head_names = {.items = names, .count = HEADS}};
        RECORDS_ENCODE(&cluster, GW_TOPIC_LABEL_SAMPLES, gw_label_sample_encode, &sample);
        put(GW_TOPIC_LABEL_SAMPLES);
        served_ms += LABEL_STEP_MS;
    }
    records_flush(&cluster);
}

static bool all_settled(void *context)
{
    (void)context;
    static const enum gw_topic inputs[] = {GW_TOPIC_FEATURE_SAMPLES, GW_TOPIC_LABEL_SAMPLES};
    bool settled = true;
    for (size_t i = 0; i < GW_COUNT_OF(inputs); i++) {
        struct gw_ledger ledger = cluster_ledger_sum(&cluster, "monitor", inputs[i]);
        settled = settled && gw_ledger_total(&ledger) >= sent[inputs[i]];
    }
    return settled;
}

static void wait_settled(void)
{
    wait_until(all_settled, NULL, WAIT_MS, "an outcome of every sample");
}

// ---- what is said ---------------------------------------------------------------------------------------------------

enum said { OF_FEATURES, OF_CONCEPT, SAID };

struct alerts {
    struct gw_buf bytes[SAID]; // of all records, framed
    size_t count;
    size_t opened;
    size_t closed;
    size_t updated;
    struct gw_drift_alert last; // numbers only
    char stream[64];
    char kind[16];
    char state[16];
};

static void note_alert(struct alerts *alerts, const struct gw_drift_alert *alert, struct gw_slice framed)
{
    bool of_concept = gw_slice_is(alert->kind, "concept");
    assert_ok(gw_buf_append(&alerts->bytes[of_concept ? OF_CONCEPT : OF_FEATURES], framed.data, framed.size));
    alerts->count++;
    alerts->opened += gw_slice_is(alert->state, "open");
    alerts->closed += gw_slice_is(alert->state, "close");
    alerts->updated += gw_slice_is(alert->state, "update");
    alerts->last = *alert;
    snprintf(alerts->stream, sizeof alerts->stream, "%.*s", (int)alert->stream.size, (const char *)alert->stream.data);
    snprintf(alerts->kind, sizeof alerts->kind, "%.*s", (int)alert->kind.size, (const char *)alert->kind.data);
    snprintf(alerts->state, sizeof alerts->state, "%.*s", (int)alert->state.size, (const char *)alert->state.data);
}

static void forget_alerts(struct alerts *alerts)
{
    gw_buf_deinit(&alerts->bytes[OF_FEATURES]);
    gw_buf_deinit(&alerts->bytes[OF_CONCEPT]);
    *alerts = (struct alerts){0};
}

static void read_alert(void *context, const struct gw_kafka_record *record)
{
    struct gw_arena arena;
    struct gw_drift_alert alert;
    gw_err err = {0};
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok_err(gw_drift_alert_decode(records_body(&cluster, GW_TOPIC_DRIFT_ALERTS, record), &arena, &alert, &err),
                  &err);
    assert_true(gw_slice_is(record->key, TEST_MODEL_NAME) && gw_slice_is(alert.model_name, TEST_MODEL_NAME));
    note_alert(context, &alert, record->value);
    gw_arena_deinit(&arena);
}

static void read_alerts(struct alerts *alerts)
{
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_DRIFT_ALERTS),
                 (int32_t)gw_runtime_partitions(&cluster.runtime, GW_TOPIC_DRIFT_ALERTS), read_alert, alerts);
}

// ---- the undisturbed reading ----------------------------------------------------------------------------------------

struct reading {
    struct alerts *alerts;
    struct gw_arena arena;
    struct gw_buf value;
    struct gw_monitor_features *features; // of the partition at hand
    struct gw_monitor_concept *concept;
};

static gw_status hear(void *context, const struct gw_drift_alert *alert, gw_err *err)
{
    struct reading *reading = context;
    (void)err;
    gw_buf_clear(&reading->value);
    assert_ok(gw_avro_frame_begin(&reading->value, gw_runtime_schema_id(&cluster.runtime, GW_TOPIC_DRIFT_ALERTS)));
    assert_ok(gw_drift_alert_encode(alert, &reading->value));
    note_alert(reading->alerts, alert, gw_buf_slice(&reading->value));
    return GW_OK;
}

static void read_features(void *context, const struct gw_kafka_record *record)
{
    struct reading *reading = context;
    struct gw_feature_sample sample;
    enum gw_monitor_fed fed = GW_MONITOR_FED_COUNT;
    gw_err err = {0};
    gw_arena_clear(&reading->arena);
    if (record->value.size < 8) { // garbage of ours
        return;
    }
    assert_ok_err(gw_feature_sample_decode(records_body(&cluster, GW_TOPIC_FEATURE_SAMPLES, record), &reading->arena,
                                           &sample, &err),
                  &err);
    assert_ok_err(gw_monitor_features_add(reading->features, &sample, record->timestamp_ms, hear, reading, &fed, &err),
                  &err);
}

static void read_labels(void *context, const struct gw_kafka_record *record)
{
    struct reading *reading = context;
    struct gw_label_sample sample;
    uint64_t counts[GW_MONITOR_HEARD_COUNT];
    gw_err err = {0};
    gw_arena_clear(&reading->arena);
    assert_ok_err(
        gw_label_sample_decode(records_body(&cluster, GW_TOPIC_LABEL_SAMPLES, record), &reading->arena, &sample, &err),
        &err);
    assert_ok_err(gw_monitor_concept_add(reading->concept, &sample, record->timestamp_ms, hear, reading, counts, &err),
                  &err);
}

// What watches say that read the whole log in one go. The model's samples are in one partition of each topic, so one
// watch over all partitions is as good as one for each.
static void read_undisturbed(struct alerts *alerts)
{
    struct gw_monitor_references *references = NULL;
    struct gw_monitor_drift_options drift = gw_monitor_drift_options(cluster.config);
    struct reading reading = {.alerts = alerts};
    gw_err err = {0};
    assert_ok_err(gw_monitor_references_new(&cluster.runtime, "godwit-test", &references, &err), &err);
    gw_arena_init(&reading.arena, 4096, 1 << 20);
    const struct gw_monitor_features_options features = {
        .bank = drift.bank,
        .reference = gw_monitor_references_get,
        .reference_context = references,
        .versions_max = 8,
        .idle_ms = gw_config_duration_us(cluster.config, GW_OPT_MONITOR_VERSION_IDLE) / 1000,
        .ahead_ms = gw_config_duration_us(cluster.config, GW_OPT_MONITOR_AHEAD) / 1000};
    const struct gw_monitor_concept_options concept = {.loss = drift.loss,
                                                       .reference = gw_monitor_references_get,
                                                       .reference_context = references,
                                                       .versions_max = 8,
                                                       .idle_ms = features.idle_ms,
                                                       .ahead_ms = features.ahead_ms};
    reading.features = gw_monitor_features_new(&features);
    reading.concept = gw_monitor_concept_new(&concept);
    assert_true(reading.features != NULL && reading.concept != NULL);
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_FEATURE_SAMPLES),
                 (int32_t)gw_runtime_partitions(&cluster.runtime, GW_TOPIC_FEATURE_SAMPLES), read_features, &reading);
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_LABEL_SAMPLES),
                 (int32_t)gw_runtime_partitions(&cluster.runtime, GW_TOPIC_LABEL_SAMPLES), read_labels, &reading);
    gw_monitor_features_free(reading.features);
    gw_monitor_concept_free(reading.concept);
    gw_monitor_references_free(references);
    gw_arena_deinit(&reading.arena);
    gw_buf_deinit(&reading.value);
}

// What the log of alerts holds is what an undisturbed reading says, byte for byte.
static void assert_said_once(struct alerts *alerts)
{
    struct alerts undisturbed = {0};
    forget_alerts(alerts);
    read_alerts(alerts);
    read_undisturbed(&undisturbed);
    assert_int_equal(alerts->count, undisturbed.count);
    for (int s = 0; s < SAID; s++) {
        assert_true(gw_slice_equal(gw_buf_slice(&alerts->bytes[s]), gw_buf_slice(&undisturbed.bytes[s])));
    }
    forget_alerts(&undisturbed);
}

// ---- moments --------------------------------------------------------------------------------------------------------

static void count_record(void *context, const struct gw_kafka_record *record)
{
    (void)record;
    ++*(uint64_t *)context;
}

struct moment {
    struct tail *tail;
    uint64_t count;
    uint64_t target;
};

static bool reached(void *context)
{
    struct moment *moment = context;
    tail_drain(moment->tail, count_record, &moment->count);
    return moment->count >= moment->target;
}

static struct alerts alerts;

static bool has_alerts(void *context)
{
    const size_t *count = context;
    forget_alerts(&alerts);
    read_alerts(&alerts);
    return alerts.count >= *count;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void nothing_is_said_while_all_is_as_the_reference(void **state)
{
    (void)state;
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    send_features(VERSION, QUIET_ROWS);
    send_labels(VERSION, QUIET_ROWS / 2);
    wait_settled();
    assert_true(cluster_metric(&monitor, "godwit_monitor_feature_samples_total{outcome=\"watched\"}") == QUIET_ROWS);
    assert_true(cluster_metric(&monitor, "godwit_monitor_concept_rows_total{outcome=\"watched\"}") ==
                QUIET_ROWS / 2 * HEADS);
    assert_true(cluster_metric(&monitor, "godwit_monitor_watched_versions") == 2);
    cluster_stop(&monitor);
    read_alerts(&alerts);
    assert_int_equal(alerts.count, 0);
}

static void a_feature_that_moves_opens_one_alert_with_a_promise(void **state)
{
    (void)state;
    size_t one = 1;
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    shift = 1;
    int64_t began_ms = gw_clock_wall_ms();
    send_features(VERSION, ROUND_ROWS);
    wait_until(has_alerts, &one, WAIT_MS, "an alert");
    assert_int_equal(alerts.opened, 1); // and perhaps a word on its severity
    assert_int_equal(alerts.opened + alerts.updated, alerts.count);
    assert_string_equal(alerts.kind, "feature");
    assert_string_equal(alerts.stream, test_model_features[DRIFTING]);
    assert_true(alerts.last.effect_sigma > 0.5);
    assert_true(alerts.last.has_psi && alerts.last.has_rate_per_s && alerts.last.false_alarm_days > 0);
    assert_true(alerts.last.threshold > 30.0 * 86400 * 100); // of one stream alone, of the promise at the least
    assert_in_range(alerts.last.at_ms, began_ms - 1000, gw_clock_wall_ms() + 1000);
    assert_in_range(alerts.last.from_ms, 1, alerts.last.at_ms);
    wait_settled();
    cluster_stop(&monitor);
    assert_said_once(&alerts);
    shift = 0;
}

static void labels_of_another_law_are_an_alert_of_the_head(void **state)
{
    (void)state;
    size_t before = alerts.count;
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    worse = 2.5;
    int64_t began_ms = served_ms;
    send_labels(VERSION, 4 * ROUND_ROWS);
    wait_settled();
    cluster_stop(&monitor);
    assert_said_once(&alerts);
    assert_true(alerts.count > before);
    assert_string_equal(alerts.kind, "concept");
    assert_string_equal(alerts.stream, heads[0]);
    assert_true(alerts.last.has_harm && alerts.last.harm > 0.05);
    assert_false(alerts.last.has_psi || alerts.last.has_jensen_shannon);
    assert_in_range(alerts.last.from_ms, began_ms - 600 * LABEL_STEP_MS, served_ms); // when it was served,
    assert_true(alerts.last.at_ms > served_ms + LABEL_WINDOW_MS);                    // and known hours later
    worse = 0;
}

// Laws that change back and forth, while monitor dies in the middle of its transactions.
static void killed_monitor_says_what_an_undisturbed_one_says(void **state)
{
    (void)state;
    size_t before = alerts.count;
    struct moment moments[] = {{.tail = tail_open(&cluster, GW_TOPIC_MONITOR_STATE, true)},
                               {.tail = tail_open(&cluster, GW_TOPIC_DRIFT_ALERTS, true)}};
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    for (int round = 0; round < ROUNDS; round++) {
        bool changed = round % 2 == 0;
        // State is written at the end of a transaction, an alert in its middle; one that opens comes soon.
        struct moment *moment = &moments[changed && round % 4 == 0 ? 1 : 0];
        shift = changed ? 1.5 : 0;
        worse = changed ? 3 : 0;
        reached(moment);
        moment->target = moment->count + 1 + (moment == &moments[0] ? gw_rng_below(&rng, 20) : 0);
        send_features(VERSION, ROUND_ROWS);
        send_labels(VERSION, 3 * ROUND_ROWS);
        if (moment == &moments[0]) {
            wait_until(reached, moment, WAIT_MS, "state in an open transaction");
        } else {
            wait_settled(); // in a cool-down nothing is said: what has been is enough
        }
        proc_kill(monitor.proc);
        monitor = cluster_run(&cluster, "monitor", NULL);
    }
    wait_settled();
    cluster_stop(&monitor);
    tail_close(moments[0].tail);
    tail_close(moments[1].tail);
    assert_said_once(&alerts);
    assert_true(alerts.count > before);
    shift = 0;
    worse = 0;
}

static void death_and_failure_at_a_commit_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        bool dies;
    } moments[] = {{"commit.before:kill", true}, {"commit.after:kill", true}, {"commit.before:fail", false}};
    for (size_t i = 0; i < GW_COUNT_OF(moments); i++) {
        assert_int_equal(setenv("GODWIT_FAULTS", moments[i].fault, 1), 0);
        struct cluster_worker monitor = cluster_run(&cluster, "monitor", NULL);
        assert_int_equal(unsetenv("GODWIT_FAULTS"), 0);
        shift = i % 2 == 0 ? 2 : 0;
        send_features(VERSION, ROUND_ROWS);
        if (moments[i].dies) {
            assert_int_equal(proc_wait(monitor.proc, CLUSTER_WAIT_MS), -1);
            monitor = cluster_run(&cluster, "monitor", NULL);
        }
        wait_settled();
        cluster_stop(&monitor);
    }
    shift = 0;
    assert_said_once(&alerts);
}

static double fed(const struct cluster_worker *monitor, const char *outcome)
{
    char prefix[128];
    snprintf(prefix, sizeof prefix, "godwit_monitor_feature_samples_total{outcome=\"%s\"}", outcome);
    return cluster_metric(monitor, prefix);
}

static void samples_that_cannot_be_watched_are_counted_by_reason(void **state)
{
    (void)state;
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    struct row row = draw_row();
    struct gw_feature_sample samples[6];
    for (size_t i = 0; i < GW_COUNT_OF(samples); i++) {
        samples[i] = feature_sample(&row, VERSION);
    }
    samples[0].model_version = 99;
    samples[1].model_version = WITHOUT;
    samples[2].layout++;
    samples[3].features.size -= sizeof(float);
    samples[4].score = NAN;
    samples[5].served_at_ms += 3600000;
    for (size_t i = 0; i < GW_COUNT_OF(samples); i++) {
        RECORDS_ENCODE(&cluster, GW_TOPIC_FEATURE_SAMPLES, gw_feature_sample_encode, &samples[i]);
        put(GW_TOPIC_FEATURE_SAMPLES);
    }
    records_put(&cluster, GW_TOPIC_FEATURE_SAMPLES, 0, 0, gw_slice_text("garb"), NULL, 0);
    records_flush(&cluster);
    sent[GW_TOPIC_FEATURE_SAMPLES]++;
    wait_settled();
    assert_true(fed(&monitor, "unknown_model") == 1 && fed(&monitor, "no_profile") == 1);
    assert_true(fed(&monitor, "stale_profile") == 1 && fed(&monitor, "invalid") == 2 && fed(&monitor, "ahead") == 1);
    assert_true(fed(&monitor, "watched") == 0);
    cluster_stop(&monitor);
    struct gw_ledger ledger = cluster_ledger_sum(&cluster, "monitor", GW_TOPIC_FEATURE_SAMPLES);
    assert_int_equal(ledger.counts[GW_OUTCOME_DEAD_LETTER], 1);
    assert_int_equal(records_count(&cluster, gw_runtime_dlq(&cluster.runtime, GW_TOPIC_FEATURE_SAMPLES), 1), 1);
}

// Sends samples of the version that took its place until something is said.
static bool is_retired(void *context)
{
    send_features(WITHOUT, 1);
    return has_alerts(context);
}

static void a_version_served_no_more_closes_its_alerts(void **state)
{
    (void)state;
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    forget_alerts(&alerts);
    read_alerts(&alerts);
    size_t next = alerts.count + 1;
    shift = 2;
    while (!has_alerts(&next) || strcmp(alerts.state, "open") != 0) { // it may close another one, or be cooling
        next = alerts.count + 1;
        send_features(VERSION, ROUND_ROWS);
        wait_settled();
        if (alerts.opened > alerts.closed) {
            break;
        }
    }
    shift = 0;
    while (alerts.opened > alerts.closed) {
        next = alerts.count + 1;
        wait_until(is_retired, &next, WAIT_MS, "a close");
    }
    assert_string_equal(alerts.state, "close");
    wait_settled();
    assert_true(cluster_metric(&monitor, "godwit_monitor_watched_versions{lane=\"0\",watch=\"features\"}") == 0);
    cluster_stop(&monitor);
    assert_said_once(&alerts);
}

static bool has_waited(void *context)
{
    return proc_logged(((const struct cluster_worker *)context)->proc, "batch.retry");
}

static bool waits_to_take_over(void *context)
{
    return proc_logged(((const struct cluster_worker *)context)->proc, "partitions.waiting");
}

static void a_registry_that_is_away_is_waited_for(void **state)
{
    (void)state;
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    send_features(VERSION, 100);
    wait_settled();
    postgres_server_kill(&database);
    send_features(VERSION, 100); // its reference is known
    wait_settled();
    send_features(LATER, 100);
    wait_until(has_waited, &monitor, WAIT_MS, "a batch that waits");
    assert_false(all_settled(NULL));
    postgres_server_start(&database);
    wait_settled();
    assert_true(fed(&monitor, "watched") == 300);
    proc_kill(monitor.proc);
    postgres_server_kill(&database);
    monitor = cluster_run(&cluster, "monitor", NULL); // which must know the references of what it watched
    wait_until(waits_to_take_over, &monitor, WAIT_MS, "a takeover that waits");
    postgres_server_start(&database);
    send_features(LATER, 100);
    wait_settled();
    assert_true(fed(&monitor, "watched") == 100);
    cluster_stop(&monitor);
    assert_said_once(&alerts);
    forget_alerts(&alerts);
}

static void a_promise_that_cannot_be_kept_is_refused_at_the_start(void **state)
{
    (void)state;
    static const char *const sets[] = {"monitor.drift_days=36500", "monitor.drift_rate=1000000", NULL};
    struct cluster_worker monitor = cluster_run(&cluster, "monitor", sets);
    assert_int_equal(proc_wait(monitor.proc, CLUSTER_WAIT_MS), 2);
    assert_true(proc_logged(monitor.proc, "promise fewer days"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_while_all_is_as_the_reference),
        cmocka_unit_test(a_feature_that_moves_opens_one_alert_with_a_promise),
        cmocka_unit_test(labels_of_another_law_are_an_alert_of_the_head),
        cmocka_unit_test(killed_monitor_says_what_an_undisturbed_one_says),
        cmocka_unit_test(death_and_failure_at_a_commit_change_nothing),
        cmocka_unit_test(samples_that_cannot_be_watched_are_counted_by_reason),
        cmocka_unit_test(a_version_served_no_more_closes_its_alerts),
        cmocka_unit_test(a_registry_that_is_away_is_waited_for),
        cmocka_unit_test(a_promise_that_cannot_be_kept_is_refused_at_the_start),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
