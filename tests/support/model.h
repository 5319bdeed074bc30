// SPDX-License-Identifier: MIT
// A small model for tests, written as a real bundle: one stump for each feature and head, so that every feature moves
// the score, missing ones too. None of its features depends on time, so a score can be computed again later, bit for
// bit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEST_MODEL_NAME    "test-ranker"
#define TEST_MODEL_VERSION 3

extern const char *const test_model_features[];
extern const size_t test_model_feature_count;

// Writes the bundle to `directory`, which must not exist. Its golden margins are computed here, by adding leaves.
void test_model_write(const char *directory);

// The same with other features, of at most TEST_MODEL_FEATURES_MAX.
#define TEST_MODEL_FEATURES_MAX 16
void test_model_write_of(const char *directory, const char *name, int32_t version, const char *const *features,
                         size_t feature_count);
