// SPDX-License-Identifier: MIT
#include "worker/monitor_remembered.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

struct entry {
    char model[GW_MONITOR_MODEL_BYTES_MAX];
    size_t model_size;
    int32_t version;
    struct gw_monitor_reference reference;
    struct gw_drift_profile *profile; // owned, READY only
    uint32_t watch_count;             // READY only
    uint64_t asked;                   // when last, by the count of asks
};

struct gw_monitor_remembered {
    struct entry **ready; // each of its own: watches point to them
    size_t ready_count;
    size_t ready_capacity;
    uint64_t asks;
    struct entry refusals[GW_MONITOR_REFUSALS_MAX]; // a ring
    size_t refusal_count;
    size_t refusal_next;
};

// ---- life -----------------------------------------------------------------------------------------------------------

struct gw_monitor_remembered *gw_monitor_remembered_new(void)
{
    return gw_mem_calloc(1, sizeof(struct gw_monitor_remembered));
}

static void free_entry(struct entry *entry)
{
    gw_drift_profile_free(entry->profile);
    gw_mem_free(entry);
}

void gw_monitor_remembered_free(struct gw_monitor_remembered *remembered)
{
    if (remembered == NULL) {
        return;
    }
    for (size_t i = 0; i < remembered->ready_count; i++) {
        free_entry(remembered->ready[i]);
    }
    gw_mem_free(remembered->ready);
    gw_mem_free(remembered);
}

// ---- asking ---------------------------------------------------------------------------------------------------------

static bool is_of(const struct entry *entry, struct gw_slice model, int32_t version)
{
    return entry->version == version && gw_slice_equal(gw_slice_make(entry->model, entry->model_size), model);
}

const struct gw_monitor_reference *gw_monitor_remembered_find(struct gw_monitor_remembered *remembered,
                                                              struct gw_slice model, int32_t version)
{
    for (size_t i = 0; i < remembered->ready_count; i++) {
        if (is_of(remembered->ready[i], model, version)) {
            remembered->ready[i]->asked = ++remembered->asks;
            return &remembered->ready[i]->reference;
        }
    }
    for (size_t i = 0; i < remembered->refusal_count; i++) {
        if (is_of(&remembered->refusals[i], model, version)) {
            return &remembered->refusals[i].reference;
        }
    }
    return NULL;
}

// ---- keeping --------------------------------------------------------------------------------------------------------

// Makes room for one more that nobody watches: the one asked for longest ago goes.
static void drop_spare(struct gw_monitor_remembered *remembered)
{
    size_t spares = 0;
    size_t oldest = 0;
    for (size_t i = 0; i < remembered->ready_count; i++) {
        const struct entry *entry = remembered->ready[i];
        if (entry->watch_count == 0) {
            oldest = spares == 0 || entry->asked < remembered->ready[oldest]->asked ? i : oldest;
            spares++;
        }
    }
    if (spares >= GW_MONITOR_SPARES_MAX) {
        free_entry(remembered->ready[oldest]);
        remembered->ready[oldest] = remembered->ready[--remembered->ready_count];
    }
}

static gw_status keep_ready(struct gw_monitor_remembered *remembered, const struct entry *found,
                            const struct gw_monitor_reference **ret_reference, gw_err *err)
{
    drop_spare(remembered);
    if (remembered->ready_count == remembered->ready_capacity) {
        size_t capacity = remembered->ready_capacity * 2 + 8;
        struct entry **ready = gw_mem_realloc(remembered->ready, capacity, sizeof(struct entry *));
        if (ready == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for references");
        }
        remembered->ready = ready;
        remembered->ready_capacity = capacity;
    }
    struct entry *entry = gw_mem_calloc(1, sizeof *entry);
    if (entry == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a reference");
    }
    *entry = *found;
    entry->asked = ++remembered->asks;
    entry->reference.watch_count = &entry->watch_count;
    remembered->ready[remembered->ready_count++] = entry;
    *ret_reference = &entry->reference;
    return GW_OK;
}

gw_status gw_monitor_remembered_keep(struct gw_monitor_remembered *remembered, struct gw_slice model, int32_t version,
                                     const struct gw_monitor_reference *reference, struct gw_drift_profile *profile,
                                     const struct gw_monitor_reference **ret_reference, gw_err *err)
{
    GW_ASSERT(model.size <= GW_MONITOR_MODEL_BYTES_MAX);
    GW_ASSERT((reference->state == GW_MONITOR_REFERENCE_READY) == (profile != NULL));
    struct entry entry = {.model_size = model.size, .version = version, .reference = *reference, .profile = profile};
    memcpy(entry.model, model.data, model.size);
    if (profile != NULL) {
        return keep_ready(remembered, &entry, ret_reference, err);
    }
    struct entry *place = &remembered->refusals[remembered->refusal_next];
    *place = entry;
    remembered->refusal_next = (remembered->refusal_next + 1) % GW_MONITOR_REFUSALS_MAX;
    remembered->refusal_count = GW_MIN(remembered->refusal_count + 1, (size_t)GW_MONITOR_REFUSALS_MAX);
    *ret_reference = &place->reference;
    return GW_OK;
}
