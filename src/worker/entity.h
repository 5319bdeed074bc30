// SPDX-License-Identifier: MIT
// What a source event means for the entities it touches, and how an entity event looks to the feature aggregates.
//
// Pure functions. An action of viewer V on tweet T of author A has an actor side (key V), a tweet side (key T) and an
// author side (key A); a reply or a follow also a target side; a profile one side, a tweet event one or two. Used by rekey
// (live) and by the simulator's offline examples, so that both build rows from the same records.
#pragma once

#include "feature/set.h"
#include "records/entity_event.h"
#include "records/social_graph_event.h"
#include "records/tweet_event.h"
#include "records/user_action.h"
#include "records/user_profile.h"

#include <math.h>

// Attributes of the vocabulary. From CREATED_AT_MS on they are the static ones that EntityEvent.attributes carries, in this
// order: append only.  X(suffix, name in features.ini)
#define GW_ATTRIBUTE_MAP(X)                                                                                            \
    X(KIND, "kind")                                                                                                    \
    X(ACTION, "action")                                                                                                \
    X(SOCIAL_OP, "social_op")                                                                                          \
    X(DWELL_MS, "dwell_ms")                                                                                            \
    X(POSITION, "position")                                                                                            \
    X(AUTHOR_HIGH, "author_id_high") /* upper and lower 32 bits of the author's id: doubles hold them exactly */       \
    X(AUTHOR_LOW, "author_id_low")                                                                                     \
    X(CREATED_AT_MS, "created_at_ms")                                                                                  \
    X(TEXT_LENGTH, "text_length")                                                                                      \
    X(NUM_HASHTAGS, "num_hashtags")                                                                                    \
    X(NUM_MENTIONS, "num_mentions")                                                                                    \
    X(LINK_COUNT, "link_count")                                                                                        \
    X(HAS_IMAGE, "has_image")                                                                                          \
    X(HAS_VIDEO, "has_video")                                                                                          \
    X(IS_REPLY, "is_reply")                                                                                            \
    X(IS_RETWEET, "is_retweet")                                                                                        \
    X(IS_SENSITIVE, "is_sensitive")                                                                                    \
    X(VIDEO_DURATION_MS, "video_duration_ms")                                                                          \
    X(FOLLOWER_COUNT, "follower_count")                                                                                \
    X(FOLLOWING_COUNT, "following_count")                                                                              \
    X(TWEET_COUNT, "tweet_count")                                                                                      \
    X(IS_VERIFIED, "is_verified")                                                                                      \
    X(USER_STATE, "user_state")

enum gw_attribute {
#define X(suffix, name) GW_ATTRIBUTE_##suffix,
    GW_ATTRIBUTE_MAP(X)
#undef X
        GW_ATTRIBUTE_COUNT
};
#define GW_STATIC_ATTRIBUTES (GW_ATTRIBUTE_COUNT - GW_ATTRIBUTE_CREATED_AT_MS)

// Sides as the vocabulary numbers them: the enum of the record.
struct gw_entity_vocabulary {
    struct gw_feature_vocabulary vocabulary; // points into this struct: do not copy
    struct gw_feature_attribute attributes[GW_ATTRIBUTE_COUNT];
    struct gw_feature_symbol kinds[GW_ENTITY_EVENT_KIND_COUNT];
    struct gw_feature_symbol actions[GW_ACTION_TYPE_COUNT];
    struct gw_feature_symbol social_ops[GW_SOCIAL_OP_COUNT];
    const char *sides[GW_ENTITY_SIDE_COUNT];
    char side_names[GW_ENTITY_SIDE_COUNT][16];
};
void gw_entity_vocabulary_init(struct gw_entity_vocabulary *vocabulary);

#define GW_ENTITY_EVENTS_MAX 4 // of one source event

// Where a source event stands.
struct gw_entity_origin {
    int32_t topic; // as in EntityEvent.source_topic
    int32_t partition;
    int64_t offset;
    int64_t append_time_ms;
};

// Up to GW_ENTITY_EVENTS_MAX events; `statics` is memory for GW_STATIC_ATTRIBUTES doubles that the events point into.
// GW_E_INVALID names the field that breaks a rule (no user, no tweet, unknown kind, id that must not be zero).
GW_CHECK gw_status gw_entity_from_action(const struct gw_user_action *action, const struct gw_entity_origin *origin,
                                         struct gw_entity_event *events, size_t *ret_count, gw_err *err);
GW_CHECK gw_status gw_entity_from_tweet(const struct gw_tweet_event *tweet, const struct gw_entity_origin *origin,
                                        double *statics, struct gw_entity_event *events, size_t *ret_count,
                                        gw_err *err);
GW_CHECK gw_status gw_entity_from_social(const struct gw_social_graph_event *social,
                                         const struct gw_entity_origin *origin, struct gw_entity_event *events,
                                         size_t *ret_count, gw_err *err);
GW_CHECK gw_status gw_entity_from_profile(const struct gw_user_profile *profile, const struct gw_entity_origin *origin,
                                          double *statics, struct gw_entity_event *events, size_t *ret_count,
                                          gw_err *err);

// The event as the aggregates see it. `attributes` is memory for GW_ATTRIBUTE_COUNT doubles that *ret_event points into;
// (partition, offset) is the position of the entity event.
void gw_entity_to_feature_event(const struct gw_entity_event *event, int32_t partition, int64_t offset,
                                double *attributes, struct gw_feature_event *ret_event);

// Ids of the row of a view with `key_count` ids that this event updates. False: it has no such row (no author).
bool gw_entity_row_ids(const struct gw_entity_event *event, uint8_t key_count, int64_t ret_id[2]);
