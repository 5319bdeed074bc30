// SPDX-License-Identifier: MIT
// The prediction path: callers' requests out to prediction_requests_sync, answers back from our own partition of
// prediction_replies, and a clock that gives up on what does not come.
//
//   HTTP threads ──encode, note──► queue ──► sender ──► Kafka ──► scorer ──► Kafka ──► receiver ──► caller
//                                                                             timer ──► caller: 504
//
// Whoever takes a flight out of the table answers its caller, so that each is answered exactly once. Requests are
// refused until the receiver has asked for the end of its partition: no answer can stand before it.
#pragma once

#include "api/api.h"
#include "worker/runtime.h"

struct gw_bridge_predict;

// Starts the three threads. GW_E_CONFIG: bridge.reply_partition does not exist.
GW_CHECK gw_status gw_bridge_predict_start(const struct gw_runtime *runtime, struct gw_bridge_predict **ret_predict,
                                           gw_err *err);

// See gw_api_ports.predict. Any thread, never blocks.
GW_CHECK gw_status gw_bridge_predict_submit(struct gw_bridge_predict *predict, const struct gw_api_predict *request,
                                            struct gw_api_call *call, gw_err *err);

// Fails new requests at once, instead of by their deadlines, while Kafka is known to be away. Any thread.
void gw_bridge_predict_set_kafka(struct gw_bridge_predict *predict, bool up);

// Whether answers can be received, for /health, and whether the receiver's loop has turned lately. Any thread.
void gw_bridge_predict_health(struct gw_bridge_predict *predict, struct gw_api_dependency *ret_health);
bool gw_bridge_predict_alive(const struct gw_bridge_predict *predict);

// What ended the path for good (a fatal error of Kafka's), or GW_OK.
GW_CHECK gw_status gw_bridge_predict_failure(struct gw_bridge_predict *predict, gw_err *err);

int32_t gw_bridge_predict_partition(const struct gw_bridge_predict *predict); // of the reply topic

// Refuses new requests and waits up to timeout_ms for the answers under way.
void gw_bridge_predict_drain(struct gw_bridge_predict *predict, uint32_t timeout_ms);

// Joins the threads, answers who still waits (UNAVAILABLE) and frees. No submit may follow. NULL is legal.
void gw_bridge_predict_stop(struct gw_bridge_predict *predict);
