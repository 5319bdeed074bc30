// SPDX-License-Identifier: MIT
// Between the records of topics and the join's own structs: what is read, what is kept in a window, what is written.
//
// A window keeps the served record as it stands in its topic, framing included, so that a later schema can still read
// it. Functions keep no state; slices they give point into their arguments or the arena.
#pragma once

#include "label/join.h"
#include "records/entity_event.h"
#include "records/label_sample.h"
#include "records/label_window.h"
#include "records/labeled_example.h"
#include "records/served_candidate.h"
#include "worker/schema_gate.h"

// Reads a served record from its Avro body. The payload is framed under schema_id and lives in `arena`.
GW_CHECK gw_status gw_label_read_served(struct gw_slice body, uint32_t schema_id, int64_t append_time_ms,
                                        struct gw_arena *arena, struct gw_label_served *ret_served, gw_err *err);

// The viewer's side of an action. False: the event is something else.
bool gw_label_read_action(const struct gw_entity_event *event, struct gw_label_action *ret_action);

// The served record inside an example, opened by the gate of its topic.
GW_CHECK gw_status gw_label_open_payload(const struct gw_schema_gate *gate, struct gw_slice payload,
                                         struct gw_buf *scratch, struct gw_arena *arena,
                                         struct gw_served_candidate *ret_served, gw_err *err);

struct gw_labeled_example gw_label_write_example(const struct gw_label_example *example,
                                                 const struct gw_served_candidate *served);

// Of a WINDOW_CLOSED. closed_at_ms: the event time at which the label was final.
struct gw_label_sample gw_label_write_sample(const struct gw_label_example *example,
                                             const struct gw_served_candidate *served, int64_t closed_at_ms);

// Of an entry that is no tombstone.
struct gw_label_window gw_label_write_entry(const struct gw_label_entry *entry);
// An entry from its key and, unless it is a tombstone, its record.
GW_CHECK gw_status gw_label_read_entry(struct gw_slice key, const struct gw_label_window *window,
                                       struct gw_label_entry *ret_entry, gw_err *err);

// Twitter's number of an action that says something about a label, -1 of any other.
int32_t gw_label_action_number(enum gw_action_type type);
