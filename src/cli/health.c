// SPDX-License-Identifier: MIT
// `health`: GET /health of a running bridge.
#include "cli/commands.h"

#include "base/mem.h"
#include "cli/table.h"
#include "http/client.h"

#include <math.h>

enum { TIMEOUT_MS = 5000, NOT_READY = 3, TEXT_BYTES_MAX = 4096 };

struct dependency {
    struct gw_buf name;
    struct gw_buf state;
    struct gw_buf detail;
    double latency_ms;
};

// NUL-terminated by gw_json_string; NULL when the key was not there, or empty.
static const char *text_of(const struct gw_buf *buf)
{
    return buf->size > 0 ? (const char *)buf->data : NULL;
}

static gw_status read_dependency(struct gw_json *json, struct dependency *dependency, gw_err *err)
{
    bool more = true;
    GW_TRY(gw_json_enter(json, GW_JSON_OBJECT, err));
    for (;;) {
        struct gw_slice key;
        enum gw_json_kind kind = GW_JSON_NULL;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_key(json, &key, err));
        GW_TRY(gw_json_peek(json, &kind, err));
        if (gw_slice_is(key, "name")) {
            GW_TRY(gw_json_string(json, &dependency->name, TEXT_BYTES_MAX, err));
        } else if (gw_slice_is(key, "state") || gw_slice_is(key, "status")) {
            GW_TRY(gw_json_string(json, &dependency->state, TEXT_BYTES_MAX, err));
        } else if (gw_slice_is(key, "detail") && kind == GW_JSON_STRING) {
            GW_TRY(gw_json_string(json, &dependency->detail, TEXT_BYTES_MAX, err));
        } else if (gw_slice_is(key, "latencyMs") && kind == GW_JSON_NUMBER) {
            GW_TRY(gw_json_double(json, &dependency->latency_ms, err));
        } else {
            GW_TRY(gw_json_skip(json, err));
        }
    }
}

static gw_status read_dependencies(struct gw_json *json, struct gw_table *table, gw_err *err)
{
    bool more = true;
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    for (;;) {
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        struct dependency dependency = {.latency_ms = (double)NAN};
        gw_status status = read_dependency(json, &dependency, err);
        gw_table_text(table, text_of(&dependency.name));
        gw_table_text(table, text_of(&dependency.state));
        gw_table_double(table, dependency.latency_ms);
        gw_table_text(table, text_of(&dependency.detail));
        gw_buf_deinit(&dependency.name);
        gw_buf_deinit(&dependency.state);
        gw_buf_deinit(&dependency.detail);
        GW_TRY(status);
    }
}

static gw_status read_health(struct gw_slice body, struct gw_buf *overall, struct gw_table *table, gw_err *err)
{
    struct gw_json json;
    bool more = true;
    gw_json_init(&json, body);
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (;;) {
        struct gw_slice key;
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            return gw_json_end(&json, err);
        }
        GW_TRY(gw_json_key(&json, &key, err));
        if (gw_slice_is(key, "status")) {
            GW_TRY(gw_json_string(&json, overall, TEXT_BYTES_MAX, err));
        } else if (gw_slice_is(key, "dependencies")) {
            GW_TRY(read_dependencies(&json, table, err));
        } else {
            GW_TRY(gw_json_skip(&json, err));
        }
    }
}

static gw_status show_text(struct gw_slice body, gw_err *err)
{
    static const char *const columns[] = {"dependency", "state", "latency_ms", "detail"};
    struct gw_table table;
    struct gw_buf overall = {0};
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    gw_status status = read_health(body, &overall, &table, err);
    if (status == GW_OK) {
        printf("%s\n", overall.size > 0 ? (const char *)overall.data : "-");
        status = gw_table_print(&table, stdout, err);
    } else {
        status = gw_fail_context(err, GW_E_MISMATCH, "this is no health of a bridge");
    }
    gw_buf_deinit(&overall);
    gw_table_deinit(&table);
    return status;
}

static gw_status show(struct gw_cli *cli, const char *url, int code, struct gw_slice body, gw_err *err)
{
    if (code != 200 && code != 503) {
        return gw_fail(err, GW_E_MISMATCH, "%s/health answers %d%s", url, code,
                       code == 401 ? ": bridge.token_file must hold its token" : "");
    }
    cli->exit_code = code == 200 ? 0 : NOT_READY;
    if (!cli->json) {
        return show_text(body, err);
    }
    fwrite(body.data, 1, body.size, stdout);
    putchar('\n');
    return GW_OK;
}

static gw_status ask(struct gw_cli *cli, const char *url, const char *token, gw_err *err)
{
    const struct gw_http_client_options options = {.urls = url, .token = token, .timeout_ms = TIMEOUT_MS};
    const struct gw_http_call call = {.method = "GET", .path = "/health"};
    struct gw_http_client *client = NULL;
    struct gw_buf body = {0};
    int code = 0;
    GW_TRY(gw_http_client_new(&options, &client, err));
    gw_status status = gw_http_client_call(client, &call, &body, &code, err);
    if (status == GW_OK) {
        status = show(cli, url, code, gw_buf_slice(&body), err);
    } else if (status == GW_E_UNAVAILABLE && body.size > 0) {
        // The client counts 503 as no answer, but keeps its body.
        status = show(cli, url, 503, gw_buf_slice(&body), err);
    } else if (gw_status_class(status) == GW_CLASS_RETRY) {
        // Whoever does not answer is not ready: an answer of this command, not a failure of it.
        fprintf(stderr, "godwit: %s\n", err->message);
        cli->exit_code = NOT_READY;
        status = GW_OK;
    }
    gw_buf_deinit(&body);
    gw_http_client_free(client);
    return status;
}

gw_status gw_cli_health(struct gw_cli *cli, gw_err *err)
{
    char own[64];
    const char *url = gw_cli_value(cli, "--url");
    char *token = NULL;
    GW_TRY(gw_config_secret(cli->config, GW_OPT_BRIDGE_TOKEN_FILE, &token, err));
    snprintf(own, sizeof own, "http://127.0.0.1:%llu",
             (unsigned long long)gw_config_u64(cli->config, GW_OPT_BRIDGE_PORT));
    gw_status status = ask(cli, url != NULL ? url : own, token, err);
    gw_mem_free(token);
    return status;
}
