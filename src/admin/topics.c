// SPDX-License-Identifier: MIT
// Sections are kept as plain settings first and folded to topics afterwards, because a profile's sections may stand
// before or behind those that they change.
#include "admin/topics.h"

#include "base/bytes.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX  (1u << 20)
#define PARTITIONS_MAX  10000
#define REPLICATION_MAX 16
#define NAME_BYTES_MAX  249 // Kafka's

// Settings of a topic that Kafka knows and we may want. A typing error is found here and not at the broker.
static const char *const known_configs[] = {
    "cleanup.policy",
    "compression.type",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
};

struct setting {
    char *section;
    char *key; // NULL: the section's header
    char *value;
    int line;
};

struct gw_topics {
    char *file; // name for messages
    struct setting *settings;
    size_t setting_count;
    struct gw_topic_def *items;
    size_t count;
};

// ---- reading
// -----------------------------------------------------------------------------------------------------------

static gw_status keep_setting(void *context, const char *section, const char *key, const char *value, int line,
                              gw_err *err)
{
    struct gw_topics *topics = context;
    struct setting *grown = gw_mem_realloc(topics->settings, topics->setting_count + 1, sizeof *grown);
    if (grown == NULL) {
        return gw_fail(err, GW_E_MEMORY, "out of memory");
    }
    topics->settings = grown;
    struct setting *setting = &grown[topics->setting_count++];
    *setting = (struct setting){.section = gw_mem_strdup(section),
                                .key = key != NULL ? gw_mem_strdup(key) : NULL,
                                .value = key != NULL ? gw_mem_strdup(value) : NULL,
                                .line = line};
    if (setting->section == NULL || (key != NULL && (setting->key == NULL || setting->value == NULL))) {
        return gw_fail(err, GW_E_MEMORY, "out of memory");
    }
    if (section[0] == '\0') {
        return gw_fail(err, GW_E_CONFIG, "'%s' stands in no section", key);
    }
    return GW_OK;
}

static gw_status fail_at(const struct gw_topics *topics, const struct setting *setting, gw_err *err, const char *what)
{
    return gw_fail(err, GW_E_CONFIG, "%s:%d: [%s] %s = %s: %s", topics->file, setting->line, setting->section,
                   setting->key, setting->value, what);
}

static bool is_special(const char *section)
{
    return strcmp(section, "counts") == 0 || strcmp(section, "defaults") == 0 || strcmp(section, "dlq") == 0;
}

static bool has_section(const struct gw_topics *topics, const char *name, size_t length)
{
    for (size_t i = 0; i < topics->setting_count; i++) {
        const char *section = topics->settings[i].section;
        if (strlen(section) == length && strncmp(section, name, length) == 0) {
            return true;
        }
    }
    return false;
}

// Each [x@profile] must change an [x], and the profile asked for must exist.
static gw_status check_profiles(const struct gw_topics *topics, const char *profile, gw_err *err)
{
    bool found = profile == NULL || profile[0] == '\0';
    for (size_t i = 0; i < topics->setting_count; i++) {
        const struct setting *setting = &topics->settings[i];
        const char *at = strchr(setting->section, '@');
        if (at == NULL) {
            continue;
        }
        if (!has_section(topics, setting->section, (size_t)(at - setting->section))) {
            return gw_fail(err, GW_E_CONFIG, "%s:%d: [%s] changes a section that does not exist", topics->file,
                           setting->line, setting->section);
        }
        found = found || strcmp(at + 1, profile) == 0;
    }
    return found ? GW_OK : gw_fail(err, GW_E_CONFIG, "%s: no section of a profile '%s'", topics->file, profile);
}

// ---- folding
// -----------------------------------------------------------------------------------------------------------

// What a topic is made of while its layers are applied; config values are borrowed from the settings.
struct draft {
    struct gw_topic_def def;
    struct gw_kafka_property configs[GW_COUNT_OF(known_configs)];
    bool dlq;
};

static gw_status read_count(const struct gw_topics *topics, const struct setting *setting, int64_t max,
                            int32_t *ret_count, gw_err *err)
{
    int64_t value = 0;
    if (gw_parse_i64(setting->value, &value, NULL) != GW_OK || value < 1 || value > max) {
        return fail_at(topics, setting, err, "not a number in range");
    }
    *ret_count = (int32_t)value;
    return GW_OK;
}

static gw_status read_flag(const struct gw_topics *topics, const struct setting *setting, bool *ret_flag, gw_err *err)
{
    bool yes = strcmp(setting->value, "true") == 0;
    if (!yes && strcmp(setting->value, "false") != 0) {
        return fail_at(topics, setting, err, "neither true nor false");
    }
    *ret_flag = yes;
    return GW_OK;
}

static gw_status set_config(const struct gw_topics *topics, const struct setting *setting, struct draft *draft,
                            gw_err *err)
{
    struct gw_suggestion suggestion;
    gw_suggestion_start(&suggestion, setting->key, strlen(setting->key));
    for (size_t i = 0; i < GW_COUNT_OF(known_configs); i++) {
        if (strcmp(setting->key, known_configs[i]) == 0) {
            draft->configs[i] = (struct gw_kafka_property){.name = known_configs[i], .value = setting->value};
            return GW_OK;
        }
        gw_suggestion_offer(&suggestion, known_configs[i]);
    }
    return gw_fail(err, GW_E_CONFIG, "%s:%d: [%s] unknown key '%s'%s", topics->file, setting->line, setting->section,
                   setting->key, gw_suggestion_text(&suggestion));
}

static gw_status apply_setting(const struct gw_topics *topics, const struct setting *setting, struct draft *draft,
                               gw_err *err)
{
    struct gw_topic_def *def = &draft->def;
    if (strcmp(setting->key, "partitions") == 0) {
        return read_count(topics, setting, PARTITIONS_MAX, &def->partition_count, err);
    }
    if (strcmp(setting->key, "replication") == 0) {
        return read_count(topics, setting, REPLICATION_MAX, &def->replication_factor, err);
    }
    if (strcmp(setting->key, "count_group") == 0) {
        def->count_group = setting->value;
        return GW_OK;
    }
    if (strcmp(setting->key, "schema") == 0) {
        def->schema = setting->value;
        return GW_OK;
    }
    if (strcmp(setting->key, "dlq") == 0) {
        return read_flag(topics, setting, &draft->dlq, err);
    }
    if (strcmp(setting->key, "source") == 0) {
        return read_flag(topics, setting, &def->source, err);
    }
    if (strcmp(setting->key, "log_id") == 0) {
        return read_flag(topics, setting, &def->log_id, err);
    }
    return set_config(topics, setting, draft, err);
}

// Applies [name] (profile NULL) or [name@profile].
static gw_status apply_section(const struct gw_topics *topics, const char *name, const char *profile,
                               struct draft *draft, gw_err *err)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < topics->setting_count; i++) {
        const struct setting *setting = &topics->settings[i];
        const char *tail = setting->section + length;
        bool here = strncmp(setting->section, name, length) == 0 &&
                    (profile == NULL ? tail[0] == '\0' : tail[0] == '@' && strcmp(tail + 1, profile) == 0);
        if (here && setting->key != NULL) {
            GW_TRY(apply_setting(topics, setting, draft, err));
        }
    }
    return GW_OK;
}

// The number of a [counts] key; the profile's wins.
static gw_status shared_count(const struct gw_topics *topics, const char *group, const char *profile,
                              int32_t *ret_count, gw_err *err)
{
    char section[NAME_BYTES_MAX + 1];
    snprintf(section, sizeof section, "counts@%s", profile);
    int32_t count = 0;
    for (size_t i = 0; i < topics->setting_count; i++) {
        const struct setting *setting = &topics->settings[i];
        bool here = strcmp(setting->section, "counts") == 0 || strcmp(setting->section, section) == 0;
        if (here && setting->key != NULL && strcmp(setting->key, group) == 0) {
            GW_TRY(read_count(topics, setting, PARTITIONS_MAX, &count, err));
        }
    }
    if (count == 0) {
        return gw_fail(err, GW_E_CONFIG, "%s: [counts] has no '%s'", topics->file, group);
    }
    *ret_count = count;
    return GW_OK;
}

static const char *draft_config(const struct draft *draft, const char *name)
{
    for (size_t i = 0; i < GW_COUNT_OF(known_configs); i++) {
        if (draft->configs[i].name != NULL && strcmp(draft->configs[i].name, name) == 0) {
            return draft->configs[i].value;
        }
    }
    return NULL;
}

static void drop_config(struct draft *draft, const char *name)
{
    for (size_t i = 0; i < GW_COUNT_OF(known_configs); i++) {
        if (strcmp(known_configs[i], name) == 0) {
            draft->configs[i] = (struct gw_kafka_property){0};
        }
    }
}

static gw_status check_bound(const struct gw_topics *topics, const struct draft *draft, const char *config, gw_err *err)
{
    int64_t bytes = 0;
    const char *value = draft_config(draft, config);
    if (value == NULL || gw_parse_i64(value, &bytes, NULL) != GW_OK || bytes <= 0) {
        return gw_fail(err, GW_E_CONFIG, "%s: [%s] needs %s in bytes: no topic may fill the disk", topics->file,
                       draft->def.name, config);
    }
    return GW_OK;
}

// Decides what is compacted, drops settings that then mean nothing, and sees that the disk is bounded.
static gw_status settle_cleanup(const struct gw_topics *topics, struct draft *draft, gw_err *err)
{
    const char *policy = draft_config(draft, "cleanup.policy");
    draft->def.compacted = policy != NULL && strstr(policy, "compact") != NULL;
    if (draft->def.compacted && strstr(policy, "delete") == NULL) {
        drop_config(draft, "retention.ms");
        drop_config(draft, "retention.bytes");
        return GW_OK;
    }
    GW_TRY(check_bound(topics, draft, "segment.bytes", err));
    return check_bound(topics, draft, "retention.bytes", err);
}

static gw_status full_name(const struct gw_topics *topics, const char *prefix, const char *name, const char *suffix,
                           char **ret_name, gw_err *err)
{
    struct gw_buf text = {0};
    gw_status status = gw_buf_append_format(&text, "%s%s%s", prefix != NULL ? prefix : "", name, suffix);
    if (status == GW_OK && text.size > NAME_BYTES_MAX) {
        status = gw_fail(err, GW_E_CONFIG, "%s: [%s] name is longer than %d bytes", topics->file, name, NAME_BYTES_MAX);
    }
    for (size_t i = 0; status == GW_OK && i < text.size; i++) {
        char c = (char)text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c) != NULL)) {
            status = gw_fail(err, GW_E_CONFIG, "%s: topic '%.*s': only letters, digits, '.', '_' and '-'", topics->file,
                             (int)text.size, (const char *)text.data);
        }
    }
    if (status == GW_OK) {
        *ret_name = gw_mem_strndup((const char *)text.data, text.size);
        status = *ret_name != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "%s: out of memory", topics->file);
    }
    gw_buf_deinit(&text);
    return status;
}

// Moves a finished draft into the table. The topic's own strings are copies; the rest lives in the settings.
static gw_status keep_topic(struct gw_topics *topics, const struct draft *draft, const char *suffix, const char *prefix,
                            gw_err *err)
{
    struct gw_topic_def *grown = gw_mem_realloc(topics->items, topics->count + 1, sizeof *grown);
    if (grown == NULL) {
        return gw_fail(err, GW_E_MEMORY, "%s: out of memory", topics->file);
    }
    topics->items = grown;
    struct gw_topic_def *def = &grown[topics->count++];
    *def = draft->def;
    def->name = NULL;
    def->full_name = NULL;
    def->dlq_name = NULL;
    struct gw_kafka_property *configs = gw_mem_calloc(GW_COUNT_OF(known_configs), sizeof *configs);
    def->configs = configs;
    if (configs == NULL) {
        return gw_fail(err, GW_E_MEMORY, "%s: out of memory", topics->file);
    }
    for (size_t i = 0; i < GW_COUNT_OF(known_configs); i++) {
        if (draft->configs[i].name != NULL) {
            configs[def->config_count++] = draft->configs[i];
        }
    }
    char *text = NULL;
    GW_TRY(full_name(topics, NULL, draft->def.name, suffix, &text, err));
    def->name = text;
    GW_TRY(full_name(topics, prefix, draft->def.name, suffix, &text, err));
    def->full_name = text;
    if (draft->dlq) {
        GW_TRY(full_name(topics, prefix, draft->def.name, ".dlq", &text, err));
        def->dlq_name = text;
    }
    return GW_OK;
}

static gw_status build_topic(struct gw_topics *topics, const char *name, const struct gw_topics_options *options,
                             gw_err *err)
{
    const char *profile = options->profile != NULL && options->profile[0] != '\0' ? options->profile : NULL;
    struct draft draft = {.def = {.name = name}};
    GW_TRY(apply_section(topics, "defaults", NULL, &draft, err));
    GW_TRY(apply_section(topics, name, NULL, &draft, err));
    if (profile != NULL) {
        GW_TRY(apply_section(topics, "defaults", profile, &draft, err));
        GW_TRY(apply_section(topics, name, profile, &draft, err));
    }
    if (draft.def.count_group != NULL) {
        if (draft.def.partition_count != 0) {
            return gw_fail(err, GW_E_CONFIG, "%s: [%s] has both partitions and count_group", topics->file, name);
        }
        GW_TRY(shared_count(topics, draft.def.count_group, profile != NULL ? profile : "", &draft.def.partition_count,
                            err));
    }
    if (draft.def.partition_count == 0 || draft.def.replication_factor == 0 || draft.def.schema == NULL) {
        return gw_fail(err, GW_E_CONFIG, "%s: [%s] needs partitions or count_group, replication and schema",
                       topics->file, name);
    }
    GW_TRY(settle_cleanup(topics, &draft, err));
    return keep_topic(topics, &draft, "", options->prefix, err);
}

static gw_status build_dlq(struct gw_topics *topics, const char *name, const struct gw_topics_options *options,
                           gw_err *err)
{
    const char *profile = options->profile != NULL && options->profile[0] != '\0' ? options->profile : NULL;
    struct draft draft = {.def = {.name = name}};
    GW_TRY(apply_section(topics, "defaults", NULL, &draft, err));
    GW_TRY(apply_section(topics, "dlq", NULL, &draft, err));
    if (profile != NULL) {
        GW_TRY(apply_section(topics, "defaults", profile, &draft, err));
        GW_TRY(apply_section(topics, "dlq", profile, &draft, err));
    }
    if (draft.def.partition_count == 0 || draft.def.replication_factor == 0) {
        return gw_fail(err, GW_E_CONFIG, "%s: [dlq] needs partitions, and [defaults] replication", topics->file);
    }
    GW_TRY(settle_cleanup(topics, &draft, err));
    return keep_topic(topics, &draft, ".dlq", options->prefix, err);
}

static gw_status build_all(struct gw_topics *topics, const struct gw_topics_options *options, gw_err *err)
{
    for (size_t i = 0; i < topics->setting_count; i++) {
        const struct setting *setting = &topics->settings[i];
        bool header = setting->key == NULL && strchr(setting->section, '@') == NULL && !is_special(setting->section);
        if (header && gw_topics_find(topics, setting->section) != NULL) {
            return gw_fail(err, GW_E_CONFIG, "%s:%d: [%s] stands twice", topics->file, setting->line, setting->section);
        }
        if (header) {
            GW_TRY(build_topic(topics, setting->section, options, err));
        }
    }
    size_t count = topics->count;
    for (size_t i = 0; i < count; i++) {
        if (topics->items[i].dlq_name != NULL) {
            GW_TRY(build_dlq(topics, topics->items[i].name, options, err));
        }
    }
    return topics->count > 0 ? GW_OK : gw_fail(err, GW_E_CONFIG, "%s: names no topic", topics->file);
}

// ---- the table
// -----------------------------------------------------------------------------------------------------------

gw_status gw_topics_parse(const char *name, const char *text, size_t size, const struct gw_topics_options *options,
                          struct gw_topics **ret_topics, gw_err *err)
{
    struct gw_topics *topics = gw_mem_calloc(1, sizeof *topics);
    if (topics != NULL) {
        topics->file = gw_mem_strdup(name);
    }
    if (topics == NULL || topics->file == NULL) {
        gw_topics_free(topics);
        return gw_fail(err, GW_E_MEMORY, "%s: out of memory", name);
    }
    gw_status status = gw_ini_parse(name, text, size, keep_setting, topics, err);
    if (status == GW_E_MALFORMED) { // a file of ours that does not parse stops the start like a wrong value
        status = GW_E_CONFIG;
        if (err != NULL) {
            err->status = status;
        }
    }
    if (status == GW_OK) {
        status = check_profiles(topics, options->profile, err);
    }
    if (status == GW_OK) {
        status = build_all(topics, options, err);
    }
    if (status != GW_OK) {
        gw_topics_free(topics);
        return status;
    }
    *ret_topics = topics;
    return GW_OK;
}

gw_status gw_topics_load(const char *path, const struct gw_topics_options *options, struct gw_topics **ret_topics,
                         gw_err *err)
{
    char *text = NULL;
    size_t size = 0;
    gw_status status = gw_file_read(path, FILE_BYTES_MAX, &text, &size, err);
    if (status != GW_OK) {
        return status == GW_E_MEMORY ? status : gw_fail_context(err, GW_E_CONFIG, "topics");
    }
    status = gw_topics_parse(path, text, size, options, ret_topics, err);
    gw_mem_free(text);
    return status;
}

void gw_topics_free(struct gw_topics *topics)
{
    if (topics == NULL) {
        return;
    }
    for (size_t i = 0; i < topics->count; i++) {
        gw_mem_free((void *)(uintptr_t)topics->items[i].name);
        gw_mem_free((void *)(uintptr_t)topics->items[i].full_name);
        gw_mem_free((void *)(uintptr_t)topics->items[i].dlq_name);
        gw_mem_free((void *)(uintptr_t)topics->items[i].configs);
    }
    for (size_t i = 0; i < topics->setting_count; i++) {
        gw_mem_free(topics->settings[i].section);
        gw_mem_free(topics->settings[i].key);
        gw_mem_free(topics->settings[i].value);
    }
    gw_mem_free(topics->items);
    gw_mem_free(topics->settings);
    gw_mem_free(topics->file);
    gw_mem_free(topics);
}

size_t gw_topics_count(const struct gw_topics *topics)
{
    return topics->count;
}

const struct gw_topic_def *gw_topics_at(const struct gw_topics *topics, size_t index)
{
    return &topics->items[index];
}

const struct gw_topic_def *gw_topics_find(const struct gw_topics *topics, const char *name)
{
    for (size_t i = 0; i < topics->count; i++) {
        if (strcmp(topics->items[i].name, name) == 0) {
            return &topics->items[i];
        }
    }
    return NULL;
}

const char *gw_topic_config(const struct gw_topic_def *topic, const char *name)
{
    for (size_t i = 0; i < topic->config_count; i++) {
        if (strcmp(topic->configs[i].name, name) == 0) {
            return topic->configs[i].value;
        }
    }
    return NULL;
}

uint64_t gw_topic_disk_bytes(const struct gw_topic_def *topic)
{
    const char *retention = gw_topic_config(topic, "retention.bytes");
    const char *segment = gw_topic_config(topic, "segment.bytes");
    int64_t retention_bytes = 0;
    int64_t segment_bytes = 0;
    if (retention == NULL || segment == NULL || gw_parse_i64(retention, &retention_bytes, NULL) != GW_OK ||
        gw_parse_i64(segment, &segment_bytes, NULL) != GW_OK) {
        return 0;
    }
    return (uint64_t)topic->partition_count * (uint64_t)topic->replication_factor *
           ((uint64_t)retention_bytes + (uint64_t)segment_bytes);
}
