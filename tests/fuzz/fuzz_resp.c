// SPDX-License-Identifier: MIT
// The reply parser on any bytes: fed whole and in two parts it must agree, and every node must lie inside the input.
// The first byte says where the input is cut.
#include "base/check.h"
#include "redis/resp.h"

static gw_status parse_all(struct gw_resp_parser *parser, struct gw_slice input)
{
    bool complete = true;
    while (complete && parser->position < input.size) {
        GW_TRY(gw_resp_parse(parser, input, &complete, NULL));
    }
    return GW_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct gw_slice input = gw_slice_make(data + 1, size - 1);
    size_t cut = GW_MIN((size_t)data[0], input.size);
    struct gw_resp_parser whole = {0};
    struct gw_resp_parser parts = {0};

    gw_status status = parse_all(&whole, input);
    gw_status first = parse_all(&parts, gw_slice_make(input.data, cut));
    GW_ASSERT(first == GW_OK || status == first);
    if (first == GW_OK) {
        GW_ASSERT(parse_all(&parts, input) == status);
    }
    GW_ASSERT(whole.position <= input.size);
    if (status == GW_OK) {
        GW_ASSERT(whole.node_count == parts.node_count && whole.position == parts.position);
        for (size_t i = 0; i < whole.node_count; i++) {
            const struct gw_resp_node *node = &whole.nodes[i];
            GW_ASSERT(node->next > i && node->next <= whole.node_count);
            GW_ASSERT(node->type == GW_RESP_INTEGER || node->type == GW_RESP_NIL || node->type == GW_RESP_ARRAY ||
                      node->offset + (size_t)node->value <= input.size);
        }
    }
    gw_resp_parser_deinit(&whole);
    gw_resp_parser_deinit(&parts);
    return 0;
}
