// SPDX-License-Identifier: MIT
// The feature store against a real Redis (GODWIT_REDIS_ADDRESS); each test has a prefix of its own.
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "redis/redis.h"
#include "store/rows.h"
#include "support/testkit.h"

#include <stdio.h>
#include <unistd.h>

static char prefix[40];

static struct gw_store *open_store_as(const char *with_prefix)
{
    const char *address = getenv("GODWIT_REDIS_ADDRESS");
    struct gw_store *store = NULL;
    gw_err err = {0};
    if (address == NULL) {
        print_message("GODWIT_REDIS_ADDRESS is not set\n");
        skip();
    }
    struct gw_store_options options = {.address = address, .prefix = with_prefix, .timeout_ms = 5000};
    assert_ok_err(gw_store_new(&options, &store, &err), &err);
    return store;
}

// A store under a new random prefix.
static struct gw_store *open_store(void)
{
    struct gw_rng rng;
    gw_rng_init(&rng, (uint64_t)gw_clock_wall_us() ^ (uint64_t)getpid());
    snprintf(prefix, sizeof prefix, "test*[%016llx]:", (unsigned long long)gw_rng_next(&rng));
    return open_store_as(prefix);
}

static void close_store(struct gw_store *store)
{
    uint64_t removed = 0;
    assert_ok(gw_store_clear(store, &removed, NULL));
    gw_store_free(store);
}

static struct gw_row_key key_of(int64_t id)
{
    return (struct gw_row_key){.view = 7, .id_count = 1, .id = {id}};
}

static struct gw_store_write write_of(int64_t id, const char *text)
{
    return (struct gw_store_write){.key = key_of(id), .row = gw_slice_text(text)};
}

static bool apply(struct gw_store *store, int64_t expected, const struct gw_store_write *writes, size_t count,
                  int64_t next, struct gw_store_position *ret_position)
{
    bool applied = false;
    gw_err err = {0};
    assert_ok_err(
        gw_store_apply(store, 3, expected, writes, count, next, "applied=5", 1234, &applied, ret_position, &err), &err);
    return applied;
}

static void assert_row(struct gw_store *store, int64_t id, const char *expected)
{
    struct gw_row_key key = key_of(id);
    struct gw_slice row = {0};
    assert_ok(gw_store_read(store, &key, 1, UINT64_MAX, &row, NULL));
    if (expected == NULL) {
        assert_null(row.data);
    } else {
        assert_non_null(row.data);
        assert_true(gw_slice_is(row, expected));
    }
}

static void applied_rows_are_read_back_and_absent_ones_are_null(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position;
    struct gw_store_write writes[] = {write_of(1, "one"), write_of(2, "two"), write_of(4, "")};
    struct gw_row_key keys[] = {key_of(1), key_of(3), key_of(2), key_of(4), key_of(1)};
    struct gw_slice rows[5];

    assert_true(apply(store, 0, writes, 3, 10, &position));
    assert_int_equal(position.next_offset, 10);
    assert_ok(gw_store_read(store, keys, 5, UINT64_MAX, rows, NULL));
    assert_true(gw_slice_is(rows[0], "one"));
    assert_null(rows[1].data);
    assert_true(gw_slice_is(rows[2], "two"));
    assert_non_null(rows[3].data);
    assert_int_equal(rows[3].size, 0);
    assert_true(gw_slice_is(rows[4], "one"));
    close_store(store);
}

static void position_is_stored_with_counts_and_time(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position;

    assert_ok(gw_store_position(store, 3, &position, NULL));
    assert_false(position.present);
    assert_int_equal(position.next_offset, 0);
    assert_true(apply(store, 0, NULL, 0, 9007199254740993, &position)); // more than a Lua number holds
    assert_ok(gw_store_position(store, 3, &position, NULL));
    assert_true(position.present);
    assert_true(position.next_offset == 9007199254740993);
    assert_int_equal(position.time_ms, 1234);
    assert_string_equal(position.counts, "applied=5");
    assert_false(apply(store, 9007199254740992, NULL, 0, 9007199254740994, &position));
    assert_true(apply(store, 9007199254740993, NULL, 0, 9007199254740994, &position));
    assert_ok(gw_store_position(store, 4, &position, NULL));
    assert_false(position.present);
    close_store(store);
}

static void failed_compare_leaves_everything_unchanged(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position;
    struct gw_store_write first[] = {write_of(1, "one"), write_of(2, "two")};
    struct gw_store_write second[] = {write_of(1, "ONE"), {.key = key_of(2)}, write_of(3, "three")};

    assert_true(apply(store, 0, first, 2, 10, &position));
    assert_false(apply(store, 5, second, 3, 20, &position));
    assert_true(position.present);
    assert_int_equal(position.next_offset, 10);
    assert_string_equal(position.counts, "applied=5");
    assert_row(store, 1, "one");
    assert_row(store, 2, "two");
    assert_row(store, 3, NULL);
    assert_ok(gw_store_position(store, 3, &position, NULL));
    assert_int_equal(position.next_offset, 10);
    close_store(store);
}

static void retry_after_a_lost_reply_sees_the_applied_position(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position;
    struct gw_store_write write = write_of(1, "one");

    assert_true(apply(store, 0, &write, 1, 10, &position));
    assert_false(apply(store, 0, &write, 1, 10, &position));
    assert_int_equal(position.next_offset, 10);
    close_store(store);
}

static void writes_of_one_key_win_in_order_across_kinds(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position;
    struct gw_store_write writes[] = {
        write_of(1, "a"),
        {.key = key_of(1)},
        write_of(1, "b"), // b
        write_of(2, "a"),
        {.key = key_of(2)}, // gone
        {.key = key_of(3), .row = gw_slice_text("x"), .expire_ms = 1},
        write_of(3, "y"), // y, for ever
    };

    assert_true(apply(store, 0, writes, GW_COUNT_OF(writes), 10, &position));
    assert_row(store, 1, "b");
    assert_row(store, 2, NULL);
    uint64_t end_us = gw_clock_mono_us() + 20000;
    while (gw_clock_mono_us() < end_us) {
        assert_row(store, 3, "y");
    }
    close_store(store);
}

static void row_with_expiry_goes_away(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position;
    struct gw_store_write writes[] = {{.key = key_of(1), .row = gw_slice_text("x"), .expire_ms = 30},
                                      {.key = key_of(2), .row = gw_slice_text("y"), .expire_ms = 600000}};
    struct gw_row_key key = key_of(1);
    struct gw_slice row = {0};
    uint64_t end_us = gw_clock_mono_us() + 10000000;

    assert_true(apply(store, 0, writes, 2, 10, &position));
    do {
        assert_ok(gw_store_read(store, &key, 1, UINT64_MAX, &row, NULL));
        assert_true(gw_clock_mono_us() < end_us);
    } while (row.data != NULL);
    assert_row(store, 2, "y");
    close_store(store);
}

static void keys_and_rows_may_hold_any_byte(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position;
    static const uint8_t binary[] = {0, '\r', '\n', 255, '$', 0};
    struct gw_row_key keys[] = {
        {.view = 0, .id_count = 1, .id = {0}},
        {.view = 255, .id_count = 1, .id = {INT64_MIN}},
        {.view = '\n', .id_count = 2, .id = {0x0d0a0d0a0d0a0d0a, -1}},
        {.view = '\n', .id_count = 1, .id = {0x0d0a0d0a0d0a0d0a}},
        {.view = '\n', .id_count = 2, .id = {0x0d0a0d0a0d0a0d0a, 0}},
    };
    struct gw_store_write writes[3];
    struct gw_slice rows[5];
    for (size_t i = 0; i < 3; i++) {
        writes[i] = (struct gw_store_write){.key = keys[i], .row = gw_slice_make(binary, sizeof binary - i)};
    }

    assert_true(apply(store, 0, writes, 3, 1, &position));
    assert_ok(gw_store_read(store, keys, 5, UINT64_MAX, rows, NULL));
    for (size_t i = 0; i < 3; i++) {
        assert_true(gw_slice_equal(rows[i], writes[i].row));
    }
    assert_null(rows[3].data);
    assert_null(rows[4].data);
    close_store(store);
}

static void large_batches_come_back_whole(void **state)
{
    (void)state;
    enum { COUNT = 3000, BYTES = 400 };
    struct gw_store *store = open_store();
    struct gw_store_position position;
    struct gw_store_write *writes = gw_mem_calloc(COUNT, sizeof *writes);
    struct gw_row_key *keys = gw_mem_calloc(COUNT, sizeof *keys);
    struct gw_slice *rows = gw_mem_calloc(COUNT, sizeof *rows);
    uint8_t *bytes = gw_mem_calloc(COUNT, BYTES);
    for (size_t i = 0; i < COUNT; i++) {
        memset(bytes + i * BYTES, (int)i, BYTES);
        keys[i] = key_of((int64_t)i);
        writes[i] = (struct gw_store_write){.key = keys[i], .row = gw_slice_make(bytes + i * BYTES, 1 + i % BYTES)};
    }

    assert_true(apply(store, 0, writes, COUNT, 1, &position));
    assert_ok(gw_store_read(store, keys, COUNT, UINT64_MAX, rows, NULL));
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(gw_slice_equal(rows[i], writes[i].row));
    }
    assert_ok(gw_store_read_at(store, 3, keys, COUNT, rows, &position, NULL));
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(gw_slice_equal(rows[i], writes[i].row));
    }
    gw_mem_free(bytes);
    gw_mem_free(rows);
    gw_mem_free(keys);
    gw_mem_free(writes);
    close_store(store);
}

static void read_at_never_mixes_two_moments(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    pid_t writer = fork();
    if (writer == 0) {
        // Rows 0..299 and the position move together, one number at a time.
        struct gw_store *own = open_store_as(prefix);
        struct gw_store_write writes[300];
        for (int64_t n = 0; n < 300; n++) {
            char text[24];
            bool applied = false;
            struct gw_store_position position;
            snprintf(text, sizeof text, "%lld", (long long)n + 1);
            for (int64_t i = 0; i < 300; i++) {
                writes[i] = write_of(i, text);
            }
            if (gw_store_apply(own, 3, n, writes, 300, n + 1, "", 0, &applied, &position, NULL) != GW_OK || !applied) {
                _exit(1);
            }
        }
        _exit(0);
    }

    struct gw_row_key keys[300];
    struct gw_slice rows[300];
    struct gw_store_position position = {0};
    for (int64_t i = 0; i < 300; i++) {
        keys[i] = key_of(i);
    }
    uint64_t end_us = gw_clock_mono_us() + 60000000;
    while (position.next_offset < 300) {
        char text[24];
        assert_true(gw_clock_mono_us() < end_us);
        assert_ok(gw_store_read_at(store, 3, keys, 300, rows, &position, NULL));
        snprintf(text, sizeof text, "%lld", (long long)position.next_offset);
        for (size_t i = 0; position.present && i < 300; i++) {
            assert_true(gw_slice_is(rows[i], text));
        }
    }
    close_store(store);
}

static void read_at_without_rows_or_position(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_store_position position = {.present = true};
    struct gw_row_key key = key_of(1);
    struct gw_slice row = gw_slice_text("x");

    assert_ok(gw_store_read_at(store, 3, &key, 1, &row, &position, NULL));
    assert_null(row.data);
    assert_false(position.present);
    assert_ok(gw_store_read_at(store, 3, NULL, 0, NULL, &position, NULL));
    close_store(store);
}

static void another_log_id_is_refused_by_check_and_by_apply(void **state)
{
    (void)state;
    static const uint8_t ours[16] = "0123456789abcde";
    static const uint8_t theirs[16] = {0, 1, 2, '\r', '\n'};
    struct gw_store *store = open_store();
    struct gw_store *other = open_store_as(prefix);
    struct gw_store_position position = {.next_offset = -1};
    struct gw_store_write write = write_of(1, "one");
    uint64_t removed = 0;
    bool applied = false;
    gw_err err = {0};

    assert_ok_err(gw_store_check(store, ours, &err), &err);
    assert_ok(gw_store_check(store, ours, NULL));
    assert_ok(gw_store_check(store, NULL, NULL));
    assert_fails(gw_store_check(other, theirs, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "godwit features clear"));

    assert_ok(gw_store_clear(other, &removed, NULL)); // the log id goes too
    assert_int_equal(removed, 1);
    assert_ok(gw_store_check(other, theirs, NULL));
    assert_fails(gw_store_apply(store, 3, 0, &write, 1, 1, "", 0, &applied, &position, &err), GW_E_MISMATCH);
    assert_row(store, 1, NULL);

    assert_ok(gw_store_clear(other, &removed, NULL));
    assert_true(apply(store, 0, &write, 1, 1, &position)); // an emptied store is marked as ours again
    assert_fails(gw_store_check(other, theirs, NULL), GW_E_MISMATCH);
    gw_store_free(other);
    close_store(store);
}

static void clear_leaves_other_prefixes_alone(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    char longer[64];
    char lookalike[64];
    snprintf(longer, sizeof longer, "%sr", prefix);
    snprintf(lookalike, sizeof lookalike, "testX%s", prefix + 5); // what an unescaped star would match
    struct gw_store *others[] = {open_store_as(longer), open_store_as(lookalike)};
    struct gw_store_position position;
    struct gw_store_write writes[] = {write_of(1, "one"), write_of(2, "two")};
    uint64_t removed = 0;

    assert_true(apply(store, 0, writes, 2, 10, &position));
    for (size_t i = 0; i < 2; i++) {
        assert_true(apply(others[i], 0, writes, 2, 20, &position));
    }
    assert_ok(gw_store_clear(store, &removed, NULL));
    assert_int_equal(removed, 3);
    assert_row(store, 1, NULL);
    assert_false(apply(store, 10, NULL, 0, 11, &position)); // a writer that went on finds nothing
    assert_int_equal(position.next_offset, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_row(others[i], 2, "two");
        assert_false(apply(others[i], 0, NULL, 0, 21, &position));
        assert_int_equal(position.next_offset, 20);
        close_store(others[i]);
    }
    close_store(store);
}

static void stored_position_that_is_no_number_is_a_mismatch(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    struct gw_redis *redis = NULL;
    struct gw_redis_options options = {.address = getenv("GODWIT_REDIS_ADDRESS"), .timeout_ms = 5000};
    struct gw_store_position position;
    char key[64];
    snprintf(key, sizeof key, "%so3", prefix);
    assert_ok(gw_redis_new(&options, &redis, NULL));
    gw_redis_begin(redis);
    gw_redis_command(redis, 4);
    gw_redis_arg_text(redis, "HSET");
    gw_redis_arg_text(redis, key);
    gw_redis_arg_text(redis, "next");
    gw_redis_arg_text(redis, "12 monkeys");
    assert_ok(gw_redis_exchange(redis, gw_redis_deadline(redis), NULL));
    gw_redis_free(redis);

    assert_fails(gw_store_position(store, 3, &position, NULL), GW_E_MISMATCH);
    close_store(store);
}

static void ping_tells_a_latency(void **state)
{
    (void)state;
    struct gw_store *store = open_store();
    uint64_t latency_us = 0;
    assert_ok(gw_store_ping(store, &latency_us, NULL));
    assert_true(latency_us > 0);
    close_store(store);
}

GW_TESTS(applied_rows_are_read_back_and_absent_ones_are_null, position_is_stored_with_counts_and_time,
         failed_compare_leaves_everything_unchanged, retry_after_a_lost_reply_sees_the_applied_position,
         writes_of_one_key_win_in_order_across_kinds, row_with_expiry_goes_away, keys_and_rows_may_hold_any_byte,
         large_batches_come_back_whole, read_at_never_mixes_two_moments, read_at_without_rows_or_position,
         another_log_id_is_refused_by_check_and_by_apply, clear_leaves_other_prefixes_alone,
         stored_position_that_is_no_number_is_a_mismatch, ping_tells_a_latency)
