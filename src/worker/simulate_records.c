// SPDX-License-Identifier: MIT
#include "worker/simulate_records.h"

#include "avro/framing.h"
#include "base/check.h"
#include "base/mem.h"

#include <string.h>

// Request values, as schemas/features.ini names them.
enum { VALUE_IN_NETWORK, VALUE_SOURCE_SCORE, VALUE_COUNT };
static const char *const value_names[VALUE_COUNT] = {
    [VALUE_IN_NETWORK] = "in_network", [VALUE_SOURCE_SCORE] = "source_score"};
static const char *const context_name = "is_session_start";

struct gw_simulate_converter {
    enum gw_action_type actions[GW_SIM_ACTION_COUNT];
    struct gw_slice names[VALUE_COUNT];
    struct gw_avro_double_entry context;
    struct gw_candidate candidates[GW_SIM_CANDIDATES_MAX];
    float values[GW_SIM_CANDIDATES_MAX][VALUE_COUNT];
};

static enum gw_action_type action_of(const char *symbol)
{
    for (int i = 0; i < GW_ACTION_TYPE_COUNT; i++) {
        if (strcmp(gw_action_type_name(i), symbol) == 0) {
            return (enum gw_action_type)i;
        }
    }
    GW_ASSERT(!"an action of the simulator that the schema does not know");
    return GW_ACTION_TYPE_UNKNOWN;
}

gw_status gw_simulate_converter_new(struct gw_simulate_converter **ret_converter, gw_err *err)
{
    struct gw_simulate_converter *converter = gw_mem_calloc(1, sizeof *converter);
    if (converter == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for simulated records");
    }
    for (int i = 0; i < GW_SIM_ACTION_COUNT; i++) {
        converter->actions[i] = action_of(gw_sim_action_symbol(i));
    }
    for (int i = 0; i < VALUE_COUNT; i++) {
        converter->names[i] = gw_slice_text(value_names[i]);
    }
    converter->context.key = gw_slice_text(context_name);
    *ret_converter = converter;
    return GW_OK;
}

void gw_simulate_converter_free(struct gw_simulate_converter *converter)
{
    gw_mem_free(converter);
}

// ---- kinds ----------------------------------------------------------------------------------------------------------

static void convert_profile(const struct gw_sim_event *event, struct gw_simulate_record *record)
{
    const struct gw_sim_profile *from = &event->profile;
    *record = (struct gw_simulate_record){.topic = GW_TOPIC_USER_MODIFICATIONS, .key = from->user_id};
    record->profile = (struct gw_user_profile){
        .event_time_ms = event->time_ms,
        .kind = GW_USER_PROFILE_KIND_UPDATE,
        .user_id = from->user_id,
        .created_at_ms = from->created_ms,
        .follower_count = from->follower_count,
        .following_count = from->following_count,
        .tweet_count = from->tweet_count,
        .is_verified = from->is_verified,
        .user_state = (enum gw_user_state)from->user_state,
        .has_country_code = true,
        .country_code = gw_slice_text(from->country_code),
    };
    memcpy(record->profile.event_id, event->event_id, sizeof event->event_id);
}

static void convert_tweet(const struct gw_sim_event *event, struct gw_simulate_record *record)
{
    const struct gw_sim_tweet *from = &event->tweet;
    *record = (struct gw_simulate_record){.topic = GW_TOPIC_TWEET_EVENTS, .key = from->author_id};
    record->tweet = (struct gw_tweet_event){
        .event_time_ms = event->time_ms,
        .kind = from->is_deleted ? GW_TWEET_EVENT_KIND_DELETE
                : from->is_edit  ? GW_TWEET_EVENT_KIND_EDIT
                                 : GW_TWEET_EVENT_KIND_CREATE,
        .tweet_id = from->tweet_id,
        .author_id = from->author_id,
        .has_in_reply_to_author_id = from->in_reply_to_author_id != 0,
        .in_reply_to_author_id = from->in_reply_to_author_id,
        .has_quoted_author_id = from->quoted_author_id != 0,
        .quoted_author_id = from->quoted_author_id,
        .text_length = from->text_length,
        .num_hashtags = from->num_hashtags,
        .num_mentions = from->num_mentions,
        .link_count = from->link_count,
        .has_image = from->has_image,
        .has_video = from->has_video,
        .is_reply = from->in_reply_to_author_id != 0,
        .is_retweet = from->is_retweet,
        .is_sensitive = from->is_sensitive,
        .has_video_duration_ms = from->video_duration_ms != 0,
        .video_duration_ms = from->video_duration_ms,
        .language = gw_slice_text(from->language),
    };
    memcpy(record->tweet.event_id, event->event_id, sizeof event->event_id);
}

static void convert_social(const struct gw_sim_event *event, struct gw_simulate_record *record)
{
    *record = (struct gw_simulate_record){.topic = GW_TOPIC_SOCIAL_WRITE_EVENT, .key = event->social.src_id};
    record->social = (struct gw_social_graph_event){.event_time_ms = event->time_ms,
                                                    .op = GW_SOCIAL_OP_FOLLOW,
                                                    .src_id = event->social.src_id,
                                                    .dst_id = event->social.dst_id};
    memcpy(record->social.event_id, event->event_id, sizeof event->event_id);
}

static void convert_action(const struct gw_simulate_converter *converter, const struct gw_sim_event *event,
                           struct gw_simulate_record *record)
{
    const struct gw_sim_action *from = &event->action;
    *record = (struct gw_simulate_record){.topic = GW_TOPIC_UNIFIED_USER_ACTIONS, .key = from->user_id};
    record->action = (struct gw_user_action){
        .event_time_ms = event->time_ms,
        .user_id = from->user_id,
        .action_type = converter->actions[from->action],
        .has_tweet_id = true,
        .tweet_id = from->tweet_id,
        .has_author_id = true,
        .author_id = from->author_id,
        .has_target_user_id = from->action == GW_SIM_PROFILE_CLICK,
        .target_user_id = from->action == GW_SIM_PROFILE_CLICK ? from->author_id : 0,
        .surface = GW_PRODUCT_SURFACE_HOME_TIMELINE,
        .has_position = true,
        .position = from->position,
        .has_dwell_time_ms = from->action == GW_SIM_DWELL,
        .dwell_time_ms = from->dwell_ms,
        .has_request_join_id = true,
        .request_join_id = from->join_id,
        .has_country_code = true,
        .country_code = gw_slice_text(from->country_code),
    };
    memcpy(record->action.event_id, event->event_id, sizeof event->event_id);
}

static void convert_request(struct gw_simulate_converter *converter, const struct gw_sim_event *event,
                            int64_t enqueued_at_ms, struct gw_simulate_record *record)
{
    const struct gw_sim_request *from = &event->request;
    GW_ASSERT(from->candidate_count <= GW_SIM_CANDIDATES_MAX);
    for (size_t i = 0; i < from->candidate_count; i++) {
        const struct gw_sim_candidate *candidate = &from->candidates[i];
        converter->values[i][VALUE_IN_NETWORK] = candidate->in_network;
        converter->values[i][VALUE_SOURCE_SCORE] = candidate->source_score;
        converter->candidates[i] =
            (struct gw_candidate){.tweet_id = candidate->tweet_id,
                                  .author_id = candidate->author_id,
                                  .values = {.items = converter->values[i], .count = VALUE_COUNT}};
    }
    converter->context.value = from->is_session_start;
    *record = (struct gw_simulate_record){.topic = GW_TOPIC_PREDICTION_REQUESTS, .key = from->user_id};
    record->request = (struct gw_prediction_request){
        .request_join_id = from->join_id,
        .user_id = from->user_id,
        .enqueued_at_ms = enqueued_at_ms,
        .value_names = {.items = converter->names, .count = VALUE_COUNT},
        .candidates = {.items = converter->candidates, .count = (uint32_t)from->candidate_count},
        .context = {.items = &converter->context, .count = 1},
    };
    memcpy(record->request.request_id, event->event_id, sizeof event->event_id);
}

void gw_simulate_convert(struct gw_simulate_converter *converter, const struct gw_sim_event *event,
                         int64_t enqueued_at_ms, struct gw_simulate_record *ret_record)
{
    switch (event->kind) {
    case GW_SIM_PROFILE:
        convert_profile(event, ret_record);
        break;
    case GW_SIM_TWEET:
        convert_tweet(event, ret_record);
        break;
    case GW_SIM_SOCIAL:
        convert_social(event, ret_record);
        break;
    case GW_SIM_REQUEST:
        convert_request(converter, event, enqueued_at_ms, ret_record);
        break;
    case GW_SIM_ACTION:
        convert_action(converter, event, ret_record);
        break;
    case GW_SIM_END:
        GW_ASSERT(!"the end is no record");
    }
}

// ---- onwards --------------------------------------------------------------------------------------------------------

gw_status gw_simulate_encode(const struct gw_simulate_record *record, uint32_t schema_id, struct gw_buf *out,
                             gw_err *err)
{
    gw_buf_clear(out);
    gw_status status = gw_avro_frame_begin(out, schema_id);
    if (status == GW_OK) {
        switch (record->topic) {
        case GW_TOPIC_UNIFIED_USER_ACTIONS:
            status = gw_user_action_encode(&record->action, out);
            break;
        case GW_TOPIC_TWEET_EVENTS:
            status = gw_tweet_event_encode(&record->tweet, out);
            break;
        case GW_TOPIC_SOCIAL_WRITE_EVENT:
            status = gw_social_graph_event_encode(&record->social, out);
            break;
        case GW_TOPIC_USER_MODIFICATIONS:
            status = gw_user_profile_encode(&record->profile, out);
            break;
        default:
            GW_ASSERT(record->topic == GW_TOPIC_PREDICTION_REQUESTS);
            status = gw_prediction_request_encode(&record->request, out);
            break;
        }
    }
    return status == GW_OK ? GW_OK : gw_fail(err, status, "no memory to encode a simulated record");
}

gw_status gw_simulate_entities(const struct gw_simulate_record *record, const struct gw_entity_origin *origin,
                               double *statics, struct gw_entity_event *events, size_t *ret_count, gw_err *err)
{
    switch (record->topic) {
    case GW_TOPIC_UNIFIED_USER_ACTIONS:
        return gw_entity_from_action(&record->action, origin, events, ret_count, err);
    case GW_TOPIC_TWEET_EVENTS:
        return gw_entity_from_tweet(&record->tweet, origin, statics, events, ret_count, err);
    case GW_TOPIC_SOCIAL_WRITE_EVENT:
        return gw_entity_from_social(&record->social, origin, events, ret_count, err);
    case GW_TOPIC_USER_MODIFICATIONS:
        return gw_entity_from_profile(&record->profile, origin, statics, events, ret_count, err);
    default:
        *ret_count = 0;
        return GW_OK;
    }
}

struct gw_simulator_options gw_simulate_world(const struct gw_simulate_options *options, int64_t start_ms)
{
    struct gw_simulator_options world = gw_simulator_options_default();
    world.seed = options->seed;
    world.start_ms = start_ms;
    world.user_count = options->user_count > 0 ? options->user_count : world.user_count;
    world.author_count = options->author_count > 0 ? options->author_count : world.author_count;
    world.tweets_alive = options->tweets_alive > 0 ? options->tweets_alive : world.tweets_alive;
    world.candidates_mean = options->candidates_mean > 0 ? options->candidates_mean : world.candidates_mean;
    world.requests_per_s = options->requests_per_s > 0 ? options->requests_per_s : world.requests_per_s;
    world.pace = options->pace > 0 ? options->pace : world.pace;
    return world;
}
