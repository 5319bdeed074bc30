// SPDX-License-Identifier: MIT
// Making models and versions. The bundle is read, checked and stored before the transaction that names it.
#include "base/hash.h"
#include "base/json.h"
#include "registry/artefacts.h"
#include "registry/registry_bundle.h"
#include "registry/registry_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DESCRIPTION_BYTES_MAX 4096
#define TAGS_BYTES_MAX        (16 << 10)
#define TAG_VALUE_BYTES_MAX   1024
#define NUMBER_BYTES          24

// A version about to be made.
struct draft {
    const struct gw_registry_bundle *bundle;
    const char *description;
    const char *tags_json;
    const char *metrics_json;
    const char *lineage_json;
    int32_t parent_version; // 0: the champion
    bool verified;
};

static gw_status check_description(const char *description, gw_err *err)
{
    size_t size = strlen(description);
    return size <= DESCRIPTION_BYTES_MAX
               ? GW_OK
               : gw_fail(err, GW_E_TOO_LARGE, "description has %zu bytes, at most %d", size, DESCRIPTION_BYTES_MAX);
}

static gw_status parse_tags(struct gw_json *json, struct gw_buf *value, gw_err *err)
{
    GW_TRY(gw_json_enter(json, GW_JSON_OBJECT, err));
    for (;;) {
        bool more = false;
        struct gw_slice key;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return gw_json_end(json, err);
        }
        GW_TRY(gw_json_key(json, &key, err));
        gw_status status = gw_json_string(json, value, TAG_VALUE_BYTES_MAX, err);
        if (status != GW_OK) {
            return gw_fail_context(err, status, "'%.*s'", (int)GW_MIN(key.size, 64), (const char *)key.data);
        }
    }
}

static gw_status check_tags(const char *tags_json, gw_err *err)
{
    struct gw_json json;
    struct gw_buf value = {0};
    if (strlen(tags_json) > TAGS_BYTES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "tags have more than %d bytes", TAGS_BYTES_MAX);
    }
    gw_json_init(&json, gw_slice_text(tags_json));
    gw_status status = parse_tags(&json, &value, err);
    gw_buf_deinit(&value);
    return status == GW_OK ? GW_OK : gw_fail_context(err, status, "tags");
}

// ---- inside the transaction -----------------------------------------------------------------------------------------

static gw_status insert_version(struct gw_change *change, const struct draft *draft,
                                const struct gw_change_version *version, gw_err *err)
{
    char number[NUMBER_BYTES];
    char parent[NUMBER_BYTES];
    snprintf(number, sizeof number, "%d", version->version);
    snprintf(parent, sizeof parent, "%d", version->parent_version);
    const char *const parameters[] = {change->model,
                                      number,
                                      version->digest,
                                      gw_rollout_state_name(version->state),
                                      draft->description,
                                      draft->tags_json,
                                      (const char *)draft->bundle->signature.data,
                                      draft->metrics_json,
                                      draft->lineage_json,
                                      parent,
                                      change->said->actor};
    return gw_registry_exec(change->registry,
                            "INSERT INTO registry_versions (model, version, digest, artefact, state, description, "
                            "tags, signature, metrics, lineage, parent_version, created_at, created_by) "
                            "SELECT $1, $2::integer, $3, $3, $4, $5, $6::jsonb, $7::jsonb, $8::jsonb, $9::jsonb, "
                            "$10::integer, c.at, $11 FROM registry_clock c",
                            parameters, GW_COUNT_OF(parameters), NULL, err);
}

static gw_status add_version(struct gw_change *change, const struct draft *draft,
                             struct gw_change_version **ret_version, gw_err *err)
{
    struct gw_change_version version = {
        .version = change->last_version + 1, .state = GW_ROLLOUT_REGISTERED, .parent_version = draft->parent_version};
    const struct gw_change_version *champion = gw_change_in_state(change, GW_ROLLOUT_CHAMPION);
    memcpy(version.digest, draft->bundle->digest, sizeof version.digest);
    if (draft->parent_version != 0) {
        struct gw_change_version *parent = NULL;
        GW_TRY(gw_change_find(change, draft->parent_version, &parent, err));
    } else if (champion != NULL) {
        version.parent_version = champion->version;
    }
    GW_TRY(insert_version(change, draft, &version, err));
    GW_TRY(gw_change_add(change, &version, ret_version, err));
    const struct gw_change_event event = {.version = version.version,
                                          .transition = "register",
                                          .from_state = "",
                                          .to_state = gw_rollout_state_name(version.state),
                                          .digest = (*ret_version)->digest,
                                          .parent_version = version.parent_version};
    GW_TRY(gw_change_append(change, &event, NULL, err));
    change->last_version = version.version;
    return draft->verified ? gw_change_move(change, *ret_version, GW_ROLLOUT_VERB_VERIFY, NULL, err) : GW_OK;
}

static gw_status apply_register(struct gw_change *change, const void *context, gw_err *err)
{
    struct gw_change_version *version = NULL;
    GW_TRY(add_version(change, context, &version, err));
    change->outcome.version = version->version;
    return GW_OK;
}

struct creation {
    const char *description;
    const struct draft *baseline; // NULL: none
};

static gw_status insert_model(struct gw_change *change, const char *description, gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    const char *const parameters[] = {change->model, description};
    GW_TRY(gw_registry_exec(change->registry,
                            "INSERT INTO registry_models (name, description, salt, revision, created_at) "
                            "SELECT $1, $2, replace(gen_random_uuid()::text, '-', ''), c.sequence, c.at "
                            "FROM registry_clock c RETURNING salt",
                            parameters, 2, &rows, err));
    snprintf(change->salt, sizeof change->salt, "%s", gw_postgres_rows_text(rows, 0, 0));
    return GW_OK;
}

static gw_status apply_create(struct gw_change *change, const void *context, gw_err *err)
{
    const struct creation *creation = context;
    const struct gw_change_event event = {
        .version = 0, .transition = "create", .from_state = "", .to_state = "", .digest = ""};
    struct gw_change_version *version = NULL;
    GW_TRY(insert_model(change, creation->description, err));
    GW_TRY(gw_change_append(change, &event, NULL, err));
    if (creation->baseline == NULL) {
        return GW_OK;
    }
    GW_TRY(add_version(change, creation->baseline, &version, err));
    change->outcome.version = version->version;
    return gw_change_move(change, version, GW_ROLLOUT_VERB_PROMOTE, NULL, err);
}

// Texts too long for a request's canonical words.
static uint64_t digest_of(const char *description, const char *tags_json)
{
    uint64_t digest = gw_hash_fnv1a(GW_HASH_FNV_START, description, strlen(description) + 1);
    return gw_hash_fnv1a(digest, tags_json, strlen(tags_json));
}

static const char *text_or(const char *text, const struct gw_buf *otherwise)
{
    return text != NULL ? text : (const char *)otherwise->data;
}

// ---- the verbs ------------------------------------------------------------------------------------------------------

static gw_status store(struct gw_registry *registry, const char *directory, const struct gw_registry_bundle *bundle,
                       gw_err *err)
{
    char digest[GW_ROUTE_DIGEST_BYTES];
    GW_TRY(gw_artefacts_store(registry, directory, digest, err));
    if (strcmp(digest, bundle->digest) != 0) {
        return gw_fail(err, GW_E_MISMATCH, "bundle '%.100s' changed while it was stored", directory);
    }
    return GW_OK;
}

static gw_status refuse_existing(const struct gw_change *change, gw_err *err)
{
    if (change->exists) {
        return gw_fail(err, GW_E_CONFLICT, "model '%s' exists", change->model);
    }
    if (change->said->if_revision != 0) {
        return gw_fail(err, GW_E_STALE, "model '%s' has no revision, it does not exist", change->model);
    }
    return GW_OK;
}

static gw_status create(struct gw_registry *registry, const struct gw_registry_create *request,
                        const struct gw_registry_bundle *bundle, const struct gw_registry_change *said,
                        struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    struct gw_change change;
    const struct draft baseline = {.bundle = bundle,
                                   .description = "baseline",
                                   .tags_json = "{}",
                                   .metrics_json = (const char *)bundle->metrics.data,
                                   .lineage_json = (const char *)bundle->lineage.data,
                                   .verified = true};
    const struct creation creation = {.description = request->description,
                                      .baseline = request->baseline != NULL ? &baseline : NULL};
    GW_TRY(gw_change_init(&change, registry, request->model, said, err, "create %.128s %s %016" PRIx64, request->model,
                          bundle->digest, digest_of(request->description, "")));
    GW_TRY(gw_change_look(&change, err));
    if (change.answered) {
        *ret_outcome = change.outcome;
        return GW_OK;
    }
    GW_TRY(refuse_existing(&change, err));
    if (request->baseline != NULL) {
        GW_TRY(store(registry, request->baseline, bundle, err));
    }
    return gw_change_make(&change, apply_create, &creation, ret_outcome, err);
}

gw_status gw_registry_create(struct gw_registry *registry, const struct gw_registry_create *request,
                             const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                             gw_err *err)
{
    struct gw_registry_bundle bundle = {.digest = ""};
    GW_TRY(check_description(request->description, err));
    if (request->baseline != NULL) {
        GW_TRY(gw_registry_bundle_read(request->baseline, NULL, &bundle, err));
    }
    gw_status status = create(registry, request, &bundle, change, ret_outcome, err);
    gw_registry_bundle_deinit(&bundle);
    return status;
}

// The bundle may take minutes to send, and registering decides nothing on what else happened meanwhile: the model is
// looked at again when it is stored.
static gw_status register_bundle(struct gw_registry *registry, const struct gw_registry_register *request,
                                 const struct gw_registry_bundle *bundle, const struct gw_registry_change *said,
                                 struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    struct gw_change change;
    const struct draft draft = {.bundle = bundle,
                                .description = request->description,
                                .tags_json = request->tags_json != NULL ? request->tags_json : "{}",
                                .metrics_json = text_or(request->metrics_json, &bundle->metrics),
                                .lineage_json = text_or(request->lineage_json, &bundle->lineage),
                                .parent_version = request->parent_version,
                                .verified = request->features != NULL};
    GW_TRY(gw_change_init(&change, registry, request->model, said, err, "register %.128s %s of %d %016" PRIx64,
                          request->model, bundle->digest, draft.parent_version,
                          digest_of(draft.description, draft.tags_json)));
    change.follows_any = true;
    GW_TRY(gw_change_look(&change, err));
    if (change.answered) {
        *ret_outcome = change.outcome;
        return GW_OK;
    }
    GW_TRY(gw_change_require(&change, err));
    GW_TRY(store(registry, request->directory, bundle, err));
    return gw_change_run(&change, apply_register, &draft, ret_outcome, err);
}

gw_status gw_registry_register(struct gw_registry *registry, const struct gw_registry_register *request,
                               const struct gw_registry_change *change, struct gw_registry_outcome *ret_outcome,
                               gw_err *err)
{
    struct gw_registry_bundle bundle = {.digest = ""};
    GW_TRY(check_description(request->description, err));
    if (request->tags_json != NULL) {
        GW_TRY(check_tags(request->tags_json, err));
    }
    GW_TRY(gw_registry_bundle_read(request->directory, request->features, &bundle, err));
    gw_status status = register_bundle(registry, request, &bundle, change, ret_outcome, err);
    gw_registry_bundle_deinit(&bundle);
    return status;
}
