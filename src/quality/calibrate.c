// SPDX-License-Identifier: MIT
#include "quality/calibrate.h"

#include "base/check.h"

#include <math.h>
#include <stdbool.h>

enum { STEPS_MAX = 100, HALVINGS_MAX = 40 };

struct problem {
    const float *margins;
    const float *labels;
    const float *weights;
    size_t count;
    double total; // sum of weights
    double target[2];
    double base_logit; // of the share of positives
};

static double weight_of(const struct problem *problem, size_t i)
{
    return problem->weights != NULL ? (double)problem->weights[i] : 1.0;
}

// Mean of ln(1 + e^z) - t z, as ln(1 + e^-|z|) + max(z, 0) - t z.
static double objective(const struct problem *problem, double a, double b)
{
    double sum = 0.0;
    for (size_t i = 0; i < problem->count; i++) {
        double z = a * (double)problem->margins[i] + b;
        double t = problem->target[problem->labels[i] > 0.5f];
        sum += weight_of(problem, i) * (log1p(exp(-fabs(z))) + fmax(z, 0.0) - t * z);
    }
    return sum / problem->total;
}

struct derivatives {
    double ga, gb;        // gradient
    double haa, hab, hbb; // Hessian
};

static struct derivatives derive(const struct problem *problem, double a, double b)
{
    struct derivatives d = {0};
    for (size_t i = 0; i < problem->count; i++) {
        double f = (double)problem->margins[i];
        double z = a * f + b;
        double small = exp(-fabs(z));
        double p = z >= 0.0 ? 1.0 / (1.0 + small) : small / (1.0 + small);
        double w = weight_of(problem, i) / problem->total;
        double slope = w * (p - problem->target[problem->labels[i] > 0.5f]);
        double curve = w * small / ((1.0 + small) * (1.0 + small));
        d.ga += slope * f;
        d.gb += slope;
        d.haa += curve * f * f;
        d.hab += curve * f;
        d.hbb += curve;
    }
    return d;
}

static gw_status check_rows(struct problem *problem, gw_err *err)
{
    double sums[2] = {0.0, 0.0};
    for (size_t i = 0; i < problem->count; i++) {
        double weight = weight_of(problem, i);
        float label = problem->labels[i];
        if (!isfinite(problem->margins[i]) || !(label == 0.0f || label == 1.0f) || !(weight > 0.0) || isinf(weight)) {
            return gw_fail(err, GW_E_INVALID, "row %zu: margin %g, label %g, weight %g", i, (double)problem->margins[i],
                           (double)label, weight);
        }
        sums[label > 0.5f] += weight;
    }
    if (!(sums[0] > 0.0 && sums[1] > 0.0)) {
        return gw_fail(err, GW_E_INVALID, "%zu rows of one class cannot be calibrated on", problem->count);
    }
    problem->total = sums[0] + sums[1];
    problem->base_logit = log(sums[1] / sums[0]);
    problem->target[1] = (sums[1] + 1.0) / (sums[1] + 2.0);
    problem->target[0] = 1.0 / (sums[0] + 2.0);
    return GW_OK;
}

gw_status gw_calibrate_platt(const float *margins, const float *labels, const float *weights, size_t count,
                             struct gw_platt *ret_platt, gw_err *err)
{
    struct problem problem = {.margins = margins, .labels = labels, .weights = weights, .count = count};
    GW_TRY(check_rows(&problem, err));
    struct gw_platt fit = {.a = 0.0, .b = problem.base_logit};
    fit.loss = objective(&problem, fit.a, fit.b);
    for (; fit.iterations < STEPS_MAX; fit.iterations++) {
        struct derivatives d = derive(&problem, fit.a, fit.b);
        // The ridge keeps the system solvable where all margins are equal; it does not move the minimum.
        double haa = d.haa + 1e-12;
        double hbb = d.hbb + 1e-12;
        double determinant = haa * hbb - d.hab * d.hab;
        double step_a = -(hbb * d.ga - d.hab * d.gb) / determinant;
        double step_b = -(haa * d.gb - d.hab * d.ga) / determinant;
        double descent = step_a * d.ga + step_b * d.gb;
        // Minus twice what is left to gain. Where that is lost in the objective's rounding, one full step is all there
        // is to do: it squares the error.
        bool last = !(descent < -1e-12);
        double share = 1.0;
        double loss = objective(&problem, fit.a + step_a, fit.b + step_b);
        for (int i = 0; i < HALVINGS_MAX && !last && !(loss <= fit.loss + 1e-4 * share * descent); i++) {
            share /= 2.0;
            loss = objective(&problem, fit.a + share * step_a, fit.b + share * step_b);
        }
        fit.a += share * step_a;
        fit.b += share * step_b;
        fit.loss = loss;
        if (last) {
            fit.iterations++;
            break;
        }
    }
    *ret_platt = fit;
    return GW_OK;
}

double gw_calibrate_sampled(double p, double rate)
{
    GW_ASSERT(rate > 0.0 && rate <= 1.0);
    return p / (p + (1.0 - p) / rate);
}
