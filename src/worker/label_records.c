// SPDX-License-Identifier: MIT
#include "worker/label_records.h"

#include "avro/framing.h"
#include "label/bits.h"

#include <math.h>
#include <string.h>

static const int32_t action_numbers[GW_ACTION_TYPE_COUNT] = {
#define X(symbol, number) [GW_ACTION_TYPE_##symbol] = (number) + 1, // 0 is none of them
    GW_LABEL_ACTION_MAP(X)
#undef X
};

_Static_assert((int)GW_PRODUCT_SURFACE_TWEET_DETAILS_PAGE == GW_LABEL_SURFACE_DETAILS, "surfaces as in the record");
_Static_assert((int)GW_EXAMPLE_KIND_INITIAL_NEGATIVE == (int)GW_LABEL_INITIAL_NEGATIVE &&
                   (int)GW_EXAMPLE_KIND_POSITIVE_REPLAY == (int)GW_LABEL_POSITIVE_REPLAY &&
                   (int)GW_EXAMPLE_KIND_WINDOW_CLOSED == (int)GW_LABEL_WINDOW_CLOSED,
               "kinds as in the record");

int32_t gw_label_action_number(enum gw_action_type type)
{
    return action_numbers[type] - 1;
}

gw_status gw_label_read_served(struct gw_slice body, uint32_t schema_id, int64_t append_time_ms, struct gw_arena *arena,
                               struct gw_label_served *ret_served, gw_err *err)
{
    struct gw_served_candidate served;
    GW_TRY(gw_served_candidate_decode(body, arena, &served, err));
    if (!isfinite(served.sample_weight) || served.sample_weight <= 0.0f) {
        return gw_fail(err, GW_E_INVALID, "sample_weight %g is no weight", (double)served.sample_weight);
    }
    uint8_t *payload = gw_arena_alloc(arena, GW_AVRO_FRAME_BYTES + body.size);
    if (payload == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a served record of %zu bytes", body.size);
    }
    payload[0] = 0;
    gw_store_be32(payload + 1, schema_id);
    memcpy(payload + GW_AVRO_FRAME_BYTES, body.data, body.size);
    *ret_served = (struct gw_label_served){.user_id = served.user_id,
                                           .join_id = served.request_join_id,
                                           .tweet_id = served.tweet_id,
                                           .author_id = served.author_id,
                                           .served_at_ms = served.served_at_ms,
                                           .appended_ms = append_time_ms,
                                           .position = served.position,
                                           .payload = gw_slice_make(payload, GW_AVRO_FRAME_BYTES + body.size)};
    return GW_OK;
}

bool gw_label_read_action(const struct gw_entity_event *event, struct gw_label_action *ret_action)
{
    if (event->kind != GW_ENTITY_EVENT_KIND_ACTION || event->side != GW_ENTITY_SIDE_ACTOR) {
        return false;
    }
    // Without a tweet the action is about a profile: that of its target.
    bool of_profile = event->tweet_id == 0 && event->author_id == 0;
    *ret_action = (struct gw_label_action){.user_id = event->user_id,
                                           .tweet_id = event->tweet_id,
                                           .author_id = of_profile ? event->target_user_id : event->author_id,
                                           .join_id = event->request_join_id,
                                           .number = gw_label_action_number(event->action_type),
                                           .surface = (int32_t)event->surface,
                                           .dwell_ms = event->dwell_time_ms,
                                           .time_ms = event->event_time_ms,
                                           .appended_ms = event->source_append_time_ms};
    memcpy(ret_action->event_id, event->event_id, sizeof ret_action->event_id);
    return true;
}

gw_status gw_label_open_payload(const struct gw_schema_gate *gate, struct gw_slice payload, struct gw_buf *scratch,
                                struct gw_arena *arena, struct gw_served_candidate *ret_served, gw_err *err)
{
    struct gw_slice body;
    gw_status status = gw_schema_gate_open(gate, payload, scratch, arena, &body, err);
    if (status == GW_OK) {
        status = gw_served_candidate_decode(body, arena, ret_served, err);
    }
    if (status != GW_OK && gw_status_class(status) == GW_CLASS_RECORD) { // our own state, not a record to set aside
        return gw_fail_context(err, GW_E_MISMATCH, "served record of a label window");
    }
    return status;
}

struct gw_labeled_example gw_label_write_example(const struct gw_label_example *example,
                                                 const struct gw_served_candidate *served)
{
    return (struct gw_labeled_example){.request_join_id = example->join_id,
                                       .user_id = example->user_id,
                                       .tweet_id = example->tweet_id,
                                       .layout = served->layout,
                                       .features = served->features,
                                       .label_bits = example->bits,
                                       .kind = (enum gw_example_kind)example->kind,
                                       .weight = served->sample_weight,
                                       .served_at_ms = example->served_at_ms,
                                       .has_impressed_at_ms = true,
                                       .impressed_at_ms = example->impressed_at_ms,
                                       .has_engaged_at_ms = example->engaged_at_ms != GW_LABEL_NEVER,
                                       .engaged_at_ms = example->engaged_at_ms};
}

struct gw_label_sample gw_label_write_sample(const struct gw_label_example *example,
                                             const struct gw_served_candidate *served, int64_t closed_at_ms)
{
    struct gw_label_sample sample = {.model_name = served->model_name,
                                     .model_version = served->model_version,
                                     .variant = served->variant,
                                     .score = served->score,
                                     .label_bits = example->bits,
                                     .kind = (enum gw_example_kind)example->kind,
                                     .weight = served->sample_weight,
                                     .served_at_ms = example->served_at_ms,
                                     .closed_at_ms = closed_at_ms};
    sample.heads.items = served->heads.items;
    sample.heads.count = served->heads.count;
    sample.head_names.items = served->head_names.items;
    sample.head_names.count = served->head_names.count;
    return sample;
}

struct gw_label_window gw_label_write_entry(const struct gw_label_entry *entry)
{
    return (struct gw_label_window){.kind = (int32_t)entry->kind,
                                    .user_id = entry->user_id,
                                    .request_join_id = entry->join_id,
                                    .tweet_id = entry->tweet_id,
                                    .label_bits = entry->bits,
                                    .served_at_ms = entry->served_at_ms,
                                    .impressed_at_ms = entry->impressed_at_ms,
                                    .payload = entry->payload};
}

gw_status gw_label_read_entry(struct gw_slice key, const struct gw_label_window *window,
                              struct gw_label_entry *ret_entry, gw_err *err)
{
    if (key.size == 0 || key.size > GW_LABEL_KEY_BYTES_MAX) {
        return gw_fail(err, GW_E_MISMATCH, "state key of %zu bytes", key.size);
    }
    *ret_entry = (struct gw_label_entry){
        .kind = (enum gw_label_entry_kind)key.data[0], .key_bytes = (uint8_t)key.size, .tombstone = window == NULL};
    memcpy(ret_entry->key, key.data, key.size);
    if (window != NULL) {
        ret_entry->payload = window->payload;
    }
    return GW_OK;
}
