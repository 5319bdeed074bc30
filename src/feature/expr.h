// SPDX-License-Identifier: MIT
// `derive` of a feature: a small typed expression over other features, compiled to a stack program.
//
//   expr    := term {("+" | "-") term}
//   term    := unary {("*" | "/") unary}
//   unary   := "-" unary | primary
//   primary := number | feature | function "(" [expr {"," expr}] ")" | "(" expr ")"
//
// Two types: numbers, and times (seconds since the epoch inside a program). NaN is "missing" and propagates through
// everything except coalesce. What has no finite value (x/0, log1p of -1) is missing too.
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

#define GW_EXPR_STACK_MAX 32  // values on the stack of a program
#define GW_EXPR_OPS_MAX   256 // operations of one expression

enum gw_value_type { GW_TYPE_NUMBER, GW_TYPE_TIME };

// X(CODE, name, argument types, result type): n number, t time, s both alike (number or time); the functions of the
// language.
#define GW_EXPR_FUNCTIONS(X)                                                                                           \
    X(LOG1P, "log1p", "n", 'n')          /* ln(1 + x) */                                                               \
    X(RATE, "rate", "nnnn", 'n')         /* (a + prior * strength) / (b + strength) */                                 \
    X(LOG_RATIO, "log_ratio", "nn", 'n') /* ln((1 + a) / (1 + b)) */                                                   \
    X(AGE_S, "age_s", "t", 'n')          /* seconds from a time to now, at least 0 */                                  \
    X(HOUR, "hour", "", 'n')             /* hour of now, UTC, 0..23 */                                                 \
    X(DOW, "dow", "", 'n')               /* day of the week of now, UTC, Monday 0 .. Sunday 6 */                       \
    X(ONE_HOT, "one_hot", "nn", 'n')     /* 1 when x equals k, else 0 */                                               \
    X(COALESCE, "coalesce", "ss", 's')   /* the first that is not missing */                                           \
    X(MIN, "min", "ss", 's')                                                                                           \
    X(MAX, "max", "ss", 's')                                                                                           \
    X(CLAMP, "clamp", "nnn", 'n') /* x, but at least the second and at most the third */

enum gw_expr_code {
    GW_EXPR_CONST,      // push op.number
    GW_EXPR_LOAD,       // push value op.index: a feature in an expression, a slot in a segment
    GW_EXPR_STORE,      // pop into slot op.index; segments only
    GW_EXPR_STORE_ZERO, // the same, missing becomes 0
    GW_EXPR_NEG,
    GW_EXPR_ADD,
    GW_EXPR_SUB,
    GW_EXPR_MUL,
    GW_EXPR_DIV,
#define X(code, name, arguments, result) GW_EXPR_##code,
    GW_EXPR_FUNCTIONS(X)
#undef X
};

struct gw_expr_op {
    enum gw_expr_code code;
    uint32_t index;
    double number;
};

struct gw_expr {
    const struct gw_expr_op *ops;
    uint32_t op_count;
    enum gw_value_type type;
};

// Resolves a feature name (not NUL-terminated) to its index and type.
typedef gw_status (*gw_expr_resolve)(void *context, const char *name, size_t length, uint32_t *ret_index,
                                     enum gw_value_type *ret_type, gw_err *err);

// Compiles into arena memory. GW_E_CONFIG says what is wrong.
GW_CHECK gw_status gw_expr_compile(const char *text, gw_expr_resolve resolve, void *context, struct gw_arena *arena,
                                   struct gw_expr *ret_expr, gw_err *err);

// Runs operations that end with an empty stack (segments). `slots` are read by LOAD and written by STORE.
void gw_expr_run(const struct gw_expr_op *ops, uint32_t op_count, int64_t now_us, double *slots);
