// SPDX-License-Identifier: MIT
#include "support/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

gw_status bench_session_init(struct bench_session *session, gw_err *err)
{
    *session = (struct bench_session){0};
    GW_TRY(gw_config_new(&session->config, err));
    GW_TRY(gw_config_apply_environment(session->config, environ, err));
    return gw_runtime_init(&session->runtime, session->config, GW_RUNTIME_FEATURES | GW_RUNTIME_SCHEMAS, &session->stop,
                           err);
}

void bench_session_deinit(struct bench_session *session)
{
    gw_runtime_deinit(&session->runtime);
    gw_config_free(session->config);
}

static gw_status set_option(const struct bench_option *option, const char *value, gw_err *err)
{
    if (option->text != NULL) {
        *option->text = value;
        return GW_OK;
    }
    char *end = NULL;
    *option->number = strtod(value, &end);
    if (end == value || *end != '\0' || !(*option->number >= 0)) {
        return gw_fail(err, GW_E_INVALID, "%s '%s' is not a number", option->name, value);
    }
    return GW_OK;
}

gw_status bench_options_parse(int argc, char **argv, const struct bench_option *options, size_t count, gw_err *err)
{
    for (int i = 0; i < argc; i += 2) {
        size_t o = 0;
        while (o < count && strcmp(options[o].name, argv[i]) != 0) {
            o++;
        }
        if (o == count || i + 1 == argc) {
            return gw_fail(err, GW_E_INVALID, "option '%s' is unknown or has no value", argv[i]);
        }
        GW_TRY(set_option(&options[o], argv[i + 1], err));
    }
    return GW_OK;
}

gw_status bench_positions(const struct bench_session *session, enum gw_topic topic, int64_t offset,
                          struct gw_kafka_position *positions, size_t capacity, size_t *count, gw_err *err)
{
    uint32_t partitions = gw_runtime_partitions(&session->runtime, topic);
    if (*count + partitions > capacity) {
        return gw_fail(err, GW_E_CONFIG, "over %zu partitions", capacity);
    }
    for (uint32_t p = 0; p < partitions; p++) {
        positions[(*count)++] = (struct gw_kafka_position){
            .topic = gw_runtime_topic(&session->runtime, topic), .partition = (int32_t)p, .offset = offset};
    }
    return GW_OK;
}
