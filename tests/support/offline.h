// SPDX-License-Identifier: MIT
// Rows that a test puts into the store as online does, and the scores that follow from them, computed here by the model
// library alone: what score must answer, bit for bit.
//
// The world has one user with a row, a few tweets and their authors; its models are test models (support/model.h). One
// thread.
#pragma once

#include "support/cluster.h"

#include "model/scorer.h"
#include "records/prediction_request.h"

enum {
    OFFLINE_USER = 7, // who has a row
    OFFLINE_FIRST_TWEET = 100,
    OFFLINE_TWEETS = 6,
    OFFLINE_FIRST_AUTHOR = 50,
    OFFLINE_AUTHORS = 3,
    OFFLINE_VALUES = 2, // request values of a candidate
    OFFLINE_FOLLOWERS = 700,
    OFFLINE_PUTS_MAX = 32,
    OFFLINE_HEADS = 2,
};

// ---- rows -----------------------------------------------------------------------------------------------------------

struct offline_rows {
    struct cluster *cluster;
    struct gw_store *store;
    int64_t offset; // of the store's partition 0, in which all of them are
    size_t count;   // puts
    uint8_t *user, *tweets[OFFLINE_TWEETS], *authors[OFFLINE_AUTHORS];
    uint8_t memory[OFFLINE_PUTS_MAX][GW_FEATURE_ROW_BYTES_MAX];
};

// Puts all rows into the store (borrowed), which has none of this cluster yet.
void offline_rows_put(struct offline_rows *rows, struct cluster *cluster, struct gw_store *store);

// Replaces the user's row; the event that made it is the latest one.
void offline_rows_put_user(struct offline_rows *rows, int64_t followers);

int64_t offline_author_of(int64_t tweet);

// ---- scores ---------------------------------------------------------------------------------------------------------

struct offline_model {
    struct cluster *cluster;
    struct gw_bundle *bundle;
    struct gw_feature_plan *plan;
    struct gw_scorer *scorer;      // of whole vectors
    struct gw_scorer *of_features; // of vectors in the model's order
};

void offline_model_open(struct offline_model *model, struct cluster *cluster, const char *bundle_directory);
void offline_model_close(struct offline_model *model);

struct offline_answer {
    float score;
    float heads[OFFLINE_HEADS];
};

// Of a vector in the model's order.
struct offline_answer offline_score_vector(const struct offline_model *model, const float *features);

// Of one candidate with these request values; rows NULL: nothing is stored.
struct offline_answer offline_score(const struct offline_model *model, const struct offline_rows *rows, int64_t user,
                                    int64_t tweet, const float values[OFFLINE_VALUES]);

void assert_same_float(float a, float b); // bit for bit

// ---- requests -------------------------------------------------------------------------------------------------------

struct offline_request {
    struct gw_prediction_request record;
    struct gw_candidate candidates[OFFLINE_TWEETS];
    float values[OFFLINE_TWEETS][OFFLINE_VALUES];
    struct gw_slice names[OFFLINE_VALUES];
    uint64_t number;
};

// All tweets for the user, with request values, and authors when asked so. It has pointers into itself. Its id holds
// the number in the last 8 bytes, and so does its join id.
void offline_request_init(struct offline_request *request, uint64_t number, int64_t user, bool with_authors);
