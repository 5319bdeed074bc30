// SPDX-License-Identifier: MIT
// Input: the writer's schema, the reader's schema and a value, with a zero byte between each. Makes a resolver and runs
// it; what comes out must be of the reader's schema.
#include "avro/resolve.h"
#include "base/check.h"

static struct gw_slice take_part(struct gw_slice *rest)
{
    const uint8_t *zero = rest->size > 0 ? memchr(rest->data, 0, rest->size) : NULL;
    size_t size = zero != NULL ? (size_t)(zero - rest->data) : rest->size;
    struct gw_slice part = gw_slice_make(rest->data, size);
    *rest = zero != NULL ? gw_slice_make(zero + 1, rest->size - size - 1) : gw_slice_make(NULL, 0);
    return part;
}

static gw_status open_resolver(struct gw_slice writer, struct gw_slice reader, struct gw_avro_resolver **ret,
                               gw_err *err)
{
    return gw_avro_resolver_new((const char *)writer.data, writer.size, (const char *)reader.data, reader.size, ret,
                                err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_slice rest = gw_slice_make(data, size);
    struct gw_slice writer = take_part(&rest);
    struct gw_slice reader = take_part(&rest);
    struct gw_avro_resolver *resolver = NULL;
    struct gw_avro_resolver *same = NULL;
    struct gw_buf out = {0};
    struct gw_buf again = {0};
    gw_err err = {0};

    gw_status status = open_resolver(writer, reader, &resolver, &err);
    if (status == GW_OK && gw_avro_resolver_transcode(resolver, rest, &out, &err) == GW_OK) {
        GW_ASSERT(open_resolver(reader, reader, &same, &err) == GW_OK);
        GW_ASSERT(gw_avro_resolver_transcode(same, gw_buf_slice(&out), &again, &err) == GW_OK);
        GW_ASSERT(gw_slice_equal(gw_buf_slice(&out), gw_buf_slice(&again)));
    }
    GW_ASSERT(status == GW_OK || err.message[0] != '\0');
    gw_buf_deinit(&out);
    gw_buf_deinit(&again);
    gw_avro_resolver_free(same);
    gw_avro_resolver_free(resolver);
    return 0;
}
