// SPDX-License-Identifier: MIT
#include "support/offline.h"

#include "support/model.h"
#include "support/records.h"

#include "base/clock.h"
#include "feature/plan.h"
#include "worker/entity.h"

#include <math.h>
#include <string.h>

enum { EVENT_TIME_MS = 1000000, REQUEST_FAMILY = 99 };

static const char *const value_names[OFFLINE_VALUES] = {"in_network", "source_score"};

// ---- rows -----------------------------------------------------------------------------------------------------------

static const struct gw_feature_view *view_named(const struct cluster *cluster, const char *name, size_t *ret_index)
{
    *ret_index = (size_t)gw_feature_set_find_view(cluster->runtime.features, name);
    return gw_feature_set_view(cluster->runtime.features, *ret_index);
}

// Applies events to a fresh row and puts it into the store as online does.
static uint8_t *put_row(struct offline_rows *rows, const char *view_name, int64_t id,
                        const struct gw_entity_event *events, size_t count)
{
    size_t index = 0;
    const struct gw_feature_view *view = view_named(rows->cluster, view_name, &index);
    double attributes[GW_ATTRIBUTE_COUNT];
    struct gw_feature_event event;
    struct gw_store_position position;
    bool applied = false;
    gw_err err = {0};
    assert_true(rows->count < OFFLINE_PUTS_MAX);
    uint8_t *row = rows->memory[rows->count++];
    gw_row_init(view, row);
    for (size_t i = 0; i < count; i++) {
        gw_entity_to_feature_event(&events[i], 0, (int64_t)i, attributes, &event);
        gw_row_apply(rows->cluster->runtime.features, index, row, &event);
    }
    const struct gw_store_write write = {.key = {.view = view->code, .id_count = 1, .id = {id, 0}},
                                         .row = gw_slice_make(row, view->row_bytes)};
    assert_ok_err(gw_store_apply(rows->store, 0, rows->offset, &write, 1, rows->offset + 1, "", gw_clock_wall_ms(),
                                 &applied, &position, &err),
                  &err);
    assert_true(applied);
    rows->offset++;
    return row;
}

int64_t offline_author_of(int64_t tweet)
{
    return OFFLINE_FIRST_AUTHOR + (tweet - OFFLINE_FIRST_TWEET) % OFFLINE_AUTHORS;
}

static uint8_t *put_profile_row(struct offline_rows *rows, const char *view, int64_t id, int64_t followers)
{
    const struct gw_user_profile profile = {.event_time_ms = EVENT_TIME_MS + rows->offset,
                                            .kind = GW_USER_PROFILE_KIND_UPDATE,
                                            .user_id = id,
                                            .follower_count = followers,
                                            .is_verified = followers > 1000,
                                            .user_state = GW_USER_STATE_LIGHT};
    const struct gw_entity_origin origin = {0};
    double statics[GW_STATIC_ATTRIBUTES];
    struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
    size_t count = 0;
    gw_err err = {0};
    assert_ok_err(gw_entity_from_profile(&profile, &origin, statics, events, &count, &err), &err);
    return put_row(rows, view, id, events, 1);
}

static uint8_t *put_tweet_row(struct offline_rows *rows, int64_t id)
{
    const struct gw_entity_origin origin = {0};
    double statics[GW_STATIC_ATTRIBUTES];
    struct gw_entity_event events[16];
    struct gw_entity_event sides[GW_ENTITY_EVENTS_MAX];
    size_t count = 0;
    gw_err err = {0};
    const struct gw_tweet_event tweet = {.event_time_ms = EVENT_TIME_MS,
                                         .kind = GW_TWEET_EVENT_KIND_CREATE,
                                         .tweet_id = id,
                                         .author_id = offline_author_of(id),
                                         .text_length = (int32_t)(30 * (id - OFFLINE_FIRST_TWEET)),
                                         .has_image = id % 2 == 0};
    assert_ok_err(gw_entity_from_tweet(&tweet, &origin, statics, sides, &count, &err), &err);
    events[0] = sides[0];
    size_t actions = (size_t)(id - OFFLINE_FIRST_TWEET) + 1;
    for (size_t i = 0; i < actions; i++) {
        const struct gw_user_action action = {.event_time_ms = EVENT_TIME_MS + (int64_t)i,
                                              .user_id = 1 + (int64_t)i,
                                              .action_type = i % 2 == 0 ? GW_ACTION_TYPE_CLIENT_TWEET_FAV
                                                                        : GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION,
                                              .has_tweet_id = true,
                                              .tweet_id = id,
                                              .has_author_id = true,
                                              .author_id = offline_author_of(id)};
        assert_ok_err(gw_entity_from_action(&action, &origin, sides, &count, &err), &err);
        events[1 + i] = sides[1]; // the tweet's side
    }
    return put_row(rows, "tweet", id, events, 1 + actions);
}

void offline_rows_put(struct offline_rows *rows, struct cluster *cluster, struct gw_store *store)
{
    *rows = (struct offline_rows){.cluster = cluster, .store = store};
    offline_rows_put_user(rows, OFFLINE_FOLLOWERS);
    for (int i = 0; i < OFFLINE_TWEETS; i++) {
        rows->tweets[i] = put_tweet_row(rows, OFFLINE_FIRST_TWEET + i);
    }
    for (int i = 0; i < OFFLINE_AUTHORS; i++) {
        rows->authors[i] = put_profile_row(rows, "author", OFFLINE_FIRST_AUTHOR + i, 600 + 400 * i);
    }
}

void offline_rows_put_user(struct offline_rows *rows, int64_t followers)
{
    rows->user = put_profile_row(rows, "user", OFFLINE_USER, followers);
}

// ---- scores ---------------------------------------------------------------------------------------------------------

void offline_model_open(struct offline_model *model, struct cluster *cluster, const char *bundle_directory)
{
    gw_err err = {0};
    *model = (struct offline_model){.cluster = cluster};
    assert_ok_err(gw_bundle_load(bundle_directory, &model->bundle, &err), &err);
    assert_int_equal(gw_bundle_info(model->bundle)->head_count, OFFLINE_HEADS);
    assert_ok_err(gw_feature_plan_new(cluster->runtime.features, test_model_features, test_model_feature_count,
                                      &model->plan, &err),
                  &err);
    assert_ok_err(gw_scorer_new(model->bundle, gw_feature_plan_columns(model->plan), gw_feature_plan_width(model->plan),
                                &model->scorer, &err),
                  &err);
    assert_ok_err(gw_scorer_new(model->bundle, NULL, test_model_feature_count, &model->of_features, &err), &err);
}

void offline_model_close(struct offline_model *model)
{
    gw_scorer_free(model->of_features);
    gw_scorer_free(model->scorer);
    gw_feature_plan_free(model->plan);
    gw_bundle_unref(model->bundle);
}

static struct offline_answer finish(const struct gw_scorer *scorer, const float *vector, size_t width)
{
    struct offline_answer answer;
    float margins[OFFLINE_HEADS];
    gw_scorer_margins(scorer, vector, width, 1, margins);
    gw_scorer_finish(scorer, margins, 1, answer.heads, &answer.score, NULL);
    return answer;
}

struct offline_answer offline_score_vector(const struct offline_model *model, const float *features)
{
    return finish(model->of_features, features, test_model_feature_count);
}

static void find_rows(const struct offline_rows *rows, int64_t user, int64_t tweet, const uint8_t **views)
{
    size_t index = 0;
    view_named(rows->cluster, "user", &index);
    views[index] = user == OFFLINE_USER ? rows->user : NULL;
    view_named(rows->cluster, "tweet", &index);
    views[index] = rows->tweets[tweet - OFFLINE_FIRST_TWEET];
    view_named(rows->cluster, "author", &index);
    views[index] = rows->authors[offline_author_of(tweet) - OFFLINE_FIRST_AUTHOR];
}

struct offline_answer offline_score(const struct offline_model *model, const struct offline_rows *rows, int64_t user,
                                    int64_t tweet, const float values[OFFLINE_VALUES])
{
    const struct gw_feature_set *set = model->cluster->runtime.features;
    size_t width = gw_feature_plan_width(model->plan);
    float vector[256];
    const uint8_t *views[GW_FEATURE_VIEWS_MAX] = {NULL};
    int64_t now_us = gw_clock_wall_us();
    assert_true(width <= GW_COUNT_OF(vector));
    for (size_t i = 0; i < width; i++) {
        vector[i] = NAN;
    }
    if (rows != NULL) {
        find_rows(rows, user, tweet, views);
    }
    for (size_t v = 0; v < gw_feature_set_view_count(set); v++) {
        uint32_t start = 0;
        uint32_t count = 0;
        gw_feature_plan_view_segment(model->plan, v, &start, &count);
        if (count > 0) {
            gw_feature_plan_eval_view(model->plan, v, views[v], now_us, vector + start);
        }
    }
    const char *const *names = NULL;
    uint32_t start = 0;
    size_t wanted = gw_feature_plan_request_names(model->plan, &names, &start);
    for (size_t i = 0; i < wanted; i++) {
        for (size_t k = 0; k < OFFLINE_VALUES; k++) {
            if (strcmp(names[i], value_names[k]) == 0) {
                vector[start + i] = values[k];
            }
        }
    }
    if (gw_feature_plan_has_cross(model->plan)) {
        gw_feature_plan_eval_cross(model->plan, views, now_us, vector);
    }
    return finish(model->scorer, vector, width);
}

void assert_same_float(float a, float b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

// ---- requests -------------------------------------------------------------------------------------------------------

void offline_request_init(struct offline_request *request, uint64_t number, int64_t user, bool with_authors)
{
    *request = (struct offline_request){.number = number};
    for (int i = 0; i < OFFLINE_VALUES; i++) {
        request->names[i] = gw_slice_text(value_names[i]);
    }
    for (int i = 0; i < OFFLINE_TWEETS; i++) {
        int64_t tweet = OFFLINE_FIRST_TWEET + i;
        request->values[i][0] = (float)(i % 2);
        request->values[i][1] = 0.1f * (float)i;
        request->candidates[i] =
            (struct gw_candidate){.tweet_id = tweet, .author_id = with_authors ? offline_author_of(tweet) : 0};
        request->candidates[i].values.items = request->values[i];
        request->candidates[i].values.count = OFFLINE_VALUES;
    }
    request->record = (struct gw_prediction_request){
        .user_id = user, .request_join_id = (int64_t)number, .enqueued_at_ms = gw_clock_wall_ms()};
    records_id(request->record.request_id, REQUEST_FAMILY, number);
    request->record.value_names.items = request->names;
    request->record.value_names.count = OFFLINE_VALUES;
    request->record.candidates.items = request->candidates;
    request->record.candidates.count = OFFLINE_TWEETS;
}
