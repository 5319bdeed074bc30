// SPDX-License-Identifier: MIT
#include "worker/monitor_references.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/bundle.h"
#include "registry/artefacts.h"
#include "registry/views.h"
#include "worker/monitor_changelog.h"
#include "worker/relay_options.h"

#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096,
    ARENA_LIMIT_BYTES = 64 << 20,
    FETCHES = 2,        // a cached copy may have been damaged on this disk: it is made anew once
    REFUSALS_MAX = 256, // versions remembered to have no reference, the last asked for; others are asked for again
};

struct entry {
    char model[GW_MONITOR_MODEL_BYTES_MAX + 1];
    size_t model_size;
    int32_t version;
    struct gw_monitor_reference reference;
    struct gw_drift_profile *profile; // owned, READY only
};

struct gw_monitor_references {
    struct gw_registry_settings settings;
    struct gw_registry *registry;
    const char *cache; // directory
    struct gw_arena arena;
    struct entry **ready;
    size_t ready_count;
    size_t ready_capacity;
    struct entry refusals[REFUSALS_MAX]; // a ring
    size_t refusal_count;
    size_t refusal_next;
};

static const struct gw_monitor_reference unknown = {.state = GW_MONITOR_REFERENCE_UNKNOWN};

// ---- life -----------------------------------------------------------------------------------------------------------

gw_status gw_monitor_references_new(const struct gw_runtime *runtime, const char *application,
                                    struct gw_monitor_references **ret_references, gw_err *err)
{
    struct gw_monitor_references *references = gw_mem_calloc(1, sizeof *references);
    if (references == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for references");
    }
    gw_arena_init(&references->arena, 1 << 14, ARENA_LIMIT_BYTES);
    references->cache = gw_config_text(runtime->config, GW_OPT_SCORE_MODEL_DIRECTORY);
    gw_status status = gw_registry_settings_init(&references->settings, runtime->config, application, err);
    if (status == GW_OK) {
        status = gw_registry_new(&references->settings.options, &references->registry, err);
    }
    if (status != GW_OK) {
        gw_monitor_references_free(references);
        return status;
    }
    *ret_references = references;
    return GW_OK;
}

void gw_monitor_references_free(struct gw_monitor_references *references)
{
    if (references == NULL) {
        return;
    }
    for (size_t i = 0; i < references->ready_count; i++) {
        gw_drift_profile_free(references->ready[i]->profile);
        gw_mem_free(references->ready[i]);
    }
    gw_mem_free(references->ready);
    gw_registry_free(references->registry);
    gw_registry_settings_deinit(&references->settings);
    gw_arena_deinit(&references->arena);
    gw_mem_free(references);
}

// ---- what is remembered ---------------------------------------------------------------------------------------------

static bool is_of(const struct entry *entry, struct gw_slice model, int32_t version)
{
    return entry->version == version && gw_slice_equal(gw_slice_make(entry->model, entry->model_size), model);
}

static const struct gw_monitor_reference *find(const struct gw_monitor_references *references, struct gw_slice model,
                                               int32_t version)
{
    for (size_t i = 0; i < references->ready_count; i++) {
        if (is_of(references->ready[i], model, version)) {
            return &references->ready[i]->reference;
        }
    }
    for (size_t i = 0; i < references->refusal_count; i++) {
        if (is_of(&references->refusals[i], model, version)) {
            return &references->refusals[i].reference;
        }
    }
    return NULL;
}

static gw_status keep_ready(struct gw_monitor_references *references, const struct entry *found,
                            const struct gw_monitor_reference **ret_reference, gw_err *err)
{
    if (references->ready_count == references->ready_capacity) {
        size_t capacity = references->ready_capacity * 2 + 8;
        struct entry **ready = gw_mem_realloc(references->ready, capacity, sizeof(struct entry *));
        if (ready == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for references");
        }
        references->ready = ready;
        references->ready_capacity = capacity;
    }
    struct entry *entry = gw_mem_calloc(1, sizeof *entry);
    if (entry == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a reference");
    }
    *entry = *found;
    references->ready[references->ready_count++] = entry;
    *ret_reference = &entry->reference;
    return GW_OK;
}

// Whoever was given a refusal has forgotten it before the ring comes round: it is looked at and not kept.
static void keep_refusal(struct gw_monitor_references *references, const struct entry *found,
                         const struct gw_monitor_reference **ret_reference)
{
    struct entry *entry = &references->refusals[references->refusal_next];
    *entry = *found;
    references->refusal_next = (references->refusal_next + 1) % REFUSALS_MAX;
    references->refusal_count = GW_MIN(references->refusal_count + 1, (size_t)REFUSALS_MAX);
    *ret_reference = &entry->reference;
}

// ---- from the registry ----------------------------------------------------------------------------------------------

// What is wrong with the connection, its rights or its tables is not the version's fault, and somebody sets it right.
static gw_status away(gw_status status, gw_err *err)
{
    return gw_status_class(status) == GW_CLASS_RETRY ? status : gw_fail_context(err, GW_E_UNAVAILABLE, "registry");
}

static gw_status load_cached(struct gw_monitor_references *references, const char *digest, const char *path,
                             struct gw_bundle **ret_bundle, gw_err *err)
{
    int held = gw_artefacts_hold(references->cache, digest);
    gw_status status = gw_bundle_load(path, ret_bundle, err);
    if (status != GW_OK && status != GW_E_MEMORY) {
        gw_artefacts_forget_held(references->cache, digest, held);
    }
    if (held >= 0) {
        close(held);
    }
    return status;
}

// *ret_bundle NULL: what is stored under the digest is no bundle (any more); the reason is in *err.
static gw_status fetch(struct gw_monitor_references *references, const char *digest, struct gw_bundle **ret_bundle,
                       gw_err *err)
{
    char path[PATH_BYTES];
    gw_status status = GW_OK;
    *ret_bundle = NULL;
    for (int attempt = 0; attempt < FETCHES; attempt++) {
        status = gw_artefacts_fetch(references->registry, references->cache, digest, path, sizeof path, err);
        if (status == GW_E_NOT_FOUND || status == GW_E_MISMATCH) {
            return GW_OK;
        }
        if (status != GW_OK) {
            return away(status, err);
        }
        status = load_cached(references, digest, path, ret_bundle, err);
        if (status == GW_OK || status == GW_E_MEMORY) {
            return status;
        }
    }
    // What cannot even be read (no descriptors, a failing disk) says nothing about the bundle, and passes.
    bool is_damage = status == GW_E_MISMATCH || gw_status_class(status) == GW_CLASS_RECORD;
    return is_damage ? GW_OK : gw_fail_context(err, GW_E_UNAVAILABLE, "models on this disk");
}

static bool names_agree(const struct gw_drift_profile *profile, const struct gw_bundle_info *info)
{
    bool agree = profile->feature_count == info->feature_count;
    for (uint32_t i = 0; agree && i < profile->feature_count; i++) {
        agree = strcmp(profile->features[i].name, info->feature_names[i]) == 0;
    }
    return agree;
}

static gw_status read_profile(const struct gw_bundle_info *info, struct entry *entry, gw_err *err)
{
    struct gw_monitor_reference *reference = &entry->reference;
    reference->layout = gw_bundle_layout(info);
    if (info->profile.size == 0) {
        reference->state = GW_MONITOR_REFERENCE_NONE;
        return GW_OK;
    }
    gw_status status = gw_drift_profile_read(info->profile, &entry->profile, err);
    if (status == GW_E_MEMORY) {
        return status;
    }
    if (status == GW_OK && !names_agree(entry->profile, info)) {
        gw_drift_profile_free(entry->profile);
        entry->profile = NULL;
        status = gw_fail(err, GW_E_INVALID, "it is a reference of other features");
    }
    reference->state = status == GW_OK ? GW_MONITOR_REFERENCE_READY : GW_MONITOR_REFERENCE_DAMAGED;
    reference->profile = entry->profile;
    return GW_OK;
}

static gw_status ask(struct gw_monitor_references *references, struct entry *entry, gw_err *err)
{
    struct gw_registry_version version;
    struct gw_bundle *bundle = NULL;
    gw_err cause = {0};
    gw_arena_clear(&references->arena);
    gw_status status =
        gw_registry_get_version(references->registry, entry->model, entry->version, &references->arena, &version, err);
    if (gw_status_class(status) == GW_CLASS_RECORD) {
        entry->reference = unknown;
        return GW_OK;
    }
    if (status != GW_OK) {
        return away(status, err);
    }
    status = fetch(references, version.digest, &bundle, &cause);
    if (status == GW_OK && bundle != NULL) {
        status = read_profile(gw_bundle_info(bundle), entry, &cause);
        gw_bundle_unref(bundle);
    } else if (status == GW_OK) {
        entry->reference.state = GW_MONITOR_REFERENCE_DAMAGED;
    }
    if (status != GW_OK) {
        return gw_fail(err, status, "%s", cause.message);
    }
    if (entry->reference.state == GW_MONITOR_REFERENCE_DAMAGED) {
        gw_log_error("monitor.reference_damaged", "model='%s' version=%d reason='%s' action='register it anew'",
                     entry->model, entry->version, cause.message);
    }
    return GW_OK;
}

gw_status gw_monitor_references_get(void *context, struct gw_slice model, int32_t version,
                                    const struct gw_monitor_reference **ret_reference, gw_err *err)
{
    struct gw_monitor_references *references = context;
    const struct gw_monitor_reference *known = find(references, model, version);
    if (known != NULL) {
        *ret_reference = known;
        return GW_OK;
    }
    if (model.size == 0 || model.size > GW_MONITOR_MODEL_BYTES_MAX || memchr(model.data, '\0', model.size) != NULL ||
        version <= 0) { // the registry takes 0 for the newest
        *ret_reference = &unknown;
        return GW_OK;
    }
    struct entry entry = {.model_size = model.size, .version = version};
    memcpy(entry.model, model.data, model.size);
    GW_TRY(ask(references, &entry, err));
    if (entry.reference.state == GW_MONITOR_REFERENCE_READY) {
        gw_status status = keep_ready(references, &entry, ret_reference, err);
        if (status != GW_OK) {
            gw_drift_profile_free(entry.profile);
        }
        return status;
    }
    keep_refusal(references, &entry, ret_reference);
    return GW_OK;
}
