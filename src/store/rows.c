// SPDX-License-Identifier: MIT
#include "store/rows.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "redis/redis.h"
#include "store/handle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_BYTES_MAX   (GW_STORE_PREFIX_BYTES_MAX + 24)
#define KEYS_PER_MGET   128
#define WRITES_PER_RUN  100 // of one kind: keeps the script's unpack far below Lua's stack bound of 8000
#define POSITION_FIELDS 3

// Writes come as runs of one kind, in order, because a key may be written twice. When memory is short Redis refuses the
// first growing write of a script and lets a script that has written finish, so this is all or nothing. The log id is
// set here too, so that an emptied Redis is marked again by the first batch that it takes.
static const char apply_script[] = //
    "if ARGV[5] ~= '' and redis.call('SETNX', KEYS[2], ARGV[5]) == 0 and redis.call('GET', KEYS[2]) ~= ARGV[5] then\n"
    "  return {2}\n"
    "end\n"
    "local stored = redis.call('HMGET', KEYS[1], 'next', 'counts', 'time_ms')\n"
    "if (stored[1] or '0') ~= ARGV[1] then return {0, stored} end\n"
    "local at = 6\n"
    "while ARGV[at] do\n"
    "  local kind, last = ARGV[at], at + 1 + tonumber(ARGV[at + 1])\n"
    "  if kind == 's' then redis.call('MSET', unpack(ARGV, at + 2, last))\n"
    "  elseif kind == 'd' then redis.call('DEL', unpack(ARGV, at + 2, last))\n"
    "  else for i = at + 2, last, 3 do redis.call('SET', ARGV[i], ARGV[i + 1], 'PX', ARGV[i + 2]) end end\n"
    "  at = last + 1\n"
    "end\n"
    "redis.call('HSET', KEYS[1], 'next', ARGV[2], 'counts', ARGV[3], 'time_ms', ARGV[4])\n"
    "return {1}\n";
enum { REFUSED = 0, APPLIED = 1, OTHER_LOG = 2 }; // first element of its answer

static void free_store(struct gw_store **store)
{
    gw_store_free(*store);
}

gw_status gw_store_new(const struct gw_store_options *options, struct gw_store **ret_store, gw_err *err)
{
    size_t prefix_size = strlen(options->prefix);
    if (prefix_size > GW_STORE_PREFIX_BYTES_MAX) {
        return gw_fail(err, GW_E_CONFIG, "redis prefix '%.32s...': %zu bytes, at most %d", options->prefix, prefix_size,
                       GW_STORE_PREFIX_BYTES_MAX);
    }
    if (options->timeout_ms == 0) {
        return gw_fail(err, GW_E_CONFIG, "redis timeout: 0 ms, at least 1");
    }
    GW_CLEANUP(free_store) struct gw_store *store = gw_mem_calloc(1, sizeof *store);
    if (store == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a feature store");
    }
    struct gw_redis_options redis_options = {
        .address = options->address, .password = options->password, .timeout_ms = options->timeout_ms};
    GW_TRY(gw_redis_new(&redis_options, &store->redis, err));
    store->prefix_size = prefix_size;
    memcpy(store->prefix, options->prefix, prefix_size);
    store->apply.text = apply_script;
    *ret_store = store;
    store = NULL;
    return GW_OK;
}

void gw_store_free(struct gw_store *store)
{
    if (store != NULL) {
        gw_redis_free(store->redis);
        gw_mem_free(store);
    }
}

// ---- keys

static void arg_row_key(struct gw_store *store, const struct gw_row_key *key)
{
    GW_ASSERT(key->id_count == 1 || key->id_count == 2);
    uint8_t bytes[KEY_BYTES_MAX];
    memcpy(bytes, store->prefix, store->prefix_size);
    uint8_t *to = bytes + store->prefix_size;
    to[0] = 'r';
    to[1] = key->view;
    gw_store_be64(to + 2, (uint64_t)key->id[0]);
    gw_store_be64(to + 10, (uint64_t)key->id[1]);
    gw_redis_arg(store->redis, bytes, store->prefix_size + 2 + (size_t)key->id_count * 8);
}

static void arg_position_key(struct gw_store *store, int32_t partition)
{
    char key[KEY_BYTES_MAX];
    int size = snprintf(key, sizeof key, "%so%d", store->prefix, partition);
    gw_redis_arg(store->redis, key, (size_t)size);
}

static void arg_log_key(struct gw_store *store)
{
    char key[KEY_BYTES_MAX];
    int size = snprintf(key, sizeof key, "%slog", store->prefix);
    gw_redis_arg(store->redis, key, (size_t)size);
}

static void command_position(struct gw_store *store, int32_t partition)
{
    gw_redis_command(store->redis, 2 + POSITION_FIELDS);
    gw_redis_arg_text(store->redis, "HMGET");
    arg_position_key(store, partition);
    gw_redis_arg_text(store->redis, "next");
    gw_redis_arg_text(store->redis, "counts");
    gw_redis_arg_text(store->redis, "time_ms");
}

static void commands_rows(struct gw_store *store, const struct gw_row_key *keys, size_t count)
{
    for (size_t from = 0; from < count; from += KEYS_PER_MGET) {
        size_t n = GW_MIN(count - from, (size_t)KEYS_PER_MGET);
        gw_redis_command(store->redis, 1 + n);
        gw_redis_arg_text(store->redis, "MGET");
        for (size_t i = 0; i < n; i++) {
            arg_row_key(store, &keys[from + i]);
        }
    }
}

// ---- replies

// Fills rows from one MGET's reply of `count` rows.
static gw_status take_rows(struct gw_store *store, const struct gw_resp_node *reply, size_t count,
                           struct gw_slice *rows, gw_err *err)
{
    GW_TRY(gw_redis_expect(store->redis, reply, GW_RESP_ARRAY, err));
    if ((size_t)reply->value != count) {
        return gw_fail(err, GW_E_MISMATCH, "redis '%s': %lld rows, expected %zu", gw_redis_address(store->redis),
                       (long long)reply->value, count);
    }
    for (size_t i = 0; i < count; i++) {
        const struct gw_resp_node *row = reply + 1 + i;
        rows[i] = row->type == GW_RESP_BULK ? gw_redis_bytes(store->redis, row) : (struct gw_slice){0};
    }
    return GW_OK;
}

static gw_status parse_number(struct gw_store *store, const struct gw_resp_node *node, int64_t *ret_value, gw_err *err)
{
    GW_TRY(gw_redis_expect(store->redis, node, GW_RESP_BULK, err));
    struct gw_slice bytes = gw_redis_bytes(store->redis, node);
    char text[24] = {0};
    char *end = text;
    if (bytes.size < sizeof text) {
        memcpy(text, bytes.data, bytes.size);
        errno = 0;
        *ret_value = strtoll(text, &end, 10);
    }
    if (end == text || *end != '\0' || errno != 0) {
        return gw_fail(err, GW_E_MISMATCH, "redis '%s': stored position '%.*s' is not a number; clear the store",
                       gw_redis_address(store->redis), (int)GW_MIN(bytes.size, 40), (const char *)bytes.data);
    }
    return GW_OK;
}

static gw_status take_position(struct gw_store *store, const struct gw_resp_node *reply,
                               struct gw_store_position *ret_position, gw_err *err)
{
    GW_TRY(gw_redis_expect(store->redis, reply, GW_RESP_ARRAY, err));
    const struct gw_resp_node *field = reply + 1;
    struct gw_store_position position = {0};
    if (reply->value == POSITION_FIELDS && field[0].type != GW_RESP_NIL) {
        position.present = true;
        GW_TRY(parse_number(store, &field[0], &position.next_offset, err));
        GW_TRY(gw_redis_expect(store->redis, &field[1], GW_RESP_BULK, err));
        struct gw_slice counts = gw_redis_bytes(store->redis, &field[1]);
        if (counts.size >= sizeof position.counts) {
            return gw_fail(err, GW_E_MISMATCH, "redis '%s': stored counts of %zu bytes; clear the store",
                           gw_redis_address(store->redis), counts.size);
        }
        memcpy(position.counts, counts.data, counts.size);
        GW_TRY(parse_number(store, &field[2], &position.time_ms, err));
    }
    *ret_position = position;
    return GW_OK;
}

// ---- operations

gw_status gw_store_ping(struct gw_store *store, uint64_t *ret_latency_us, gw_err *err)
{
    uint64_t start_us = gw_clock_mono_us();
    gw_redis_begin(store->redis);
    gw_redis_command(store->redis, 1);
    gw_redis_arg_text(store->redis, "PING");
    GW_TRY(gw_redis_exchange(store->redis, gw_redis_deadline(store->redis), err));
    GW_TRY(gw_redis_expect(store->redis, gw_redis_reply(store->redis, 0), GW_RESP_TEXT, err));
    *ret_latency_us = gw_clock_mono_us() - start_us;
    return GW_OK;
}

static gw_status check_policy(struct gw_store *store, gw_err *err)
{
    // INFO, not CONFIG: managed servers refuse CONFIG.
    static const char field[] = "maxmemory_policy:";
    gw_redis_begin(store->redis);
    gw_redis_command(store->redis, 2);
    gw_redis_arg_text(store->redis, "INFO");
    gw_redis_arg_text(store->redis, "memory");
    GW_TRY(gw_redis_exchange(store->redis, gw_redis_deadline(store->redis), err));
    const struct gw_resp_node *reply = gw_redis_reply(store->redis, 0);
    GW_TRY(gw_redis_expect(store->redis, reply, GW_RESP_BULK, err));
    struct gw_slice info = gw_redis_bytes(store->redis, reply);
    const char *at = memmem(info.data, info.size, field, sizeof field - 1);
    if (at == NULL) {
        return gw_fail(err, GW_E_CONFIG, "redis '%s': does not tell its maxmemory-policy",
                       gw_redis_address(store->redis));
    }
    const char *policy = at + sizeof field - 1;
    size_t size = 0;
    while ((const uint8_t *)policy + size < info.data + info.size && policy[size] != '\r') {
        size++;
    }
    if (!gw_slice_is(gw_slice_make(policy, size), "noeviction")) {
        return gw_fail(err, GW_E_CONFIG,
                       "redis '%s': maxmemory-policy is '%.*s' and would lose rows, set it to 'noeviction'",
                       gw_redis_address(store->redis), (int)GW_MIN(size, 32), policy);
    }
    return GW_OK;
}

static gw_status other_log(const struct gw_store *store, gw_err *err)
{
    return gw_fail(err, GW_E_MISMATCH,
                   "redis '%s': prefix '%s' holds rows of another feature_updates topic, clear it with "
                   "'godwit features clear'",
                   gw_redis_address(store->redis), store->prefix);
}

gw_status gw_store_check(struct gw_store *store, const uint8_t *log_id, gw_err *err)
{
    GW_TRY(check_policy(store, err));
    if (log_id == NULL) {
        return GW_OK;
    }
    gw_redis_begin(store->redis);
    gw_redis_command(store->redis, 3);
    gw_redis_arg_text(store->redis, "SETNX");
    arg_log_key(store);
    gw_redis_arg(store->redis, log_id, GW_STORE_LOG_ID_BYTES);
    gw_redis_command(store->redis, 2);
    gw_redis_arg_text(store->redis, "GET");
    arg_log_key(store);
    GW_TRY(gw_redis_exchange(store->redis, gw_redis_deadline(store->redis), err));
    GW_TRY(gw_redis_expect(store->redis, gw_redis_reply(store->redis, 0), GW_RESP_INTEGER, err));
    const struct gw_resp_node *stored = gw_redis_reply(store->redis, 1);
    GW_TRY(gw_redis_expect(store->redis, stored, GW_RESP_BULK, err));
    if (!gw_slice_equal(gw_redis_bytes(store->redis, stored), gw_slice_make(log_id, GW_STORE_LOG_ID_BYTES))) {
        return other_log(store, err);
    }
    memcpy(store->log_id, log_id, GW_STORE_LOG_ID_BYTES);
    store->log_id_known = true;
    return GW_OK;
}

gw_status gw_store_read(struct gw_store *store, const struct gw_row_key *keys, size_t count, uint64_t deadline_us,
                        struct gw_slice *rows, gw_err *err)
{
    gw_redis_begin(store->redis);
    commands_rows(store, keys, count);
    uint64_t bound_us = gw_redis_deadline(store->redis);
    GW_TRY(gw_redis_exchange(store->redis, GW_MIN(deadline_us, bound_us), err));
    size_t index = 0;
    for (size_t from = 0; from < count; from += KEYS_PER_MGET, index++) {
        size_t n = GW_MIN(count - from, (size_t)KEYS_PER_MGET);
        GW_TRY(take_rows(store, gw_redis_reply(store->redis, index), n, rows + from, err));
    }
    return GW_OK;
}

gw_status gw_store_position(struct gw_store *store, int32_t partition, struct gw_store_position *ret_position,
                            gw_err *err)
{
    gw_redis_begin(store->redis);
    command_position(store, partition);
    GW_TRY(gw_redis_exchange(store->redis, gw_redis_deadline(store->redis), err));
    return take_position(store, gw_redis_reply(store->redis, 0), ret_position, err);
}

gw_status gw_store_read_at(struct gw_store *store, int32_t partition, const struct gw_row_key *keys, size_t count,
                           struct gw_slice *rows, struct gw_store_position *ret_position, gw_err *err)
{
    struct gw_redis *redis = store->redis;
    gw_redis_begin(redis);
    gw_redis_command(redis, 1);
    gw_redis_arg_text(redis, "MULTI");
    command_position(store, partition);
    commands_rows(store, keys, count);
    gw_redis_command(redis, 1);
    gw_redis_arg_text(redis, "EXEC");
    GW_TRY(gw_redis_exchange(redis, gw_redis_deadline(redis), err));

    size_t reads = (count + KEYS_PER_MGET - 1) / KEYS_PER_MGET;
    for (size_t i = 0; i < 2 + reads; i++) { // OK of MULTI, then QUEUED, or why not
        GW_TRY(gw_redis_expect(redis, gw_redis_reply(redis, i), GW_RESP_TEXT, err));
    }
    const struct gw_resp_node *exec = gw_redis_reply(redis, 2 + reads);
    GW_TRY(gw_redis_expect(redis, exec, GW_RESP_ARRAY, err));
    if ((size_t)exec->value != 1 + reads) {
        return gw_fail(err, GW_E_MISMATCH, "redis '%s': %lld replies of a transaction, expected %zu",
                       gw_redis_address(redis), (long long)exec->value, 1 + reads);
    }
    struct gw_store_position position;
    const struct gw_resp_node *reply = exec + 1;
    GW_TRY(take_position(store, reply, &position, err));
    for (size_t from = 0; from < count; from += KEYS_PER_MGET) {
        reply = gw_redis_next(redis, reply);
        size_t n = GW_MIN(count - from, (size_t)KEYS_PER_MGET);
        GW_TRY(take_rows(store, reply, n, rows + from, err));
    }
    *ret_position = position;
    return GW_OK;
}

// ---- apply

enum write_kind { WRITE_SET, WRITE_EXPIRE, WRITE_DELETE };

static enum write_kind kind_of(const struct gw_store_write *write)
{
    if (write->row.data == NULL) {
        return WRITE_DELETE;
    }
    return write->expire_ms > 0 ? WRITE_EXPIRE : WRITE_SET;
}

// How many of the next writes make one run: of one kind, bounded.
static size_t run_length(const struct gw_store_write *writes, size_t count)
{
    size_t n = 1;
    while (n < count && n < WRITES_PER_RUN && kind_of(&writes[n]) == kind_of(&writes[0])) {
        n++;
    }
    return n;
}

static void arg_run(struct gw_store *store, const struct gw_store_write *writes, size_t count)
{
    static const char *const names[] = {[WRITE_SET] = "s", [WRITE_EXPIRE] = "e", [WRITE_DELETE] = "d"};
    static const size_t args_each[] = {[WRITE_SET] = 2, [WRITE_EXPIRE] = 3, [WRITE_DELETE] = 1};
    enum write_kind kind = kind_of(&writes[0]);
    gw_redis_arg_text(store->redis, names[kind]);
    gw_redis_arg_number(store->redis, (int64_t)(count * args_each[kind]));
    for (size_t i = 0; i < count; i++) {
        arg_row_key(store, &writes[i].key);
        if (kind != WRITE_DELETE) {
            gw_redis_arg(store->redis, writes[i].row.data, writes[i].row.size);
        }
        if (kind == WRITE_EXPIRE) {
            gw_redis_arg_number(store->redis, writes[i].expire_ms);
        }
    }
}

static size_t count_run_args(const struct gw_store_write *writes, size_t count)
{
    size_t args = 0;
    for (size_t from = 0; from < count;) {
        size_t n = run_length(writes + from, count - from);
        enum write_kind kind = kind_of(&writes[from]);
        args += 2 + n * (kind == WRITE_DELETE ? 1 : kind == WRITE_SET ? 2 : 3);
        from += n;
    }
    return args;
}

gw_status gw_store_apply(struct gw_store *store, int32_t partition, int64_t expected_offset,
                         const struct gw_store_write *writes, size_t count, int64_t next_offset, const char *counts,
                         int64_t now_ms, bool *ret_applied, struct gw_store_position *ret_position, gw_err *err)
{
    struct gw_store_position written = {.next_offset = next_offset, .time_ms = now_ms, .present = true};
    size_t counts_size = strlen(counts);
    GW_ASSERT(expected_offset >= 0 && next_offset >= expected_offset && counts_size < sizeof written.counts);
    memcpy(written.counts, counts, counts_size);

    struct gw_redis *redis = store->redis;
    gw_redis_script_begin(redis, &store->apply, 2, 5 + count_run_args(writes, count));
    arg_position_key(store, partition);
    arg_log_key(store);
    gw_redis_arg_number(redis, expected_offset);
    gw_redis_arg_number(redis, next_offset);
    gw_redis_arg(redis, counts, counts_size);
    gw_redis_arg_number(redis, now_ms);
    gw_redis_arg(redis, store->log_id, store->log_id_known ? GW_STORE_LOG_ID_BYTES : 0);
    for (size_t from = 0; from < count;) {
        size_t n = run_length(writes + from, count - from);
        arg_run(store, writes + from, n);
        from += n;
    }
    const struct gw_resp_node *reply = NULL;
    GW_TRY(gw_redis_script_run(redis, &store->apply, gw_redis_deadline(redis), &reply, err));
    GW_TRY(gw_redis_expect(redis, reply, GW_RESP_ARRAY, err));
    int64_t answer = reply->value > 0 && reply[1].type == GW_RESP_INTEGER ? reply[1].value : -1;
    if (answer == OTHER_LOG) {
        return other_log(store, err);
    }
    if (answer == REFUSED && reply->value == 2) {
        GW_TRY(take_position(store, reply + 2, &written, err));
    } else if (answer != APPLIED) {
        return gw_fail(err, GW_E_MISMATCH, "redis '%s': unexpected answer of the apply script",
                       gw_redis_address(redis));
    }
    *ret_position = written;
    *ret_applied = answer == APPLIED;
    return GW_OK;
}
