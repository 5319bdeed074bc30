// SPDX-License-Identifier: MIT
#include "simulator/truth.h"

#include <math.h>

static const struct {
    const char *symbol;
    double share;
} heads[GW_SIM_HEAD_COUNT] = {
#define X(name, symbol, share) [GW_SIM_##name] = {symbol, share},
    GW_SIM_HEAD_MAP(X)
#undef X
};

// Biases were set so that the default world's shares of impressions come out near the documented ones.
// clang-format off
static const struct gw_sim_truth default_truth = {
    .heads = {
        //                            bias  prop  tilt   auth   qual   cont  match    age    net   even
        [GW_SIM_FAV] =              { -6.50,  0.80,  0.30,  0.50,  0.70,  0.80,  2.20,  0.25,  0.70,  0.15},
        [GW_SIM_RETWEET] =          { -7.65,  0.80,  0.50,  0.50,  0.90,  0.80,  2.00,  0.40,  0.50,  0.10},
        [GW_SIM_REPLY] =            { -7.95,  0.70,  0.60,  0.20,  0.50,  0.40,  1.50,  0.50,  1.20,  0.20},
        [GW_SIM_QUOTE] =            { -9.45,  0.80,  0.60,  0.30,  0.80,  0.50,  1.80,  0.50,  0.50,  0.10},
        [GW_SIM_CLICK] =            { -4.70,  0.60,  0.30,  0.30,  0.60,  0.60,  1.40,  0.15,  0.20,  0.10},
        [GW_SIM_PROFILE_CLICK] =    { -7.50,  0.50,  0.40,  0.70,  0.30,  0.20,  1.40,  0.10, -0.60,  0.10},
        [GW_SIM_BOOKMARK] =         { -9.10,  0.50,  0.80,  0.30,  0.90,  0.60,  2.00,  0.10,  0.20,  0.10},
        [GW_SIM_SHARE] =            { -8.95,  0.50,  0.70,  0.30,  0.90,  0.70,  1.80,  0.20,  0.20,  0.20},
        [GW_SIM_PHOTO_EXPAND] =     { -3.50,  0.50,  0.40,  0.20,  0.50,  0.20,  1.00,  0.10,  0.20,  0.10},
        [GW_SIM_VIDEO_PLAYBACK50] = { -4.50,  0.40,  0.40,  0.20,  0.60,  0.20,  1.20,  0.10,  0.10,  0.30},
        [GW_SIM_DWELL] =            { -1.55,  0.40,  0.20,  0.20,  0.45,  0.50,  1.20,  0.10,  0.30,  0.10},
        [GW_SIM_NEGATIVE] =         { -7.05,  0.30,  0.80, -0.50, -0.60, -0.50, -2.00,  0.00, -1.00,  0.00},
        [GW_SIM_REPORT] =           {-10.70,  0.30,  0.80, -0.80, -0.80, -0.80, -1.50,  0.00, -1.50,  0.00},
    },
};
// clang-format on

const char *gw_sim_head_symbol(enum gw_sim_head head)
{
    return heads[head].symbol;
}

double gw_sim_head_share(enum gw_sim_head head)
{
    return heads[head].share;
}

struct gw_sim_truth gw_sim_truth_default(void)
{
    return default_truth;
}

double gw_sim_truth_probability(const struct gw_sim_weights *w, const struct gw_sim_factors *f)
{
    double z = w->bias + w->propensity * f->propensity + w->tilt * f->tilt + w->author * f->author +
               w->quality * f->quality + w->content * f->content + w->match * f->match -
               w->age * log1p(f->age_hours / 3.0) + w->in_network * f->in_network +
               w->evening * cos(2.0 * 3.14159265358979323846 * (f->local_hour - 21.0) / 24.0);
    return 1.0 / (1.0 + exp(-z));
}
