// SPDX-License-Identifier: MIT
#include "api/problem.h"

#include "base/check.h"
#include "base/json.h"

#include <stdio.h>

static const struct {
    const char *slug;
    uint32_t status;
    const char *title;
} problems[GW_API_PROBLEM_COUNT] = {
#define X(suffix, slug, status, title) [GW_API_PROBLEM_##suffix] = {slug, status, title},
    GW_API_PROBLEM_MAP(X)
#undef X
};

uint32_t gw_api_problem_status(enum gw_api_problem_kind kind)
{
    GW_ASSERT((unsigned)kind < GW_API_PROBLEM_COUNT);
    return problems[kind].status;
}

const char *gw_api_problem_slug(enum gw_api_problem_kind kind)
{
    GW_ASSERT((unsigned)kind < GW_API_PROBLEM_COUNT);
    return problems[kind].slug;
}

enum gw_api_problem_kind gw_api_problem_of_status(uint32_t status)
{
    for (size_t i = 0; i < GW_API_PROBLEM_COUNT; i++) {
        if (problems[i].status == status) {
            return (enum gw_api_problem_kind)i;
        }
    }
    return GW_API_PROBLEM_INTERNAL;
}

static void write_optional(struct gw_json_writer *writer, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        gw_json_write_key(writer, key);
        gw_json_write_text(writer, text);
    }
}

static void write_type(struct gw_json_writer *writer, size_t kind)
{
    char type[64];
    snprintf(type, sizeof type, "/problems/%s", problems[kind].slug);
    gw_json_write_key(writer, "type");
    gw_json_write_text(writer, type);
    gw_json_write_key(writer, "title");
    gw_json_write_text(writer, problems[kind].title);
    gw_json_write_key(writer, "status");
    gw_json_write_i64(writer, problems[kind].status);
}

gw_status gw_api_problem_write(const struct gw_api_problem *problem, struct gw_buf *out)
{
    GW_ASSERT((unsigned)problem->kind < GW_API_PROBLEM_COUNT);
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, out);
    gw_json_object_begin(&writer);
    write_type(&writer, problem->kind);
    write_optional(&writer, "detail", problem->detail);
    write_optional(&writer, "instance", problem->instance);
    write_optional(&writer, "requestId", problem->request_id);
    if (problem->retry_after_s > 0) {
        gw_json_write_key(&writer, "retryAfterSeconds");
        gw_json_write_i64(&writer, problem->retry_after_s);
    }
    if (problem->pointer != NULL && problem->pointer[0] != '\0') {
        gw_json_write_key(&writer, "errors");
        gw_json_array_begin(&writer);
        gw_json_object_begin(&writer);
        write_optional(&writer, "pointer", problem->pointer);
        write_optional(&writer, "detail", problem->detail);
        gw_json_object_end(&writer);
        gw_json_array_end(&writer);
    }
    gw_json_object_end(&writer);
    return gw_json_writer_finish(&writer, NULL);
}

gw_status gw_api_problem_explain(struct gw_slice slug, struct gw_buf *out)
{
    for (size_t i = 0; i < GW_API_PROBLEM_COUNT; i++) {
        if (gw_slice_is(slug, problems[i].slug)) {
            struct gw_json_writer writer;
            gw_json_writer_init(&writer, out);
            gw_json_object_begin(&writer);
            write_type(&writer, i);
            gw_json_object_end(&writer);
            return gw_json_writer_finish(&writer, NULL);
        }
    }
    return GW_E_NOT_FOUND;
}
