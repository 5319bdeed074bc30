// SPDX-License-Identifier: MIT
#include "worker/bridge_codec.h"

#include "avro/framing.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "records/prediction_request.h"

#include <math.h>
#include <string.h>

// ---- the request ----------------------------------------------------------------------------------------------------

// Encoded bytes of a candidate are at most two varints of 10, a count, an end, and its values.
enum { CANDIDATE_BYTES = 24, FIXED_BYTES = 128, NAME_BYTES = 32 };

static gw_status write(const struct gw_prediction_request *request, uint32_t schema_id, struct gw_buf *out)
{
    size_t values = request->value_names.count;
    size_t candidate_bytes = CANDIDATE_BYTES + values * sizeof(float);
    GW_TRY(gw_buf_reserve(out, FIXED_BYTES + request->candidates.count * candidate_bytes +
                                   (values + request->context.count) * NAME_BYTES));
    GW_TRY(gw_avro_frame_begin(out, schema_id));
    return gw_prediction_request_encode(request, out);
}

gw_status gw_bridge_encode(const struct gw_api_predict *predict, const struct gw_bridge_ids *ids, uint32_t schema_id,
                           int64_t now_ms, struct gw_buf *out, gw_err *err)
{
    struct gw_candidate *candidates = gw_mem_calloc(predict->candidate_count, sizeof *candidates);
    struct gw_avro_double_entry *context = gw_mem_calloc(predict->context_count, sizeof *context);
    gw_status status = GW_E_MEMORY;
    if (candidates != NULL && (context != NULL || predict->context_count == 0)) {
        const size_t width = predict->value_name_count;
        for (uint32_t i = 0; i < predict->candidate_count; i++) {
            candidates[i].tweet_id = predict->candidates[i].tweet_id;
            candidates[i].author_id = predict->candidates[i].author_id;
            candidates[i].values.items = width > 0 ? (float *)(uintptr_t)(predict->values + i * width) : NULL;
            candidates[i].values.count = (uint32_t)width;
        }
        for (uint32_t i = 0; i < predict->context_count; i++) {
            context[i].key = predict->context_names[i];
            context[i].value = predict->context_values[i];
        }
        struct gw_prediction_request request = {.request_join_id = ids->request_join_id,
                                                .user_id = predict->user_id,
                                                .enqueued_at_ms = now_ms,
                                                .deadline_ms = now_ms + predict->timeout_ms,
                                                .model_name = predict->model,
                                                .model_version = predict->version};
        memcpy(request.request_id, ids->request_id, sizeof request.request_id);
        request.value_names.items = (struct gw_slice *)(uintptr_t)predict->value_names;
        request.value_names.count = predict->value_name_count;
        request.candidates.items = candidates;
        request.candidates.count = predict->candidate_count;
        request.context.items = context;
        request.context.count = predict->context_count;
        status = write(&request, schema_id, out);
    }
    gw_mem_free(context);
    gw_mem_free(candidates);
    return status == GW_OK ? GW_OK : gw_fail(err, status, "no memory to encode a request");
}

// ---- the answer -----------------------------------------------------------------------------------------------------

enum gw_api_outcome gw_bridge_outcome(enum gw_prediction_status status)
{
    switch (status) {
    case GW_PREDICTION_STATUS_OK:
        return GW_API_OK;
    case GW_PREDICTION_STATUS_PARTIAL:
        return GW_API_PARTIAL;
    case GW_PREDICTION_STATUS_NO_CANDIDATES:
        return GW_API_NO_CANDIDATES;
    case GW_PREDICTION_STATUS_TOO_MANY_CANDIDATES:
        return GW_API_TOO_MANY_CANDIDATES;
    case GW_PREDICTION_STATUS_MODEL_NOT_FOUND:
        return GW_API_MODEL_NOT_FOUND;
    case GW_PREDICTION_STATUS_MODEL_NOT_READY:
        return GW_API_MODEL_NOT_READY;
    case GW_PREDICTION_STATUS_DEADLINE_EXCEEDED:
        return GW_API_DEADLINE_EXCEEDED;
    case GW_PREDICTION_STATUS_DROP_DUE_TO_OVERLOAD:
        return GW_API_OVERLOADED;
    case GW_PREDICTION_STATUS_INVALID_REQUEST:
        return GW_API_INVALID;
    case GW_PREDICTION_STATUS_UNKNOWN: // a status of a newer scorer
    case GW_PREDICTION_STATUS_COUNT:
        break;
    }
    return GW_API_INTERNAL;
}

static const char *text_in(struct gw_arena *arena, struct gw_slice text)
{
    char *copy = gw_arena_alloc(arena, text.size + 1);
    if (copy != NULL) {
        if (text.size > 0) {
            memcpy(copy, text.data, text.size);
        }
        copy[text.size] = '\0';
    }
    return copy;
}

gw_status gw_bridge_answer(const struct gw_prediction *prediction, struct gw_arena *arena,
                           struct gw_api_prediction *ret_answer, gw_err *err)
{
    struct gw_api_ranked *ranked = gw_arena_array(arena, prediction->ranked.count, sizeof *ranked);
    if (ranked == NULL && prediction->ranked.count > 0) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an answer of %u candidates", prediction->ranked.count);
    }
    for (uint32_t i = 0; i < prediction->ranked.count; i++) {
        const struct gw_ranked *from = &prediction->ranked.items[i];
        uint32_t head = (uint32_t)prediction->primary_head; // a negative one is past every head
        bool known = head < from->heads.count;
        ranked[i] = (struct gw_api_ranked){
            .tweet_id = from->tweet_id, .score = from->score, .confidence = known ? from->heads.items[head] : NAN};
    }
    enum gw_api_outcome outcome = gw_bridge_outcome(prediction->status);
    bool scored = outcome == GW_API_OK || outcome == GW_API_PARTIAL;
    *ret_answer = (struct gw_api_prediction){
        .outcome = outcome,
        .detail = !scored && prediction->has_message ? text_in(arena, prediction->message) : NULL,
        .request_join_id = prediction->request_join_id,
        .model = prediction->model_name,
        .version = prediction->model_version,
        .variant = prediction->variant,
        .cache_hits = (uint32_t)GW_MAX(prediction->cache_hits, 0),
        .ranked = ranked,
        .ranked_count = prediction->ranked.count,
    };
    return GW_OK;
}

// ---- the partition --------------------------------------------------------------------------------------------------

// True when the name is a plain number; its value modulo `count`.
static bool number_modulo(const char *name, uint32_t count, uint32_t *ret_value)
{
    uint64_t value = 0;
    for (const char *at = name; *at != '\0'; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        value = (value * 10 + (uint64_t)(*at - '0')) % count;
    }
    *ret_value = (uint32_t)value;
    return name[0] != '\0';
}

gw_status gw_bridge_reply_partition(int64_t configured, const char *instance, uint32_t count, int32_t *ret_partition,
                                    gw_err *err)
{
    GW_ASSERT(count > 0);
    if (configured >= (int64_t)count) {
        return gw_fail(err, GW_E_CONFIG, "bridge.reply_partition: %lld, but the reply topic has %u partitions",
                       (long long)configured, count);
    }
    uint32_t derived = 0;
    if (!number_modulo(instance, count, &derived)) {
        derived = gw_hash_partition(instance, strlen(instance), count);
    }
    *ret_partition = configured >= 0 ? (int32_t)configured : (int32_t)derived;
    return GW_OK;
}
