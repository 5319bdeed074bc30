// SPDX-License-Identifier: MIT
#include "worker/bundle_fetch.h"

#include "base/log.h"

#include <unistd.h>

enum { PATH_BYTES = 4096 };

// *ret_damaged: the copy was, and is gone.
static gw_status fetch_and_load(struct gw_registry *registry, const char *cache, const char *digest,
                                struct gw_bundle **ret_bundle, bool *ret_damaged, gw_err *err)
{
    char path[PATH_BYTES];
    GW_TRY(gw_artefacts_fetch(registry, cache, digest, path, sizeof path, err));
    int held = gw_artefacts_hold(cache, digest);
    gw_status status = gw_bundle_load(path, ret_bundle, err);
    *ret_damaged = status == GW_E_MISMATCH || (status != GW_OK && gw_status_class(status) == GW_CLASS_RECORD);
    if (*ret_damaged) {
        gw_artefacts_forget_held(cache, digest, held);
    }
    if (held >= 0) {
        close(held);
    }
    return status;
}

gw_status gw_bundle_fetch(struct gw_registry *registry, const char *cache, const char *digest,
                          struct gw_bundle **ret_bundle, gw_err *err)
{
    bool damaged = false;
    gw_status status = fetch_and_load(registry, cache, digest, ret_bundle, &damaged, err);
    if (damaged) {
        gw_log_warn("models.artefact_damaged", "digest=%.12s status=%s reason='%s'", digest, gw_status_name(status),
                    err->message);
        status = fetch_and_load(registry, cache, digest, ret_bundle, &damaged, err);
    }
    return status;
}
