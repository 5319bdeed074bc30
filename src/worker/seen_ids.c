// SPDX-License-Identifier: MIT
// A hash table from id to its latest append time, and a ring of (id, append time) in log order for forgetting.
#include "worker/seen_ids.h"

#include "base/bytes.h"
#include "base/map.h"
#include "base/mem.h"

enum { CAPACITY_MIN = 1024, SHRINK_BELOW = 8 };

struct sighting {
    uint64_t a;
    uint64_t b;
    int64_t time_ms;
};

struct gw_seen_ids {
    struct gw_map times;
    struct sighting *ring;
    size_t capacity; // power of two
    size_t head;     // oldest
    size_t count;
    int64_t window_ms;
    int64_t newest_ms;
};

gw_status gw_seen_ids_new(int64_t window_ms, struct gw_seen_ids **ret_ids, gw_err *err)
{
    struct gw_seen_ids *ids = gw_mem_calloc(1, sizeof *ids);
    if (ids == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for seen ids");
    }
    ids->window_ms = window_ms;
    *ret_ids = ids;
    return GW_OK;
}

void gw_seen_ids_free(struct gw_seen_ids *ids)
{
    if (ids != NULL) {
        gw_map_deinit(&ids->times);
        gw_mem_free(ids->ring);
        gw_mem_free(ids);
    }
}

static gw_status grow(struct gw_seen_ids *ids)
{
    size_t capacity = ids->capacity > 0 ? ids->capacity * 2 : CAPACITY_MIN;
    struct sighting *ring = gw_mem_calloc(capacity, sizeof *ring);
    if (ring == NULL) {
        return GW_E_MEMORY;
    }
    for (size_t i = 0; i < ids->count; i++) {
        ring[i] = ids->ring[(ids->head + i) & (ids->capacity - 1)];
    }
    gw_mem_free(ids->ring);
    ids->ring = ring;
    ids->capacity = capacity;
    ids->head = 0;
    return GW_OK;
}

gw_status gw_seen_ids_add(struct gw_seen_ids *ids, const uint8_t id[GW_SEEN_ID_BYTES], int64_t append_time_ms,
                          bool *ret_duplicate, gw_err *err)
{
    uint64_t a = gw_load_be64(id);
    uint64_t b = gw_load_be64(id + 8);
    uint64_t *time = NULL;
    bool inserted = false;
    if ((ids->count == ids->capacity && grow(ids) != GW_OK) ||
        gw_map_put(&ids->times, a, b, &time, &inserted) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu seen ids", ids->count);
    }
    *ret_duplicate = !inserted && append_time_ms - (int64_t)*time <= ids->window_ms;
    *time = (uint64_t)append_time_ms;
    ids->ring[(ids->head + ids->count++) & (ids->capacity - 1)] = (struct sighting){a, b, append_time_ms};
    ids->newest_ms = append_time_ms;
    return GW_OK;
}

// After a flood has passed: a table and a ring of the size that is needed now. When memory is short the old ones stay.
static void shrink(struct gw_seen_ids *ids)
{
    struct gw_map times = {0};
    size_t capacity = CAPACITY_MIN;
    while (capacity < ids->count * 2) {
        capacity *= 2;
    }
    struct sighting *ring = gw_mem_calloc(capacity, sizeof *ring);
    bool fits = ring != NULL && gw_map_reserve(&times, ids->count) == GW_OK;
    for (size_t i = 0; fits && i < ids->count; i++) {
        uint64_t *time = NULL;
        ring[i] = ids->ring[(ids->head + i) & (ids->capacity - 1)];
        fits = gw_map_put(&times, ring[i].a, ring[i].b, &time, NULL) == GW_OK;
        if (fits) {
            *time = (uint64_t)ring[i].time_ms;
        }
    }
    if (!fits) {
        gw_mem_free(ring);
        gw_map_deinit(&times);
        return;
    }
    gw_mem_free(ids->ring);
    gw_map_deinit(&ids->times);
    ids->ring = ring;
    ids->times = times;
    ids->capacity = capacity;
    ids->head = 0;
}

void gw_seen_ids_trim(struct gw_seen_ids *ids)
{
    while (ids->count > 0 && ids->newest_ms - ids->ring[ids->head].time_ms > ids->window_ms) {
        const struct sighting *oldest = &ids->ring[ids->head];
        const uint64_t *time = gw_map_find(&ids->times, oldest->a, oldest->b);
        if (time != NULL && (int64_t)*time == oldest->time_ms) { // not seen again since
            gw_map_remove(&ids->times, oldest->a, oldest->b);
        }
        ids->head = (ids->head + 1) & (ids->capacity - 1);
        ids->count--;
    }
    if (ids->capacity > CAPACITY_MIN && ids->count < ids->capacity / SHRINK_BELOW) {
        shrink(ids);
    }
}

size_t gw_seen_ids_count(const struct gw_seen_ids *ids)
{
    return ids->count;
}
