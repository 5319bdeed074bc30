// SPDX-License-Identifier: MIT
#include "registry/relay.h"

#include "avro/framing.h"
#include "base/away.h"
#include "base/clock.h"
#include "base/faults.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "records/model_event.h"
#include "records/model_route.h"
#include "registry/registry_internal.h"
#include "registry/relay_topic.h"
#include "registry/views.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PAGE_EVENTS = 500,
    INIT_MS = 10000, // these together stay below GW_RELAY_IDLE_S: the session is idle meanwhile
    LOOK_MS = 8000,
    WATCH_MS = 1000, // for one topic
    WATCH_EVERY_US = 5000000,
    COMMIT_MS = 10000,
    ABORT_MS = 1000,
    AWAY_FLOOR_MS = 50,
    AWAY_BASE_MS = 100,
    AWAY_CAP_MS = 1000,
};

#define ARENA_BLOCK_BYTES ((size_t)64 << 10)
#define ARENA_LIMIT_BYTES ((size_t)32 << 20)

struct gw_relay {
    struct gw_relay_options options;
    struct gw_registry_options database; // what options.registry points to
    char *uri;
    char *application;
    struct gw_registry *registry;       // NULL: no session; its end gives the lock back
    struct gw_kafka_producer *producer; // not NULL: the lock is ours, the topics' ends are known
    struct gw_kafka_consumer *watch;    // asks the topics' ends
    uint64_t watched_us;                // when it did
    int64_t events_end;                 // offset that model_events has reached at least: one that ends before is another
    int64_t routes_end;                 // of model_routes
    int64_t session;                    // server process that holds the lock
    int64_t events;                     // up to here the history is in model_events
    int64_t routes;                     // up to here its routes are in model_routes
    struct gw_away away;
    struct gw_arena arena; // of a page
    struct gw_buf value;
};

gw_status gw_relay_new(const struct gw_relay_options *options, struct gw_relay **ret_relay, gw_err *err)
{
    struct gw_relay *relay = gw_mem_calloc(1, sizeof *relay);
    if (relay == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a relay");
    }
    gw_arena_init(&relay->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    gw_away_init(&relay->away, AWAY_FLOOR_MS, AWAY_BASE_MS, AWAY_CAP_MS,
                 gw_clock_mono_us() ^ (uint64_t)(uintptr_t)relay);
    relay->uri = gw_mem_strdup(options->registry->uri);
    relay->application = gw_mem_strdup(options->registry->application);
    relay->database = (struct gw_registry_options){
        .uri = relay->uri, .application = relay->application, .timeout_ms = options->registry->timeout_ms};
    relay->options = *options;
    relay->options.registry = &relay->database;
    gw_status status = relay->uri == NULL || relay->application == NULL
                           ? gw_fail(err, GW_E_MEMORY, "no memory for a relay")
                           : gw_registry_new(&relay->database, &relay->registry, err);
    if (status != GW_OK) {
        gw_relay_free(relay);
        return status;
    }
    *ret_relay = relay;
    return GW_OK;
}

// Gives up lock and producer. Closing the session is the one way that also takes back a lock of which we do not know
// whether we got it. A transaction that is open is aborted by who comes next.
static void let_go(struct gw_relay *relay)
{
    gw_kafka_producer_free(relay->producer);
    relay->producer = NULL;
    gw_kafka_consumer_free(relay->watch);
    relay->watch = NULL;
    gw_registry_free(relay->registry);
    relay->registry = NULL;
}

void gw_relay_free(struct gw_relay *relay)
{
    if (relay == NULL) {
        return;
    }
    let_go(relay);
    gw_buf_deinit(&relay->value);
    gw_arena_deinit(&relay->arena);
    gw_mem_free(relay->application);
    gw_mem_free(relay->uri);
    gw_mem_free(relay);
}

// Writes down how far model_events is, when that is news.
static gw_status note_published(struct gw_relay *relay, gw_err *err)
{
    char published[24];
    const char *const parameters[] = {published};
    snprintf(published, sizeof published, "%" PRId64, relay->events);
    return gw_registry_exec(relay->registry,
                            "update registry_relay set published = $1::bigint, at = now() where published < $1::bigint",
                            parameters, 1, NULL, err);
}

// Asked between steps that wait for Kafka.
static gw_status check_stop(const struct gw_relay *relay, gw_err *err)
{
    const atomic_bool *stop = relay->options.stop;
    return stop != NULL && atomic_load_explicit(stop, memory_order_relaxed)
               ? gw_fail(err, GW_E_UNAVAILABLE, "stopped; whoever relays next goes on")
               : GW_OK;
}

// ---- taking over ----------------------------------------------------------------------------------------------------

// The row's two integers. The columns of `sql` are no nulls.
static gw_status ask_two(struct gw_relay *relay, const char *sql, const char *const *parameters, size_t count,
                         int64_t ret_values[2], gw_err *err)
{
    GW_CLEANUP(gw_registry_rows_cleanup) struct gw_postgres_rows *rows = NULL;
    GW_TRY(gw_registry_exec(relay->registry, sql, parameters, count, &rows, err));
    if (gw_postgres_rows_count(rows) != 1) {
        return gw_fail(err, GW_E_MISMATCH, "the registry's tables lack a row: registry_clock and registry_relay");
    }
    GW_TRY(gw_postgres_rows_int64(rows, 0, 0, &ret_values[0], err));
    return gw_postgres_rows_int64(rows, 0, 1, &ret_values[1], err);
}

static gw_status take_lock(struct gw_relay *relay, bool *ret_taken, gw_err *err)
{
    char idle[16];
    const char *const parameters[] = {idle};
    int64_t values[2];
    snprintf(idle, sizeof idle, "%ds", GW_RELAY_IDLE_S);
    GW_TRY(ask_two(relay,
                   "select pg_try_advisory_lock(hashtext('godwit.relay'),"
                   " hashtext(coalesce(current_schema()::text, '')))::int, pg_backend_pid(),"
                   " case when current_setting('server_version_num')::int >= 140000"
                   " then set_config('idle_session_timeout', $1, false) end",
                   parameters, 1, values, err));
    *ret_taken = values[0] != 0;
    relay->session = values[1];
    return GW_OK;
}

static gw_status watch_topic(struct gw_relay *relay, const char *topic, int64_t *end, gw_err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    GW_TRY(gw_kafka_consumer_watermarks(relay->watch, topic, 0, WATCH_MS, &low, &high, err));
    if (high < *end) {
        return gw_fail(err, GW_E_UNAVAILABLE, "topic '%s' was made anew: it ends at %" PRId64 ", and ended at %" PRId64,
                       topic, high, *end);
    }
    *end = high;
    return GW_OK;
}

// A topic that was made anew under a running relay lacks what this one believes to be there: it must not go on, or its
// record would make the next one believe it as well.
static gw_status watch_topics(struct gw_relay *relay, gw_err *err)
{
    GW_TRY(watch_topic(relay, relay->options.events_topic, &relay->events_end, err));
    GW_TRY(watch_topic(relay, relay->options.routes_topic, &relay->routes_end, err));
    relay->watched_us = gw_clock_mono_us();
    return GW_OK;
}

static gw_status look_at_topics(struct gw_relay *relay, gw_err *err)
{
    const struct gw_relay_options *options = &relay->options;
    uint64_t deadline_us = gw_clock_mono_us() + (uint64_t)LOOK_MS * 1000;
    struct gw_relay_end events;
    struct gw_relay_end routes;
    GW_TRY(gw_relay_topic_end(options->kafka, options->events_topic, gw_relay_sequence_of_event, deadline_us, &events,
                              err));
    GW_TRY(gw_relay_topic_end(options->kafka, options->routes_topic, gw_relay_sequence_of_route, deadline_us, &routes,
                              err));
    int64_t values[2]; // asked after the topics: what is published is in the history
    GW_TRY(
        ask_two(relay, "select c.sequence, r.published from registry_clock c, registry_relay r", NULL, 0, values, err));
    int64_t last = values[0];
    relay->events = events.emptied ? GW_MAX(values[1], routes.sequence) : events.sequence;
    relay->routes = routes.sequence;
    if (GW_MAX(relay->events, relay->routes) > last) {
        return gw_fail(err, GW_E_MISMATCH,
                       "'%s' is at sequence %" PRId64 " and '%s' at %" PRId64 ", but the history ends at %" PRId64
                       ": this database is an older or another one",
                       options->events_topic, relay->events, options->routes_topic, relay->routes, last);
    }
    gw_log_info("relay.took_over", "events=%" PRId64 " routes=%" PRId64 " history=%" PRId64, relay->events,
                relay->routes, last);
    return note_published(relay, err); // a former relay may have died before it could
}

static gw_status take_over(struct gw_relay *relay, gw_err *err)
{
    const struct gw_kafka_producer_options options = {.client = relay->options.kafka,
                                                      .kind = GW_KAFKA_PRODUCER_BULK,
                                                      .transactional_id = relay->options.transactional_id};
    GW_TRY(gw_kafka_producer_new(&options, &relay->producer, err));
    GW_TRY(gw_kafka_txn_init(relay->producer, INIT_MS, err));
    GW_TRY(check_stop(relay, err));
    const struct gw_kafka_consumer_options watch = {.client = relay->options.kafka, .read_uncommitted = true};
    GW_TRY(gw_kafka_consumer_new(&watch, &relay->watch, err));
    relay->events_end = 0;
    relay->routes_end = 0;
    GW_TRY(watch_topics(relay, err)); // before the look: a topic made anew between the two is noticed next time
    return look_at_topics(relay, err);
}

// ---- publishing -----------------------------------------------------------------------------------------------------

static gw_status produce(struct gw_relay *relay, const char *topic, const char *model, gw_err *err)
{
    const struct gw_kafka_output output = {
        .topic = topic, .key = gw_slice_text(model), .value = gw_buf_slice(&relay->value)};
    return gw_kafka_produce(relay->producer, &output, err);
}

static gw_status put_event(struct gw_relay *relay, const struct gw_registry_event *event, gw_err *err)
{
    const struct gw_model_event record = {
        .model_name = gw_slice_text(event->model),
        .version = event->version,
        .sequence = event->sequence,
        .transition = gw_slice_text(event->transition),
        .from_state = gw_slice_text(event->from_state),
        .to_state = gw_slice_text(event->to_state),
        .digest = gw_slice_text(event->digest),
        .parent_version = event->parent_version,
        .actor = gw_slice_text(event->actor),
        .reason = gw_slice_text(event->reason),
        .at_ms = event->at_ms,
    };
    gw_buf_clear(&relay->value);
    if (gw_avro_frame_begin(&relay->value, relay->options.events_schema_id) != GW_OK ||
        gw_model_event_encode(&record, &relay->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an event");
    }
    return produce(relay, relay->options.events_topic, event->model, err);
}

static void copy_targets(const struct gw_route_version *from, uint32_t count, struct gw_route_target *to)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (struct gw_route_target){.version = from[i].version,
                                         .variant = gw_slice_text(from[i].variant),
                                         .weight = (int32_t)from[i].weight,
                                         .digest = gw_slice_text(from[i].digest)};
    }
}

static gw_status put_route(struct gw_relay *relay, const struct gw_route *route, gw_err *err)
{
    struct gw_route_target targets[GW_ROUTE_TARGETS_MAX];
    struct gw_route_target shadows[GW_ROUTE_SHADOWS_MAX];
    copy_targets(route->targets, route->target_count, targets);
    copy_targets(route->shadows, route->shadow_count, shadows);
    const struct gw_model_route record = {
        .model_name = gw_slice_text(route->model),
        .sequence = route->sequence,
        .salt = gw_slice_text(route->salt),
        .targets = {.items = targets, .count = route->target_count},
        .shadows = {.items = shadows, .count = route->shadow_count},
        .at_ms = route->at_ms,
    };
    gw_buf_clear(&relay->value);
    if (gw_avro_frame_begin(&relay->value, relay->options.routes_schema_id) != GW_OK ||
        gw_model_route_encode(&record, &relay->value) != GW_OK) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a route");
    }
    return produce(relay, relay->options.routes_topic, route->model, err);
}

// A relay whose session was cut must not believe that it has the lock. It is a courtesy to who has it now, no
// guarantee: the session may end right after the answer. What guarantees is Kafka's fence.
static gw_status check_session(struct gw_relay *relay, gw_err *err)
{
    int64_t values[2];
    GW_TRY(ask_two(relay, "select pg_backend_pid(), 0", NULL, 0, values, err));
    if (values[0] != relay->session) {
        return gw_fail(err, GW_E_UNAVAILABLE, "the database session that held the lock is gone");
    }
    return gw_fault_hit("relay.before_commit") ? gw_fail(err, GW_E_UNAVAILABLE, "relay.before_commit: made to fail")
                                               : GW_OK;
}

static gw_status put_page(struct gw_relay *relay, const struct gw_registry_event *events, size_t count, gw_err *err)
{
    int64_t sequence = GW_MIN(relay->events, relay->routes);
    for (size_t i = 0; i < count; i++) {
        const struct gw_registry_event *event = &events[i];
        if (event->sequence != ++sequence) {
            return gw_fail(err, GW_E_MISMATCH, "the history has no event %" PRId64 ", but %" PRId64, sequence,
                           event->sequence);
        }
        if (sequence > relay->events) {
            GW_TRY(put_event(relay, event, err));
            relay->events_end++;
        }
        if (sequence > relay->routes && event->route != NULL) {
            GW_TRY(put_route(relay, event->route, err));
            relay->routes_end++;
        }
    }
    return check_session(relay, err);
}

static gw_status publish_page(struct gw_relay *relay, const struct gw_registry_event *events, size_t count, gw_err *err)
{
    GW_TRY(gw_kafka_txn_begin(relay->producer, err));
    gw_status status = put_page(relay, events, count, err);
    if (status != GW_OK) {
        gw_err aborting = {0}; // readers need not wait until somebody takes over
        if (gw_kafka_txn_abort(relay->producer, ABORT_MS, &aborting) != GW_OK) {
            gw_log_warn("relay.abort_failed", "reason='%s' skipped='whoever takes over aborts it'", aborting.message);
        }
        return status;
    }
    GW_TRY(gw_kafka_txn_commit(relay->producer, COMMIT_MS, err));
    if (gw_fault_hit("relay.after_commit")) {
        return gw_fail(err, GW_E_UNAVAILABLE, "relay.after_commit: made to fail");
    }
    int64_t last = events[count - 1].sequence;
    relay->events = GW_MAX(relay->events, last);
    relay->routes = GW_MAX(relay->routes, last);
    return note_published(relay, err);
}

static gw_status publish(struct gw_relay *relay, gw_err *err)
{
    for (;;) {
        const struct gw_registry_event *events = NULL;
        size_t count = 0;
        gw_arena_clear(&relay->arena);
        GW_TRY(check_stop(relay, err));
        GW_TRY(gw_registry_events_after(relay->registry, GW_MIN(relay->events, relay->routes), PAGE_EVENTS,
                                        &relay->arena, &events, &count, err));
        if (count == 0) {
            gw_kafka_producer_poll(relay->producer, 0);
            return gw_clock_mono_us() - relay->watched_us < WATCH_EVERY_US ? GW_OK : watch_topics(relay, err);
        }
        GW_TRY(watch_topics(relay, err));
        GW_TRY(publish_page(relay, events, count, err));
        if (count < PAGE_EVENTS) {
            return GW_OK;
        }
    }
}

static gw_status run(struct gw_relay *relay, enum gw_relay_state *ret_state, gw_err *err)
{
    if (relay->registry == NULL) {
        GW_TRY(gw_registry_new(&relay->database, &relay->registry, err));
    }
    if (relay->producer == NULL) {
        bool taken = false;
        GW_TRY(take_lock(relay, &taken, err));
        if (!taken) {
            *ret_state = GW_RELAY_WAITING;
            return GW_OK;
        }
        GW_TRY(take_over(relay, err));
    }
    GW_TRY(publish(relay, err));
    *ret_state = GW_RELAY_CAUGHT_UP;
    return GW_OK;
}

gw_status gw_relay_run(struct gw_relay *relay, enum gw_relay_state *ret_state, int64_t *ret_published, gw_err *err)
{
    GW_TRY(gw_away_check(&relay->away, "relay", gw_clock_mono_us(), err));
    enum gw_relay_state state = GW_RELAY_WAITING;
    gw_err reason = {0};
    gw_status status = run(relay, &state, &reason);
    if (status != GW_OK) {
        let_go(relay);
        gw_away_failed(&relay->away, gw_clock_mono_us(), reason.message);
        if (status == GW_E_FENCED) {
            return gw_fail(err, GW_E_UNAVAILABLE, "another relay with the transactional id '%s' took over: %s",
                           relay->options.transactional_id, reason.message);
        }
        return gw_fail(err, status, "%s", reason.message);
    }
    gw_away_works(&relay->away);
    *ret_state = state;
    if (ret_published != NULL) {
        *ret_published = state == GW_RELAY_CAUGHT_UP ? GW_MIN(relay->events, relay->routes) : 0;
    }
    return GW_OK;
}
