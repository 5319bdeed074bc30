// SPDX-License-Identifier: MIT
// The three layers above the defaults: file, environment, --set.
#include "config/internal.h"

#include "base/ini.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES_MAX = 256, FILE_BYTES_MAX = 1024 * 1024 };

static const char variable_prefix[] = "GODWIT_";

// Properties on which the guarantees rest. Whoever could set them would break exactly-once without a message.
static const char *const reserved[] = {
    "bootstrap.servers",
    "metadata.broker.list",
    "client.id",
    "group.id",
    "group.instance.id",
    "transactional.id",
    "enable.idempotence",
    "isolation.level",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "request.required.acks",
    "partition.assignment.strategy",
};

static gw_status unknown_option(const char *name, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, name, strlen(name));
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        gw_suggestion_offer(&suggestion, gw_config_specs[i].name);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown option '%.100s'%s", name, gw_suggestion_text(&suggestion));
}

// Assigns by full name, "section.key".
static gw_status assign_name(struct gw_config *config, const char *name, const char *text,
                             const struct gw_config_origin *origin, gw_err *err)
{
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        if (strcmp(gw_config_specs[i].name, name) == 0) {
            return gw_config_assign(config, i, text, origin, err);
        }
    }
    const size_t prefix = strlen(GW_CONFIG_KAFKA_PREFIX);
    if (strncmp(name, GW_CONFIG_KAFKA_PREFIX, prefix) != 0 || strchr(name + prefix, '.') == NULL) {
        return unknown_option(name, err);
    }
    for (size_t i = 0; i < GW_COUNT_OF(reserved); i++) {
        if (strcmp(name + prefix, reserved[i]) == 0) {
            return gw_fail(err, GW_E_CONFIG, "%s is set by godwit itself", name);
        }
    }
    return gw_config_assign_property(config, name, text, origin, err);
}

struct file_context {
    struct gw_config *config;
    const char *name;
};

static gw_status check_section(const char *section, gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, section, strlen(section));
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        if (strcmp(gw_config_specs[i].section, section) == 0) {
            return GW_OK;
        }
        gw_suggestion_offer(&suggestion, gw_config_specs[i].section);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown section '%.100s'%s", section, gw_suggestion_text(&suggestion));
}

static gw_status visit_file(void *context, const char *section, const char *key, const char *value, int line,
                            gw_err *err)
{
    struct file_context *file = context;
    if (key == NULL) {
        return check_section(section, err);
    }
    if (section[0] == '\0') {
        return gw_fail(err, GW_E_CONFIG, "option '%.100s' before the first [section]", key);
    }
    char name[NAME_BYTES_MAX];
    char origin_text[NAME_BYTES_MAX + 16];
    int length = snprintf(name, sizeof name, "%s.%s", section, key);
    if (length < 0 || (size_t)length >= sizeof name) {
        return gw_fail(err, GW_E_CONFIG, "name over %d bytes", NAME_BYTES_MAX - 1);
    }
    snprintf(origin_text, sizeof origin_text, "%.*s:%d", NAME_BYTES_MAX, file->name, line);
    const struct gw_config_origin origin = {.layer = GW_CONFIG_LAYER_FILE, .text = origin_text};
    return assign_name(file->config, name, value, &origin, err);
}

gw_status gw_config_load_text(struct gw_config *config, const char *name, const char *text, size_t size, gw_err *err)
{
    struct file_context context = {.config = config, .name = name};
    return gw_ini_parse(name, text, size, visit_file, &context, err);
}

gw_status gw_config_load_file(struct gw_config *config, const char *path, gw_err *err)
{
    char *text = NULL;
    size_t size = 0;
    GW_TRY(gw_file_read(path, FILE_BYTES_MAX, &text, &size, err));
    gw_status status = gw_config_load_text(config, path, text, size, err);
    gw_mem_free(text);
    return status;
}

// "GODWIT_SECTION_KEY" of an option.
static void variable_of(const struct gw_config_spec *spec, char *to, size_t capacity)
{
    snprintf(to, capacity, "%s%s_%s", variable_prefix, spec->section, spec->key);
    for (char *c = to; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

// Variables that other parts of godwit read by themselves.
static bool is_no_option(const char *variable)
{
    static const char *const names[] = {"GODWIT_CONFIG", "GODWIT_FAULTS", "GODWIT_BINARY_DIR"};
    static const char tests[] = "GODWIT_TEST_";
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        if (strcmp(variable, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(variable, tests, sizeof tests - 1) == 0;
}

static gw_status unknown_variable(const char *variable, gw_err *err)
{
    struct gw_suggestion suggestion;
    char names[GW_OPT_COUNT][NAME_BYTES_MAX / 2];
    gw_suggestion_start(&suggestion, variable, strlen(variable));
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        variable_of(&gw_config_specs[i], names[i], sizeof names[i]);
        gw_suggestion_offer(&suggestion, names[i]);
    }
    return gw_fail(err, GW_E_CONFIG, "unknown variable '%.100s'%s", variable, gw_suggestion_text(&suggestion));
}

static gw_status apply_variable(struct gw_config *config, const char *variable, const char *value, gw_err *err)
{
    const struct gw_config_origin origin = {.layer = GW_CONFIG_LAYER_ENVIRONMENT, .text = variable};
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        char name[NAME_BYTES_MAX];
        variable_of(&gw_config_specs[i], name, sizeof name);
        if (strcmp(name, variable) == 0) {
            gw_status status = gw_config_assign(config, i, value, &origin, err);
            return status == GW_OK ? GW_OK : gw_fail_context(err, status, "%s", variable);
        }
    }
    return is_no_option(variable) ? GW_OK : unknown_variable(variable, err);
}

gw_status gw_config_apply_environment(struct gw_config *config, char *const *variables, gw_err *err)
{
    for (; *variables != NULL; variables++) {
        const char *equals = strchr(*variables, '=');
        if (equals == NULL || strncmp(*variables, variable_prefix, sizeof variable_prefix - 1) != 0) {
            continue;
        }
        char name[NAME_BYTES_MAX];
        int length = snprintf(name, sizeof name, "%.*s", (int)(equals - *variables), *variables);
        if (length < 0 || (size_t)length >= sizeof name) {
            return gw_fail(err, GW_E_CONFIG, "unknown variable '%.100s...'", *variables);
        }
        GW_TRY(apply_variable(config, name, equals + 1, err));
    }
    return GW_OK;
}

gw_status gw_config_apply_set(struct gw_config *config, const char *assignment, gw_err *err)
{
    static const struct gw_config_origin origin = {.layer = GW_CONFIG_LAYER_SET, .text = "--set"};
    const char *equals = strchr(assignment, '=');
    size_t length = equals != NULL ? (size_t)(equals - assignment) : 0;
    char name[NAME_BYTES_MAX];
    if (length == 0 || length >= sizeof name) {
        return gw_fail(err, GW_E_CONFIG, "--set '%.100s': expected section.key=value", assignment);
    }
    memcpy(name, assignment, length);
    name[length] = '\0';
    gw_status status = assign_name(config, name, equals + 1, &origin, err);
    return status == GW_OK ? GW_OK : gw_fail_context(err, status, "--set");
}
