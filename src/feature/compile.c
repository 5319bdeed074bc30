// SPDX-License-Identifier: MIT
// From definitions to a set: views, then columns, then layouts, then derived features in the order of their
// dependencies, then for each view the segment that explains all its features.
#include "feature/set.h"

#include "base/check.h"
#include "base/ini.h"
#include "base/mem.h"
#include "feature/define.h"
#include "feature/internal.h"
#include "base/suggest.h"

#include <string.h>

#define ARENA_BLOCK_BYTES    ((size_t)64 * 1024)
#define ARENA_LIMIT_BYTES    ((size_t)64 * 1024 * 1024)
#define DERIVATION_DEPTH_MAX 32

struct compiler {
    const char *name; // of the file, for messages
    const struct gw_feature_vocabulary *vocabulary;
    struct gw_definitions definitions;
    const struct gw_definition **of_feature; // definition of each feature
    struct gw_feature_set *set;
    uint32_t depth; // of derived features that wait for others
    bool located;   // the error's message names its line already
};

static gw_status out_of_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory for features");
}

// Puts "file:line: feature 'x': key: " in front of the message, once. `key` GW_KEY_COUNT: the section as a whole.
static gw_status located(struct compiler *compiler, const struct gw_definition *definition, enum gw_definition_key key,
                         gw_status status, gw_err *err)
{
    if (status == GW_OK || compiler->located) {
        return status;
    }
    compiler->located = true;
    const char *kind = definition->kind == GW_DEFINITION_VIEW ? "view" : "feature";
    if (key == GW_KEY_COUNT || definition->values[key].text == NULL) {
        return gw_fail_context(err, status, "%s:%d: %s '%s'", compiler->name, definition->line, kind, definition->name);
    }
    return gw_fail_context(err, status, "%s:%d: %s '%s': %s", compiler->name, definition->values[key].line, kind,
                           definition->name, gw_definition_key_text(key));
}

static gw_status fail_at(struct compiler *compiler, const struct gw_definition *definition, enum gw_definition_key key,
                         gw_err *err, const char *message)
{
    return located(compiler, definition, key, gw_fail(err, GW_E_CONFIG, "%s", message), err);
}

static bool given(const struct gw_definition *definition, enum gw_definition_key key)
{
    return definition->values[key].text != NULL;
}

static bool is_text(const struct gw_definition *definition, enum gw_definition_key key, const char *text)
{
    return given(definition, key) && strcmp(definition->values[key].text, text) == 0;
}

// ---- views

static gw_status parse_sides(const struct gw_feature_vocabulary *vocabulary, const char *text, uint32_t *ret_mask,
                             gw_err *err)
{
    uint32_t mask = 0;
    for (;;) {
        text += strspn(text, " \t");
        size_t length = strcspn(text, ", \t");
        struct gw_suggestion suggestion;
        gw_suggestion_start(&suggestion, text, length);
        size_t i = 0;
        for (; i < vocabulary->side_count; i++) {
            if (strlen(vocabulary->sides[i]) == length && memcmp(vocabulary->sides[i], text, length) == 0) {
                break;
            }
            gw_suggestion_offer(&suggestion, vocabulary->sides[i]);
        }
        if (i == vocabulary->side_count) {
            return gw_fail(err, GW_E_CONFIG, "unknown side '%.*s'%s", (int)GW_MIN(length, (size_t)64), text,
                           gw_suggestion_text(&suggestion));
        }
        mask |= 1u << i;
        text += length;
        text += strspn(text, " \t");
        if (*text == '\0') {
            break;
        }
        if (*text != ',') {
            return gw_fail(err, GW_E_CONFIG, "expected ',' between sides, found '%.16s'", text);
        }
        text++;
    }
    *ret_mask = mask;
    return GW_OK;
}

static gw_status compile_view(struct compiler *compiler, const struct gw_definition *definition, struct gw_view *view,
                              gw_err *err)
{
    const char *code = definition->values[GW_KEY_CODE].text;
    if (code == NULL || code[0] <= ' ' || code[0] > '~' || code[1] != '\0') {
        return fail_at(compiler, definition, GW_KEY_CODE, err, "'code' must be one printable character");
    }
    if (!is_text(definition, GW_KEY_KEYS, "1") && !is_text(definition, GW_KEY_KEYS, "2")) {
        return fail_at(compiler, definition, GW_KEY_KEYS, err, "'keys' must be 1 or 2, the ids in a row's key");
    }
    if (!given(definition, GW_KEY_SIDES)) {
        return fail_at(compiler, definition, GW_KEY_SIDES, err, "'sides' is not given");
    }
    for (size_t i = 0; i < compiler->set->view_count; i++) {
        if (compiler->set->views[i].seen.code == (uint8_t)code[0]) {
            return fail_at(compiler, definition, GW_KEY_CODE, err, "another view has this code");
        }
    }
    view->seen.name = definition->name;
    view->seen.code = (uint8_t)code[0];
    view->seen.key_count = is_text(definition, GW_KEY_KEYS, "1") ? 1 : 2;
    gw_status status =
        parse_sides(compiler->vocabulary, definition->values[GW_KEY_SIDES].text, &view->seen.side_mask, err);
    return located(compiler, definition, GW_KEY_SIDES, status, err);
}

// ---- columns

static gw_status find_view(const struct gw_feature_set *set, const char *name, uint32_t *ret_index, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, name, strlen(name));
    for (size_t i = 0; i < set->view_count; i++) {
        if (strcmp(set->views[i].seen.name, name) == 0) {
            *ret_index = (uint32_t)i;
            return GW_OK;
        }
        gw_suggestion_offer(&suggestion, set->views[i].seen.name);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown view '%.64s'%s", name, gw_suggestion_text(&suggestion));
}

static gw_status find_aggregate(const char *name, const struct gw_aggregate **ret_aggregate, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, name, strlen(name));
    const struct gw_aggregate *aggregate = NULL;
    for (size_t i = 0; (aggregate = gw_aggregate_at(i)) != NULL; i++) {
        if (strcmp(aggregate->name, name) == 0) {
            *ret_aggregate = aggregate;
            return GW_OK;
        }
        gw_suggestion_offer(&suggestion, aggregate->name);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown aggregate '%.64s'%s", name, gw_suggestion_text(&suggestion));
}

static gw_status check_need(struct compiler *compiler, const struct gw_definition *definition,
                            enum gw_definition_key key, enum gw_need need, gw_err *err)
{
    if (need == GW_NEED_MUST && !given(definition, key)) {
        gw_status status = gw_fail(err, GW_E_CONFIG, "'%s' needs '%s'", definition->values[GW_KEY_AGGREGATE].text,
                                   gw_definition_key_text(key));
        return located(compiler, definition, GW_KEY_AGGREGATE, status, err);
    }
    if (need == GW_NEED_NO && given(definition, key)) {
        gw_status status = gw_fail(err, GW_E_CONFIG, "'%s' takes none", definition->values[GW_KEY_AGGREGATE].text);
        return located(compiler, definition, key, status, err);
    }
    return GW_OK;
}

static gw_status find_half_life(struct gw_view *view, const char *text, struct gw_column *column, gw_err *err)
{
    int64_t half_life_us = 0;
    if (gw_parse_duration_us(text, &half_life_us, err) != GW_OK || half_life_us == 0) {
        return gw_fail(err, GW_E_CONFIG, "'%.64s' is not a duration such as 30m, 24h, 50d", text);
    }
    uint32_t i = 0;
    while (i < view->half_life_count && view->half_lives_us[i] != (double)half_life_us) {
        i++;
    }
    if (i == GW_FEATURE_HALF_LIVES_MAX) {
        return gw_fail(err, GW_E_CONFIG, "more than %d half-lives in a view", GW_FEATURE_HALF_LIVES_MAX);
    }
    if (i == view->half_life_count) {
        view->half_lives_us[view->half_life_count++] = (double)half_life_us;
    }
    column->half_life_us = (double)half_life_us;
    column->half_life_index = (uint8_t)i;
    return GW_OK;
}

// Equal filters of a view are one: they are asked once per event.
static gw_status find_filter(struct compiler *compiler, struct gw_view *view, const char *text, uint8_t *ret_index,
                             gw_err *err)
{
    struct gw_filter filter = {0};
    GW_TRY(gw_filter_compile(text, compiler->vocabulary, &compiler->set->arena, &filter, err));
    uint32_t i = 0;
    while (i < view->filter_count && strcmp(view->filters[i].text, filter.text) != 0) {
        i++;
    }
    if (i == view->filter_count) {
        view->filters[view->filter_count++] = filter; // never more than there are columns
    }
    *ret_index = (uint8_t)i;
    return GW_OK;
}

static gw_status compile_type(struct compiler *compiler, const struct gw_definition *definition,
                              struct gw_column *column, struct gw_feature *feature, gw_err *err)
{
    feature->type = column->aggregate->type;
    if (!given(definition, GW_KEY_TYPE)) {
        return GW_OK;
    }
    if (!column->aggregate->clocked || !is_text(definition, GW_KEY_TYPE, "time_ms")) {
        return fail_at(compiler, definition, GW_KEY_TYPE, err,
                       "only 'time_ms' with aggregate 'last': the value is milliseconds since the epoch");
    }
    column->epoch_ms = true;
    feature->type = GW_TYPE_TIME;
    return GW_OK;
}

static gw_status compile_column(struct compiler *compiler, const struct gw_definition *definition, uint32_t index,
                                gw_err *err)
{
    struct gw_feature *feature = &compiler->set->features[index];
    struct gw_column column = {.name = feature->name, .feature = index, .attribute = -1};
    if (!given(definition, GW_KEY_VIEW)) {
        return fail_at(compiler, definition, GW_KEY_AGGREGATE, err, "needs 'view'");
    }
    gw_status status = find_view(compiler->set, definition->values[GW_KEY_VIEW].text, &feature->view, err);
    GW_TRY(located(compiler, definition, GW_KEY_VIEW, status, err));
    struct gw_view *view = &compiler->set->views[feature->view];
    if (view->column_count == GW_FEATURE_COLUMNS_MAX) {
        return fail_at(compiler, definition, GW_KEY_VIEW, err, "a view has at most 64 columns");
    }

    status = find_aggregate(definition->values[GW_KEY_AGGREGATE].text, &column.aggregate, err);
    GW_TRY(located(compiler, definition, GW_KEY_AGGREGATE, status, err));
    GW_TRY(check_need(compiler, definition, GW_KEY_HALF_LIFE, column.aggregate->half_life, err));
    GW_TRY(check_need(compiler, definition, GW_KEY_VALUE, column.aggregate->value, err));
    if (given(definition, GW_KEY_HALF_LIFE)) {
        status = find_half_life(view, definition->values[GW_KEY_HALF_LIFE].text, &column, err);
        GW_TRY(located(compiler, definition, GW_KEY_HALF_LIFE, status, err));
    }
    if (given(definition, GW_KEY_VALUE)) {
        const char *value = definition->values[GW_KEY_VALUE].text;
        uint32_t attribute = 0;
        status = gw_filter_attribute(compiler->vocabulary, value, strlen(value), &attribute, err);
        GW_TRY(located(compiler, definition, GW_KEY_VALUE, status, err));
        column.attribute = (int32_t)attribute;
    }
    GW_TRY(compile_type(compiler, definition, &column, feature, err));
    status = find_filter(compiler, view, definition->values[GW_KEY_WHERE].text, &column.filter, err);
    GW_TRY(located(compiler, definition, GW_KEY_WHERE, status, err));

    feature->view_mask = 1u << feature->view;
    view->columns[view->column_count++] = column;
    return GW_OK;
}

// ---- features

static gw_status compile_common(struct compiler *compiler, const struct gw_definition *definition,
                                struct gw_feature *feature, gw_err *err)
{
    if (given(definition, GW_KEY_HIDDEN)) {
        feature->hidden = is_text(definition, GW_KEY_HIDDEN, "true");
        if (!feature->hidden && !is_text(definition, GW_KEY_HIDDEN, "false")) {
            return fail_at(compiler, definition, GW_KEY_HIDDEN, err, "expected true or false");
        }
    }
    if (given(definition, GW_KEY_MISSING)) {
        feature->missing_zero = is_text(definition, GW_KEY_MISSING, "zero");
        if (!feature->missing_zero && !is_text(definition, GW_KEY_MISSING, "nan")) {
            return fail_at(compiler, definition, GW_KEY_MISSING, err, "expected nan or zero");
        }
    }
    if (given(definition, GW_KEY_AGGREGATE) + given(definition, GW_KEY_DERIVE) + given(definition, GW_KEY_SOURCE) !=
        1) {
        return fail_at(compiler, definition, GW_KEY_COUNT, err, "needs one of 'aggregate', 'derive' and 'source'");
    }
    return GW_OK;
}

static gw_status refuse_keys(struct compiler *compiler, const struct gw_definition *definition,
                             const enum gw_definition_key *refused, size_t count, const char *message, gw_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (given(definition, refused[i])) {
            return fail_at(compiler, definition, refused[i], err, message);
        }
    }
    return GW_OK;
}

static gw_status compile_request(struct compiler *compiler, const struct gw_definition *definition,
                                 struct gw_feature *feature, gw_err *err)
{
    static const enum gw_definition_key refused[] = {GW_KEY_VIEW, GW_KEY_HALF_LIFE, GW_KEY_WHERE, GW_KEY_TYPE};
    GW_TRY(refuse_keys(compiler, definition, refused, GW_COUNT_OF(refused), "not for a value of the request", err));
    if (!is_text(definition, GW_KEY_SOURCE, "request")) {
        return fail_at(compiler, definition, GW_KEY_SOURCE, err, "expected 'request'");
    }
    if (feature->missing_zero) {
        return fail_at(compiler, definition, GW_KEY_MISSING, err,
                       "a value that was not sent is missing; derive coalesce(x, 0) from it");
    }
    feature->kind = GW_FEATURE_REQUEST;
    feature->uses_request = true;
    feature->request_name = given(definition, GW_KEY_VALUE) ? definition->values[GW_KEY_VALUE].text : feature->name;
    feature->state = GW_FEATURE_COMPILED;
    return GW_OK;
}

static gw_status compile_feature(struct compiler *compiler, const struct gw_definition *definition, uint32_t index,
                                 gw_err *err)
{
    static const enum gw_definition_key refused[] = {GW_KEY_VIEW, GW_KEY_HALF_LIFE, GW_KEY_WHERE, GW_KEY_VALUE,
                                                     GW_KEY_TYPE};
    struct gw_feature *feature = &compiler->set->features[index];
    feature->name = definition->name;
    GW_TRY(compile_common(compiler, definition, feature, err));
    if (given(definition, GW_KEY_SOURCE)) {
        return compile_request(compiler, definition, feature, err);
    }
    if (given(definition, GW_KEY_DERIVE)) {
        feature->kind = GW_FEATURE_DERIVED;
        return refuse_keys(compiler, definition, refused, GW_COUNT_OF(refused), "not for a derived feature", err);
    }
    feature->kind = GW_FEATURE_ROW;
    feature->state = GW_FEATURE_COMPILED;
    return compile_column(compiler, definition, index, err);
}

// ---- derived features

static gw_status compile_derived(struct compiler *compiler, uint32_t index, gw_err *err);

// What an expression is compiled for.
struct resolving {
    struct compiler *compiler;
    struct gw_feature *feature;
};

static gw_status resolve(void *context, const char *name, size_t length, uint32_t *ret_index,
                         enum gw_value_type *ret_type, gw_err *err)
{
    struct resolving *resolving = context;
    uint32_t index = 0;
    GW_TRY(gw_feature_find(resolving->compiler->set, name, length, &index, err));
    struct gw_feature *other = &resolving->compiler->set->features[index];
    if (other->state == GW_FEATURE_COMPILING) {
        return gw_fail(err, GW_E_CONFIG, "a cycle: '%s' is derived from this feature", other->name);
    }
    GW_TRY(compile_derived(resolving->compiler, index, err));
    resolving->feature->view_mask |= other->view_mask;
    resolving->feature->uses_request = resolving->feature->uses_request || other->uses_request;
    *ret_index = index;
    *ret_type = other->type;
    return GW_OK;
}

static gw_status compile_derived(struct compiler *compiler, uint32_t index, gw_err *err)
{
    struct gw_feature *feature = &compiler->set->features[index];
    if (feature->state == GW_FEATURE_COMPILED) {
        return GW_OK;
    }
    const struct gw_definition *definition = compiler->of_feature[index];
    if (compiler->depth == DERIVATION_DEPTH_MAX) {
        return fail_at(compiler, definition, GW_KEY_DERIVE, err, "derived through more than 32 features");
    }
    compiler->depth++;
    feature->state = GW_FEATURE_COMPILING;
    struct resolving resolving = {.compiler = compiler, .feature = feature};
    gw_status status = gw_expr_compile(definition->values[GW_KEY_DERIVE].text, resolve, &resolving,
                                       &compiler->set->arena, &feature->expr, err);
    GW_TRY(located(compiler, definition, GW_KEY_DERIVE, status, err));
    feature->type = feature->expr.type;
    feature->state = GW_FEATURE_COMPILED;
    compiler->depth--;
    return GW_OK;
}

// ---- checks of the whole, help

static gw_status check_feature(struct compiler *compiler, uint32_t index, gw_err *err)
{
    const struct gw_feature *feature = &compiler->set->features[index];
    const struct gw_definition *definition = compiler->of_feature[index];
    if (feature->type == GW_TYPE_TIME && !feature->hidden) {
        return fail_at(compiler, definition, GW_KEY_COUNT, err,
                       "is a time, which no model can use: say 'hidden = true' and derive age_s of it");
    }
    if (feature->type == GW_TYPE_TIME && feature->missing_zero) {
        return fail_at(compiler, definition, GW_KEY_MISSING, err, "a time has no zero");
    }
    if (feature->kind == GW_FEATURE_ROW && !feature->missing_zero &&
        !compiler->set->views[feature->view].seen.never_expires) {
        return fail_at(compiler, definition, GW_KEY_COUNT, err,
                       "its view has only decayed counts, so rows expire; that must not change a value: say "
                       "'missing = zero'");
    }
    return GW_OK;
}

static gw_status write_help(const struct compiler *compiler, uint32_t index, struct gw_buf *help)
{
    const struct gw_feature *feature = &compiler->set->features[index];
    const struct gw_definition *definition = compiler->of_feature[index];
    const struct gw_definition_value *values = definition->values;
    if (given(definition, GW_KEY_HELP)) {
        GW_TRY(gw_buf_append_format(help, "%s: ", values[GW_KEY_HELP].text));
    }
    if (feature->kind == GW_FEATURE_REQUEST) {
        return gw_buf_append_format(help, "value '%s' of the request", feature->request_name);
    }
    if (feature->kind == GW_FEATURE_DERIVED) {
        return gw_buf_append_text(help, values[GW_KEY_DERIVE].text);
    }
    const struct gw_view *view = &compiler->set->views[feature->view];
    const struct gw_column *column = &view->columns[feature->column];
    GW_TRY(gw_buf_append_format(help, "%s of view '%s'", column->aggregate->words, view->seen.name));
    if (given(definition, GW_KEY_VALUE)) {
        GW_TRY(gw_buf_append_format(help, ", %s", values[GW_KEY_VALUE].text));
    }
    if (given(definition, GW_KEY_HALF_LIFE)) {
        GW_TRY(gw_buf_append_format(help, ", half-life %s", values[GW_KEY_HALF_LIFE].text));
    }
    if (given(definition, GW_KEY_WHERE)) {
        GW_TRY(gw_buf_append_format(help, ", where %s", view->filters[column->filter].text));
    }
    return GW_OK;
}

static gw_status make_help(struct compiler *compiler, uint32_t index, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf help = {0};
    if (write_help(compiler, index, &help) != GW_OK || gw_buf_append(&help, "", 1) != GW_OK) {
        return out_of_memory(err);
    }
    const char *kept = gw_feature_strdup(&compiler->set->arena, (const char *)help.data);
    if (kept == NULL) {
        return out_of_memory(err);
    }
    compiler->set->features[index].help = kept;
    return GW_OK;
}

// ---- the order of it all

static gw_status allocate(struct compiler *compiler, gw_err *err)
{
    struct gw_feature_set *set = compiler->set;
    size_t view_count = 0;
    for (size_t i = 0; i < compiler->definitions.count; i++) {
        view_count += compiler->definitions.items[i].kind == GW_DEFINITION_VIEW ? 1 : 0;
    }
    size_t feature_count = compiler->definitions.count - view_count;
    set->views = gw_arena_array(&set->arena, view_count + 1, sizeof *set->views);
    set->features = gw_arena_array(&set->arena, feature_count + 1, sizeof *set->features);
    compiler->of_feature = gw_mem_calloc(feature_count + 1, sizeof(const struct gw_definition *));
    if (set->views == NULL || set->features == NULL || compiler->of_feature == NULL) {
        return out_of_memory(err);
    }
    memset(set->views, 0, (view_count + 1) * sizeof *set->views);
    memset(set->features, 0, (feature_count + 1) * sizeof *set->features);
    return GW_OK;
}

static gw_status compile_views(struct compiler *compiler, gw_err *err)
{
    for (size_t i = 0; i < compiler->definitions.count; i++) {
        const struct gw_definition *definition = &compiler->definitions.items[i];
        if (definition->kind == GW_DEFINITION_VIEW) {
            GW_TRY(compile_view(compiler, definition, &compiler->set->views[compiler->set->view_count], err));
            compiler->set->view_count++;
        }
    }
    return GW_OK;
}

static gw_status compile_features(struct compiler *compiler, gw_err *err)
{
    struct gw_feature_set *set = compiler->set;
    for (size_t i = 0; i < compiler->definitions.count; i++) {
        const struct gw_definition *definition = &compiler->definitions.items[i];
        if (definition->kind == GW_DEFINITION_FEATURE) {
            compiler->of_feature[set->feature_count] = definition;
            GW_TRY(compile_feature(compiler, definition, (uint32_t)set->feature_count, err));
            set->feature_count++;
        }
    }
    for (size_t view = 0; view < set->view_count; view++) {
        GW_TRY(gw_view_lay_out(&set->views[view], compiler->vocabulary, &set->arena, err));
        for (uint32_t i = 0; i < set->views[view].column_count; i++) {
            set->features[set->views[view].columns[i].feature].column = i;
        }
    }
    for (uint32_t i = 0; i < set->feature_count; i++) {
        GW_TRY(compile_derived(compiler, i, err));
        GW_TRY(check_feature(compiler, i, err));
        GW_TRY(make_help(compiler, i, err));
    }
    return GW_OK;
}

static gw_status explain_views(struct gw_feature_set *set, gw_err *err)
{
    bool wanted[GW_FEATURE_COUNT_MAX];
    for (size_t view = 0; view < set->view_count; view++) {
        for (size_t i = 0; i < set->feature_count; i++) {
            wanted[i] = set->features[i].view_mask == 1u << view && !set->features[i].uses_request;
        }
        GW_TRY(gw_segment_build(set, wanted, &set->arena, &set->views[view].explained, err));
    }
    return GW_OK;
}

static gw_status compile(struct compiler *compiler, const char *text, size_t size, gw_err *err)
{
    GW_TRY(gw_definitions_read(compiler->name, text, size, &compiler->set->arena, &compiler->definitions, err));
    GW_TRY(allocate(compiler, err));
    GW_TRY(compile_views(compiler, err));
    GW_TRY(compile_features(compiler, err));
    return explain_views(compiler->set, err);
}

gw_status gw_feature_set_compile(const char *name, const char *text, size_t size,
                                 const struct gw_feature_vocabulary *vocabulary, struct gw_feature_set **ret_set,
                                 gw_err *err)
{
    GW_ASSERT(vocabulary->side_count <= 32);
    struct gw_feature_set *set = gw_mem_calloc(1, sizeof *set);
    if (set == NULL) {
        return out_of_memory(err);
    }
    gw_arena_init(&set->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    struct compiler compiler = {.name = name, .vocabulary = vocabulary, .set = set};
    gw_status status = compile(&compiler, text, size, err);
    gw_mem_free(compiler.of_feature);
    gw_definitions_deinit(&compiler.definitions);
    if (status != GW_OK) {
        gw_feature_set_free(set);
        return status;
    }
    *ret_set = set;
    return GW_OK;
}
