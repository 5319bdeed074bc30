// SPDX-License-Identifier: MIT
#include "worker/monitor_references.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/bundle.h"
#include "registry/views.h"
#include "worker/bundle_fetch.h"
#include "worker/monitor_remembered.h"
#include "worker/relay_options.h"

#include <string.h>

enum {
    ARENA_LIMIT_BYTES = 64 << 20,
};

// What the registry says of a version.
struct answer {
    char model[GW_MONITOR_MODEL_BYTES_MAX + 1];
    int32_t version;
    struct gw_monitor_reference reference;
    struct gw_drift_profile *profile; // owned, READY only
};

struct gw_monitor_references {
    struct gw_registry_settings settings;
    struct gw_registry *registry;
    const char *cache; // directory
    struct gw_arena arena;
    struct gw_monitor_remembered *remembered;
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
    references->remembered = gw_monitor_remembered_new();
    if (references->remembered == NULL) {
        gw_monitor_references_free(references);
        return gw_fail(err, GW_E_MEMORY, "no memory for references");
    }
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
    gw_monitor_remembered_free(references->remembered);
    gw_registry_free(references->registry);
    gw_registry_settings_deinit(&references->settings);
    gw_arena_deinit(&references->arena);
    gw_mem_free(references);
}

// ---- from the registry ----------------------------------------------------------------------------------------------

// What is wrong with the connection, its rights or its tables is not the version's fault, and somebody sets it right.
static gw_status away(gw_status status, const char *what, gw_err *err)
{
    return gw_status_class(status) == GW_CLASS_RETRY ? status : gw_fail_context(err, GW_E_UNAVAILABLE, "%s", what);
}

// *ret_bundle NULL: what is stored under the digest is no bundle (any more); the reason is in *err. What cannot even be
// read (no descriptors, a failing disk) says nothing about the bundle, and passes.
static gw_status fetch(struct gw_monitor_references *references, const char *digest, struct gw_bundle **ret_bundle,
                       gw_err *err)
{
    *ret_bundle = NULL;
    gw_status status = gw_bundle_fetch(references->registry, references->cache, digest, ret_bundle, err);
    bool is_damage = status == GW_E_MISMATCH || gw_status_class(status) == GW_CLASS_RECORD;
    return status == GW_OK || is_damage ? GW_OK : away(status, "bundle", err);
}

static bool names_agree(const struct gw_drift_profile *profile, const struct gw_bundle_info *info)
{
    bool agree = profile->feature_count == info->feature_count;
    for (uint32_t i = 0; agree && i < profile->feature_count; i++) {
        agree = strcmp(profile->features[i].name, info->feature_names[i]) == 0;
    }
    return agree;
}

static gw_status read_profile(const struct gw_bundle_info *info, struct answer *answer, gw_err *err)
{
    struct gw_monitor_reference *reference = &answer->reference;
    reference->layout = gw_bundle_layout(info);
    if (info->profile.size == 0) {
        reference->state = GW_MONITOR_REFERENCE_NONE;
        return GW_OK;
    }
    gw_status status = gw_drift_profile_read(info->profile, &answer->profile, err);
    if (status == GW_E_MEMORY) {
        return status;
    }
    if (status == GW_OK && !names_agree(answer->profile, info)) {
        gw_drift_profile_free(answer->profile);
        answer->profile = NULL;
        status = gw_fail(err, GW_E_INVALID, "it is a reference of other features");
    }
    reference->state = status == GW_OK ? GW_MONITOR_REFERENCE_READY : GW_MONITOR_REFERENCE_DAMAGED;
    reference->profile = answer->profile;
    return GW_OK;
}

static gw_status ask(struct gw_monitor_references *references, struct answer *answer, gw_err *err)
{
    struct gw_registry_version version;
    struct gw_bundle *bundle = NULL;
    gw_err cause = {0};
    gw_arena_clear(&references->arena);
    gw_status status = gw_registry_get_version(references->registry, answer->model, answer->version, &references->arena,
                                               &version, err);
    if (gw_status_class(status) == GW_CLASS_RECORD) {
        answer->reference = unknown;
        return GW_OK;
    }
    if (status != GW_OK) {
        return away(status, "registry", err);
    }
    status = fetch(references, version.digest, &bundle, &cause);
    if (status == GW_OK && bundle != NULL) {
        status = read_profile(gw_bundle_info(bundle), answer, &cause);
        gw_bundle_unref(bundle);
    } else if (status == GW_OK) {
        answer->reference.state = GW_MONITOR_REFERENCE_DAMAGED;
    }
    if (status != GW_OK) {
        return gw_fail(err, status, "%s", cause.message);
    }
    if (answer->reference.state == GW_MONITOR_REFERENCE_DAMAGED) {
        gw_log_error("monitor.reference_damaged", "model='%s' version=%d reason='%s' action='register it anew'",
                     answer->model, answer->version, cause.message);
    }
    return GW_OK;
}

gw_status gw_monitor_references_get(void *context, struct gw_slice model, int32_t version,
                                    const struct gw_monitor_reference **ret_reference, gw_err *err)
{
    struct gw_monitor_references *references = context;
    const struct gw_monitor_reference *known = gw_monitor_remembered_find(references->remembered, model, version);
    if (known != NULL) {
        *ret_reference = known;
        return GW_OK;
    }
    if (model.size == 0 || model.size > GW_MONITOR_MODEL_BYTES_MAX || memchr(model.data, '\0', model.size) != NULL ||
        version <= 0) { // the registry takes 0 for the newest
        *ret_reference = &unknown;
        return GW_OK;
    }
    struct answer answer = {.version = version};
    memcpy(answer.model, model.data, model.size);
    GW_TRY(ask(references, &answer, err));
    gw_status status = gw_monitor_remembered_keep(references->remembered, model, version, &answer.reference,
                                                  answer.profile, ret_reference, err);
    if (status != GW_OK) {
        gw_drift_profile_free(answer.profile);
    }
    return status;
}
