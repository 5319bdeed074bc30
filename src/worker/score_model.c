// SPDX-License-Identifier: MIT
#include "worker/score_model.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

// Name and version as told; without a name, as the bundle says.
static gw_status set_name(struct gw_score_model *model, const char *name, int32_t version, gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(model->bundle);
    if (name == NULL) {
        name = info->model_name;
        version = info->version;
    }
    if (strlen(name) >= sizeof model->name) {
        return gw_fail(err, GW_E_INVALID, "name '%.32s...': %zu bytes, at most %zu", name, strlen(name),
                       sizeof model->name - 1);
    }
    snprintf(model->name, sizeof model->name, "%s", name);
    snprintf(model->digest, sizeof model->digest, "%s", info->digest);
    model->version = version;
    return GW_OK;
}

static uint64_t identity_of(const struct gw_score_model *model)
{
    uint64_t identity = gw_hash_fnv1a(GW_HASH_FNV_START, model->name, strlen(model->name) + 1);
    identity = gw_hash_fnv1a(identity, model->digest, strlen(model->digest) + 1);
    return gw_hash_mix(identity ^ gw_hash_mix((uint64_t)model->version));
}

static gw_status bind(struct gw_score_model *model, const char *digest, gw_err *err)
{
    const struct gw_bundle_info *info = gw_bundle_info(model->bundle);
    if (digest != NULL && strcmp(digest, info->digest) != 0) {
        return gw_fail(err, GW_E_MISMATCH, "digest %.12s, expected %.12s", info->digest, digest);
    }
    GW_TRY(gw_feature_plan_new(model->set, info->feature_names, info->feature_count, &model->plan, err));
    return gw_scorer_new(model->bundle, gw_feature_plan_columns(model->plan), gw_feature_plan_width(model->plan),
                         &model->scorer, err);
}

gw_status gw_score_model_load(const char *directory, const char *name, int32_t version, const char *digest,
                              const struct gw_feature_set *set, struct gw_score_model **ret_model, gw_err *err)
{
    struct gw_score_model *model = gw_mem_calloc(1, sizeof *model);
    if (model == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a model");
    }
    model->set = set;
    atomic_init(&model->refs, 1);
    gw_status status = gw_bundle_load(directory, &model->bundle, err);
    if (status == GW_OK) {
        status = set_name(model, name, version, err);
    }
    if (status == GW_OK) {
        status = bind(model, digest, err);
    }
    if (status != GW_OK) {
        gw_score_model_unref(model);
        return gw_fail_context(err, status, "model '%s'", directory);
    }
    model->layout = gw_bundle_layout(gw_bundle_info(model->bundle));
    model->identity = identity_of(model);
    *ret_model = model;
    return GW_OK;
}

struct gw_score_model *gw_score_model_ref(struct gw_score_model *model)
{
    atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
    return model;
}

void gw_score_model_unref(struct gw_score_model *model)
{
    // Release, then acquire: whoever frees sees all that others did with it before they let go.
    if (model != NULL && atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) == 1) {
        gw_scorer_free(model->scorer);
        gw_feature_plan_free(model->plan);
        gw_bundle_unref(model->bundle);
        gw_mem_free(model);
    }
}
