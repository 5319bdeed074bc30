// SPDX-License-Identifier: MIT
// `drift alerts` shows what monitor has raised, `drift show` how the detectors of a version stand, `drift promise` what
// they promise. Read from Kafka and the registry: neither a bridge nor monitor need run.
#include "cli/commands.h"

#include "base/mem.h"
#include "cli/models.h"
#include "cli/table.h"
#include "worker/bridge_drift.h"
#include "worker/drift_view.h"

#include <math.h>

enum { ALERTS_PRESET = 50, WAIT_MS = 10000 };

const struct gw_cli_option gw_cli_drift_alerts_options[] = {
    {"--open", NULL, "only those that are open", false},
    {"--limit", "N", "at most so many, open ones first, then the newest; default 50", false},
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_drift_promise_options[] = {
    {"--rate", "R", "samples a second; default: as many as come now", false},
    {NULL, NULL, NULL, false},
};

// ---- how a version stands -------------------------------------------------------------------------------------------

// Without one it is the champion, so 'latest' would say something else than it does elsewhere.
static gw_status take_version(const char *text, int32_t *ret_version, gw_err *err)
{
    GW_TRY(gw_cli_parse_version(text, ret_version, err));
    return *ret_version > 0 ? GW_OK : gw_fail(err, GW_E_CONFIG, "'%s' is no version here: expected a number", text);
}

// `rate_per_s` 0: the present one. Free ret_drift->streams.
static gw_status ask(const struct gw_cli *cli, double rate_per_s, struct gw_api_drift *ret_drift, gw_err *err)
{
    struct gw_api_drift_ask ask = {.rate_per_s = rate_per_s};
    struct gw_runtime runtime;
    atomic_bool stop = false;
    GW_TRY(gw_cli_take_model(cli, &ask.model, err));
    GW_TRY(cli->argument_count > 1 ? take_version(cli->arguments[1], &ask.version, err) : GW_OK);
    GW_TRY(gw_runtime_init(&runtime, cli->config, GW_RUNTIME_SCHEMAS, &stop, err));
    gw_status status = gw_drift_view_ask(&runtime, &ask, ret_drift, err);
    gw_runtime_deinit(&runtime);
    if (status == GW_OK && !ret_drift->has_reference) {
        status = gw_fail(err, GW_E_NOT_FOUND, "nothing watches version %d of model '%s': %s", ret_drift->version,
                         ret_drift->model, ret_drift->why);
    }
    return status;
}

static gw_status print_json(const struct gw_api_drift *drift, gw_err *err)
{
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &out);
    gw_api_write_drift(&writer, drift, NULL);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

// Digits that people want; NaN and what cannot be are "-".
static void add_number(struct gw_table *table, const char *format, double value)
{
    if (isfinite(value)) {
        gw_table_format(table, format, value);
    } else {
        gw_table_text(table, isnan(value) ? NULL : value > 0.0 ? "none" : NULL);
    }
}

// `rate_per_s` 0: the present one was meant.
static gw_status print_promises(const struct gw_api_drift *drift, double rate_per_s, gw_err *err)
{
    static const char *const columns[] = {"stream",           "kind",       "rate_per_s",
                                          "false_alarm_days", "within_10s", "within_5min"};
    struct gw_table table;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (uint32_t i = 0; i < drift->stream_count; i++) {
        const struct gw_api_drift_stream *stream = &drift->streams[i];
        gw_table_text(&table, stream->stream);
        gw_table_text(&table, stream->kind);
        add_number(&table, "%.4g", rate_per_s > 0.0 ? rate_per_s : stream->rate_per_s);
        add_number(&table, "%.4g", stream->promise.false_alarm_days);
        add_number(&table, "%.3f", stream->promise.smallest_shift_10s);
        add_number(&table, "%.3f", stream->promise.smallest_shift_5min);
    }
    gw_status status = gw_table_print(&table, stdout, err);
    gw_table_deinit(&table);
    return status;
}

static gw_status print_streams(const struct gw_api_drift *drift, gw_err *err)
{
    static const char *const columns[] = {"stream", "kind", "state",   "evidence", "threshold",
                                          "effect", "psi",  "missing", "rows"};
    struct gw_table table;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (uint32_t i = 0; i < drift->stream_count; i++) {
        const struct gw_api_drift_stream *stream = &drift->streams[i];
        gw_table_text(&table, stream->stream);
        gw_table_text(&table, stream->kind);
        gw_table_text(&table, stream->state);
        add_number(&table, "%.4g", stream->evidence);
        add_number(&table, "%.4g", stream->threshold);
        add_number(&table, "%+.3f", stream->effect_sigma);
        add_number(&table, "%.4f", stream->psi);
        add_number(&table, "%.4f", stream->missing_share);
        gw_table_i64(&table, (int64_t)stream->window_count);
    }
    gw_status status = gw_table_print(&table, stdout, err);
    gw_table_deinit(&table);
    return status;
}

gw_status gw_cli_drift_promise(struct gw_cli *cli, gw_err *err)
{
    struct gw_api_drift drift = {0};
    double rate_per_s = 0.0;
    GW_TRY(gw_cli_double(cli, "--rate", 0.0, 1e-9, GW_API_DRIFT_RATE_MAX, &rate_per_s, err));
    gw_status status = ask(cli, rate_per_s, &drift, err);
    if (status == GW_OK) {
        status = cli->json ? print_json(&drift, err) : print_promises(&drift, rate_per_s, err);
    }
    if (status == GW_OK && rate_per_s == 0.0 && drift.stream_count > 0 && drift.streams[0].rate_per_s == 0.0) {
        fputs("no sample has come, so nothing is promised: --rate R says what would be\n", stderr);
    }
    gw_mem_free(drift.streams);
    return status;
}

gw_status gw_cli_drift_show(struct gw_cli *cli, gw_err *err)
{
    struct gw_api_drift drift = {0};
    gw_status status = ask(cli, 0.0, &drift, err);
    if (status == GW_OK) {
        status = cli->json ? print_json(&drift, err) : print_streams(&drift, err);
    }
    gw_mem_free(drift.streams);
    return status;
}

// ---- alerts ---------------------------------------------------------------------------------------------------------

static gw_status print_alerts(const struct gw_api_alerts *alerts, gw_err *err)
{
    static const char *const columns[] = {"model",  "version", "state", "severity", "kind",
                                          "stream", "effect",  "since", "said",     "id"};
    struct gw_table table;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (uint32_t i = 0; i < alerts->count; i++) {
        const struct gw_api_alert *alert = &alerts->alerts[i];
        char since[GW_CLI_TIME_BYTES];
        char said[GW_CLI_TIME_BYTES];
        gw_cli_format_time(alert->from_ms, since);
        gw_cli_format_time(alert->at_ms, said);
        gw_table_text(&table, alert->model);
        gw_table_i64(&table, alert->version);
        gw_table_text(&table, gw_api_alert_state(alert));
        gw_table_text(&table, alert->severity);
        gw_table_text(&table, alert->kind);
        gw_table_text(&table, alert->stream);
        add_number(&table, "%+.3f", alert->effect_sigma);
        gw_table_text(&table, since);
        gw_table_text(&table, said);
        gw_table_text(&table, alert->id);
    }
    gw_status status = gw_table_print(&table, stdout, err);
    gw_table_deinit(&table);
    return status;
}

static gw_status show_alerts(const struct gw_cli *cli, const struct gw_api_alerts *alerts, gw_err *err)
{
    if (!cli->json) {
        return print_alerts(alerts, err);
    }
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &out);
    gw_api_write_alerts(&writer, alerts);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

static gw_status read_alerts(const struct gw_runtime *runtime, const struct gw_api_alerts_ask *ask_for,
                             struct gw_api_alerts *ret_alerts, gw_err *err)
{
    struct gw_bridge_drift *drift = NULL;
    GW_TRY(gw_bridge_drift_start(runtime, &drift, err));
    gw_status status = gw_bridge_drift_wait(drift, WAIT_MS, err);
    if (status == GW_OK) {
        status = gw_bridge_drift_alerts(drift, ask_for, ret_alerts, err);
    }
    gw_bridge_drift_stop(drift);
    return status;
}

gw_status gw_cli_drift_alerts(struct gw_cli *cli, gw_err *err)
{
    const char *model = "";
    uint64_t limit = 0;
    struct gw_runtime runtime;
    struct gw_api_alerts alerts = {0};
    atomic_bool stop = false;
    if (cli->argument_count > 0) {
        GW_TRY(gw_cli_take_model(cli, &model, err));
    }
    GW_TRY(gw_cli_u64(cli, "--limit", ALERTS_PRESET, 1, GW_API_ALERTS_MAX, &limit, err));
    const struct gw_api_alerts_ask ask_for = {
        .model = gw_slice_text(model), .open_only = gw_cli_value(cli, "--open") != NULL, .limit = (uint32_t)limit};
    GW_TRY(gw_runtime_init(&runtime, cli->config, GW_RUNTIME_SCHEMAS, &stop, err));
    gw_status status = read_alerts(&runtime, &ask_for, &alerts, err);
    gw_runtime_deinit(&runtime);
    if (status == GW_OK) {
        status = show_alerts(cli, &alerts, err);
    }
    gw_mem_free(alerts.alerts);
    return status;
}
