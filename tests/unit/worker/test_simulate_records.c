// SPDX-License-Identifier: MIT
// Every simulator event is a valid record: it survives the codec, and rekey's code takes it.
#include "worker/simulate_records.h"

#include "avro/framing.h"
#include "base/arena.h"
#include "support/testkit.h"

#include <string.h>

#define START_MS 1750000000000LL

struct fixture {
    struct gw_simulator *simulator;
    struct gw_simulate_converter *converter;
    struct gw_arena arena;
    struct gw_buf buf;
    struct gw_buf again;
};

static void set_up(struct fixture *f)
{
    const struct gw_simulate_options options = {
        .seed = 5, .user_count = 200, .author_count = 30, .tweets_alive = 500, .candidates_mean = 20};
    struct gw_simulator_options world = gw_simulate_world(&options, START_MS);
    world.end_ms = START_MS + 1800 * 1000;
    *f = (struct fixture){0};
    gw_arena_init(&f->arena, 1 << 16, 64 << 20);
    assert_ok(gw_simulator_new(&world, &f->simulator, NULL));
    assert_ok(gw_simulate_converter_new(&f->converter, NULL));
}

static void tear_down(struct fixture *f)
{
    gw_simulator_free(f->simulator);
    gw_simulate_converter_free(f->converter);
    gw_arena_deinit(&f->arena);
    gw_buf_deinit(&f->buf);
    gw_buf_deinit(&f->again);
}

// Decodes by the topic's codec into another record of the same topic.
static void decode(struct fixture *f, const struct gw_simulate_record *record, struct gw_simulate_record *ret_decoded)
{
    uint32_t id = 0;
    struct gw_slice body;
    gw_err err = {0};
    assert_ok(gw_avro_unframe(gw_buf_slice(&f->buf), &id, &body, NULL));
    assert_int_equal(id, 77);
    *ret_decoded = (struct gw_simulate_record){.topic = record->topic, .key = record->key};
    switch (record->topic) {
    case GW_TOPIC_UNIFIED_USER_ACTIONS:
        assert_ok_err(gw_user_action_decode(body, &f->arena, &ret_decoded->action, &err), &err);
        break;
    case GW_TOPIC_TWEET_EVENTS:
        assert_ok_err(gw_tweet_event_decode(body, &f->arena, &ret_decoded->tweet, &err), &err);
        break;
    case GW_TOPIC_SOCIAL_WRITE_EVENT:
        assert_ok_err(gw_social_graph_event_decode(body, &f->arena, &ret_decoded->social, &err), &err);
        break;
    case GW_TOPIC_USER_MODIFICATIONS:
        assert_ok_err(gw_user_profile_decode(body, &f->arena, &ret_decoded->profile, &err), &err);
        break;
    default:
        assert_int_equal(record->topic, GW_TOPIC_PREDICTION_REQUESTS);
        assert_ok_err(gw_prediction_request_decode(body, &f->arena, &ret_decoded->request, &err), &err);
        break;
    }
}

static void every_event_survives_the_codec_and_becomes_entity_events(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    size_t seen[GW_SIM_ACTION + 1] = {0};
    struct gw_sim_event event;
    for (;;) {
        assert_ok(gw_simulator_next(f.simulator, &event, NULL));
        if (event.kind == GW_SIM_END) {
            break;
        }
        struct gw_simulate_record record;
        struct gw_simulate_record decoded;
        gw_simulate_convert(f.converter, &event, event.time_ms + 3, &record);
        assert_ok(gw_simulate_encode(&record, 77, &f.buf, NULL));
        decode(&f, &record, &decoded);
        assert_ok(gw_simulate_encode(&decoded, 77, &f.again, NULL));
        assert_true(gw_slice_equal(gw_buf_slice(&f.buf), gw_buf_slice(&f.again)));

        double statics[GW_STATIC_ATTRIBUTES];
        struct gw_entity_event events[GW_ENTITY_EVENTS_MAX];
        size_t count = 0;
        gw_err err = {0};
        assert_ok_err(gw_simulate_entities(&decoded, &(struct gw_entity_origin){0}, statics, events, &count, &err),
                      &err);
        assert_true(event.kind == GW_SIM_REQUEST ? count == 0 : count > 0);
        if (count > 0) {
            assert_int_equal(events[0].event_time_ms, event.time_ms);
            assert_memory_equal(events[0].event_id, event.event_id, sizeof event.event_id);
        }
        seen[event.kind]++;
        gw_arena_clear(&f.arena);
    }
    for (int kind = GW_SIM_PROFILE; kind <= GW_SIM_ACTION; kind++) {
        assert_true(seen[kind] > 0);
    }
    tear_down(&f);
}

static void request_carries_ids_values_and_context(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct gw_sim_event event;
    do {
        assert_ok(gw_simulator_next(f.simulator, &event, NULL));
    } while (event.kind != GW_SIM_REQUEST);
    struct gw_simulate_record record;
    gw_simulate_convert(f.converter, &event, 123456, &record);
    const struct gw_prediction_request *request = &record.request;

    assert_int_equal(record.topic, GW_TOPIC_PREDICTION_REQUESTS);
    assert_int_equal(record.key, event.request.user_id);
    assert_int_equal(request->request_join_id, event.request.join_id);
    assert_memory_equal(request->request_id, event.event_id, sizeof event.event_id);
    assert_int_equal(request->enqueued_at_ms, 123456);
    assert_int_equal(request->candidates.count, event.request.candidate_count);
    assert_true(gw_slice_is(request->value_names.items[0], "in_network"));
    assert_true(gw_slice_is(request->value_names.items[1], "source_score"));
    for (uint32_t i = 0; i < request->candidates.count; i++) {
        assert_int_equal(request->candidates.items[i].tweet_id, event.request.candidates[i].tweet_id);
        assert_int_equal(request->candidates.items[i].author_id, event.request.candidates[i].author_id);
        assert_true(request->candidates.items[i].values.items[0] == event.request.candidates[i].in_network);
        assert_true(request->candidates.items[i].values.items[1] == event.request.candidates[i].source_score);
    }
    assert_int_equal(request->context.count, 1);
    assert_true(gw_slice_is(request->context.items[0].key, "is_session_start"));
    assert_true(request->context.items[0].value == 1.0); // nobody has been here before
    tear_down(&f);
}

GW_TESTS(every_event_survives_the_codec_and_becomes_entity_events, request_carries_ids_values_and_context)
