// SPDX-License-Identifier: MIT
#include "drift/detector.h"

#include <math.h>

static const float rates[GW_DRIFT_LEARNED] = {0x1p-8f, 0x1p-11f, 0x1p-14f};

// Below this the weights are written out anew, before the scale loses digits.
#define SCALE_MIN 0x1p-40f

void gw_drift_detector_init(struct gw_drift_detector *detector)
{
    gw_drift_lanes_reset(&detector->tilt);
    gw_drift_lanes_reset(&detector->absence);
}

void gw_drift_learned_init(struct gw_drift_learned *learned, const struct gw_drift_feature *feature)
{
    *learned = (struct gw_drift_learned){0};
    for (size_t r = 0; r < GW_DRIFT_LEARNED; r++) {
        learned->m[r] = 1.0f;
        learned->scale[r] = 1.0f;
        double square = 0.0;
        for (uint32_t b = 0; b < feature->row_count; b++) {
            square += (double)feature->share32[b] * (double)feature->share32[b] * (double)feature->inverse[b];
            learned->weight[r][b] = feature->share32[b];
        }
        learned->excess[r] = (float)(square - 1.0);
    }
}

void gw_drift_detector_restart_tilt(struct gw_drift_detector *detector, struct gw_drift_learned *learned)
{
    gw_drift_lanes_reset(&detector->tilt);
    for (size_t r = 0; learned != NULL && r < GW_DRIFT_LEARNED; r++) {
        learned->m[r] = 1.0f;
    }
}

void gw_drift_detector_restart_absence(struct gw_drift_detector *detector)
{
    gw_drift_lanes_reset(&detector->absence);
}

// Moves the EWMA towards this row; `ratio` is its share of the row over the reference's.
static void learn(struct gw_drift_learned *learned, size_t r, const struct gw_drift_feature *feature, uint32_t row,
                  float ratio)
{
    float rate = rates[r];
    float stay = 1.0f - rate;
    learned->excess[r] = stay * stay * learned->excess[r] + 2.0f * rate * stay * (ratio - 1.0f) +
                         rate * rate * (feature->inverse[row] - 1.0f);
    learned->scale[r] *= stay;
    learned->weight[r][row] += rate / learned->scale[r];
    if (GW_UNLIKELY(learned->scale[r] < SCALE_MIN)) {
        for (uint32_t b = 0; b < feature->row_count; b++) {
            learned->weight[r][b] *= learned->scale[r];
        }
        learned->scale[r] = 1.0f;
    }
}

static float feed_learned(struct gw_drift_learned *learned, const struct gw_drift_feature *feature, uint32_t row)
{
    float sum = 0.0f;
    for (size_t r = 0; r < GW_DRIFT_LEARNED; r++) {
        float ratio = learned->scale[r] * learned->weight[r][row] * feature->inverse[row];
        float chi = 0.9f * sqrtf(learned->excess[r] > 0.0f ? learned->excess[r] : 0.0f);
        float factor = (0.9f * ratio + 0.1f) / (1.0f + feature->learned_tolerance * chi);
        for (uint32_t i = 0; i < feature->learned_roots; i++) {
            factor = sqrtf(factor);
        }
        float m = (learned->m[r] > 1.0f ? learned->m[r] : 1.0f) * factor;
        learned->m[r] = m < GW_DRIFT_E_MAX ? m : GW_DRIFT_E_MAX;
        sum += learned->m[r];
        learn(learned, r, feature, row, ratio);
    }
    return sum;
}

struct gw_drift_evidence gw_drift_detector_feed(struct gw_drift_detector *detector, struct gw_drift_learned *learned,
                                                const struct gw_drift_feature *feature, uint32_t row)
{
    uint32_t absence = gw_drift_feature_absence(feature, row);
    float tilt_sum = gw_drift_lanes_step(&detector->tilt, &feature->tilt[row]);
    float absence_sum = gw_drift_lanes_step(&detector->absence, &feature->absence[absence]);
    struct gw_drift_evidence evidence = {.tilt = tilt_sum / GW_DRIFT_LANES, .absence = absence_sum / GW_DRIFT_LANES};
    if (learned != NULL) {
        evidence.tilt = (tilt_sum + feed_learned(learned, feature, row)) / (GW_DRIFT_LANES + GW_DRIFT_LEARNED);
    }
    return evidence;
}

bool gw_drift_detector_valid(const struct gw_drift_detector *detector)
{
    return gw_drift_lanes_valid(&detector->tilt) && gw_drift_lanes_valid(&detector->absence);
}

bool gw_drift_learned_valid(const struct gw_drift_learned *learned)
{
    for (size_t r = 0; r < GW_DRIFT_LEARNED; r++) {
        if (!(learned->m[r] >= 0.0f && learned->m[r] <= GW_DRIFT_E_MAX) ||
            !(learned->scale[r] >= SCALE_MIN && learned->scale[r] <= 1.0f) ||
            !(learned->excess[r] >= -1.0f && learned->excess[r] <= FLT_MAX)) {
            return false;
        }
        for (size_t b = 0; b < GW_COUNT_OF(learned->weight[r]); b++) {
            if (!(learned->weight[r][b] >= 0.0f && learned->weight[r][b] <= 0x1p60f)) {
                return false;
            }
        }
    }
    return true;
}
