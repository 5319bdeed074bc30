// SPDX-License-Identifier: MIT
// A change's life at the command line: made, published, told.
//
// It is published here so that a promotion takes effect although no bridge runs. Where a bridge does run, its relay has
// the lock and is quicker; then this one waits until the history is published. Kafka or the schema registry away is no
// failure: the change stands in the history, which is the outbox.
#include "cli/models.h"

#include "base/clock.h"
#include "base/log.h"
#include "registry/documents.h"
#include "rollout/state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PUBLISH_WAIT_US = 5000000, LOOK_AGAIN_NS = 20000000 };

// ---- publish --------------------------------------------------------------------------------------------------------

// How far any relay has come, by the registry.
static gw_status read_published(struct gw_registry *registry, int64_t *ret_published, gw_err *err)
{
    struct gw_postgres_rows *rows = NULL;
    GW_TRY(
        gw_postgres_exec(gw_registry_postgres(registry), "SELECT published FROM registry_relay", NULL, 0, &rows, err));
    gw_status status = gw_postgres_rows_count(rows) == 1 ? gw_postgres_rows_int64(rows, 0, 0, ret_published, err)
                                                         : gw_fail(err, GW_E_MISMATCH, "registry_relay has no row");
    gw_postgres_rows_free(rows);
    return status;
}

static gw_status relay_until(struct gw_relay *relay, struct gw_registry *registry, int64_t sequence, gw_err *err)
{
    static const struct timespec look_again = {.tv_nsec = LOOK_AGAIN_NS};
    uint64_t deadline_us = gw_clock_mono_us() + PUBLISH_WAIT_US;
    for (;;) {
        enum gw_relay_state state = GW_RELAY_WAITING;
        int64_t published = 0;
        GW_TRY(gw_relay_run(relay, &state, &published, err));
        if (state == GW_RELAY_WAITING) {
            GW_TRY(read_published(registry, &published, err));
        }
        if (published >= sequence) {
            return GW_OK;
        }
        if (gw_clock_mono_us() >= deadline_us) {
            return gw_fail(err, GW_E_TIMEOUT, "another relay is at work and has come to event %lld",
                           (long long)published);
        }
        nanosleep(&look_again, NULL);
    }
}

static gw_status publish(const struct gw_cli *cli, struct gw_registry *registry, int64_t sequence, gw_err *err)
{
    struct gw_runtime runtime;
    struct gw_relay_settings settings = {0};
    struct gw_relay *relay = NULL;
    atomic_bool stop = false;
    GW_TRY(gw_runtime_init(&runtime, cli->config, GW_RUNTIME_SCHEMAS, &stop, err));
    gw_status status = gw_relay_settings_init(&settings, &runtime, "godwit models relay", err);
    if (status == GW_OK) {
        status = gw_relay_new(&settings.options, &relay, err);
    }
    if (status == GW_OK) {
        status = relay_until(relay, registry, sequence, err);
        gw_relay_free(relay);
    }
    gw_relay_settings_deinit(&settings);
    gw_runtime_deinit(&runtime);
    return status;
}

bool gw_cli_publish(const struct gw_cli *cli, struct gw_registry *registry, int64_t sequence)
{
    gw_err err = {0};
    gw_log_configure(GW_LOG_ERROR, "models"); // what matters to whoever typed the command is said below
    if (publish(cli, registry, sequence, &err) == GW_OK) {
        return true;
    }
    fflush(stdout);
    fprintf(stderr, "godwit: recorded; will be published when a bridge runs: %s\n", err.message);
    return false;
}

// ---- tell -----------------------------------------------------------------------------------------------------------

// The last event of the change, and what it did to the routes.
static void print_published(struct gw_cli_change *change, const struct gw_registry_outcome *outcome, bool published)
{
    struct gw_registry *registry = change->registry.handle;
    const struct gw_registry_event *events = NULL;
    size_t count = 0;
    bool routes = gw_registry_history(registry, change->model, outcome->sequence + 1, 1, &change->registry.arena,
                                      &events, &count, NULL) == GW_OK &&
                  count == 1 && events[0].route != NULL;
    printf("; %s %lld %s\n", routes ? "route" : "event", (long long)outcome->sequence,
           published ? "published" : "recorded");
}

static const char *next_step(const struct gw_registry_version *version)
{
    switch (version->state) {
    case GW_ROLLOUT_REGISTERED:
        return "register it again where its features are defined: it cannot serve unchecked";
    case GW_ROLLOUT_VERIFIED:
        return "'godwit models promote', 'split' or 'shadow' puts it to work";
    case GW_ROLLOUT_SHADOW:
    case GW_ROLLOUT_CANARY:
        return "'godwit models promote' when it does well";
    case GW_ROLLOUT_CHAMPION:
        return "'godwit models rollback' goes back to the one before";
    case GW_ROLLOUT_RETIRED:
    case GW_ROLLOUT_REJECTED:
        return version->archived ? "'godwit models gc' frees its artefact" : NULL;
    case GW_ROLLOUT_STATE_COUNT:
        break;
    }
    return NULL;
}

// The version that the change was about. False: of the model, or it cannot be shown any more. The change is made, so
// that is no failure of the command.
static bool look_at_version(struct gw_cli_change *change, const struct gw_registry_outcome *outcome,
                            struct gw_registry_version *ret_version)
{
    gw_err err = {0};
    if (outcome->version == 0) {
        return false;
    }
    if (gw_registry_get_version(change->registry.handle, change->model, outcome->version, &change->registry.arena,
                                ret_version, &err) == GW_OK) {
        return true;
    }
    fflush(stdout);
    fprintf(stderr, "godwit: done; version %d cannot be shown: %s\n", outcome->version, err.message);
    return false;
}

static void tell_text(struct gw_cli_change *change, const struct gw_registry_outcome *outcome, bool published)
{
    struct gw_registry_version version;
    const char *again = outcome->repeated ? " (done before)" : "";
    if (!look_at_version(change, outcome, &version)) {
        printf("%s is at revision %lld%s", change->model, (long long)outcome->revision, again);
        print_published(change, outcome, published);
        return;
    }
    printf("%s version %d is %s", change->model, version.version,
           version.archived ? "archived" : gw_rollout_state_name(version.state));
    if (version.state == GW_ROLLOUT_CANARY) {
        char share[GW_CLI_SHARE_BYTES];
        gw_cli_format_share(version.weight, share);
        printf(" with %s of users", share);
    }
    if (outcome->previous_version != 0) {
        printf(" (was version %d)", outcome->previous_version);
    }
    fputs(again, stdout);
    print_published(change, outcome, published);
    const char *next = next_step(&version);
    if (next != NULL) {
        printf("next: %s\n", next);
    }
}

static gw_status tell_json(struct gw_cli_change *change, const struct gw_registry_outcome *outcome, bool published,
                           gw_err *err)
{
    struct gw_registry_version version;
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    bool known = look_at_version(change, outcome, &version);
    gw_json_writer_init(&writer, &out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "outcome");
    gw_registry_write_outcome(&writer, change->model, outcome);
    gw_json_write_key(&writer, "version");
    if (known) {
        gw_registry_write_version(&writer, &version, true);
    } else {
        gw_json_write_null(&writer);
    }
    gw_json_write_key(&writer, "published");
    gw_json_write_bool(&writer, published);
    gw_json_object_end(&writer);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

// ---- change ---------------------------------------------------------------------------------------------------------

void gw_cli_default_actor(char ret_actor[GW_CLI_ACTOR_BYTES])
{
    char host[65] = "";
    const char *user = getenv("USER");
    if (user == NULL || user[0] == '\0') {
        user = getenv("LOGNAME");
    }
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        snprintf(host, sizeof host, "localhost");
    }
    if (user != NULL && user[0] != '\0') {
        snprintf(ret_actor, GW_CLI_ACTOR_BYTES, "%.60s@%s", user, host);
    } else {
        snprintf(ret_actor, GW_CLI_ACTOR_BYTES, "uid-%u@%s", (unsigned)getuid(), host);
    }
}

static gw_status take_words(struct gw_cli_change *change, gw_err *err)
{
    const struct gw_cli *cli = change->cli;
    const char *actor = gw_cli_value(cli, "--actor");
    const char *reason = gw_cli_value(cli, "--reason");
    uint64_t revision = 0;
    GW_TRY(gw_cli_take_model(cli, &change->model, err));
    GW_TRY(gw_cli_u64(cli, "--if-revision", 0, 1, INT64_MAX, &revision, err));
    gw_cli_default_actor(change->actor);
    change->meta = (struct gw_registry_change){.actor = actor != NULL ? actor : change->actor,
                                               .reason = reason != NULL ? reason : "",
                                               .if_revision = (int64_t)revision,
                                               .idempotency_key = gw_cli_value(cli, "--idempotency-key")};
    return GW_OK;
}

static gw_status run(struct gw_cli_change *change, gw_cli_change_verb verb, gw_err *err)
{
    struct gw_registry_outcome outcome = {0};
    const struct gw_cli *cli = change->cli;
    GW_TRY(verb(change, &outcome, err));
    bool published =
        gw_cli_value(cli, "--no-publish") == NULL && gw_cli_publish(cli, change->registry.handle, outcome.sequence);
    if (cli->json) {
        return tell_json(change, &outcome, published, err);
    }
    tell_text(change, &outcome, published);
    return GW_OK;
}

gw_status gw_cli_change_run(struct gw_cli *cli, gw_cli_change_verb verb, const void *detail, gw_err *err)
{
    struct gw_cli_change change = {.cli = cli, .detail = detail};
    GW_TRY(take_words(&change, err));
    GW_TRY(gw_cli_registry_open(cli, &change.registry, err));
    gw_status status = run(&change, verb, err);
    gw_cli_registry_close(&change.registry);
    return status;
}
