// SPDX-License-Identifier: MIT
// A small model for tests, written as a real bundle: one stump for each feature and head, so that every feature moves
// the score, missing ones too. None of its features depends on time, so a score can be computed again later, bit for
// bit.
#pragma once

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

#define TEST_MODEL_NAME    "test-ranker"
#define TEST_MODEL_VERSION 1 // in the registry of a cluster too

extern const char *const test_model_features[];
extern const size_t test_model_feature_count;

// Writes the bundle to `directory`, which must not exist. Its golden margins are computed here, by adding leaves.
void test_model_write(const char *directory);

// The same with other features, of at most TEST_MODEL_FEATURES_MAX.
#define TEST_MODEL_FEATURES_MAX 16
void test_model_write_of(const char *directory, const char *name, int32_t version, const char *const *features,
                         size_t feature_count);

// The same with all that may differ: good bundles and bad ones.
struct test_model_variant {
    const char *name;
    int32_t version;
    const char *const *features;
    size_t feature_count;
    const char *metadata_json;
    float factor;            // of all leaves: 1 as they are
    double weight;           // of the first head; 0: 1
    struct gw_slice profile; // the drift reference, borrowed; empty: none
};
void test_model_write_variant(const char *directory, const struct test_model_variant *variant);
