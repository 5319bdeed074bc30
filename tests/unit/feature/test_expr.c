// SPDX-License-Identifier: MIT
#include "feature/expr.h"
#include "unit/feature/vocabulary.h"

// Features a = 3, b = 0, none = missing, t = a time 90 s before START_US. The result goes to slot 4.
static const struct {
    const char *name;
    enum gw_value_type type;
} known[] = {{"a", GW_TYPE_NUMBER}, {"b", GW_TYPE_NUMBER}, {"none", GW_TYPE_NUMBER}, {"t", GW_TYPE_TIME}};

static gw_status resolve(void *context, const char *name, size_t length, uint32_t *ret_index,
                         enum gw_value_type *ret_type, gw_err *err)
{
    (void)context;
    for (uint32_t i = 0; i < GW_COUNT_OF(known); i++) {
        if (strlen(known[i].name) == length && memcmp(known[i].name, name, length) == 0) {
            *ret_index = i;
            *ret_type = known[i].type;
            return GW_OK;
        }
    }
    return gw_fail(err, GW_E_CONFIG, "unknown feature '%.*s'", (int)length, name);
}

static double evaluate(const char *text, int64_t now_us)
{
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    struct gw_expr expr = {0};
    gw_err err = {0};
    assert_ok_err(gw_expr_compile(text, resolve, NULL, &arena, &expr, &err), &err);
    struct gw_expr_op ops[GW_EXPR_OPS_MAX + 1];
    memcpy(ops, expr.ops, expr.op_count * sizeof *ops);
    ops[expr.op_count] = (struct gw_expr_op){.code = GW_EXPR_STORE, .index = 4};
    double slots[5] = {3, 0, NAN, (double)START_US / 1e6 - 90, 0};
    gw_expr_run(ops, expr.op_count + 1, now_us, slots);
    gw_arena_deinit(&arena);
    return slots[4];
}

static void expressions_have_the_values_of_their_definitions(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double value; // NaN: missing
    } cases[] = {
        {"1 + 2 * 3 - 4 / 2", 5},
        {"(1 + 2) * -a", -9},
        {"8 / 4 / 2", 1},
        {"8 - 4 - 2", 2},
        {"--2", 2},
        {"1e3 + 0.5", 1000.5},
        {"a / b", NAN},
        {"none + 1", NAN},
        {"none * 0", NAN},
        {"log1p(a)", 1.3862943611198906},
        {"log1p(-1)", NAN},
        {"log1p(-5)", NAN},
        {"rate(a, 97, 0.1, 100)", 13.0 / 197.0},
        {"rate(a, 0, 0.1, 0)", NAN},
        {"log_ratio(a, 1)", 0.69314718055994531},
        {"log_ratio(b, -1)", NAN},
        {"age_s(t)", 90},
        {"age_s(max(t, t))", 90},
        {"one_hot(a, 3)", 1},
        {"one_hot(a, 4)", 0},
        {"one_hot(none, 4)", NAN},
        {"coalesce(none, a)", 3},
        {"coalesce(b, a)", 0},
        {"coalesce(none, none)", NAN},
        {"min(a, b)", 0},
        {"max(a, b)", 3},
        {"min(a, none)", NAN},
        {"max(none, a)", NAN},
        {"clamp(a, 0, 2)", 2},
        {"clamp(a, 5, 9)", 5},
        {"clamp(none, 0, 2)", NAN},
        {"hour()", 22},
        {"dow()", 1},
        {"1e308 * 10", NAN},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        double value = evaluate(cases[i].text, START_US);
        if (!(isnan(value) && isnan(cases[i].value)) && !(fabs(value - cases[i].value) <= 1e-15 * fabs(value))) {
            fail_msg("%s is %.17g, not %.17g", cases[i].text, value, cases[i].value);
        }
    }
}

static void clock_functions_hold_on_both_sides_of_the_epoch(void **state)
{
    (void)state;
    assert_true(evaluate("hour()", 0) == 0 && evaluate("dow()", 0) == 3);
    assert_true(evaluate("hour()", -1) == 23 && evaluate("dow()", -1) == 2);
    assert_true(evaluate("dow()", 4 * 24 * HOUR_US) == 0);
    assert_true(evaluate("age_s(t)", START_US - 91 * SECOND_US) == 0); // a time to come
}

static void wrong_expressions_say_what_is_wrong(void **state)
{
    (void)state;
    char deep[128] = {0};
    char wide[512] = {0};
    char tall[1024] = {0};
    memset(deep, '(', 40);
    for (size_t i = 0; i < 200; i++) {
        strcat(wide, "1+");
    }
    strcat(wide, "1");
    for (size_t i = 0; i < 33; i++) {
        strcat(tall, i == 0 ? "1" : "+max(1,1");
    }
    const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "expected a number, a feature, a function or '(', found the end"},
        {"1 +", "expected a number, a feature, a function or '(', found the end"},
        {"1 2", "expected an operator or the end, found '2'"},
        {"(1", "expected ')', found the end"},
        {"a & b", "unexpected character '&'"},
        {"1..2", "'1..2' is not a number"},
        {"unknown", "unknown feature 'unknown'"},
        {"log1(a)", "unknown function 'log1'; the nearest is 'log1p'"},
        {"log1p()", "expected a number, a feature, a function or '(', found ')'"},
        {"log1p(a, b)", "'log1p' takes 1 arguments and a ')'"},
        {"rate(a, b)", "'rate' takes 4 arguments"},
        {"hour(a)", "'hour' takes 0 arguments and a ')'"},
        {"age_s(a)", "argument 1 of 'age_s' is a number, expected a time"},
        {"log1p(t)", "argument 1 of 'log1p' is a time, expected a number"},
        {"coalesce(t, a)", "argument 2 of 'coalesce' is a number, expected a time"},
        {"t + 1", "'+' of a time: use age_s(...)"},
        {"1 * t", "'*' of a time: use age_s(...)"},
        {"-t", "'-' of a time: use age_s(...)"},
        {"\x01", "unexpected byte 0x01"},
        {deep, "nested deeper than 32"},
        {tall, "needs more than 32 values at a time"},
        {wide, "longer than 256 operations"},
    };
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_expr expr = {0};
        gw_err err = {0};
        assert_fails(gw_expr_compile(cases[i].text, resolve, NULL, &arena, &expr, &err), GW_E_CONFIG);
        assert_string_equal(err.message, cases[i].message);
    }
    gw_arena_deinit(&arena);
}

GW_TESTS(expressions_have_the_values_of_their_definitions, clock_functions_hold_on_both_sides_of_the_epoch,
         wrong_expressions_say_what_is_wrong)
