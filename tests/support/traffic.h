// SPDX-License-Identifier: MIT
// Requests with known numbers through both lanes, and what came back for each: who answered, what, how often.
//
// The bulk lane's answers are read committed. Every answer is remembered; traffic_complete waits for one to each
// request and fails on a second one. One thread.
#pragma once

#include "support/offline.h"
#include "support/records.h"

#include "base/arena.h"
#include "rollout/route.h"

enum traffic_lane { TRAFFIC_BULK, TRAFFIC_SYNC, TRAFFIC_LANES };

struct traffic_ask {
    int64_t user;
    const char *model; // NULL: the default one
    int32_t version;   // 0: as routed
};

struct traffic_request {
    enum traffic_lane lane;
    int64_t user;
    uint32_t answers;
    // of the first answer
    enum gw_prediction_status status;
    char model[GW_ROUTE_NAME_BYTES];
    int32_t version;
    char variant[GW_ROUTE_VARIANT_BYTES];
    int32_t cache_hits;
    int64_t scored_at_ms;
    uint64_t order; // of arrival among its lane's and partition's
    int32_t partition;
    struct offline_answer scores[OFFLINE_TWEETS]; // by candidate; when OK
};

struct traffic {
    struct cluster *cluster;
    struct tail *tails[TRAFFIC_LANES];
    struct traffic_request *requests; // by number
    size_t capacity;
    size_t sent;
    size_t asked[TRAFFIC_LANES];    // of these
    size_t answered[TRAFFIC_LANES]; // that have an answer
    size_t repeated[TRAFFIC_LANES]; // answers after the first
    uint64_t arrivals;
    enum traffic_lane draining;
    struct gw_arena arena;
};

void traffic_open(struct traffic *traffic, struct cluster *cluster, size_t capacity);
void traffic_close(struct traffic *traffic);

// Sends a request for all tweets of support/offline.h and gives its number, an index into `requests`. Flush by
// records_flush.
size_t traffic_send(struct traffic *traffic, enum traffic_lane lane, const struct traffic_ask *ask);

void traffic_drain(struct traffic *traffic);

// Waits until every request (of the lane) is answered; each must be once.
void traffic_complete(struct traffic *traffic);

void traffic_complete_lane(struct traffic *traffic, enum traffic_lane lane);

size_t traffic_unanswered(const struct traffic *traffic, enum traffic_lane lane);

// Sends one and waits for its answer.
const struct traffic_request *traffic_ask(struct traffic *traffic, enum traffic_lane lane,
                                          const struct traffic_ask *ask);

// The scores are those of `model` alone, bit for bit.
void traffic_assert_scores(const struct traffic_request *request, const struct offline_model *model,
                           const struct offline_rows *rows);
