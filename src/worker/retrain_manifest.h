// SPDX-License-Identifier: MIT
// What a training is made from: everything that decides the bytes of the data set and of the bundle, and nothing else.
// The same manifest gives the same rows, and with the same build of the trainer the same digest.
#pragma once

#include "base/bytes.h"
#include "kafka/consumer.h"
#include "model/bundle.h"
#include "model/sha256.h"
#include "rollout/route.h"
#include "worker/example_reader.h"

#define GW_RETRAIN_HEADS_BYTES  1001
#define GW_RETRAIN_LAYOUT_BYTES 17

struct gw_retrain_manifest {
    char model[GW_ROUTE_NAME_BYTES];
    int32_t champion_version;
    char champion_digest[GW_ROUTE_DIGEST_BYTES];
    char layout[GW_RETRAIN_LAYOUT_BYTES]; // fingerprint of the champion's feature names, lower-case hex
    int64_t from_ms;                      // examples served earlier are left out,
    int64_t cutoff_ms;                    // and those served later
    uint64_t rows_max;                    // the newest ones
    double holdout;                       // share of them that the gate keeps
    char heads[GW_RETRAIN_HEADS_BYTES];   // label[:weight],...
    uint64_t trees;
    uint64_t depth;
    double eta;
    uint64_t seed;
    uint64_t threads;
    uint64_t reference_max;            // newest samples that become the drift reference; 0: none, as in old manifests
    struct gw_offset_range samples;    // of feature_samples, the model's partition
    struct gw_example_ranges examples; // of training_examples
};

// Fills ranges with what the topics hold now, and the rest from the configuration and the champion. GW_E_UNAVAILABLE,
// GW_E_TIMEOUT, GW_E_CONFIG.
GW_CHECK gw_status gw_retrain_manifest_make(const struct gw_runtime *runtime, struct gw_kafka_consumer *consumer,
                                            const char *model, int32_t champion_version,
                                            const struct gw_bundle *champion, struct gw_retrain_manifest *ret_manifest,
                                            gw_err *err);

// Canonical JSON with a NUL behind (not counted in size), and its SHA-256. GW_E_MEMORY.
GW_CHECK gw_status gw_retrain_manifest_write(const struct gw_retrain_manifest *manifest, struct gw_buf *out,
                                             char ret_hash[GW_SHA256_HEX_BYTES], gw_err *err);

// Reads it back. GW_E_MALFORMED, GW_E_INVALID, GW_E_TOO_LARGE.
GW_CHECK gw_status gw_retrain_manifest_parse(struct gw_slice text, struct gw_retrain_manifest *ret_manifest,
                                             gw_err *err);
