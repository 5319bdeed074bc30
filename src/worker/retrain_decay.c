// SPDX-License-Identifier: MIT
#include "worker/retrain_decay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool gw_retrain_decay_read(const struct gw_model_quality *record, int64_t now_ms,
                           struct gw_retrain_decay_window *ret_window)
{
    if (!record->has_normalised_entropy_low || !record->has_normalised_entropy_high ||
        !isfinite(record->normalised_entropy_low) || !gw_slice_is(record->variant, "champion") ||
        record->head.size == 0 || record->head.size >= GW_RETRAIN_DECAY_HEAD_BYTES ||
        !(record->maturity >= GW_RETRAIN_DECAY_MATURITY) || now_ms - record->computed_at_ms > GW_RETRAIN_DECAY_AGE_MS) {
        return false;
    }
    struct gw_retrain_decay_window window = {.version = record->model_version,
                                             .start_ms = record->window_start_ms,
                                             .end_ms = record->window_end_ms,
                                             .examples = record->examples,
                                             .normalised_entropy = record->normalised_entropy,
                                             .low = record->normalised_entropy_low,
                                             .high = record->normalised_entropy_high};
    memcpy(window.head, record->head.data, record->head.size);
    *ret_window = window;
    return true;
}

// HH:MM:SS in UTC.
static void clock_time(int64_t time_ms, char ret_text[16])
{
    int64_t second = time_ms / 1000 % 86400;
    second += second < 0 ? 86400 : 0;
    snprintf(ret_text, 16, "%02d:%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
}

static void put_into_words(const struct gw_retrain_decay_window *window,
                           const struct gw_retrain_decay_reference *reference,
                           struct gw_retrain_decay_decision *decision)
{
    char start[16];
    char end[16];
    clock_time(window->start_ms, start);
    clock_time(window->end_ms, end);
    snprintf(decision->reason, sizeof decision->reason,
             "quality decay: normalised entropy %.4f (%.4f to %.4f) of '%s' under version %d from %s to %s UTC on %.0f "
             "examples, %.4f at training",
             window->normalised_entropy, window->low, window->high, window->head, window->version, start, end,
             window->examples, reference->normalised_entropy);
}

void gw_retrain_decay_decide(const struct gw_retrain_decay_window *window,
                             const struct gw_retrain_decay_reference *reference, double decay,
                             const struct gw_retrain_decay_mark *mark, struct gw_retrain_decay_decision *ret_decision)
{
    struct gw_retrain_decay_decision decision = {.mark = *mark};
    const double limit = reference->normalised_entropy * (1 + decay);
    if (window->version == reference->version && strcmp(window->head, reference->head) == 0 && limit > 0) {
        if (mark->version != window->version) {
            decision.mark = (struct gw_retrain_decay_mark){.version = window->version};
        }
        if (window->low > limit) {
            decision.asks = true;
            decision.repeats = decision.mark.decayed && decision.mark.first_ms != window->start_ms;
            decision.mark.first_ms = decision.mark.decayed ? decision.mark.first_ms : window->start_ms;
            decision.mark.decayed = true;
            put_into_words(window, reference, &decision);
        } else if (window->normalised_entropy < limit) {
            decision.mark.decayed = false;
        }
    }
    *ret_decision = decision;
}
