// SPDX-License-Identifier: MIT
// godwit-train: examples in, verified bundle out. No network, no Kafka, no database; one run, one exit code.
#include "base/json.h"
#include "base/mem.h"
#include "drift/profile.h"
#include "model/bundle_write.h"
#include "model/xgboost.h"
#include "train/head.h"
#include "train/metadata.h"
#include "train/options.h"
#include "train/probe.h"
#include "train/reference.h"
#include "train/rows.h"

#include <math.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct run {
    struct gw_train_options options;
    struct gw_rows rows;
    struct gw_head_result results[GW_BUNDLE_HEADS_MAX];
    struct gw_buf models[GW_BUNDLE_HEADS_MAX];
    struct gw_forest *forests[GW_BUNDLE_HEADS_MAX];
    struct gw_golden golden;
    struct gw_reference reference;
    struct gw_buf metadata;
    char digest[GW_BUNDLE_DIGEST_BYTES];
    gw_err err;
};

static void print_json_line(struct gw_json_writer *to)
{
    gw_err err = {0};
    if (gw_json_writer_finish(to, &err) == GW_OK) {
        printf("%.*s\n", (int)to->out->size, (const char *)to->out->data);
        fflush(stdout);
    }
}

static void report_round(void *context, const char *head, uint32_t round, double holdout_log_loss)
{
    const struct run *run = context;
    if (!run->options.progress_json) {
        if (round % 10 == 0) {
            fprintf(stderr, "head %s: round %u: holdout log loss %.6f\n", head, round, holdout_log_loss);
        }
        return;
    }
    GW_CLEANUP(gw_buf_deinit) struct gw_buf line = {0};
    struct gw_json_writer to;
    gw_json_writer_init(&to, &line);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "event");
    gw_json_write_text(&to, "round");
    gw_json_write_key(&to, "head");
    gw_json_write_text(&to, head);
    gw_json_write_key(&to, "round");
    gw_json_write_u64(&to, round);
    gw_json_write_key(&to, "rounds");
    gw_json_write_u64(&to, run->options.tree_count);
    gw_json_write_key(&to, "holdout_log_loss");
    gw_json_write_double(&to, holdout_log_loss);
    gw_json_object_end(&to);
    print_json_line(&to);
}

static gw_status train_heads(struct run *run)
{
    for (size_t h = 0; h < run->options.head_count; h++) {
        const char *name = run->options.heads[h].name;
        GW_TRY(gw_head_train(&run->rows, &run->options, name, report_round, run, &run->results[h], &run->err));
        GW_TRY(gw_booster_save(run->results[h].booster, &run->models[h], &run->err));
        gw_status status = gw_xgboost_parse(gw_buf_slice(&run->models[h]), &run->forests[h], &run->err);
        if (status != GW_OK) {
            return gw_fail_context(&run->err, status, "head '%s': the trained model", name);
        }
        const struct gw_measure *holdout = &run->results[h].holdout;
        fprintf(stderr, "head %s: %u trees, calibration %s, holdout auc %.5f, log loss %.6f, normalised entropy %.5f\n",
                name, run->results[h].tree_count,
                run->results[h].calibration.kind == GW_CALIBRATION_PLATT ? "platt" : "identity", holdout->auc,
                holdout->log_loss, holdout->normalised_entropy);
    }
    return GW_OK;
}

// The library's own margins, which the bundle has to reproduce bit by bit before it gets its name.
static gw_status make_golden(struct run *run)
{
    const size_t width = run->rows.header->feature_count;
    const size_t head_count = run->options.head_count;
    run->golden = (struct gw_golden){.row_count = GW_PROBE_ROWS, .feature_count = width, .head_count = head_count};
    run->golden.rows = gw_mem_calloc(GW_PROBE_ROWS * width, sizeof(float));
    run->golden.margins = gw_mem_calloc(GW_PROBE_ROWS * head_count, sizeof(float));
    if (run->golden.rows == NULL || run->golden.margins == NULL) {
        return gw_fail(&run->err, GW_E_MEMORY, "no memory for golden rows");
    }
    gw_probe_fill(&run->rows, run->forests, head_count, run->options.seed, run->golden.rows);
    for (size_t h = 0; h < head_count; h++) {
        GW_TRY(gw_booster_predict(run->results[h].booster, run->golden.rows, GW_PROBE_ROWS, width, GW_BOOSTER_MARGIN,
                                  run->golden.margins + h * GW_PROBE_ROWS, &run->err));
    }
    return GW_OK;
}

// What the models are, without metadata and drift reference.
static struct gw_bundle_draft make_draft(const struct run *run)
{
    struct gw_bundle_draft draft = {
        .manifest = {.model_name = run->options.model_name,
                     .feature_count = run->rows.header->feature_count,
                     .feature_names = run->rows.header->feature_names,
                     .head_count = run->options.head_count},
        .golden = run->golden,
    };
    for (size_t h = 0; h < run->options.head_count; h++) {
        draft.models[h] = gw_buf_slice(&run->models[h]);
        draft.manifest.heads[h] = (struct gw_manifest_head){.name = run->options.heads[h].name,
                                                            .weight = run->options.heads[h].weight,
                                                            .objective = "binary:logistic",
                                                            .calibration = run->results[h].calibration};
    }
    return draft;
}

// Says what the reference is, and what will not be watched for want of rows.
static void report_reference(const struct run *run)
{
    const struct gw_reference *reference = &run->reference;
    const size_t held_out = run->rows.count - run->rows.train_count;
    if (reference->profile.size == 0) {
        fprintf(stderr, "no drift reference: %s; drift will not be watched\n", reference->reason);
        return;
    }
    fprintf(stderr, "drift reference: %zu vectors (%s), losses of %zu held-out examples\n", reference->row_count,
            reference->source, reference->labelled_count);
    if (reference->labelled_count < held_out) {
        fprintf(stderr, "weights differ: %zu of %zu held-out examples stand for all of them\n",
                reference->labelled_count, held_out);
    }
    if (reference->labelled_count < GW_DRIFT_BASELINE_ROWS_MIN) {
        double share = (double)reference->labelled_count / (double)run->rows.count;
        fprintf(stderr, "concept drift will not be watched: that takes %d held-out examples, about %.0f in all\n",
                GW_DRIFT_BASELINE_ROWS_MIN, ceil(GW_DRIFT_BASELINE_ROWS_MIN / share));
    }
}

static gw_status write_metadata(struct run *run)
{
    GW_TRY(
        gw_train_metadata_write(&run->options, &run->rows, run->results, &run->reference, &run->metadata, &run->err));
    gw_status status = gw_buf_append(&run->metadata, "", 1); // a NUL: it is used as text
    return status == GW_OK ? GW_OK : gw_fail(&run->err, status, "no memory for metadata");
}

static gw_status write_bundle(struct run *run)
{
    struct gw_bundle_draft draft = make_draft(run);
    GW_TRY(gw_reference_build(&run->options, &draft, &run->rows, &run->reference, &run->err));
    report_reference(run);
    GW_TRY(write_metadata(run));
    draft.profile = gw_buf_slice(&run->reference.profile);
    draft.manifest.metadata_json = (const char *)run->metadata.data;
    return gw_bundle_write(&draft, run->options.out_directory, run->digest, &run->err);
}

static gw_status execute(struct run *run)
{
    GW_TRY(gw_rows_load(run->options.rows_path, run->options.holdout, &run->rows, &run->err));
    GW_TRY(gw_reference_check(&run->options, run->rows.header, &run->err));
    fprintf(stderr, "%zu examples of %zu features, %zu to learn from\n", run->rows.count,
            run->rows.header->feature_count, run->rows.train_count);
    GW_TRY(train_heads(run));
    GW_TRY(make_golden(run));
    return write_bundle(run);
}

static void report_end(const struct run *run)
{
    if (!run->options.progress_json) {
        printf("%s\n", run->digest);
        return;
    }
    GW_CLEANUP(gw_buf_deinit) struct gw_buf line = {0};
    struct gw_json_writer to;
    gw_json_writer_init(&to, &line);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "event");
    gw_json_write_text(&to, "done");
    gw_json_write_key(&to, "digest");
    gw_json_write_text(&to, run->digest);
    gw_json_write_key(&to, "directory");
    gw_json_write_text(&to, run->options.out_directory);
    gw_json_write_key(&to, "metadata");
    gw_json_write_raw(&to, gw_slice_text((const char *)run->metadata.data));
    gw_json_object_end(&to);
    print_json_line(&to);
}

static void run_deinit(struct run *run)
{
    for (size_t h = 0; h < GW_BUNDLE_HEADS_MAX; h++) {
        gw_booster_free(run->results[h].booster);
        gw_buf_deinit(&run->models[h]);
        gw_forest_free(run->forests[h]);
    }
    gw_golden_deinit(&run->golden);
    gw_reference_deinit(&run->reference);
    gw_buf_deinit(&run->metadata);
    gw_rows_deinit(&run->rows);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    if (gw_train_options_parse(argc, argv, &run.options, &run.err) != GW_OK) {
        fprintf(stderr, "godwit-train: %s\n%s", run.err.message, gw_train_usage);
        return EXIT_USAGE;
    }
    if (run.options.help) {
        fputs(gw_train_usage, stdout);
        return EXIT_DONE;
    }
    gw_status status = execute(&run);
    if (status == GW_OK) {
        report_end(&run);
    } else {
        fprintf(stderr, "godwit-train: %s\n", run.err.message);
    }
    run_deinit(&run);
    return status == GW_OK ? EXIT_DONE : EXIT_FAILED;
}
