// SPDX-License-Identifier: MIT
// Live quality, exactly once: label samples while monitor is killed with SIGKILL, and an independent computation of
// what every window must say, from the samples as the log holds them. Then what the REST interface says of it.
#include "support/model.h"
#include "support/records.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "label/bits.h"
#include "records/label_sample.h"
#include "records/model_quality.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH_MS = 60000,
    LATENESS_MS = 20000,
    ROUNDS = 6,
    SAMPLES = 400, // a round
    STEP_MS = 300, // mean, from a sample to the next
    SAMPLES_MAX = 8192,
    WINDOWS_MAX = 512,
    HEADS = 3, // of which one is no label
};

// A bin of quality/head_quality.h, in logits: the area may differ by half the share of pairs that are closer.
#define BIN_LOGITS 0.00788

static const char *const models[] = {"alpha", "beta", "gamma"};
static const char *const head_names[HEADS] = {"is_replied", "some_score", "is_favorited"};
static const enum gw_label head_labels[HEADS] = {GW_LABEL_REPLIED, GW_LABEL_COUNT, GW_LABEL_FAVORITED};
static const char *const variants[] = {"champion", "canary"};

// A sample as the log holds it.
struct row {
    int32_t partition;
    int64_t offset;
    int model;
    int variant;
    int32_t version;
    int64_t served_ms;
    int64_t append_ms;
    double weight;
    double predictions[HEADS];
    int64_t bits;
    bool judged; // it is final and its heads have names
    bool added;
};

// What was written about a head in a window.
struct window {
    int model;
    int variant;
    int32_t version;
    int head;
    int64_t start_ms;
    struct gw_model_quality record; // its text is not kept
};

static struct cluster cluster;
static struct gw_rng rng;
static int64_t served_ms;
static size_t sent;
static struct row rows[SAMPLES_MAX];
static size_t row_count;
static struct window windows[WINDOWS_MAX];
static size_t window_count;

static int setup(void **state)
{
    (void)state;
    // Small batches and slow commits: a transaction is open most of the time, over several batches.
    static const char *const sets[] = {"monitor.window=1m", "monitor.lateness=20s", "monitor.commit_interval=400ms",
                                       "worker.poll_records=25", NULL};
    const char *chosen = getenv("GODWIT_TEST_SEED");
    uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)gw_clock_wall_us();
    print_message("GODWIT_TEST_SEED=%llu\n", (unsigned long long)seed);
    gw_rng_init(&rng, seed);
    cluster_begin(&cluster, "monitor", sets);
    served_ms = gw_clock_wall_ms() - 24 * 3600000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_end(&cluster);
    return 0;
}

// ---- sending --------------------------------------------------------------------------------------------------------

static double uniform(void)
{
    return (double)(gw_rng_next(&rng) >> 11) * 0x1p-53;
}

static int32_t partition_of(const char *model)
{
    return (int32_t)gw_hash_partition(model, strlen(model),
                                      gw_runtime_partitions(&cluster.runtime, GW_TOPIC_LABEL_SAMPLES));
}

static void send_sample(void)
{
    struct gw_slice names[HEADS];
    float predictions[HEADS];
    const char *model = models[gw_rng_below(&rng, GW_COUNT_OF(models))];
    // Partitions of label differ in time, some by more than the lateness.
    int64_t behind_ms = (int64_t)gw_rng_below(&rng, gw_rng_below(&rng, 12) == 0 ? 3 * WIDTH_MS : LATENESS_MS);
    struct gw_label_sample sample = {.model_name = gw_slice_text(model),
                                     .model_version = 1 + (int32_t)gw_rng_below(&rng, 2),
                                     .variant = gw_slice_text(variants[gw_rng_below(&rng, GW_COUNT_OF(variants))]),
                                     .kind = gw_rng_below(&rng, 10) == 0 ? GW_EXAMPLE_KIND_POSITIVE_REPLAY
                                                                         : GW_EXAMPLE_KIND_WINDOW_CLOSED,
                                     .weight = (float)(1 + gw_rng_below(&rng, 3)),
                                     .served_at_ms = served_ms - behind_ms};
    for (int h = 0; h < HEADS; h++) {
        names[h] = gw_slice_text(head_names[h]);
        predictions[h] = (float)(0.02 + 0.9 * uniform() * uniform());
        if (head_labels[h] != GW_LABEL_COUNT && uniform() < 0.7 * (double)predictions[h]) {
            sample.label_bits |= INT64_C(1) << head_labels[h];
        }
    }
    sample.heads.items = predictions;
    sample.heads.count = HEADS;
    sample.head_names.items = names;
    sample.head_names.count = gw_rng_below(&rng, 20) == 0 ? 0 : HEADS; // some were written before heads had names
    RECORDS_ENCODE(&cluster, GW_TOPIC_LABEL_SAMPLES, gw_label_sample_encode, &sample);
    records_put(&cluster, GW_TOPIC_LABEL_SAMPLES, partition_of(model), 0, gw_buf_slice(&cluster.value), NULL, 0);
    served_ms += (int64_t)gw_rng_below(&rng, 2 * STEP_MS);
    sent++;
}

static void send_round(void)
{
    for (int i = 0; i < SAMPLES; i++) {
        send_sample();
    }
    records_flush(&cluster);
}

// ---- the log --------------------------------------------------------------------------------------------------------

static int index_of(struct gw_slice text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gw_slice_is(text, names[i])) {
            return (int)i;
        }
    }
    fail_msg("'%.*s' was never sent", (int)text.size, (const char *)text.data);
    return -1;
}

static void note_row(void *context, const struct gw_kafka_record *record)
{
    struct gw_arena *arena = context;
    struct gw_label_sample sample;
    gw_err err = {0};
    if (record->value.size < 8) { // garbage of ours
        return;
    }
    gw_arena_clear(arena);
    assert_ok_err(gw_label_sample_decode(records_body(&cluster, GW_TOPIC_LABEL_SAMPLES, record), arena, &sample, &err),
                  &err);
    assert_true(row_count < SAMPLES_MAX);
    struct row *row = &rows[row_count++];
    *row = (struct row){.partition = record->partition,
                        .offset = record->offset,
                        .model = index_of(sample.model_name, models, GW_COUNT_OF(models)),
                        .variant = index_of(sample.variant, variants, GW_COUNT_OF(variants)),
                        .version = sample.model_version,
                        .served_ms = sample.served_at_ms,
                        .append_ms = record->timestamp_ms,
                        .weight = (double)sample.weight,
                        .bits = sample.label_bits,
                        .judged = sample.kind == GW_EXAMPLE_KIND_WINDOW_CLOSED && sample.head_names.count > 0};
    for (int h = 0; h < HEADS; h++) {
        row->predictions[h] = (double)sample.heads.items[h];
    }
}

static void note_window(void *context, const struct gw_kafka_record *record)
{
    struct gw_arena *arena = context;
    gw_err err = {0};
    gw_arena_clear(arena);
    assert_true(window_count < WINDOWS_MAX);
    struct window *window = &windows[window_count++];
    assert_ok_err(
        gw_model_quality_decode(records_body(&cluster, GW_TOPIC_MODEL_QUALITY, record), arena, &window->record, &err),
        &err);
    window->model = index_of(window->record.model_name, models, GW_COUNT_OF(models));
    window->variant = index_of(window->record.variant, variants, GW_COUNT_OF(variants));
    window->head = index_of(window->record.head, head_names, HEADS);
    window->version = window->record.model_version;
    window->start_ms = window->record.window_start_ms;
}

static void read_log(void)
{
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    row_count = 0;
    window_count = 0;
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_LABEL_SAMPLES),
                 (int32_t)gw_runtime_partitions(&cluster.runtime, GW_TOPIC_LABEL_SAMPLES), note_row, &arena);
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_MODEL_QUALITY),
                 (int32_t)gw_runtime_partitions(&cluster.runtime, GW_TOPIC_MODEL_QUALITY), note_window, &arena);
    gw_arena_deinit(&arena);
}

// ---- the independent computation ------------------------------------------------------------------------------------

static int64_t start_of(int64_t time_ms)
{
    return time_ms / WIDTH_MS * WIDTH_MS;
}

// Whether samples served up to newest_ms have closed the window that begins at start_ms.
static bool is_closed(int64_t start_ms, int64_t newest_ms)
{
    return newest_ms - LATENESS_MS >= start_ms + WIDTH_MS;
}

static int by_place(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    return a->partition != b->partition ? (a->partition > b->partition) - (a->partition < b->partition)
                                        : (a->offset > b->offset) - (a->offset < b->offset);
}

// The newest sample of a partition decides what is late. Gives what it is at the end of the partition.
static int64_t judge_partition(int32_t partition)
{
    int64_t newest_ms = INT64_MIN / 2;
    for (size_t i = 0; i < row_count; i++) {
        struct row *row = &rows[i];
        if (row->partition == partition && row->judged) {
            row->added = !is_closed(start_of(row->served_ms), newest_ms);
            newest_ms = row->added ? GW_MAX(newest_ms, row->served_ms) : newest_ms;
        }
    }
    return newest_ms;
}

// When the window was closed: the append time of the sample that did it.
static int64_t closing_ms(int32_t partition, int64_t start_ms)
{
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].partition == partition && rows[i].added && is_closed(start_ms, rows[i].served_ms)) {
            return rows[i].append_ms;
        }
    }
    return -1;
}

static bool is_of(const struct row *row, const struct window *window)
{
    return row->added && row->model == window->model && row->variant == window->variant &&
           row->version == window->version && start_of(row->served_ms) == window->start_ms;
}

static bool is_positive(const struct row *row, int head)
{
    return (row->bits >> head_labels[head] & 1) != 0;
}

static void assert_near(const char *what, double value, double expected, double within)
{
    if (isnan(value) != isnan(expected) || fabs(value - expected) > within) {
        fail_msg("%s is %.12g, the recount says %.12g within %g", what, value, expected, within);
    }
}

static double logit(double p)
{
    return log(p / (1 - p));
}

static void assert_area(const struct window *window)
{
    double above = 0;
    double pairs = 0;
    double close = 0;
    for (size_t i = 0; i < row_count; i++) {
        for (size_t k = 0; is_of(&rows[i], window) && is_positive(&rows[i], window->head) && k < row_count; k++) {
            if (is_of(&rows[k], window) && !is_positive(&rows[k], window->head)) {
                double weight = rows[i].weight * rows[k].weight;
                double p = rows[i].predictions[window->head];
                double q = rows[k].predictions[window->head];
                above += weight * (p > q ? 1 : p == q ? 0.5 : 0);
                close += fabs(logit(p) - logit(q)) <= BIN_LOGITS ? weight : 0;
                pairs += weight;
            }
        }
    }
    assert_near("auc", window->record.auc, above / pairs, close / pairs / 2 + 1e-9);
}

static void assert_interval(double value, bool has_low, double low, bool has_high, double high)
{
    assert_int_equal(has_low, has_high);
    assert_true(!has_low || (low <= value && value <= high));
}

static void assert_window(const struct window *window)
{
    const struct gw_model_quality *record = &window->record;
    double examples = 0;
    double positives = 0;
    double predicted = 0;
    double loss = 0;
    for (size_t i = 0; i < row_count; i++) {
        if (is_of(&rows[i], window)) {
            double p = rows[i].predictions[window->head];
            bool positive = is_positive(&rows[i], window->head);
            examples += rows[i].weight;
            positives += positive ? rows[i].weight : 0;
            predicted += rows[i].weight * p;
            loss -= rows[i].weight * log(positive ? p : 1 - p);
        }
    }
    assert_true(examples > 0);
    assert_true(record->examples == examples && record->positives == positives);
    double rate = positives / examples;
    double entropy = rate > 0 && rate < 1 ? -rate * log(rate) - (1 - rate) * log(1 - rate) : (double)NAN;
    assert_near("log loss", record->log_loss, loss / examples, 1e-8);
    assert_near("normalised entropy", record->normalised_entropy, loss / examples / entropy, 1e-6);
    assert_near("rce", record->rce, 100 * (1 - loss / examples / entropy), 1e-4);
    assert_near("calibration", record->calibration, positives > 0 ? predicted / positives : (double)NAN, 1e-6);
    assert_area(window);
    assert_interval(record->log_loss, record->has_log_loss_low, record->log_loss_low, record->has_log_loss_high,
                    record->log_loss_high);
    assert_interval(record->normalised_entropy, record->has_normalised_entropy_low, record->normalised_entropy_low,
                    record->has_normalised_entropy_high, record->normalised_entropy_high);
    assert_interval(record->calibration, record->has_calibration_low, record->calibration_low,
                    record->has_calibration_high, record->calibration_high);
    assert_interval(record->auc, !isnan(record->auc_low), record->auc_low, !isnan(record->auc_high), record->auc_high);
    assert_true(record->maturity == 1);
    assert_int_equal(record->window_end_ms, window->start_ms + WIDTH_MS);
    assert_int_equal(record->computed_at_ms, closing_ms(partition_of(models[window->model]), window->start_ms));
}

static bool same_window(const struct window *a, const struct window *b)
{
    return a->model == b->model && a->variant == b->variant && a->version == b->version && a->head == b->head &&
           a->start_ms == b->start_ms;
}

// How many heads of windows the log says must be closed by now.
static size_t due_windows(void)
{
    static struct window due[WINDOWS_MAX];
    size_t count = 0;
    int64_t newest_ms[64];
    int32_t partitions = (int32_t)gw_runtime_partitions(&cluster.runtime, GW_TOPIC_LABEL_SAMPLES);
    assert_true(partitions <= (int32_t)GW_COUNT_OF(newest_ms));
    qsort(rows, row_count, sizeof rows[0], by_place);
    for (int32_t p = 0; p < partitions; p++) {
        newest_ms[p] = judge_partition(p);
    }
    for (size_t i = 0; i < row_count; i++) {
        int64_t start_ms = start_of(rows[i].served_ms);
        for (int h = 0; rows[i].added && is_closed(start_ms, newest_ms[rows[i].partition]) && h < HEADS; h++) {
            const struct window window = {.model = rows[i].model,
                                          .variant = rows[i].variant,
                                          .version = rows[i].version,
                                          .head = h,
                                          .start_ms = start_ms};
            bool known = head_labels[h] == GW_LABEL_COUNT;
            for (size_t k = 0; k < count && !known; k++) {
                known = same_window(&due[k], &window);
            }
            if (!known) {
                assert_true(count < WINDOWS_MAX);
                due[count++] = window;
            }
        }
    }
    return count;
}

static void assert_quality(void)
{
    read_log();
    assert_int_equal(row_count, sent);
    size_t due = due_windows();
    size_t added = 0;
    for (size_t i = 0; i < row_count; i++) {
        added += rows[i].added;
    }
    assert_true(due > 20 && added > sent / 2 && added < sent);
    assert_int_equal(window_count, due);
    for (size_t i = 0; i < window_count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_false(same_window(&windows[i], &windows[k]));
        }
        assert_window(&windows[i]);
    }
    struct gw_ledger ledger = cluster_ledger_sum(&cluster, "monitor", GW_TOPIC_LABEL_SAMPLES);
    assert_int_equal(ledger.counts[GW_OUTCOME_OUTPUT], added);
    assert_int_equal(ledger.counts[GW_OUTCOME_IGNORED], sent - added);
    assert_int_equal(ledger.counts[GW_OUTCOME_DEAD_LETTER], 1);
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

static bool all_settled(void *context)
{
    (void)context;
    struct gw_ledger ledger = cluster_ledger_sum(&cluster, "monitor", GW_TOPIC_LABEL_SAMPLES);
    return gw_ledger_total(&ledger) >= sent + 1;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void killed_monitor_writes_each_window_exactly_once(void **state)
{
    (void)state;
    // Quality is written in the middle of a transaction, state at its end.
    struct moment moments[] = {{.tail = tail_open(&cluster, GW_TOPIC_MODEL_QUALITY, true)},
                               {.tail = tail_open(&cluster, GW_TOPIC_MONITOR_STATE, true)}};
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    records_put(&cluster, GW_TOPIC_LABEL_SAMPLES, 0, 0, gw_slice_text("garb"), NULL, 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct moment *moment = &moments[round % GW_COUNT_OF(moments)];
        reached(moment);
        moment->target = moment->count + 1 + gw_rng_below(&rng, 12);
        send_round();
        wait_until(reached, moment, CLUSTER_WAIT_MS, "records in an open transaction");
        proc_kill(monitor.proc);
        monitor = cluster_run(&cluster, "monitor", NULL);
    }
    wait_until(all_settled, NULL, CLUSTER_WAIT_MS, "an outcome of every sample");
    cluster_stop(&monitor);
    tail_close(moments[0].tail);
    tail_close(moments[1].tail);
    assert_quality();
}

// The two worst moments: everything is sent and the commit is not asked for; it is done and nobody was told.
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
        send_round();
        if (moments[i].dies) {
            assert_int_equal(proc_wait(monitor.proc, CLUSTER_WAIT_MS), -1);
            monitor = cluster_run(&cluster, "monitor", NULL);
        }
        wait_until(all_settled, NULL, CLUSTER_WAIT_MS, "an outcome of every sample");
        cluster_stop(&monitor);
    }
    assert_quality();
}

static void outcomes_are_counted_by_reason(void **state)
{
    (void)state;
    struct cluster_worker monitor = cluster_run_ready(&cluster, "monitor", NULL);
    send_round();
    wait_until(all_settled, NULL, CLUSTER_WAIT_MS, "an outcome of every sample");
    assert_true(cluster_metric(&monitor, "godwit_monitor_samples_total{outcome=\"added\"}") > 0);
    assert_true(cluster_metric(&monitor, "godwit_monitor_samples_total{outcome=\"not_final\"}") > 0);
    assert_true(cluster_metric(&monitor, "godwit_monitor_samples_total{outcome=\"unnamed\"}") > 0);
    assert_true(cluster_metric(&monitor, "godwit_monitor_samples_total{outcome=\"late\"}") > 0);
    assert_true(cluster_metric(&monitor, "godwit_monitor_samples_total") == SAMPLES);
    assert_true(cluster_metric(&monitor, "godwit_monitor_unknown_heads_total") > 0);
    cluster_stop(&monitor);
    assert_quality();
}

// ---- REST -----------------------------------------------------------------------------------------------------------

static uint16_t api_port;
static char body[1 << 20];

static int performance(const char *model, const char *query)
{
    char path[128];
    snprintf(path, sizeof path, "/metrics/performance/%s%s", model, query);
    return http_get(api_port, path, body, sizeof body);
}

static bool knows_that_nobody_is_unknown(void *context)
{
    (void)context;
    return performance("nobody", "") == 404; // 503 before all is read
}

static size_t occurrences(const char *word)
{
    size_t count = 0;
    for (const char *at = body; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

static const struct window *newest_window(int model)
{
    const struct window *newest = NULL;
    for (size_t i = 0; i < window_count; i++) {
        if (windows[i].model == model && (newest == NULL || windows[i].start_ms > newest->start_ms)) {
            newest = &windows[i];
        }
    }
    assert_non_null(newest);
    return newest;
}

// A bridge that was not there when it was measured knows it.
static void rest_shows_what_was_measured(void **state)
{
    (void)state;
    char port[32];
    api_port = free_port();
    snprintf(port, sizeof port, "bridge.port=%u", api_port);
    const char *const sets[] = {port, "bridge.api_port=0", NULL};
    struct cluster_worker bridge = cluster_run(&cluster, "bridge", sets);
    wait_until(knows_that_nobody_is_unknown, NULL, CLUSTER_WAIT_MS, "the bridge's quality of models");
    assert_non_null(strstr(body, "model-not-found"));
    assert_int_equal(performance("alpha", ""), 200);
    assert_non_null(strstr(body, "\"modelId\":\"alpha\""));
    assert_non_null(strstr(body, "\"normalisedEntropy\":{\"value\":"));
    assert_int_equal(performance("alpha", "?windows=1"), 200);
    assert_int_equal(occurrences("\"head\":"), 8); // two versions, variants and labels
    assert_int_equal(occurrences("\"head\":\"some_score\""), 0);
    char examples[64];
    snprintf(examples, sizeof examples, "\"examples\":%.17g,", newest_window(0)->record.examples);
    assert_non_null(strstr(body, examples));
    assert_int_equal(performance("alpha", "?windows=0"), 400);
    assert_int_equal(performance("-%20-", ""), 404);
    assert_int_equal(performance(TEST_MODEL_NAME, ""), 200); // registered, and not measured
    assert_string_equal(body, "{\"metrics\":{\"modelId\":\"" TEST_MODEL_NAME "\",\"windows\":[]}}");
    proc_stop(bridge.proc, 0, CLUSTER_WAIT_MS); // without a scorer it is never ready to predict
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_monitor_writes_each_window_exactly_once),
        cmocka_unit_test(death_and_failure_at_a_commit_change_nothing),
        cmocka_unit_test(outcomes_are_counted_by_reason),
        cmocka_unit_test(rest_shows_what_was_measured),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
