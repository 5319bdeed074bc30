// SPDX-License-Identifier: MIT
// The prediction cache of one synchronous lane: (user, candidate, model, row versions, request values) -> vector and
// outputs.
//
// A key is a 128-bit hash over all that a score depends on except the time: so a promotion or a changed row is another
// key, and nothing is ever invalidated. Time moves decayed features a little, therefore an entry is good for max_age only.
//
//   admission   a key enters only when it is seen a second time within two generations of the doorkeeper (a Bloom
//               filter of one hash; the TinyLFU idea of Einziger, Friedman and Manes, ACM ToS 13(4), 2017), so that a
//               scan does not flush what is asked again
//   eviction    sets of four entries, the oldest goes
//   break-even  looking up costs time as well: when measured hits x cost of a row < time of the lookups over several
//               windows, the cache switches itself off, and later tries again for a stretch of batches
//
// One owning thread. Memory is `bytes`, all taken at _new; nothing is allocated afterwards.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_score_cache;

struct gw_score_cache_options {
    size_t bytes;        // of everything, at least 1 MiB
    uint64_t max_age_us; // of an entry, > 0
};

// GW_E_CONFIG: options out of range; GW_E_MEMORY.
GW_CHECK gw_status gw_score_cache_new(const struct gw_score_cache_options *options, struct gw_score_cache **ret_cache,
                                      gw_err *err);
void gw_score_cache_free(struct gw_score_cache *cache);

struct gw_score_key {
    uint64_t low, high;
};

// Folds 64-bit words into a key; start from {0, 0}. Two different sequences of one length meet with probability 2^-128
// (not against somebody who looks for it: what a caller can choose gives him only scores of his own request's values).
void gw_score_key_fold(struct gw_score_key *key, uint64_t word);

// Begins a batch of lookups: `floats` is the size of its payloads (vector, probabilities, score). Models with payloads of
// different sizes share the entries, which are as large as the largest so far: a larger one makes the cache start over.
// False: it is off, do not ask and do not call _end. now_us: monotonic.
bool gw_score_cache_begin(struct gw_score_cache *cache, size_t floats, uint64_t now_us);

// The payload, valid until the next call; NULL: not there.
const float *gw_score_cache_find(struct gw_score_cache *cache, struct gw_score_key key);

// Offers a payload of the size told at _begin, of a key that was not found; it is kept when admitted.
void gw_score_cache_offer(struct gw_score_cache *cache, struct gw_score_key key, const float *payload);

// Ends the batch: what it took. `lookup_ns` is the time spent in find and offer, `score_ns` the time that the rows that
// were not found took. Decides about break-even.
void gw_score_cache_end(struct gw_score_cache *cache, uint64_t lookup_ns, uint64_t scored_rows, uint64_t score_ns);

// Cumulative.
struct gw_score_cache_totals {
    uint64_t lookups;
    uint64_t hits;
    uint64_t admitted;
    uint64_t refused;   // by the doorkeeper
    uint64_t evicted;   // before their age
    uint64_t skipped;   // batches not asked because it was off
    bool on;            // also while it tries
};
const struct gw_score_cache_totals *gw_score_cache_totals(const struct gw_score_cache *cache);
