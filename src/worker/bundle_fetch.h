// SPDX-License-Identifier: MIT
// Versions of the registry as bundles, through the cache of artefacts on disk that workers share.
#pragma once

#include "model/bundle.h"
#include "registry/artefacts.h"

// Gives a bundle (gw_bundle_unref). What is cached and turns out to be damaged is fetched anew, once: what does not
// load then is no good (RECORD class, GW_E_MISMATCH). GW_E_NOT_FOUND: there is no such artefact. Else as
// gw_artefacts_fetch and gw_bundle_load. Any thread, each with its own registry.
GW_CHECK gw_status gw_bundle_fetch(struct gw_registry *registry, const char *cache, const char *digest,
                                   struct gw_bundle **ret_bundle, gw_err *err);
