// SPDX-License-Identifier: MIT
#include "worker/bridge_quality.h"

#include "base/mem.h"
#include "worker/quality_view.h"
#include "worker/topic_tail.h"

enum { LOOK_BACK_RECORDS = 20000, MODELS_MAX = 64, SERIES_MAX = 128 };

struct gw_bridge_quality {
    struct gw_quality_view *view; // under the tail's lock
    struct gw_topic_tail *tail;
};

static gw_status note(void *context, struct gw_slice body, struct gw_arena *arena, gw_err *err)
{
    struct gw_bridge_quality *quality = context;
    struct gw_model_quality record;
    GW_TRY(gw_model_quality_decode(body, arena, &record, err));
    return gw_quality_view_note(quality->view, &record, err);
}

gw_status gw_bridge_quality_ask(struct gw_bridge_quality *quality, struct gw_slice model, uint32_t windows,
                                struct gw_api_quality *ret_quality, gw_err *err)
{
    const char *why = NULL;
    gw_topic_tail_lock(quality->tail);
    gw_status status = gw_quality_view_ask(quality->view, model, windows, ret_quality, err);
    if (status == GW_E_NOT_FOUND && !gw_topic_tail_caught_up(quality->tail, &why)) {
        status =
            gw_fail(err, GW_E_UNAVAILABLE, "live quality is still being read%s%s", why[0] != '\0' ? ": " : "", why);
    }
    gw_topic_tail_unlock(quality->tail);
    return status;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gw_status start(const struct gw_runtime *runtime, struct gw_bridge_quality *quality, gw_err *err)
{
    const struct gw_quality_view_options view = {
        .models_max = MODELS_MAX, .series_max = SERIES_MAX, .windows_max = GW_API_QUALITY_WINDOWS_MAX};
    const struct gw_topic_tail_options tail = {.runtime = runtime,
                                               .topic = GW_TOPIC_MODEL_QUALITY,
                                               .records_max = LOOK_BACK_RECORDS,
                                               .visit = note,
                                               .context = quality};
    quality->view = gw_quality_view_new(&view);
    if (quality->view == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for live quality");
    }
    return gw_topic_tail_start(&tail, &quality->tail, err);
}

gw_status gw_bridge_quality_start(const struct gw_runtime *runtime, struct gw_bridge_quality **ret_quality, gw_err *err)
{
    struct gw_bridge_quality *quality = gw_mem_calloc(1, sizeof *quality);
    if (quality == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for live quality");
    }
    gw_status status = start(runtime, quality, err);
    if (status != GW_OK) {
        gw_bridge_quality_stop(quality);
        return status;
    }
    *ret_quality = quality;
    return GW_OK;
}

void gw_bridge_quality_stop(struct gw_bridge_quality *quality)
{
    if (quality != NULL) {
        gw_topic_tail_stop(quality->tail);
        gw_quality_view_free(quality->view);
        gw_mem_free(quality);
    }
}
