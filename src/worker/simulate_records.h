// SPDX-License-Identifier: MIT
// A simulator event as the record that a producer would send: the one conversion, for live traffic and offline
// examples.
//
// Pure. A converter belongs to one thread; records point into it and into the event.
#pragma once

#include "records/prediction_request.h"
#include "simulator/simulator.h"
#include "worker/entity.h"
#include "worker/runtime.h"
#include "worker/simulate.h"

struct gw_simulate_record {
    enum gw_topic topic; // a source topic, or PREDICTION_REQUESTS
    int64_t key;         // the Kafka key is this id, 8 bytes big-endian
    union {
        struct gw_user_action action;
        struct gw_tweet_event tweet;
        struct gw_social_graph_event social;
        struct gw_user_profile profile;
        struct gw_prediction_request request;
    };
};

struct gw_simulate_converter;

GW_CHECK gw_status gw_simulate_converter_new(struct gw_simulate_converter **ret_converter, gw_err *err);
void gw_simulate_converter_free(struct gw_simulate_converter *converter);

// *ret_record is valid until the event's candidates change or the next call. `enqueued_at_ms` is of a request only.
// The event is not GW_SIM_END.
void gw_simulate_convert(struct gw_simulate_converter *converter, const struct gw_sim_event *event,
                         int64_t enqueued_at_ms, struct gw_simulate_record *ret_record);

// Replaces the content of *out by the framed record. GW_E_MEMORY.
GW_CHECK gw_status gw_simulate_encode(const struct gw_simulate_record *record, uint32_t schema_id, struct gw_buf *out,
                                      gw_err *err);

// What rekey makes of the record (worker/entity.h); a request has no entity events.
GW_CHECK gw_status gw_simulate_entities(const struct gw_simulate_record *record, const struct gw_entity_origin *origin,
                                        double *statics, struct gw_entity_event *events, size_t *ret_count,
                                        gw_err *err);

// The simulator's options of a world that begins at start_ms and does not end. Counts and rates of 0 are the
// simulator's defaults.
struct gw_simulator_options gw_simulate_world(const struct gw_simulate_options *options, int64_t start_ms);
