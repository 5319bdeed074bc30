// SPDX-License-Identifier: MIT
// What the vectors of live requests looked like while the data set came about: the samples that the trainer makes a
// version's drift reference of. Labelled rows would not do: those are of shown candidates only, and drift is watched on
// samples of all of them.
//
// Of the manifest's range of feature_samples those of the manifest's layout and span count, whatever version served
// them, the newest reference_max in the order of the log. So the same manifest gives the same bytes.
#pragma once

#include "worker/retrain_manifest.h"

#define GW_RETRAIN_REFERENCE_MIN 1000 // with fewer samples a reference says nothing

struct gw_retrain_reference_options {
    const struct gw_runtime *runtime;
    const struct gw_retrain_manifest *manifest;
    const struct gw_bundle_info *champion; // whose feature names the layout stands for
    const char *path;                      // made anew when there are samples enough; a GWEX without labels
    bool (*stop)(void *context);           // asked about ten times a second; NULL: never
    void *context;
};

// *ret_rows: how many samples the file has, 0 when there is none. Statuses as gw_retrain_dataset_build.
GW_CHECK gw_status gw_retrain_reference_build(const struct gw_retrain_reference_options *options, uint64_t *ret_rows,
                                              gw_err *err);
