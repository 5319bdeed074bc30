// SPDX-License-Identifier: MIT
#include "model/bundle_import.h"

#include "base/ini.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/bundle_write.h"
#include "model/golden_own.h"
#include "model/model_file.h"

#include <math.h>
#include <sys/stat.h>

static gw_status check_names(const struct gw_bundle_import *import, gw_err *err)
{
    if (!gw_manifest_is_identifier(import->model_name)) {
        return gw_fail(err, GW_E_INVALID, "model name '%.64s' is not a legal name", import->model_name);
    }
    if (!gw_manifest_is_identifier(import->head_name)) {
        return gw_fail(err, GW_E_INVALID, "head name '%.64s' is not a legal name", import->head_name);
    }
    if (!isfinite(import->weight)) {
        return gw_fail(err, GW_E_INVALID, "head '%s': weight is not finite", import->head_name);
    }
    return GW_OK;
}

static gw_status read_content(const char *file, char **ret_text, struct gw_slice *ret_content, gw_err *err)
{
    struct stat info;
    size_t size = 0;
    if (stat(file, &info) == 0 && S_ISDIR(info.st_mode)) {
        return gw_fail(err, GW_E_INVALID, "'%.128s' is a directory, not a model file", file);
    }
    GW_TRY(gw_file_read(file, GW_MODEL_FILE_BYTES_MAX, ret_text, &size, err));
    *ret_content = gw_slice_make(*ret_text, size);
    return GW_OK;
}

static gw_status choose_features(const struct gw_bundle_import *import, const struct gw_forest *forest,
                                 const char *const **ret_names, gw_err *err)
{
    const char *const *own = (const char *const *)forest->feature_names;
    const char *const *given = import->feature_names;
    if (own == NULL && given == NULL) {
        return gw_fail(err, GW_E_INVALID, "no feature names, neither in the file nor given");
    }
    if (given != NULL && import->feature_count != forest->feature_count) {
        return gw_fail(err, GW_E_MISMATCH, "feature count %u, %zu names are given", forest->feature_count,
                       import->feature_count);
    }
    for (uint32_t f = 0; own != NULL && given != NULL && f < forest->feature_count; f++) {
        if (strcmp(own[f], given[f]) != 0) {
            return gw_fail(err, GW_E_MISMATCH, "feature %u is '%.64s' in the file, '%.64s' is given", f, own[f],
                           given[f]);
        }
    }
    *ret_names = own != NULL ? own : given;
    return GW_OK;
}

// Copies the members of the caller's object behind ours.
static gw_status append_metadata(const char *metadata_json, struct gw_json_writer *writer, gw_err *err)
{
    struct gw_json json;
    gw_json_init(&json, gw_slice_text(metadata_json));
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (;;) {
        bool more = false;
        struct gw_slice key = {0};
        enum gw_json_kind kind = GW_JSON_NULL;
        char name[GW_MANIFEST_NAME_BYTES];
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            return gw_json_end(&json, err);
        }
        GW_TRY(gw_json_key(&json, &key, err));
        if (key.size >= sizeof name) {
            return gw_fail(err, GW_E_TOO_LARGE, "a key of %zu bytes, at most %zu", key.size, sizeof name - 1);
        }
        if (gw_slice_is(key, "golden") || gw_slice_is(key, "format")) {
            return gw_fail(err, GW_E_INVALID, "key '%.*s' is not the caller's", (int)key.size, (const char *)key.data);
        }
        memcpy(name, key.data, key.size);
        name[key.size] = '\0';
        GW_TRY(gw_json_peek(&json, &kind, err)); // stands at the value's first byte now
        size_t start = json.at;
        GW_TRY(gw_json_skip(&json, err));
        gw_json_write_key(writer, name);
        gw_json_write_raw(writer, gw_slice_make(json.data + start, json.at - start));
    }
}

// NUL-terminated.
static gw_status make_metadata(const char *metadata_json, enum gw_model_format format, struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "golden");
    gw_json_write_text(&writer, "own");
    gw_json_write_key(&writer, "format");
    gw_json_write_text(&writer, gw_model_format_name(format));
    if (metadata_json != NULL) {
        gw_status status = append_metadata(metadata_json, &writer, err);
        if (status != GW_OK) {
            return gw_fail_context(err, status, "metadata");
        }
    }
    gw_json_object_end(&writer);
    GW_TRY(gw_json_writer_finish(&writer, err));
    return gw_buf_append(out, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for metadata");
}

static gw_status write_bundle(const struct gw_bundle_import *import, struct gw_slice content,
                              const struct gw_forest *forest, const char *directory, char *ret_digest, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf metadata = {0};
    enum gw_model_format format = GW_MODEL_FORMAT_COUNT;
    const char *const *names = NULL;
    GW_TRY(choose_features(import, forest, &names, err));
    GW_TRY(gw_model_sniff(content, &format, err));
    GW_TRY(make_metadata(import->metadata_json, format, &metadata, err));
    struct gw_bundle_draft draft = {
        .manifest = {.model_name = import->model_name,
                     .feature_count = forest->feature_count,
                     .feature_names = names,
                     .head_count = 1,
                     .heads = {{.name = import->head_name,
                                .objective = gw_objective_name(forest->objective),
                                .weight = import->weight,
                                .calibration = {.negative_rate = 1}}},
                     .metadata_json = (const char *)metadata.data},
        .models = {content},
    };
    GW_TRY(gw_golden_own(forest, &draft.golden, err));
    gw_status status = gw_bundle_write(&draft, directory, ret_digest, err);
    gw_golden_deinit(&draft.golden);
    return status;
}

gw_status gw_bundle_from_file(const struct gw_bundle_import *import, const char *directory,
                              char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) char *text = NULL;
    struct gw_slice content = import->content;
    struct gw_forest *forest = NULL;
    GW_TRY(check_names(import, err));
    if (import->file != NULL) {
        GW_TRY(read_content(import->file, &text, &content, err));
    } else if (content.size > GW_MODEL_FILE_BYTES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "a model of %zu bytes, at most %zu", content.size, GW_MODEL_FILE_BYTES_MAX);
    }
    gw_status status = gw_model_parse(content, &forest, err);
    if (status == GW_OK) {
        status = write_bundle(import, content, forest, directory, ret_digest, err);
        gw_forest_free(forest);
    }
    if (status != GW_OK && import->file != NULL) {
        return gw_fail_context(err, status, "file '%.100s'", import->file);
    }
    return status;
}
