// SPDX-License-Identifier: MIT
// How good one head's probabilities were over a set of rows: an accumulator that streams, merges and subtracts exactly.
//
// Everything it holds is an integer. Weights are rounded to 2^-16, every other addend (weight * loss and the like) to
// 2^-32 and summed in 128 bits. Integer sums are associative, so rows added in any order, parts merged in any order,
// and a whole from which a part was taken back all end in the same bytes. (Sums of doubles would not: their rounding
// depends on the order.) The price is an error of at most 2^-33 a row in a sum, far below the sampling noise of any
// mean.
//
// Log loss and ranking clip the prediction into [1e-7, 1 - 1e-7], the clip of Twitter's RCE; calibration and the Brier
// score do not clip. The area under the ROC curve comes from a 2 x 4096 histogram of the logit, 0.0079 wide a bin:
// pairs in one bin count half, so it differs from the exact area (quality/auc.h) by at most half the share of pairs
// that are tied in a bin, which is given as `auc_tie_share`.
//
// One owning thread; about 67 KiB each.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_HEAD_QUALITY_CLIP       1e-7     // predictions are this far from 0 and 1 in a logarithm
#define GW_HEAD_QUALITY_WEIGHT_MAX 131072.0 // 2^17
#define GW_HEAD_QUALITY_ROWS_MAX   (UINT64_C(1) << 29)
#define GW_HEAD_QUALITY_BINS       4096
#define GW_HEAD_QUALITY_GROUPS     64 // of the calibration error: 64 bins, half a logit wide

struct gw_head_quality;

struct gw_head_row {
    double prediction; // probability in [0, 1]
    double weight;     // in (0, 2^17]; the inverse of the row's sampling rate; rounded to 2^-16, at least that
    bool positive;
};

// 95 %, both ends NaN where not defined.
struct gw_interval {
    double low;
    double high;
};

// A measure that is not defined (no rows, one class) is NaN.
struct gw_head_measures {
    uint64_t rows;              // unweighted
    uint64_t positive_rows;     // unweighted
    double examples;            // sum of weights
    double positives;           // sum of weights of positives
    double effective_positives; // Kish: (sum w)^2 / sum w^2; what intervals count with
    double effective_negatives; //
    double log_loss;            // mean of -ln(probability of what happened), nats
    double base_entropy;        // log loss of always answering the base rate, nats
    double normalised_entropy;  // log_loss / base_entropy (He et al., ADKDD 2014); 1 = no better than the rate
    double rce;                 // 100 (1 - normalised_entropy), relative cross entropy, %
    double calibration;         // mean prediction / mean label
    double calibration_error;   // sum over groups |sum w (p - y)| / sum w (Naeini et al., AAAI 2015), groups half a
                                // logit wide; noise makes it positive: about sqrt(groups * rate / examples)
    double brier;               // mean (p - y)^2
    double auc;                 // ties count half
    double auc_tie_share;       // share of (positive, negative) pairs in one bin
    double maturity;            // examples / max(examples, announced), in [0, 1]; NaN without either
    struct gw_interval log_loss_interval;           // from the variance of the rows' losses
    struct gw_interval normalised_entropy_interval; // delta method: the base rate is estimated from the same rows
    struct gw_interval calibration_interval;        // delta method on the logarithm
    struct gw_interval auc_interval;                // DeLong on the logit; see head_measures.c for the edges
};

// Gives an empty accumulator, or NULL without memory. Free with gw_head_quality_free.
GW_CHECK struct gw_head_quality *gw_head_quality_new(void);
void gw_head_quality_free(struct gw_head_quality *quality);
void gw_head_quality_clear(struct gw_head_quality *quality);

// Whether gw_head_quality_add would take the row. GW_E_INVALID: prediction or weight out of its range, or NaN.
GW_CHECK gw_status gw_head_row_check(const struct gw_head_row *row, gw_err *err);

// Counts a row whose label is known. As gw_head_row_check, and GW_E_TOO_LARGE past GW_HEAD_QUALITY_ROWS_MAX rows;
// nothing is changed then.
GW_CHECK gw_status gw_head_quality_add(struct gw_head_quality *quality, const struct gw_head_row *row, gw_err *err);

// Counts a row that was shown and whose label is still open. It moves nothing but the maturity. Statuses as above.
GW_CHECK gw_status gw_head_quality_announce(struct gw_head_quality *quality, double weight, gw_err *err);

// Adds another's rows. GW_E_TOO_LARGE as above.
GW_CHECK gw_status gw_head_quality_merge(struct gw_head_quality *quality, const struct gw_head_quality *other,
                                         gw_err *err);

// Takes back rows that were added. GW_E_INVALID, and nothing changed, when `part` holds more of something than the
// whole.
GW_CHECK gw_status gw_head_quality_subtract(struct gw_head_quality *quality, const struct gw_head_quality *part,
                                            gw_err *err);

// O(bins).
void gw_head_quality_measure(const struct gw_head_quality *quality, struct gw_head_measures *ret_measures);

// Population stability index of b's predictions to a's: sum (b_i - a_i) ln(b_i / a_i) over about ten bins that hold
// equal shares of a, with 1/2 added to each count. Without drift its mean is near 9 (1/n_a + 1/n_b): judge it beside
// the number of rows. NaN when either is empty.
double gw_head_quality_psi(const struct gw_head_quality *a, const struct gw_head_quality *b);

// Appends the whole state: equal states give equal bytes; size grows with the bins in use, at most 160 KiB.
// GW_E_MEMORY.
GW_CHECK gw_status gw_head_quality_encode(const struct gw_head_quality *quality, struct gw_buf *buf);

// Replaces the state. GW_E_MALFORMED: bytes that gw_head_quality_encode did not write; the state is then unchanged.
// GW_E_MEMORY.
GW_CHECK gw_status gw_head_quality_decode(struct gw_head_quality *quality, struct gw_slice bytes, gw_err *err);
