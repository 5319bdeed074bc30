// SPDX-License-Identifier: MIT
// A feature set, models over it, and a store of rows in memory that counts what it is asked; what it answered is gone
// with the next read, as with the real one. It stands in for store/rows.c by name: whoever includes this links no other
// gw_store_read.
#pragma once

#include "support/model.h"
#include "support/testkit.h"

#include "base/clock.h"
#include "base/ini.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/rows.h"
#include "worker/entity.h"
#include "worker/score_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STORE_ROWS_MAX = 4096, STORE_BYTES_MAX = 1024 };

struct stored_row {
    struct gw_row_key key;
    size_t size;
    uint8_t bytes[STORE_BYTES_MAX];
};

struct gw_store {
    struct stored_row *rows;
    size_t row_count;
    struct gw_map index; // (view, first id), second id -> row + 1
    struct gw_map asked; // the same -> how often, since the last reset
    size_t asked_count;
    size_t asked_most; // of one key
    struct stored_row *answer;
    bool away;
};

static inline uint64_t store_key(const struct gw_row_key *key)
{
    return (uint64_t)key->view << 56 ^ (uint64_t)key->id[0];
}

gw_status gw_store_read(struct gw_store *store, const struct gw_row_key *keys, size_t count, uint64_t deadline_us,
                        struct gw_slice *rows, gw_err *err)
{
    (void)deadline_us;
    for (size_t i = 0; i < count; i++) {
        uint64_t *asked = NULL;
        assert_ok(gw_map_put(&store->asked, store_key(&keys[i]), (uint64_t)keys[i].id[1], &asked, NULL));
        *asked += 1;
        store->asked_most = GW_MAX(store->asked_most, (size_t)*asked);
        store->asked_count++;
    }
    if (store->away) {
        return gw_fail(err, GW_E_UNAVAILABLE, "the store is away");
    }
    gw_mem_free(store->answer);
    store->answer = gw_mem_calloc(count, sizeof *store->answer);
    if (store->answer == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to answer");
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t *at = gw_map_find(&store->index, store_key(&keys[i]), (uint64_t)keys[i].id[1]);
        rows[i] = (struct gw_slice){0};
        if (at != NULL) {
            store->answer[i] = store->rows[*at - 1];
            rows[i] = gw_slice_make(store->answer[i].bytes, store->answer[i].size);
        }
    }
    return GW_OK;
}

static inline void store_reset(struct gw_store *store)
{
    gw_map_clear(&store->asked);
    store->asked_count = 0;
    store->asked_most = 0;
}

// What a test of batches stands on.
struct score_fixture {
    struct gw_entity_vocabulary vocabulary;
    struct gw_feature_set *set;
    struct gw_store store;
    char directory[64];
};

static inline void score_fixture_init(struct score_fixture *f)
{
    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    *f = (struct score_fixture){.directory = "/tmp/gw-score-XXXXXX"};
    gw_entity_vocabulary_init(&f->vocabulary);
    assert_ok_err(gw_file_read(GW_SOURCE_DIR "/schemas/features.ini", 1 << 20, &text, &size, &err), &err);
    assert_ok_err(gw_feature_set_compile("features.ini", text, size, &f->vocabulary.vocabulary, &f->set, &err), &err);
    gw_mem_free(text);
    f->store.rows = gw_mem_calloc(STORE_ROWS_MAX, sizeof *f->store.rows);
    assert_non_null(f->store.rows);
    assert_non_null(mkdtemp(f->directory));
}

static inline void score_fixture_deinit(struct score_fixture *f)
{
    gw_map_deinit(&f->store.index);
    gw_map_deinit(&f->store.asked);
    gw_mem_free(f->store.rows);
    gw_mem_free(f->store.answer);
    gw_feature_set_free(f->set);
    assert_int_equal(rmdir(f->directory), 0);
}

// Removes a bundle of the test model's two heads.
static inline void remove_bundle(const char *directory)
{
    static const char *const files[] = {"bundle.json", "golden.json", "head_is_favorited.json",
                                        "head_is_retweeted.json"};
    for (size_t i = 0; i < GW_COUNT_OF(files); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

// A model of these features under this name; nothing of it stays on disk. Free with gw_score_model_unref.
static inline struct gw_score_model *score_fixture_model(const struct score_fixture *f,
                                                         const struct gw_feature_set *set, const char *name,
                                                         const char *const *features, size_t feature_count)
{
    char path[128];
    gw_err err = {0};
    struct gw_score_model *model = NULL;
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    test_model_write_of(path, name, 1, features, feature_count);
    assert_ok_err(gw_score_model_load(path, name, 1, NULL, set, &model, &err), &err);
    remove_bundle(path);
    return model;
}

// Stores an entity's row as `events` events of each kind leave it; again: changes it. Values depend on id and
// events only.
static inline void store_put(struct score_fixture *f, const char *view_name, int64_t id0, int64_t id1, int events)
{
    int index = gw_feature_set_find_view(f->set, view_name);
    assert_true(index >= 0);
    const struct gw_feature_view *view = gw_feature_set_view(f->set, (size_t)index);
    const struct gw_row_key key = {.view = view->code, .id_count = view->key_count, .id = {id0, id1}};
    uint64_t *at = NULL;
    bool inserted = false;
    assert_ok(gw_map_put(&f->store.index, store_key(&key), (uint64_t)id1, &at, &inserted));
    if (inserted) {
        assert_true(f->store.row_count < STORE_ROWS_MAX && view->row_bytes <= STORE_BYTES_MAX);
        *at = ++f->store.row_count;
    }
    struct stored_row *row = &f->store.rows[*at - 1];
    row->key = key;
    row->size = view->row_bytes;
    gw_row_init(view, row->bytes);
    static const double kinds[] = {GW_ENTITY_EVENT_KIND_ACTION, GW_ENTITY_EVENT_KIND_PROFILE_UPDATE,
                                   GW_ENTITY_EVENT_KIND_TWEET_CREATE};
    for (int e = 0; e < events * (int)GW_COUNT_OF(kinds); e++) {
        double attributes[GW_ATTRIBUTE_COUNT];
        for (int a = 0; a < GW_ATTRIBUTE_COUNT; a++) {
            attributes[a] = (double)((id0 * 31 + a * 7 + e * 13) % 23);
        }
        attributes[GW_ATTRIBUTE_KIND] = kinds[e % (int)GW_COUNT_OF(kinds)];
        attributes[GW_ATTRIBUTE_ACTION] = GW_ACTION_TYPE_SERVER_TWEET_FAV;
        attributes[GW_ATTRIBUTE_FOLLOWER_COUNT] = (double)(id0 * 37 % 2000);
        attributes[GW_ATTRIBUTE_TEXT_LENGTH] = (double)(id0 * 17 % 250);
        attributes[GW_ATTRIBUTE_AUTHOR_HIGH] = 0;
        attributes[GW_ATTRIBUTE_AUTHOR_LOW] = (double)(id0 % 50 + 1000);
        const struct gw_feature_event event = {.time_us = 1750000000000000 + e,
                                               .side = (uint32_t)__builtin_ctz(view->side_mask),
                                               .attributes = attributes,
                                               .source_partition = 3,
                                               .source_offset = e};
        gw_row_apply(f->set, (size_t)index, row->bytes, &event);
    }
}

static inline struct stored_row *store_find(struct score_fixture *f, const char *view_name, int64_t id)
{
    int index = gw_feature_set_find_view(f->set, view_name);
    const struct gw_row_key key = {.view = gw_feature_set_view(f->set, (size_t)index)->code, .id = {id}};
    const uint64_t *at = gw_map_find(&f->store.index, store_key(&key), 0);
    assert_non_null(at);
    return &f->store.rows[*at - 1];
}
