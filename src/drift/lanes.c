// SPDX-License-Identifier: MIT
#include "drift/lanes.h"

#include "base/check.h"

#include <math.h>

// A shift of d sd is best met by theta = d, a spread of f by theta = (1 - f^-2) / 2. Between neighbours growth is lost
// at worst to a ninth.
static const double location_theta[] = {-0.8, -0.4, -0.2, -0.1, -0.05, 0.05, 0.1, 0.2, 0.4, 0.8};
static const double spread_theta[] = {-0.25, -0.1, -0.03, 0.03, 0.1, 0.25};

enum { MISSING_UP = 7, MISSING_DOWN = 4, UNSEEN_UP = 5 };
_Static_assert(MISSING_UP + MISSING_DOWN + UNSEEN_UP == GW_DRIFT_LANES, "every absence lane has its use");

static float rounded_down(double x)
{
    float nearest = (float)x;
    return (double)nearest > x ? nextafterf(nearest, 0.0f) : nearest;
}

bool gw_drift_lanes_valid(const struct gw_drift_lanes *lanes)
{
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        if (!(lanes->lane[j] >= 0.0f && lanes->lane[j] <= GW_DRIFT_E_MAX)) {
            return false;
        }
    }
    return true;
}

// Of mean 0 under the reference: S^tau would otherwise make room in the wrong direction. A single bin has no spread.
static double score_of(const struct gw_drift_tilt *tilt, size_t lane, uint32_t row)
{
    if (row >= tilt->bin_count || tilt->bin_count < 2) {
        return 0.0;
    }
    double z = (double)tilt->z[row];
    return lane < GW_DRIFT_LOCATION_LANES ? z : z * z - 1.0;
}

void gw_drift_lanes_tilt(const struct gw_drift_tilt *tilt, struct gw_drift_lanes *table)
{
    GW_ASSERT(tilt->tau_location >= 1.0 && tilt->tau_spread >= 1.0 && tilt->tolerance >= 0.0);
    double square_error = tilt->tolerance * tilt->tolerance;
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        bool location = j < GW_DRIFT_LOCATION_LANES;
        double tau = location ? tilt->tau_location : tilt->tau_spread;
        double t = (location ? location_theta[j] : spread_theta[j - GW_DRIFT_LOCATION_LANES]) / tau;
        double most = 0.0; // of t s: rows past the bins have 0, and a rare bin's exp would overflow
        for (uint32_t b = 0; b < tilt->bin_count; b++) {
            most = fmax(most, t * score_of(tilt, j, b));
        }
        double sum = 0.0;
        for (uint32_t b = 0; b < tilt->row_count; b++) {
            sum += tilt->share[b] * exp(t * score_of(tilt, j, b) - most);
        }
        double log_sum = most + log(sum);
        double square = 0.0;
        for (uint32_t b = 0; b < tilt->row_count; b++) {
            square += tilt->share[b] * exp(2.0 * (t * score_of(tilt, j, b) - log_sum));
        }
        // sum p0 (l - 1)^2 = sum p0 l^2 - 1, as sum p0 l = 1.
        double chi_square = fmax(square - 1.0, 0.0);
        double rare = 0.5 * square_error * exp(most - log_sum);
        double room = 1.0 + rare + sqrt(square_error * chi_square + rare * rare);
        for (uint32_t b = 0; b < tilt->row_count; b++) {
            table[b].lane[j] = rounded_down(exp(t * score_of(tilt, j, b) - tau * log_sum) / room);
        }
    }
}

// Odds from `first` to `last`, the i-th of count in equal ratios, as a share.
static double share_between(double first, double last, int i, int count)
{
    double odds = first * pow(last / first, (double)i / (count - 1));
    return odds / (1.0 + odds);
}

// `p` is the share at the end of what the reference leaves open, `q` lies beyond it.
static void fill_absence_lane(const struct gw_drift_absence *absence, size_t j, uint32_t hit_row, double p, double q,
                              struct gw_drift_lanes *table)
{
    double hit = q / p;
    double miss = (1.0 - q) / (1.0 - p);
    for (uint32_t row = 0; row < GW_DRIFT_ABSENCE_ROWS; row++) {
        table[row].lane[j] = rounded_down(pow(row == hit_row ? hit : miss, 1.0 / absence->tau));
    }
}

double gw_drift_lanes_share_high(double share, double tolerance)
{
    double half = 0.5 * tolerance * tolerance;
    return share + half + sqrt(2.0 * half * share * (1.0 - share) + half * half);
}

// Shares at the ends stay within (0, 1); a lane beyond such an end is of no use, and does no harm.
static double odds_within(double share)
{
    double inside = fmin(fmax(share, 1e-9), 1.0 - 1e-9);
    return inside / (1.0 - inside);
}

static double share_of(double odds)
{
    return odds / (1.0 + odds);
}

void gw_drift_lanes_absence(const struct gw_drift_absence *absence, struct gw_drift_lanes *table)
{
    GW_ASSERT(absence->missing > 0.0 && absence->missing < 1.0 && absence->unseen > 0.0 && absence->unseen < 1.0);
    GW_ASSERT(absence->tau >= 1.0 && absence->tolerance >= 0.0);
    double eps = absence->tolerance;
    double missing_high = odds_within(gw_drift_lanes_share_high(absence->missing, eps));
    double missing_low = odds_within(1.0 - gw_drift_lanes_share_high(1.0 - absence->missing, eps));
    double unseen_high = odds_within(gw_drift_lanes_share_high(absence->unseen, eps));
    size_t j = 0;
    for (int i = 0; i < MISSING_UP; i++) {
        double q = share_between(1.25 * missing_high, fmax(8.0 * missing_high, 1.0), i, MISSING_UP);
        fill_absence_lane(absence, j++, GW_DRIFT_MISSING, share_of(missing_high), q, table);
    }
    for (int i = 0; i < MISSING_DOWN; i++) {
        double q = share_between(0.8 * missing_low, 0.05 * missing_low, i, MISSING_DOWN);
        fill_absence_lane(absence, j++, GW_DRIFT_MISSING, share_of(missing_low), q, table);
    }
    for (int i = 0; i < UNSEEN_UP; i++) {
        double q = share_between(2.0 * unseen_high, fmax(8.0 * unseen_high, 0.25), i, UNSEEN_UP);
        fill_absence_lane(absence, j++, GW_DRIFT_UNSEEN, share_of(unseen_high), q, table);
    }
}
