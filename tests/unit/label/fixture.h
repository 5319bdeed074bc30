// SPDX-License-Identifier: MIT
// What the tests of the join share: a collector of examples, a changelog in memory, short ways to make inputs.
#pragma once

#include "base/macros.h"
#include "base/mem.h"
#include "label/bits.h"
#include "label/join.h"
#include "support/testkit.h"

#include <string.h>

struct seen {
    struct gw_label_example example; // payload.data points to nothing: see payload
    uint64_t payload;                // its first 8 bytes
    size_t step;                     // for the test to set
};

struct examples {
    struct seen *items;
    size_t count;
    size_t capacity;
};

static inline gw_status collect_example(void *context, const struct gw_label_example *example, gw_err *err)
{
    struct examples *to = context;
    (void)err;
    if (to->count == to->capacity) {
        to->capacity = to->capacity == 0 ? 64 : 2 * to->capacity;
        to->items = gw_mem_realloc(to->items, to->capacity, sizeof *to->items);
        assert_non_null(to->items);
    }
    struct seen *seen = &to->items[to->count++];
    *seen = (struct seen){.example = *example};
    memcpy(&seen->payload, example->payload.data, GW_MIN(example->payload.size, sizeof seen->payload));
    for (size_t i = sizeof seen->payload; i < example->payload.size; i++) { // as fill_payload made it
        assert_int_equal(example->payload.data[i], (uint8_t)(example->payload.data[i - 8] + 1));
    }
    seen->example.payload.data = NULL;
    return GW_OK;
}

// A payload of any size that tells itself apart and shows when bytes of it are lost.
static inline void fill_payload(uint8_t *payload, size_t size, uint64_t number)
{
    for (size_t i = 0; i < size; i++) {
        payload[i] = i < 8 ? (uint8_t)(number >> (8 * i)) : (uint8_t)(payload[i - 8] + 1);
    }
}

// The last value of each key.
struct changelog_row {
    struct gw_label_entry entry;
    uint8_t *payload;
};

struct changelog {
    struct changelog_row *rows;
    size_t count;
    size_t capacity;
    size_t upserts;
    size_t tombstones;
};

static inline gw_status collect_entry(void *context, const struct gw_label_entry *entry, gw_err *err)
{
    struct changelog *log = context;
    (void)err;
    size_t at = 0;
    while (at < log->count && (log->rows[at].entry.key_bytes != entry->key_bytes ||
                               memcmp(log->rows[at].entry.key, entry->key, entry->key_bytes) != 0)) {
        at++;
    }
    if (entry->tombstone) {
        log->tombstones++;
        assert_true(at < log->count); // no tombstone of a key that was never written
        gw_mem_free(log->rows[at].payload);
        log->rows[at] = log->rows[--log->count];
        return GW_OK;
    }
    log->upserts++;
    if (at == log->count) {
        if (log->count == log->capacity) {
            log->capacity = log->capacity == 0 ? 64 : 2 * log->capacity;
            log->rows = gw_mem_realloc(log->rows, log->capacity, sizeof *log->rows);
            assert_non_null(log->rows);
        }
        log->rows[log->count++] = (struct changelog_row){0};
    }
    struct changelog_row *row = &log->rows[at];
    gw_mem_free(row->payload);
    row->entry = *entry;
    row->payload = gw_mem_calloc(1, entry->payload.size);
    assert_non_null(row->payload);
    memcpy(row->payload, entry->payload.data, entry->payload.size);
    row->entry.payload.data = row->payload;
    return GW_OK;
}

static inline void changelog_deinit(struct changelog *log)
{
    for (size_t i = 0; i < log->count; i++) {
        gw_mem_free(log->rows[i].payload);
    }
    gw_mem_free(log->rows);
    *log = (struct changelog){0};
}

static inline void flush_into(struct gw_label_join *join, struct changelog *log)
{
    gw_err err = {0};
    const struct gw_label_state_sink sink = {.entry = collect_entry, .context = log};
    assert_ok_err(gw_label_join_flush(join, &sink, &err), &err);
}
