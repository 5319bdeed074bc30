// SPDX-License-Identifier: MIT
// Reads the input as a route of registry_events. One that is accepted obeys the rules of routes, and what is written of
// it reads back as the same.
#include "base/check.h"
#include "registry/documents.h"

static void write(const struct gw_route *route, struct gw_buf *out)
{
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, out);
    gw_registry_write_route(&writer, route);
    GW_ASSERT(gw_json_writer_finish(&writer, NULL) == GW_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_route route = {0};
    struct gw_route read = {0};
    struct gw_buf text = {0};
    struct gw_buf again = {0};
    gw_err err = {0};
    if (gw_registry_parse_route(gw_slice_make(data, size), &route, &err) != GW_OK) {
        GW_ASSERT(err.message[0] != '\0');
        return 0;
    }
    GW_ASSERT(gw_route_check(&route, NULL) == GW_OK);
    write(&route, &text);
    GW_ASSERT(gw_registry_parse_route(gw_buf_slice(&text), &read, NULL) == GW_OK);
    write(&read, &again);
    GW_ASSERT(gw_slice_equal(gw_buf_slice(&text), gw_buf_slice(&again)));
    gw_buf_deinit(&text);
    gw_buf_deinit(&again);
    return 0;
}
