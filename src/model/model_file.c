// SPDX-License-Identifier: MIT
#include "model/model_file.h"

#include "base/check.h"
#include "base/json.h"
#include "model/lightgbm.h"
#include "model/ubjson.h"
#include "model/xgboost.h"

#include <float.h>

const char *gw_model_format_name(enum gw_model_format format)
{
    static const char *const names[] = {
#define X(suffix, name, extension) name,
        GW_MODEL_FORMAT_MAP(X)
#undef X
    };
    GW_ASSERT((size_t)format < GW_COUNT_OF(names));
    return names[format];
}

const char *gw_model_format_extension(enum gw_model_format format)
{
    static const char *const extensions[] = {
#define X(suffix, name, extension) extension,
        GW_MODEL_FORMAT_MAP(X)
#undef X
    };
    GW_ASSERT((size_t)format < GW_COUNT_OF(extensions));
    return extensions[format];
}

static bool begins(struct gw_slice content, const void *with, size_t size)
{
    return content.size >= size && memcmp(content.data, with, size) == 0;
}

// What people hand in for a model, by how it begins.
static const char *describe(struct gw_slice content)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *what;
    } known[] = {
        {"\x80\x02", 2, "a Python pickle"},
        {"\x80\x03", 2, "a Python pickle"},
        {"\x80\x04", 2, "a Python pickle"},
        {"\x80\x05", 2, "a Python pickle"},
        {"\x1f\x8b", 2, "gzip"},
        {"PK\x03\x04", 4, "a zip archive"},
        {"binf", 4, "XGBoost's old binary format, which XGBoost itself has dropped: save as .json or .ubj"},
    };
    if (content.size == 0) {
        return "nothing";
    }
    for (size_t i = 0; i < GW_COUNT_OF(known); i++) {
        if (begins(content, known[i].magic, known[i].size)) {
            return known[i].what;
        }
    }
    return "something else";
}

// Keys of the top object: a model has a learner, a bundle has heads.
static gw_status sniff_json(struct gw_slice content, enum gw_model_format *ret_format, gw_err *err)
{
    struct gw_json json;
    gw_json_init(&json, content);
    json.lenient_numbers = true;
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (;;) {
        struct gw_slice key = {0};
        bool more = false;
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            return gw_fail(err, GW_E_MALFORMED, "no key 'learner', which XGBoost's models have");
        }
        GW_TRY(gw_json_key(&json, &key, err));
        if (gw_slice_is(key, "learner")) {
            *ret_format = GW_MODEL_FORMAT_XGBOOST_JSON;
            return GW_OK;
        }
        if (gw_slice_is(key, "heads")) {
            *ret_format = GW_MODEL_FORMAT_BUNDLE_MANIFEST;
            return GW_OK;
        }
        GW_TRY(gw_json_skip(&json, err));
    }
}

gw_status gw_model_sniff(struct gw_slice content, enum gw_model_format *ret_format, gw_err *err)
{
    if (begins(content, "tree\n", 5) || begins(content, "tree\r\n", 6)) {
        *ret_format = GW_MODEL_FORMAT_LIGHTGBM_TEXT;
        return GW_OK;
    }
    // In UBJSON the length of the first key follows, in JSON white space or a quote.
    if (content.size >= 2 && content.data[0] == '{' && memchr("iUIlL", content.data[1], 5) != NULL) {
        *ret_format = GW_MODEL_FORMAT_XGBOOST_UBJSON;
        return GW_OK;
    }
    size_t space = 0;
    while (space < content.size && memchr(" \t\r\n", content.data[space], 4) != NULL) {
        space++;
    }
    if (space < content.size && content.data[space] == '{') {
        gw_status status = sniff_json(content, ret_format, err);
        return status == GW_OK ? GW_OK : gw_fail_context(err, status, "is not a model file");
    }
    return gw_fail(err, GW_E_MALFORMED,
                   "is not a model file: expected XGBoost's JSON or UBJSON or LightGBM's text, found %s",
                   describe(content));
}

// Without the members that the importer would skip, which are more than half of the file.
static gw_status parse_ubjson(struct gw_slice content, struct gw_forest **ret_forest, gw_err *err)
{
    static const char *const skipped[] = {
        "attributes",    "base_weights", "categories", "categories_segments", "categories_sizes", "cats",
        "feature_types", "loss_changes", "parents",    "sum_hessian",
    };
    const struct gw_ubjson_options options = {
        .skipped = skipped, .skipped_count = GW_COUNT_OF(skipped), .limit_bytes = GW_MODEL_FILE_BYTES_MAX};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    GW_TRY(gw_ubjson_to_json(content, &options, &text, err));
    return gw_xgboost_parse(gw_buf_slice(&text), ret_forest, err);
}

static gw_status parse(struct gw_slice content, enum gw_model_format format, struct gw_forest **ret_forest, gw_err *err)
{
    switch (format) {
    case GW_MODEL_FORMAT_XGBOOST_JSON:
        return gw_xgboost_parse(content, ret_forest, err);
    case GW_MODEL_FORMAT_XGBOOST_UBJSON:
        return parse_ubjson(content, ret_forest, err);
    case GW_MODEL_FORMAT_LIGHTGBM_TEXT:
        return gw_lightgbm_parse(content, ret_forest, err);
    case GW_MODEL_FORMAT_BUNDLE_MANIFEST:
    case GW_MODEL_FORMAT_COUNT:
        break;
    }
    return gw_fail(err, GW_E_INVALID, "is the bundle.json of a bundle, not a model: name the bundle's directory");
}

gw_status gw_model_parse(struct gw_slice content, struct gw_forest **ret_forest, gw_err *err)
{
    enum gw_model_format format = GW_MODEL_FORMAT_COUNT;
    struct gw_forest *forest = NULL;
    GW_TRY(gw_model_sniff(content, &format, err));
    GW_TRY(parse(content, format, &forest, err));
    double bound = gw_forest_margin_bound(forest);
    // Half, because every addition rounds: 10,000 roundings add less than a thousandth.
    if (bound > (double)FLT_MAX / 2) {
        gw_forest_free(forest);
        return gw_fail(err, GW_E_INVALID, "leaves add up to as much as %g, too much for a float32 margin", bound);
    }
    *ret_forest = forest;
    return GW_OK;
}
