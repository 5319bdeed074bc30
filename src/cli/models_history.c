// SPDX-License-Identifier: MIT
// `models history`: what was changed, by whom and why; with --at, who served at a moment.
#include "cli/commands.h"

#include "cli/models.h"
#include "cli/table.h"
#include "registry/documents.h"

#include <string.h>

enum { EVENTS_PRESET = 50, EVENTS_MAX = 1000000, PAGE_EVENTS = 500 };

const struct gw_cli_option gw_cli_models_history_options[] = {
    {"--at", "TIME", "who served then: RFC 3339, milliseconds since 1970, or how long ago such as -2h", false},
    {"--limit", "N", "at most so many events, newest first; default 50", false},
    {NULL, NULL, NULL, false},
};

// ---- events ---------------------------------------------------------------------------------------------------------

static void add_event(struct gw_table *table, const struct gw_registry_event *event)
{
    char at[GW_CLI_TIME_BYTES];
    gw_cli_format_time(event->at_ms, at);
    gw_table_i64(table, event->sequence);
    gw_table_text(table, at);
    if (event->version > 0) {
        gw_table_i64(table, event->version);
    } else {
        gw_table_text(table, NULL);
    }
    gw_table_text(table, event->transition);
    gw_table_text(table, event->from_state[0] != '\0' ? event->from_state : NULL);
    gw_table_text(table, event->to_state[0] != '\0' ? event->to_state : NULL);
    gw_table_text(table, event->route != NULL ? "yes" : NULL);
    gw_table_text(table, event->actor);
    gw_table_text(table, event->reason);
}

static gw_status collect(struct gw_cli_registry *registry, const char *model, uint64_t limit,
                         struct gw_json_writer *writer, struct gw_table *table, gw_err *err)
{
    int64_t before = 0;
    size_t count = PAGE_EVENTS;
    for (uint64_t left = limit; left > 0 && count == PAGE_EVENTS; left -= count) {
        const struct gw_registry_event *events = NULL;
        size_t page = (size_t)GW_MIN(left, (uint64_t)PAGE_EVENTS);
        gw_arena_clear(&registry->arena);
        GW_TRY(gw_registry_history(registry->handle, model, before, page, &registry->arena, &events, &count, err));
        for (size_t i = 0; i < count; i++) {
            gw_registry_write_event(writer, &events[i]);
            add_event(table, &events[i]);
            before = events[i].sequence;
        }
    }
    return GW_OK;
}

static gw_status show_events(const struct gw_cli *cli, struct gw_cli_registry *registry, const char *model,
                             uint64_t limit, gw_err *err)
{
    static const char *const columns[] = {"event", "at",    "version", "transition", "from",
                                          "to",    "route", "by",      "reason"};
    struct gw_table table;
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    gw_json_writer_init(&writer, &out);
    gw_json_array_begin(&writer);
    gw_status status = collect(registry, model, limit, &writer, &table, err);
    gw_json_array_end(&writer);
    if (status == GW_OK) {
        status = cli->json ? gw_cli_print_json(&writer, err) : gw_table_print(&table, stdout, err);
    }
    gw_buf_deinit(&out);
    gw_table_deinit(&table);
    return status;
}

// ---- a moment -------------------------------------------------------------------------------------------------------

static gw_status print_route(const struct gw_registry_event *event, gw_err *err)
{
    static const char *const columns[] = {"version", "users", "variant", "digest"};
    struct gw_table table;
    const struct gw_route *route = event->route;
    char at[GW_CLI_TIME_BYTES];
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (uint32_t i = 0; i < route->target_count + route->shadow_count; i++) {
        const struct gw_route_version *target =
            i < route->target_count ? &route->targets[i] : &route->shadows[i - route->target_count];
        char share[GW_CLI_SHARE_BYTES];
        gw_cli_format_share(target->weight, share);
        gw_table_i64(&table, target->version);
        gw_table_text(&table, share);
        gw_table_text(&table, target->variant);
        gw_table_text(&table, target->digest);
    }
    gw_status status = gw_table_print(&table, stdout, err);
    gw_table_deinit(&table);
    gw_cli_format_time(event->at_ms, at);
    printf("\n%ssince event %lld, %s: %s by %s%s%s\n", route->target_count == 0 ? "nothing served, " : "",
           (long long)event->sequence, at, event->transition, event->actor, event->reason[0] != '\0' ? ": " : "",
           event->reason);
    return status;
}

static gw_status show_moment(const struct gw_cli *cli, struct gw_cli_registry *registry, const char *model,
                             int64_t at_ms, gw_err *err)
{
    struct gw_registry_event event;
    GW_TRY(gw_registry_at(registry->handle, model, at_ms, &registry->arena, &event, err));
    if (event.route == NULL) {
        return gw_fail(err, GW_E_MALFORMED, "event %lld has no route", (long long)event.sequence);
    }
    if (!cli->json) {
        return print_route(&event, err);
    }
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &out);
    gw_registry_write_event(&writer, &event);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

gw_status gw_cli_models_history(struct gw_cli *cli, gw_err *err)
{
    struct gw_cli_registry registry = {0};
    const char *model = NULL;
    const char *at = gw_cli_value(cli, "--at");
    uint64_t limit = 0;
    int64_t at_ms = 0;
    GW_TRY(gw_cli_take_model(cli, &model, err));
    GW_TRY(gw_cli_u64(cli, "--limit", EVENTS_PRESET, 1, EVENTS_MAX, &limit, err));
    if (at != NULL) {
        GW_TRY(gw_cli_time(cli, "--at", 0, &at_ms, err));
        if (gw_cli_value(cli, "--limit") != NULL) {
            return gw_fail(err, GW_E_CONFIG, "--limit is about events, --at about one moment");
        }
    }
    GW_TRY(gw_cli_registry_open(cli, &registry, err));
    gw_status status =
        at != NULL ? show_moment(cli, &registry, model, at_ms, err) : show_events(cli, &registry, model, limit, err);
    gw_cli_registry_close(&registry);
    return status;
}
