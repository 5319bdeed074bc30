// SPDX-License-Identifier: MIT
// What an alarm says beside its evidence: how large, since when, compared with chance, and what is promised.
#include "drift/bank_internal.h"
#include "drift/divergence.h"

#include <math.h>

static const double by_chance_share = 0.99;

uint64_t gw_drift_bank_window(const struct gw_drift_bank *bank, const struct bank_stream *stream, int kind,
                              double *counts)
{
    uint32_t rows = stream->feature->row_count;
    for (uint32_t b = 0; b < rows; b++) {
        counts[b] = 0.0;
    }
    if (bank->rows == 0) {
        return 0;
    }
    uint32_t blocks = gw_drift_blocks_since(bank->rows, stream->calm_row[kind]);
    uint64_t start = gw_drift_block_start(bank->rows, blocks - 1);
    for (uint32_t back = 0; back < blocks; back++) {
        const uint8_t *block =
            stream->counts + (size_t)gw_drift_block_of(start + 1 + back * GW_DRIFT_BLOCK_ROWS) * rows;
        for (uint32_t b = 0; b < rows; b++) {
            counts[b] += block[b];
        }
    }
    return bank->rows - start;
}

double gw_drift_bank_rate(const struct gw_drift_bank *bank)
{
    return gw_drift_blocks_rate(&bank->blocks, bank->rows, bank->now_ms);
}

// The rise of a share in units of its standard deviation, made alike over all shares: Cohen's h.
static double rise_of(double share, double reference)
{
    return 2.0 * asin(sqrt(share)) - 2.0 * asin(sqrt(reference));
}

static void explain_tilt(const struct bank_stream *stream, const double *counts, struct gw_drift_alarm *alarm)
{
    const struct gw_drift_feature *feature = stream->feature;
    double finite = 0.0;
    double sum = 0.0;
    double square = 0.0;
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        double z = (double)feature->z[b];
        finite += counts[b];
        sum += counts[b] * z;
        square += counts[b] * z * z;
    }
    alarm->spread_ratio = 1.0;
    if (finite > 0.0) {
        double mean = sum / finite;
        alarm->effect_sigma = mean;
        alarm->spread_ratio = sqrt(fmax(square / finite - mean * mean, 0.0));
    }
}

static void explain_absence(const struct bank_stream *stream, const double *counts, double total,
                            struct gw_drift_alarm *alarm)
{
    const struct gw_drift_feature *feature = stream->feature;
    uint32_t missing = feature->bin_count;
    double share[] = {total > 0.0 ? counts[missing] / total : 0.0, total > 0.0 ? counts[missing + 1] / total : 0.0};
    double rise[] = {rise_of(share[0], feature->share[missing]), rise_of(share[1], feature->share[missing + 1])};
    int which = fabs(rise[1]) > fabs(rise[0]) ? 1 : 0;
    alarm->kind = which == 1 ? GW_DRIFT_OF_UNSEEN : GW_DRIFT_OF_MISSING;
    alarm->effect_sigma = rise[which];
    alarm->share = share[which];
    alarm->reference_share = feature->share[missing + (uint32_t)which];
    alarm->spread_ratio = 1.0;
}

void gw_drift_bank_promise(const struct gw_drift_bank *bank, const struct bank_stream *stream, int kind,
                           struct gw_drift_promise *ret_promise)
{
    double rate = gw_drift_bank_rate(bank);
    double threshold = gw_drift_bank_alone(bank->profile, bank->options.threshold);
    double (*smallest)(const struct gw_drift_feature *, double, double) =
        kind == BANK_TILT ? gw_drift_promise_shift : gw_drift_promise_missing;
    ret_promise->false_alarm_days = gw_drift_promise_days(bank->options.threshold, rate);
    ret_promise->smallest_shift_10s = smallest(stream->feature, threshold, 10.0 * rate);
    ret_promise->smallest_shift_5min = smallest(stream->feature, threshold, 300.0 * rate);
}

void gw_drift_bank_explain(const struct gw_drift_bank *bank, const struct bank_stream *stream, int kind,
                           struct gw_drift_alarm *alarm)
{
    const struct gw_drift_feature *feature = stream->feature;
    double counts[GW_DRIFT_ROWS_MAX];
    uint64_t total = gw_drift_bank_window(bank, stream, kind, counts);
    double n = (double)total;
    double m = (double)feature->sample_count;
    if (kind == BANK_TILT) {
        alarm->kind = feature == bank->profile->score ? GW_DRIFT_OF_SCORE : GW_DRIFT_OF_FEATURE;
        explain_tilt(stream, counts, alarm);
    } else {
        explain_absence(stream, counts, n, alarm);
    }
    double tau = fmax(feature->tau_location, feature->tau_spread);
    alarm->window_count = total;
    alarm->psi = gw_drift_psi(feature->share, counts, feature->row_count);
    alarm->psi_by_chance = gw_drift_psi_by_chance(feature->bin_count, m, n, tau, by_chance_share);
    alarm->jensen_shannon = gw_drift_jensen_shannon(feature->share, counts, feature->row_count, GW_DRIFT_EVIDENTLY);
    alarm->jensen_shannon_by_chance =
        gw_drift_jensen_shannon_by_chance(feature->bin_count, m, n, tau, by_chance_share, GW_DRIFT_EVIDENTLY);
    alarm->rate_per_s = gw_drift_bank_rate(bank);
}

void gw_drift_bank_view(const struct gw_drift_bank *bank, uint32_t index, struct gw_drift_view *ret_view)
{
    const struct bank_stream *stream = &bank->streams[index];
    struct gw_drift_alarm alarm = {0};
    gw_drift_bank_explain(bank, stream, BANK_TILT, &alarm);
    double counts[GW_DRIFT_ROWS_MAX];
    uint64_t total = gw_drift_bank_window(bank, stream, BANK_ABSENCE, counts);
    *ret_view = (struct gw_drift_view){
        .stream = stream->feature->name,
        .tilt_e = (double)stream->e[BANK_TILT],
        .absence_e = (double)stream->e[BANK_ABSENCE],
        .tilt_state = stream->episode[BANK_TILT].state,
        .absence_state = stream->episode[BANK_ABSENCE].state,
        .effect_sigma = alarm.effect_sigma,
        .missing_share = total > 0 ? counts[stream->feature->bin_count] / (double)total : 0.0,
        .psi = alarm.psi,
        .window_count = alarm.window_count,
    };
    gw_drift_bank_promise(bank, stream, BANK_TILT, &ret_view->promise);
}
