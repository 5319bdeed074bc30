// SPDX-License-Identifier: MIT
// What the relay has to know of a topic before it writes to it: the sequence of the last record that is committed.
// Inside this folder only.
#pragma once

#include "kafka/client.h"

#include <stdbool.h>

// Reads a value's sequence. Only the fields up to it are read, so that a record written under an older or a newer
// schema, which differ behind it, will do.
typedef gw_status (*gw_relay_sequence_fn)(struct gw_slice value, int64_t *ret_sequence, gw_err *err);
GW_CHECK gw_status gw_relay_sequence_of_event(struct gw_slice value, int64_t *ret_sequence, gw_err *err);
GW_CHECK gw_status gw_relay_sequence_of_route(struct gw_slice value, int64_t *ret_sequence, gw_err *err);

struct gw_relay_end {
    bool found;       // there is a record
    bool emptied;     // there is none, but there were: retention took them. Neither: no record was ever committed to it
    int64_t sequence; // of the last record; 0 without one
};

// Call after init_transactions: whatever a former relay left open is settled then, so no record can come that is not
// counted here. GW_E_MISMATCH: the topic has more than one partition. GW_E_MALFORMED: the last record is not ours.
GW_CHECK gw_status gw_relay_topic_end(const struct gw_kafka_options *kafka, const char *topic,
                                      gw_relay_sequence_fn sequence_of, uint64_t deadline_us,
                                      struct gw_relay_end *ret_end, gw_err *err);
