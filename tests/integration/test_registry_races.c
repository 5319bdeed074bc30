// SPDX-License-Identifier: MIT
// Changes at once, and connections that end in the middle, against a real PostgreSQL (GODWIT_POSTGRES_URI).
#include "integration/registry_bundles.h"

#include "base/clock.h"

#include <pthread.h>

enum { RACERS = 4, ROUNDS = 25 };

static struct bundles b;
static gw_err err;

struct racer {
    pthread_t thread;
    pthread_barrier_t *start;
    struct gw_registry *registry;
    int64_t if_revision;
    int32_t version;
    const char *key;
    char text[GW_ROUTE_DIGEST_BYTES]; // digest to fetch
    gw_status status;
    gw_err err;
    struct gw_registry_outcome outcome;
};

static void *promote_at_once(void *context)
{
    struct racer *racer = context;
    struct gw_registry_change change = by("race");
    change.if_revision = racer->if_revision;
    change.idempotency_key = racer->key;
    pthread_barrier_wait(racer->start);
    racer->status = gw_registry_promote(racer->registry, MODEL, racer->version, &change, &racer->outcome, &racer->err);
    return NULL;
}

static void *fetch_at_once(void *context)
{
    struct racer *racer = context;
    char cache[128];
    snprintf(cache, sizeof cache, "%s/cache", b.folder);
    pthread_barrier_wait(racer->start);
    racer->status = gw_artefacts_fetch(racer->registry, cache, racer->text, NULL, 0, &racer->err);
    return NULL;
}

static void run_race(struct racer *racers, void *(*run)(void *))
{
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (int i = 0; i < RACERS; i++) {
        racers[i].start = &start;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, run, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    }
    pthread_barrier_destroy(&start);
}

static void open_racers(struct racer *racers)
{
    for (int i = 0; i < RACERS; i++) {
        uint64_t latency_us = 0;
        racers[i] = (struct racer){.registry = registry_handle(&b)};
        assert_ok(gw_postgres_ping(gw_registry_postgres(racers[i].registry), &latency_us, &err));
    }
}

static void close_racers(struct racer *racers)
{
    for (int i = 0; i < RACERS; i++) {
        gw_registry_free(racers[i].registry);
    }
}

static void one_of_several_promotions_at_a_revision_wins(void **state)
{
    (void)state;
    struct racer racers[RACERS];
    bundles_open(&b);
    bundles_fill(&b, 2 * RACERS + 1, true);
    open_racers(racers);
    for (int round = 0; round < ROUNDS; round++) {
        int won = 0;
        const int64_t revision = revision_of(&b);
        for (int i = 0; i < RACERS; i++) {
            racers[i].if_revision = revision;
            racers[i].version = 2 + i + RACERS * (round % 2); // never the present champion
        }
        run_race(racers, promote_at_once);
        for (int i = 0; i < RACERS; i++) {
            if (racers[i].status == GW_OK) {
                char text[64];
                won++;
                snprintf(text, sizeof text, "%d:champion:10000", racers[i].version);
                assert_string_equal(route_text(&b), text);
            } else if (racers[i].status != GW_E_STALE) {
                assert_fails(racers[i].status, GW_E_CONFLICT);
            }
        }
        assert_int_equal(won, 1);
    }
    assert_consistent(&b);
    close_racers(racers);
    bundles_close(&b);
}

// Without a revision the losers are those that looked before the winner was done; what comes after it is in order.
static void promotions_at_once_conflict_or_follow(void **state)
{
    (void)state;
    struct racer racers[RACERS];
    int conflicts = 0;
    bundles_open(&b);
    bundles_fill(&b, 2 * RACERS + 1, true);
    open_racers(racers);
    for (int round = 0; round < ROUNDS; round++) {
        int won = 0;
        for (int i = 0; i < RACERS; i++) {
            racers[i].version = 2 + i + RACERS * (round % 2);
        }
        run_race(racers, promote_at_once);
        for (int i = 0; i < RACERS; i++) {
            won += racers[i].status == GW_OK;
            if (racers[i].status != GW_OK) {
                assert_fails(racers[i].status, GW_E_CONFLICT);
                assert_non_null(strstr(racers[i].err.message, "changed meanwhile: promote of version"));
                conflicts++;
            }
        }
        assert_true(won >= 1);
    }
    assert_true(conflicts > 0);
    assert_consistent(&b);
    close_racers(racers);
    bundles_close(&b);
}

static void one_key_at_once_is_one_change(void **state)
{
    (void)state;
    struct racer racers[RACERS];
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    open_racers(racers);
    for (int round = 0; round < ROUNDS; round++) {
        char key[32];
        int first = 0;
        int64_t sequence = 0;
        const int64_t events = event_count(&b);
        snprintf(key, sizeof key, "round-%d", round);
        for (int i = 0; i < RACERS; i++) {
            racers[i].version = 2 + round % 2;
            racers[i].key = key;
        }
        run_race(racers, promote_at_once);
        for (int i = 0; i < RACERS; i++) {
            assert_ok_err(racers[i].status, &racers[i].err);
            first += !racers[i].outcome.repeated;
            assert_true(sequence == 0 || racers[i].outcome.sequence == sequence);
            sequence = racers[i].outcome.sequence;
        }
        assert_int_equal(first, 1);
        assert_int_equal(event_count(&b), events + 2);
    }
    assert_consistent(&b);
    close_racers(racers);
    bundles_close(&b);
}

static void fetches_at_once_all_find_the_artefact(void **state)
{
    (void)state;
    struct racer racers[RACERS];
    char path[128];
    char digest[GW_ROUTE_DIGEST_BYTES];
    char cache[128];
    bundles_open(&b);
    bundle_write(&b, 1, path);
    assert_ok(gw_artefacts_store(b.registry, path, digest, &err));
    snprintf(cache, sizeof cache, "%s/cache", b.folder);
    open_racers(racers);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < RACERS; i++) {
            snprintf(racers[i].text, sizeof racers[i].text, "%s", digest);
        }
        run_race(racers, fetch_at_once);
        for (int i = 0; i < RACERS; i++) {
            assert_ok_err(racers[i].status, &racers[i].err);
        }
        struct gw_bundle *bundle = NULL;
        char directory[256];
        snprintf(directory, sizeof directory, "%s/%s", cache, digest);
        assert_ok(gw_bundle_load(directory, &bundle, &err));
        gw_bundle_unref(bundle);
        gw_artefacts_forget(cache, digest);
        assert_int_equal(rmdir(cache), 0); // nothing else was left
    }
    close_racers(racers);
    bundles_close(&b);
}

// ---- connections that end -------------------------------------------------------------------------------------------

static void wait_until(struct gw_postgres *postgres, const char *sql)
{
    const uint64_t end_us = gw_clock_mono_us() + 20000000;
    while (registry_number(postgres, sql) == 0) {
        assert_true(gw_clock_mono_us() < end_us);
    }
}

// The promotion waits inside its transaction, for a lock that the test holds, when its connection is ended: once before
// anything is written, once after versions are.
static void ended_connection_leaves_nothing_half_done(void **state)
{
    (void)state;
    static const char *const held[] = {
        "SELECT 1 FROM registry_clock FOR UPDATE", "SELECT 1 FROM registry_versions WHERE version = 2 FOR UPDATE",
        "LOCK TABLE registry_events IN SHARE ROW EXCLUSIVE MODE", "SELECT 1 FROM registry_models FOR UPDATE"};
    bundles_open(&b);
    bundles_fill(&b, 2, true);
    for (size_t i = 0; i < GW_COUNT_OF(held); i++) {
        struct racer racer = {.registry = registry_handle(&b), .version = 2};
        pthread_barrier_t start;
        char sql[160];
        const int64_t events = event_count(&b);
        const int64_t backend = registry_number(gw_registry_postgres(racer.registry), "SELECT pg_backend_pid()");
        assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
        racer.start = &start;
        assert_ok(gw_postgres_begin(b.fixture.postgres, &err));
        assert_ok_err(gw_postgres_exec(b.fixture.postgres, held[i], NULL, 0, NULL, &err), &err);
        assert_int_equal(pthread_create(&racer.thread, NULL, promote_at_once, &racer), 0);
        pthread_barrier_wait(&start);
        struct gw_postgres *watcher = registry_connect(b.fixture.uri);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %lld AND wait_event_type = 'Lock'",
                 (long long)backend);
        wait_until(watcher, sql);
        snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%lld, 10000)::int", (long long)backend);
        assert_int_equal(registry_number(watcher, sql), 1);
        gw_postgres_free(watcher);
        assert_int_equal(pthread_join(racer.thread, NULL), 0);
        gw_postgres_rollback(b.fixture.postgres);
        pthread_barrier_destroy(&start);
        assert_fails(racer.status, GW_E_UNAVAILABLE);
        assert_int_equal(event_count(&b), events);
        assert_string_equal(route_text(&b), "1:champion:10000");
        assert_consistent(&b);
        gw_registry_free(racer.registry);
    }
    assert_ok_err(promote(b.registry, 2, &err), &err);
    assert_string_equal(route_text(&b), "2:champion:10000");
    bundles_close(&b);
}

struct registration {
    struct racer racer;
    char path[128];
};

static void *register_at_once(void *context)
{
    struct registration *registration = context;
    struct racer *racer = &registration->racer;
    struct gw_registry_change change = by("race");
    change.if_revision = racer->if_revision;
    const struct gw_registry_register request = {
        .model = MODEL, .directory = registration->path, .description = "", .features = b.features};
    racer->status = gw_registry_register(racer->registry, &request, &change, &racer->outcome, &racer->err);
    return NULL;
}

// Another change is made while the registration waits for the lock, behind its last look.
static void registration_follows_what_happened_meanwhile(void **state)
{
    (void)state;
    bundles_open(&b);
    bundles_fill(&b, 2, true);
    for (int conditional = 0; conditional < 2; conditional++) {
        struct registration registration = {.racer = {.registry = registry_handle(&b)}};
        struct racer *racer = &registration.racer;
        char sql[160];
        racer->if_revision = conditional ? revision_of(&b) : 0;
        bundle_write(&b, 10 + conditional, registration.path);
        const int64_t backend = registry_number(gw_registry_postgres(racer->registry), "SELECT pg_backend_pid()");
        assert_ok(gw_postgres_begin(b.fixture.postgres, &err));
        assert_ok_err(gw_postgres_exec(b.fixture.postgres,
                                       "WITH taken AS (UPDATE registry_clock SET sequence = sequence + 1 RETURNING *), "
                                       "event AS (INSERT INTO registry_events (sequence, model, version, transition, "
                                       "from_state, to_state, digest, actor, reason, at) SELECT sequence, '" MODEL
                                       "', 2, 'note', 'VERIFIED', 'VERIFIED', '', 'test', '', at FROM taken) "
                                       "UPDATE registry_models SET revision = taken.sequence FROM taken",
                                       NULL, 0, NULL, &err),
                      &err);
        assert_int_equal(pthread_create(&racer->thread, NULL, register_at_once, &registration), 0);
        struct gw_postgres *watcher = registry_connect(b.fixture.uri);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %lld AND wait_event_type = 'Lock'",
                 (long long)backend);
        wait_until(watcher, sql);
        gw_postgres_free(watcher);
        assert_ok_err(gw_postgres_commit(b.fixture.postgres, &err), &err);
        assert_int_equal(pthread_join(racer->thread, NULL), 0);
        if (conditional) {
            assert_fails(racer->status, GW_E_STALE);
        } else {
            assert_ok_err(racer->status, &racer->err);
            assert_int_equal(racer->outcome.version, 3);
        }
        gw_registry_free(racer->registry);
    }
    bundles_close(&b);
}

static void artefact_is_stored_whole_or_not_at_all(void **state)
{
    (void)state;
    char path[128];
    char digest[GW_ROUTE_DIGEST_BYTES];
    bundles_open(&b);
    bundle_write(&b, 1, path);
    registry_run(b.fixture.postgres,
                 "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                 "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$; "
                 "CREATE TRIGGER die BEFORE INSERT ON registry_artefact_files FOR EACH ROW EXECUTE FUNCTION die()");
    assert_fails(gw_artefacts_store(b.registry, path, digest, &err), GW_E_UNAVAILABLE);
    assert_int_equal(registry_number(b.fixture.postgres, "SELECT (SELECT count(*) FROM registry_blobs) + (SELECT "
                                                         "count(*) FROM registry_artefacts)"),
                     0);
    bundles_close(&b);
}

static int by_value(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t c = *(const uint64_t *)right;
    return (a > c) - (a < c);
}

// Says what a promotion costs here; the bound is only there to notice a regression of another order of magnitude.
static void promotion_is_quick(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    uint64_t times_us[COUNT];
    bundles_open(&b);
    bundles_fill(&b, 3, true);
    for (int i = 0; i < COUNT; i++) {
        const uint64_t start_us = gw_clock_mono_us();
        assert_ok(promote(b.registry, 2 + i % 2, &err));
        times_us[i] = gw_clock_mono_us() - start_us;
    }
    qsort(times_us, COUNT, sizeof times_us[0], by_value);
    print_message("promote: median %.1f ms, slowest %.1f ms of %d\n", (double)times_us[COUNT / 2] / 1000,
                  (double)times_us[COUNT - 1] / 1000, COUNT);
    assert_true(times_us[COUNT / 2] < 500000);
    bundles_close(&b);
}

GW_TESTS(one_of_several_promotions_at_a_revision_wins, promotions_at_once_conflict_or_follow,
         one_key_at_once_is_one_change, fetches_at_once_all_find_the_artefact,
         ended_connection_leaves_nothing_half_done, registration_follows_what_happened_meanwhile,
         artefact_is_stored_whole_or_not_at_all, promotion_is_quick)
