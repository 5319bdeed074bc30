// SPDX-License-Identifier: MIT
// Events through rekey, aggregate and online: the rows in Redis equal a recount that this test makes from what it sent,
// whatever is killed or emptied on the way. The recount knows nothing of godwit's aggregates: it keeps every event and
// adds 2^-(age / half-life).
#include "support/records.h"

#include "base/clock.h"
#include "base/rng.h"
#include "feature/row.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    USERS = 12,
    TWEETS = 30,
    AUTHORS = 6,
    EVENTS_MAX = 20000,
    FIRST_TWEET = 1000,
    FIRST_AUTHOR = 500,
    HOUR_MS = 3600 * 1000,
};

static struct cluster cluster;
static struct gw_rng rng;

// ---- what was sent --------------------------------------------------------------------------------------------------

struct sent {
    int64_t time_ms;
    int64_t user;
    int64_t tweet;
    int64_t author;
    bool fav; // else an impression
};

static struct sent sent[EVENTS_MAX];
static size_t sent_count;
static uint64_t records_sent; // to all source topics, good or not
static uint64_t duplicates_sent;
static uint64_t late_sent; // dead letters
static uint64_t next_event_id = 1;
static int64_t followers[AUTHORS];

static struct gw_user_action make_action(const struct sent *event, uint64_t event_id)
{
    struct gw_user_action action = {.event_time_ms = event->time_ms,
                                    .user_id = event->user,
                                    .action_type = event->fav ? GW_ACTION_TYPE_CLIENT_TWEET_FAV
                                                              : GW_ACTION_TYPE_CLIENT_TWEET_RENDER_IMPRESSION,
                                    .has_tweet_id = true,
                                    .tweet_id = event->tweet,
                                    .has_author_id = true,
                                    .author_id = event->author,
                                    .surface = GW_PRODUCT_SURFACE_HOME_TIMELINE};
    records_id(action.event_id, 4711, event_id);
    return action;
}

static void send_action(const struct sent *event, uint64_t event_id)
{
    const struct gw_user_action action = make_action(event, event_id);
    RECORDS_SEND(&cluster, GW_TOPIC_UNIFIED_USER_ACTIONS, gw_user_action_encode, &action, event->user);
    records_sent++;
}

static struct sent draw(void)
{
    int64_t tweet = (int64_t)gw_rng_below(&rng, TWEETS);
    return (struct sent){.time_ms = gw_clock_wall_ms() - (int64_t)gw_rng_below(&rng, 3 * HOUR_MS), // out of order, too
                         .user = 1 + (int64_t)gw_rng_below(&rng, USERS),
                         .tweet = FIRST_TWEET + tweet,
                         .author = FIRST_AUTHOR + tweet % AUTHORS,
                         .fav = gw_rng_below(&rng, 4) == 0};
}

static void send_actions(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(sent_count < EVENTS_MAX);
        sent[sent_count] = draw();
        send_action(&sent[sent_count++], next_event_id++);
        if (i % 50 == 7) { // a producer that repeats itself
            send_action(&sent[sent_count - 1], next_event_id - 1);
            duplicates_sent++;
        }
        if (i % 200 == 11) { // a wild clock: an hour ahead
            struct sent wild = draw();
            wild.time_ms = gw_clock_wall_ms() + HOUR_MS;
            send_action(&wild, next_event_id++);
            late_sent++;
        }
    }
    records_flush(&cluster);
}

static void send_entities(void)
{
    for (int i = 0; i < TWEETS; i++) {
        struct gw_tweet_event tweet = {.event_time_ms = gw_clock_wall_ms() - 4 * HOUR_MS,
                                       .kind = GW_TWEET_EVENT_KIND_CREATE,
                                       .tweet_id = FIRST_TWEET + i,
                                       .author_id = FIRST_AUTHOR + i % AUTHORS,
                                       .text_length = 10 + i,
                                       .language = gw_slice_text("en")};
        records_id(tweet.event_id, 4712, (uint64_t)i);
        RECORDS_SEND(&cluster, GW_TOPIC_TWEET_EVENTS, gw_tweet_event_encode, &tweet, tweet.author_id);
        records_sent++;
    }
    for (int i = 0; i < AUTHORS; i++) {
        followers[i] = 1000 + 37 * i;
        struct gw_user_profile profile = {.event_time_ms = gw_clock_wall_ms(),
                                          .kind = GW_USER_PROFILE_KIND_UPDATE,
                                          .user_id = FIRST_AUTHOR + i,
                                          .follower_count = followers[i],
                                          .user_state = GW_USER_STATE_LIGHT};
        records_id(profile.event_id, 4713, (uint64_t)i);
        RECORDS_SEND(&cluster, GW_TOPIC_USER_MODIFICATIONS, gw_user_profile_encode, &profile, profile.user_id);
        records_sent++;
    }
    records_flush(&cluster);
}

// ---- the recount ----------------------------------------------------------------------------------------------------

enum key { BY_USER, BY_TWEET, BY_AUTHOR };

// Sum over matching events of 2^-(age at `at_us` / half-life); half_life_h 0: their number.
static double recount(enum key key, int64_t id, bool fav, double half_life_h, int64_t at_us)
{
    double sum = 0;
    for (size_t i = 0; i < sent_count; i++) {
        const struct sent *event = &sent[i];
        int64_t entity = key == BY_USER ? event->user : key == BY_TWEET ? event->tweet : event->author;
        if (entity == id && event->fav == fav) {
            double age_h = ((double)at_us / 1000.0 - (double)event->time_ms) / HOUR_MS;
            sum += half_life_h > 0 ? exp2(-age_h / half_life_h) : 1;
        }
    }
    return sum;
}

static const struct check {
    const char *view;
    const char *feature;
    enum key key;
    bool fav;
    double half_life_h;
} checks[] = {
    {"user", "user.favs_48h", BY_USER, true, 48},
    {"user", "user.impressions_30m", BY_USER, false, 0.5},
    {"user", "user.favs_30m", BY_USER, true, 0.5},
    {"tweet", "tweet.favs_total", BY_TWEET, true, 0},
    {"tweet", "tweet.impressions_total", BY_TWEET, false, 0},
    {"tweet", "tweet.favs_30m", BY_TWEET, true, 0.5},
    {"author", "author.favs_24h", BY_AUTHOR, true, 24},
    {"author", "author.impressions_24h", BY_AUTHOR, false, 24},
};

static const uint8_t *read_row(struct gw_store *store, const char *view_name, int64_t id, struct gw_slice *row)
{
    const struct gw_feature_set *set = cluster.runtime.features;
    const struct gw_feature_view *view = gw_feature_set_view(set, (size_t)gw_feature_set_find_view(set, view_name));
    const struct gw_row_key key = {.view = view->code, .id_count = 1, .id = {id, 0}};
    gw_err err = {0};
    assert_ok_err(gw_store_read(store, &key, 1, gw_clock_mono_us() + 5000000, row, &err), &err);
    if (row->data == NULL || gw_row_check(view, *row, &err) != GW_OK) {
        return NULL;
    }
    return row->data;
}

// Compares one feature over all entities; prints the first difference when asked to.
static bool feature_agrees(struct gw_store *store, const struct check *check, bool print)
{
    int feature = gw_feature_set_find(cluster.runtime.features, check->feature);
    int64_t first = check->key == BY_USER ? 1 : check->key == BY_TWEET ? FIRST_TWEET : FIRST_AUTHOR;
    int64_t count = check->key == BY_USER ? USERS : check->key == BY_TWEET ? TWEETS : AUTHORS;
    assert_true(feature >= 0);
    for (int64_t id = first; id < first + count; id++) {
        struct gw_slice bytes;
        double value = 0;
        const uint8_t *row = read_row(store, check->view, id, &bytes);
        double expected =
            recount(check->key, id, check->fav, check->half_life_h, row != NULL ? gw_row_event_time_us(row) : 0);
        if (row == NULL || !gw_row_number(cluster.runtime.features, feature, row, &value)) {
            value = 0; // nothing came yet
        }
        double tolerance = check->half_life_h > 0 ? 1e-6 * (1 + expected) : 0;
        if (!(fabs(value - expected) <= tolerance)) {
            if (print) {
                print_error("%s of %lld is %.9g, recount says %.9g\n", check->feature, (long long)id, value, expected);
            }
            return false;
        }
    }
    return true;
}

static bool rows_agree(struct gw_store *store, bool print)
{
    bool agree = true;
    for (size_t i = 0; i < GW_COUNT_OF(checks); i++) {
        agree = feature_agrees(store, &checks[i], print) && agree;
    }
    for (int i = 0; i < AUTHORS; i++) {
        struct gw_slice bytes;
        double value = 0;
        const uint8_t *row = read_row(store, "author", FIRST_AUTHOR + i, &bytes);
        int feature = gw_feature_set_find(cluster.runtime.features, "author.follower_count");
        if (row == NULL || !gw_row_number(cluster.runtime.features, feature, row, &value) ||
            value != (double)followers[i]) {
            if (print) {
                print_error("author.follower_count of %d is %g, sent was %lld\n", FIRST_AUTHOR + i, value,
                            (long long)followers[i]);
            }
            agree = false;
        }
    }
    return agree;
}

// ---- waiting until everything has flowed through --------------------------------------------------------------------

static uint64_t rekey_total(struct gw_ledger *ret_sum)
{
    static const enum gw_topic sources[] = {GW_TOPIC_UNIFIED_USER_ACTIONS, GW_TOPIC_TWEET_EVENTS,
                                            GW_TOPIC_SOCIAL_WRITE_EVENT, GW_TOPIC_USER_MODIFICATIONS};
    struct gw_ledger sum = {0};
    for (size_t i = 0; i < GW_COUNT_OF(sources); i++) {
        struct gw_ledger one = cluster_ledger_sum(&cluster, "rekey", sources[i]);
        for (int o = 0; o < GW_OUTCOME_COUNT; o++) {
            sum.counts[o] += one.counts[o];
        }
    }
    *ret_sum = sum;
    return gw_ledger_total(&sum);
}

static bool rekey_done(void *context)
{
    return rekey_total(context) >= records_sent;
}

static bool aggregate_done(void *context)
{
    struct gw_ledger sum = cluster_ledger_sum(&cluster, "aggregate", GW_TOPIC_ENTITY_EVENTS);
    return gw_ledger_total(&sum) >= *(uint64_t *)context;
}

struct ends {
    int64_t next[CLUSTER_ENTITIES];
    struct gw_store *store;
};

static void note_end(void *context, const struct gw_kafka_record *record)
{
    struct ends *ends = context;
    ends->next[record->partition] = record->offset + 1;
}

static bool online_done(void *context)
{
    struct ends *ends = context;
    for (int32_t p = 0; p < CLUSTER_ENTITIES; p++) {
        struct gw_store_position position;
        gw_err err = {0};
        assert_ok_err(gw_store_position(ends->store, p, &position, &err), &err);
        if (position.next_offset < ends->next[p]) {
            return false;
        }
    }
    return true;
}

// Returns with everything that was sent in Redis; then nothing moves any more, so one look decides.
static void settle(struct gw_store *store, struct gw_ledger *ret_rekey)
{
    wait_until(rekey_done, ret_rekey, CLUSTER_WAIT_MS, "rekey at the end of its inputs");
    uint64_t entity_events =
        records_count(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_ENTITY_EVENTS), CLUSTER_ENTITIES);
    wait_until(aggregate_done, &entity_events, CLUSTER_WAIT_MS, "aggregate at the end of entity_events");
    struct ends ends = {.store = store};
    records_read(&cluster, gw_runtime_topic(&cluster.runtime, GW_TOPIC_FEATURE_UPDATES), CLUSTER_ENTITIES, note_end,
                 &ends);
    wait_until(online_done, &ends, CLUSTER_WAIT_MS, "online at the end of feature_updates");
}

static void assert_exact(struct gw_store *store)
{
    struct gw_ledger rekey;
    settle(store, &rekey);
    assert_true(rows_agree(store, true));
    assert_int_equal(gw_ledger_total(&rekey), records_sent);
    assert_int_equal(rekey.counts[GW_OUTCOME_IGNORED], duplicates_sent);
    assert_int_equal(rekey.counts[GW_OUTCOME_DEAD_LETTER], late_sent);
    assert_int_equal(records_count(&cluster, gw_runtime_dlq(&cluster.runtime, GW_TOPIC_UNIFIED_USER_ACTIONS), 1),
                     late_sent);
}

// ---- the tests, one story -------------------------------------------------------------------------------------------

static const char *const names[3] = {"rekey", "aggregate", "online"};
static struct cluster_worker workers[3];
static struct gw_store *store;

static int setup(void **state)
{
    (void)state;
    const char *chosen = getenv("GODWIT_TEST_SEED");
    uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 10) : (uint64_t)gw_clock_wall_us();
    print_message("GODWIT_TEST_SEED=%llu\n", (unsigned long long)seed);
    gw_rng_init(&rng, seed);
    static const char *const sets[] = {"worker.poll_records=64", NULL};
    cluster_begin(&cluster, "features", sets);
    store = cluster_store(&cluster);
    for (int i = 0; i < 3; i++) {
        workers[i] = cluster_run(&cluster, names[i], NULL);
    }
    for (int i = 0; i < 3; i++) {
        cluster_wait_ready(&workers[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gw_store_free(store);
    cluster_end(&cluster);
    return 0;
}

static void rows_in_redis_equal_a_recount(void **state)
{
    (void)state;
    send_entities();
    send_actions(400);
    assert_exact(store);
}

static bool moved_on(void *context)
{
    struct gw_ledger now;
    return rekey_total(&now) >= *(uint64_t *)context;
}

static void rows_stay_exact_when_workers_are_killed(void **state)
{
    (void)state;
    for (int round = 0; round < 9; round++) {
        send_actions(250);
        uint64_t target = records_sent - 250 + gw_rng_below(&rng, 250); // somewhere inside this portion
        wait_until(moved_on, &target, CLUSTER_WAIT_MS, "rekey inside a portion");
        int victim = round % 3;
        proc_kill(workers[victim].proc);
        workers[victim] = cluster_run(&cluster, names[victim], NULL);
    }
    assert_exact(store);
}

static bool rows_are_coming(void *context)
{
    (void)context;
    struct gw_store_position position;
    gw_err err = {0};
    assert_ok_err(gw_store_position(store, 0, &position, &err), &err);
    return position.next_offset > 0;
}

static void redis_emptied_under_traffic_comes_back_equal_to_a_recount(void **state)
{
    (void)state;
    gw_err err = {0};
    for (int round = 0; round < 3; round++) {
        uint64_t removed = 0;
        send_actions(300);
        wait_until(rows_are_coming, NULL, CLUSTER_WAIT_MS, "rows in Redis");
        assert_ok_err(gw_store_clear(store, &removed, &err), &err);
        assert_true(removed > 0);
        send_actions(300);
    }
    assert_exact(store);
}

static bool aggregate_waits(void *context)
{
    (void)context;
    return proc_logged(workers[1].proc, "redis holds partition");
}

// aggregate lets go of rows that Redis holds. When Redis then has lost them, an answer "no such row" is not believed.
static void aggregate_does_not_believe_a_redis_that_lost_rows(void **state)
{
    (void)state;
    gw_err err = {0};
    uint64_t removed = 0;
    cluster_stop(&workers[1]);
    workers[1] = cluster_run_ready(&cluster, "aggregate", NULL); // knows nothing: its rows are Redis's
    cluster_stop(&workers[2]);
    assert_ok_err(gw_store_clear(store, &removed, &err), &err);
    send_actions(200);
    wait_until(aggregate_waits, NULL, CLUSTER_WAIT_MS, "aggregate to notice that Redis went back");
    workers[2] = cluster_run(&cluster, "online", NULL);
    assert_exact(store);
}

static void workers_drain_on_sigterm(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        cluster_stop(&workers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_redis_equal_a_recount),
        cmocka_unit_test(rows_stay_exact_when_workers_are_killed),
        cmocka_unit_test(redis_emptied_under_traffic_comes_back_equal_to_a_recount),
        cmocka_unit_test(aggregate_does_not_believe_a_redis_that_lost_rows),
        cmocka_unit_test(workers_drain_on_sigterm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
