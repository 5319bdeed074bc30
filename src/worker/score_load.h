// SPDX-License-Identifier: MIT
// How a version is loaded: fetched from the disk cache or PostgreSQL, verified, warmed up. And how it is rejected there.
#pragma once

#include "worker/runtime.h"
#include "worker/score_model.h"
#include "worker/score_recent.h"

struct gw_score_loader;

// Has a connection to PostgreSQL and one to Redis of its own, opened lazily. Borrows both, which must outlive it. One
// owning thread.
GW_CHECK gw_status gw_score_loader_new(const struct gw_runtime *runtime, struct gw_score_recent *recent,
                                       struct gw_score_loader **ret_loader, gw_err *err);
void gw_score_loader_free(struct gw_score_loader *loader);

// The functions of struct gw_score_follow_ops; `context` is the loader.
gw_status gw_score_loader_load(void *context, const char *model, const struct gw_route_version *version,
                               struct gw_score_model **ret_model, gw_err *err);
gw_status gw_score_loader_reject(void *context, const char *model, int32_t version, const char *reason, gw_err *err);
