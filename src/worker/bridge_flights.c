// SPDX-License-Identifier: MIT
#include "worker/bridge_flights.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"

struct slot {
    struct gw_flight flight;
    uint32_t heap_index;
};

struct gw_flights {
    struct slot *slots;
    uint32_t *heap; // slot numbers, the nearest deadline first
    uint32_t *idle; // slot numbers not in use
    uint32_t capacity;
    uint32_t count; // in the heap; capacity - count are idle
    struct gw_map by_id;
};

gw_status gw_flights_new(size_t capacity, struct gw_flights **ret_flights, gw_err *err)
{
    GW_ASSERT(capacity > 0 && capacity < UINT32_MAX);
    struct gw_flights *flights = gw_mem_calloc(1, sizeof *flights);
    if (flights == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu predictions", capacity);
    }
    flights->slots = gw_mem_calloc(capacity, sizeof *flights->slots);
    flights->heap = gw_mem_calloc(capacity, sizeof *flights->heap);
    flights->idle = gw_mem_calloc(capacity, sizeof *flights->idle);
    if (flights->slots == NULL || flights->heap == NULL || flights->idle == NULL ||
        gw_map_reserve(&flights->by_id, capacity) != GW_OK) {
        gw_flights_free(flights);
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu predictions", capacity);
    }
    flights->capacity = (uint32_t)capacity;
    for (uint32_t i = 0; i < flights->capacity; i++) {
        flights->idle[i] = i;
    }
    *ret_flights = flights;
    return GW_OK;
}

void gw_flights_free(struct gw_flights *flights)
{
    if (flights == NULL) {
        return;
    }
    GW_ASSERT(flights->count == 0);
    gw_map_deinit(&flights->by_id);
    gw_mem_free(flights->idle);
    gw_mem_free(flights->heap);
    gw_mem_free(flights->slots);
    gw_mem_free(flights);
}

// ---- the heap -------------------------------------------------------------------------------------------------------

static void place(struct gw_flights *flights, uint32_t index, uint32_t slot)
{
    flights->heap[index] = slot;
    flights->slots[slot].heap_index = index;
}

static bool nearer(const struct gw_flights *flights, uint32_t slot, uint32_t other)
{
    return flights->slots[slot].flight.deadline_us < flights->slots[other].flight.deadline_us;
}

static void sift_up(struct gw_flights *flights, uint32_t index, uint32_t slot)
{
    while (index > 0 && nearer(flights, slot, flights->heap[(index - 1) / 2])) {
        place(flights, index, flights->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(flights, index, slot);
}

static void sift_down(struct gw_flights *flights, uint32_t index, uint32_t slot)
{
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child + 1 < flights->count && nearer(flights, flights->heap[child + 1], flights->heap[child])) {
            child++;
        }
        if (child >= flights->count || !nearer(flights, flights->heap[child], slot)) {
            break;
        }
        place(flights, index, flights->heap[child]);
        index = child;
    }
    place(flights, index, slot);
}

// Gives the flight of a slot and everything it occupied back.
static void release(struct gw_flights *flights, uint32_t slot, struct gw_flight *ret_flight)
{
    const struct slot *released = &flights->slots[slot];
    *ret_flight = released->flight;
    uint32_t hole = released->heap_index;
    uint32_t last = flights->heap[--flights->count];
    if (last != slot) {
        if (hole > 0 && nearer(flights, last, flights->heap[(hole - 1) / 2])) {
            sift_up(flights, hole, last);
        } else {
            sift_down(flights, hole, last);
        }
    }
    flights->idle[flights->capacity - flights->count - 1] = slot;
    bool removed =
        gw_map_remove(&flights->by_id, gw_load_be64(ret_flight->request_id), gw_load_be64(ret_flight->request_id + 8));
    GW_ASSERT(removed);
}

// ---- operations -----------------------------------------------------------------------------------------------------

gw_status gw_flights_add(struct gw_flights *flights, const struct gw_flight *flight, bool *ret_earliest, gw_err *err)
{
    if (flights->count == flights->capacity) {
        return gw_fail(err, GW_E_EXHAUSTED, "%u predictions are under way already", flights->capacity);
    }
    uint64_t *value = NULL;
    bool inserted = false;
    if (gw_map_put(&flights->by_id, gw_load_be64(flight->request_id), gw_load_be64(flight->request_id + 8), &value,
                   &inserted) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a prediction");
    }
    if (!inserted) {
        return gw_fail(err, GW_E_CONFLICT, "the request id is under way already");
    }
    uint32_t slot = flights->idle[flights->capacity - flights->count - 1];
    *value = slot;
    flights->slots[slot].flight = *flight;
    sift_up(flights, flights->count, slot);
    flights->count++;
    *ret_earliest = flights->heap[0] == slot;
    return GW_OK;
}

bool gw_flights_take(struct gw_flights *flights, const uint8_t request_id[GW_FLIGHT_ID_BYTES],
                     struct gw_flight *ret_flight)
{
    const uint64_t *slot = gw_map_find(&flights->by_id, gw_load_be64(request_id), gw_load_be64(request_id + 8));
    if (slot == NULL) {
        return false;
    }
    release(flights, (uint32_t)*slot, ret_flight);
    return true;
}

bool gw_flights_take_expired(struct gw_flights *flights, uint64_t now_us, struct gw_flight *ret_flight)
{
    if (flights->count == 0 || flights->slots[flights->heap[0]].flight.deadline_us > now_us) {
        return false;
    }
    release(flights, flights->heap[0], ret_flight);
    return true;
}

uint64_t gw_flights_next_deadline_us(const struct gw_flights *flights)
{
    return flights->count > 0 ? flights->slots[flights->heap[0]].flight.deadline_us : UINT64_MAX;
}

size_t gw_flights_count(const struct gw_flights *flights)
{
    return flights->count;
}
