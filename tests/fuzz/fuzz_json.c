// SPDX-License-Identifier: MIT
// Reads the input by every reader function, writes what it read, and reads that back: what was accepted must survive.
#include "base/check.h"
#include "base/json.h"

#include <stdlib.h>

static gw_status copy_value(struct gw_json *json, struct gw_json_writer *writer, struct gw_buf *scratch);

static gw_status copy_members(struct gw_json *json, enum gw_json_kind kind, struct gw_json_writer *writer,
                              struct gw_buf *scratch)
{
    bool object = kind == GW_JSON_OBJECT;
    bool more = false;
    GW_TRY(gw_json_enter(json, kind, NULL));
    object ? gw_json_object_begin(writer) : gw_json_array_begin(writer);
    for (;;) {
        GW_TRY(gw_json_next(json, &more, NULL));
        if (!more) {
            break;
        }
        if (object) {
            struct gw_slice key = {0};
            GW_TRY(gw_json_key(json, &key, NULL));
            gw_json_write_key(writer, "k");
        }
        GW_TRY(copy_value(json, writer, scratch));
    }
    object ? gw_json_object_end(writer) : gw_json_array_end(writer);
    return GW_OK;
}

static gw_status copy_number(struct gw_json *json, struct gw_json_writer *writer)
{
    struct gw_json again = *json;
    double value = 0;
    float narrow = 0;
    int64_t whole = 0;
    if (gw_json_i64(&again, &whole, NULL) == GW_OK) {
        *json = again;
        gw_json_write_i64(writer, whole);
        return GW_OK;
    }
    again = *json;
    gw_status status = gw_json_float(&again, &narrow, NULL);
    GW_TRY(gw_json_double(json, &value, NULL));
    GW_ASSERT(status != GW_OK || again.at == json->at);
    gw_json_write_double(writer, value);
    return GW_OK;
}

static gw_status copy_value(struct gw_json *json, struct gw_json_writer *writer, struct gw_buf *scratch)
{
    enum gw_json_kind kind = GW_JSON_NULL;
    bool flag = false;
    GW_TRY(gw_json_peek(json, &kind, NULL));
    switch (kind) {
    case GW_JSON_NULL:
        GW_TRY(gw_json_null(json, NULL));
        gw_json_write_null(writer);
        return GW_OK;
    case GW_JSON_BOOL:
        GW_TRY(gw_json_bool(json, &flag, NULL));
        gw_json_write_bool(writer, flag);
        return GW_OK;
    case GW_JSON_NUMBER:
        return copy_number(json, writer);
    case GW_JSON_STRING:
        GW_TRY(gw_json_string(json, scratch, 1 << 16, NULL));
        gw_json_write_string(writer, gw_buf_slice(scratch));
        return GW_OK;
    case GW_JSON_ARRAY:
    case GW_JSON_OBJECT:
        // The reader allows one level more than the writer.
        return json->depth + 2 < GW_JSON_DEPTH_MAX ? copy_members(json, kind, writer, scratch) : GW_E_TOO_LARGE;
    }
    return GW_E_INTERNAL;
}

static gw_status skip_whole(struct gw_slice text, bool lenient)
{
    struct gw_json json;
    gw_json_init(&json, text);
    json.lenient_numbers = lenient;
    GW_TRY(gw_json_skip(&json, NULL));
    return gw_json_end(&json, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_slice text = gw_slice_make(data, size);
    struct gw_buf out = {0};
    struct gw_buf scratch = {0};
    struct gw_json json;
    struct gw_json_writer writer;

    gw_status skipped = skip_whole(text, true);
    gw_json_init(&json, text);
    json.lenient_numbers = true;
    gw_json_writer_init(&writer, &out);
    gw_status copied = copy_value(&json, &writer, &scratch);
    if (copied == GW_OK) {
        copied = gw_json_end(&json, NULL);
        GW_ASSERT(copied == skipped);
        if (copied == GW_OK) {
            GW_ASSERT(gw_json_writer_finish(&writer, NULL) == GW_OK);
            GW_ASSERT(skip_whole(gw_buf_slice(&out), false) == GW_OK);
        }
    }
    gw_buf_deinit(&scratch);
    gw_buf_deinit(&out);
    return 0;
}
