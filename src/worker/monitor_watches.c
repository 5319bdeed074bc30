// SPDX-License-Identifier: MIT
#include "worker/monitor_watches.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

struct gw_monitor_watches {
    struct gw_monitor_watches_options options;
    struct gw_monitor_watched **items; // sorted by model and version
    uint32_t count;
    uint32_t capacity;
    struct gw_monitor_entries read; // and not put back yet
    struct gw_monitor_entries gone; // to be taken out of the changelog
    uint64_t retired;
};

// ---- life -----------------------------------------------------------------------------------------------------------

struct gw_monitor_watches *gw_monitor_watches_new(const struct gw_monitor_watches_options *options)
{
    struct gw_monitor_watches *watches = gw_mem_calloc(1, sizeof *watches);
    if (watches != NULL) {
        watches->options = *options;
    }
    return watches;
}

static void free_watched(const struct gw_monitor_watches *watches, struct gw_monitor_watched *watched)
{
    watches->options.ops->free(watched->watch);
    if (watched->reference->watch_count != NULL) {
        --*watched->reference->watch_count;
    }
    gw_mem_free(watched);
}

void gw_monitor_watches_free(struct gw_monitor_watches *watches)
{
    if (watches == NULL) {
        return;
    }
    for (uint32_t i = 0; i < watches->count; i++) {
        free_watched(watches, watches->items[i]);
    }
    gw_mem_free(watches->items);
    gw_monitor_entries_clear(&watches->read);
    gw_monitor_entries_clear(&watches->gone);
    gw_mem_free(watches);
}

// ---- the table ------------------------------------------------------------------------------------------------------

static uint32_t place_of(const struct gw_monitor_watches *watches, struct gw_slice model, int32_t version)
{
    uint32_t low = 0;
    uint32_t high = watches->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct gw_monitor_watched *at = watches->items[middle];
        if (gw_monitor_compare(at->model, at->version, model, version) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct gw_monitor_watched *find(const struct gw_monitor_watches *watches, struct gw_slice model, int32_t version)
{
    uint32_t place = place_of(watches, model, version);
    struct gw_monitor_watched *at = place < watches->count ? watches->items[place] : NULL;
    return at != NULL && gw_monitor_compare(at->model, at->version, model, version) == 0 ? at : NULL;
}

static gw_status make(struct gw_monitor_watches *watches, struct gw_slice model, int32_t version,
                      const struct gw_monitor_reference *reference, struct gw_monitor_watched **ret_watched,
                      gw_err *err)
{
    GW_ASSERT(model.size <= GW_MONITOR_MODEL_BYTES_MAX);
    if (watches->count == watches->capacity) {
        uint32_t capacity = watches->capacity * 2 + 8;
        struct gw_monitor_watched **items =
            gw_mem_realloc(watches->items, capacity, sizeof(struct gw_monitor_watched *));
        if (items == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for watched versions");
        }
        watches->items = items;
        watches->capacity = capacity;
    }
    struct gw_monitor_watched *watched = gw_mem_calloc(1, sizeof *watched);
    if (watched == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a watched version");
    }
    gw_status status = watches->options.ops->make(watches->options.context, reference, &watched->watch, err);
    if (status != GW_OK) {
        gw_mem_free(watched);
        return status;
    }
    memcpy(watched->text, model.data, model.size);
    watched->model = gw_slice_make(watched->text, model.size);
    watched->version = version;
    watched->reference = reference;
    if (reference->watch_count != NULL) {
        ++*reference->watch_count;
    }
    uint32_t place = place_of(watches, model, version);
    memmove(&watches->items[place + 1], &watches->items[place],
            (watches->count - place) * sizeof(struct gw_monitor_watched *));
    watches->items[place] = watched;
    watches->count++;
    *ret_watched = watched;
    return GW_OK;
}

static void remove_at(struct gw_monitor_watches *watches, uint32_t index)
{
    free_watched(watches, watches->items[index]);
    watches->count--;
    memmove(&watches->items[index], &watches->items[index + 1],
            (watches->count - index) * sizeof(struct gw_monitor_watched *));
}

struct gw_monitor_alert_to gw_monitor_watches_alert_to(const struct gw_monitor_watches *watches,
                                                       const struct gw_monitor_watched *watched,
                                                       const struct gw_monitor_alert_place *place)
{
    return (struct gw_monitor_alert_to){.model = watched->model,
                                        .version = watched->version,
                                        .threshold = watches->options.ops->threshold(watched->watch),
                                        .at_ms = place->at_ms,
                                        .sink = place->sink,
                                        .context = place->context};
}

// ---- retiring -------------------------------------------------------------------------------------------------------

struct leaving {
    struct gw_monitor_watches *watches;
    const struct gw_monitor_watched *watched;
};

static gw_status note_gone(void *context, const char *name, gw_err *err)
{
    const struct leaving *leaving = context;
    const struct gw_monitor_entry entry = {.model = leaving->watched->model,
                                           .version = leaving->watched->version,
                                           .name = name,
                                           .state = gw_slice_text("")};
    return gw_monitor_entries_put(&leaving->watches->gone, &entry, err);
}

static gw_status retire(struct gw_monitor_watches *watches, uint32_t index, const char *why,
                        const struct gw_monitor_alert_place *place, gw_err *err)
{
    const struct gw_monitor_watch_ops *ops = watches->options.ops;
    struct gw_monitor_watched *watched = watches->items[index];
    struct leaving leaving = {.watches = watches, .watched = watched};
    struct gw_monitor_alert_to to = gw_monitor_watches_alert_to(watches, watched, place);
    const struct gw_drift_sink sink = {.context = &to, .alarm = gw_monitor_alert_say};
    GW_TRY(ops->retire(watched->watch, &sink, err));
    GW_TRY(ops->names(watched->watch, note_gone, &leaving, err));
    gw_log_info("monitor.watch_retired", "watch=%s model='%.*s' version=%d because='%s'", watches->options.family,
                (int)watched->model.size, (const char *)watched->model.data, watched->version, why);
    remove_at(watches, index);
    watches->retired++;
    return GW_OK;
}

gw_status gw_monitor_watches_seen(struct gw_monitor_watches *watches, struct gw_slice model, int32_t version,
                                  int64_t now_ms, const struct gw_monitor_alert_place *place, gw_err *err)
{
    uint32_t i = place_of(watches, model, INT32_MIN);
    while (i < watches->count && gw_slice_equal(watches->items[i]->model, model)) {
        const struct gw_monitor_watched *at = watches->items[i];
        if (at->version != version && now_ms - watches->options.ops->newest_ms(at->watch) > watches->options.idle_ms) {
            GW_TRY(retire(watches, i, "served no more", place, err));
        } else {
            i++;
        }
    }
    return GW_OK;
}

bool gw_monitor_watches_late(const struct gw_monitor_watches *watches, struct gw_slice model, int64_t now_ms)
{
    for (uint32_t i = place_of(watches, model, INT32_MIN);
         i < watches->count && gw_slice_equal(watches->items[i]->model, model); i++) {
        if (watches->options.ops->newest_ms(watches->items[i]->watch) - now_ms > watches->options.idle_ms) {
            return true;
        }
    }
    return false;
}

// Of those that are not `newcomer`, which has had no row yet.
static gw_status retire_oldest(struct gw_monitor_watches *watches, const struct gw_monitor_watched *newcomer,
                               const struct gw_monitor_alert_place *place, gw_err *err)
{
    uint32_t oldest = watches->items[0] == newcomer ? 1 : 0;
    for (uint32_t i = oldest + 1; i < watches->count; i++) {
        if (watches->items[i] != newcomer && watches->options.ops->newest_ms(watches->items[i]->watch) <
                                                 watches->options.ops->newest_ms(watches->items[oldest]->watch)) {
            oldest = i;
        }
    }
    return retire(watches, oldest, "too many versions (monitor.versions_max)", place, err);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

gw_status gw_monitor_watches_reference(struct gw_monitor_watches *watches, struct gw_slice model, int32_t version,
                                       const struct gw_monitor_reference **ret_reference, gw_err *err)
{
    const struct gw_monitor_watched *watched = find(watches, model, version);
    if (watched != NULL) {
        *ret_reference = watched->reference;
        return GW_OK;
    }
    return watches->options.reference(watches->options.reference_context, model, version, ret_reference, err);
}

gw_status gw_monitor_watches_get(struct gw_monitor_watches *watches, struct gw_slice model, int32_t version,
                                 const struct gw_monitor_reference *reference,
                                 const struct gw_monitor_alert_place *place, struct gw_monitor_watched **ret_watched,
                                 gw_err *err)
{
    struct gw_monitor_watched *watched = find(watches, model, version);
    if (watched != NULL) {
        *ret_watched = watched;
        return GW_OK;
    }
    GW_TRY(
        make(watches, model, version, reference, &watched, err)); // first: nobody goes for one that cannot be watched
    *ret_watched = watched;
    return watches->count > watches->options.versions_max ? retire_oldest(watches, watched, place, err) : GW_OK;
}

// ---- the changelog --------------------------------------------------------------------------------------------------

struct flush {
    const struct gw_monitor_watches *watches;
    struct gw_slice model;
    int32_t version;
    gw_monitor_state_sink sink;
    void *context;
};

// bytes.data NULL: a tombstone.
static gw_status flush_entry(void *context, const char *name, struct gw_slice bytes, gw_err *err)
{
    const struct flush *flush = context;
    struct gw_monitor_name detector;
    GW_TRY(gw_monitor_name_write(flush->watches->options.family, flush->version, name, &detector, err));
    return flush->sink(flush->context, flush->model, gw_slice_make(detector.text, detector.size), bytes, err);
}

gw_status gw_monitor_watches_flush(struct gw_monitor_watches *watches, gw_monitor_state_sink sink, void *context,
                                   gw_err *err)
{
    struct flush flush = {.watches = watches, .sink = sink, .context = context};
    const struct gw_drift_sink states = {.context = &flush, .state = flush_entry};
    for (size_t i = 0; i < watches->gone.count; i++) { // first: a version that came back has entries again
        flush.model = watches->gone.items[i].model;
        flush.version = watches->gone.items[i].version;
        GW_TRY(flush_entry(&flush, watches->gone.items[i].name, (struct gw_slice){0}, err));
    }
    gw_monitor_entries_clear(&watches->gone);
    for (uint32_t i = 0; i < watches->count; i++) {
        flush.model = watches->items[i]->model;
        flush.version = watches->items[i]->version;
        GW_TRY(watches->options.ops->flush(watches->items[i]->watch, &states, err));
    }
    return GW_OK;
}

gw_status gw_monitor_watches_restore(struct gw_monitor_watches *watches, struct gw_slice model,
                                     struct gw_slice detector, struct gw_slice state, bool *ret_is, gw_err *err)
{
    struct gw_monitor_entry entry = {.model = model, .state = state};
    struct gw_slice rest = {0};
    char name[GW_MONITOR_NAME_BYTES];
    GW_TRY(gw_monitor_name_read(detector, watches->options.family, ret_is, &entry.version, &rest, err));
    if (!*ret_is) {
        return GW_OK;
    }
    if (model.size == 0 || model.size > GW_MONITOR_MODEL_BYTES_MAX || rest.size >= sizeof name ||
        memchr(rest.data, '\0', rest.size) != NULL) {
        return gw_fail(err, GW_E_MALFORMED, "state of a watch that no monitor wrote");
    }
    memcpy(name, rest.data, rest.size);
    name[rest.size] = '\0';
    entry.name = name;
    return gw_monitor_entries_put(&watches->read, &entry, err);
}

// The watch of `count` entries from `first` on. RECORD class and GW_E_MISMATCH: they make none.
static gw_status put_back(struct gw_monitor_watches *watches, const struct gw_monitor_entry *first, size_t count,
                          gw_err *err)
{
    const struct gw_monitor_watch_ops *ops = watches->options.ops;
    const struct gw_monitor_reference *reference = NULL;
    struct gw_monitor_watched *watched = NULL;
    GW_TRY(
        watches->options.reference(watches->options.reference_context, first->model, first->version, &reference, err));
    if (reference->state != GW_MONITOR_REFERENCE_READY) {
        return gw_fail(err, GW_E_NOT_FOUND, "its reference is not there");
    }
    GW_TRY(make(watches, first->model, first->version, reference, &watched, err));
    gw_status status = GW_OK;
    for (size_t i = 0; status == GW_OK && i < count; i++) {
        status = ops->restore(watched->watch, first[i].name, first[i].state, err);
    }
    if (status == GW_OK) {
        status = ops->restored(watched->watch, err);
    }
    if (status != GW_OK) {
        remove_at(watches, place_of(watches, first->model, first->version));
    }
    return status;
}

static gw_status give_up(struct gw_monitor_watches *watches, const struct gw_monitor_entry *first, size_t count,
                         const gw_err *cause, gw_err *err)
{
    gw_log_warn("monitor.watch_lost", "watch=%s model='%.*s' version=%d reason='%s' action='watched anew'",
                watches->options.family, (int)first->model.size, (const char *)first->model.data, first->version,
                cause->message);
    for (size_t i = 0; i < count; i++) {
        struct gw_monitor_entry entry = first[i];
        entry.state = gw_slice_text("");
        GW_TRY(gw_monitor_entries_put(&watches->gone, &entry, err));
    }
    return GW_OK;
}

gw_status gw_monitor_watches_restored(struct gw_monitor_watches *watches, gw_err *err)
{
    for (size_t at = 0; at < watches->read.count;) {
        const struct gw_monitor_entry *first = &watches->read.items[at];
        size_t count = gw_monitor_entries_span(&watches->read, at);
        gw_err cause = {0};
        if (find(watches, first->model, first->version) == NULL) { // else: an earlier call came so far
            gw_status status = put_back(watches, first, count, &cause);
            if (gw_status_class(status) == GW_CLASS_RECORD || status == GW_E_MISMATCH) {
                status = give_up(watches, first, count, &cause, &cause);
            }
            if (status != GW_OK) {
                return gw_fail(err, status, "%s", cause.message);
            }
        }
        at += count;
    }
    gw_monitor_entries_clear(&watches->read);
    return GW_OK;
}

struct gw_monitor_watches_stats gw_monitor_watches_stats(const struct gw_monitor_watches *watches)
{
    struct gw_monitor_watches_stats stats = {.versions = watches->count, .retired = watches->retired};
    for (uint32_t i = 0; i < watches->count; i++) {
        stats.open_alerts += watches->options.ops->open_alerts(watches->items[i]->watch);
    }
    return stats;
}
