// SPDX-License-Identifier: MIT
#include "support/cluster.h"

#include "support/model.h"

#include "admin/topics_plan.h"
#include "base/clock.h"
#include "kafka/consumer.h"
#include "registry/registry.h"
#include "registry/relay.h"
#include "worker/relay_options.h"
#include "worker/worker.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { ADMIN_MS = 30000 };

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL || value[0] == '\0') {
        fail_msg("%s is not set: run tests/run", name);
    }
    return value;
}

static void set(struct cluster *cluster, const char *format, ...) GW_PRINTF(2, 3);
static void set(struct cluster *cluster, const char *format, ...)
{
    assert_true(cluster->set_count < CLUSTER_SETS_MAX);
    char *to = cluster->sets[cluster->set_count++];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(to, sizeof cluster->sets[0], format, arguments);
    va_end(arguments);
    assert_in_range(size, 1, sizeof cluster->sets[0] - 1);
}

// ---- topics ---------------------------------------------------------------------------------------------------------

// The project's topics that the pipeline touches, with few partitions: a broker of tests holds many clusters.
static void write_topics(const struct cluster *cluster)
{
    static const struct {
        const char *name;
        const char *schema;
        const char *rest;
    } topics[] = {
        {"unified_user_actions", "UserAction", "source = true\ndlq = true\npartitions = 2\n"},
        {"tweet_events", "TweetEvent", "source = true\ndlq = true\npartitions = 2\n"},
        {"social_write_event", "SocialGraphEvent", "source = true\ndlq = true\npartitions = 2\n"},
        {"user_modifications", "UserProfile", "source = true\ndlq = true\npartitions = 2\n"},
        {"entity_events", "EntityEvent", "count_group = entity\ndlq = true\n"},
        {"feature_updates", "FeatureUpdate",
         "count_group = entity\ndlq = true\nlog_id = true\ncleanup.policy = compact\n"
         "min.compaction.lag.ms = 604800000\n"},
        {"feature_layouts", "FeatureLayout", "partitions = 1\ncleanup.policy = compact\n"},
        {"prediction_requests", "PredictionRequest", "partitions = 2\ndlq = true\n"},
        {"prediction_requests_sync", "PredictionRequest", "partitions = 2\ndlq = true\n"},
        {"predictions", "Prediction", "partitions = 2\n"},
        {"prediction_replies", "Prediction", "partitions = 2\n"},
        {"predictions_flat", "PredictionFlat", "partitions = 1\n"},
        {"served_candidates", "ServedCandidate", "count_group = entity\ndlq = true\n"},
        {"training_examples", "LabeledExample", "partitions = 2\n"},
        {"feature_samples", "FeatureSample", "partitions = 2\ndlq = true\n"},
        {"label_samples", "LabelSample", "partitions = 2\ndlq = true\n"},
        {"label_windows", "LabelWindow", "count_group = entity\ncleanup.policy = compact\n"},
        {"monitor_state", "MonitorState", "partitions = 2\ncleanup.policy = compact\n"},
        {"model_quality", "ModelQuality", "partitions = 1\ndlq = true\n"},
        {"serving_metrics", "ServingMetrics", "partitions = 1\n"},
        {"drift_alerts", "DriftAlert", "partitions = 1\ndlq = true\n"},
        {"retrain_requests", "RetrainRequest", "partitions = 1\ndlq = true\n"},
        {"model_events", "ModelEvent", "partitions = 1\n"},
        {"model_routes", "ModelRoute", "partitions = 1\ncleanup.policy = compact\n"},
    };
    char path[512];
    snprintf(path, sizeof path, "%s/topics.ini", cluster->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "[counts]\nentity = %d\n[defaults]\nreplication = 1\nmessage.timestamp.type = LogAppendTime\n"
            "max.message.bytes = 1048588\nretention.ms = 3600000\nretention.bytes = 268435456\n"
            "segment.bytes = 67108864\n[dlq]\npartitions = 1\nmax.message.bytes = 2097152\n",
            CLUSTER_ENTITIES);
    for (size_t i = 0; i < GW_COUNT_OF(topics); i++) {
        fprintf(file, "[%s]\nschema = %s\n%s", topics[i].name, topics[i].schema, topics[i].rest);
    }
    assert_int_equal(fclose(file), 0);
}

static void apply_topics(struct cluster *cluster)
{
    static const struct {
        const char *group;
        enum gw_topic topic;
    } reads[] = {
#define X(name, topic, at) {name, GW_TOPIC_##topic},
        GW_GROUP_MAP(X)
#undef X
    };
    struct gw_topics_group groups[GW_COUNT_OF(reads)];
    const char *names[GW_COUNT_OF(reads)];
    size_t group_count = 0;
    for (size_t i = 0; i < GW_COUNT_OF(reads); i++) { // rows of one group stand together
        names[i] = cluster->runtime.defs[reads[i].topic]->name;
        if (i > 0 && strcmp(reads[i].group, reads[i - 1].group) == 0) {
            groups[group_count - 1].topic_count++;
        } else {
            groups[group_count++] =
                (struct gw_topics_group){.group = gw_runtime_group(&cluster->runtime, reads[i].group),
                                         .topics = &names[i],
                                         .topic_count = 1,
                                         .start = GW_TOPICS_FROM_START};
        }
    }
    const struct gw_topics_cluster target = {.topics = cluster->runtime.topics,
                                             .admin = cluster->admin,
                                             .kafka = &cluster->runtime.kafka,
                                             .groups = groups,
                                             .group_count = group_count,
                                             .timeout_ms = ADMIN_MS};
    struct gw_topics_plan plan = {0};
    gw_err err = {0};
    assert_ok_err(gw_topics_apply(&target, &plan, &err), &err);
    assert_int_equal(plan.refused_count, 0);
    gw_topics_plan_deinit(&plan);
}

// ---- settings -------------------------------------------------------------------------------------------------------

static void configure(struct cluster *cluster, const char *const *more)
{
    set(cluster, "kafka.bootstrap_servers=%s", environment("GODWIT_KAFKA_BOOTSTRAP_SERVERS"));
    set(cluster, "schema.registry_urls=%s", environment("GODWIT_SCHEMA_REGISTRY_URLS"));
    set(cluster, "redis.address=%s", environment("GODWIT_REDIS_ADDRESS"));
    set(cluster, "topics.prefix=%s.", cluster->name);
    set(cluster, "topics.group_prefix=%s", cluster->name);
    set(cluster, "topics.transactional_prefix=%s", cluster->name);
    set(cluster, "topics.file=%s/topics.ini", cluster->directory);
    set(cluster, "redis.prefix=%s:", cluster->name);
    set(cluster, "schema.directory=%s/schemas", GW_SOURCE_DIR);
    set(cluster, "schema.cache_directory=%s/schemas", cluster->directory);
    set(cluster, "features.file=%s/schemas/features.ini", GW_SOURCE_DIR);
    set(cluster, "worker.state_directory=%s/state", cluster->directory);
    set(cluster, "postgres.uri=%s", cluster->registry.uri);
    set(cluster, "postgres.migrations=%s/deploy/postgres", GW_SOURCE_DIR);
    set(cluster, "score.model_directory=%s/models", cluster->directory);
    set(cluster, "score.default_model=%s", TEST_MODEL_NAME);
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        set(cluster, "%s", more[i]);
    }
}

// ---- the model ------------------------------------------------------------------------------------------------------

static void publish_history(struct cluster *cluster)
{
    struct gw_relay_settings settings;
    struct gw_relay *relay = NULL;
    enum gw_relay_state state = GW_RELAY_WAITING;
    gw_err err = {0};
    assert_ok_err(gw_relay_settings_init(&settings, &cluster->runtime, "godwit-test", &err), &err);
    assert_ok_err(gw_relay_new(&settings.options, &relay, &err), &err);
    assert_ok_err(gw_relay_run(relay, &state, NULL, &err), &err);
    assert_int_equal(state, GW_RELAY_CAUGHT_UP);
    gw_relay_free(relay);
    gw_relay_settings_deinit(&settings);
}

static void deploy_model(struct cluster *cluster)
{
    static const struct gw_registry_change change = {.actor = "test", .reason = "", .if_revision = 0};
    const struct gw_registry_options options = {
        .uri = cluster->registry.uri, .application = "godwit-test", .timeout_ms = ADMIN_MS};
    const struct gw_registry_create create = {.model = TEST_MODEL_NAME, .description = ""};
    const struct gw_registry_register registration = {.model = TEST_MODEL_NAME,
                                                      .directory = cluster->bundle,
                                                      .description = "",
                                                      .features = cluster->runtime.features};
    struct gw_registry *registry = NULL;
    struct gw_registry_outcome outcome = {0};
    gw_err err = {0};
    snprintf(cluster->bundle, sizeof cluster->bundle, "%s/bundle", cluster->directory);
    test_model_write(cluster->bundle);
    assert_ok_err(gw_registry_new(&options, &registry, &err), &err);
    assert_ok_err(gw_registry_create(registry, &create, &change, &outcome, &err), &err);
    assert_ok_err(gw_registry_register(registry, &registration, &change, &outcome, &err), &err);
    assert_int_equal(outcome.version, TEST_MODEL_VERSION);
    assert_ok_err(gw_registry_promote(registry, TEST_MODEL_NAME, outcome.version, &change, &outcome, &err), &err);
    gw_registry_free(registry);
    publish_history(cluster);
}

// ---- begin and end --------------------------------------------------------------------------------------------------

void cluster_begin(struct cluster *cluster, const char *name, const char *const *more)
{
    static unsigned count;
    gw_err err = {0};
    *cluster = (struct cluster){0};
    snprintf(cluster->name, sizeof cluster->name, "%.24s-%d-%llx-%u", name, (int)getpid(),
             (unsigned long long)gw_clock_wall_ms() & 0xfffffff, count++);
    snprintf(cluster->directory, sizeof cluster->directory, "/tmp/godwit-test-XXXXXX");
    assert_non_null(mkdtemp(cluster->directory));
    registry_open(&cluster->registry);
    write_topics(cluster);
    configure(cluster, more);

    assert_ok_err(gw_config_new(&cluster->config, &err), &err);
    for (size_t i = 0; i < cluster->set_count; i++) {
        assert_ok_err(gw_config_apply_set(cluster->config, cluster->sets[i], &err), &err);
    }
    assert_ok_err(gw_runtime_init(&cluster->runtime, cluster->config, GW_RUNTIME_FEATURES | GW_RUNTIME_SCHEMAS,
                                  &cluster->stop, &err),
                  &err);
    assert_ok_err(gw_kafka_admin_new(&cluster->runtime.kafka, &cluster->admin, &err), &err);
    apply_topics(cluster);
    static const struct gw_kafka_property large = {.name = "message.max.bytes", .value = "4000000"};
    struct gw_kafka_options client = cluster->runtime.kafka;
    client.properties = &large;
    client.property_count = 1;
    const struct gw_kafka_producer_options producer = {.client = &client};
    assert_ok_err(gw_kafka_producer_new(&producer, &cluster->producer, &err), &err);
    if (strcmp(gw_config_text(cluster->config, GW_OPT_POSTGRES_URI), cluster->registry.uri) == 0) {
        deploy_model(cluster);
    }
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void cluster_end(struct cluster *cluster)
{
    proc_forget_all();
    if (cluster->config == NULL) {
        return;
    }
    gw_err err = {0};
    struct gw_store *store = cluster_store(cluster);
    uint64_t removed = 0;
    if (gw_store_clear(store, &removed, &err) != GW_OK) { // a test's own Redis is gone by now
        print_message("rows of '%s' stay in Redis: %s\n", cluster->name, err.message);
    }
    gw_store_free(store);
    gw_kafka_producer_free(cluster->producer);
    gw_kafka_admin_free(cluster->admin);
    gw_runtime_deinit(&cluster->runtime);
    gw_config_free(cluster->config);
    registry_close(&cluster->registry);
    gw_buf_deinit(&cluster->value);
    cluster->config = NULL;
    nftw(cluster->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// ---- workers --------------------------------------------------------------------------------------------------------

struct cluster_worker cluster_run(struct cluster *cluster, const char *worker, const char *const *more)
{
    enum { WORDS_MAX = 160 };
    const char *argv[WORDS_MAX];
    size_t count = 0;
    char program[512];
    char port[64];
    char log[512];
    int index = gw_worker_find(worker);
    assert_true(index >= 0);
    struct cluster_worker started = {.ops_port = free_port()};
    snprintf(program, sizeof program, "%s/godwit", environment("GODWIT_BINARY_DIR"));
    snprintf(port, sizeof port, "worker.ops_port_base=%u", started.ops_port - (unsigned)index);
    snprintf(log, sizeof log, "%s/%s.log", cluster->directory, worker);
    // A killed member's partitions come free after this.
    static const char *const own[] = {"kafka.session.timeout.ms=1500", "kafka.heartbeat.interval.ms=300"};
    argv[count++] = program;
    argv[count++] = "run";
    argv[count++] = worker;
    for (size_t i = 0; i < cluster->set_count; i++) {
        argv[count++] = "--set";
        argv[count++] = cluster->sets[i];
    }
    for (size_t i = 0; i < GW_COUNT_OF(own); i++) {
        argv[count++] = "--set";
        argv[count++] = own[i];
    }
    argv[count++] = "--set";
    argv[count++] = port;
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        assert_true(count + 3 < WORDS_MAX);
        argv[count++] = "--set";
        argv[count++] = more[i];
    }
    argv[count] = NULL;
    started.proc = proc_start(worker, argv, log);
    return started;
}

void cluster_wait_ready(struct cluster_worker *worker)
{
    proc_wait_http_ok(worker->proc, worker->ops_port, "/readyz", CLUSTER_WAIT_MS);
}

struct cluster_worker cluster_run_ready(struct cluster *cluster, const char *worker, const char *const *more)
{
    struct cluster_worker started = cluster_run(cluster, worker, more);
    cluster_wait_ready(&started);
    return started;
}

void cluster_stop(struct cluster_worker *worker)
{
    cluster_wait_ready(worker);
    proc_stop(worker->proc, 0, CLUSTER_WAIT_MS);
}

double cluster_metric(const struct cluster_worker *worker, const char *prefix)
{
    static char text[1 << 20];
    double sum = -1;
    if (http_get(worker->ops_port, "/metrics", text, sizeof text) != 200) {
        return -1;
    }
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *value = strncmp(line, prefix, strlen(prefix)) == 0 ? strpbrk(line, " \n") : NULL;
        if (value != NULL && *value == ' ') {
            sum = (sum < 0 ? 0 : sum) + strtod(value, NULL);
        }
    }
    return sum;
}

// ---- what the services hold -----------------------------------------------------------------------------------------

// The adapter wants to know what a member does about rebalances; this one never joins.
static void never_assigned(void *context, struct gw_kafka_position *positions, bool *paused, size_t count)
{
    (void)context;
    (void)positions;
    (void)paused;
    (void)count;
}

static void never_revoked(void *context, const struct gw_kafka_position *positions, size_t count, bool lost)
{
    (void)context;
    (void)positions;
    (void)count;
    (void)lost;
}

void cluster_ledger(struct cluster *cluster, const char *group, const char *topic, int32_t partition,
                    int64_t *ret_offset, struct gw_ledger *ret_ledger)
{
    static char metadata[1][GW_KAFKA_METADATA_BYTES_MAX];
    const struct gw_kafka_consumer_options options = {.client = &cluster->runtime.kafka,
                                                      .group = gw_runtime_group(&cluster->runtime, group),
                                                      .assigned = never_assigned,
                                                      .revoked = never_revoked};
    struct gw_kafka_consumer *consumer = NULL;
    struct gw_kafka_position position = {.topic = topic, .partition = partition};
    gw_err err = {0};
    metadata[0][0] = '\0';
    assert_ok_err(gw_kafka_consumer_new(&options, &consumer, &err), &err);
    assert_ok_err(gw_kafka_consumer_committed(consumer, &position, metadata, 1, ADMIN_MS, &err), &err);
    gw_kafka_consumer_free(consumer);
    *ret_offset = position.offset;
    *ret_ledger = (struct gw_ledger){0};
    if (metadata[0][0] != '\0') {
        assert_true(gw_ledger_parse(metadata[0], ret_ledger));
    }
}

struct gw_ledger cluster_ledger_sum(struct cluster *cluster, const char *group, enum gw_topic topic)
{
    struct gw_ledger sum = {0};
    for (uint32_t p = 0; p < gw_runtime_partitions(&cluster->runtime, topic); p++) {
        int64_t offset = 0;
        struct gw_ledger one;
        cluster_ledger(cluster, group, gw_runtime_topic(&cluster->runtime, topic), (int32_t)p, &offset, &one);
        for (int i = 0; i < GW_OUTCOME_COUNT; i++) {
            sum.counts[i] += one.counts[i];
        }
    }
    return sum;
}

struct gw_store *cluster_store(struct cluster *cluster)
{
    struct gw_store *store = NULL;
    gw_err err = {0};
    assert_ok_err(gw_runtime_store(&cluster->runtime, &store, &err), &err);
    return store;
}
