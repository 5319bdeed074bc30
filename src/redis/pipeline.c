// SPDX-License-Identifier: MIT
#include "redis/pipeline.h"

#include "base/check.h"
#include "base/mem.h"
#include "redis/resp.h"

void gw_redis_pipeline_deinit(struct gw_redis_pipeline *pipeline)
{
    gw_mem_free(pipeline->ends);
    gw_buf_deinit(&pipeline->bytes);
    *pipeline = (struct gw_redis_pipeline){0};
}

void gw_redis_pipeline_clear(struct gw_redis_pipeline *pipeline)
{
    gw_buf_clear(&pipeline->bytes);
    pipeline->count = 0;
    pipeline->arguments_due = 0;
    pipeline->failed = false;
}

void gw_redis_pipeline_command(struct gw_redis_pipeline *pipeline, size_t argument_count)
{
    GW_ASSERT(pipeline->arguments_due == 0 && argument_count > 0);
    if (pipeline->count == pipeline->capacity) {
        size_t capacity = pipeline->capacity > 0 ? pipeline->capacity * 2 : 16;
        size_t *ends = gw_mem_realloc(pipeline->ends, capacity, sizeof *ends);
        if (ends == NULL) {
            pipeline->failed = true;
            pipeline->arguments_due = argument_count;
            return;
        }
        pipeline->ends = ends;
        pipeline->capacity = capacity;
    }
    pipeline->failed = pipeline->failed || gw_resp_write_command(&pipeline->bytes, argument_count) != GW_OK;
    pipeline->ends[pipeline->count++] = pipeline->bytes.size;
    pipeline->arguments_due = argument_count;
}

void gw_redis_pipeline_argument(struct gw_redis_pipeline *pipeline, const void *data, size_t size)
{
    GW_ASSERT(pipeline->arguments_due > 0);
    pipeline->arguments_due--;
    if (pipeline->failed) {
        return;
    }
    pipeline->failed = gw_resp_write_argument(&pipeline->bytes, data, size) != GW_OK;
    pipeline->ends[pipeline->count - 1] = pipeline->bytes.size;
}

void gw_redis_pipeline_text(struct gw_redis_pipeline *pipeline, const char *text)
{
    gw_redis_pipeline_argument(pipeline, text, strlen(text));
}
