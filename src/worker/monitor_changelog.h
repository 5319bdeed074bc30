// SPDX-License-Identifier: MIT
// Names in monitor_state: whose state an entry is.
//
//   key        length and bytes of the model, length and bytes of the topic (full name), the detector
//   detector   quality/WIDTH/HEX          windows of live quality (monitor_quality.h), topic label_samples
//              concept/VERSION/HEAD       the watch over a head's loss (drift/loss.h), topic label_samples
//              drift/VERSION/STATE        a state of a version's bank (drift/bank.h): "bank" or "stream/NAME", topic
//                                         feature_samples
//
// An entry stands at the partition of the input it was made from, so whoever takes that partition over finds it, and
// whoever asks about a model (drift_view.h) finds all of them in the partition of the model's name.
#pragma once

#include "base/bytes.h"

#define GW_MONITOR_MODEL_BYTES_MAX 255 // of a model's name

struct gw_monitor_key {
    struct gw_slice model;
    struct gw_slice topic;
    struct gw_slice detector;
};

// Appends the key. GW_E_MEMORY.
GW_CHECK gw_status gw_monitor_key_write(const struct gw_monitor_key *key, struct gw_buf *out, gw_err *err);

// The parts point into `bytes`. GW_E_MALFORMED.
GW_CHECK gw_status gw_monitor_key_read(struct gw_slice bytes, struct gw_monitor_key *ret_key, gw_err *err);

// A detector's name. GW_E_TOO_LARGE: over GW_MONITOR_NAME_BYTES.
#define GW_MONITOR_CONCEPT    "concept"
#define GW_MONITOR_DRIFT      "drift"
#define GW_MONITOR_NAME_BYTES 256
struct gw_monitor_name {
    char text[GW_MONITOR_NAME_BYTES];
    size_t size;
};
GW_CHECK gw_status gw_monitor_name_write(const char *family, int32_t version, const char *rest,
                                         struct gw_monitor_name *ret_name, gw_err *err);

// Whether the detector is of this family; version and rest (in `detector`) then. GW_E_MALFORMED: it begins as one and is
// none.
GW_CHECK gw_status gw_monitor_name_read(struct gw_slice detector, const char *family, bool *ret_is, int32_t *ret_version,
                                        struct gw_slice *ret_rest, gw_err *err);
