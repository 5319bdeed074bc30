// SPDX-License-Identifier: MIT
// What score_batch.c fills and score_pass.c reads: candidates, and the rows of each view by entity. An "entity" is a
// user, a tweet, an author or a pair of this batch, numbered in order of appearance; its row was fetched once.
#pragma once

#include "base/map.h"
#include "base/mem.h"
#include "worker/score_batch.h"

// What a view's key is made of, by the view's name.
enum gw_score_role { GW_SCORE_USER, GW_SCORE_TWEET, GW_SCORE_AUTHOR, GW_SCORE_PAIR, GW_SCORE_ROLES };

enum { GW_SCORE_NO_ENTITY = 0 }; // number 0 of each view: an id that nobody knows; it has no row

struct gw_score_view {
    const struct gw_feature_view *view; // NULL: the feature set has none of this role
    size_t index;                       // of the view in the feature set
    struct gw_map numbers;              // ids -> entity
    struct gw_row_key *keys;            // per entity
    const uint8_t **rows;               // per entity: checked and not DELETED, or NULL
    uint8_t *copies;                    // of rows that a second read would have taken away
    size_t copy_capacity;
    uint32_t count; // entities, GW_SCORE_NO_ENTITY included
    uint32_t capacity;
    uint32_t fetched; // entities below this were read
};

// One candidate.
struct gw_score_row {
    uint32_t entities[GW_SCORE_ROLES];
    uint32_t value_count;
    const float *values;
};

struct gw_score_batch_request {
    struct gw_score_request said;
    uint32_t first_row;
    uint32_t row_count;
    uint32_t user; // entity
};

struct gw_score_batch {
    const struct gw_feature_set *set;
    struct gw_store *store;
    size_t rows_max;
    struct gw_score_view views[GW_SCORE_ROLES];
    int author_high; // columns of a tweet's row that name its author, in two halves
    int author_low;

    struct gw_score_batch_request *requests;
    size_t request_count;
    size_t request_capacity;

    size_t row_count;
    size_t row_capacity;
    struct gw_score_row *rows;
    int64_t *tweet_ids; // per row
    int64_t *author_ids;

    struct gw_row_key *keys; // of one read
    struct gw_slice *answers;
    size_t read_capacity;
    int64_t now_us; // wall time of the hydration: what time-dependent features see
    bool hydration_failed;
    struct gw_score_costs costs;
};

// Grows an array that is reused from batch to batch; returns GW_E_MEMORY from the function that uses it.
#define GW_SCORE_GROW(pointer, count)                                                                                  \
    do {                                                                                                               \
        void *grown = gw_mem_realloc((pointer), (count), sizeof *(pointer));                                           \
        if (grown == NULL) {                                                                                           \
            return gw_fail(err, GW_E_MEMORY, "no memory for a batch of %zu", (size_t)(count));                         \
        }                                                                                                              \
        (pointer) = grown;                                                                                             \
    } while (0)
