// SPDX-License-Identifier: MIT
#include "worker/score_follow.h"

#include "base/away.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    ROUTE_VERSIONS_MAX = GW_ROUTE_TARGETS_MAX + GW_ROUTE_SHADOWS_MAX,
    // Serving and wanted routes of all models, spare models, and the one that has just come.
    POOL_MAX = 2 * GW_SCORE_ROUTES_MAX * ROUTE_VERSIONS_MAX + GW_SCORE_SPARE_MODELS + 1,
    FAILURES_MAX = 64, // the oldest is forgotten, and found again by the next load if a route still names it
    PAUSE_FLOOR_MS = 50,
    PAUSE_BASE_MS = 200,
    PAUSE_CAP_MS = 5000,
};

struct entry {
    struct gw_route wanted;
    struct gw_route former;        // in force when this process began; no versions: none was
    struct gw_score_route serving; // its models are the pool's
    bool serves;
    struct gw_away away; // of what its loads need
};

struct pooled {
    struct gw_score_model *model; // one reference
    uint64_t used;                // step in which a route last named it
};

struct failure {
    char model[GW_ROUTE_NAME_BYTES];
    int32_t version;
    char digest[GW_ROUTE_DIGEST_BYTES];
    char reason[GW_ERR_MESSAGE_BYTES];
    bool told; // the registry knows
};

struct gw_score_follow {
    struct gw_score_follow_ops ops;
    struct gw_score_tables *tables;
    const char *default_model;
    struct entry entries[GW_SCORE_ROUTES_MAX];
    size_t entry_count;
    bool table_is_old; // a model is gone
    struct pooled pool[POOL_MAX];
    size_t pool_count;
    struct failure failures[FAILURES_MAX];
    size_t failure_count;
    struct gw_away registry; // rejections
    uint64_t step;
    struct gw_score_follow_totals totals;
};

static const char *const ignored_names[] = {
#define X(suffix, name) name,
    GW_SCORE_IGNORED_MAP(X)
#undef X
};

const char *gw_score_ignored_name(enum gw_score_ignored why)
{
    return ignored_names[why];
}

bool gw_score_failure_is_final(gw_status status)
{
    switch (status) {
    case GW_E_MALFORMED:
    case GW_E_INVALID:
    case GW_E_TOO_LARGE:
    case GW_E_NOT_FOUND: // the artefact was stored before its version, so it will not come
    case GW_E_CONFIG:    // a feature that there is not
    case GW_E_MISMATCH:
        return true;
    default:
        return false;
    }
}

// ---- pool -----------------------------------------------------------------------------------------------------------

static bool is_version(const struct gw_score_model *model, const char *name, const struct gw_route_version *version)
{
    return model->version == version->version && strcmp(model->digest, version->digest) == 0 &&
           strcmp(model->name, name) == 0;
}

static struct pooled *find_pooled(struct gw_score_follow *follow, const char *name,
                                  const struct gw_route_version *version)
{
    for (size_t i = 0; i < follow->pool_count; i++) {
        if (is_version(follow->pool[i].model, name, version)) {
            return &follow->pool[i];
        }
    }
    return NULL;
}

static void touch_all(struct gw_score_follow *follow, const struct gw_route *route)
{
    for (uint32_t i = 0; i < route->target_count + route->shadow_count; i++) {
        const struct gw_route_version *version =
            i < route->target_count ? &route->targets[i] : &route->shadows[i - route->target_count];
        struct pooled *pooled = find_pooled(follow, route->model, version);
        if (pooled != NULL) {
            pooled->used = follow->step;
        }
    }
}

// Lets go of models that no route names, beyond those used last. Tables that still use them keep them alive.
static void trim_pool(struct gw_score_follow *follow)
{
    follow->step++;
    for (size_t i = 0; i < follow->entry_count; i++) {
        touch_all(follow, &follow->entries[i].wanted);
        if (follow->entries[i].serves) {
            touch_all(follow, &follow->entries[i].serving.route);
        }
    }
    for (;;) {
        size_t spares = 0;
        size_t oldest = 0;
        for (size_t i = 0; i < follow->pool_count; i++) {
            spares += follow->pool[i].used != follow->step;
            oldest = follow->pool[i].used < follow->pool[oldest].used ? i : oldest;
        }
        if (spares <= GW_SCORE_SPARE_MODELS) {
            return;
        }
        gw_score_model_unref(follow->pool[oldest].model);
        follow->pool[oldest] = follow->pool[--follow->pool_count];
    }
}

// ---- failures -------------------------------------------------------------------------------------------------------

static struct failure *find_failure(struct gw_score_follow *follow, const char *name,
                                    const struct gw_route_version *version)
{
    for (size_t i = 0; i < follow->failure_count; i++) {
        struct failure *failure = &follow->failures[i];
        if (failure->version == version->version && strcmp(failure->digest, version->digest) == 0 &&
            strcmp(failure->model, name) == 0) {
            return failure;
        }
    }
    return NULL;
}

static void remove_failure(struct gw_score_follow *follow, size_t index)
{
    follow->failure_count--;
    memmove(&follow->failures[index], &follow->failures[index + 1],
            (follow->failure_count - index) * sizeof follow->failures[0]);
}

static void add_failure(struct gw_score_follow *follow, const char *name, const struct gw_route_version *version,
                        const char *reason)
{
    if (follow->failure_count == FAILURES_MAX) {
        remove_failure(follow, 0);
    }
    struct failure *failure = &follow->failures[follow->failure_count++];
    *failure = (struct failure){.version = version->version};
    snprintf(failure->model, sizeof failure->model, "%s", name);
    snprintf(failure->digest, sizeof failure->digest, "%s", version->digest);
    snprintf(failure->reason, sizeof failure->reason, "%s", reason);
    follow->totals.refusals++;
    gw_log_error("model.rejected", "model='%s' version=%d digest=%.12s reason='%s'", name, version->version,
                 version->digest, reason);
}

// Tells the registry about the first version that it does not know about. False: there is none, or it is away.
static bool tell_registry(struct gw_score_follow *follow, uint64_t now_us)
{
    size_t index = 0;
    while (index < follow->failure_count && follow->failures[index].told) {
        index++;
    }
    if (index == follow->failure_count || gw_away_check(&follow->registry, "registry", now_us, NULL) != GW_OK) {
        return false;
    }
    struct failure *failure = &follow->failures[index];
    gw_err err = {0};
    gw_status status = follow->ops.reject(follow->ops.context, failure->model, failure->version, failure->reason, &err);
    switch (status) {
    case GW_OK:
    case GW_E_NOT_FOUND: // no such version, or no such model: there is nobody to tell
    case GW_E_INVALID:
        failure->told = true;
        gw_away_works(&follow->registry);
        break;
    default:
        gw_away_failed(&follow->registry, now_us, err.message);
        if (status == GW_E_MISMATCH) { // another build's database: perhaps the load failed of the same cause
            remove_failure(follow, index);
        }
    }
    if (status != GW_OK) {
        gw_log_warn("model.rejection_not_stored", "status=%s reason='%s'", gw_status_name(status), err.message);
    }
    return true;
}

// ---- routes ---------------------------------------------------------------------------------------------------------

static struct entry *find_entry(struct gw_score_follow *follow, struct gw_slice model)
{
    for (size_t i = 0; i < follow->entry_count; i++) {
        if (gw_slice_is(model, follow->entries[i].wanted.model)) {
            return &follow->entries[i];
        }
    }
    return NULL;
}

// The default model has a place whatever else there is.
static bool has_room(struct gw_score_follow *follow, const char *model)
{
    const bool reserved = strcmp(model, follow->default_model) != 0 &&
                          find_entry(follow, gw_slice_text(follow->default_model)) == NULL;
    return follow->entry_count + reserved < GW_SCORE_ROUTES_MAX;
}

gw_status gw_score_follow_note(struct gw_score_follow *follow, const struct gw_route *route, gw_err *err)
{
    gw_status status = gw_route_check(route, err);
    if (status != GW_OK) {
        gw_score_follow_note_bad(follow);
        return status;
    }
    struct entry *entry = find_entry(follow, gw_slice_text(route->model));
    if (entry != NULL && route->sequence <= entry->wanted.sequence) {
        follow->totals.ignored[GW_SCORE_IGNORED_OLD]++;
        return gw_fail(err, GW_E_STALE, "route of '%s': sequence %lld, %lld is known", route->model,
                       (long long)route->sequence, (long long)entry->wanted.sequence);
    }
    if (entry == NULL) {
        if (!has_room(follow, route->model)) {
            follow->totals.ignored[GW_SCORE_IGNORED_TOO_MANY]++;
            return gw_fail(err, GW_E_EXHAUSTED, "route of '%s': over %d models", route->model, GW_SCORE_ROUTES_MAX);
        }
        entry = &follow->entries[follow->entry_count++];
        *entry = (struct entry){.serves = false};
    }
    entry->wanted = *route;
    // A pause was for what the former route named.
    gw_away_init(&entry->away, PAUSE_FLOOR_MS, PAUSE_BASE_MS, PAUSE_CAP_MS, (uint64_t)route->sequence);
    return GW_OK;
}

void gw_score_follow_began(struct gw_score_follow *follow)
{
    for (size_t i = 0; i < follow->entry_count; i++) {
        follow->entries[i].former = follow->entries[i].wanted;
    }
}

void gw_score_follow_note_bad(struct gw_score_follow *follow)
{
    follow->totals.ignored[GW_SCORE_IGNORED_BAD]++;
}

void gw_score_follow_forget(struct gw_score_follow *follow, struct gw_slice model)
{
    struct entry *entry = find_entry(follow, model);
    if (entry != NULL) {
        follow->table_is_old = follow->table_is_old || entry->serves;
        gw_log_info("route.removed", "model='%s'", entry->wanted.model);
        *entry = follow->entries[--follow->entry_count];
    }
}

// What of an entry is to be loaded next: the first version that is neither loaded nor known to fail. Targets come
// first; *ret_blocked: one of them can never be loaded, so the route waits for the next one.
static const struct gw_route_version *next_load(struct gw_score_follow *follow, const struct entry *entry,
                                                bool *ret_blocked)
{
    const struct gw_route *route = &entry->wanted;
    *ret_blocked = false;
    for (uint32_t i = 0; i < route->target_count && !*ret_blocked; i++) {
        *ret_blocked = find_failure(follow, route->model, &route->targets[i]) != NULL;
    }
    for (uint32_t i = 0; i < route->target_count && !*ret_blocked; i++) {
        if (find_pooled(follow, route->model, &route->targets[i]) == NULL) {
            return &route->targets[i];
        }
    }
    for (uint32_t i = 0; i < route->shadow_count && !*ret_blocked; i++) {
        if (find_pooled(follow, route->model, &route->shadows[i]) == NULL &&
            find_failure(follow, route->model, &route->shadows[i]) == NULL) {
            return &route->shadows[i];
        }
    }
    return NULL;
}

// The wanted route with what of it is loaded. False: a target is not.
static bool bind_route(struct gw_score_follow *follow, const struct gw_route *route, struct gw_score_route *ret_bound)
{
    *ret_bound = (struct gw_score_route){.route = *route};
    for (uint32_t i = 0; i < route->target_count; i++) {
        const struct pooled *pooled = find_pooled(follow, route->model, &route->targets[i]);
        if (pooled == NULL) {
            return false;
        }
        ret_bound->targets[i] = pooled->model;
    }
    for (uint32_t i = 0; i < route->shadow_count; i++) {
        const struct pooled *pooled = find_pooled(follow, route->model, &route->shadows[i]);
        ret_bound->shadows[i] = pooled != NULL ? pooled->model : NULL;
    }
    return true;
}

static gw_status swap(struct gw_score_follow *follow, const struct entry *entry, const struct gw_score_route *bound,
                      gw_err *err)
{
    const struct gw_score_route *routes[GW_SCORE_ROUTES_MAX];
    size_t count = 0;
    struct gw_score_table *table = NULL;
    for (size_t i = 0; i < follow->entry_count; i++) {
        if (&follow->entries[i] == entry) {
            routes[count++] = bound;
        } else if (follow->entries[i].serves) {
            routes[count++] = &follow->entries[i].serving;
        }
    }
    GW_TRY(gw_score_table_new(follow->tables, routes, count, follow->default_model, &table, err));
    gw_score_tables_swap(follow->tables, table);
    follow->table_is_old = false;
    follow->totals.swaps++;
    return GW_OK;
}

static void log_route(const struct gw_score_route *bound)
{
    char text[512] = "";
    size_t used = 0;
    const struct gw_route *route = &bound->route;
    for (uint32_t i = 0; i < route->target_count && used < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d:%u", i > 0 ? "," : "",
                                 route->targets[i].version, route->targets[i].weight);
    }
    for (uint32_t i = 0; i < route->shadow_count && used < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, ",%d:%s", route->shadows[i].version,
                                 bound->shadows[i] != NULL ? "shadow" : "not-loaded");
    }
    gw_log_info("route.taken", "model='%s' sequence=%lld versions='%s'", route->model, (long long)route->sequence,
                text);
}

// Puts the wanted route in force when it can be, and is more than what serves.
static bool take_route(struct gw_score_follow *follow, struct entry *entry, uint64_t now_us)
{
    struct gw_score_route bound;
    gw_err err = {0};
    if (!bind_route(follow, &entry->wanted, &bound) ||
        (entry->serves && entry->serving.route.sequence == bound.route.sequence &&
         memcmp(entry->serving.shadows, bound.shadows, sizeof bound.shadows) == 0)) {
        return false;
    }
    if (swap(follow, entry, &bound, &err) != GW_OK) {
        gw_away_failed(&entry->away, now_us, err.message);
        return true;
    }
    entry->serving = bound;
    entry->serves = true;
    log_route(&bound);
    trim_pool(follow);
    return true;
}

static bool load(struct gw_score_follow *follow, struct entry *entry, const struct gw_route_version *version,
                 uint64_t now_us)
{
    struct gw_score_model *model = NULL;
    gw_err err = {0};
    trim_pool(follow);
    GW_ASSERT(follow->pool_count < POOL_MAX);
    gw_status status = follow->ops.load(follow->ops.context, entry->wanted.model, version, &model, &err);
    if (status == GW_OK) {
        follow->pool[follow->pool_count++] = (struct pooled){.model = model, .used = follow->step};
        follow->totals.loads++;
        gw_away_works(&entry->away);
    } else if (gw_score_failure_is_final(status) &&
               !(status == GW_E_CONFIG && gw_route_find(&entry->former, version->version) >= 0)) {
        add_failure(follow, entry->wanted.model, version, err.message);
    } else {
        follow->totals.load_retries++;
        gw_away_failed(&entry->away, now_us, err.message);
        gw_log_warn("model.not_loaded", "model='%s' version=%d status=%s reason='%s'", entry->wanted.model,
                    version->version, gw_status_name(status), err.message);
    }
    return true;
}

static bool step_entry(struct gw_score_follow *follow, struct entry *entry, uint64_t now_us)
{
    if (gw_away_check(&entry->away, "models", now_us, NULL) != GW_OK) {
        return false;
    }
    if (take_route(follow, entry, now_us)) {
        return true;
    }
    bool blocked = false;
    const struct gw_route_version *version = next_load(follow, entry, &blocked);
    return version != NULL && load(follow, entry, version, now_us);
}

bool gw_score_follow_step(struct gw_score_follow *follow, uint64_t now_us)
{
    if (follow->table_is_old && swap(follow, NULL, NULL, NULL) == GW_OK) {
        trim_pool(follow);
        return true;
    }
    for (size_t i = 0; i < follow->entry_count; i++) {
        if (step_entry(follow, &follow->entries[i], now_us)) {
            return true;
        }
    }
    return tell_registry(follow, now_us);
}

bool gw_score_follow_is_settled(const struct gw_score_follow *follow, char *why, size_t size)
{
    const struct entry *entry = NULL;
    for (size_t i = 0; i < follow->entry_count && entry == NULL; i++) {
        entry = strcmp(follow->entries[i].wanted.model, follow->default_model) == 0 ? &follow->entries[i] : NULL;
    }
    if (entry == NULL || (entry->serves && entry->serving.route.sequence == entry->wanted.sequence)) {
        return true;
    }
    const char *reason = entry->away.why;
    for (size_t i = 0; i < follow->failure_count && reason[0] == '\0'; i++) {
        if (strcmp(follow->failures[i].model, entry->wanted.model) == 0) {
            reason = follow->failures[i].reason;
        }
    }
    snprintf(why, size, "route %lld of '%s'%s%s", (long long)entry->wanted.sequence, entry->wanted.model,
             reason[0] != '\0' ? ": " : "", reason);
    return false;
}

void gw_score_follow_totals(const struct gw_score_follow *follow, struct gw_score_follow_totals *ret_totals)
{
    *ret_totals = follow->totals;
    ret_totals->loaded = follow->pool_count;
}

gw_status gw_score_follow_new(const struct gw_score_follow_ops *ops, struct gw_score_tables *tables,
                              const char *default_model, struct gw_score_follow **ret_follow, gw_err *err)
{
    struct gw_score_follow *follow = gw_mem_calloc(1, sizeof *follow);
    if (follow == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to follow routes");
    }
    follow->ops = *ops;
    follow->tables = tables;
    follow->default_model = default_model;
    gw_away_init(&follow->registry, PAUSE_FLOOR_MS, PAUSE_BASE_MS, PAUSE_CAP_MS, 1);
    *ret_follow = follow;
    return GW_OK;
}

void gw_score_follow_free(struct gw_score_follow *follow)
{
    if (follow == NULL) {
        return;
    }
    for (size_t i = 0; i < follow->pool_count; i++) {
        gw_score_model_unref(follow->pool[i].model);
    }
    gw_mem_free(follow);
}
