// SPDX-License-Identifier: MIT
// A plan: the forests of one bundle compiled for batches, portable C, bit-equal to gw_forest_margin. Faster kernels are
// tested against it.
//
// Views: a node needs its feature with missing values made to go one way. So a (column, default side) pair that some
// node uses is one view: the column's values with NaN replaced by -inf (default left) or +inf (default right). One
// compare `x < t` then decides every case without a branch.
//
// Trees up to GW_PLAN_HEAP_DEPTH_MAX levels are perfect heaps of 8-byte nodes {threshold, view}; a leaf above the last
// level is repeated below itself. Consecutive trees form groups of up to GW_PLAN_GROUP_TREES, padded to the group's
// deepest. Rows go in blocks whose views fit the L1 or L2 cache, trees outside, rows inside: eight rows descend one
// tree together, or, when a block has fewer rows, one row descends the eight trees of a group together; either hides
// the latency of the dependent loads. Leaves are added in tree order in both. Other trees (deeper, or with a threshold
// of -inf, which the -inf view cannot pass) are walked node by node.
#pragma once

#include "model/forest.h"

#define GW_PLAN_HEAP_DEPTH_MAX 8
#define GW_PLAN_GROUP_TREES    8

struct gw_plan;

// Compiles `forest_count` forests over vectors of `width` floats; feature f of every forest stands in columns[f], which
// is < width. Borrows everything for the call. GW_E_MEMORY. Free with gw_plan_free.
GW_CHECK gw_status gw_plan_new(struct gw_forest *const *forests, size_t forest_count, const uint32_t *columns,
                               size_t width, struct gw_plan **ret_plan, gw_err *err);
void gw_plan_free(struct gw_plan *plan);

// margins[f * row_count + r]: margin of forest f for row r. rows: row-major, `stride` floats apart. Uses about 70 KiB
// of stack, never allocates. Any thread.
void gw_plan_margins(const struct gw_plan *plan, const float *rows, size_t stride, size_t row_count, float *margins);
