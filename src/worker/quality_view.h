// SPDX-License-Identifier: MIT
// The newest records of model_quality, as one asks for them: of a model, by version, variant and head.
//
// Bounded: so many models, so many series (version, variant, head) of each, so many windows of each series. What was
// heard of least recently in event time makes room. A window that comes again replaces the one that is there.
//
// Plain state, no clock; not for more than one thread.
#pragma once

#include "api/api.h"
#include "records/model_quality.h"

struct gw_quality_view;

struct gw_quality_view_options {
    uint32_t models_max;  // > 0
    uint32_t series_max;  // > 0, of a model
    uint32_t windows_max; // > 0, of a series
};

// NULL without memory.
GW_CHECK struct gw_quality_view *gw_quality_view_new(const struct gw_quality_view_options *options);
void gw_quality_view_free(struct gw_quality_view *view);

// GW_E_INVALID: a name that is too long to be one, or a window that ends before it begins; nothing is changed.
// GW_E_MEMORY: the same.
GW_CHECK gw_status gw_quality_view_note(struct gw_quality_view *view, const struct gw_model_quality *record,
                                        gw_err *err);

// Gives (gw_mem_free(ret_quality->windows)) up to `windows` newest of each series of the model, newest first, then by
// version downwards, variant and head. GW_E_NOT_FOUND: nothing was heard of the model. GW_E_MEMORY.
GW_CHECK gw_status gw_quality_view_ask(const struct gw_quality_view *view, struct gw_slice model, uint32_t windows,
                                       struct gw_api_quality *ret_quality, gw_err *err);
