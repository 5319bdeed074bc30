// SPDX-License-Identifier: MIT
// Which version of a model is the champion, how good it was at training, and what its windows have said so far.
//
// Who is champion is asked each time; what was measured at its training does not change and is asked once a version.
// Bounded: the model that was asked about longest ago makes room. One owning thread.
#pragma once

#include "registry/registry.h"
#include "rollout/route.h"
#include "worker/retrain_decay.h"

struct gw_retrain_champions;

struct gw_retrain_champion {
    char model[GW_ROUTE_NAME_BYTES];
    struct gw_retrain_decay_reference reference;
    struct gw_retrain_decay_mark mark; // the caller's
};

// NULL without memory.
GW_CHECK struct gw_retrain_champions *gw_retrain_champions_new(void);
void gw_retrain_champions_free(struct gw_retrain_champions *champions);

// *ret_champion is valid until the next call; a model that is not there has none (version 0). `arena` is for what is
// read. As registry/views.h.
GW_CHECK gw_status gw_retrain_champions_get(struct gw_retrain_champions *champions, struct gw_registry *registry,
                                            const char *model, struct gw_arena *arena,
                                            struct gw_retrain_champion **ret_champion, gw_err *err);
