// SPDX-License-Identifier: MIT
// The inside of a bundle, for this folder only.
#pragma once

#include "base/arena.h"
#include "model/bundle.h"
#include "model/calibration.h"
#include "model/forest.h"
#include "model/sha256.h"

#include <stdatomic.h>

struct gw_bundle {
    atomic_uint refs; // a count only; whoever drops the last one synchronises with all others by acq_rel
    struct gw_bundle_info info;
    struct gw_bundle_head heads[GW_BUNDLE_HEADS_MAX];
    struct gw_forest *forests[GW_BUNDLE_HEADS_MAX];
    struct gw_calibration calibrations[GW_BUNDLE_HEADS_MAX];
    char digest[GW_SHA256_HEX_BYTES];
    char *profile;         // bytes of info.profile, NULL when absent
    struct gw_arena arena; // strings
};
