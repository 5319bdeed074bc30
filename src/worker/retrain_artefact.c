// SPDX-License-Identifier: MIT
#include "worker/retrain_artefact.h"

#include <unistd.h>

enum { PATH_BYTES = 4096 };

gw_status gw_retrain_load_artefact(struct gw_registry *registry, const char *cache, const char *digest,
                                   struct gw_bundle **ret_bundle, gw_err *err)
{
    char path[PATH_BYTES];
    GW_TRY(gw_artefacts_fetch(registry, cache, digest, path, sizeof path, err));
    int held = gw_artefacts_hold(cache, digest);
    gw_status status = gw_bundle_load(path, ret_bundle, err);
    if (status == GW_E_MISMATCH || status == GW_E_MALFORMED || status == GW_E_NOT_FOUND) {
        gw_artefacts_forget_held(cache, digest, held); // damaged: the next attempt fetches it anew
        status = gw_fail(err, GW_E_BEHIND, "the cached artefact %.12s is damaged", digest);
    }
    if (held >= 0) {
        close(held);
    }
    return status;
}
