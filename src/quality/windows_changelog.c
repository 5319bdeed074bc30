// SPDX-License-Identifier: MIT
// Open windows as records of a compacted changelog.
//
//   key 0x00                                                       value: version byte, watermark, count of each
//   outcome key 0x01, start (8, big-endian), version (4), heads, head, variant      value: the head's accumulator
//
// A record a head keeps values far below a broker's limit on messages.
#include "quality/windows.h"

#include "quality/windows_internal.h"

enum {
    KIND_TOTALS = 0,
    KIND_HEAD = 1,
    TOTALS_VERSION = 1,
    TOTALS_BYTES = 1 + 8 + 8 * GW_QUALITY_OUTCOME_COUNT,
    KEY_FIXED_BYTES = 1 + 8 + 4 + 1 + 1,
    KEY_BYTES_MAX = KEY_FIXED_BYTES + GW_QUALITY_VARIANT_BYTES_MAX
};

static struct gw_slice write_key(const struct gw_open_key *key, size_t head, uint8_t bytes[KEY_BYTES_MAX])
{
    bytes[0] = KIND_HEAD;
    gw_store_be64(bytes + 1, (uint64_t)key->start_ms);
    gw_store_be32(bytes + 9, (uint32_t)key->model_version);
    bytes[13] = key->head_count;
    bytes[14] = (uint8_t)head;
    memcpy(bytes + KEY_FIXED_BYTES, key->variant, key->variant_bytes);
    return gw_slice_make(bytes, KEY_FIXED_BYTES + (size_t)key->variant_bytes);
}

static gw_status flush_tombstones(const struct gw_open_window *window, gw_quality_record_sink sink, void *context,
                                  gw_err *err)
{
    uint8_t key[KEY_BYTES_MAX];
    for (size_t i = 0; i < window->key.head_count; i++) {
        GW_TRY(sink(context, write_key(&window->key, i, key), gw_slice_make(NULL, 0), err));
    }
    return GW_OK;
}

static gw_status flush_heads(const struct gw_open_window *window, struct gw_buf *buf, gw_quality_record_sink sink,
                             void *context, gw_err *err)
{
    uint8_t key[KEY_BYTES_MAX];
    for (size_t i = 0; i < window->key.head_count; i++) {
        gw_buf_clear(buf);
        if (gw_head_quality_encode(window->heads[i], buf) != GW_OK) {
            return gw_fail(err, GW_E_MEMORY, "no memory to write the quality of a head");
        }
        GW_TRY(sink(context, write_key(&window->key, i, key), gw_buf_slice(buf), err));
    }
    return GW_OK;
}

static gw_status flush_totals(const struct gw_quality_windows *windows, gw_quality_record_sink sink, void *context,
                              gw_err *err)
{
    static const uint8_t key[] = {KIND_TOTALS};
    uint8_t value[TOTALS_BYTES] = {TOTALS_VERSION};
    gw_store_le64(value + 1, (uint64_t)windows->watermark_ms);
    for (size_t i = 0; i < GW_QUALITY_OUTCOME_COUNT; i++) {
        gw_store_le64(value + 9 + 8 * i, windows->counts[i]);
    }
    return sink(context, gw_slice_make(key, sizeof key), gw_slice_make(value, sizeof value), err);
}

gw_status gw_quality_windows_flush(struct gw_quality_windows *windows, gw_quality_record_sink sink, void *context,
                                   gw_err *err)
{
    // Tombstones first: whoever reads the records back never holds more windows than were open.
    for (size_t i = 0; i < windows->size; i++) {
        if (windows->open[i]->closed && windows->open[i]->recorded) {
            GW_TRY(flush_tombstones(windows->open[i], sink, context, err));
        }
    }
    if (windows->changed) {
        GW_TRY(flush_totals(windows, sink, context, err));
    }
    GW_CLEANUP(gw_buf_deinit) struct gw_buf buf = {0};
    for (size_t i = 0; i < windows->size; i++) {
        if (!windows->open[i]->closed && windows->open[i]->changed) {
            GW_TRY(flush_heads(windows->open[i], &buf, sink, context, err));
        }
    }
    windows->changed = false;
    for (size_t i = 0; i < windows->size; i++) {
        windows->open[i]->changed = false;
        windows->open[i]->recorded = !windows->open[i]->closed;
    }
    gw_open_windows_sweep(windows);
    return GW_OK;
}

static gw_status restore_totals(struct gw_quality_windows *windows, struct gw_slice value, gw_err *err)
{
    if (value.size != TOTALS_BYTES || value.data[0] != TOTALS_VERSION) {
        return gw_fail(err, GW_E_MALFORMED, "not the totals of quality windows: %zu bytes", value.size);
    }
    windows->watermark_ms = (int64_t)gw_load_le64(value.data + 1);
    for (size_t i = 0; i < GW_QUALITY_OUTCOME_COUNT; i++) {
        windows->counts[i] = gw_load_le64(value.data + 9 + 8 * i);
    }
    return GW_OK;
}

static gw_status read_key(const struct gw_quality_windows *windows, struct gw_slice bytes, struct gw_open_key *ret_key,
                          size_t *ret_head, gw_err *err)
{
    if (bytes.size < KEY_FIXED_BYTES || bytes.size > KEY_BYTES_MAX) {
        return gw_fail(err, GW_E_MALFORMED, "not the key of a quality window: %zu bytes", bytes.size);
    }
    struct gw_open_key key = {
        .start_ms = (int64_t)gw_load_be64(bytes.data + 1),
        .model_version = (int32_t)gw_load_be32(bytes.data + 9),
        .head_count = bytes.data[13],
        .variant_bytes = (uint8_t)(bytes.size - KEY_FIXED_BYTES),
    };
    size_t head = bytes.data[14];
    if (key.start_ms < 0 || key.start_ms > INT64_MAX / 4 || key.head_count > GW_QUALITY_HEADS_MAX ||
        head >= key.head_count) {
        return gw_fail(err, GW_E_MALFORMED, "quality window at %lld: head %zu of %u", (long long)key.start_ms, head,
                       key.head_count);
    }
    if (key.start_ms % windows->options.width_ms != 0) {
        return gw_fail(err, GW_E_MISMATCH, "quality window at %lld is not of width %lld ms", (long long)key.start_ms,
                       (long long)windows->options.width_ms);
    }
    memcpy(key.variant, bytes.data + KEY_FIXED_BYTES, key.variant_bytes);
    *ret_key = key;
    *ret_head = head;
    return GW_OK;
}

static gw_status restore_head(struct gw_quality_windows *windows, struct gw_slice key_bytes, struct gw_slice value,
                              gw_err *err)
{
    struct gw_open_key key;
    size_t head = 0;
    GW_TRY(read_key(windows, key_bytes, &key, &head, err));
    if (value.data == NULL) {
        // The heads of a window get their tombstones together, so the first one ends it.
        gw_open_window_remove(windows, &key);
        return GW_OK;
    }
    struct gw_open_window *window = gw_open_window_find(windows, &key);
    bool is_new = window == NULL;
    if (is_new && windows->open_count >= windows->options.open_max) {
        return gw_fail(err, GW_E_TOO_LARGE, "more than %u open quality windows", windows->options.open_max);
    }
    GW_TRY(gw_open_window_get(windows, &key, &window, err));
    window->recorded = true;
    gw_status status = gw_head_quality_decode(window->heads[head], value, err);
    if (status != GW_OK && is_new) {
        gw_open_window_remove(windows, &key);
    }
    return status;
}

gw_status gw_quality_windows_restore(struct gw_quality_windows *windows, struct gw_slice key, struct gw_slice value,
                                     gw_err *err)
{
    if (key.size == 1 && key.data[0] == KIND_TOTALS) {
        return restore_totals(windows, value, err);
    }
    if (key.size > 0 && key.data[0] == KIND_HEAD) {
        return restore_head(windows, key, value, err);
    }
    return gw_fail(err, GW_E_MALFORMED, "not a key of quality windows: %zu bytes", key.size);
}
