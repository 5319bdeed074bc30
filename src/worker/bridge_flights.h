// SPDX-License-Identifier: MIT
// Predictions under way: found again by request id, or by deadline, whichever comes first; each is taken exactly once.
//
// A fixed table: slots, a map from id to slot, and a binary heap of slots by deadline. Nothing allocates after _new and
// no call looks at more than a path of the heap. Time is passed in. One owner at a time: callers bring the lock.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_FLIGHT_ID_BYTES 16

struct gw_api_call;
struct gw_flights;

struct gw_flight {
    uint8_t request_id[GW_FLIGHT_ID_BYTES]; // unique among those under way
    int64_t request_join_id;
    struct gw_api_call *call; // borrowed by the table
    uint64_t start_us;        // monotonic
    uint64_t deadline_us;     // monotonic
};

// Room for `capacity` > 0. Free with gw_flights_free, when it is empty.
GW_CHECK gw_status gw_flights_new(size_t capacity, struct gw_flights **ret_flights, gw_err *err);
void gw_flights_free(struct gw_flights *flights);

// Copies it. *ret_earliest: its deadline is now the nearest one. GW_E_EXHAUSTED: the table is full. GW_E_CONFLICT: the
// id is under way already.
GW_CHECK gw_status gw_flights_add(struct gw_flights *flights, const struct gw_flight *flight, bool *ret_earliest,
                                  gw_err *err);

// Takes the one with this id out; false: there is none (any more).
bool gw_flights_take(struct gw_flights *flights, const uint8_t request_id[GW_FLIGHT_ID_BYTES],
                     struct gw_flight *ret_flight);

// Takes one whose deadline is at or before now_us out, nearest first; UINT64_MAX takes any.
bool gw_flights_take_expired(struct gw_flights *flights, uint64_t now_us, struct gw_flight *ret_flight);

uint64_t gw_flights_next_deadline_us(const struct gw_flights *flights); // UINT64_MAX: none under way
size_t gw_flights_count(const struct gw_flights *flights);
