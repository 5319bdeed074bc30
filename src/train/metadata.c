// SPDX-License-Identifier: MIT
#include "train/metadata.h"

#include "base/json.h"

static void write_count(struct gw_json_writer *to, const char *key, uint64_t value)
{
    gw_json_write_key(to, key);
    gw_json_write_u64(to, value);
}

static void write_number(struct gw_json_writer *to, const char *key, double value)
{
    gw_json_write_key(to, key);
    gw_json_write_double(to, value);
}

static void write_text(struct gw_json_writer *to, const char *key, const char *value)
{
    gw_json_write_key(to, key);
    gw_json_write_text(to, value);
}

static void write_head(struct gw_json_writer *to, const char *name, const struct gw_head_result *result)
{
    gw_json_write_key(to, name);
    gw_json_object_begin(to);
    write_count(to, "trees", result->tree_count);
    write_count(to, "train_positives", result->train_positives);
    write_count(to, "holdout_positives", result->holdout_positives);
    write_number(to, "base_rate", result->base_score);
    write_text(to, "calibration", result->calibration.kind == GW_CALIBRATION_PLATT ? "platt" : "identity");
    write_number(to, "auc", result->holdout.auc);
    write_number(to, "log_loss", result->holdout.log_loss);
    write_number(to, "normalised_entropy", result->holdout.normalised_entropy);
    write_number(to, "calibration_ratio", result->holdout.calibration_ratio);
}

static void write_reference(struct gw_json_writer *to, const struct gw_reference *reference, double tolerance)
{
    gw_json_write_key(to, "reference");
    gw_json_object_begin(to);
    write_count(to, "rows", reference->row_count);
    write_text(to, "source", reference->source);
    write_number(to, "tolerance", tolerance);
    gw_json_object_end(to);
}

gw_status gw_train_metadata_write(const struct gw_train_options *options, const struct gw_rows *rows,
                                  const struct gw_head_result *results, const struct gw_reference *reference,
                                  struct gw_buf *out, gw_err *err)
{
    char version[GW_BOOSTER_VERSION_BYTES];
    gw_booster_version(version);
    bool has_reference = reference->profile.size > 0;
    struct gw_json_writer to;
    gw_json_writer_init(&to, out);
    gw_json_object_begin(&to);
    write_text(&to, "trainer", "godwit-train " GW_VERSION);
    write_text(&to, "xgboost", version);
    write_text(&to, "layout", rows->header->layout);
    write_count(&to, "rows", rows->count);
    write_count(&to, "train_rows", rows->train_count);
    write_count(&to, "clamped_values", rows->infinite_count);
    gw_json_write_key(&to, "first_time_ms");
    gw_json_write_i64(&to, rows->first_time_ms);
    gw_json_write_key(&to, "last_time_ms");
    gw_json_write_i64(&to, rows->last_time_ms);
    write_count(&to, "depth", options->depth);
    write_number(&to, "eta", options->eta);
    write_count(&to, "seed", options->seed);
    write_count(&to, "threads", options->thread_count);
    write_number(&to, "negative_rate", options->negative_rate);
    if (has_reference) {
        write_reference(&to, reference, options->drift_tolerance);
    }
    gw_json_write_key(&to, "heads");
    gw_json_object_begin(&to);
    for (size_t h = 0; h < options->head_count; h++) {
        write_head(&to, options->heads[h].name, &results[h]);
        if (has_reference) {
            write_number(&to, "baseline_loss", reference->losses[h]);
        }
        gw_json_object_end(&to);
    }
    gw_json_object_end(&to);
    gw_json_object_end(&to);
    return gw_json_writer_finish(&to, err);
}
