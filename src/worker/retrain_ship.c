// SPDX-License-Identifier: MIT
// From a bundle to a champion: GATING, REGISTERED, SHADOW, CANARY.
#include "worker/retrain_internal.h"

#include "base/faults.h"
#include "base/log.h"
#include "base/utf8.h"
#include "worker/retrain_gate.h"

#include <math.h>
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
                                                    .candidate_directory = step->bundle_path,
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

// ---- REGISTERED, SHADOW, CANARY -------------------------------------------------------------------------------------

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

static gw_status end_promoted(struct gw_retrain_step *step, gw_err *err)
{
    char verdict[GW_RUN_TEXT_BYTES];
    snprintf(verdict, sizeof verdict, "version %d promoted; %.900s", step->run->version, step->run->verdict);
    return gw_retrain_end(step, GW_RUN_PROMOTED, verdict, err);
}

static gw_status promote(struct gw_retrain_step *step, const struct gw_registry_model *model, gw_err *err)
{
    char key[GW_RUN_ID_BYTES + 16];
    char reason[GW_RUN_TEXT_BYTES];
    struct gw_registry_outcome outcome = {0};
    snprintf(key, sizeof key, "promote:%s", step->run->id);
    snprintf(reason, sizeof reason, "run %s passed its gate (%.*s)", step->run->id,
             (int)gw_utf8_fit(step->run->reason, 600), step->run->reason);
    const struct gw_registry_change change = {
        .actor = GW_RETRAIN_ACTOR, .reason = reason, .if_revision = model->revision, .idempotency_key = key};
    GW_TRY(gw_registry_promote(step->self->registry, step->run->model, step->run->version, &change, &outcome, err));
    (void)gw_fault_hit("retrain.promoted");
    return end_promoted(step, err);
}

// The shares of other canaries, which keep them whatever becomes of the version; borrows from *ret_route.
static gw_status find_other_shares(struct gw_retrain_step *step, struct gw_route *ret_route,
                                   struct gw_registry_share ret_shares[GW_ROUTE_TARGETS_MAX], size_t *ret_count,
                                   gw_err *err)
{
    size_t count = 0;
    GW_TRY(gw_registry_route(step->self->registry, step->run->model, ret_route, err));
    for (uint32_t i = 1; i < ret_route->target_count; i++) {
        const struct gw_route_version *target = &ret_route->targets[i];
        if (target->version != step->run->version) {
            ret_shares[count++] = (struct gw_registry_share){
                .version = target->version, .weight = target->weight, .variant = target->variant};
        }
    }
    *ret_count = count;
    return GW_OK;
}

// Gives the version's share back to the champion.
static gw_status end_split(struct gw_retrain_step *step, gw_err *err)
{
    struct gw_route route;
    struct gw_registry_share shares[GW_ROUTE_TARGETS_MAX];
    struct gw_registry_outcome outcome = {0};
    size_t count = 0;
    const struct gw_registry_change change = {.actor = GW_RETRAIN_ACTOR, .reason = step->run->id};
    GW_TRY(find_other_shares(step, &route, shares, &count, err));
    return gw_registry_split(step->self->registry, step->run->model, shares, count, &change, &outcome, err);
}

// Ends shadow or split as far as there is one.
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
    if (version.state == GW_ROLLOUT_CANARY) {
        return end_split(step, err);
    }
    return version.state == GW_ROLLOUT_SHADOW ? gw_registry_shadow(step->self->registry, step->run->model,
                                                                   step->run->version, false, &change, &outcome, err)
                                              : GW_OK;
}

// How the run's version and its model stand in the registry.
struct standing {
    struct gw_registry_model model;
    struct gw_registry_version version;
};

// Who moved the version last, and why; "" when that is too long ago.
static gw_status find_reason(struct gw_retrain_step *step, char *reason, size_t size, gw_err *err)
{
    enum { EVENTS = 100 };
    const struct gw_registry_event *events = NULL;
    size_t count = 0;
    reason[0] = '\0';
    GW_TRY(gw_registry_history(step->self->registry, step->run->model, 0, EVENTS, &step->self->arena, &events, &count,
                               err));
    for (size_t i = 0; i < count; i++) {
        if (events[i].version == step->run->version) {
            snprintf(reason, size, "%.128s: %.*s", events[i].actor, (int)gw_utf8_fit(events[i].reason, 700),
                     events[i].reason);
            return GW_OK;
        }
    }
    return GW_OK;
}

// Ends the run where there is nothing left to wait for: the version was promoted (before a kill, or by hand), taken
// back by somebody or by the guard, or compared with one that is no champion any more.
static gw_status end_if_decided(struct gw_retrain_step *step, struct standing *standing, bool *ret_ended, gw_err *err)
{
    char verdict[GW_RUN_TEXT_BYTES];
    char reason[GW_RUN_TEXT_BYTES];
    struct gw_retrain_runs *self = step->self;
    const struct gw_registry_model *model = &standing->model;
    const struct gw_registry_version *version = &standing->version;
    GW_TRY(gw_registry_get_model(self->registry, step->run->model, &self->arena, &standing->model, err));
    GW_TRY(gw_registry_get_version(self->registry, step->run->model, step->run->version, &self->arena,
                                   &standing->version, err));
    *ret_ended = true;
    if (model->champion == step->run->version) {
        return end_promoted(step, err);
    }
    if (version->state == GW_ROLLOUT_REJECTED) {
        snprintf(verdict, sizeof verdict, "version %d was rejected: %.*s", version->version,
                 (int)gw_utf8_fit(version->rejected_because, 900), version->rejected_because);
        return gw_retrain_end(step, GW_RUN_REFUSED, verdict, err);
    }
    if (model->champion != step->run->parent_version) {
        snprintf(verdict, sizeof verdict, "compared with version %d, but the champion is version %d by now",
                 step->run->parent_version, model->champion);
        GW_TRY(withdraw(step, err));
        return gw_retrain_end(step, GW_RUN_REFUSED, verdict, err);
    }
    // RETIRED: it served meanwhile and was taken back. It is not promoted behind the back of whoever did that.
    if (version->state == GW_ROLLOUT_RETIRED ||
        (step->run->state == GW_RUN_CANARY && version->state != GW_ROLLOUT_CANARY)) {
        GW_TRY(find_reason(step, reason, sizeof reason, err));
        snprintf(verdict, sizeof verdict, "version %d was taken back, it is %s (%.850s)", version->version,
                 gw_rollout_state_name(version->state), reason);
        return gw_retrain_end(step, GW_RUN_REFUSED, verdict, err);
    }
    *ret_ended = false;
    return GW_OK;
}

static gw_status start_canary(struct gw_retrain_step *step, const struct standing *standing, int64_t canary_ms,
                              gw_err *err)
{
    char key[GW_RUN_ID_BYTES + 16];
    char reason[GW_RUN_TEXT_BYTES];
    struct gw_registry_outcome outcome = {0};
    double share = gw_config_double(step->self->runtime->config, GW_OPT_RETRAIN_CANARY_SHARE);
    const uint32_t weight = (uint32_t)fmax(1, round(share * GW_ROUTE_BUCKETS));
    struct gw_route route;
    struct gw_registry_share shares[GW_ROUTE_TARGETS_MAX];
    size_t count = 0;
    snprintf(key, sizeof key, "canary:%s", step->run->id);
    snprintf(reason, sizeof reason, "run %s passed its gate: serves %.4g %% of users before it is promoted",
             step->run->id, 100.0 * weight / GW_ROUTE_BUCKETS);
    const struct gw_registry_change change = {
        .actor = GW_RETRAIN_ACTOR, .reason = reason, .if_revision = standing->model.revision, .idempotency_key = key};
    if (standing->version.state != GW_ROLLOUT_CANARY) { // it is one already after a kill, or by somebody's hand
        GW_TRY(find_other_shares(step, &route, shares, &count, err));
        shares[count++] = (struct gw_registry_share){.version = step->run->version, .weight = weight};
        GW_TRY(gw_registry_split(step->self->registry, step->run->model, shares, count, &change, &outcome, err));
        (void)gw_fault_hit("retrain.canary");
    }
    const struct gw_run_change moved = {.shadow_ms = -1, .canary_ms = canary_ms};
    return gw_retrain_move(step, GW_RUN_CANARY, &moved, err);
}

gw_status gw_retrain_step_shadow(struct gw_retrain_step *step, gw_err *err)
{
    struct standing standing;
    bool ended = false;
    bool over = false;
    int64_t canary_ms = gw_config_duration_us(step->self->runtime->config, GW_OPT_RETRAIN_CANARY) / 1000;
    GW_TRY(end_if_decided(step, &standing, &ended, err));
    if (ended) {
        return GW_OK;
    }
    GW_TRY(gw_runs_time_is_over(step->self->registry, step->run->id, &over, err));
    if (!over) {
        return GW_OK;
    }
    return canary_ms > 0 ? start_canary(step, &standing, canary_ms, err) : promote(step, &standing.model, err);
}

gw_status gw_retrain_step_canary(struct gw_retrain_step *step, gw_err *err)
{
    struct standing standing;
    bool ended = false;
    bool over = false;
    GW_TRY(end_if_decided(step, &standing, &ended, err));
    if (ended) {
        return GW_OK;
    }
    GW_TRY(gw_runs_time_is_over(step->self->registry, step->run->id, &over, err));
    return over ? promote(step, &standing.model, err) : GW_OK;
}

gw_status gw_retrain_cancel(struct gw_retrain_step *step, gw_err *err)
{
    char verdict[200];
    struct gw_registry_model model = {0};
    if (step->run->version != 0) {
        GW_TRY(gw_registry_get_model(step->self->registry, step->run->model, &step->self->arena, &model, err));
        if (model.champion == step->run->version) {
            return end_promoted(step, err); // too late
        }
    }
    snprintf(verdict, sizeof verdict, "cancelled by %.128s", step->run->cancel_by);
    GW_TRY(withdraw(step, err));
    return gw_retrain_end(step, GW_RUN_CANCELLED, verdict, err);
}

gw_status gw_retrain_fail(struct gw_retrain_step *step, const char *verdict, gw_err *err)
{
    gw_status status = withdraw(step, err);
    if (gw_status_class(status) == GW_CLASS_RETRY) {
        return status;
    }
    if (status != GW_OK) {
        gw_log_error("retrain.cannot_withdraw",
                     "run=%s model=%s version=%d status=%s reason='%s'; end its role by hand", step->run->id,
                     step->run->model, step->run->version, gw_status_name(status), err->message);
    }
    return gw_retrain_end(step, GW_RUN_FAILED, verdict, err);
}
