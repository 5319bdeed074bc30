// SPDX-License-Identifier: MIT
#include "feature/filter.h"

#include "base/bytes.h"
#include "feature/scan.h"
#include "base/suggest.h"

#include <math.h>
#include <string.h>

// What one compilation carries along.
struct compiler {
    struct gw_scanner scanner;
    const struct gw_feature_vocabulary *vocabulary;
    struct gw_arena *arena;
    struct gw_buf text; // canonical spelling so far
};

static void compiler_deinit(struct compiler *compiler)
{
    gw_buf_deinit(&compiler->text);
}

static gw_status out_of_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory for a filter");
}

gw_status gw_filter_attribute(const struct gw_feature_vocabulary *vocabulary, const char *name, size_t length,
                              uint32_t *ret_index, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, name, length);
    for (size_t i = 0; i < vocabulary->attribute_count; i++) {
        const char *candidate = vocabulary->attributes[i].name;
        if (strlen(candidate) == length && memcmp(candidate, name, length) == 0) {
            *ret_index = (uint32_t)i;
            return GW_OK;
        }
        gw_suggestion_offer(&suggestion, candidate);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown attribute '%.*s'%s", (int)GW_MIN(length, (size_t)64), name,
                   gw_suggestion_text(&suggestion));
}

static gw_status find_symbol(const struct gw_feature_attribute *attribute, const struct gw_scanner *scanner,
                             double *ret_value, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, scanner->start, scanner->length);
    for (size_t i = 0; attribute->symbols != NULL && i < attribute->symbol_count; i++) {
        if (gw_scanner_is(scanner, attribute->symbols[i].name)) {
            *ret_value = attribute->symbols[i].value;
            return GW_OK;
        }
        gw_suggestion_offer(&suggestion, attribute->symbols[i].name);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown symbol '%.*s' of attribute '%s'%s",
                   (int)GW_MIN(scanner->length, (size_t)64), scanner->start, attribute->name,
                   gw_suggestion_text(&suggestion));
}

static gw_status compile_value(struct compiler *compiler, uint32_t attribute, double *ret_value, gw_err *err)
{
    struct gw_scanner *scanner = &compiler->scanner;
    double sign = 1;
    if (scanner->token == GW_TOKEN_MINUS) {
        sign = -1;
        GW_TRY(gw_scanner_next(scanner, err));
        if (scanner->token != GW_TOKEN_NUMBER) {
            return gw_scanner_unexpected(scanner, "a number", err);
        }
        GW_TRY(gw_buf_append_text(&compiler->text, "-"));
    }
    if (scanner->token == GW_TOKEN_NUMBER) {
        *ret_value = sign * scanner->number;
    } else if (scanner->token == GW_TOKEN_NAME) {
        GW_TRY(find_symbol(&compiler->vocabulary->attributes[attribute], scanner, ret_value, err));
    } else {
        return gw_scanner_unexpected(scanner, "a number or a symbol", err);
    }
    GW_TRY(gw_buf_append(&compiler->text, scanner->start, scanner->length));
    return gw_scanner_next(scanner, err);
}

static gw_status compile_list(struct compiler *compiler, uint32_t attribute, double *values, uint32_t *ret_count,
                              gw_err *err)
{
    struct gw_scanner *scanner = &compiler->scanner;
    uint32_t count = 0;
    GW_TRY(gw_scanner_next(scanner, err));
    GW_TRY(gw_scanner_expect(scanner, GW_TOKEN_OPEN, "'(' after 'in'", err));
    GW_TRY(gw_buf_append_text(&compiler->text, " in ("));
    for (;;) {
        if (count == GW_FILTER_VALUES_MAX) {
            return gw_fail(err, GW_E_CONFIG, "more than %d values in a list", GW_FILTER_VALUES_MAX);
        }
        GW_TRY(compile_value(compiler, attribute, &values[count++], err));
        if (scanner->token != GW_TOKEN_COMMA) {
            break;
        }
        GW_TRY(gw_buf_append_text(&compiler->text, ", "));
        GW_TRY(gw_scanner_next(scanner, err));
    }
    GW_TRY(gw_scanner_expect(scanner, GW_TOKEN_CLOSE, "',' or ')'", err));
    GW_TRY(gw_buf_append_text(&compiler->text, ")"));
    *ret_count = count;
    return GW_OK;
}

static bool comparison_of(enum gw_token token, enum gw_filter_op *ret_op, const char **ret_text)
{
    static const struct {
        enum gw_token token;
        enum gw_filter_op op;
        const char *text;
    } comparisons[] = {
        {GW_TOKEN_EQUAL, GW_FILTER_IN, " = "},        {GW_TOKEN_NOT_EQUAL, GW_FILTER_NOT_EQUAL, " != "},
        {GW_TOKEN_LESS, GW_FILTER_LESS, " < "},       {GW_TOKEN_LESS_EQUAL, GW_FILTER_LESS_EQUAL, " <= "},
        {GW_TOKEN_GREATER, GW_FILTER_GREATER, " > "}, {GW_TOKEN_GREATER_EQUAL, GW_FILTER_GREATER_EQUAL, " >= "},
    };
    for (size_t i = 0; i < GW_COUNT_OF(comparisons); i++) {
        if (comparisons[i].token == token) {
            *ret_op = comparisons[i].op;
            *ret_text = comparisons[i].text;
            return true;
        }
    }
    return false;
}

static gw_status compile_test(struct compiler *compiler, struct gw_filter_test *ret_test, gw_err *err)
{
    struct gw_scanner *scanner = &compiler->scanner;
    if (scanner->token != GW_TOKEN_NAME) {
        return gw_scanner_unexpected(scanner, "an attribute", err);
    }
    double values[GW_FILTER_VALUES_MAX];
    struct gw_filter_test test = {.op = GW_FILTER_PRESENT};
    const char *comparison = NULL;
    GW_TRY(gw_filter_attribute(compiler->vocabulary, scanner->start, scanner->length, &test.attribute, err));
    GW_TRY(gw_buf_append(&compiler->text, scanner->start, scanner->length));
    GW_TRY(gw_scanner_next(scanner, err));

    if (gw_scanner_is(scanner, "present")) {
        GW_TRY(gw_buf_append_text(&compiler->text, " present"));
        GW_TRY(gw_scanner_next(scanner, err));
    } else if (gw_scanner_is(scanner, "in")) {
        test.op = GW_FILTER_IN;
        GW_TRY(compile_list(compiler, test.attribute, values, &test.value_count, err));
    } else if (comparison_of(scanner->token, &test.op, &comparison)) {
        GW_TRY(gw_buf_append_text(&compiler->text, comparison));
        GW_TRY(gw_scanner_next(scanner, err));
        GW_TRY(compile_value(compiler, test.attribute, &values[0], err));
        test.value_count = 1;
    } else {
        return gw_scanner_unexpected(scanner, "'in', 'present' or a comparison", err);
    }

    if (test.value_count > 0) {
        double *kept = gw_arena_array(compiler->arena, test.value_count, sizeof *kept);
        if (kept == NULL) {
            return out_of_memory(err);
        }
        memcpy(kept, values, test.value_count * sizeof *kept);
        test.values = kept;
    }
    *ret_test = test;
    return GW_OK;
}

static gw_status compile_all(struct compiler *compiler, struct gw_filter *ret_filter, gw_err *err)
{
    struct gw_filter_test tests[GW_FILTER_TESTS_MAX];
    uint32_t count = 0;
    for (;;) {
        if (count == GW_FILTER_TESTS_MAX) {
            return gw_fail(err, GW_E_CONFIG, "more than %d tests", GW_FILTER_TESTS_MAX);
        }
        GW_TRY(compile_test(compiler, &tests[count++], err));
        if (!gw_scanner_is(&compiler->scanner, "and")) {
            break;
        }
        GW_TRY(gw_buf_append_text(&compiler->text, " and "));
        GW_TRY(gw_scanner_next(&compiler->scanner, err));
    }
    if (compiler->scanner.token != GW_TOKEN_END) {
        return gw_scanner_unexpected(&compiler->scanner, "'and' or the end", err);
    }

    struct gw_filter_test *kept = gw_arena_array(compiler->arena, count, sizeof *kept);
    char *text = gw_arena_alloc(compiler->arena, compiler->text.size + 1);
    if (kept == NULL || text == NULL) {
        return out_of_memory(err);
    }
    memcpy(kept, tests, count * sizeof *kept);
    memcpy(text, compiler->text.data, compiler->text.size);
    text[compiler->text.size] = '\0';
    *ret_filter = (struct gw_filter){.text = text, .tests = kept, .test_count = count};
    return GW_OK;
}

gw_status gw_filter_compile(const char *text, const struct gw_feature_vocabulary *vocabulary, struct gw_arena *arena,
                            struct gw_filter *ret_filter, gw_err *err)
{
    if (text == NULL) {
        *ret_filter = (struct gw_filter){.text = ""};
        return GW_OK;
    }
    GW_CLEANUP(compiler_deinit) struct compiler compiler = {.vocabulary = vocabulary, .arena = arena};
    GW_TRY(gw_scanner_start(&compiler.scanner, text, err));
    return compile_all(&compiler, ret_filter, err);
}

static bool test_passes(const struct gw_filter_test *test, double value)
{
    if (isnan(value)) {
        return false;
    }
    switch (test->op) {
    case GW_FILTER_IN:
        for (uint32_t i = 0; i < test->value_count; i++) {
            if (value == test->values[i]) {
                return true;
            }
        }
        return false;
    case GW_FILTER_NOT_EQUAL:
        return value != test->values[0];
    case GW_FILTER_LESS:
        return value < test->values[0];
    case GW_FILTER_LESS_EQUAL:
        return value <= test->values[0];
    case GW_FILTER_GREATER:
        return value > test->values[0];
    case GW_FILTER_GREATER_EQUAL:
        return value >= test->values[0];
    case GW_FILTER_PRESENT:
        return true;
    }
    return false;
}

bool gw_filter_passes(const struct gw_filter *filter, const double *attributes)
{
    for (uint32_t i = 0; i < filter->test_count; i++) {
        if (!test_passes(&filter->tests[i], attributes[filter->tests[i].attribute])) {
            return false;
        }
    }
    return true;
}
