// SPDX-License-Identifier: MIT
// What a head's accumulator holds. For head_*.c only.
#pragma once

#include "quality/head_quality.h"

__extension__ typedef __int128 gw_i128;

#define GW_HEAD_WEIGHT_ONE 65536.0 // weights count in units of 2^-16
#define GW_HEAD_SUM_ONE    0x1p32  // sums count in units of 2^-32

// w weight, y label, p prediction, l clipped log loss.  X(suffix): the sum over rows of
#define GW_HEAD_SUM_MAP(X)                                                                                             \
    X(WL)   /* w l */                                                                                                  \
    X(WP)   /* w p */                                                                                                  \
    X(WB)   /* w (p - y)^2 */                                                                                          \
    X(W2)   /* w^2 */                                                                                                  \
    X(W2Y)  /* w^2 y */                                                                                                \
    X(W2L)  /* w^2 l */                                                                                                \
    X(W2LY) /* w^2 l y */                                                                                              \
    X(W2LL) /* w^2 l^2 */                                                                                              \
    X(W2PY) /* w^2 p y */                                                                                              \
    X(W2PP) /* w^2 p^2 */

enum gw_head_sum {
#define X(suffix) GW_HEAD_SUM_##suffix,
    GW_HEAD_SUM_MAP(X)
#undef X
        GW_HEAD_SUM_COUNT
};

enum gw_head_count {
    GW_HEAD_COUNT_ROWS,
    GW_HEAD_COUNT_POSITIVE_ROWS,
    GW_HEAD_COUNT_ANNOUNCED_ROWS,
    GW_HEAD_COUNT_ANNOUNCED_WEIGHT, // units of 2^-16
    GW_HEAD_COUNT_COUNT
};

struct gw_head_quality {
    uint64_t counts[GW_HEAD_COUNT_COUNT];
    gw_i128 sums[GW_HEAD_SUM_COUNT];           // all >= 0
    gw_i128 predicted[GW_HEAD_QUALITY_GROUPS]; // sum of w p of the group
    uint64_t bins[2][GW_HEAD_QUALITY_BINS];    // weight by label and logit; 2^29 rows of 2^33 units fit
};
