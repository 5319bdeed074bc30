// SPDX-License-Identifier: MIT
#include "model/golden.h"

#include "base/mem.h"
#include "model/fields.h"

#include <math.h>

// Growing list of floats.
struct floats {
    float *items;
    size_t count;
    size_t capacity;
};

struct reader {
    struct gw_json json;
    const struct gw_manifest *manifest;
    struct floats rows;
    size_t row_count;
    struct floats margins[GW_BUNDLE_HEADS_MAX];
    gw_err *err;
};

void gw_golden_deinit(struct gw_golden *golden)
{
    gw_mem_free(golden->rows);
    gw_mem_free(golden->margins);
    *golden = (struct gw_golden){0};
}

// Appends the floats of one array, at most `limit`.
static gw_status read_floats(struct reader *in, struct floats *to, size_t limit)
{
    size_t count = 0;
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        if (count == limit) {
            return gw_fail(in->err, GW_E_INVALID, "more than %zu values", limit);
        }
        if (to->count == to->capacity) {
            size_t capacity = GW_MAX(1024, 2 * to->capacity);
            float *items = gw_mem_realloc(to->items, capacity, sizeof *items);
            if (items == NULL) {
                return gw_fail(in->err, GW_E_MEMORY, "no memory for %zu values", capacity);
            }
            to->items = items;
            to->capacity = capacity;
        }
        GW_TRY(gw_json_float(&in->json, &to->items[to->count], in->err));
        to->count++;
        count++;
    }
}

static gw_status read_rows(struct reader *in)
{
    const size_t feature_count = in->manifest->feature_count;
    GW_TRY(gw_json_enter(&in->json, GW_JSON_ARRAY, in->err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(&in->json, &more, in->err));
        if (!more) {
            return GW_OK;
        }
        if (in->row_count == GW_GOLDEN_ROWS_MAX) {
            return gw_fail(in->err, GW_E_TOO_LARGE, "more than %d golden rows", GW_GOLDEN_ROWS_MAX);
        }
        gw_status status = read_floats(in, &in->rows, feature_count);
        if (status != GW_OK) {
            return gw_fail_context(in->err, status, "row %zu", in->row_count);
        }
        in->row_count++;
        if (in->rows.count != in->row_count * feature_count) {
            return gw_fail(in->err, GW_E_INVALID, "row %zu: fewer than %zu values", in->row_count - 1, feature_count);
        }
    }
}

static gw_status read_margins(struct reader *in)
{
    const char *keys[GW_BUNDLE_HEADS_MAX];
    for (size_t h = 0; h < in->manifest->head_count; h++) {
        keys[h] = in->manifest->heads[h].name;
    }
    struct gw_fields fields = {.keys = keys, .key_count = in->manifest->head_count};
    GW_TRY(gw_fields_enter(&fields, &in->json, in->err));
    for (;;) {
        size_t index = 0;
        bool more = false;
        GW_TRY(gw_fields_next(&fields, &in->json, &index, &more, in->err));
        if (!more) {
            return gw_fields_require(&fields, (1u << in->manifest->head_count) - 1, in->err);
        }
        GW_TRY(read_floats(in, &in->margins[index], GW_GOLDEN_ROWS_MAX));
    }
}

static gw_status read_golden(struct reader *in)
{
    enum { ROWS, MARGINS };
    static const char *const keys[] = {"rows", "margins"};
    struct gw_fields fields = {.keys = keys, .key_count = GW_COUNT_OF(keys)};
    GW_TRY(gw_fields_enter(&fields, &in->json, in->err));
    for (;;) {
        size_t index = 0;
        bool more = false;
        GW_TRY(gw_fields_next(&fields, &in->json, &index, &more, in->err));
        if (!more) {
            break;
        }
        GW_TRY(index == ROWS ? read_rows(in) : read_margins(in));
    }
    GW_TRY(gw_json_end(&in->json, in->err));
    GW_TRY(gw_fields_require(&fields, 1u << ROWS | 1u << MARGINS, in->err));
    if (in->row_count == 0) {
        return gw_fail(in->err, GW_E_INVALID, "no golden rows");
    }
    for (size_t h = 0; h < in->manifest->head_count; h++) {
        if (in->margins[h].count != in->row_count) {
            return gw_fail(in->err, GW_E_INVALID, "head '%s': %zu margins for %zu golden rows",
                           in->manifest->heads[h].name, in->margins[h].count, in->row_count);
        }
    }
    return GW_OK;
}

static gw_status take(struct reader *in, struct gw_golden *ret_golden)
{
    const size_t head_count = in->manifest->head_count;
    float *margins = gw_mem_calloc(head_count * in->row_count, sizeof *margins);
    if (margins == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for golden margins");
    }
    for (size_t h = 0; h < head_count; h++) {
        memcpy(margins + h * in->row_count, in->margins[h].items, in->row_count * sizeof *margins);
    }
    *ret_golden = (struct gw_golden){.row_count = in->row_count,
                                     .feature_count = in->manifest->feature_count,
                                     .head_count = head_count,
                                     .rows = in->rows.items,
                                     .margins = margins};
    in->rows.items = NULL;
    return GW_OK;
}

gw_status gw_golden_parse(struct gw_slice text, const struct gw_manifest *manifest, struct gw_golden *ret_golden,
                          gw_err *err)
{
    struct reader in = {.manifest = manifest, .err = err};
    gw_json_init(&in.json, text);
    in.json.lenient_numbers = true;
    gw_status status = read_golden(&in);
    if (status == GW_OK) {
        status = take(&in, ret_golden);
    }
    gw_mem_free(in.rows.items);
    for (size_t h = 0; h < GW_BUNDLE_HEADS_MAX; h++) {
        gw_mem_free(in.margins[h].items);
    }
    return status;
}

static gw_status write_floats(struct gw_buf *out, const float *values, size_t count)
{
    GW_TRY(gw_buf_append_text(out, "["));
    for (size_t i = 0; i < count; i++) {
        const char *comma = i > 0 ? "," : "";
        if (isfinite(values[i])) {
            GW_TRY(gw_buf_append_format(out, "%s%.9g", comma, (double)values[i]));
        } else {
            const char *word = isnan(values[i]) ? "NaN" : values[i] > 0 ? "Infinity" : "-Infinity";
            GW_TRY(gw_buf_append_format(out, "%s%s", comma, word));
        }
    }
    return gw_buf_append_text(out, "]");
}

static gw_status write_golden(const struct gw_golden *golden, const char *const *head_names, struct gw_buf *out)
{
    GW_TRY(gw_buf_append_text(out, "{\"rows\":[\n"));
    for (size_t r = 0; r < golden->row_count; r++) {
        GW_TRY(write_floats(out, golden->rows + r * golden->feature_count, golden->feature_count));
        GW_TRY(gw_buf_append_text(out, r + 1 < golden->row_count ? ",\n" : "\n"));
    }
    GW_TRY(gw_buf_append_text(out, "],\"margins\":{\n"));
    for (size_t h = 0; h < golden->head_count; h++) {
        GW_TRY(gw_buf_append_format(out, "\"%s\":", head_names[h]));
        GW_TRY(write_floats(out, golden->margins + h * golden->row_count, golden->row_count));
        GW_TRY(gw_buf_append_text(out, h + 1 < golden->head_count ? ",\n" : "\n"));
    }
    return gw_buf_append_text(out, "}}\n");
}

gw_status gw_golden_write(const struct gw_golden *golden, const char *const *head_names, struct gw_buf *out,
                          gw_err *err)
{
    gw_status status = write_golden(golden, head_names, out);
    return status == GW_OK ? GW_OK : gw_fail(err, status, "no memory for golden rows");
}
