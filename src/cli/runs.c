// SPDX-License-Identifier: MIT
// `retrain` asks for a training; `runs` shows trainings and decisions not to train, and cancels one.
#include "cli/commands.h"

#include "cli/models.h"
#include "cli/table.h"
#include "registry/runs.h"
#include "worker/retrain_ask.h"

#include <string.h>

enum { RUNS_PRESET = 20, RUNS_MAX = 500 };

const struct gw_cli_option gw_cli_retrain_options[] = {
    {"--reason", "TEXT", "why; it stands in the run and in the version", false},
    {"--actor", "NAME", "who; default user@host", false},
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_runs_list_options[] = {
    {"--model", "NAME", "only runs of this model", false},
    {"--limit", "N", "at most so many, newest first; default 20", false},
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_runs_cancel_options[] = {
    {"--actor", "NAME", "who; default user@host", false},
    {NULL, NULL, NULL, false},
};

static gw_status take_actor(const struct gw_cli *cli, char ret_actor[GW_CLI_ACTOR_BYTES], gw_err *err)
{
    const char *actor = gw_cli_value(cli, "--actor");
    if (actor == NULL) {
        gw_cli_default_actor(ret_actor);
        return GW_OK;
    }
    if (actor[0] == '\0' || strlen(actor) >= GW_CLI_ACTOR_BYTES) {
        return gw_fail(err, GW_E_CONFIG, "--actor takes 1 to %d bytes", GW_CLI_ACTOR_BYTES - 1);
    }
    snprintf(ret_actor, GW_CLI_ACTOR_BYTES, "%s", actor);
    return GW_OK;
}

// ---- retrain --------------------------------------------------------------------------------------------------------

static gw_status ask(const struct gw_cli *cli, const char *model, char ret_id[GW_RUN_ID_BYTES], gw_err *err)
{
    struct gw_runtime runtime;
    char actor[GW_CLI_ACTOR_BYTES];
    atomic_bool stop = false;
    const char *reason = gw_cli_value(cli, "--reason");
    GW_TRY(take_actor(cli, actor, err));
    if (reason != NULL && strlen(reason) >= GW_RUN_TEXT_BYTES) {
        return gw_fail(err, GW_E_CONFIG, "--reason has %zu bytes, at most %d", strlen(reason), GW_RUN_TEXT_BYTES - 1);
    }
    GW_TRY(gw_runtime_init(&runtime, cli->config, GW_RUNTIME_SCHEMAS, &stop, err));
    const struct gw_retrain_ask request = {.model = model, .reason = reason != NULL ? reason : "", .actor = actor};
    gw_status status = gw_retrain_ask(&runtime, &request, ret_id, err);
    gw_runtime_deinit(&runtime);
    return status;
}

gw_status gw_cli_retrain(struct gw_cli *cli, gw_err *err)
{
    const char *model = NULL;
    char id[GW_RUN_ID_BYTES];
    GW_TRY(gw_cli_take_model(cli, &model, err));
    GW_TRY(ask(cli, model, id, err));
    if (!cli->json) {
        printf("asked for run %s\nnext: 'godwit runs show %s' says what became of it\n", id, id);
        return GW_OK;
    }
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "id");
    gw_json_write_text(&writer, id);
    gw_json_write_key(&writer, "model");
    gw_json_write_text(&writer, model);
    gw_json_object_end(&writer);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

// ---- runs list ------------------------------------------------------------------------------------------------------

static void add_run(struct gw_table *table, const struct gw_run *run)
{
    char at[GW_CLI_TIME_BYTES];
    gw_cli_format_time(run->changed_ms, at);
    gw_table_text(table, run->id);
    gw_table_text(table, run->model);
    gw_table_text(table, gw_run_state_name(run->state));
    if (run->version > 0) {
        gw_table_i64(table, run->version);
    } else {
        gw_table_text(table, NULL);
    }
    gw_table_text(table, at);
    gw_table_text(table, run->actor);
    gw_table_text(table, run->verdict[0] != '\0' ? run->verdict : run->reason);
}

static gw_status list(const struct gw_cli *cli, struct gw_cli_registry *registry, size_t limit, gw_err *err)
{
    static const char *const columns[] = {"run", "model", "state", "version", "changed", "by", "why"};
    const struct gw_run *runs = NULL;
    size_t count = 0;
    struct gw_table table;
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    GW_TRY(gw_runs_list(registry->handle, gw_cli_value(cli, "--model"), limit, &registry->arena, &runs, &count, err));
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    gw_json_writer_init(&writer, &out);
    gw_json_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        add_run(&table, &runs[i]);
        gw_run_write(&writer, &runs[i], false, NULL, 0);
    }
    gw_json_array_end(&writer);
    gw_status status = cli->json ? gw_cli_print_json(&writer, err) : gw_table_print(&table, stdout, err);
    gw_buf_deinit(&out);
    gw_table_deinit(&table);
    return status;
}

gw_status gw_cli_runs_list(struct gw_cli *cli, gw_err *err)
{
    struct gw_cli_registry registry = {0};
    uint64_t limit = 0;
    GW_TRY(gw_cli_u64(cli, "--limit", RUNS_PRESET, 1, RUNS_MAX, &limit, err));
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_status status = list(cli, &registry, (size_t)limit, err);
    gw_cli_registry_close(&registry);
    return status;
}

// ---- runs show ------------------------------------------------------------------------------------------------------

static void print_fact(const char *name, const char *value)
{
    if (value[0] != '\0') {
        printf("%-12s%s\n", name, value);
    }
}

static void print_number(const char *name, int64_t value)
{
    if (value > 0) {
        printf("%-12s%lld\n", name, (long long)value);
    }
}

// The ends of each head's curve; --json has all of it.
static void print_curves(const struct gw_run_point *points, size_t count)
{
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 == count || strcmp(points[i].head, points[i + 1].head) != 0) {
            printf("%-12s%s: log loss %.6f after round %d, %.6f after round %d\n", "curve", points[first].head,
                   points[first].log_loss, points[first].round, points[i].log_loss, points[i].round);
            first = i + 1;
        }
    }
}

static void print_run(const struct gw_run *run, const struct gw_run_point *points, size_t count)
{
    char at[GW_CLI_TIME_BYTES];
    print_fact("run", run->id);
    print_fact("model", run->model);
    print_fact("state", gw_run_state_name(run->state));
    print_fact("verdict", run->verdict);
    print_fact("reason", run->reason);
    print_fact("by", run->actor);
    gw_cli_format_time(run->created_ms, at);
    print_fact("created", at);
    gw_cli_format_time(run->changed_ms, at);
    print_fact("changed", at);
    print_number("parent", run->parent_version);
    print_fact("manifest", run->manifest_hash);
    print_number("rows", run->rows);
    print_number("trainings", run->trainings);
    print_curves(points, count);
    print_fact("digest", run->digest);
    print_number("version", run->version);
    print_fact("cancel by", run->cancel_by);
}

static gw_status show(const struct gw_cli *cli, struct gw_cli_registry *registry, gw_err *err)
{
    struct gw_run run;
    const struct gw_run_point *points = NULL;
    size_t count = 0;
    GW_TRY(gw_runs_get(registry->handle, cli->arguments[0], &registry->arena, &run, err));
    GW_TRY(gw_runs_curve(registry->handle, run.id, &registry->arena, &points, &count, err));
    if (!cli->json) {
        print_run(&run, points, count);
        return GW_OK;
    }
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &out);
    gw_run_write(&writer, &run, true, points, count);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

gw_status gw_cli_runs_show(struct gw_cli *cli, gw_err *err)
{
    struct gw_cli_registry registry = {0};
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_status status = show(cli, &registry, err);
    gw_cli_registry_close(&registry);
    return status;
}

// ---- runs cancel ----------------------------------------------------------------------------------------------------

gw_status gw_cli_runs_cancel(struct gw_cli *cli, gw_err *err)
{
    struct gw_cli_registry registry = {0};
    char actor[GW_CLI_ACTOR_BYTES];
    GW_TRY(take_actor(cli, actor, err));
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_status status = gw_runs_cancel(registry.handle, cli->arguments[0], actor, err);
    if (status == GW_OK) {
        status = show(cli, &registry, err);
    }
    gw_cli_registry_close(&registry);
    return status;
}
