// SPDX-License-Identifier: MIT
// The verbs that give versions their roles and take them.
//
// What a rollback returns to follows from the history of reigns, read like an editor's undo. A reign is an event that
// made a version champion. Beneath a promotion lies the reign that it ended; beneath a rollback to v lies what lay
// beneath v's reign before it. So after promotions of 1, 2, 3 a rollback goes to 2 and another one to 1, not back to 3;
// a promotion of 4 lies on whatever reigns then. Versions that are rejected or archived meanwhile are passed over.
#include "base/mem.h"
#include "registry/registry_change.h"

#include <stdio.h>
#include <string.h>

#define REIGNS_MAX   "10000" // a rollback looks no further back
#define CANARIES_MAX (GW_ROUTE_TARGETS_MAX - 1)
#define SHARES_BYTES 512 // of CANARIES_MAX versions, weights and variants in words
#define NUMBER_BYTES 24

// A version whose artefact was given up cannot come back.
static gw_status require_artefact(const struct gw_change *change, const struct gw_change_version *version, gw_err *err)
{
    if (version->archived) {
        return gw_fail(err, GW_E_CONFLICT, "model '%s' version %d is archived and cannot come back", change->model,
                       version->version);
    }
    return GW_OK;
}

static gw_status end_canaries(struct gw_change *change, const struct gw_change_version *except, const char *reason,
                              gw_err *err)
{
    for (size_t i = 0; i < change->version_count; i++) {
        struct gw_change_version *version = &change->versions[i];
        if (version->state == GW_ROLLOUT_CANARY && version != except) {
            GW_TRY(gw_change_move(change, version, GW_ROLLOUT_VERB_DEMOTE, reason, err));
        }
    }
    return GW_OK;
}

// Everybody steps down for the next champion, who is not one of them even when it is a canary now.
static gw_status make_room(struct gw_change *change, const struct gw_change_version *next, const char *reason,
                           gw_err *err)
{
    struct gw_change_version *champion = gw_change_in_state(change, GW_ROLLOUT_CHAMPION);
    if (champion != NULL) {
        change->outcome.previous_version = champion->version;
        GW_TRY(gw_change_move(change, champion, GW_ROLLOUT_VERB_DEMOTE, reason, err));
    }
    return end_canaries(change, next, reason, err);
}

// ---- promote --------------------------------------------------------------------------------------------------------

static gw_status apply_promote(struct gw_change *change, const void *context, gw_err *err)
{
    struct gw_change_version *version = NULL;
    enum gw_rollout_state to = GW_ROLLOUT_CHAMPION;
    GW_TRY(gw_change_find(change, *(const int32_t *)context, &version, err));
    change->outcome.version = version->version;
    gw_status status = gw_rollout_move(version->state, GW_ROLLOUT_VERB_PROMOTE, &to, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "model '%s' version %d", change->model, version->version);
    }
    GW_TRY(require_artefact(change, version, err));
    GW_TRY(make_room(change, version, NULL, err));
    return gw_change_move(change, version, GW_ROLLOUT_VERB_PROMOTE, NULL, err);
}

gw_status gw_registry_promote(struct gw_registry *registry, const char *model, int32_t version,
                              const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                              gw_err *err)
{
    struct gw_change made;
    GW_TRY(gw_change_init(&made, registry, model, change, err, "promote %.128s %d", model, version));
    return gw_change_run(&made, apply_promote, &version, ret_outcome, err);
}

// ---- rollback -------------------------------------------------------------------------------------------------------

static gw_status read_reigns(struct gw_change *change, struct gw_postgres_rows **ret_rows, gw_err *err)
{
    return gw_registry_exec(change->registry,
                            "SELECT e.version, (e.transition = 'rollback')::int, "
                            "(v.state <> 'REJECTED' AND v.artefact IS NOT NULL)::int FROM registry_events e "
                            "JOIN registry_versions v ON v.model = e.model AND v.version = e.version "
                            "WHERE e.model = $1 AND e.to_state = 'CHAMPION' ORDER BY e.sequence DESC "
                            "LIMIT " REIGNS_MAX,
                            &change->model, 1, ret_rows, err);
}

struct reign {
    int32_t version;
    bool rolled_back;
    bool usable; // neither rejected nor archived, as far as is written
};

static gw_status reign_at(const struct gw_postgres_rows *rows, size_t index, struct reign *ret_reign, gw_err *err)
{
    int64_t version = 0;
    int64_t rolled_back = 0;
    int64_t usable = 0;
    GW_TRY(gw_postgres_rows_int64(rows, index, 0, &version, err));
    GW_TRY(gw_postgres_rows_int64(rows, index, 1, &rolled_back, err));
    GW_TRY(gw_postgres_rows_int64(rows, index, 2, &usable, err));
    *ret_reign = (struct reign){.version = (int32_t)version, .rolled_back = rolled_back != 0, .usable = usable != 0};
    return GW_OK;
}

// Index of the reign beneath the one at `index` (newest first); the count when there is none.
static gw_status reign_beneath(const struct gw_postgres_rows *rows, size_t index, size_t *ret_index, gw_err *err)
{
    const size_t count = gw_postgres_rows_count(rows);
    struct reign reign;
    GW_TRY(reign_at(rows, index, &reign, err));
    const int32_t version = reign.version;
    while (reign.rolled_back) { // to the reign that it took up again
        do {
            index++;
            if (index >= count) {
                *ret_index = count;
                return GW_OK;
            }
            GW_TRY(reign_at(rows, index, &reign, err));
        } while (reign.version != version);
    }
    *ret_index = index + 1;
    return GW_OK;
}

// A former champion comes back from wherever a promotion could take it: it may shadow, or serve some users, by now.
static bool may_return(const struct gw_change_version *version)
{
    enum gw_rollout_state to = version->state;
    return !version->archived && gw_rollout_move(version->state, GW_ROLLOUT_VERB_PROMOTE, &to, NULL) == GW_OK;
}

// The version that a rollback returns to; NULL: none.
static gw_status find_predecessor(struct gw_change *change, struct gw_change_version **ret_version, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_TRY(read_reigns(change, &rows, err));
    *ret_version = NULL;
    for (size_t i = 0; i < gw_postgres_rows_count(rows);) {
        struct reign reign;
        struct gw_change_version *version = NULL;
        GW_TRY(reign_at(rows, i, &reign, err));
        if (i > 0 && reign.usable) {
            GW_TRY(gw_change_find(change, reign.version, &version, err));
            if (may_return(version)) { // else it is the present champion, from an earlier reign
                *ret_version = version;
                return GW_OK;
            }
        }
        GW_TRY(reign_beneath(rows, i, &i, err));
    }
    return GW_OK;
}

static gw_status require_former_champion(struct gw_change *change, const struct gw_change_version *version, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    char number[NUMBER_BYTES];
    snprintf(number, sizeof number, "%d", version->version);
    const char *const parameters[] = {change->model, number};
    GW_TRY(gw_registry_exec(change->registry,
                            "SELECT 1 FROM registry_events WHERE model = $1 AND version = $2::integer AND "
                            "to_state = 'CHAMPION' LIMIT 1",
                            parameters, 2, &rows, err));
    if (gw_postgres_rows_count(rows) == 0) {
        return gw_fail(err, GW_E_CONFLICT, "model '%s' version %d never was champion: promote it", change->model,
                       version->version);
    }
    return GW_OK;
}

static gw_status apply_rollback(struct gw_change *change, const void *context, gw_err *err)
{
    const int32_t wanted = *(const int32_t *)context;
    struct gw_change_version *version = NULL;
    if (wanted == 0) {
        GW_TRY(find_predecessor(change, &version, err));
        if (version == NULL) {
            return gw_fail(err, GW_E_CONFLICT, "model '%s' has no champion to go back to", change->model);
        }
    } else {
        GW_TRY(gw_change_find(change, wanted, &version, err));
        GW_TRY(require_artefact(change, version, err));
        if (!may_return(version)) {
            enum gw_rollout_state to = version->state;
            gw_status status = gw_rollout_move(version->state, GW_ROLLOUT_VERB_ROLLBACK, &to, err);
            return gw_fail_context(err, status, "model '%s' version %d", change->model, version->version);
        }
        GW_TRY(require_former_champion(change, version, err));
    }
    change->outcome.version = version->version;
    GW_TRY(make_room(change, version, NULL, err));
    return gw_change_set(change, version, gw_rollout_verb_name(GW_ROLLOUT_VERB_ROLLBACK), GW_ROLLOUT_CHAMPION, NULL,
                         err);
}

gw_status gw_registry_rollback(struct gw_registry *registry, const char *model, int32_t version,
                               const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                               gw_err *err)
{
    struct gw_change made;
    GW_TRY(gw_change_init(&made, registry, model, change, err, "rollback %.128s %d", model, version));
    return gw_change_run(&made, apply_rollback, &version, ret_outcome, err);
}

// ---- shadow ---------------------------------------------------------------------------------------------------------

struct shadow {
    int32_t version;
    bool on;
};

static gw_status apply_shadow(struct gw_change *change, const void *context, gw_err *err)
{
    const struct shadow *shadow = context;
    struct gw_change_version *version = NULL;
    GW_TRY(gw_change_find(change, shadow->version, &version, err));
    change->outcome.version = version->version;
    if (shadow->on) {
        GW_TRY(require_artefact(change, version, err));
    }
    return gw_change_move(change, version, shadow->on ? GW_ROLLOUT_VERB_START_SHADOW : GW_ROLLOUT_VERB_UNSHADOW, NULL,
                          err);
}

gw_status gw_registry_shadow(struct gw_registry *registry, const char *model, int32_t version, bool on,
                             const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                             gw_err *err)
{
    struct gw_change made;
    const struct shadow shadow = {.version = version, .on = on};
    GW_TRY(gw_change_init(&made, registry, model, change, err, "%s %.128s %d", on ? "shadow" : "unshadow", model,
                          version));
    return gw_change_run(&made, apply_shadow, &shadow, ret_outcome, err);
}

// ---- split ----------------------------------------------------------------------------------------------------------

struct split {
    const struct gw_registry_share *shares;
    size_t count;
};

// Whatever can be said without the database.
static gw_status check_shares(const struct gw_registry_share *shares, size_t count, gw_err *err)
{
    uint64_t sum = 0;
    if (count > CANARIES_MAX) {
        return gw_fail(err, GW_E_INVALID, "%zu shares, at most %d", count, CANARIES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *variant = shares[i].variant;
        if (shares[i].weight == 0 || shares[i].weight >= GW_ROUTE_BUCKETS) {
            return gw_fail(err, GW_E_INVALID, "share of version %d is %u of %u buckets, must be 1 to %u",
                           shares[i].version, shares[i].weight, GW_ROUTE_BUCKETS, GW_ROUTE_BUCKETS - 1);
        }
        if (variant != NULL && !gw_route_name_is_valid(variant, GW_ROUTE_VARIANT_BYTES)) {
            return gw_fail(err, GW_E_INVALID, "variant '%.40s' of version %d: 1 to 32 of A-Z a-z 0-9 . _ -", variant,
                           shares[i].version);
        }
        if (variant != NULL && (strcmp(variant, "champion") == 0 || strcmp(variant, "shadow") == 0)) {
            return gw_fail(err, GW_E_INVALID, "variant '%s' of version %d is the name of another role", variant,
                           shares[i].version);
        }
        sum += shares[i].weight;
    }
    if (sum >= GW_ROUTE_BUCKETS) {
        return gw_fail(err, GW_E_INVALID, "shares add up to %llu of %u buckets, nothing is left for the champion",
                       (unsigned long long)sum, GW_ROUTE_BUCKETS);
    }
    return GW_OK;
}

static void name_variant(const struct gw_registry_share *share, const struct gw_change_version *version, size_t count,
                         char ret_variant[GW_ROUTE_VARIANT_BYTES])
{
    if (share->variant != NULL) {
        snprintf(ret_variant, GW_ROUTE_VARIANT_BYTES, "%s", share->variant);
    } else if (count == 1) {
        snprintf(ret_variant, GW_ROUTE_VARIANT_BYTES, "canary");
    } else {
        snprintf(ret_variant, GW_ROUTE_VARIANT_BYTES, "canary-%d", version->version);
    }
}

// Pointers stay: the versions are an array inside the change.
static gw_status find_shares(struct gw_change *change, const struct split *split,
                             struct gw_change_version *ret_versions[CANARIES_MAX],
                             char ret_variants[CANARIES_MAX][GW_ROUTE_VARIANT_BYTES], gw_err *err)
{
    for (size_t i = 0; i < split->count; i++) {
        GW_TRY(gw_change_find(change, split->shares[i].version, &ret_versions[i], err));
        GW_TRY(require_artefact(change, ret_versions[i], err));
        name_variant(&split->shares[i], ret_versions[i], split->count, ret_variants[i]);
        for (size_t j = 0; j < i; j++) {
            if (ret_versions[j] == ret_versions[i]) {
                return gw_fail(err, GW_E_INVALID, "version %d has two shares", ret_versions[i]->version);
            }
            if (strcmp(ret_variants[j], ret_variants[i]) == 0) {
                return gw_fail(err, GW_E_INVALID, "versions %d and %d have the same variant '%s'",
                               ret_versions[j]->version, ret_versions[i]->version, ret_variants[i]);
            }
        }
    }
    return GW_OK;
}

static bool is_named(struct gw_change_version *const *named, size_t count, const struct gw_change_version *version)
{
    for (size_t i = 0; i < count; i++) {
        if (named[i] == version) {
            return true;
        }
    }
    return false;
}

static gw_status apply_split(struct gw_change *change, const void *context, gw_err *err)
{
    const struct split *split = context;
    struct gw_change_version *named[CANARIES_MAX] = {NULL};
    char variants[CANARIES_MAX][GW_ROUTE_VARIANT_BYTES];
    GW_TRY(find_shares(change, split, named, variants, err));
    if (gw_change_in_state(change, GW_ROLLOUT_CHAMPION) == NULL) {
        return gw_fail(err, GW_E_CONFLICT, "model '%s' has no champion to split users with", change->model);
    }
    change->outcome.version = split->count == 1 ? named[0]->version : 0;
    for (size_t i = 0; i < change->version_count; i++) {
        struct gw_change_version *version = &change->versions[i];
        if (version->state == GW_ROLLOUT_CANARY && !is_named(named, split->count, version)) {
            GW_TRY(gw_change_move(change, version, GW_ROLLOUT_VERB_DEMOTE, NULL, err));
        }
    }
    for (size_t i = 0; i < split->count; i++) {
        const uint32_t weight = split->shares[i].weight;
        if (named[i]->state == GW_ROLLOUT_CANARY && named[i]->weight == weight &&
            strcmp(named[i]->variant, variants[i]) == 0) {
            continue; // as it is
        }
        GW_TRY(gw_change_move(change, named[i], GW_ROLLOUT_VERB_SPLIT, NULL, err));
        named[i]->weight = weight;
        memcpy(named[i]->variant, variants[i], sizeof variants[i]);
    }
    return GW_OK;
}

gw_status gw_registry_split(struct gw_registry *registry, const char *model, const struct gw_registry_share *shares,
                            size_t count, const struct gw_registry_change *change,
                            struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    struct gw_change made;
    const struct split split = {.shares = shares, .count = count};
    char words[SHARES_BYTES] = "";
    GW_TRY(check_shares(shares, count, err));
    for (size_t i = 0, at = 0; i < count && at < sizeof words; i++) {
        at += (size_t)snprintf(words + at, sizeof words - at, " %d:%u:%s", shares[i].version, shares[i].weight,
                               shares[i].variant != NULL ? shares[i].variant : "");
    }
    GW_TRY(gw_change_init(&made, registry, model, change, err, "split %.128s%s", model, words));
    return gw_change_run(&made, apply_split, &split, ret_outcome, err);
}

// ---- archive, reject ------------------------------------------------------------------------------------------------

static gw_status apply_archive(struct gw_change *change, const void *context, gw_err *err)
{
    struct gw_change_version *version = NULL;
    GW_TRY(gw_change_find(change, *(const int32_t *)context, &version, err));
    change->outcome.version = version->version;
    if (version->archived) {
        return GW_OK;
    }
    GW_TRY(gw_change_move(change, version, GW_ROLLOUT_VERB_ARCHIVE, NULL, err));
    version->archived = true;
    return GW_OK;
}

gw_status gw_registry_archive(struct gw_registry *registry, const char *model, int32_t version,
                              const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                              gw_err *err)
{
    struct gw_change made;
    GW_TRY(gw_change_init(&made, registry, model, change, err, "archive %.128s %d", model, version));
    return gw_change_run(&made, apply_archive, &version, ret_outcome, err);
}

static gw_status replace_rejected(struct gw_change *change, int32_t rejected, gw_err *err)
{
    char reason[GW_CHANGE_REASON_BYTES + 64];
    struct gw_change_version *next = NULL;
    snprintf(reason, sizeof reason, "version %d was rejected: %s", rejected, change->said->reason);
    GW_TRY(find_predecessor(change, &next, err));
    GW_TRY(end_canaries(change, next, reason, err));
    if (next == NULL) {
        return GW_OK;
    }
    return gw_change_set(change, next, gw_rollout_verb_name(GW_ROLLOUT_VERB_ROLLBACK), GW_ROLLOUT_CHAMPION, reason,
                         err);
}

static gw_status apply_reject(struct gw_change *change, const void *context, gw_err *err)
{
    struct gw_change_version *version = NULL;
    GW_TRY(gw_change_find(change, *(const int32_t *)context, &version, err));
    change->outcome.version = version->version;
    if (version->state == GW_ROLLOUT_REJECTED) {
        return GW_OK;
    }
    const bool served = version->state == GW_ROLLOUT_CHAMPION;
    const int32_t number = version->version;
    GW_TRY(gw_change_move(change, version, GW_ROLLOUT_VERB_REJECT, NULL, err));
    return served ? replace_rejected(change, number, err) : GW_OK;
}

gw_status gw_registry_reject(struct gw_registry *registry, const char *model, int32_t version,
                             const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                             gw_err *err)
{
    struct gw_change made;
    GW_TRY(gw_change_init(&made, registry, model, change, err, "reject %.128s %d", model, version));
    return gw_change_run(&made, apply_reject, &version, ret_outcome, err);
}
