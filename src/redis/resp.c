// SPDX-License-Identifier: MIT
#include "redis/resp.h"

#include "base/mem.h"

#define NUMBER_LINE_BYTES_MAX 24 // type byte, sign, 19 digits, CR, LF, rounded up

void gw_resp_parser_deinit(struct gw_resp_parser *parser)
{
    gw_mem_free(parser->nodes);
    *parser = (struct gw_resp_parser){0};
}

void gw_resp_parser_clear(struct gw_resp_parser *parser)
{
    parser->node_count = 0;
    parser->position = 0;
    parser->depth = 0;
}

static gw_status append_node(struct gw_resp_parser *parser, struct gw_resp_node node, gw_err *err)
{
    if (GW_UNLIKELY(parser->node_count == parser->node_capacity)) {
        if (parser->node_count >= GW_RESP_NODES_MAX) {
            return gw_fail(err, GW_E_TOO_LARGE, "replies of over %d nodes", GW_RESP_NODES_MAX);
        }
        size_t capacity = parser->node_capacity > 0 ? parser->node_capacity * 2 : 256;
        struct gw_resp_node *nodes = gw_mem_realloc(parser->nodes, capacity, sizeof *nodes);
        if (nodes == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %zu reply nodes", capacity);
        }
        parser->nodes = nodes;
        parser->node_capacity = capacity;
    }
    node.next = (uint32_t)parser->node_count + 1;
    parser->nodes[parser->node_count++] = node;
    return GW_OK;
}

// Reads `[-]digits CR LF` at `from`. *ret_end is the offset behind it, 0 when the input ends before.
static gw_status read_number(struct gw_slice input, size_t from, int64_t *ret_value, size_t *ret_end, gw_err *err)
{
    size_t bound = GW_MIN(input.size, from + NUMBER_LINE_BYTES_MAX);
    size_t at = from;
    bool negative = at < bound && input.data[at] == '-';
    at += negative ? 1 : 0;
    size_t first_digit = at;
    int64_t value = 0; // kept negative: INT64_MIN has no positive twin
    while (at < bound && input.data[at] >= '0' && input.data[at] <= '9') {
        int digit = input.data[at] - '0';
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value)) {
            return gw_fail(err, GW_E_MALFORMED, "number at byte %zu does not fit 64 bits", from);
        }
        at++;
    }
    if (at + 1 >= input.size && (at >= input.size || input.data[at] == '\r')) {
        *ret_end = 0;
        return GW_OK;
    }
    if (at == first_digit || at + 1 >= bound || input.data[at] != '\r' || input.data[at + 1] != '\n' ||
        (!negative && value == INT64_MIN)) {
        return gw_fail(err, GW_E_MALFORMED, "bad number at byte %zu", from);
    }
    *ret_value = negative ? value : -value;
    *ret_end = at + 2;
    return GW_OK;
}

// *ret_size is the line's length without CR LF, *ret_end the offset behind it, 0 when the input ends before.
static gw_status read_line(struct gw_slice input, size_t from, int64_t *ret_size, size_t *ret_end, gw_err *err)
{
    size_t bound = GW_MIN(input.size - from, (size_t)GW_RESP_LINE_BYTES_MAX + 1);
    const uint8_t *cr = bound > 0 ? memchr(input.data + from, '\r', bound) : NULL;
    if (cr == NULL && bound > GW_RESP_LINE_BYTES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "line of over %d bytes", GW_RESP_LINE_BYTES_MAX);
    }
    if (cr == NULL || cr + 1 == input.data + input.size) {
        *ret_end = 0;
        return GW_OK;
    }
    if (cr[1] != '\n') {
        return gw_fail(err, GW_E_MALFORMED, "carriage return without line feed at byte %td", cr - input.data);
    }
    *ret_size = cr - (input.data + from);
    *ret_end = from + (size_t)*ret_size + 2;
    return GW_OK;
}

static gw_status read_bulk(struct gw_slice input, size_t from, struct gw_resp_node *node, size_t *ret_end, gw_err *err)
{
    int64_t size = 0;
    size_t begin = 0;
    GW_TRY(read_number(input, from, &size, &begin, err));
    if (begin == 0) {
        *ret_end = 0;
        return GW_OK;
    }
    if (size == -1) {
        node->type = GW_RESP_NIL;
        *ret_end = begin;
        return GW_OK;
    }
    if (size < 0) {
        return gw_fail(err, GW_E_MALFORMED, "bulk string of %lld bytes", (long long)size);
    }
    if (size > GW_RESP_BULK_BYTES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "bulk string of %lld bytes", (long long)size);
    }
    size_t end = begin + (size_t)size + 2;
    if (end > input.size) {
        *ret_end = 0;
        return GW_OK;
    }
    if (input.data[end - 2] != '\r' || input.data[end - 1] != '\n') {
        return gw_fail(err, GW_E_MALFORMED, "bulk string without end at byte %zu", end - 2);
    }
    node->type = GW_RESP_BULK;
    node->offset = begin;
    node->value = size;
    *ret_end = end;
    return GW_OK;
}

static gw_status read_array(struct gw_slice input, size_t from, struct gw_resp_node *node, size_t *ret_end, gw_err *err)
{
    int64_t count = 0;
    GW_TRY(read_number(input, from, &count, ret_end, err));
    if (*ret_end == 0) {
        return GW_OK;
    }
    if (count < -1) {
        return gw_fail(err, GW_E_MALFORMED, "array of %lld elements", (long long)count);
    }
    if (count > GW_RESP_NODES_MAX) {
        return gw_fail(err, GW_E_TOO_LARGE, "array of %lld elements", (long long)count);
    }
    node->type = count < 0 ? GW_RESP_NIL : GW_RESP_ARRAY;
    node->value = count < 0 ? 0 : count;
    return GW_OK;
}

// One node without its elements. *ret_end is 0 when the input ends before it is complete.
static gw_status read_node(struct gw_slice input, size_t from, struct gw_resp_node *node, size_t *ret_end, gw_err *err)
{
    *ret_end = 0;
    if (from >= input.size) {
        return GW_OK;
    }
    node->offset = from + 1;
    switch (input.data[from]) {
    case '$':
        return read_bulk(input, from + 1, node, ret_end, err);
    case '*':
        return read_array(input, from + 1, node, ret_end, err);
    case ':':
        node->type = GW_RESP_INTEGER;
        return read_number(input, from + 1, &node->value, ret_end, err);
    case '+':
        node->type = GW_RESP_TEXT;
        return read_line(input, from + 1, &node->value, ret_end, err);
    case '-':
        node->type = GW_RESP_ERROR;
        return read_line(input, from + 1, &node->value, ret_end, err);
    default:
        return gw_fail(err, GW_E_MALFORMED, "unknown reply type 0x%02x at byte %zu", input.data[from], from);
    }
}

// Counts one finished node off the open arrays. True when that finished the top-level reply.
static bool close_node(struct gw_resp_parser *parser)
{
    while (parser->depth > 0) {
        size_t top = parser->depth - 1;
        if (--parser->open[top].left > 0) {
            return false;
        }
        parser->nodes[parser->open[top].node].next = (uint32_t)parser->node_count;
        parser->depth--;
    }
    return true;
}

gw_status gw_resp_parse(struct gw_resp_parser *parser, struct gw_slice input, bool *ret_complete, gw_err *err)
{
    for (;;) {
        struct gw_resp_node node = {0};
        size_t end = 0;
        GW_TRY(read_node(input, parser->position, &node, &end, err));
        if (end == 0) {
            *ret_complete = false;
            return GW_OK;
        }
        bool opens = node.type == GW_RESP_ARRAY && node.value > 0;
        if (GW_UNLIKELY(opens && parser->depth == GW_RESP_DEPTH_MAX)) {
            return gw_fail(err, GW_E_TOO_LARGE, "arrays nested deeper than %d", GW_RESP_DEPTH_MAX);
        }
        GW_TRY(append_node(parser, node, err));
        parser->position = end;
        if (opens) {
            parser->open[parser->depth].node = (uint32_t)parser->node_count - 1;
            parser->open[parser->depth].left = node.value;
            parser->depth++;
        } else if (close_node(parser)) {
            *ret_complete = true;
            return GW_OK;
        }
    }
}

// Writes `type value CR LF` backwards into the end of `line` and returns where it begins.
static const char *number_line(char line[static NUMBER_LINE_BYTES_MAX], char type, size_t value)
{
    char *at = line + NUMBER_LINE_BYTES_MAX;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    *--at = type;
    return at;
}

gw_status gw_resp_write_command(struct gw_buf *buf, size_t argument_count)
{
    char line[NUMBER_LINE_BYTES_MAX];
    const char *begin = number_line(line, '*', argument_count);
    return gw_buf_append(buf, begin, (size_t)(line + sizeof line - begin));
}

gw_status gw_resp_write_argument(struct gw_buf *buf, const void *data, size_t size)
{
    char line[NUMBER_LINE_BYTES_MAX];
    const char *begin = number_line(line, '$', size);
    size_t head = (size_t)(line + sizeof line - begin);
    GW_TRY(gw_buf_reserve(buf, head + size + 2)); // sizes of memory that exists: no overflow
    uint8_t *to = buf->data + buf->size;
    memcpy(to, begin, head);
    if (size > 0) {
        memcpy(to + head, data, size);
    }
    to[head + size] = '\r';
    to[head + size + 1] = '\n';
    buf->size += head + size + 2;
    return GW_OK;
}
