// SPDX-License-Identifier: MIT
#include "worker/overview.h"

#include "base/macros.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WHOLE_US = 250000,  // after its first record, a second's other records have come
    FRESH_US = 5000000, // a process silent for longer is gone
};

// ---- taking records in ----------------------------------------------------------------------------------------------

static void copy_text(char *to, size_t size, struct gw_slice from)
{
    snprintf(to, size, "%.*s", (int)GW_MIN(from.size, size), from.size > 0 ? (const char *)from.data : "");
}

// Finds the series, or makes it in a free place or in that of the one that was silent longest.
static struct gw_overview_series *series_of(struct gw_overview *overview, const char *instance, const char *lane)
{
    struct gw_overview_series *oldest = &overview->series[0];
    for (size_t i = 0; i < overview->count; i++) {
        struct gw_overview_series *series = &overview->series[i];
        if (strcmp(series->instance, instance) == 0 && strcmp(series->lane, lane) == 0) {
            return series;
        }
        oldest = series->newest.last_us < oldest->newest.last_us ? series : oldest;
    }
    struct gw_overview_series *made =
        overview->count < GW_OVERVIEW_SERIES_MAX ? &overview->series[overview->count++] : oldest;
    *made = (struct gw_overview_series){0};
    snprintf(made->instance, sizeof made->instance, "%s", instance);
    snprintf(made->lane, sizeof made->lane, "%s", lane);
    return made;
}

static void add_record(struct gw_overview_window *window, const struct gw_serving_metrics *record, uint64_t now_us)
{
    window->length_ms = GW_MAX(window->length_ms, record->window_ms);
    window->last_us = now_us;
    window->requests += record->requests;
    window->predictions += record->predictions;
    window->rows_wanted += record->rows_wanted;
    window->rows_found += record->rows_found;
    window->lag += record->lag;
    if (record->requests > 0) {
        window->p50_us = fmax(window->p50_us, record->latency_p50_us);
        window->p95_us = fmax(window->p95_us, record->latency_p95_us);
        window->p99_us = fmax(window->p99_us, record->latency_p99_us);
    }
}

void gw_overview_note(struct gw_overview *overview, const struct gw_serving_metrics *record, uint64_t now_us)
{
    char instance[sizeof overview->series[0].instance];
    char lane[sizeof overview->series[0].lane];
    copy_text(instance, sizeof instance, record->instance);
    copy_text(lane, sizeof lane, record->lane);
    struct gw_overview_series *series = series_of(overview, instance, lane);
    if (record->window_start_ms != series->newest.start_ms) {
        series->whole = series->newest;
        series->newest = (struct gw_overview_window){.start_ms = record->window_start_ms, .first_us = now_us};
    }
    add_record(&series->newest, record, now_us);
    copy_text(series->digest, sizeof series->digest, record->model_digest);
}

// ---- figures --------------------------------------------------------------------------------------------------------

// The last second of which all records have come; NULL when the process is gone.
static const struct gw_overview_window *last_whole(const struct gw_overview_series *series, uint64_t now_us)
{
    if (series->newest.start_ms == 0 || now_us - series->newest.last_us > FRESH_US) {
        return NULL;
    }
    bool is_whole = now_us - series->newest.first_us >= WHOLE_US || series->whole.start_ms == 0;
    return is_whole ? &series->newest : &series->whole;
}

static double worse(double known, double us)
{
    return us > 0 ? fmax(known, us / 1e3) : known; // fmax takes the number where the other is NaN
}

void gw_overview_lane(const struct gw_overview *overview, const char *lane, uint64_t now_us,
                      struct gw_overview_lane *ret_lane)
{
    uint64_t last_us = 0;
    *ret_lane = (struct gw_overview_lane){.p50_ms = NAN, .p95_ms = NAN, .p99_ms = NAN, .digest = ""};
    for (size_t i = 0; i < overview->count; i++) {
        const struct gw_overview_series *series = &overview->series[i];
        const struct gw_overview_window *window = last_whole(series, now_us);
        if (window == NULL || window->length_ms <= 0 || strcmp(series->lane, lane) != 0) {
            continue;
        }
        double per_s = 1000.0 / (double)window->length_ms;
        ret_lane->processes++;
        ret_lane->requests_per_s += (double)window->requests * per_s;
        ret_lane->predictions_per_s += (double)window->predictions * per_s;
        ret_lane->p50_ms = worse(ret_lane->p50_ms, window->p50_us);
        ret_lane->p95_ms = worse(ret_lane->p95_ms, window->p95_us);
        ret_lane->p99_ms = worse(ret_lane->p99_ms, window->p99_us);
        ret_lane->lag += window->lag;
        ret_lane->rows_wanted += window->rows_wanted;
        ret_lane->rows_found += window->rows_found;
        if (series->newest.last_us >= last_us) {
            last_us = series->newest.last_us;
            ret_lane->digest = series->digest;
        }
    }
    if (ret_lane->processes == 0) {
        ret_lane->requests_per_s = NAN;
        ret_lane->predictions_per_s = NAN;
        ret_lane->lag = -1;
    }
}

double gw_overview_hit_ratio(const struct gw_overview *overview, uint64_t now_us)
{
    int64_t wanted = 0;
    int64_t found = 0;
    for (size_t i = 0; i < overview->count; i++) {
        const struct gw_overview_window *window = last_whole(&overview->series[i], now_us);
        wanted += window != NULL ? window->rows_wanted : 0;
        found += window != NULL ? window->rows_found : 0;
    }
    return wanted > 0 ? (double)found / (double)wanted : (double)NAN;
}

double gw_overview_rate(struct gw_overview_count *count, bool known, int64_t value, uint64_t now_us)
{
    double rate = NAN;
    if (known && count->known && value >= count->value && now_us > count->at_us) {
        rate = (double)(value - count->value) * 1e6 / (double)(now_us - count->at_us);
    }
    *count = (struct gw_overview_count){.known = known, .value = value, .at_us = now_us};
    return rate;
}
