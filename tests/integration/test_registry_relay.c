// SPDX-License-Identifier: MIT
// The outbox against real services: whatever relays are killed, cut off or frozen, each event is published once and in
// order. Relays in other processes are this program, started with the argument `relay`.
#include "integration/relay_fixture.h"

#include "base/rng.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <signal.h>

enum {
    BEAT_MS = 50,
    STORM_EVENTS = 300,
    STORM_SLOTS = 3,
    STORM_BURST = 6,
    LATENCIES = 100,
    ABORTED = 40,
    RIVAL_EVENTS = 60
};

static struct relay_fixture fixture;

static int setup(void **state)
{
    (void)state;
    relay_begin(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_ok(gw_faults_configure(NULL, NULL));
    relay_end(&fixture);
    return 0;
}

// The server process that holds the lock of the fixture's schema; 0: nobody does.
static int64_t lock_holder(void)
{
    char sql[320];
    snprintf(sql, sizeof sql,
             "select coalesce(max(pid), 0) from pg_locks where locktype = 'advisory' and granted"
             " and classid = (hashtext('godwit.relay')::bigint & 4294967295)::oid"
             " and objid = (hashtext('%s')::bigint & 4294967295)::oid",
             fixture.schema);
    return fixture_number(fixture.postgres, sql);
}

static bool is_unlocked(void *context)
{
    (void)context;
    return lock_holder() == 0;
}

static void cut_session_of_holder(void)
{
    char sql[80];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld, 10000)::int", (long long)lock_holder());
    assert_int_equal(fixture_number(fixture.postgres, sql), 1);
}

static int64_t published(void)
{
    return fixture_number(fixture.postgres, "select published from registry_relay");
}

static bool is_published(void *context)
{
    (void)context;
    return published() >= fixture.last;
}

// ---- one relay ------------------------------------------------------------------------------------------------------

static void publishes_the_history_once_and_in_order(void **state)
{
    (void)state;
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_catch_up(relay, 0); // an empty history
    relay_append(&fixture, 7);
    relay_catch_up(relay, 7);
    relay_catch_up(relay, 7); // nothing is new
    relay_append(&fixture, 20);
    relay_catch_up(relay, 27);
    gw_relay_free(relay);

    relay = relay_open(&fixture, NULL); // knows from the topics where it was
    relay_append(&fixture, 1);
    relay_catch_up(relay, 28);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
    assert_int_equal(published(), 28);
}

static void publishes_a_backlog_of_several_pages(void **state)
{
    (void)state;
    relay_append(&fixture, 1201);
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_catch_up(relay, 1201);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
}

static void a_stop_ends_a_run_and_loses_nothing(void **state)
{
    (void)state;
    atomic_bool stop = true;
    enum gw_relay_state relay_state = GW_RELAY_WAITING;
    gw_err err = {0};
    relay_append(&fixture, 3);
    fixture.stop = &stop;
    struct gw_relay *stopped = relay_open(&fixture, NULL);
    assert_fails(gw_relay_run(stopped, &relay_state, NULL, &err), GW_E_UNAVAILABLE);
    assert_non_null(strstr(err.message, "stopped"));
    gw_relay_free(stopped);
    fixture.stop = NULL;
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_catch_up(relay, fixture.last);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
}

static void failures_around_a_commit_lose_and_repeat_nothing(void **state)
{
    (void)state;
    static const char *const faults[] = {"relay.before_commit:fail", "relay.after_commit:fail"};
    struct gw_relay *relay = relay_open(&fixture, NULL);
    for (size_t i = 0; i < 4; i++) {
        enum gw_relay_state relay_state = GW_RELAY_WAITING;
        gw_err err = {0};
        relay_append(&fixture, 5);
        relay_catch_up(relay, fixture.last);
        relay_append(&fixture, 5);
        assert_ok(gw_faults_configure(faults[i % 2], NULL));
        assert_fails(gw_relay_run(relay, &relay_state, NULL, &err), GW_E_UNAVAILABLE);
        assert_non_null(strstr(err.message, "made to fail"));
        wait_until(is_unlocked, NULL, FIXTURE_MS, "the failed relay's lock is given back");
        assert_ok(gw_faults_configure(NULL, NULL));
    }
    relay_catch_up(relay, fixture.last);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
}

static void kills_around_a_commit_lose_and_repeat_nothing(void **state)
{
    (void)state;
    static const char *const faults[] = {"relay.before_commit:kill", "relay.after_commit:kill"};
    for (size_t i = 0; i < 6; i++) {
        relay_append(&fixture, 6);
        assert_int_equal(proc_wait(relay_child(&fixture, NULL, faults[i % 2]), FIXTURE_MS), -1);
    }
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_catch_up(relay, fixture.last);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
}

// ---- two relays -----------------------------------------------------------------------------------------------------

static void the_second_relay_waits_for_the_first(void **state)
{
    (void)state;
    enum gw_relay_state relay_state = GW_RELAY_CAUGHT_UP;
    int64_t sequence = -1;
    gw_err err = {0};
    struct gw_relay *first = relay_open(&fixture, NULL);
    struct gw_relay *second = relay_open(&fixture, NULL);
    relay_append(&fixture, 3);
    relay_catch_up(first, 3);
    relay_append(&fixture, 3);
    assert_ok_err(gw_relay_run(second, &relay_state, &sequence, &err), &err);
    assert_int_equal(relay_state, GW_RELAY_WAITING);
    assert_int_equal(sequence, 0);
    relay_catch_up(first, 6);
    relay_append(&fixture, 3);
    gw_relay_free(first); // gives the lock back
    relay_catch_up(second, 9);
    gw_relay_free(second);
    relay_assert_published(&fixture);
}

static bool waits(void *relay)
{
    enum gw_relay_state relay_state = GW_RELAY_CAUGHT_UP;
    gw_err err = {0};
    return gw_relay_run(relay, &relay_state, NULL, &err) == GW_OK && relay_state == GW_RELAY_WAITING;
}

static void a_relay_that_lost_its_session_publishes_nothing_and_waits(void **state)
{
    (void)state;
    enum gw_relay_state relay_state = GW_RELAY_CAUGHT_UP;
    gw_err err = {0};
    struct gw_relay *first = relay_open(&fixture, NULL);
    struct gw_relay *second = relay_open(&fixture, NULL);
    relay_append(&fixture, 3);
    relay_catch_up(first, 3);
    cut_session_of_holder();
    relay_append(&fixture, 3);
    relay_catch_up(second, 6);
    relay_append(&fixture, 3);
    assert_fails(gw_relay_run(first, &relay_state, NULL, &err), GW_E_UNAVAILABLE);
    wait_until(waits, first, FIXTURE_MS, "the first relay waits for the lock");
    relay_catch_up(second, 9);
    gw_relay_free(first);
    gw_relay_free(second);
    relay_assert_published(&fixture);
}

static bool has_failed(void *child)
{
    return proc_logged(child, "run failed");
}

static void a_frozen_relay_that_wakes_up_publishes_nothing(void **state)
{
    (void)state;
    struct proc *child = relay_child(&fixture, NULL, "");
    relay_append(&fixture, 5);
    wait_until(is_published, NULL, FIXTURE_MS, "the child has published");
    proc_signal(child, SIGSTOP);
    cut_session_of_holder();
    relay_append(&fixture, 5);
    struct gw_relay *other = relay_open(&fixture, NULL);
    relay_catch_up(other, 10);
    relay_append(&fixture, 5);
    proc_signal(child, SIGCONT);
    wait_until(has_failed, child, FIXTURE_MS, "the woken child has seen that its session is gone");
    relay_catch_up(other, 15);
    relay_append(&fixture, 5);
    relay_catch_up(other, 20);
    gw_relay_free(other);
    proc_kill(child);
    relay_assert_published(&fixture);
}

// Two relays that both have "the" lock, because they look at the same tables through different schemas: so nothing but
// the fence and the look at the topics keeps them in order.
static void kafka_alone_keeps_the_order_when_the_lock_does_not(void **state)
{
    (void)state;
    char path[160];
    char uri[512];
    char sql[128];
    snprintf(sql, sizeof sql, "create schema %s_b", fixture.schema);
    fixture_sql(fixture.postgres, sql, NULL, 0);
    snprintf(path, sizeof path, "%s_b%%2C%s", fixture.schema, fixture.schema);
    fixture_uri(uri, sizeof uri, path);
    struct gw_relay *relays[2] = {relay_open(&fixture, NULL), relay_open(&fixture, uri)};
    relay_append(&fixture, 2);
    relay_catch_up(relays[0], 2);
    for (size_t i = 1; i < 9; i++) {
        enum gw_relay_state relay_state = GW_RELAY_WAITING;
        gw_err err = {0};
        relay_append(&fixture, 3);
        relay_catch_up(relays[i % 2], fixture.last); // fences the other one
        relay_append(&fixture, 3);
        assert_fails(gw_relay_run(relays[(i + 1) % 2], &relay_state, NULL, &err), GW_E_UNAVAILABLE);
        assert_non_null(strstr(err.message, "took over"));
    }
    relay_catch_up(relays[0], fixture.last);
    gw_relay_free(relays[0]);
    gw_relay_free(relays[1]);

    // And at once: one takes over while the other publishes.
    struct proc *children[2] = {relay_child(&fixture, NULL, ""), relay_child(&fixture, uri, "")};
    for (size_t i = 0; i < RIVAL_EVENTS; i++) {
        relay_append(&fixture, 1);
        wait_until(is_published, NULL, FIXTURE_MS, "one of the rivals has published");
    }
    proc_kill(children[0]);
    proc_kill(children[1]);
    snprintf(sql, sizeof sql, "drop schema %s_b", fixture.schema);
    fixture_sql(fixture.postgres, sql, NULL, 0);
    relay_assert_published(&fixture);
}

// ---- storm ----------------------------------------------------------------------------------------------------------

struct slot {
    struct proc *proc; // NULL: none
    bool doomed;       // dies by itself
};

struct storm {
    struct slot slots[STORM_SLOTS];
    struct gw_rng rng;
    unsigned kills;
};

static bool published_or_nobody_left(void *context)
{
    struct storm *storm = context;
    bool running = false;
    for (size_t i = 0; i < STORM_SLOTS; i++) {
        running = running || (storm->slots[i].proc != NULL && proc_running(storm->slots[i].proc));
    }
    return !running || is_published(NULL);
}

static void storm_start(struct storm *storm, struct slot *slot)
{
    static const char *const points[] = {"relay.before_commit", "relay.after_commit"};
    char faults[64] = "";
    slot->doomed = gw_rng_below(&storm->rng, 2) == 0;
    if (slot->doomed) {
        snprintf(faults, sizeof faults, "%s:kill:%u", points[gw_rng_below(&storm->rng, 2)],
                 (unsigned)gw_rng_below(&storm->rng, 4) + 1);
    }
    slot->proc = relay_child(&fixture, NULL, faults);
}

static void storm_step(struct storm *storm)
{
    struct slot *slot = &storm->slots[gw_rng_below(&storm->rng, STORM_SLOTS)];
    if (slot->proc != NULL && slot->doomed && !proc_running(slot->proc)) {
        slot->proc = NULL;
        storm->kills++;
    }
    if (slot->proc == NULL) {
        storm_start(storm, slot);
    } else if (!slot->doomed && gw_rng_below(&storm->rng, 2) == 0) {
        proc_kill(slot->proc);
        slot->proc = NULL;
        storm->kills++;
    }
    if (gw_rng_below(&storm->rng, 3) == 0) {
        wait_until(published_or_nobody_left, storm, FIXTURE_MS, "the storm's relays have published");
    }
}

static void a_storm_of_kills_and_starts_publishes_each_event_once_in_order(void **state)
{
    (void)state;
    struct storm storm = {.kills = 0};
    const char *given = getenv("GODWIT_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : gw_clock_mono_us();
    print_message("GODWIT_TEST_SEED=%llu\n", (unsigned long long)seed);
    gw_rng_init(&storm.rng, seed);
    while (fixture.last < STORM_EVENTS) {
        size_t burst = (size_t)gw_rng_below(&storm.rng, STORM_BURST) + 1;
        relay_append(&fixture, GW_MIN(burst, (size_t)(STORM_EVENTS - fixture.last)));
        storm_step(&storm);
    }
    proc_forget_all();
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_catch_up(relay, STORM_EVENTS);
    gw_relay_free(relay);
    print_message("%u relays died\n", storm.kills);
    relay_assert_published(&fixture);
}

// ---- topics ---------------------------------------------------------------------------------------------------------

static void a_new_topic_gets_what_it_lacks(void **state)
{
    (void)state;
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_append(&fixture, 9);
    relay_catch_up(relay, 9);
    gw_relay_free(relay);

    fixture.routes_topic = fixture_topic("routes", 1); // made anew beside events that stay
    relay = relay_open(&fixture, NULL);
    relay_catch_up(relay, 9);
    gw_relay_free(relay);
    relay_assert_published(&fixture);

    fixture.events_topic = fixture_topic("events", 1); // and the other way round
    relay = relay_open(&fixture, NULL);
    relay_append(&fixture, 9);
    relay_catch_up(relay, 18);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
}

// Leaves `count` records of an aborted transaction at the end of a topic.
// Deletes a topic and makes it anew under its name. The adapter has no call for that: nothing of ours ever does it.
static void make_anew(const char *topic)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", getenv("GODWIT_KAFKA_BOOTSTRAP_SERVERS"), reason,
                                       sizeof reason),
                     RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteTopic_t *deletion = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(client, &deletion, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, FIXTURE_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(deletion);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);

    struct gw_kafka_admin *admin = fixture_admin();
    const struct gw_kafka_topic_spec spec = {.name = topic, .partition_count = 1, .replication_factor = 1};
    gw_err err = {0};
    assert_ok_err(gw_kafka_admin_topic_create(admin, &spec, FIXTURE_MS, &err), &err);
    gw_kafka_admin_free(admin);
}

static void a_topic_made_anew_under_a_running_relay_gets_what_it_lacks(void **state)
{
    (void)state;
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_append(&fixture, 9);
    relay_catch_up(relay, 9);
    make_anew(fixture.routes_topic);
    relay_append(&fixture, 1); // else a relay would believe afterwards that the others are there
    relay_catch_up(relay, 10);
    make_anew(fixture.events_topic);
    relay_append(&fixture, 1);
    relay_catch_up(relay, 11);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
}

static void put_aborted(const char *topic, unsigned count)
{
    gw_err err = {0};
    struct gw_kafka_producer *producer = fixture_producer(fixture_name("aborter"));
    assert_ok_err(gw_kafka_txn_begin(producer, &err), &err);
    for (unsigned i = 0; i < count; i++) {
        fixture_put(producer, topic, 0, "not to be seen");
    }
    assert_ok_err(gw_kafka_producer_flush(producer, FIXTURE_MS, &err), &err);
    assert_ok_err(gw_kafka_txn_abort(producer, FIXTURE_MS, &err), &err);
    gw_kafka_producer_free(producer);
}

static void the_last_record_is_found_behind_aborted_ones(void **state)
{
    (void)state;
    put_aborted(fixture.events_topic, 2); // a topic with nothing but them has nothing published
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_append(&fixture, 300);
    relay_catch_up(relay, 300);
    gw_relay_free(relay);
    put_aborted(fixture.events_topic, ABORTED);
    put_aborted(fixture.routes_topic, ABORTED);
    relay = relay_open(&fixture, NULL);
    relay_append(&fixture, 1);
    relay_catch_up(relay, 301);
    gw_relay_free(relay);
    relay_assert_published(&fixture);
}

static void assert_refuses(gw_status status, const char *why)
{
    enum gw_relay_state relay_state = GW_RELAY_WAITING;
    gw_err err = {0};
    struct gw_relay *relay = relay_open(&fixture, NULL);
    assert_fails(gw_relay_run(relay, &relay_state, NULL, &err), status);
    assert_non_null(strstr(err.message, why));
    gw_relay_free(relay);
}

static void a_topic_ahead_of_the_history_is_refused(void **state)
{
    (void)state;
    struct gw_relay *relay = relay_open(&fixture, NULL);
    relay_append(&fixture, 3);
    relay_catch_up(relay, 3);
    gw_relay_free(relay);

    const struct relay_fixture first = fixture;
    relay_begin(&fixture); // another database
    fixture.events_topic = first.events_topic;
    fixture.transactional_id = first.transactional_id;
    relay_append(&fixture, 2);
    assert_refuses(GW_E_MISMATCH, "the history ends at 2");
    relay_end(&fixture);
    fixture = first;
    relay_assert_published(&fixture);
}

static void a_gap_in_the_history_is_refused(void **state)
{
    (void)state;
    relay_append(&fixture, 1);
    fixture.last++;
    relay_append(&fixture, 1);
    assert_refuses(GW_E_MISMATCH, "no event 2, but 3");
    assert_int_equal(fixture_count(fixture.events_topic, 0, false), 0);
}

static void topics_that_are_not_ours_are_refused(void **state)
{
    (void)state;
    const char *events = fixture.events_topic;
    fixture.events_topic = fixture_topic("events", 2);
    assert_refuses(GW_E_MISMATCH, "has 2 partitions");
    fixture.events_topic = events;
    fixture_fill(fixture.routes_topic, 0, 1);
    assert_refuses(GW_E_UNKNOWN_SCHEMA, fixture.routes_topic);
}

// ---- latency --------------------------------------------------------------------------------------------------------

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void an_event_is_soon_readable(void **state)
{
    (void)state;
    uint64_t latencies_us[LATENCIES];
    struct proc *child = relay_child(&fixture, NULL, "");
    relay_append(&fixture, 1);
    wait_until(is_published, NULL, FIXTURE_MS, "the child has published");
    struct gw_kafka_consumer *reader = fixture_reader(fixture.events_topic, 0, GW_KAFKA_OFFSET_END, false);
    assert_true(fixture_next(reader).partition_end);
    for (size_t i = 0; i < LATENCIES; i++) {
        struct gw_kafka_record record = {.partition_end = true};
        relay_append(&fixture, 1);
        uint64_t start_us = gw_clock_mono_us();
        while (record.partition_end) {
            record = fixture_next(reader);
        }
        latencies_us[i] = gw_clock_mono_us() - start_us;
        gw_kafka_message_free(record.message);
    }
    gw_kafka_consumer_free(reader);
    proc_kill(child);
    qsort(latencies_us, LATENCIES, sizeof latencies_us[0], by_value);
    print_message("committed event to readable record, relay asked every %d ms: median %.1f ms, p99 %.1f ms\n", BEAT_MS,
                  (double)latencies_us[LATENCIES / 2] / 1e3, (double)latencies_us[LATENCIES * 99 / 100 - 1] / 1e3);
}

// ---- the child ------------------------------------------------------------------------------------------------------

GW_NORETURN static void run_relay(char **argv)
{
    enum gw_relay_state state = GW_RELAY_WAITING;
    gw_err err = {0};
    struct relay_fixture told = {.events_topic = argv[1], .routes_topic = argv[2], .transactional_id = argv[3]};
    struct gw_relay *relay = relay_open(&told, argv[0]);
    assert_ok_err(gw_faults_configure(argv[4], &err), &err);
    for (;;) {
        if (gw_relay_run(relay, &state, NULL, &err) != GW_OK) {
            printf("run failed: %s: %s\n", gw_status_name(err.status), err.message);
            fflush(stdout);
        }
        poll(NULL, 0, BEAT_MS);
    }
}

#define RELAY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "relay") == 0) {
        run_relay(argv + 2);
    }
    const struct CMUnitTest tests[] = {
        RELAY_TEST(publishes_the_history_once_and_in_order),
        RELAY_TEST(publishes_a_backlog_of_several_pages),
        RELAY_TEST(a_stop_ends_a_run_and_loses_nothing),
        RELAY_TEST(failures_around_a_commit_lose_and_repeat_nothing),
        RELAY_TEST(kills_around_a_commit_lose_and_repeat_nothing),
        RELAY_TEST(the_second_relay_waits_for_the_first),
        RELAY_TEST(a_relay_that_lost_its_session_publishes_nothing_and_waits),
        RELAY_TEST(a_frozen_relay_that_wakes_up_publishes_nothing),
        RELAY_TEST(kafka_alone_keeps_the_order_when_the_lock_does_not),
        RELAY_TEST(a_storm_of_kills_and_starts_publishes_each_event_once_in_order),
        RELAY_TEST(a_new_topic_gets_what_it_lacks),
        RELAY_TEST(a_topic_made_anew_under_a_running_relay_gets_what_it_lacks),
        RELAY_TEST(the_last_record_is_found_behind_aborted_ones),
        RELAY_TEST(a_topic_ahead_of_the_history_is_refused),
        RELAY_TEST(a_gap_in_the_history_is_refused),
        RELAY_TEST(topics_that_are_not_ours_are_refused),
        RELAY_TEST(an_event_is_soon_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
