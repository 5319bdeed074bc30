// SPDX-License-Identifier: MIT
#include "worker/bridge_lag.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "worker/overview.h"

#include <math.h>
#include <string.h>

enum {
    REQUEST_MS = 2000,
    RECOUNT_US = 60000000, // how often the sources' partitions are counted: others may add some
    SPANS_MAX = 64,
    PARTITIONS_MAX = 4096,
};

// A topic's stretch of the partition tables.
struct span {
    const char *topic; // full name
    bool source;
    bool dead; // a dead-letter topic
    size_t first;
    size_t count;
};

// Where each group's positions are kept, and what it reads. No topics: this look does not tell its lag.
static const struct {
    const char *name;
    bool in_redis;
    bool from_transactions; // our transactions write what it reads, or most of it: a last marker is no record
    enum gw_topic topics[4];
    size_t topic_count;
} groups[] = {
    {.name = "rekey",
     .topics = {GW_TOPIC_UNIFIED_USER_ACTIONS, GW_TOPIC_TWEET_EVENTS, GW_TOPIC_SOCIAL_WRITE_EVENT,
                GW_TOPIC_USER_MODIFICATIONS},
     .topic_count = 4},
    {.name = "aggregate", .from_transactions = true, .topics = {GW_TOPIC_ENTITY_EVENTS}, .topic_count = 1},
    {.name = "online",
     .in_redis = true,
     .from_transactions = true,
     .topics = {GW_TOPIC_FEATURE_UPDATES},
     .topic_count = 1},
    {.name = "score", .topics = {GW_TOPIC_PREDICTION_REQUESTS}, .topic_count = 1},
    {.name = "label", .topics = {GW_TOPIC_SERVED_CANDIDATES, GW_TOPIC_ENTITY_EVENTS}, .topic_count = 2},
    {.name = "monitor",
     .from_transactions = true,
     .topics = {GW_TOPIC_LABEL_SAMPLES, GW_TOPIC_FEATURE_SAMPLES},
     .topic_count = 2},
    {.name = "retrain",
     .from_transactions = true,
     .topics = {GW_TOPIC_RETRAIN_REQUESTS, GW_TOPIC_DRIFT_ALERTS, GW_TOPIC_MODEL_QUALITY},
     .topic_count = 3},
    {.name = "score-sync"}, // at-least-once: its scorers say how far behind they are
};
_Static_assert(GW_COUNT_OF(groups) <= GW_BRIDGE_GROUPS_MAX, "room for every group");

struct gw_bridge_lag {
    const struct gw_runtime *runtime;
    struct gw_kafka_admin *admin;
    struct gw_store *store;
    uint64_t counted_us; // when spans were made, monotonic; 0: never
    struct span spans[SPANS_MAX];
    size_t span_count;
    size_t partition_count;
    struct gw_kafka_position *ends; // partition_count each, in the order of spans
    struct gw_kafka_position *starts;
    struct gw_kafka_position *committed; // of one group
    struct gw_overview_count events;
    struct gw_overview_count positions[GW_BRIDGE_GROUPS_MAX];
};

// ---- which partitions -----------------------------------------------------------------------------------------------

static size_t count_partitions(struct gw_bridge_lag *lag, const struct gw_topic_def *def)
{
    size_t count = (size_t)def->partition_count;
    struct gw_kafka_topic_state state = {0};
    // Whoever made a source topic chose its count; ours have the one in topics.ini.
    if (def->source && gw_kafka_admin_topic_describe(lag->admin, def->full_name, REQUEST_MS, &state, NULL) == GW_OK) {
        count = state.exists ? (size_t)state.partition_count : 0;
        gw_kafka_topic_state_deinit(&state);
    }
    return count;
}

static bool is_watched(const struct gw_bridge_lag *lag, const struct gw_topic_def *def)
{
    if (def->schema == NULL || def->source) {
        return true; // dead letters, sources
    }
    for (size_t i = 0; i < GW_COUNT_OF(groups); i++) {
        for (size_t k = 0; k < groups[i].topic_count; k++) {
            if (lag->runtime->defs[groups[i].topics[k]] == def) {
                return true;
            }
        }
    }
    return false;
}

static gw_status make_spans(struct gw_bridge_lag *lag, gw_err *err)
{
    size_t total = 0;
    lag->span_count = 0;
    for (size_t i = 0; i < gw_topics_count(lag->runtime->topics); i++) {
        const struct gw_topic_def *def = gw_topics_at(lag->runtime->topics, i);
        size_t count = is_watched(lag, def) && lag->span_count < SPANS_MAX ? count_partitions(lag, def) : 0;
        if (count > 0 && total + count <= PARTITIONS_MAX) {
            lag->spans[lag->span_count++] = (struct span){.topic = def->full_name,
                                                          .source = def->source,
                                                          .dead = def->schema == NULL,
                                                          .first = total,
                                                          .count = count};
            total += count;
        }
    }
    struct gw_kafka_position **tables[] = {&lag->ends, &lag->starts, &lag->committed};
    for (size_t i = 0; i < GW_COUNT_OF(tables); i++) {
        struct gw_kafka_position *grown = gw_mem_realloc(*tables[i], total, sizeof *grown);
        if (grown == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %zu partitions", total);
        }
        *tables[i] = grown;
    }
    lag->partition_count = total;
    lag->counted_us = gw_clock_mono_us();
    return GW_OK;
}

static const struct span *find_span(const struct gw_bridge_lag *lag, enum gw_topic topic)
{
    const char *name = gw_runtime_topic(lag->runtime, topic);
    for (size_t i = 0; i < lag->span_count; i++) {
        if (strcmp(lag->spans[i].topic, name) == 0) {
            return &lag->spans[i];
        }
    }
    return NULL;
}

static gw_status ask(struct gw_bridge_lag *lag, struct gw_kafka_position *positions, int64_t which, gw_err *err)
{
    for (size_t i = 0; i < lag->span_count; i++) {
        for (size_t k = 0; k < lag->spans[i].count; k++) {
            positions[lag->spans[i].first + k] =
                (struct gw_kafka_position){.topic = lag->spans[i].topic, .partition = (int32_t)k, .offset = which};
        }
    }
    return gw_kafka_admin_log_offsets(lag->admin, positions, lag->partition_count, REQUEST_MS, err);
}

// ---- sums -----------------------------------------------------------------------------------------------------------

// A sum of offsets that is known when all its parts are.
struct sum {
    bool known;
    int64_t value;
};

static void add(struct sum *sum, int64_t offset)
{
    sum->known = sum->known && offset >= 0;
    sum->value += offset;
}

static void look_at_topics(struct gw_bridge_lag *lag, struct gw_bridge_look *look, uint64_t now_us)
{
    struct sum events = {.known = true};
    struct sum dead_ends = {.known = true};
    struct sum dead_starts = {.known = true};
    for (size_t i = 0; i < lag->span_count; i++) {
        const struct span *span = &lag->spans[i];
        for (size_t k = span->first; k < span->first + span->count; k++) {
            if (span->source) {
                add(&events, lag->ends[k].offset);
            } else if (span->dead) {
                add(&dead_ends, lag->ends[k].offset);
                add(&dead_starts, lag->starts[k].offset);
            }
        }
    }
    look->events_per_s = gw_overview_rate(&lag->events, events.known, events.value, now_us);
    look->dead_letter_count = dead_ends.known && dead_starts.known ? dead_ends.value - dead_starts.value : -1;
}

// ---- groups ---------------------------------------------------------------------------------------------------------

// What one group has read: `committed` is as long as its partitions. False: not known.
static bool read_positions(struct gw_bridge_lag *lag, size_t group, size_t count)
{
    if (!groups[group].in_redis) {
        const char *full_name = gw_runtime_group(lag->runtime, groups[group].name);
        return gw_kafka_admin_group_offsets(lag->admin, full_name, lag->committed, count, REQUEST_MS, NULL) == GW_OK;
    }
    for (size_t i = 0; i < count; i++) {
        struct gw_store_position position;
        if (gw_store_position(lag->store, lag->committed[i].partition, &position, NULL) != GW_OK) {
            return false;
        }
        lag->committed[i].offset = position.present ? position.next_offset : GW_KAFKA_OFFSET_NONE;
    }
    return true;
}

// A transaction ends with a marker that nobody reads: a single offset left is one, or a record not committed yet.
static int64_t unread(int64_t offsets, bool from_transactions)
{
    return from_transactions && offsets == 1 ? 0 : GW_MAX(offsets, 0);
}

static void measure(struct gw_bridge_lag *lag, size_t group, struct gw_bridge_group *look, uint64_t now_us)
{
    size_t places[PARTITIONS_MAX]; // of the group's partitions in the tables
    size_t count = 0;
    for (size_t i = 0; i < groups[group].topic_count; i++) {
        const struct span *span = find_span(lag, groups[group].topics[i]);
        for (size_t k = 0; span != NULL && k < span->count; k++) {
            lag->committed[count] = (struct gw_kafka_position){.topic = span->topic, .partition = (int32_t)k};
            places[count++] = span->first + k;
        }
    }
    bool known = count > 0 && read_positions(lag, group, count);
    bool any = false;
    struct sum behind = {.known = known};
    struct sum read = {.known = known};
    for (size_t i = 0; known && i < count; i++) {
        int64_t end = lag->ends[places[i]].offset;
        int64_t start = lag->starts[places[i]].offset;
        int64_t next = lag->committed[i].offset >= 0 ? lag->committed[i].offset : start;
        any = any || lag->committed[i].offset >= 0;
        add(&read, next);
        add(&behind, end >= 0 && next >= 0 ? unread(end - next, groups[group].from_transactions) : -1);
    }
    look->measured_lag = true;
    look->lag_records = behind.known && any ? behind.value : -1;
    look->records_per_s = gw_overview_rate(&lag->positions[group], read.known && any, read.value, now_us);
}

static void look_at_groups(struct gw_bridge_lag *lag, struct gw_bridge_look *look, uint64_t now_us)
{
    look->group_count = GW_COUNT_OF(groups);
    for (size_t i = 0; i < GW_COUNT_OF(groups); i++) {
        struct gw_bridge_group *group = &look->groups[i];
        *group =
            (struct gw_bridge_group){.name = groups[i].name, .lag_records = -1, .records_per_s = NAN, .members = -1};
        if (groups[i].topic_count > 0) {
            measure(lag, i, group, now_us);
        }
        const char *full_name = gw_runtime_group(lag->runtime, groups[i].name);
        int32_t members = 0;
        if (gw_kafka_admin_group_members(lag->admin, full_name, REQUEST_MS, &members, NULL) == GW_OK) {
            group->members = members;
        }
    }
}

gw_status gw_bridge_lag_look(struct gw_bridge_lag *lag, struct gw_bridge_look *ret_look, gw_err *err)
{
    if (lag->counted_us == 0 || gw_clock_mono_us() - lag->counted_us >= RECOUNT_US) {
        GW_TRY(make_spans(lag, err));
    }
    GW_TRY(ask(lag, lag->ends, GW_KAFKA_OFFSET_END, err));
    uint64_t now_us = gw_clock_mono_us();
    GW_TRY(ask(lag, lag->starts, GW_KAFKA_OFFSET_START, err));
    look_at_topics(lag, ret_look, now_us);
    look_at_groups(lag, ret_look, now_us);
    return GW_OK;
}

// ---- life -----------------------------------------------------------------------------------------------------------

gw_status gw_bridge_lag_new(const struct gw_runtime *runtime, struct gw_bridge_lag **ret_lag, gw_err *err)
{
    struct gw_bridge_lag *lag = gw_mem_calloc(1, sizeof *lag);
    if (lag == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to watch lag");
    }
    lag->runtime = runtime;
    gw_status status = gw_kafka_admin_new(&runtime->kafka, &lag->admin, err);
    if (status == GW_OK) {
        status = gw_runtime_store(runtime, &lag->store, err);
    }
    if (status != GW_OK) {
        gw_bridge_lag_free(lag);
        return status;
    }
    *ret_lag = lag;
    return GW_OK;
}

void gw_bridge_lag_free(struct gw_bridge_lag *lag)
{
    if (lag == NULL) {
        return;
    }
    gw_store_free(lag->store);
    gw_kafka_admin_free(lag->admin);
    gw_mem_free(lag->committed);
    gw_mem_free(lag->starts);
    gw_mem_free(lag->ends);
    gw_mem_free(lag);
}
