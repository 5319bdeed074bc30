// SPDX-License-Identifier: MIT
// The world of the reference workload: who exists, what is popular, what they did, and which features a model sees.
//
// Everything follows from a number and an entity's rank, so that programs agree without sharing a file. Popularity is
// Zipf with exponent 1; ids look like the real ones (19 digits), because their length is part of the bytes on the wire.
#pragma once

#include "base/rng.h"
#include "feature/row.h"
#include "records/prediction_request.h"

// Draws ranks 0..count-1 with weight 1 / (rank + 1) by rejection-inversion (Hörmann and Derflinger, ACM TOMACS 6(3),
// 1996): constant time, no tables.
struct bench_zipf {
    uint32_t count;
    double low;
    double high;
    double shortcut;
};
void bench_zipf_init(struct bench_zipf *zipf, uint32_t count);
uint32_t bench_zipf_draw(const struct bench_zipf *zipf, struct gw_rng *rng);

struct bench_world {
    uint32_t user_count;
    uint32_t tweet_count;
    uint32_t author_count; // authors are users too: at most user_count
    uint32_t *author_of;   // rank of each tweet's author
    struct bench_zipf users;
    struct bench_zipf tweets;
};

GW_CHECK gw_status bench_world_init(struct bench_world *world, double users, double tweets, double authors,
                                    gw_err *err);
void bench_world_deinit(struct bench_world *world);

int64_t bench_world_user_id(uint32_t rank);
int64_t bench_world_tweet_id(uint32_t rank);
int64_t bench_world_author_id(const struct bench_world *world, uint32_t rank);

// The 48 features of the reference model.
enum { BENCH_FEATURES = 48 };
extern const char *const bench_features[BENCH_FEATURES];

// Fills a row (view->row_bytes) by applying a few events of the last hours to an empty one: a profile or a tweet's
// creation, then actions. `now_ms` is the newest. views are "user", "tweet" and "author" of the set.
enum bench_view { BENCH_USER, BENCH_TWEET, BENCH_AUTHOR, BENCH_VIEWS };
extern const char *const bench_view_names[BENCH_VIEWS];
GW_CHECK gw_status bench_world_row(const struct bench_world *world, const struct gw_feature_set *set,
                                   enum bench_view view, uint32_t rank, int64_t now_ms, uint8_t *row, gw_err *err);

// Makes requests: a user drawn by activity, distinct tweets drawn by popularity, each with author and request values.
struct bench_requests {
    const struct bench_world *world; // borrowed
    struct gw_rng rng;
    uint32_t candidate_count;
    uint64_t made;
    uint64_t *last_use; // per tweet: the request that drew it last
    struct gw_candidate *candidates;
    float *values;
};
GW_CHECK gw_status bench_requests_init(struct bench_requests *requests, const struct bench_world *world,
                                       uint32_t candidate_count, uint64_t seed, gw_err *err);
void bench_requests_deinit(struct bench_requests *requests);

// The next request, valid until the next call. Its id ends in its number (big-endian), counted from 0.
void bench_requests_next(struct bench_requests *requests, int64_t now_ms, struct gw_prediction_request *ret_request);
uint64_t bench_request_number(const uint8_t request_id[16]);
