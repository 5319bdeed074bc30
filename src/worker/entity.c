// SPDX-License-Identifier: MIT
#include "worker/entity.h"

#include "base/check.h"

#include <ctype.h>
#include <string.h>

static const char *const attribute_names[GW_ATTRIBUTE_COUNT] = {
#define X(suffix, name) [GW_ATTRIBUTE_##suffix] = name,
    GW_ATTRIBUTE_MAP(X)
#undef X
};

static size_t fill_symbols(struct gw_feature_symbol *symbols, int count, const char *(*name_of)(int value))
{
    for (int i = 0; i < count; i++) {
        symbols[i] = (struct gw_feature_symbol){.name = name_of(i), .value = i};
    }
    return (size_t)count;
}

void gw_entity_vocabulary_init(struct gw_entity_vocabulary *v)
{
    *v = (struct gw_entity_vocabulary){0};
    for (int i = 0; i < GW_ATTRIBUTE_COUNT; i++) {
        v->attributes[i].name = attribute_names[i];
    }
    struct gw_feature_attribute *kind = &v->attributes[GW_ATTRIBUTE_KIND];
    kind->symbols = v->kinds;
    kind->symbol_count = fill_symbols(v->kinds, GW_ENTITY_EVENT_KIND_COUNT, gw_entity_event_kind_name);
    struct gw_feature_attribute *action = &v->attributes[GW_ATTRIBUTE_ACTION];
    action->symbols = v->actions;
    action->symbol_count = fill_symbols(v->actions, GW_ACTION_TYPE_COUNT, gw_action_type_name);
    struct gw_feature_attribute *social = &v->attributes[GW_ATTRIBUTE_SOCIAL_OP];
    social->symbols = v->social_ops;
    social->symbol_count = fill_symbols(v->social_ops, GW_SOCIAL_OP_COUNT, gw_social_op_name);
    for (int i = 0; i < GW_ENTITY_SIDE_COUNT; i++) { // definitions write sides in lower case
        const char *name = gw_entity_side_name(i);
        for (size_t c = 0; c + 1 < sizeof v->side_names[i] && name[c] != '\0'; c++) {
            v->side_names[i][c] = (char)tolower((unsigned char)name[c]);
        }
        v->sides[i] = v->side_names[i];
    }
    v->vocabulary = (struct gw_feature_vocabulary){.attributes = v->attributes,
                                                   .attribute_count = GW_ATTRIBUTE_COUNT,
                                                   .sides = v->sides,
                                                   .side_count = GW_ENTITY_SIDE_COUNT};
}

static void start_event(struct gw_entity_event *event, const struct gw_entity_origin *origin, enum gw_entity_side side,
                        enum gw_entity_event_kind kind, int64_t entity_id, const uint8_t *event_id,
                        int64_t event_time_ms)
{
    *event = (struct gw_entity_event){.side = side,
                                      .kind = kind,
                                      .entity_id = entity_id,
                                      .event_time_ms = event_time_ms,
                                      .source_topic = origin->topic,
                                      .source_partition = origin->partition,
                                      .source_offset = origin->offset,
                                      .source_append_time_ms = origin->append_time_ms,
                                      .position = -1,
                                      .dwell_time_ms = -1};
    memcpy(event->event_id, event_id, sizeof event->event_id);
}

// The same event for another entity.
static void add_side(struct gw_entity_event *events, size_t *count, enum gw_entity_side side, int64_t entity_id)
{
    GW_ASSERT(*count > 0 && *count < GW_ENTITY_EVENTS_MAX);
    if (entity_id != 0) {
        events[*count] = events[0];
        events[*count].side = side;
        events[*count].entity_id = entity_id;
        (*count)++;
    }
}

gw_status gw_entity_from_action(const struct gw_user_action *action, const struct gw_entity_origin *origin,
                                struct gw_entity_event *events, size_t *ret_count, gw_err *err)
{
    if (action->user_id == 0) {
        return gw_fail(err, GW_E_INVALID, "user_id is 0");
    }
    if (action->action_type == GW_ACTION_TYPE_UNKNOWN) {
        return gw_fail(err, GW_E_INVALID, "action_type is UNKNOWN");
    }
    size_t count = 1;
    struct gw_entity_event *first = &events[0];
    start_event(first, origin, GW_ENTITY_SIDE_ACTOR, GW_ENTITY_EVENT_KIND_ACTION, action->user_id, action->event_id,
                action->event_time_ms);
    first->action_type = action->action_type;
    first->user_id = action->user_id;
    first->tweet_id = action->has_tweet_id ? action->tweet_id : 0;
    first->author_id = action->has_author_id ? action->author_id : 0;
    first->target_user_id = action->has_target_user_id ? action->target_user_id : 0;
    first->request_join_id = action->has_request_join_id ? action->request_join_id : 0;
    first->position = action->has_position ? action->position : -1;
    first->surface = action->surface;
    first->dwell_time_ms = action->has_dwell_time_ms ? action->dwell_time_ms : -1;
    if (first->tweet_id == 0 && first->target_user_id == 0) {
        return gw_fail(err, GW_E_INVALID, "neither tweet_id nor target_user_id");
    }
    add_side(events, &count, GW_ENTITY_SIDE_TWEET, first->tweet_id);
    add_side(events, &count, GW_ENTITY_SIDE_AUTHOR, first->author_id);
    if (first->target_user_id != first->author_id) {
        add_side(events, &count, GW_ENTITY_SIDE_TARGET, first->target_user_id);
    }
    *ret_count = count;
    return GW_OK;
}

static double *static_at(double *statics, enum gw_attribute attribute)
{
    return &statics[attribute - GW_ATTRIBUTE_CREATED_AT_MS];
}

static void clear_statics(double *statics)
{
    for (int i = 0; i < GW_STATIC_ATTRIBUTES; i++) {
        statics[i] = NAN;
    }
}

gw_status gw_entity_from_tweet(const struct gw_tweet_event *tweet, const struct gw_entity_origin *origin,
                               double *statics, struct gw_entity_event *events, size_t *ret_count, gw_err *err)
{
    static const enum gw_entity_event_kind kinds[GW_TWEET_EVENT_KIND_COUNT] = {
        [GW_TWEET_EVENT_KIND_CREATE] = GW_ENTITY_EVENT_KIND_TWEET_CREATE,
        [GW_TWEET_EVENT_KIND_EDIT] = GW_ENTITY_EVENT_KIND_TWEET_EDIT,
        [GW_TWEET_EVENT_KIND_DELETE] = GW_ENTITY_EVENT_KIND_TWEET_DELETE,
    };
    if (tweet->tweet_id == 0 || tweet->author_id == 0) {
        return gw_fail(err, GW_E_INVALID, "tweet_id or author_id is 0");
    }
    if (kinds[tweet->kind] == GW_ENTITY_EVENT_KIND_UNKNOWN) {
        return gw_fail(err, GW_E_INVALID, "kind is UNKNOWN");
    }
    size_t count = 1;
    start_event(&events[0], origin, GW_ENTITY_SIDE_TWEET, kinds[tweet->kind], tweet->tweet_id, tweet->event_id,
                tweet->event_time_ms);
    events[0].user_id = tweet->author_id;
    events[0].tweet_id = tweet->tweet_id;
    events[0].author_id = tweet->author_id;
    events[0].target_user_id = tweet->has_in_reply_to_author_id ? tweet->in_reply_to_author_id
                               : tweet->has_quoted_author_id    ? tweet->quoted_author_id
                                                                : 0;
    if (tweet->kind != GW_TWEET_EVENT_KIND_DELETE) {
        clear_statics(statics);
        *static_at(statics, GW_ATTRIBUTE_CREATED_AT_MS) =
            tweet->kind == GW_TWEET_EVENT_KIND_CREATE ? (double)tweet->event_time_ms : NAN;
        *static_at(statics, GW_ATTRIBUTE_TEXT_LENGTH) = tweet->text_length;
        *static_at(statics, GW_ATTRIBUTE_NUM_HASHTAGS) = tweet->num_hashtags;
        *static_at(statics, GW_ATTRIBUTE_NUM_MENTIONS) = tweet->num_mentions;
        *static_at(statics, GW_ATTRIBUTE_LINK_COUNT) = tweet->link_count;
        *static_at(statics, GW_ATTRIBUTE_HAS_IMAGE) = tweet->has_image;
        *static_at(statics, GW_ATTRIBUTE_HAS_VIDEO) = tweet->has_video;
        *static_at(statics, GW_ATTRIBUTE_IS_REPLY) = tweet->is_reply;
        *static_at(statics, GW_ATTRIBUTE_IS_RETWEET) = tweet->is_retweet;
        *static_at(statics, GW_ATTRIBUTE_IS_SENSITIVE) = tweet->is_sensitive;
        *static_at(statics, GW_ATTRIBUTE_VIDEO_DURATION_MS) =
            tweet->has_video_duration_ms ? (double)tweet->video_duration_ms : NAN;
        events[0].attributes.items = statics;
        events[0].attributes.count = GW_STATIC_ATTRIBUTES;
    }
    if (tweet->kind == GW_TWEET_EVENT_KIND_CREATE) {
        add_side(events, &count, GW_ENTITY_SIDE_AUTHOR, tweet->author_id);
        add_side(events, &count, GW_ENTITY_SIDE_TARGET, events[0].target_user_id);
    }
    *ret_count = count;
    return GW_OK;
}

gw_status gw_entity_from_social(const struct gw_social_graph_event *social, const struct gw_entity_origin *origin,
                                struct gw_entity_event *events, size_t *ret_count, gw_err *err)
{
    if (social->src_id == 0 || social->dst_id == 0) {
        return gw_fail(err, GW_E_INVALID, "src_id or dst_id is 0");
    }
    if (social->op == GW_SOCIAL_OP_UNKNOWN) {
        return gw_fail(err, GW_E_INVALID, "op is UNKNOWN");
    }
    size_t count = 1;
    start_event(&events[0], origin, GW_ENTITY_SIDE_ACTOR, GW_ENTITY_EVENT_KIND_SOCIAL, social->src_id,
                social->event_id, social->event_time_ms);
    events[0].social_op = social->op;
    events[0].user_id = social->src_id;
    events[0].author_id = social->dst_id; // the pair row of follower and followed
    events[0].target_user_id = social->dst_id;
    add_side(events, &count, GW_ENTITY_SIDE_TARGET, social->dst_id);
    *ret_count = count;
    return GW_OK;
}

gw_status gw_entity_from_profile(const struct gw_user_profile *profile, const struct gw_entity_origin *origin,
                                 double *statics, struct gw_entity_event *events, size_t *ret_count, gw_err *err)
{
    if (profile->user_id == 0) {
        return gw_fail(err, GW_E_INVALID, "user_id is 0");
    }
    if (profile->kind == GW_USER_PROFILE_KIND_UNKNOWN) {
        return gw_fail(err, GW_E_INVALID, "kind is UNKNOWN");
    }
    bool erase = profile->kind == GW_USER_PROFILE_KIND_ERASE;
    start_event(&events[0], origin, GW_ENTITY_SIDE_PROFILE,
                erase ? GW_ENTITY_EVENT_KIND_PROFILE_ERASE : GW_ENTITY_EVENT_KIND_PROFILE_UPDATE, profile->user_id,
                profile->event_id, profile->event_time_ms);
    events[0].user_id = profile->user_id;
    if (!erase) {
        clear_statics(statics);
        *static_at(statics, GW_ATTRIBUTE_CREATED_AT_MS) =
            profile->created_at_ms > 0 ? (double)profile->created_at_ms : NAN;
        *static_at(statics, GW_ATTRIBUTE_FOLLOWER_COUNT) = (double)profile->follower_count;
        *static_at(statics, GW_ATTRIBUTE_FOLLOWING_COUNT) = (double)profile->following_count;
        *static_at(statics, GW_ATTRIBUTE_TWEET_COUNT) = (double)profile->tweet_count;
        *static_at(statics, GW_ATTRIBUTE_IS_VERIFIED) = profile->is_verified;
        *static_at(statics, GW_ATTRIBUTE_USER_STATE) =
            profile->user_state == GW_USER_STATE_UNKNOWN ? NAN : (double)(profile->user_state - 1);
        events[0].attributes.items = statics;
        events[0].attributes.count = GW_STATIC_ATTRIBUTES;
    }
    *ret_count = 1;
    return GW_OK;
}

static double or_missing(int64_t value)
{
    return value < 0 ? NAN : (double)value;
}

void gw_entity_to_feature_event(const struct gw_entity_event *event, int32_t partition, int64_t offset,
                                double *attributes, struct gw_feature_event *ret_event)
{
    attributes[GW_ATTRIBUTE_KIND] = (double)event->kind;
    attributes[GW_ATTRIBUTE_ACTION] =
        event->kind == GW_ENTITY_EVENT_KIND_ACTION ? (double)event->action_type : NAN;
    attributes[GW_ATTRIBUTE_SOCIAL_OP] = event->kind == GW_ENTITY_EVENT_KIND_SOCIAL ? (double)event->social_op : NAN;
    attributes[GW_ATTRIBUTE_DWELL_MS] = or_missing(event->dwell_time_ms);
    attributes[GW_ATTRIBUTE_POSITION] = or_missing(event->position);
    attributes[GW_ATTRIBUTE_AUTHOR_HIGH] =
        event->author_id != 0 ? (double)(uint32_t)((uint64_t)event->author_id >> 32) : NAN;
    attributes[GW_ATTRIBUTE_AUTHOR_LOW] = event->author_id != 0 ? (double)(uint32_t)event->author_id : NAN;
    uint32_t statics = GW_MIN(event->attributes.count, (uint32_t)GW_STATIC_ATTRIBUTES);
    for (uint32_t i = 0; i < GW_STATIC_ATTRIBUTES; i++) {
        attributes[GW_ATTRIBUTE_CREATED_AT_MS + i] = i < statics ? event->attributes.items[i] : NAN;
    }
    *ret_event = (struct gw_feature_event){.time_us = event->event_time_ms * 1000,
                                           .side = (uint32_t)event->side,
                                           .attributes = attributes,
                                           .source_partition = (uint32_t)partition,
                                           .source_offset = offset};
}

bool gw_entity_row_ids(const struct gw_entity_event *event, uint8_t key_count, int64_t ret_id[2])
{
    ret_id[0] = event->entity_id;
    ret_id[1] = key_count == 2 ? event->author_id : 0;
    return event->entity_id != 0 && (key_count == 1 || event->author_id != 0);
}
