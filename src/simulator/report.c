// SPDX-License-Identifier: MIT
#include "simulator/report.h"

#include "base/macros.h"
#include "simulator/draw.h"

// Means and standard deviations that "amount" is measured in. Those of follower counts follow from the Pareto law that
// they are drawn from: the logarithm has standard deviation 1 / 1.1, its mean is that above the logarithm of the
// minimum. The others were measured in default worlds of 2,000 to 30,000 users, and hold there within 4 %; a test holds
// one.
#define SOURCE_SCORE_MEAN  0.35
#define SOURCE_SCORE_SD    0.71
#define FOLLOWERS_LOG_SD   (1.0 / 1.1)
#define AUTHOR_LOG_MEAN    (3.4011973816621555 + FOLLOWERS_LOG_SD) // ln 30
#define READER_LOG_MEAN    (1.0986122886681098 + FOLLOWERS_LOG_SD) // ln 3
#define TEXT_LENGTH_LEAST  5.0
#define TEXT_LENGTH_MEDIAN 80.0 // above the least
#define TEXT_LOG_SD        0.67
#define FOLLOWERS_MAX      1e15
#define TEXT_LENGTH_MAX    1e6

// Whether the thing is among the share that a drift strikes; the same ones as long as it lasts.
static bool strikes(const struct gw_sim_report *report, const struct gw_sim_drift *drift, uint64_t a, uint64_t b)
{
    uint64_t hash = gw_sim_hash(report->seed, GW_SIM_STREAM_STRUCK, a ^ (uint64_t)drift->kind << 56, b);
    return (double)(hash >> 11) * 0x1p-53 < drift->amount;
}

// Moves or stretches a quantity with this mean and standard deviation, when the drift does that.
static double moved(const struct gw_sim_drift *drift, double value, double mean, double sd)
{
    if (drift->kind == GW_SIM_DRIFT_SHIFT) {
        return value + drift->amount * sd;
    }
    return drift->kind == GW_SIM_DRIFT_SPREAD ? mean + drift->amount * (value - mean) : value;
}

static bool moves(const struct gw_sim_drift *drift)
{
    return drift->kind == GW_SIM_DRIFT_SHIFT || drift->kind == GW_SIM_DRIFT_SPREAD;
}

void gw_sim_report_profile(const struct gw_sim_report *report, int64_t time_ms, bool writes,
                           struct gw_sim_profile *profile)
{
    for (size_t i = 0; i < report->drift_count && report->drifts[i].from_ms <= time_ms; i++) {
        const struct gw_sim_drift *drift = &report->drifts[i];
        if (moves(drift)) {
            double count = exp(moved(drift, log((double)profile->follower_count),
                                     writes ? AUTHOR_LOG_MEAN : READER_LOG_MEAN, FOLLOWERS_LOG_SD));
            profile->follower_count = (int64_t)GW_MIN(count + 0.5, FOLLOWERS_MAX);
        } else if (drift->kind == GW_SIM_DRIFT_MISSING && strikes(report, drift, (uint64_t)profile->user_id, 0)) {
            profile->user_state = 0;
            profile->created_ms = 0;
        }
    }
}

void gw_sim_report_tweet(const struct gw_sim_report *report, int64_t time_ms, struct gw_sim_tweet *tweet)
{
    for (size_t i = 0; i < report->drift_count && report->drifts[i].from_ms <= time_ms; i++) {
        const struct gw_sim_drift *drift = &report->drifts[i];
        if (moves(drift)) {
            // A half up, where the real length lies on average that was cut to a whole number; so none is 0.
            double over = (double)tweet->text_length - TEXT_LENGTH_LEAST + 0.5;
            double length =
                TEXT_LENGTH_LEAST + exp(moved(drift, log(GW_MAX(over, 0.5)), log(TEXT_LENGTH_MEDIAN), TEXT_LOG_SD));
            tweet->text_length = (int32_t)GW_MIN(length, TEXT_LENGTH_MAX);
        } else if (drift->kind == GW_SIM_DRIFT_MISSING && strikes(report, drift, (uint64_t)tweet->tweet_id, 0)) {
            tweet->video_duration_ms = 0;
        } else if (drift->kind == GW_SIM_DRIFT_CATEGORY && strikes(report, drift, (uint64_t)tweet->tweet_id, 0)) {
            tweet->is_retweet = true;
        }
    }
}

void gw_sim_report_candidates(const struct gw_sim_report *report, int64_t time_ms, int64_t join_id,
                              struct gw_sim_candidate *candidates, size_t count)
{
    for (size_t i = 0; i < report->drift_count && report->drifts[i].from_ms <= time_ms; i++) {
        const struct gw_sim_drift *drift = &report->drifts[i];
        if (!moves(drift) && drift->kind != GW_SIM_DRIFT_MISSING) {
            continue;
        }
        for (size_t c = 0; c < count; c++) {
            if (moves(drift)) {
                candidates[c].source_score =
                    (float)moved(drift, (double)candidates[c].source_score, SOURCE_SCORE_MEAN, SOURCE_SCORE_SD);
            } else if (strikes(report, drift, (uint64_t)join_id, (uint64_t)candidates[c].tweet_id)) {
                candidates[c].source_score = (float)NAN;
            }
        }
    }
}
