// SPDX-License-Identifier: MIT
// Feature rows in Redis: a view of the feature_updates changelog at an offset that Redis keeps with the rows.
//
// Keys: <prefix> r <view code> <id, 8 bytes big-endian> [<id2>]; offsets: <prefix> o <partition, decimal> as a hash of
// {next, counts, time_ms}; log id: <prefix> log. Only `online` writes rows. One owning thread per handle; a lost
// connection is re-opened at the next call.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_store;

struct gw_store_options {
    const char *address; // host:port; borrowed for the call
    const char *password; // NULL: none
    const char *prefix;
    uint32_t timeout_ms; // bound of every call
};

// Key of a row: view code and one or two ids.
struct gw_row_key {
    uint8_t view;
    uint8_t id_count; // 1 or 2
    int64_t id[2];    // id[1] is 0 when id_count is 1
};

// The row's key in the changelog: view code, then the ids big-endian. `key` has room for GW_ROW_KEY_BYTES_MAX; gives the
// size. gw_row_key_parse: GW_E_MALFORMED for anything else (the log id's key is no row's key).
#define GW_ROW_KEY_BYTES_MAX 17
size_t gw_row_key_bytes(const struct gw_row_key *key, uint8_t *bytes);
GW_CHECK gw_status gw_row_key_parse(struct gw_slice bytes, struct gw_row_key *ret_key);

// Opens lazily: no connection is made here.
GW_CHECK gw_status gw_store_new(const struct gw_store_options *options, struct gw_store **ret_store, gw_err *err);
void gw_store_free(struct gw_store *store);

// Connects and checks what the store relies on: maxmemory-policy noeviction (GW_E_CONFIG naming it), and the log id: an
// empty store takes `log_id` (16 bytes) when there is one to give, another one is GW_E_MISMATCH naming the command that
// clears the store. log_id NULL: only connect.
GW_CHECK gw_status gw_store_check(struct gw_store *store, const uint8_t *log_id, gw_err *err);

GW_CHECK gw_status gw_store_ping(struct gw_store *store, uint64_t *ret_latency_us, gw_err *err);

// Reads rows by pipelined MGET (128 keys each, at most 4 in flight). rows[i].data is NULL when absent, else borrowed
// until the next call on this store. deadline_us: monotonic, cut to timeout_ms from now; GW_E_TIMEOUT past it,
// GW_E_UNAVAILABLE when Redis is away.
GW_CHECK gw_status gw_store_read(struct gw_store *store, const struct gw_row_key *keys, size_t count,
                                 uint64_t deadline_us, struct gw_slice *rows, gw_err *err);

// Stored position of one changelog partition.
struct gw_store_position {
    int64_t next_offset; // 0 when the partition has none
    int64_t time_ms;     // when it was stored
    bool present;
    char counts[256];    // cumulative counts of the sink, as it wrote them
};

// Rows and the partition's position in one transaction (MULTI: unlike a script it copies no row through Lua), so that
// both are of one moment.
GW_CHECK gw_status gw_store_read_at(struct gw_store *store, int32_t partition, const struct gw_row_key *keys,
                                    size_t count, struct gw_slice *rows, struct gw_store_position *ret_position,
                                    gw_err *err);

GW_CHECK gw_status gw_store_position(struct gw_store *store, int32_t partition,
                                     struct gw_store_position *ret_position, gw_err *err);

// One absolute write: the row's bytes, or data NULL to delete. expire_ms: from now, 0 never. A later write of the same
// key in one call wins.
struct gw_store_write {
    struct gw_row_key key;
    struct gw_slice row;
    int64_t expire_ms;
};

// One script: if the stored next offset equals expected_offset (absent counts as 0), writes everything and stores
// next_offset, counts and now. *ret_applied false: the compare failed and *ret_position says what is stored; nothing was
// written. Split into calls of at most 200 writes by the caller. After gw_store_check with a log id, a store that holds
// another one meanwhile is GW_E_MISMATCH, and an emptied one is given ours.
// GW_E_TIMEOUT and GW_E_UNAVAILABLE leave open whether it was applied: a second call finds out.
GW_CHECK gw_status gw_store_apply(struct gw_store *store, int32_t partition, int64_t expected_offset,
                                  const struct gw_store_write *writes, size_t count, int64_t next_offset,
                                  const char *counts, int64_t now_ms, bool *ret_applied,
                                  struct gw_store_position *ret_position, gw_err *err);

// Removes the rows, positions and log id of this prefix (operator's verb; scans). Safe beside a running `online`, which
// then starts over from 0.
GW_CHECK gw_status gw_store_clear(struct gw_store *store, uint64_t *ret_removed, gw_err *err);
