// SPDX-License-Identifier: MIT
#include "config/value.h"

#include "base/check.h"
#include "base/ini.h"
#include "base/mem.h"

#include <string.h>

const struct gw_config_spec gw_config_specs[GW_OPT_COUNT] = {
#define X(id, section_text, key_text, type_name, preset_text, min_text, max_text, unit_text, help_text)                \
    {.name = section_text "." key_text,                                                                                \
     .section = section_text,                                                                                          \
     .key = key_text,                                                                                                  \
     .type = GW_CONFIG_##type_name,                                                                                    \
     .preset = preset_text,                                                                                            \
     .min = min_text,                                                                                                  \
     .max = max_text,                                                                                                  \
     .unit = unit_text,                                                                                                \
     .help = help_text},
    GW_CONFIG_OPTIONS(X)
#undef X
};

const char *gw_config_type_name(enum gw_config_type type)
{
    static const char *const names[] = {
#define X(type_name, text) text,
        GW_CONFIG_TYPES(X)
#undef X
    };
    GW_ASSERT((unsigned)type < GW_COUNT_OF(names));
    return names[type];
}

static gw_status parse_bool(const char *text, union gw_config_value *value, gw_err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < GW_COUNT_OF(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            value->u64 = i % 2;
            return GW_OK;
        }
    }
    return gw_fail(err, GW_E_CONFIG, "'%s' is neither true nor false", text);
}

static gw_status parse_choice(const char *words, const char *text, union gw_config_value *value, gw_err *err)
{
    size_t wanted = strlen(text);
    uint64_t index = 0;
    for (const char *word = words; *word != '\0'; index++) {
        size_t length = strcspn(word, "|");
        if (length == wanted && memcmp(word, text, length) == 0) {
            value->u64 = index;
            return GW_OK;
        }
        word += length + (word[length] == '|' ? 1 : 0);
    }
    return gw_fail(err, GW_E_CONFIG, "'%s' is none of %s", text, words);
}

static gw_status parse_u64(const char *text, union gw_config_value *value, gw_err *err)
{
    int64_t number = 0;
    GW_TRY(gw_parse_i64(text, &number, err));
    if (number < 0) {
        return gw_fail(err, GW_E_CONFIG, "'%s' is negative", text);
    }
    value->u64 = (uint64_t)number;
    return GW_OK;
}

// The form of a value, without its range. For texts the value is the length, so that min and max bound it.
static gw_status parse_form(const struct gw_config_spec *spec, const char *text, union gw_config_value *value,
                            gw_err *err)
{
    switch (spec->type) {
    case GW_CONFIG_TEXT:
    case GW_CONFIG_PATH:
    case GW_CONFIG_LIST:
        value->u64 = strlen(text);
        return GW_OK;
    case GW_CONFIG_U64:
        return parse_u64(text, value, err);
    case GW_CONFIG_I64:
        return gw_parse_i64(text, &value->i64, err);
    case GW_CONFIG_DOUBLE:
        return gw_parse_double(text, &value->real, err);
    case GW_CONFIG_BOOL:
        return parse_bool(text, value, err);
    case GW_CONFIG_DURATION:
        return gw_parse_duration_us(text, &value->i64, err);
    case GW_CONFIG_BYTES:
        return gw_parse_bytes(text, &value->u64, err);
    case GW_CONFIG_CHOICE:
        return parse_choice(spec->unit, text, value, err);
    case GW_CONFIG_TYPE_COUNT:
        break;
    }
    GW_ASSERT(false);
    return GW_E_INTERNAL;
}

static bool is_text(enum gw_config_type type)
{
    return type == GW_CONFIG_TEXT || type == GW_CONFIG_PATH || type == GW_CONFIG_LIST;
}

static gw_status parse_bound(const struct gw_config_spec *spec, const char *text, union gw_config_value *value)
{
    return is_text(spec->type) ? parse_u64(text, value, NULL) : parse_form(spec, text, value, NULL);
}

static bool is_less(enum gw_config_type type, union gw_config_value a, union gw_config_value b)
{
    if (type == GW_CONFIG_DOUBLE) {
        return a.real < b.real;
    }
    return type == GW_CONFIG_I64 || type == GW_CONFIG_DURATION ? a.i64 < b.i64 : a.u64 < b.u64;
}

static gw_status out_of_range(const struct gw_config_spec *spec, const char *text, bool below, gw_err *err)
{
    if (is_text(spec->type) && below) {
        return gw_fail(err, GW_E_CONFIG, "must not be empty");
    }
    if (is_text(spec->type)) {
        return gw_fail(err, GW_E_CONFIG, "longer than %s bytes", spec->max);
    }
    return gw_fail(err, GW_E_CONFIG, "'%s' is %s %s%s%s", text, below ? "below the minimum" : "above the maximum",
                   below ? spec->min : spec->max, spec->unit[0] != '\0' ? " " : "", spec->unit);
}

static gw_status parse_in_range(const struct gw_config_spec *spec, const char *text, union gw_config_value *value,
                                gw_err *err)
{
    union gw_config_value bound = {0};
    GW_TRY(parse_form(spec, text, value, err));
    if (spec->min[0] != '\0') {
        GW_ASSERT(parse_bound(spec, spec->min, &bound) == GW_OK);
        if (is_less(spec->type, *value, bound)) {
            return out_of_range(spec, text, true, err);
        }
    }
    if (spec->max[0] != '\0') {
        GW_ASSERT(parse_bound(spec, spec->max, &bound) == GW_OK);
        if (is_less(spec->type, bound, *value)) {
            return out_of_range(spec, text, false, err);
        }
    }
    return GW_OK;
}

gw_status gw_config_parse(const struct gw_config_spec *spec, const char *text, union gw_config_value *ret_value,
                          gw_err *err)
{
    union gw_config_value value = {0};
    if (parse_in_range(spec, text, &value, err) != GW_OK) {
        return gw_fail_context(err, GW_E_CONFIG, "%s", spec->name);
    }
    *ret_value = value;
    return GW_OK;
}

// True for names such as sasl.password and ssl.key.pem; not for a file that holds the secret.
static bool names_a_secret(const char *name)
{
    static const char *const words[] = {"password", "secret", "jaas", "oauthbearer.config", "key.pem", "token"};
    static const char *const places[] = {"_file", ".location", ".url"};
    size_t length = strlen(name);
    for (size_t i = 0; i < GW_COUNT_OF(places); i++) {
        size_t ending = strlen(places[i]);
        if (length >= ending && strcmp(name + length - ending, places[i]) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < GW_COUNT_OF(words); i++) {
        if (strstr(name, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

// Appends `text` with the password of every "scheme://user:password@host" replaced.
static gw_status mask_urls(const char *text, struct gw_buf *out, bool *masked)
{
    const char *from = text;
    for (const char *scheme = strstr(text, "://"); scheme != NULL; scheme = strstr(scheme + 3, "://")) {
        const char *user = scheme + 3;
        size_t authority = strcspn(user, "/,? ");
        const char *at = memrchr(user, '@', authority);
        const char *colon = at != NULL ? memchr(user, ':', (size_t)(at - user)) : NULL;
        if (colon != NULL) {
            GW_TRY(gw_buf_append(out, from, (size_t)(colon + 1 - from)));
            GW_TRY(gw_buf_append_text(out, "***"));
            from = at;
            *masked = true;
        }
    }
    return gw_buf_append_text(out, from);
}

char *gw_config_mask(const char *name, const char *text, bool *ret_masked)
{
    // A connection string may hold password=... anywhere and in any quoting, so all of it is hidden.
    if (text[0] != '\0' && (names_a_secret(name) || strstr(text, "password=") != NULL)) {
        *ret_masked = true;
        return gw_mem_strdup("***");
    }
    struct gw_buf out = {0};
    bool masked = false;
    if (mask_urls(text, &out, &masked) != GW_OK || gw_buf_append(&out, "", 1) != GW_OK) {
        gw_buf_deinit(&out);
        return NULL;
    }
    *ret_masked = masked;
    return (char *)out.data;
}
