// SPDX-License-Identifier: MIT
#include "model/manifest.h"

#include "base/mem.h"
#include "model/fields.h"
#include "model/sha256.h"

#include <math.h>
#include <stdlib.h>

#define FORMAT 1

struct reader {
    struct gw_json json;
    struct gw_arena *arena;
    struct gw_manifest *manifest;
    struct gw_buf text; // the last string
    const char *primary;
    gw_err *err;
};

enum name_rule { ANY_TEXT, IDENTIFIER, FILE_NAME };

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':';
}

// Identifiers go into paths, metrics and keys; file names must not leave the directory.
static bool obeys(const char *text, enum name_rule rule)
{
    if (text[0] == '\0' || (rule == FILE_NAME && text[0] == '.')) {
        return false;
    }
    for (const char *c = text; rule != ANY_TEXT && *c != '\0'; c++) {
        if (!is_word(*c) || (rule == FILE_NAME && *c == ':')) {
            return false;
        }
    }
    return true;
}

bool gw_manifest_is_identifier(const char *text)
{
    return strlen(text) < GW_MANIFEST_NAME_BYTES && obeys(text, IDENTIFIER);
}

static gw_status keep(struct reader *in, const void *data, size_t size, const char **ret_text)
{
    char *copy = gw_arena_alloc(in->arena, size + 1);
    if (copy == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for %zu bytes of text", size);
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    *ret_text = copy;
    return GW_OK;
}

static gw_status read_name(struct reader *in, const char *what, enum name_rule rule, const char **ret_name)
{
    gw_status status = gw_json_string(&in->json, &in->text, GW_MANIFEST_NAME_BYTES - 1, in->err);
    if (status != GW_OK) {
        return gw_fail_context(in->err, status, "%s", what);
    }
    const char *text = (const char *)in->text.data;
    if (strlen(text) != in->text.size || !obeys(text, rule)) {
        return gw_fail(in->err, GW_E_INVALID, "%s '%.64s' is not a legal name", what, text);
    }
    return keep(in, text, in->text.size, ret_name);
}

static gw_status read_finite(struct reader *in, const char *what, double *ret_value)
{
    gw_status status = gw_json_double(&in->json, ret_value, in->err);
    return status == GW_OK ? GW_OK : gw_fail_context(in->err, status, "%s", what);
}

static gw_status read_calibration(struct reader *in, struct gw_calibration *calibration)
{
    enum { KIND, A, B, NEGATIVE_RATE };
    static const char *const keys[] = {"kind", "a", "b", "negative_rate"};
    struct gw_fields fields = {.keys = keys, .key_count = GW_COUNT_OF(keys)};
    uint32_t required = 1u << KIND;
    GW_TRY(gw_fields_enter(&fields, &in->json, in->err));
    for (;;) {
        size_t index = 0;
        bool more = false;
        const char *kind = NULL;
        GW_TRY(gw_fields_next(&fields, &in->json, &index, &more, in->err));
        if (!more) {
            break;
        }
        switch (index) {
        case KIND:
            GW_TRY(read_name(in, "calibration kind", IDENTIFIER, &kind));
            if (strcmp(kind, "platt") == 0) {
                calibration->kind = GW_CALIBRATION_PLATT;
                required |= 1u << A | 1u << B;
            } else if (strcmp(kind, "identity") != 0) {
                return gw_fail(in->err, GW_E_INVALID, "calibration kind '%.64s', expected identity or platt", kind);
            }
            break;
        case A:
            GW_TRY(read_finite(in, "calibration a", &calibration->a));
            break;
        case B:
            GW_TRY(read_finite(in, "calibration b", &calibration->b));
            break;
        case NEGATIVE_RATE:
            GW_TRY(read_finite(in, "negative_rate", &calibration->negative_rate));
            break;
        }
    }
    GW_TRY(gw_fields_require(&fields, required, in->err));
    if (!(calibration->negative_rate > 0 && calibration->negative_rate <= 1)) {
        return gw_fail(in->err, GW_E_INVALID, "negative_rate %g, expected over 0, at most 1",
                       calibration->negative_rate);
    }
    return GW_OK;
}

static gw_status read_head(struct reader *in)
{
    enum { NAME, FILE_KEY, WEIGHT, OBJECTIVE, CALIBRATION };
    static const char *const keys[] = {"name", "file", "weight", "objective", "calibration"};
    if (in->manifest->head_count == GW_BUNDLE_HEADS_MAX) {
        return gw_fail(in->err, GW_E_TOO_LARGE, "more than %d heads", GW_BUNDLE_HEADS_MAX);
    }
    struct gw_manifest_head *head = &in->manifest->heads[in->manifest->head_count];
    *head = (struct gw_manifest_head){.weight = 1, .calibration = {.negative_rate = 1}};
    struct gw_fields fields = {.keys = keys, .key_count = GW_COUNT_OF(keys)};
    GW_TRY(gw_fields_enter(&fields, &in->json, in->err));
    for (;;) {
        size_t index = 0;
        bool more = false;
        GW_TRY(gw_fields_next(&fields, &in->json, &index, &more, in->err));
        if (!more) {
            break;
        }
        switch (index) {
        case NAME:
            GW_TRY(read_name(in, "head name", IDENTIFIER, &head->name));
            break;
        case FILE_KEY:
            GW_TRY(read_name(in, "head file", FILE_NAME, &head->file));
            break;
        case WEIGHT:
            GW_TRY(read_finite(in, "head weight", &head->weight));
            break;
        case OBJECTIVE:
            GW_TRY(read_name(in, "objective", IDENTIFIER, &head->objective));
            break;
        case CALIBRATION:
            GW_TRY(read_calibration(in, &head->calibration));
            break;
        }
    }
    GW_TRY(gw_fields_require(&fields, 1u << NAME | 1u << FILE_KEY, in->err));
    for (size_t h = 0; h < in->manifest->head_count; h++) {
        if (strcmp(in->manifest->heads[h].name, head->name) == 0) {
            return gw_fail(in->err, GW_E_INVALID, "head '%s' twice", head->name);
        }
    }
    in->manifest->head_count++;
    return GW_OK;
}

static gw_status read_heads(struct reader *in)
{
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(read_head(in));
    }
}

static gw_status read_features(struct reader *in)
{
    const char **names = gw_arena_array(in->arena, GW_BUNDLE_FEATURES_MAX, sizeof *names);
    if (names == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for feature names");
    }
    in->manifest->feature_names = names;
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        if (in->manifest->feature_count == GW_BUNDLE_FEATURES_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "more than %d features", GW_BUNDLE_FEATURES_MAX);
        }
        GW_TRY(read_name(in, "feature name", ANY_TEXT, &names[in->manifest->feature_count]));
        in->manifest->feature_count++;
    }
}

static gw_status read_files(struct reader *in)
{
    GW_TRY(gw_json_enter(&in->json, GW_JSON_OBJECT, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        if (in->manifest->file_count == GW_MANIFEST_FILES_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "more than %d files", GW_MANIFEST_FILES_MAX);
        }
        struct gw_manifest_file *file = &in->manifest->files[in->manifest->file_count];
        struct gw_slice key = {0};
        GW_TRY(gw_json_key(&in->json, &key, in->err));
        GW_TRY(keep(in, key.data, key.size, &file->name));
        GW_TRY(read_name(in, "digest", IDENTIFIER, &file->sha256));
        if (strlen(file->sha256) != GW_SHA256_HEX_BYTES - 1 || strspn(file->sha256, "0123456789abcdef") != 64) {
            return gw_fail(in->err, GW_E_INVALID, "file '%.64s': digest is not 64 lower-case hex digits", file->name);
        }
        in->manifest->file_count++;
    }
}

static gw_status read_metadata(struct reader *in)
{
    enum gw_json_kind kind = GW_JSON_NULL;
    GW_TRY(gw_json_peek(&in->json, &kind, in->err)); // stands at the value's first byte now
    size_t start = in->json.at;
    GW_TRY(gw_json_skip(&in->json, in->err));
    size_t size = in->json.at - start;
    if (size > GW_MANIFEST_METADATA_BYTES) {
        return gw_fail(in->err, GW_E_TOO_LARGE, "metadata of %zu bytes, at most %zu", size, GW_MANIFEST_METADATA_BYTES);
    }
    return keep(in, in->json.data + start, size, &in->manifest->metadata_json);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gw_status check_features(struct reader *in)
{
    size_t count = in->manifest->feature_count;
    if (count == 0) {
        return gw_fail(in->err, GW_E_INVALID, "no features");
    }
    GW_CLEANUP(gw_mem_cleanup) const char **sorted = gw_mem_calloc(count, sizeof *sorted);
    if (sorted == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for feature names");
    }
    memcpy(sorted, in->manifest->feature_names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            return gw_fail(in->err, GW_E_INVALID, "feature '%s' twice", sorted[i]);
        }
    }
    return GW_OK;
}

static gw_status check_primary(struct reader *in)
{
    for (size_t h = 0; h < in->manifest->head_count; h++) {
        if (strcmp(in->manifest->heads[h].name, in->primary) == 0) {
            in->manifest->primary_head = h;
            return GW_OK;
        }
    }
    return gw_fail(in->err, GW_E_INVALID, "primary head '%s' is not one of the %zu heads", in->primary,
                   in->manifest->head_count);
}

// The files in use by number: those of the heads, the golden rows, the drift reference (or NULL).
static const char *used_file(const struct gw_manifest *m, size_t index)
{
    if (index < m->head_count) {
        return m->heads[index].file;
    }
    return index == m->head_count ? m->golden_file : m->profile_file;
}

// Every file has a digest, and every digest is of a file that is used.
static gw_status check_files(struct reader *in)
{
    const struct gw_manifest *m = in->manifest;
    const size_t used_count = m->head_count + (m->profile_file != NULL ? 2 : 1);
    for (size_t u = 0; u < used_count; u++) {
        const char *name = used_file(m, u);
        size_t matches = 0;
        for (size_t f = 0; f < m->file_count; f++) {
            matches += strcmp(m->files[f].name, name) == 0;
        }
        if (matches != 1) {
            return gw_fail(in->err, GW_E_INVALID, "file '%s' has %zu digests, expected 1", name, matches);
        }
    }
    for (size_t f = 0; f < m->file_count; f++) {
        bool used = false;
        for (size_t u = 0; u < used_count; u++) {
            used |= strcmp(m->files[f].name, used_file(m, u)) == 0;
        }
        if (!used) {
            return gw_fail(in->err, GW_E_INVALID,
                           "file '%.64s' is neither a head's nor the golden rows nor the profile", m->files[f].name);
        }
    }
    return GW_OK;
}

static gw_status read_manifest(struct reader *in)
{
    enum { FORMAT_KEY, MODEL, VERSION, FEATURES, PRIMARY, HEADS, GOLDEN, PROFILE, FILES, METADATA };
    static const char *const keys[] = {"format", "model",  "version", "features", "primary",
                                       "heads",  "golden", "profile", "files",    "metadata"};
    struct gw_fields fields = {.keys = keys, .key_count = GW_COUNT_OF(keys)};
    GW_TRY(gw_fields_enter(&fields, &in->json, in->err));
    for (;;) {
        size_t index = 0;
        bool more = false;
        int64_t number = 0;
        GW_TRY(gw_fields_next(&fields, &in->json, &index, &more, in->err));
        if (!more) {
            break;
        }
        switch (index) {
        case FORMAT_KEY:
            GW_TRY(gw_json_i64(&in->json, &number, in->err));
            if (number != FORMAT) {
                return gw_fail(in->err, GW_E_INVALID, "format %lld, expected %d", (long long)number, FORMAT);
            }
            break;
        case MODEL:
            GW_TRY(read_name(in, "model name", IDENTIFIER, &in->manifest->model_name));
            break;
        case VERSION:
            GW_TRY(gw_json_i64(&in->json, &number, in->err));
            if (number < 0 || number > INT32_MAX) {
                return gw_fail(in->err, GW_E_INVALID, "version %lld out of range", (long long)number);
            }
            in->manifest->version = (int32_t)number;
            break;
        case FEATURES:
            GW_TRY(read_features(in));
            break;
        case PRIMARY:
            GW_TRY(read_name(in, "primary head", IDENTIFIER, &in->primary));
            break;
        case HEADS:
            GW_TRY(read_heads(in));
            break;
        case GOLDEN:
            GW_TRY(read_name(in, "golden file", FILE_NAME, &in->manifest->golden_file));
            break;
        case PROFILE:
            GW_TRY(read_name(in, "profile file", FILE_NAME, &in->manifest->profile_file));
            break;
        case FILES:
            GW_TRY(read_files(in));
            break;
        case METADATA:
            GW_TRY(read_metadata(in));
            break;
        }
    }
    GW_TRY(gw_json_end(&in->json, in->err));
    GW_TRY(gw_fields_require(&fields,
                             1u << FORMAT_KEY | 1u << MODEL | 1u << FEATURES | 1u << PRIMARY | 1u << HEADS |
                                 1u << GOLDEN | 1u << FILES,
                             in->err));
    GW_TRY(check_features(in));
    GW_TRY(check_primary(in));
    return check_files(in);
}

gw_status gw_manifest_parse(struct gw_slice text, struct gw_arena *arena, struct gw_manifest *ret_manifest, gw_err *err)
{
    struct gw_manifest manifest = {.metadata_json = "{}"};
    struct reader in = {.arena = arena, .manifest = &manifest, .err = err};
    gw_json_init(&in.json, text);
    gw_status status = read_manifest(&in);
    gw_buf_deinit(&in.text);
    if (status == GW_OK) {
        *ret_manifest = manifest;
    }
    return status;
}

static void write_calibration(struct gw_json_writer *to, const struct gw_calibration *calibration)
{
    gw_json_object_begin(to);
    gw_json_write_key(to, "kind");
    gw_json_write_text(to, calibration->kind == GW_CALIBRATION_PLATT ? "platt" : "identity");
    if (calibration->kind == GW_CALIBRATION_PLATT) {
        gw_json_write_key(to, "a");
        gw_json_write_double(to, calibration->a);
        gw_json_write_key(to, "b");
        gw_json_write_double(to, calibration->b);
    }
    if (calibration->negative_rate < 1) {
        gw_json_write_key(to, "negative_rate");
        gw_json_write_double(to, calibration->negative_rate);
    }
    gw_json_object_end(to);
}

static void write_head(struct gw_json_writer *to, const struct gw_manifest_head *head)
{
    gw_json_object_begin(to);
    gw_json_write_key(to, "name");
    gw_json_write_text(to, head->name);
    gw_json_write_key(to, "file");
    gw_json_write_text(to, head->file);
    gw_json_write_key(to, "weight");
    gw_json_write_double(to, head->weight);
    if (head->objective != NULL) {
        gw_json_write_key(to, "objective");
        gw_json_write_text(to, head->objective);
    }
    gw_json_write_key(to, "calibration");
    write_calibration(to, &head->calibration);
    gw_json_object_end(to);
}

gw_status gw_manifest_write(const struct gw_manifest *manifest, struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer to;
    gw_json_writer_init(&to, out);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "format");
    gw_json_write_i64(&to, FORMAT);
    gw_json_write_key(&to, "model");
    gw_json_write_text(&to, manifest->model_name);
    gw_json_write_key(&to, "version");
    gw_json_write_i64(&to, manifest->version);
    gw_json_write_key(&to, "features");
    gw_json_array_begin(&to);
    for (size_t f = 0; f < manifest->feature_count; f++) {
        gw_json_write_text(&to, manifest->feature_names[f]);
    }
    gw_json_array_end(&to);
    gw_json_write_key(&to, "primary");
    gw_json_write_text(&to, manifest->heads[manifest->primary_head].name);
    gw_json_write_key(&to, "heads");
    gw_json_array_begin(&to);
    for (size_t h = 0; h < manifest->head_count; h++) {
        write_head(&to, &manifest->heads[h]);
    }
    gw_json_array_end(&to);
    gw_json_write_key(&to, "golden");
    gw_json_write_text(&to, manifest->golden_file);
    if (manifest->profile_file != NULL) {
        gw_json_write_key(&to, "profile");
        gw_json_write_text(&to, manifest->profile_file);
    }
    gw_json_write_key(&to, "files");
    gw_json_object_begin(&to);
    for (size_t f = 0; f < manifest->file_count; f++) {
        gw_json_write_key(&to, manifest->files[f].name);
        gw_json_write_text(&to, manifest->files[f].sha256);
    }
    gw_json_object_end(&to);
    gw_json_write_key(&to, "metadata");
    gw_json_write_raw(&to, gw_slice_text(manifest->metadata_json));
    gw_json_object_end(&to);
    return gw_json_writer_finish(&to, err);
}
