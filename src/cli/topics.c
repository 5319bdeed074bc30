// SPDX-License-Identifier: MIT
// `topics plan`, `topics apply`, `topics list`.
#include "cli/commands.h"

#include "admin/topics_plan.h"
#include "base/check.h"
#include "cli/table.h"
#include "worker/runtime.h"
#include "worker/worker.h"

#include <string.h>

enum { GROUPS_MAX = 16, TIMEOUT_MS = 30000 };

static const char *const topic_names[GW_TOPIC_COUNT] = {
#define X(suffix, name) name,
    GW_TOPIC_MAP(X)
#undef X
};

#define GROUP_START_START GW_TOPICS_FROM_START
#define GROUP_START_END   GW_TOPICS_FROM_END

static const struct {
    const char *group;
    enum gw_topic topic;
    enum gw_topics_start start;
} inputs[] = {
#define X(name, topic, at) {name, GW_TOPIC_##topic, GROUP_START_##at},
    GW_GROUP_MAP(X)
#undef X
};

// What a group has written wherever it has worked before: when that is not empty, a group without offsets has lost them
// (STREAMS rule 5).
static const struct {
    const char *group;
    enum gw_topic topic;
} written[] = {
    {"rekey", GW_TOPIC_ENTITY_EVENTS},
    {"aggregate", GW_TOPIC_FEATURE_UPDATES},
    {"score", GW_TOPIC_PREDICTIONS},
    {"label", GW_TOPIC_LABEL_WINDOWS},
    {"monitor", GW_TOPIC_MONITOR_STATE},
};

struct groups {
    struct gw_topics_group items[GROUPS_MAX];
    size_t count;
    const char *topics[GW_COUNT_OF(inputs)]; // those of a group stand together, as in GW_GROUP_MAP
};

static void collect_groups(const struct gw_runtime *runtime, struct groups *ret_groups)
{
    struct groups *groups = ret_groups;
    *groups = (struct groups){0};
    for (size_t i = 0; i < GW_COUNT_OF(inputs); i++) {
        groups->topics[i] = topic_names[inputs[i].topic];
        if (i > 0 && strcmp(inputs[i].group, inputs[i - 1].group) == 0) {
            groups->items[groups->count - 1].topic_count++;
            continue;
        }
        GW_ASSERT(groups->count < GROUPS_MAX);
        struct gw_topics_group *group = &groups->items[groups->count++];
        *group = (struct gw_topics_group){.group = gw_runtime_group(runtime, inputs[i].group),
                                          .topics = &groups->topics[i],
                                          .topic_count = 1,
                                          .start = inputs[i].start};
        for (size_t w = 0; w < GW_COUNT_OF(written); w++) {
            if (strcmp(written[w].group, inputs[i].group) == 0) {
                group->changelog = topic_names[written[w].topic];
            }
        }
    }
}

static gw_status load_topics(const struct gw_cli *cli, struct gw_topics **ret_topics, gw_err *err)
{
    const struct gw_topics_options options = {.prefix = gw_config_text(cli->config, GW_OPT_TOPICS_PREFIX),
                                              .profile = gw_cli_value(cli, "--profile")};
    return gw_topics_load(gw_config_text(cli->config, GW_OPT_TOPICS_FILE), &options, ret_topics, err);
}

// ---- plan and apply -------------------------------------------------------------------------------------------------

static const char *outcome(const struct gw_topics_step *step, bool apply)
{
    if (step->verb == GW_TOPICS_NOTE || step->verb == GW_TOPICS_REFUSE) {
        return gw_topics_verb_name(step->verb);
    }
    return !apply ? "planned" : step->done ? "done" : "failed";
}

static void fill_steps(const struct gw_topics_plan *plan, bool apply, struct gw_table *table)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct gw_topics_step *step = &plan->steps[i];
        gw_table_text(table, gw_topics_verb_name(step->verb));
        gw_table_text(table, step->subject);
        gw_table_text(table, outcome(step, apply));
        gw_table_text(table, step->text);
    }
}

static gw_status show_plan_json(const struct gw_topics_plan *plan, const struct gw_table *steps, struct gw_buf *out,
                                gw_err *err)
{
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "steps");
    GW_TRY(gw_table_write_json(steps, &writer, err));
    gw_json_write_key(&writer, "changes");
    gw_json_write_u64(&writer, plan->change_count);
    gw_json_write_key(&writer, "refused");
    gw_json_write_u64(&writer, plan->refused_count);
    gw_json_write_key(&writer, "disk_bytes_max");
    gw_json_write_u64(&writer, plan->disk_bytes_max);
    gw_json_write_key(&writer, "compacted_topics");
    gw_json_write_u64(&writer, plan->compacted_count);
    gw_json_object_end(&writer);
    return gw_cli_print_json(&writer, err);
}

static gw_status show_plan_text(const struct gw_topics_plan *plan, const struct gw_table *steps, bool apply,
                                gw_err *err)
{
    if (plan->count > 0) {
        GW_TRY(gw_table_print(steps, stdout, err));
    }
    printf("%zu %s, %zu refused; disk at most %.2f GiB, and %u compacted topics that follow their keys\n",
           plan->change_count, apply ? "changes made" : "changes to make", plan->refused_count,
           (double)plan->disk_bytes_max / (1024.0 * 1024.0 * 1024.0), plan->compacted_count);
    return GW_OK;
}

static gw_status show_plan(const struct gw_cli *cli, const struct gw_topics_plan *plan, bool apply, gw_err *err)
{
    static const char *const columns[] = {"what", "subject", "state", "why"};
    struct gw_table steps;
    struct gw_buf out = {0};
    gw_table_init(&steps, columns, GW_COUNT_OF(columns));
    fill_steps(plan, apply, &steps);
    gw_status status = cli->json ? show_plan_json(plan, &steps, &out, err) : show_plan_text(plan, &steps, apply, err);
    gw_buf_deinit(&out);
    gw_table_deinit(&steps);
    return status;
}

static gw_status settle(struct gw_cli *cli, const struct gw_topics_cluster *cluster, bool apply, gw_err *err)
{
    struct gw_topics_plan plan = {0};
    GW_TRY(apply ? gw_topics_apply(cluster, &plan, err) : gw_topics_plan(cluster, &plan, err));
    gw_status status = show_plan(cli, &plan, apply, err);
    if (plan.refused_count > 0) {
        cli->exit_code = gw_exit_code(GW_E_CONFLICT);
    }
    gw_topics_plan_deinit(&plan);
    return status;
}

static gw_status with_cluster(struct gw_cli *cli, bool apply, gw_err *err)
{
    struct gw_runtime runtime;
    struct gw_topics *topics = NULL;
    struct gw_kafka_admin *admin = NULL;
    struct groups groups;
    atomic_bool stop = false;
    GW_TRY(gw_runtime_init(&runtime, cli->config, GW_RUNTIME_NAMES, &stop, err));
    collect_groups(&runtime, &groups);
    gw_status status = load_topics(cli, &topics, err);
    if (status == GW_OK) {
        status = gw_kafka_admin_new(&runtime.kafka, &admin, err);
    }
    if (status == GW_OK) {
        const struct gw_topics_cluster cluster = {.topics = topics,
                                                  .admin = admin,
                                                  .kafka = &runtime.kafka,
                                                  .groups = groups.items,
                                                  .group_count = groups.count,
                                                  .timeout_ms = TIMEOUT_MS};
        status = settle(cli, &cluster, apply, err);
    }
    gw_kafka_admin_free(admin);
    gw_topics_free(topics);
    gw_runtime_deinit(&runtime);
    return status;
}

gw_status gw_cli_topics_plan(struct gw_cli *cli, gw_err *err)
{
    return with_cluster(cli, false, err);
}

gw_status gw_cli_topics_apply(struct gw_cli *cli, gw_err *err)
{
    return with_cluster(cli, true, err);
}

// ---- list -----------------------------------------------------------------------------------------------------------

gw_status gw_cli_topics_list(struct gw_cli *cli, gw_err *err)
{
    static const char *const columns[] = {"name",   "partitions",  "replication",   "schema",
                                          "policy", "count_group", "disk_bytes_max"};
    struct gw_topics *topics = NULL;
    struct gw_table table;
    GW_TRY(load_topics(cli, &topics, err));
    gw_table_init(&table, columns, GW_COUNT_OF(columns));
    for (size_t i = 0; i < gw_topics_count(topics); i++) {
        const struct gw_topic_def *topic = gw_topics_at(topics, i);
        gw_table_text(&table, topic->full_name);
        gw_table_i64(&table, topic->partition_count);
        gw_table_i64(&table, topic->replication_factor);
        gw_table_text(&table, topic->schema);
        gw_table_text(&table, topic->compacted ? "compact" : "delete");
        gw_table_text(&table, topic->count_group);
        if (gw_topic_disk_bytes(topic) > 0) {
            gw_table_i64(&table, (int64_t)gw_topic_disk_bytes(topic));
        } else {
            gw_table_text(&table, NULL);
        }
    }
    gw_status status = gw_table_show(&table, cli->json, err);
    gw_table_deinit(&table);
    gw_topics_free(topics);
    return status;
}
