// SPDX-License-Identifier: MIT
// The values in force and where they came from. sources.c brings them in, value.c checks them.
#include "config/internal.h"

#include "base/check.h"
#include "base/ini.h"
#include "base/mem.h"

#include <string.h>

enum { SECRET_BYTES_MAX = 4096 };

static void setting_deinit(struct gw_config_setting *setting)
{
    gw_mem_free(setting->origin);
    gw_mem_free(setting->shown);
    gw_mem_free(setting->text);
    *setting = (struct gw_config_setting){0};
}

// Makes a setting of its copied texts; *setting is untouched on failure.
static gw_status setting_replace(struct gw_config_setting *setting, const char *name, const char *text,
                                 const struct gw_config_origin *origin, gw_err *err)
{
    struct gw_config_setting made = {.layer = origin->layer};
    made.text = gw_mem_strdup(text);
    made.shown = gw_config_mask(name, text, &made.masked);
    made.origin = gw_mem_strdup(origin->text);
    if (made.text == NULL || made.shown == NULL || made.origin == NULL) {
        setting_deinit(&made);
        return gw_fail(err, GW_E_MEMORY, "no memory for an option");
    }
    setting_deinit(setting);
    *setting = made;
    return GW_OK;
}

gw_status gw_config_new(struct gw_config **ret_config, gw_err *err)
{
    static const struct gw_config_origin preset = {.layer = GW_CONFIG_LAYER_DEFAULT, .text = "default"};
    struct gw_config *config = gw_mem_calloc(1, sizeof *config);
    if (config == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the configuration");
    }
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        gw_status status = gw_config_assign(config, i, gw_config_specs[i].preset, &preset, err);
        GW_ASSERT(status == GW_OK || status == GW_E_MEMORY);
        if (status != GW_OK) {
            gw_config_free(config);
            return status;
        }
    }
    *ret_config = config;
    return GW_OK;
}

void gw_config_free(struct gw_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->property_count; i++) {
        setting_deinit(&config->properties[i].setting);
        gw_mem_free(config->properties[i].name);
    }
    for (size_t i = 0; i < GW_OPT_COUNT; i++) {
        setting_deinit(&config->settings[i]);
    }
    gw_mem_free(config);
}

// Whether a value of this origin may replace the setting. The same option twice in one file is refused.
static gw_status check_layer(const struct gw_config_setting *setting, const char *name,
                             const struct gw_config_origin *origin, bool *ret_wins, gw_err *err)
{
    if (setting->text != NULL && setting->layer == GW_CONFIG_LAYER_FILE && origin->layer == GW_CONFIG_LAYER_FILE) {
        return gw_fail(err, GW_E_CONFIG, "%s is already set at %s", name, setting->origin);
    }
    *ret_wins = setting->text == NULL || setting->layer <= origin->layer;
    return GW_OK;
}

gw_status gw_config_assign(struct gw_config *config, size_t option, const char *text,
                           const struct gw_config_origin *origin, gw_err *err)
{
    const struct gw_config_spec *spec = &gw_config_specs[option];
    struct gw_config_setting *setting = &config->settings[option];
    union gw_config_value value = {0};
    bool wins = false;
    GW_TRY(gw_config_parse(spec, text, &value, err));
    GW_TRY(check_layer(setting, spec->name, origin, &wins, err));
    if (wins) {
        GW_TRY(setting_replace(setting, spec->name, text, origin, err));
        setting->value = value;
    }
    return GW_OK;
}

gw_status gw_config_assign_property(struct gw_config *config, const char *name, const char *text,
                                    const struct gw_config_origin *origin, gw_err *err)
{
    size_t i = 0;
    bool wins = false;
    while (i < config->property_count && strcmp(config->properties[i].name, name) != 0) {
        i++;
    }
    if (i == GW_CONFIG_PROPERTIES_MAX) {
        return gw_fail(err, GW_E_CONFIG, "more than %d kafka properties", GW_CONFIG_PROPERTIES_MAX);
    }
    struct gw_config_property *property = &config->properties[i];
    GW_TRY(check_layer(&property->setting, name, origin, &wins, err));
    if (!wins) {
        return GW_OK;
    }
    if (i < config->property_count) {
        return setting_replace(&property->setting, name, text, origin, err);
    }
    property->name = gw_mem_strdup(name);
    if (property->name == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an option");
    }
    gw_status status = setting_replace(&property->setting, name, text, origin, err);
    if (status != GW_OK) {
        gw_mem_free(property->name);
        property->name = NULL;
        return status;
    }
    config->property_count++;
    return GW_OK;
}

static const struct gw_config_setting *setting_of(const struct gw_config *config, enum gw_config_option option)
{
    GW_ASSERT((unsigned)option < GW_OPT_COUNT);
    return &config->settings[option];
}

const char *gw_config_text(const struct gw_config *config, enum gw_config_option option)
{
    return setting_of(config, option)->text;
}

uint64_t gw_config_u64(const struct gw_config *config, enum gw_config_option option)
{
    const struct gw_config_setting *setting = setting_of(config, option);
    GW_ASSERT(gw_config_specs[option].type == GW_CONFIG_U64 || gw_config_specs[option].type == GW_CONFIG_BYTES);
    return setting->value.u64;
}

int64_t gw_config_i64(const struct gw_config *config, enum gw_config_option option)
{
    const struct gw_config_setting *setting = setting_of(config, option);
    GW_ASSERT(gw_config_specs[option].type == GW_CONFIG_I64);
    return setting->value.i64;
}

double gw_config_double(const struct gw_config *config, enum gw_config_option option)
{
    const struct gw_config_setting *setting = setting_of(config, option);
    GW_ASSERT(gw_config_specs[option].type == GW_CONFIG_DOUBLE);
    return setting->value.real;
}

bool gw_config_bool(const struct gw_config *config, enum gw_config_option option)
{
    const struct gw_config_setting *setting = setting_of(config, option);
    GW_ASSERT(gw_config_specs[option].type == GW_CONFIG_BOOL);
    return setting->value.u64 != 0;
}

int64_t gw_config_duration_us(const struct gw_config *config, enum gw_config_option option)
{
    const struct gw_config_setting *setting = setting_of(config, option);
    GW_ASSERT(gw_config_specs[option].type == GW_CONFIG_DURATION);
    return setting->value.i64;
}

uint32_t gw_config_choice(const struct gw_config *config, enum gw_config_option option)
{
    const struct gw_config_setting *setting = setting_of(config, option);
    GW_ASSERT(gw_config_specs[option].type == GW_CONFIG_CHOICE);
    return (uint32_t)setting->value.u64;
}

bool gw_config_list_next(const char **cursor, struct gw_slice *ret_item)
{
    const char *at = *cursor + strspn(*cursor, ", \t");
    size_t length = strcspn(at, ",");
    *cursor = at + length;
    while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) {
        length--;
    }
    if (length == 0) {
        return false;
    }
    *ret_item = gw_slice_make(at, length);
    return true;
}

gw_status gw_config_secret(const struct gw_config *config, enum gw_config_option option, char **ret_secret, gw_err *err)
{
    const struct gw_config_setting *setting = setting_of(config, option);
    GW_ASSERT(gw_config_specs[option].type == GW_CONFIG_PATH);
    if (setting->text[0] == '\0') {
        *ret_secret = NULL;
        return GW_OK;
    }
    char *text = NULL;
    size_t size = 0;
    gw_status status = gw_file_read(setting->text, SECRET_BYTES_MAX, &text, &size, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status == GW_E_MEMORY ? status : GW_E_CONFIG, "%s (%s)",
                               gw_config_specs[option].name, setting->origin);
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] == '\0') {
        gw_mem_free(text);
        return gw_fail(err, GW_E_CONFIG, "%s (%s): '%s' is empty", gw_config_specs[option].name, setting->origin,
                       setting->text);
    }
    *ret_secret = text;
    return GW_OK;
}

bool gw_config_kafka_next(const struct gw_config *config, size_t *cursor, const char **ret_name, const char **ret_value)
{
    if (*cursor >= config->property_count) {
        return false;
    }
    const struct gw_config_property *property = &config->properties[(*cursor)++];
    *ret_name = property->name + strlen(GW_CONFIG_KAFKA_PREFIX);
    *ret_value = property->setting.text;
    return true;
}

bool gw_config_next(const struct gw_config *config, size_t *cursor, struct gw_config_entry *ret_entry)
{
    size_t i = *cursor;
    if (i >= GW_OPT_COUNT + config->property_count) {
        return false;
    }
    struct gw_config_entry entry = {.preset = "", .min = "", .max = "", .unit = "", .help = "passed to librdkafka"};
    const struct gw_config_setting *setting = NULL;
    if (i < GW_OPT_COUNT) {
        const struct gw_config_spec *spec = &gw_config_specs[i];
        setting = &config->settings[i];
        entry = (struct gw_config_entry){.name = spec->name,
                                         .preset = spec->preset,
                                         .min = spec->min,
                                         .max = spec->max,
                                         .unit = spec->unit,
                                         .help = spec->help};
        entry.type = gw_config_type_name(spec->type);
    } else {
        setting = &config->properties[i - GW_OPT_COUNT].setting;
        entry.name = config->properties[i - GW_OPT_COUNT].name;
        entry.type = gw_config_type_name(GW_CONFIG_TEXT);
    }
    entry.value = setting->shown;
    entry.origin = setting->origin;
    entry.masked = setting->masked;
    *ret_entry = entry;
    *cursor = i + 1;
    return true;
}
