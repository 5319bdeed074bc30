// SPDX-License-Identifier: MIT
#include "registry/registry_bundle.h"

#include "base/ini.h"
#include "base/json.h"
#include "base/mem.h"
#include "feature/plan.h"
#include "model/file.h"
#include "model/golden.h"
#include "model/scorer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BLOCK_BYTES ((size_t)64 << 10)
#define ARENA_LIMIT_BYTES ((size_t)8 << 20)

// Values of a whole row each; golden rows come first.
static const float synthetic_values[] = {NAN, 0.0f, 1.0f, -1.0f, 3.0e38f, -3.0e38f};
#define SYNTHETIC_ROWS GW_COUNT_OF(synthetic_values)

void gw_registry_bundle_deinit(struct gw_registry_bundle *bundle)
{
    gw_buf_deinit(&bundle->signature);
    gw_buf_deinit(&bundle->metrics);
    gw_buf_deinit(&bundle->lineage);
}

// ---- features -------------------------------------------------------------------------------------------------------

static gw_status check_features(const struct gw_bundle_info *info, const struct gw_feature_set *features, gw_err *err)
{
    struct gw_feature_plan *plan = NULL;
    gw_err why = {0};
    gw_status status = gw_feature_plan_new(features, info->feature_names, info->feature_count, &plan, &why);
    gw_feature_plan_free(plan);
    if (status == GW_OK) {
        return GW_OK;
    }
    // An unknown name is a configuration error to the plan; here it is the bundle's fault.
    return gw_fail(err, status == GW_E_CONFIG ? GW_E_INVALID : status, "bundle: %.240s", why.message);
}

// ---- answers --------------------------------------------------------------------------------------------------------

static gw_status check_finite(const struct gw_bundle_info *info, const char *what, const float *values, size_t count,
                              size_t row, gw_err *err)
{
    for (size_t h = 0; h < count; h++) {
        if (!isfinite(values[h])) {
            return gw_fail(err, GW_E_INVALID, "bundle: %s of head '%s' is %g for row %zu (%s)", what,
                           info->heads[h].name, (double)values[h], row,
                           row < info->golden_row_count ? "golden" : "synthetic");
        }
    }
    return GW_OK;
}

// One row at a time: a check at registration, not a fast path.
static gw_status probe_row(const struct gw_scorer *scorer, const struct gw_bundle_info *info, const float *row,
                           size_t number, gw_err *err)
{
    float margins[GW_BUNDLE_HEADS_MAX];
    float probabilities[GW_BUNDLE_HEADS_MAX];
    float score = 0;
    gw_scorer_margins(scorer, row, info->feature_count, 1, margins);
    GW_TRY(check_finite(info, "the margin", margins, info->head_count, number, err));
    gw_scorer_finish(scorer, margins, 1, probabilities, &score, NULL);
    GW_TRY(check_finite(info, "the probability", probabilities, info->head_count, number, err));
    return isfinite(score) ? GW_OK
                           : gw_fail(err, GW_E_INVALID, "bundle: the score is %g for row %zu", (double)score, number);
}

static gw_status probe_rows(const struct gw_scorer *scorer, const struct gw_bundle_info *info,
                            const struct gw_golden *golden, gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) float *row = gw_mem_calloc(info->feature_count, sizeof *row);
    if (row == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a row");
    }
    for (size_t r = 0; r < golden->row_count; r++) {
        GW_TRY(probe_row(scorer, info, &golden->rows[r * info->feature_count], r, err));
    }
    for (size_t s = 0; s < SYNTHETIC_ROWS; s++) {
        for (size_t f = 0; f < info->feature_count; f++) {
            row[f] = synthetic_values[s];
        }
        GW_TRY(probe_row(scorer, info, row, golden->row_count + s, err));
    }
    return GW_OK;
}

// A loaded bundle has forgotten its golden rows: they are read again.
static gw_status read_golden(const char *directory, struct gw_arena *arena, struct gw_golden *ret_golden, gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) char *manifest_text = NULL;
    GW_CLEANUP(gw_mem_cleanup) char *golden_text = NULL;
    char path[GW_MODEL_PATH_BYTES];
    size_t size = 0;
    struct gw_manifest manifest;
    GW_TRY(gw_model_path(directory, GW_MANIFEST_FILE, path, err));
    GW_TRY(gw_file_read(path, GW_MANIFEST_BYTES_MAX, &manifest_text, &size, err));
    GW_TRY(gw_manifest_parse(gw_slice_make(manifest_text, size), arena, &manifest, err));
    GW_TRY(gw_model_path(directory, manifest.golden_file, path, err));
    GW_TRY(gw_file_read(path, GW_GOLDEN_BYTES_MAX, &golden_text, &size, err));
    return gw_golden_parse(gw_slice_make(golden_text, size), &manifest, ret_golden, err);
}

static gw_status probe(const char *directory, struct gw_bundle *bundle, gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    struct gw_arena arena;
    struct gw_golden golden = {0};
    struct gw_scorer *scorer = NULL;
    gw_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_status status = read_golden(directory, &arena, &golden, err);
    if (status == GW_OK && golden.feature_count != info->feature_count) {
        status = gw_fail(err, GW_E_MISMATCH, "bundle '%.100s' changed while it was read", directory);
    }
    if (status == GW_OK) {
        status = gw_scorer_new(bundle, NULL, info->feature_count, &scorer, err);
    }
    if (status == GW_OK) {
        status = probe_rows(scorer, info, &golden, err);
    }
    gw_scorer_free(scorer);
    gw_golden_deinit(&golden);
    gw_arena_deinit(&arena);
    return status;
}

// ---- documents ------------------------------------------------------------------------------------------------------

static gw_status finish_text(struct gw_json_writer *writer, gw_err *err)
{
    GW_TRY(gw_json_writer_finish(writer, err));
    return gw_buf_append(writer->out, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for a document");
}

static gw_status write_signature(const struct gw_bundle_info *info, struct gw_buf *to, gw_err *err)
{
    char layout[17];
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, to);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "features");
    gw_json_array_begin(&writer);
    for (size_t i = 0; i < info->feature_count; i++) {
        gw_json_write_text(&writer, info->feature_names[i]);
    }
    gw_json_array_end(&writer);
    snprintf(layout, sizeof layout, "%016" PRIx64, gw_bundle_layout(info));
    gw_json_write_key(&writer, "layout");
    gw_json_write_text(&writer, layout);
    gw_json_write_key(&writer, "heads");
    gw_json_array_begin(&writer);
    for (size_t h = 0; h < info->head_count; h++) {
        const struct gw_bundle_head *head = &info->heads[h];
        gw_json_object_begin(&writer);
        gw_json_write_key(&writer, "name");
        gw_json_write_text(&writer, head->name);
        gw_json_write_key(&writer, "weight");
        gw_json_write_double(&writer, head->weight);
        gw_json_write_key(&writer, "trees");
        gw_json_write_u64(&writer, head->tree_count);
        gw_json_write_key(&writer, "depth");
        gw_json_write_u64(&writer, head->depth_max);
        gw_json_write_key(&writer, "objective");
        gw_json_write_text(&writer, head->objective);
        gw_json_object_end(&writer);
    }
    gw_json_array_end(&writer);
    gw_json_write_key(&writer, "primary");
    gw_json_write_text(&writer, info->heads[info->primary_head].name);
    gw_json_object_end(&writer);
    return finish_text(&writer, err);
}

static gw_status keep_text(struct gw_slice text, struct gw_buf *to, gw_err *err)
{
    gw_status status = gw_buf_append(to, text.data, text.size);
    status = status == GW_OK ? gw_buf_append(to, "", 1) : status;
    return status == GW_OK ? GW_OK : gw_fail(err, status, "no memory for a document");
}

// Metadata that has neither of the keys is lineage as a whole; what is no object says nothing.
static gw_status split_metadata(const struct gw_bundle_info *info, struct gw_registry_bundle *bundle, gw_err *err)
{
    struct gw_slice lineage = gw_slice_make(NULL, 0);
    struct gw_slice metrics = gw_slice_make(NULL, 0);
    struct gw_slice whole = gw_slice_text(info->metadata_json);
    enum gw_json_kind kind = GW_JSON_NULL;
    struct gw_json json;
    gw_json_init(&json, whole);
    GW_TRY(gw_json_peek(&json, &kind, err));
    if (kind != GW_JSON_OBJECT) {
        whole = gw_slice_text("{}");
        gw_json_init(&json, whole);
    }
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (;;) {
        bool more = false;
        struct gw_slice key;
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            break;
        }
        GW_TRY(gw_json_key(&json, &key, err));
        GW_TRY(gw_json_peek(&json, &kind, err)); // stands at the value now
        const size_t start = json.at;
        GW_TRY(gw_json_skip(&json, err));
        const struct gw_slice value = gw_slice_make(whole.data + start, json.at - start);
        if (kind == GW_JSON_OBJECT && gw_slice_is(key, "lineage")) {
            lineage = value;
        } else if (kind == GW_JSON_OBJECT && gw_slice_is(key, "metrics")) {
            metrics = value;
        }
    }
    if (lineage.size == 0) {
        lineage = metrics.size == 0 ? whole : gw_slice_text("{}");
    }
    GW_TRY(keep_text(lineage, &bundle->lineage, err));
    return keep_text(metrics.size > 0 ? metrics : gw_slice_text("{}"), &bundle->metrics, err);
}

gw_status gw_registry_bundle_read(const char *directory, const struct gw_feature_set *features,
                                  struct gw_registry_bundle *ret_bundle, gw_err *err)
{
    struct gw_bundle *bundle = NULL;
    struct gw_registry_bundle read = {.digest = ""};
    GW_TRY(gw_bundle_load(directory, &bundle, err));
    const struct gw_bundle_info *info = gw_bundle_info(bundle);
    memcpy(read.digest, info->digest, sizeof read.digest);
    gw_status status = features != NULL ? check_features(info, features, err) : GW_OK;
    if (status == GW_OK) {
        status = probe(directory, bundle, err);
    }
    if (status == GW_OK) {
        status = write_signature(info, &read.signature, err);
    }
    if (status == GW_OK) {
        status = split_metadata(info, &read, err);
    }
    gw_bundle_unref(bundle);
    if (status != GW_OK) {
        gw_registry_bundle_deinit(&read);
        return status;
    }
    *ret_bundle = read;
    return GW_OK;
}
