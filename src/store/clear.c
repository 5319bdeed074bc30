// SPDX-License-Identifier: MIT
// Removing everything under a prefix by SCAN. Positions go first, so that no reader takes half-removed rows for
// current, and again at the end: an `online` that kept writing meanwhile then finds its compare failed and starts over
// from 0.
#include "store/handle.h"

#include <stdlib.h>

#define SCAN_COUNT "1000"

// The keys of one SCAN page, copied out of the reply: u32 size, bytes, and so on.
struct page {
    struct gw_buf bytes;
    size_t count;
    uint64_t cursor;
};

static void free_page(struct page *page)
{
    gw_buf_deinit(&page->bytes);
}

static gw_status out_of_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory to clear the store");
}

// The prefix with glob characters escaped, then the first byte of the kind of key, then a star.
static gw_status make_pattern(const struct gw_store *store, char kind, struct gw_buf *pattern)
{
    for (size_t i = 0; i < store->prefix_size; i++) {
        if (strchr("*?[]\\^-", store->prefix[i]) != NULL) {
            GW_TRY(gw_buf_append(pattern, "\\", 1));
        }
        GW_TRY(gw_buf_append(pattern, &store->prefix[i], 1));
    }
    const char tail[2] = {kind, '*'};
    return gw_buf_append(pattern, tail, sizeof tail);
}

// Whether a key that has our prefix has the shape of one of ours: another store's prefix may begin with this one.
static bool is_ours(const struct gw_store *store, struct gw_slice key)
{
    if (key.size <= store->prefix_size) {
        return false;
    }
    const uint8_t *tail = key.data + store->prefix_size;
    size_t size = key.size - store->prefix_size;
    if (tail[0] == 'r') {
        return size == 10 || size == 18;
    }
    if (tail[0] != 'o') {
        return gw_slice_is(gw_slice_make(tail, size), "log");
    }
    for (size_t i = 1; i < size; i++) {
        if (tail[i] < '0' || tail[i] > '9') {
            return false;
        }
    }
    return size > 1;
}

static gw_status take_page(struct gw_store *store, struct page *page, gw_err *err)
{
    struct gw_redis *redis = store->redis;
    const struct gw_resp_node *reply = gw_redis_reply(redis, 0);
    GW_TRY(gw_redis_expect(redis, reply, GW_RESP_ARRAY, err));
    const struct gw_resp_node *cursor = reply + 1;
    if (reply->value != 2 || cursor->type != GW_RESP_BULK || cursor->value > 20 || cursor[1].type != GW_RESP_ARRAY) {
        return gw_fail(err, GW_E_MISMATCH, "redis '%s': unexpected answer of a scan", gw_redis_address(redis));
    }
    char text[24] = {0};
    struct gw_slice digits = gw_redis_bytes(redis, cursor);
    memcpy(text, digits.data, digits.size);
    page->cursor = strtoull(text, NULL, 10);
    page->count = 0;
    gw_buf_clear(&page->bytes);
    for (int64_t i = 0; i < cursor[1].value; i++) {
        const struct gw_resp_node *key = cursor + 2 + i;
        GW_TRY(gw_redis_expect(redis, key, GW_RESP_BULK, err));
        struct gw_slice bytes = gw_redis_bytes(redis, key);
        if (!is_ours(store, bytes)) {
            continue;
        }
        uint32_t size = (uint32_t)bytes.size;
        if (gw_buf_append(&page->bytes, &size, sizeof size) != GW_OK ||
            gw_buf_append(&page->bytes, bytes.data, bytes.size) != GW_OK) {
            return out_of_memory(err);
        }
        page->count++;
    }
    return GW_OK;
}

static gw_status unlink_page(struct gw_store *store, const struct page *page, uint64_t *removed, gw_err *err)
{
    struct gw_redis *redis = store->redis;
    if (page->count == 0) {
        return GW_OK;
    }
    gw_redis_begin(redis);
    gw_redis_command(redis, 1 + page->count);
    gw_redis_arg_text(redis, "UNLINK");
    size_t at = 0;
    for (size_t i = 0; i < page->count; i++) {
        size_t size = gw_load_le32(page->bytes.data + at);
        gw_redis_arg(redis, page->bytes.data + at + 4, size);
        at += 4 + size;
    }
    GW_TRY(gw_redis_exchange(redis, gw_redis_deadline(redis), err));
    const struct gw_resp_node *reply = gw_redis_reply(redis, 0);
    GW_TRY(gw_redis_expect(redis, reply, GW_RESP_INTEGER, err));
    *removed += (uint64_t)reply->value;
    return GW_OK;
}

static gw_status clear_pages(struct gw_store *store, const struct gw_buf *pattern, struct page *page, uint64_t *removed,
                             gw_err *err)
{
    struct gw_redis *redis = store->redis;
    page->cursor = 0;
    do {
        gw_redis_begin(redis);
        gw_redis_command(redis, 6);
        gw_redis_arg_text(redis, "SCAN");
        gw_redis_arg_number(redis, (int64_t)page->cursor);
        gw_redis_arg_text(redis, "MATCH");
        gw_redis_arg(redis, pattern->data, pattern->size);
        gw_redis_arg_text(redis, "COUNT");
        gw_redis_arg_text(redis, SCAN_COUNT);
        GW_TRY(gw_redis_exchange(redis, gw_redis_deadline(redis), err));
        GW_TRY(take_page(store, page, err));
        GW_TRY(unlink_page(store, page, removed, err));
    } while (page->cursor != 0);
    return GW_OK;
}

static gw_status clear_kind(struct gw_store *store, char kind, uint64_t *removed, gw_err *err)
{
    GW_CLEANUP(free_page) struct page page = {0};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf pattern = {0};
    if (make_pattern(store, kind, &pattern) != GW_OK) {
        return out_of_memory(err);
    }
    return clear_pages(store, &pattern, &page, removed, err);
}

gw_status gw_store_clear(struct gw_store *store, uint64_t *ret_removed, gw_err *err)
{
    static const char kinds[] = {'o', 'l', 'r', 'o'};
    uint64_t removed = 0;
    store->log_id_known = false;
    for (size_t i = 0; i < GW_COUNT_OF(kinds); i++) {
        GW_TRY(clear_kind(store, kinds[i], &removed, err));
    }
    *ret_removed = removed;
    return GW_OK;
}
