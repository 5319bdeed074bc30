// SPDX-License-Identifier: MIT
#include "worker/score_shadow.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { CREDIT_MAX_US = 50000 }; // what one poll may take in one go

struct gw_score_shadow {
    double budget;
    double credit_us;  // below zero: what the last poll took too much
    double us_per_row; // of shadows, smoothed; 0: none has run
    struct gw_score_pass *pass;
    float *values; // 6 x capacity: primary probabilities of both, and the comparison's scratch
    uint32_t capacity;
    size_t noted_count;
    struct gw_score_shadowed noted[GW_SCORE_SHADOWED_MAX];
};

gw_status gw_score_shadow_new(double budget, struct gw_score_shadow **ret_shadow, gw_err *err)
{
    struct gw_score_shadow *shadow = gw_mem_calloc(1, sizeof *shadow);
    if (shadow == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for shadows");
    }
    shadow->budget = budget;
    gw_status status = gw_score_pass_new(&shadow->pass, err);
    if (status != GW_OK) {
        gw_score_shadow_free(shadow);
        return status;
    }
    *ret_shadow = shadow;
    return GW_OK;
}

void gw_score_shadow_free(struct gw_score_shadow *shadow)
{
    if (shadow != NULL) {
        gw_score_pass_free(shadow->pass);
        gw_mem_free(shadow->values);
        gw_mem_free(shadow);
    }
}

size_t gw_score_shadow_noted(const struct gw_score_shadow *shadow, const struct gw_score_shadowed **ret_shadowed)
{
    *ret_shadowed = shadow->noted;
    return shadow->noted_count;
}

void gw_score_shadow_clear(struct gw_score_shadow *shadow)
{
    shadow->noted_count = 0;
}

static struct gw_score_shadowed *note_of(struct gw_score_shadow *shadow, const struct gw_score_model *model)
{
    for (size_t i = 0; i < shadow->noted_count; i++) {
        if (shadow->noted[i].version == model->version && strcmp(shadow->noted[i].model, model->name) == 0) {
            return &shadow->noted[i];
        }
    }
    if (shadow->noted_count == GW_SCORE_SHADOWED_MAX) {
        return NULL;
    }
    struct gw_score_shadowed *note = &shadow->noted[shadow->noted_count++];
    *note = (struct gw_score_shadowed){.version = model->version};
    snprintf(note->model, sizeof note->model, "%s", model->name);
    return note;
}

static bool reserve(struct gw_score_shadow *shadow, uint32_t count)
{
    if (count > shadow->capacity) {
        float *values = gw_mem_realloc(shadow->values, (size_t)count * 6, sizeof *values);
        if (values == NULL) {
            return false;
        }
        shadow->values = values;
        shadow->capacity = count;
    }
    return true;
}

static void primary_of(const struct gw_score_result *result, const struct gw_score_model *model, float *to)
{
    size_t primary = gw_bundle_info(model->bundle)->primary_head;
    for (uint32_t i = 0; i < result->count; i++) {
        to[i] = result->probabilities[(size_t)i * result->head_count + primary];
    }
}

static void compare(struct gw_score_shadow *shadow, const struct gw_score_target *target,
                    const struct gw_score_model *model, uint32_t count, struct gw_score_shadowed *note)
{
    for (uint32_t i = 0; i < count; i++) {
        struct gw_score_result served;
        struct gw_score_result unseen;
        gw_score_pass_result(target->pass, i, &served);
        gw_score_pass_result(shadow->pass, i, &unseen);
        if (!reserve(shadow, served.count)) {
            note->skipped++;
            continue;
        }
        float *served_p = shadow->values;
        float *unseen_p = served_p + served.count;
        primary_of(&served, target->model, served_p);
        primary_of(&unseen, model, unseen_p);
        gw_shadow_note(&note->tally, served.scores, unseen.scores, served_p, unseen_p, served.count,
                       unseen_p + served.count);
    }
}

// How many of the target's first requests the credit covers; at least one when there is any, so that the cost is
// learnt.
static uint32_t affordable(const struct gw_score_shadow *shadow, const struct gw_score_target *target)
{
    if (shadow->credit_us <= 0) {
        return 0;
    }
    double rows_left = shadow->us_per_row > 0 ? shadow->credit_us / shadow->us_per_row : 1;
    uint32_t count = 0;
    while (count < target->count && rows_left > 0) {
        struct gw_score_result served;
        gw_score_pass_result(target->pass, count++, &served);
        rows_left -= served.count;
    }
    return count;
}

static uint64_t rows_of(const struct gw_score_target *target, uint32_t count)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct gw_score_result served;
        gw_score_pass_result(target->pass, i, &served);
        rows += served.count;
    }
    return rows;
}

static void run_one(struct gw_score_shadow *shadow, const struct gw_score_target *target,
                    const struct gw_score_batch *batch, const struct gw_score_model *model)
{
    struct gw_score_shadowed *note = note_of(shadow, model);
    uint32_t count = note != NULL ? affordable(shadow, target) : 0;
    if (count == 0 || gw_score_pass_run(shadow->pass, batch, model, target->requests, count, NULL, NULL) != GW_OK) {
        if (note != NULL) {
            note->skipped += target->count;
        }
        return;
    }
    compare(shadow, target, model, count, note);
    uint64_t us = gw_score_pass_us(shadow->pass);
    uint64_t rows = rows_of(target, count);
    note->skipped += target->count - count;
    note->us += us;
    shadow->credit_us -= (double)us;
    if (rows > 0) {
        double measured = (double)us / (double)rows;
        shadow->us_per_row = shadow->us_per_row > 0 ? 0.9 * shadow->us_per_row + 0.1 * measured : measured;
    }
}

// The s-th shadow of the requests' route, NULL: not loaded, or it serves them itself.
static const struct gw_score_model *shadow_of(const struct gw_score_target *target, uint32_t s)
{
    const struct gw_score_model *model = target->route->shadows[s];
    return target->count > 0 && model != target->model ? model : NULL;
}

static bool has_shadow(const struct gw_score_targets *targets)
{
    for (size_t t = 0; t < gw_score_targets_count(targets); t++) {
        const struct gw_score_target *target = gw_score_targets_at(targets, t);
        for (uint32_t s = 0; s < target->route->route.shadow_count; s++) {
            if (shadow_of(target, s) != NULL) {
                return true;
            }
        }
    }
    return false;
}

void gw_score_shadow_run(struct gw_score_shadow *shadow, const struct gw_score_targets *targets,
                         const struct gw_score_batch *batch, uint64_t scoring_us)
{
    if (shadow->budget <= 0 || !has_shadow(targets)) {
        return;
    }
    shadow->credit_us = GW_MIN(shadow->credit_us + shadow->budget * (double)scoring_us, (double)CREDIT_MAX_US);
    for (size_t t = 0; t < gw_score_targets_count(targets); t++) {
        const struct gw_score_target *target = gw_score_targets_at(targets, t);
        for (uint32_t s = 0; s < target->route->route.shadow_count; s++) {
            const struct gw_score_model *model = shadow_of(target, s);
            if (model != NULL) {
                run_one(shadow, target, batch, model);
            }
        }
    }
}
