// SPDX-License-Identifier: MIT
// Versions of the registry as bundles, through the cache of artefacts that scorers use too. For src/worker/retrain_*.c.
#pragma once

#include "model/bundle.h"
#include "registry/artefacts.h"

// What is cached and turns out to be damaged is fetched anew, once: what does not load then is no good. GW_E_NOT_FOUND:
// there is no such artefact. Else as gw_artefacts_fetch and gw_bundle_load.
GW_CHECK gw_status gw_retrain_load_artefact(struct gw_registry *registry, const char *cache, const char *digest,
                                            struct gw_bundle **ret_bundle, gw_err *err);
