// SPDX-License-Identifier: MIT
// RESP2, the protocol of Redis: a request writer and a bounded, resumable reply reader. Pure: no I/O.
//
// A reply becomes a run of nodes in pre-order: an array's node comes first, its elements behind it. Nodes hold offsets
// into the input, never pointers, so the input buffer may move while more of it arrives, and no byte is copied. A row
// read by MGET costs one 24-byte node and no allocation.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_RESP_DEPTH_MAX      8           // arrays in arrays
#define GW_RESP_LINE_BYTES_MAX (64 * 1024) // of a simple string or an error
#define GW_RESP_BULK_BYTES_MAX (16 * 1024 * 1024)
#define GW_RESP_NODES_MAX      (4 * 1024 * 1024)

enum gw_resp_type { GW_RESP_TEXT, GW_RESP_ERROR, GW_RESP_INTEGER, GW_RESP_BULK, GW_RESP_NIL, GW_RESP_ARRAY };

struct gw_resp_node {
    uint32_t type; // enum gw_resp_type
    uint32_t next; // index of the node behind this one and all its elements
    size_t offset; // TEXT, ERROR, BULK: where the bytes begin in the input
    int64_t value; // INTEGER: the value; TEXT, ERROR, BULK: size in bytes; ARRAY: elements; NIL: 0
};

// Zero-initialised is empty and valid; the owner calls gw_resp_parser_deinit.
struct gw_resp_parser {
    struct gw_resp_node *nodes;
    size_t node_count;
    size_t node_capacity;
    size_t position; // input bytes consumed; always between two nodes
    size_t depth;    // arrays open at `position`
    struct {
        uint32_t node;
        int64_t left;
    } open[GW_RESP_DEPTH_MAX];
};

void gw_resp_parser_deinit(struct gw_resp_parser *parser);

// Forgets all nodes and starts at input offset 0; keeps memory.
void gw_resp_parser_clear(struct gw_resp_parser *parser);

// Goes on at `position` until one top-level reply is complete (*ret_complete true) or the input is used up (false: call
// again with the same input, longer). Nodes are appended behind those of earlier replies.
// GW_E_MALFORMED, GW_E_TOO_LARGE (over a bound above) or GW_E_MEMORY: the parser must be cleared.
GW_CHECK gw_status gw_resp_parse(struct gw_resp_parser *parser, struct gw_slice input, bool *ret_complete, gw_err *err);

// Writes the header of a command of `argument_count` (> 0) arguments, the command's name being the first of them.
GW_CHECK gw_status gw_resp_write_command(struct gw_buf *buf, size_t argument_count);
GW_CHECK gw_status gw_resp_write_argument(struct gw_buf *buf, const void *data, size_t size);
