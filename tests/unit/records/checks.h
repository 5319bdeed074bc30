// SPDX-License-Identifier: MIT
// Checks that hold for the codec of any record.
#pragma once

#include "avro/resolve.h"
#include "base/arena.h"
#include "base/mem.h"
#include "oracle.h"
#include "records/all.h"

#include <time.h>

static inline uint64_t fresh_seed(const char *test)
{
    uint64_t seed = (uint64_t)time(NULL);
    print_message("%s: seed %llu\n", test, (unsigned long long)seed);
    return seed;
}

// Decodes from memory of exactly this size, so that a sanitizer sees a read past the end.
static inline gw_status transcode_tight(const struct gw_record *record, struct gw_slice in, struct gw_arena *arena,
                                        struct gw_buf *out, gw_err *err)
{
    uint8_t *tight = malloc(in.size > 0 ? in.size : 1);
    assert_non_null(tight);
    memcpy(tight, in.data, in.size);
    gw_arena_clear(arena);
    gw_buf_clear(out);
    gw_status status = record->transcode(gw_slice_make(tight, in.size), arena, out, err);
    free(tight);
    return status;
}

// What avro-c encoded comes back byte for byte, from the codec and from the resolver of the schema to itself.
static inline void check_against_oracle(const struct gw_record *record, uint64_t seed, int rounds)
{
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    struct oracle oracle = oracle_open(record->schema);
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    struct gw_buf in = {0};
    struct gw_buf out = {0};
    gw_err err = {0};
    struct gw_avro_resolver *same = NULL;
    size_t size = strlen(record->schema);
    assert_ok_err(gw_avro_resolver_new(record->schema, size, record->schema, size, &same, &err), &err);
    for (int i = 0; i < rounds; i++) {
        oracle_encode(&oracle, &rng, &in);
        assert_ok_err(transcode_tight(record, gw_buf_slice(&in), &arena, &out, &err), &err);
        assert_int_equal(out.size, in.size);
        assert_memory_equal(out.data, in.data, in.size);
        gw_buf_clear(&out);
        assert_ok_err(gw_avro_resolver_transcode(same, gw_buf_slice(&in), &out, &err), &err);
        assert_int_equal(out.size, in.size);
        assert_memory_equal(out.data, in.data, in.size);
    }
    gw_avro_resolver_free(same);
    gw_buf_deinit(&in);
    gw_buf_deinit(&out);
    gw_arena_deinit(&arena);
    oracle_close(&oracle);
}

// Cut short, lengthened and damaged values fail as malformed, naming the record's field, or are another valid value.
static inline void check_damage(const struct gw_record *record, uint64_t seed, int rounds)
{
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    struct oracle oracle = oracle_open(record->schema);
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    struct gw_buf in = {0};
    struct gw_buf out = {0};
    struct gw_buf again = {0};
    for (int i = 0; i < rounds; i++) {
        oracle_encode(&oracle, &rng, &in);
        for (size_t size = 0; size < in.size; size += 1 + gw_rng_below(&rng, 1 + in.size / 64)) {
            gw_err err = {0};
            assert_fails(transcode_tight(record, gw_slice_make(in.data, size), &arena, &out, &err), GW_E_MALFORMED);
            assert_int_equal(err.status, GW_E_MALFORMED);
            assert_non_null(strchr(err.message, '.'));
        }
        gw_err err = {0};
        assert_ok(gw_buf_append(&in, "", 1));
        assert_fails(transcode_tight(record, gw_buf_slice(&in), &arena, &out, &err), GW_E_MALFORMED);
        in.size--;
        for (int j = 0; j < 50; j++) {
            uint8_t *victim = &in.data[gw_rng_below(&rng, in.size)];
            uint8_t before = *victim;
            *victim ^= (uint8_t)(1u << gw_rng_below(&rng, 8));
            gw_status status = transcode_tight(record, gw_buf_slice(&in), &arena, &out, NULL);
            assert_true(status == GW_OK || status == GW_E_MALFORMED);
            if (status == GW_OK) {
                assert_ok(transcode_tight(record, gw_buf_slice(&out), &arena, &again, NULL));
                assert_int_equal(again.size, out.size);
                assert_memory_equal(again.data, out.data, out.size);
            }
            *victim = gw_rng_below(&rng, 4) == 0 ? *victim : before;
        }
    }
    gw_buf_deinit(&in);
    gw_buf_deinit(&out);
    gw_buf_deinit(&again);
    gw_arena_deinit(&arena);
    oracle_close(&oracle);
}
