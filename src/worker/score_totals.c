// SPDX-License-Identifier: MIT
// Adding up what lanes count.
#include "worker/score.h"

#include <string.h>

static void add_histogram(struct gw_histogram *to, const struct gw_histogram *more)
{
    to->sum_us += more->sum_us;
    for (int i = 0; i < GW_HISTOGRAM_BUCKETS; i++) {
        to->counts[i] += more->counts[i];
    }
}

void gw_score_totals_add(struct gw_score_totals *to, const struct gw_score_totals *more)
{
    to->requests += more->requests;
    to->predictions += more->predictions;
    to->partial += more->partial;
    to->deadline_exceeded += more->deadline_exceeded;
    to->refused += more->refused;
    to->rows_wanted += more->rows_wanted;
    to->rows_found += more->rows_found;
    to->batches += more->batches;
    to->hydrate_us += more->hydrate_us;
    to->score_us += more->score_us;
    to->served_candidates += more->served_candidates;
    to->feature_samples += more->feature_samples;
    to->feature_samples_partial += more->feature_samples_partial;
    add_histogram(&to->latency, &more->latency);
    for (size_t i = 0; i < more->served_count; i++) {
        gw_score_totals_served(to, &more->served[i]);
    }
}

// The place of this version: its own, or a new one, for which the oldest makes room.
static struct gw_score_served *served_place(struct gw_score_totals *to, const struct gw_score_served *more)
{
    for (size_t i = 0; i < to->served_count; i++) {
        struct gw_score_served *at = &to->served[i];
        if (at->version == more->version && strcmp(at->model, more->model) == 0 &&
            strcmp(at->variant, more->variant) == 0) {
            return at;
        }
    }
    if (to->served_count == GW_SCORE_SERVED_MAX) {
        memmove(&to->served[0], &to->served[1], (GW_SCORE_SERVED_MAX - 1) * sizeof to->served[0]);
        to->served_count--;
    }
    struct gw_score_served *made = &to->served[to->served_count++];
    *made = *more;
    made->requests = 0;
    made->predictions = 0;
    return made;
}

void gw_score_totals_served(struct gw_score_totals *to, const struct gw_score_served *more)
{
    struct gw_score_served *at = served_place(to, more);
    at->requests += more->requests;
    at->predictions += more->predictions;
}

void gw_score_totals_shadowed(struct gw_score_totals *to, const struct gw_score_shadowed *more, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < to->shadowed_count && (to->shadowed[at].version != more[i].version ||
                                           strcmp(to->shadowed[at].model, more[i].model) != 0)) {
            at++;
        }
        if (at == to->shadowed_count) {
            if (at == GW_SCORE_SHADOWED_MAX) { // the oldest shadow makes room
                memmove(&to->shadowed[0], &to->shadowed[1], (GW_SCORE_SHADOWED_MAX - 1) * sizeof to->shadowed[0]);
                at--;
            } else {
                to->shadowed_count++;
            }
            to->shadowed[at] = more[i];
            continue;
        }
        to->shadowed[at].skipped += more[i].skipped;
        to->shadowed[at].us += more[i].us;
        gw_shadow_add(&to->shadowed[at].tally, &more[i].tally);
    }
}
