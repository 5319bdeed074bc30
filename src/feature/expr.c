// SPDX-License-Identifier: MIT
// Recursive descent that emits operations in postfix order while it parses; types are checked on the way, and the stack
// height is tracked, so that a compiled program needs no checks when it runs.
#include "feature/expr.h"

#include "base/check.h"
#include "feature/scan.h"
#include "base/suggest.h"

#include <math.h>
#include <string.h>

#define NESTING_MAX 32

struct function {
    const char *name;
    enum gw_expr_code code;
    const char *arguments;
    char result;
};

static const struct function functions[] = {
#define X(code, name, arguments, result) {name, GW_EXPR_##code, arguments, result},
    GW_EXPR_FUNCTIONS(X)
#undef X
};

struct parser {
    struct gw_scanner scanner;
    gw_expr_resolve resolve;
    void *context;
    struct gw_expr_op ops[GW_EXPR_OPS_MAX];
    uint32_t op_count;
    uint32_t stack; // height after the operations so far
    uint32_t nesting;
};

static gw_status parse_sum(struct parser *parser, enum gw_value_type *ret_type, gw_err *err);

static const char *type_name(enum gw_value_type type)
{
    return type == GW_TYPE_TIME ? "a time" : "a number";
}

// Appends an operation that takes `taken` values off the stack and pushes one.
static gw_status emit(struct parser *parser, struct gw_expr_op op, uint32_t taken, gw_err *err)
{
    if (parser->op_count == GW_EXPR_OPS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "longer than %d operations", GW_EXPR_OPS_MAX);
    }
    GW_ASSERT(parser->stack >= taken);
    parser->stack = parser->stack - taken + 1;
    if (parser->stack > GW_EXPR_STACK_MAX) {
        return gw_fail(err, GW_E_CONFIG, "needs more than %d values at a time", GW_EXPR_STACK_MAX);
    }
    parser->ops[parser->op_count++] = op;
    return GW_OK;
}

static gw_status find_function(const struct gw_scanner *name, const struct function **ret_function, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, name->start, name->length);
    for (size_t i = 0; i < GW_COUNT_OF(functions); i++) {
        if (gw_scanner_is(name, functions[i].name)) {
            *ret_function = &functions[i];
            return GW_OK;
        }
        gw_suggestion_offer(&suggestion, functions[i].name);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown function '%.*s'%s", (int)GW_MIN(name->length, (size_t)64), name->start,
                   gw_suggestion_text(&suggestion));
}

static gw_status check_argument(const struct function *function, size_t index, enum gw_value_type type,
                                enum gw_value_type *alike, gw_err *err)
{
    enum gw_value_type wanted = function->arguments[index] == 't' ? GW_TYPE_TIME : GW_TYPE_NUMBER;
    if (function->arguments[index] == 's') {
        if (index == 0) {
            *alike = type;
        }
        wanted = *alike;
    }
    if (type != wanted) {
        return gw_fail(err, GW_E_CONFIG, "argument %zu of '%s' is %s, expected %s", index + 1, function->name,
                       type_name(type), type_name(wanted));
    }
    return GW_OK;
}

// The scanner stands behind the '('.
static gw_status parse_call(struct parser *parser, const struct function *function, enum gw_value_type *ret_type,
                            gw_err *err)
{
    size_t wanted = strlen(function->arguments);
    enum gw_value_type alike = GW_TYPE_NUMBER;
    for (size_t i = 0; i < wanted; i++) {
        enum gw_value_type type = GW_TYPE_NUMBER;
        if (i > 0) {
            if (parser->scanner.token != GW_TOKEN_COMMA) {
                return gw_fail(err, GW_E_CONFIG, "'%s' takes %zu arguments", function->name, wanted);
            }
            GW_TRY(gw_scanner_next(&parser->scanner, err));
        }
        GW_TRY(parse_sum(parser, &type, err));
        GW_TRY(check_argument(function, i, type, &alike, err));
    }
    if (parser->scanner.token != GW_TOKEN_CLOSE) {
        return gw_fail(err, GW_E_CONFIG, "'%s' takes %zu arguments and a ')'", function->name, wanted);
    }
    GW_TRY(gw_scanner_next(&parser->scanner, err));
    *ret_type = function->result == 's' ? alike : GW_TYPE_NUMBER;
    return emit(parser, (struct gw_expr_op){.code = function->code}, (uint32_t)wanted, err);
}

static gw_status parse_name(struct parser *parser, enum gw_value_type *ret_type, gw_err *err)
{
    struct gw_scanner name = parser->scanner;
    GW_TRY(gw_scanner_next(&parser->scanner, err));
    if (parser->scanner.token == GW_TOKEN_OPEN) {
        const struct function *function = NULL;
        GW_TRY(find_function(&name, &function, err));
        GW_TRY(gw_scanner_next(&parser->scanner, err));
        return parse_call(parser, function, ret_type, err);
    }
    uint32_t index = 0;
    GW_TRY(parser->resolve(parser->context, name.start, name.length, &index, ret_type, err));
    return emit(parser, (struct gw_expr_op){.code = GW_EXPR_LOAD, .index = index}, 0, err);
}

static gw_status parse_primary(struct parser *parser, enum gw_value_type *ret_type, gw_err *err)
{
    struct gw_scanner *scanner = &parser->scanner;
    if (scanner->token == GW_TOKEN_NAME) {
        return parse_name(parser, ret_type, err);
    }
    if (scanner->token == GW_TOKEN_NUMBER) {
        double number = scanner->number;
        *ret_type = GW_TYPE_NUMBER;
        GW_TRY(gw_scanner_next(scanner, err));
        return emit(parser, (struct gw_expr_op){.code = GW_EXPR_CONST, .number = number}, 0, err);
    }
    if (scanner->token == GW_TOKEN_OPEN) {
        GW_TRY(gw_scanner_next(scanner, err));
        GW_TRY(parse_sum(parser, ret_type, err));
        return gw_scanner_expect(scanner, GW_TOKEN_CLOSE, "')'", err);
    }
    return gw_scanner_unexpected(scanner, "a number, a feature, a function or '('", err);
}

static gw_status need_number(enum gw_value_type type, const char *where, gw_err *err)
{
    if (type != GW_TYPE_NUMBER) {
        return gw_fail(err, GW_E_CONFIG, "'%s' of a time: use age_s(...)", where);
    }
    return GW_OK;
}

static gw_status parse_unary(struct parser *parser, enum gw_value_type *ret_type, gw_err *err)
{
    if (parser->scanner.token != GW_TOKEN_MINUS) {
        return parse_primary(parser, ret_type, err);
    }
    if (parser->nesting == NESTING_MAX) {
        return gw_fail(err, GW_E_CONFIG, "nested deeper than %d", NESTING_MAX);
    }
    parser->nesting++;
    GW_TRY(gw_scanner_next(&parser->scanner, err));
    GW_TRY(parse_unary(parser, ret_type, err));
    parser->nesting--;
    GW_TRY(need_number(*ret_type, "-", err));
    return emit(parser, (struct gw_expr_op){.code = GW_EXPR_NEG}, 1, err);
}

static gw_status parse_product(struct parser *parser, enum gw_value_type *ret_type, gw_err *err)
{
    GW_TRY(parse_unary(parser, ret_type, err));
    while (parser->scanner.token == GW_TOKEN_STAR || parser->scanner.token == GW_TOKEN_SLASH) {
        bool times = parser->scanner.token == GW_TOKEN_STAR;
        enum gw_value_type right = GW_TYPE_NUMBER;
        GW_TRY(need_number(*ret_type, times ? "*" : "/", err));
        GW_TRY(gw_scanner_next(&parser->scanner, err));
        GW_TRY(parse_unary(parser, &right, err));
        GW_TRY(need_number(right, times ? "*" : "/", err));
        GW_TRY(emit(parser, (struct gw_expr_op){.code = times ? GW_EXPR_MUL : GW_EXPR_DIV}, 2, err));
    }
    return GW_OK;
}

static gw_status parse_sum(struct parser *parser, enum gw_value_type *ret_type, gw_err *err)
{
    if (parser->nesting == NESTING_MAX) {
        return gw_fail(err, GW_E_CONFIG, "nested deeper than %d", NESTING_MAX);
    }
    parser->nesting++;
    GW_TRY(parse_product(parser, ret_type, err));
    while (parser->scanner.token == GW_TOKEN_PLUS || parser->scanner.token == GW_TOKEN_MINUS) {
        bool plus = parser->scanner.token == GW_TOKEN_PLUS;
        enum gw_value_type right = GW_TYPE_NUMBER;
        GW_TRY(need_number(*ret_type, plus ? "+" : "-", err));
        GW_TRY(gw_scanner_next(&parser->scanner, err));
        GW_TRY(parse_product(parser, &right, err));
        GW_TRY(need_number(right, plus ? "+" : "-", err));
        GW_TRY(emit(parser, (struct gw_expr_op){.code = plus ? GW_EXPR_ADD : GW_EXPR_SUB}, 2, err));
    }
    parser->nesting--;
    return GW_OK;
}

gw_status gw_expr_compile(const char *text, gw_expr_resolve resolve, void *context, struct gw_arena *arena,
                          struct gw_expr *ret_expr, gw_err *err)
{
    struct parser parser = {.resolve = resolve, .context = context};
    enum gw_value_type type = GW_TYPE_NUMBER;
    GW_TRY(gw_scanner_start(&parser.scanner, text, err));
    GW_TRY(parse_sum(&parser, &type, err));
    if (parser.scanner.token != GW_TOKEN_END) {
        return gw_scanner_unexpected(&parser.scanner, "an operator or the end", err);
    }
    GW_ASSERT(parser.stack == 1);
    struct gw_expr_op *ops = gw_arena_array(arena, parser.op_count, sizeof *ops);
    if (ops == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an expression");
    }
    memcpy(ops, parser.ops, parser.op_count * sizeof *ops);
    *ret_expr = (struct gw_expr){.ops = ops, .op_count = parser.op_count, .type = type};
    return GW_OK;
}

static double ratio(double a, double b)
{
    return b == 0 ? NAN : a / b;
}

// log1p and log are libm's: a vector may differ from machine to machine in the last bit of a double, which the rounding
// to float hides all but always. Rows never depend on them.
static double log1p_of(double x)
{
    return x > -1 ? log1p(x) : NAN;
}

static double log_ratio(double a, double b)
{
    return a > -1 && b > -1 ? log((1 + a) / (1 + b)) : NAN;
}

static double min_of(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : GW_MIN(a, b);
}

static double max_of(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : GW_MAX(a, b);
}

static double age_s(double time_s, int64_t now_us)
{
    return max_of((double)now_us / 1e6 - time_s, 0);
}

// Whole `unit_us` since the epoch, rounded down, modulo `count`.
static double cycle(int64_t now_us, int64_t unit_us, int64_t shift, int64_t count)
{
    int64_t units = now_us / unit_us - (now_us % unit_us < 0 ? 1 : 0);
    int64_t rest = (units + shift) % count;
    return (double)(rest < 0 ? rest + count : rest);
}

static double one_hot(double x, double k)
{
    return isnan(x) || isnan(k) ? NAN : (x == k ? 1 : 0);
}

void gw_expr_run(const struct gw_expr_op *ops, uint32_t op_count, int64_t now_us, double *slots)
{
    const int64_t hour_us = INT64_C(3600000000);
    double stack[GW_EXPR_STACK_MAX + 1] = {0};
    double *top = stack; // the highest value; stack[0] is never used

    for (const struct gw_expr_op *op = ops; op < ops + op_count; op++) {
        switch (op->code) {
        case GW_EXPR_CONST:
            *++top = op->number;
            break;
        case GW_EXPR_LOAD:
            *++top = slots[op->index];
            break;
        case GW_EXPR_STORE:
            slots[op->index] = isfinite(*top) ? *top : NAN;
            top--;
            break;
        case GW_EXPR_STORE_ZERO:
            slots[op->index] = isfinite(*top) ? *top : 0;
            top--;
            break;
        case GW_EXPR_NEG:
            *top = -*top;
            break;
        case GW_EXPR_ADD:
            top--;
            top[0] = top[0] + top[1];
            break;
        case GW_EXPR_SUB:
            top--;
            top[0] = top[0] - top[1];
            break;
        case GW_EXPR_MUL:
            top--;
            top[0] = top[0] * top[1];
            break;
        case GW_EXPR_DIV:
            top--;
            top[0] = ratio(top[0], top[1]);
            break;
        case GW_EXPR_LOG1P:
            *top = log1p_of(*top);
            break;
        case GW_EXPR_RATE:
            top -= 3;
            top[0] = ratio(top[0] + top[2] * top[3], top[1] + top[3]);
            break;
        case GW_EXPR_LOG_RATIO:
            top--;
            top[0] = log_ratio(top[0], top[1]);
            break;
        case GW_EXPR_AGE_S:
            *top = age_s(*top, now_us);
            break;
        case GW_EXPR_HOUR:
            *++top = cycle(now_us, hour_us, 0, 24);
            break;
        case GW_EXPR_DOW:
            *++top = cycle(now_us, 24 * hour_us, 3, 7); // the epoch was a Thursday
            break;
        case GW_EXPR_ONE_HOT:
            top--;
            top[0] = one_hot(top[0], top[1]);
            break;
        case GW_EXPR_COALESCE:
            top--;
            top[0] = isnan(top[0]) ? top[1] : top[0];
            break;
        case GW_EXPR_MIN:
            top--;
            top[0] = min_of(top[0], top[1]);
            break;
        case GW_EXPR_MAX:
            top--;
            top[0] = max_of(top[0], top[1]);
            break;
        case GW_EXPR_CLAMP:
            top -= 2;
            top[0] = min_of(max_of(top[0], top[1]), top[2]);
            break;
        }
    }
}
