// SPDX-License-Identifier: MIT
// From a bundle to a champion: GATING, REGISTERED, SHADOW.
#include "worker/retrain_internal.h"

#include "base/faults.h"
#include "worker/retrain_gate.h"

#include <stdio.h>

// ---- GATING ---------------------------------------------------------------------------------------------------------

// After a restart data set and bundle are made again: they must be what they were.
static gw_status make_files_again(struct gw_retrain_step *step, gw_err *err)
{
    char digest[GW_BUNDLE_DIGEST_BYTES] = "";
    GW_TRY(gw_retrain_make_bundle(step, digest, err));
    if (strcmp(digest, step->run->digest) != 0) {
        return gw_fail(err, GW_E_INVALID, "not reproducible: trained again, the bundle is %.12s and not %.12s", digest,
                       step->run->digest);
    }
    return GW_OK;
}

static gw_status write_lineage(const struct gw_retrain_step *step, struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer to;
    gw_json_writer_init(&to, out);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "run");
    gw_json_write_text(&to, step->run->id);
    gw_json_write_key(&to, "reason");
    gw_json_write_text(&to, step->run->reason);
    gw_json_write_key(&to, "parentVersion");
    gw_json_write_i64(&to, step->manifest->champion_version);
    gw_json_write_key(&to, "codeRevision");
    gw_json_write_text(&to, GW_VERSION);
    gw_json_write_key(&to, "manifestHash");
    gw_json_write_text(&to, step->run->manifest_hash);
    gw_json_write_key(&to, "manifest");
    gw_json_write_raw(&to, gw_slice_text(step->run->manifest));
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    return gw_buf_append(out, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for the lineage");
}

// {"gate": ..., "training": what the trainer measured}
static gw_status write_metrics(const struct gw_bundle *candidate, const struct gw_retrain_verdict *verdict,
                               struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer to;
    gw_json_writer_init(&to, out);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "gate");
    gw_json_write_raw(&to, gw_buf_slice(&verdict->json));
    gw_json_write_key(&to, "training");
    gw_json_write_raw(&to, gw_slice_text(gw_bundle_info(candidate)->metadata_json));
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    return gw_buf_append(out, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for the metrics");
}

static gw_status register_candidate(struct gw_retrain_step *step, const struct gw_bundle *candidate,
                                    const struct gw_retrain_verdict *verdict, int32_t *ret_version, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf lineage = {0};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf metrics = {0};
    char key[GW_RUN_ID_BYTES + 16];
    struct gw_registry_outcome outcome = {0};
    GW_TRY(write_lineage(step, &lineage, err));
    GW_TRY(write_metrics(candidate, verdict, &metrics, err));
    snprintf(key, sizeof key, "register:%s", step->run->id);
    const struct gw_registry_register request = {.model = step->run->model,
                                                 .directory = step->bundle_path,
                                                 .description = "retrained",
                                                 .parent_version = step->manifest->champion_version,
                                                 .features = step->self->runtime->features,
                                                 .metrics_json = (const char *)metrics.data,
                                                 .lineage_json = (const char *)lineage.data};
    const struct gw_registry_change change = {
        .actor = GW_RETRAIN_ACTOR, .reason = step->run->reason, .idempotency_key = key};
    GW_TRY(gw_registry_register(step->self->registry, &request, &change, &outcome, err));
    *ret_version = outcome.version;
    return GW_OK;
}

static gw_status act_on_verdict(struct gw_retrain_step *step, const struct gw_bundle *candidate,
                                const struct gw_retrain_verdict *verdict, gw_err *err)
{
    struct gw_run_change change = {
        .verdict = verdict->reason, .gate_json = (const char *)verdict->json.data, .shadow_ms = -1};
    if (!verdict->passed) {
        return gw_retrain_move(step, GW_RUN_REFUSED, &change, err);
    }
    GW_TRY(register_candidate(step, candidate, verdict, &change.version, err));
    (void)gw_fault_hit("retrain.registered");
    return gw_retrain_move(step, GW_RUN_REGISTERED, &change, err);
}

static gw_status compare(struct gw_retrain_step *step, struct gw_bundle *candidate, struct gw_bundle *champion,
                         gw_err *err)
{
    const struct gw_config *config = step->self->runtime->config;
    struct gw_retrain_verdict verdict = {.reason = ""};
    const struct gw_retrain_gate_options options = {.candidate = candidate,
                                                    .champion = champion,
                                                    .gate_path = step->gate_path,
                                                    .train_rate = step->claim->dataset.train_rate,
                                                    .weight_max = step->claim->dataset.gate_weight_max,
                                                    .margin = gw_config_double(config, GW_OPT_RETRAIN_MARGIN),
                                                    .alpha = gw_config_double(config, GW_OPT_RETRAIN_ALPHA)};
    GW_TRY(gw_retrain_gate(&options, &verdict, err));
    gw_status status = act_on_verdict(step, candidate, &verdict, err);
    gw_buf_deinit(&verdict.json);
    return status;
}

gw_status gw_retrain_step_gating(struct gw_retrain_step *step, gw_err *err)
{
    struct gw_bundle *candidate = NULL;
    struct gw_bundle *champion = NULL;
    (void)gw_fault_hit("retrain.gating");
    if (!step->claim->has_bundle) {
        GW_TRY(make_files_again(step, err));
    }
    GW_TRY(gw_bundle_load(step->bundle_path, &candidate, err));
    gw_status status = gw_retrain_load_version(step, step->manifest->champion_digest, &champion, err);
    if (status == GW_OK && strcmp(gw_bundle_info(candidate)->digest, step->manifest->champion_digest) == 0) {
        status = gw_retrain_end(step, GW_RUN_REFUSED, "the candidate is the champion, byte by byte", err);
    } else if (status == GW_OK) {
        status = compare(step, candidate, champion, err);
    }
    gw_bundle_unref(candidate);
    gw_bundle_unref(champion);
    return status;
}

// ---- REGISTERED, SHADOW ---------------------------------------------------------------------------------------------

gw_status gw_retrain_step_registered(struct gw_retrain_step *step, gw_err *err)
{
    char key[GW_RUN_ID_BYTES + 16];
    struct gw_registry_outcome outcome = {0};
    int64_t shadow_ms = gw_config_duration_us(step->self->runtime->config, GW_OPT_RETRAIN_SHADOW) / 1000;
    snprintf(key, sizeof key, "shadow:%s", step->run->id);
    const struct gw_registry_change change = {
        .actor = GW_RETRAIN_ACTOR, .reason = step->run->id, .idempotency_key = key};
    if (shadow_ms > 0) {
        GW_TRY(gw_registry_shadow(step->self->registry, step->run->model, step->run->version, true, &change, &outcome,
                                  err));
    }
    const struct gw_run_change moved = {.shadow_ms = shadow_ms};
    return gw_retrain_move(step, GW_RUN_SHADOW, &moved, err);
}

static gw_status promote(struct gw_retrain_step *step, const struct gw_registry_model *model, gw_err *err)
{
    char key[GW_RUN_ID_BYTES + 16];
    char reason[GW_RUN_TEXT_BYTES];
    char verdict[GW_RUN_TEXT_BYTES];
    struct gw_registry_outcome outcome = {0};
    snprintf(key, sizeof key, "promote:%s", step->run->id);
    snprintf(reason, sizeof reason, "run %s passed its gate (%.600s)", step->run->id, step->run->reason);
    snprintf(verdict, sizeof verdict, "version %d promoted; %.900s", step->run->version, step->run->verdict);
    const struct gw_registry_change change = {
        .actor = GW_RETRAIN_ACTOR, .reason = reason, .if_revision = model->revision, .idempotency_key = key};
    GW_TRY(gw_registry_promote(step->self->registry, step->run->model, step->run->version, &change, &outcome, err));
    (void)gw_fault_hit("retrain.promoted");
    return gw_retrain_end(step, GW_RUN_PROMOTED, verdict, err);
}

// Ends the shadow as far as there is one.
static gw_status withdraw(struct gw_retrain_step *step, gw_err *err)
{
    struct gw_registry_version version;
    struct gw_registry_outcome outcome = {0};
    const struct gw_registry_change change = {.actor = GW_RETRAIN_ACTOR, .reason = step->run->id};
    if (step->run->version == 0) {
        return GW_OK;
    }
    GW_TRY(gw_registry_get_version(step->self->registry, step->run->model, step->run->version, &step->self->arena,
                                   &version, err));
    return version.state == GW_ROLLOUT_SHADOW ? gw_registry_shadow(step->self->registry, step->run->model,
                                                                   step->run->version, false, &change, &outcome, err)
                                              : GW_OK;
}

gw_status gw_retrain_step_shadow(struct gw_retrain_step *step, gw_err *err)
{
    struct gw_registry_model model;
    struct gw_registry_version version;
    struct gw_retrain_runs *self = step->self;
    char verdict[GW_RUN_TEXT_BYTES];
    bool over = false;
    GW_TRY(gw_registry_get_model(self->registry, step->run->model, &self->arena, &model, err));
    GW_TRY(gw_registry_get_version(self->registry, step->run->model, step->run->version, &self->arena, &version, err));
    if (model.champion == step->run->version) { // promoted before a kill, or by hand
        snprintf(verdict, sizeof verdict, "version %d promoted; %.900s", step->run->version, step->run->verdict);
        return gw_retrain_end(step, GW_RUN_PROMOTED, verdict, err);
    }
    if (version.state == GW_ROLLOUT_REJECTED) {
        snprintf(verdict, sizeof verdict, "version %d was rejected: %.900s", version.version, version.rejected_because);
        return gw_retrain_end(step, GW_RUN_REFUSED, verdict, err);
    }
    if (model.champion != step->run->parent_version) {
        snprintf(verdict, sizeof verdict, "compared with version %d, but the champion is version %d by now",
                 step->run->parent_version, model.champion);
        GW_TRY(withdraw(step, err));
        return gw_retrain_end(step, GW_RUN_REFUSED, verdict, err);
    }
    GW_TRY(gw_runs_shadow_is_over(self->registry, step->run->id, &over, err));
    return over ? promote(step, &model, err) : GW_OK;
}

gw_status gw_retrain_cancel(struct gw_retrain_step *step, gw_err *err)
{
    char verdict[200];
    snprintf(verdict, sizeof verdict, "cancelled by %.128s", step->run->cancel_by);
    GW_TRY(withdraw(step, err));
    return gw_retrain_end(step, GW_RUN_CANCELLED, verdict, err);
}
