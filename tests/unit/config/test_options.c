// SPDX-License-Identifier: MIT
// The table itself: what the compiler cannot check about it.
#include "config/value.h"
#include "support/testkit.h"

#include <ctype.h>
#include <string.h>

static void variable_name(const struct gw_config_spec *spec, char *to, size_t capacity)
{
    size_t used = 0;
    for (const char *c = spec->name; *c != '\0' && used + 1 < capacity; c++) {
        to[used++] = *c == '.' ? '_' : *c;
    }
    to[used] = '\0';
}

static void names_are_lower_case_and_distinct_also_as_variables(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        char a[128];
        variable_name(&gw_config_specs[i], a, sizeof a);
        assert_true(strlen(a) < 90);
        for (const char *c = a; *c != '\0'; c++) {
            assert_true(islower((unsigned char)*c) || *c == '_');
        }
        for (size_t j = 0; j < i; j++) {
            char b[128];
            variable_name(&gw_config_specs[j], b, sizeof b);
            assert_string_not_equal(a, b);
        }
    }
}

static void options_of_a_section_stand_together(void **state)
{
    (void)state;
    for (size_t i = 1; i < GW_OPT_COUNT; i++) {
        for (size_t j = 0; j + 1 < i; j++) {
            if (strcmp(gw_config_specs[j].section, gw_config_specs[i].section) == 0) {
                assert_string_equal(gw_config_specs[i - 1].section, gw_config_specs[i].section);
            }
        }
    }
}

static void defaults_and_bounds_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        const struct gw_config_spec *spec = &gw_config_specs[i];
        union gw_config_value value;
        gw_err err = {0};
        bool text = spec->type == GW_CONFIG_TEXT || spec->type == GW_CONFIG_PATH || spec->type == GW_CONFIG_LIST;
        assert_ok_err(gw_config_parse(spec, spec->preset, &value, &err), &err);
        if (!text && spec->min[0] != '\0') {
            assert_ok_err(gw_config_parse(spec, spec->min, &value, &err), &err);
        }
        if (!text && spec->max[0] != '\0') {
            assert_ok_err(gw_config_parse(spec, spec->max, &value, &err), &err);
        }
    }
}

static void every_option_has_help_and_choices_have_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        const struct gw_config_spec *spec = &gw_config_specs[i];
        assert_true(strlen(spec->help) > 5);
        assert_true(spec->help[strlen(spec->help) - 1] != '.');
        if (spec->type == GW_CONFIG_CHOICE) {
            assert_non_null(strchr(spec->unit, '|'));
        }
    }
}

static void secret_files_are_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        const char *key = gw_config_specs[i].key;
        size_t length = strlen(key);
        if (length > 5 && strcmp(key + length - 5, "_file") == 0) {
            assert_int_equal(gw_config_specs[i].type, GW_CONFIG_PATH);
        }
    }
}

GW_TESTS(names_are_lower_case_and_distinct_also_as_variables, options_of_a_section_stand_together,
         defaults_and_bounds_parse, every_option_has_help_and_choices_have_words, secret_files_are_paths)
