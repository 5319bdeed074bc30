// SPDX-License-Identifier: MIT
#include "worker/retrain_trained.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

// Stands at the value of the path's last key; false when it is not there.
static bool seek(struct gw_json *json, const char *const *path, size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        struct gw_slice key = {0};
        bool more = false;
        if (gw_json_enter(json, GW_JSON_OBJECT, NULL) != GW_OK) {
            return false;
        }
        for (;;) {
            if (gw_json_next(json, &more, NULL) != GW_OK || !more || gw_json_key(json, &key, NULL) != GW_OK) {
                return false;
            }
            if (gw_slice_is(key, path[i])) {
                break;
            }
            if (gw_json_skip(json, NULL) != GW_OK) {
                return false;
            }
        }
    }
    return true;
}

static double number_at(const char *text, const char *const *path, size_t depth)
{
    struct gw_json json;
    double number = (double)NAN;
    gw_json_init(&json, gw_slice_text(text));
    return seek(&json, path, depth) && gw_json_double(&json, &number, NULL) == GW_OK ? number : (double)NAN;
}

double gw_retrain_trained(const char *metadata_json, const char *head, const char *measure)
{
    const char *const path[] = {"heads", head, measure};
    return number_at(metadata_json, path, GW_COUNT_OF(path));
}

double gw_retrain_trained_version(const struct gw_registry_version *version, const char *head, const char *measure)
{
    const char *const path[] = {"training", "heads", head, measure};
    double number = number_at(version->metrics_json, path, GW_COUNT_OF(path));
    if (isnan(number)) {
        number = gw_retrain_trained(version->metrics_json, head, measure);
    }
    return isnan(number) ? gw_retrain_trained(version->lineage_json, head, measure) : number;
}

void gw_retrain_primary_head(const struct gw_registry_version *version, char *ret_head, size_t size)
{
    static const char *const path[] = {"primary"};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf name = {0};
    struct gw_json json;
    gw_json_init(&json, gw_slice_text(version->signature_json));
    ret_head[0] = '\0';
    if (seek(&json, path, GW_COUNT_OF(path)) && gw_json_string(&json, &name, size - 1, NULL) == GW_OK) {
        memcpy(ret_head, name.data, name.size + 1);
    }
}
