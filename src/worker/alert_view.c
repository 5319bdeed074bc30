// SPDX-License-Identifier: MIT
#include "worker/alert_view.h"

#include "base/mem.h"
#include "worker/monitor_alert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(GW_API_ALERT_ID_BYTES >= GW_MONITOR_ALERT_ID_BYTES, "every alert of monitor can be shown");

struct entry {
    struct gw_api_alert alert;
    uint64_t heard; // when, by the view's count
};

struct model {
    struct entry *entries; // [alerts_max], grown as needed
    uint32_t count;
    uint32_t capacity;
    uint64_t heard;
};

struct gw_alert_view {
    struct gw_alert_view_options options;
    struct model *models; // none is empty
    uint32_t model_count;
    uint64_t heard;
    int64_t newest_ms; // of all records
};

// ---- life -----------------------------------------------------------------------------------------------------------

struct gw_alert_view *gw_alert_view_new(const struct gw_alert_view_options *options)
{
    struct gw_alert_view *view = gw_mem_calloc(1, sizeof *view);
    if (view == NULL) {
        return NULL;
    }
    view->options = *options;
    view->models = gw_mem_calloc(options->models_max, sizeof *view->models);
    if (view->models == NULL) {
        gw_mem_free(view);
        return NULL;
    }
    return view;
}

void gw_alert_view_free(struct gw_alert_view *view)
{
    if (view != NULL) {
        for (uint32_t i = 0; i < view->model_count; i++) {
            gw_mem_free(view->models[i].entries);
        }
        gw_mem_free(view->models);
        gw_mem_free(view);
    }
}

// ---- noting ---------------------------------------------------------------------------------------------------------

static bool take_text(struct gw_slice from, char *to, size_t size)
{
    if (from.size >= size || memchr(from.data, '\0', from.size) != NULL) {
        return false;
    }
    memcpy(to, from.data, from.size);
    to[from.size] = '\0';
    return true;
}

// A number that may be null.
#define KNOWN(record, field) ((record)->has_##field ? (record)->field : (double)NAN)

static gw_status take_alert(const struct gw_drift_alert *record, struct gw_api_alert *alert, gw_err *err)
{
    bool closed = gw_slice_is(record->state, "close");
    *alert = (struct gw_api_alert){
        .version = record->model_version,
        .open = !closed,
        .evidence = record->statistic,
        .threshold = record->threshold,
        .effect_sigma = record->effect_sigma,
        .harm = KNOWN(record, harm),
        .psi = KNOWN(record, psi),
        .psi_by_chance = KNOWN(record, psi_by_chance),
        .jensen_shannon = KNOWN(record, jensen_shannon),
        .jensen_shannon_by_chance = KNOWN(record, jensen_shannon_by_chance),
        .share = KNOWN(record, share),
        .reference_share = KNOWN(record, reference_share),
        .rate_per_s = KNOWN(record, rate_per_s),
        .promise = {.false_alarm_days = record->false_alarm_days,
                    .smallest_shift_10s = record->smallest_shift_10s,
                    .smallest_shift_5min = record->smallest_shift_5min},
        .samples = record->samples,
        .from_ms = record->from_ms,
        .at_ms = record->at_ms,
    };
    if (!take_text(record->alert_id, alert->id, sizeof alert->id) ||
        !take_text(record->model_name, alert->model, sizeof alert->model) ||
        !take_text(record->kind, alert->kind, sizeof alert->kind) ||
        !take_text(record->stream, alert->stream, sizeof alert->stream) ||
        !take_text(record->severity, alert->severity, sizeof alert->severity) || alert->id[0] == '\0') {
        return gw_fail(err, GW_E_INVALID, "an alert with a text that is empty, too long or no text");
    }
    if (!closed && !gw_slice_is(record->state, "open") && !gw_slice_is(record->state, "update")) {
        return gw_fail(err, GW_E_INVALID, "alert '%s': its state is neither open, update nor close", alert->id);
    }
    return GW_OK;
}

static struct model *find_model(const struct gw_alert_view *view, const char *name)
{
    for (uint32_t i = 0; i < view->model_count; i++) {
        if (strcmp(view->models[i].entries[0].alert.model, name) == 0) {
            return &view->models[i];
        }
    }
    return NULL;
}

// A free place, made by leaving out the model that was not heard of for longest.
static struct model *model_place(struct gw_alert_view *view)
{
    if (view->model_count < view->options.models_max) {
        return &view->models[view->model_count];
    }
    struct model *oldest = &view->models[0];
    for (uint32_t i = 1; i < view->model_count; i++) {
        oldest = view->models[i].heard < oldest->heard ? &view->models[i] : oldest;
    }
    return oldest;
}

static gw_status add_model(struct gw_alert_view *view, const struct entry *entry, gw_err *err)
{
    struct entry *entries = gw_mem_calloc(1, sizeof *entries);
    if (entries == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an alert");
    }
    struct model *model = model_place(view);
    if (model == &view->models[view->model_count]) {
        view->model_count++;
    }
    gw_mem_free(model->entries);
    entries[0] = *entry;
    *model = (struct model){.entries = entries, .count = 1, .capacity = 1, .heard = entry->heard};
    return GW_OK;
}

// Where the alert stands or is to stand; NULL without memory.
static struct entry *entry_place(const struct gw_alert_view *view, struct model *model, const char *id)
{
    struct entry *oldest = &model->entries[0];
    for (uint32_t i = 0; i < model->count; i++) {
        if (strcmp(model->entries[i].alert.id, id) == 0) {
            return &model->entries[i];
        }
        oldest = model->entries[i].heard < oldest->heard ? &model->entries[i] : oldest;
    }
    if (model->count == view->options.alerts_max) {
        return oldest;
    }
    if (model->count == model->capacity) {
        uint32_t capacity = GW_MIN(2 * model->capacity, view->options.alerts_max);
        struct entry *entries = gw_mem_realloc(model->entries, capacity, sizeof *entries);
        if (entries == NULL) {
            return NULL;
        }
        model->entries = entries;
        model->capacity = capacity;
    }
    return &model->entries[model->count++];
}

gw_status gw_alert_view_note(struct gw_alert_view *view, const struct gw_drift_alert *record, gw_err *err)
{
    struct entry entry = {.heard = view->heard + 1};
    GW_TRY(take_alert(record, &entry.alert, err));
    struct model *model = find_model(view, entry.alert.model);
    if (model == NULL) {
        GW_TRY(add_model(view, &entry, err));
    } else {
        struct entry *place = entry_place(view, model, entry.alert.id);
        if (place == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for an alert");
        }
        *place = entry;
        model->heard = entry.heard;
    }
    view->heard = entry.heard;
    view->newest_ms = GW_MAX(view->newest_ms, record->at_ms);
    return GW_OK;
}

// ---- asking ---------------------------------------------------------------------------------------------------------

static int by_state_and_time(const void *a, const void *b)
{
    const struct gw_api_alert *left = *(const struct gw_api_alert *const *)a;
    const struct gw_api_alert *right = *(const struct gw_api_alert *const *)b;
    if (left->open != right->open) {
        return left->open ? -1 : 1;
    }
    if (left->at_ms != right->at_ms) {
        return left->at_ms > right->at_ms ? -1 : 1;
    }
    return strcmp(left->id, right->id);
}

static void mark_stale(const struct gw_alert_view *view)
{
    for (uint32_t i = 0; i < view->model_count; i++) {
        for (uint32_t j = 0; j < view->models[i].count; j++) {
            struct gw_api_alert *alert = &view->models[i].entries[j].alert;
            if (alert->open && alert->at_ms < view->newest_ms - view->options.stale_ms) {
                alert->open = false;
                alert->stale = true;
            }
        }
    }
}

static size_t choose(const struct gw_alert_view *view, const struct gw_api_alerts_ask *ask,
                     const struct gw_api_alert **chosen)
{
    size_t count = 0;
    for (uint32_t i = 0; i < view->model_count; i++) {
        const struct model *model = &view->models[i];
        if (ask->model.size > 0 && !gw_slice_is(ask->model, model->entries[0].alert.model)) {
            continue;
        }
        for (uint32_t j = 0; j < model->count; j++) {
            if (!ask->open_only || model->entries[j].alert.open) {
                chosen[count++] = &model->entries[j].alert;
            }
        }
    }
    qsort(chosen, count, sizeof *chosen, by_state_and_time);
    return GW_MIN(count, (size_t)ask->limit);
}

gw_status gw_alert_view_ask(struct gw_alert_view *view, const struct gw_api_alerts_ask *ask,
                            struct gw_api_alerts *ret_alerts, gw_err *err)
{
    size_t most = 0;
    mark_stale(view);
    for (uint32_t i = 0; i < view->model_count; i++) {
        most += view->models[i].count;
    }
    const struct gw_api_alert **chosen = gw_mem_calloc(most + 1, sizeof(const struct gw_api_alert *));
    size_t count = chosen != NULL ? choose(view, ask, chosen) : 0;
    struct gw_api_alert *alerts = chosen != NULL ? gw_mem_calloc(count + 1, sizeof *alerts) : NULL;
    for (size_t i = 0; alerts != NULL && i < count; i++) {
        alerts[i] = *chosen[i];
    }
    gw_mem_free(chosen);
    if (alerts == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for %zu alerts", most);
    }
    *ret_alerts = (struct gw_api_alerts){.alerts = alerts, .count = (uint32_t)count};
    return GW_OK;
}
