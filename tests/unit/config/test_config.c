// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "config/config.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct gw_config *fresh(void)
{
    struct gw_config *config = NULL;
    assert_ok(gw_config_new(&config, NULL));
    return config;
}

static gw_status load(struct gw_config *config, const char *text, gw_err *err)
{
    return gw_config_load_text(config, "godwit.ini", text, strlen(text), err);
}

static bool find(const struct gw_config *config, const char *name, struct gw_config_entry *entry)
{
    size_t cursor = 0;
    while (gw_config_next(config, &cursor, entry)) {
        if (strcmp(entry->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void defaults_have_their_types(void **state)
{
    (void)state;
    struct gw_config *config = fresh();
    assert_string_equal(gw_config_text(config, GW_OPT_REDIS_PREFIX), "gw:");
    assert_int_equal(gw_config_u64(config, GW_OPT_WORKER_OPS_PORT_BASE), 9310);
    assert_int_equal(gw_config_u64(config, GW_OPT_AGGREGATE_MEMORY), 1 << 30);
    assert_int_equal(gw_config_i64(config, GW_OPT_BRIDGE_REPLY_PARTITION), -1);
    assert_true(gw_config_double(config, GW_OPT_SCORE_SERVED_SAMPLE) == 0.01);
    assert_true(gw_config_bool(config, GW_OPT_SCORE_SYNC_ENABLED));
    assert_int_equal(gw_config_duration_us(config, GW_OPT_SCORE_COMMIT_INTERVAL), 250000);
    assert_int_equal(gw_config_choice(config, GW_OPT_LOG_LEVEL), 1);
    gw_config_free(config);
}

static void file_gives_way_to_environment_and_that_to_set(void **state)
{
    (void)state;
    struct gw_config *config = fresh();
    struct gw_config_entry entry;
    gw_err err = {0};
    char variable[] = "GODWIT_REDIS_TIMEOUT=3s";
    char threads[] = "GODWIT_SCORE_BULK_THREADS=2";
    char *const variables[] = {variable, threads, NULL};

    assert_ok_err(gw_config_apply_set(config, "redis.timeout=4s", &err), &err); // the order of calls does not matter
    assert_ok_err(gw_config_apply_environment(config, variables, &err), &err);
    assert_ok_err(load(config, "[redis]\ntimeout = 1s\nprefix = x:\n[score]\nbulk_threads = 1\n", &err), &err);

    assert_int_equal(gw_config_duration_us(config, GW_OPT_REDIS_TIMEOUT), 4000000);
    assert_int_equal(gw_config_u64(config, GW_OPT_SCORE_BULK_THREADS), 2);
    assert_true(find(config, "redis.timeout", &entry));
    assert_string_equal(entry.origin, "--set");
    assert_string_equal(entry.value, "4s");
    assert_string_equal(entry.preset, "2s");
    assert_true(find(config, "score.bulk_threads", &entry));
    assert_string_equal(entry.origin, "GODWIT_SCORE_BULK_THREADS");
    assert_true(find(config, "redis.prefix", &entry));
    assert_string_equal(entry.origin, "godwit.ini:3");
    assert_true(find(config, "redis.address", &entry));
    assert_string_equal(entry.origin, "default");

    assert_ok(gw_config_apply_set(config, "redis.timeout=5s", NULL));
    assert_int_equal(gw_config_duration_us(config, GW_OPT_REDIS_TIMEOUT), 5000000);
    gw_config_free(config);
}

static void file_errors_name_line_and_option(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[redis]\nadress = x:1\n", "godwit.ini:2: unknown option 'redis.adress'; the nearest is 'redis.address'"},
        {"[rediss]\n", "godwit.ini:1: unknown section 'rediss'; the nearest is 'redis'"},
        {"timeout = 1s\n", "godwit.ini:1: option 'timeout' before the first [section]"},
        {"[redis]\ntimeout = 2\n", "godwit.ini:2: redis.timeout: '2' is no duration such as 250ms, 30s, 15m, 2h, 50d"},
        {"[redis]\ntimeout = 1ms\n", "godwit.ini:2: redis.timeout: '1ms' is below the minimum 10ms"},
        {"[score]\nbulk_threads = 65\n", "godwit.ini:2: score.bulk_threads: '65' is above the maximum 64 threads"},
        {"[score]\nbulk_threads = -1\n", "godwit.ini:2: score.bulk_threads: '-1' is negative"},
        {"[score]\nserved_sample = 1.5\n", "godwit.ini:2: score.served_sample: '1.5' is above the maximum 1 share"},
        {"[score]\nsync_enabled = 2\n", "godwit.ini:2: score.sync_enabled: '2' is neither true nor false"},
        {"[bridge]\nreply_partition = -2\n",
         "godwit.ini:2: bridge.reply_partition: '-2' is below the minimum -1 partition"},
        {"[log]\nlevel = warning\n", "godwit.ini:2: log.level: 'warning' is none of debug|info|warn|error"},
        {"[aggregate]\nmemory = 1k\n", "godwit.ini:2: aggregate.memory: '1k' is below the minimum 16MiB"},
        {"[redis]\naddress =\n", "godwit.ini:2: redis.address: must not be empty"},
        {"[log]\nlevel = info\nlevel = warn\n", "godwit.ini:3: log.level is already set at godwit.ini:2"},
        {"[log]\nlevel\n", "godwit.ini:2: expected 'key = value' or '[section]'"},
        {"[kafka]\ngroup.id = x\n", "godwit.ini:2: kafka.group.id is set by godwit itself"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_config *config = fresh();
        gw_err err = {0};
        gw_status status = load(config, cases[i].text, &err);
        assert_string_equal(err.message, cases[i].message);
        assert_true(status == GW_E_CONFIG || status == GW_E_MALFORMED);
        gw_config_free(config);
    }
}

static void refused_value_leaves_the_old_one(void **state)
{
    (void)state;
    struct gw_config *config = fresh();
    assert_fails(gw_config_apply_set(config, "redis.timeout=never", NULL), GW_E_CONFIG);
    assert_int_equal(gw_config_duration_us(config, GW_OPT_REDIS_TIMEOUT), 2000000);
    gw_config_free(config);
}

static void unknown_variables_are_refused_except_the_known_few(void **state)
{
    (void)state;
    struct gw_config *config = fresh();
    gw_err err = {0};
    char home[] = "HOME=/nowhere";
    char path[] = "GODWIT_CONFIG=x";
    char faults[] = "GODWIT_FAULTS=a:kill";
    char binaries[] = "GODWIT_BINARY_DIR=x";
    char test[] = "GODWIT_TEST_ANYTHING=x";
    char *const fine[] = {home, path, faults, binaries, test, NULL};
    assert_ok_err(gw_config_apply_environment(config, fine, &err), &err);

    char typo[] = "GODWIT_KAFKA_BOOTSTRAP_SERVER=x:1";
    char *const wrong[] = {typo, NULL};
    assert_fails(gw_config_apply_environment(config, wrong, &err), GW_E_CONFIG);
    assert_string_equal(err.message, "unknown variable 'GODWIT_KAFKA_BOOTSTRAP_SERVER'; the nearest is "
                                     "'GODWIT_KAFKA_BOOTSTRAP_SERVERS'");

    char bad[] = "GODWIT_LOG_LEVEL=loud";
    char *const value[] = {bad, NULL};
    assert_fails(gw_config_apply_environment(config, value, &err), GW_E_CONFIG);
    assert_string_equal(err.message, "GODWIT_LOG_LEVEL: log.level: 'loud' is none of debug|info|warn|error");
    gw_config_free(config);
}

static void set_needs_a_name_and_a_value(void **state)
{
    (void)state;
    struct gw_config *config = fresh();
    gw_err err = {0};
    assert_fails(gw_config_apply_set(config, "log.level", &err), GW_E_CONFIG);
    assert_string_equal(err.message, "--set 'log.level': expected section.key=value");
    assert_fails(gw_config_apply_set(config, "=x", &err), GW_E_CONFIG);
    assert_fails(gw_config_apply_set(config, "loglevel=x", &err), GW_E_CONFIG);
    assert_string_equal(err.message, "--set: unknown option 'loglevel'; the nearest is 'log.level'");
    gw_config_free(config);
}

static void dotted_kafka_keys_pass_through(void **state)
{
    (void)state;
    struct gw_config *config = fresh();
    const char *name = NULL;
    const char *value = NULL;
    size_t cursor = 0;
    gw_err err = {0};
    assert_ok_err(load(config, "[kafka]\nsecurity.protocol = SASL_SSL\nsasl.password = tell nobody\n", &err), &err);
    assert_ok_err(gw_config_apply_set(config, "kafka.security.protocol=SSL", &err), &err);

    assert_true(gw_config_kafka_next(config, &cursor, &name, &value));
    assert_string_equal(name, "security.protocol");
    assert_string_equal(value, "SSL");
    assert_true(gw_config_kafka_next(config, &cursor, &name, &value));
    assert_string_equal(name, "sasl.password");
    assert_string_equal(value, "tell nobody");
    assert_false(gw_config_kafka_next(config, &cursor, &name, &value));

    struct gw_config_entry entry;
    assert_true(find(config, "kafka.security.protocol", &entry));
    assert_string_equal(entry.origin, "--set");
    assert_fails(load(config, "[kafka]\nclientid = x\n", &err), GW_E_CONFIG); // no dot: a typing error
    gw_config_free(config);
}

static void secrets_are_masked_when_shown(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        const char *name;
        const char *shown;
    } cases[] = {
        {"kafka.sasl.password=p", "kafka.sasl.password", "***"},
        {"kafka.ssl.key.pem=p", "kafka.ssl.key.pem", "***"},
        {"kafka.ssl.key.location=/key", "kafka.ssl.key.location", "/key"},
        {"postgres.uri=postgresql://u:p@h:1/d", "postgres.uri", "postgresql://u:***@h:1/d"},
        {"postgres.uri=host=h password=p", "postgres.uri", "***"},
        {"postgres.uri=postgresql://u@h/d", "postgres.uri", "postgresql://u@h/d"},
        {"schema.registry_urls=http://a/x,http://u:p@b/y", "schema.registry_urls", "http://a/x,http://u:***@b/y"},
        {"bridge.token_file=/token", "bridge.token_file", "/token"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_config *config = fresh();
        struct gw_config_entry entry;
        assert_ok(gw_config_apply_set(config, cases[i].set, NULL));
        assert_true(find(config, cases[i].name, &entry));
        assert_string_equal(entry.value, cases[i].shown);
        assert_int_equal(entry.masked, strstr(cases[i].shown, "***") != NULL);
        gw_config_free(config);
    }
}

static void secret_is_the_first_line_of_its_file(void **state)
{
    (void)state;
    char path[] = "/tmp/gw-test-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    char assignment[128];
    char *secret = NULL;
    gw_err err = {0};
    struct gw_config *config = fresh();

    assert_ok(gw_config_secret(config, GW_OPT_REDIS_PASSWORD_FILE, &secret, NULL));
    assert_null(secret);

    snprintf(assignment, sizeof assignment, "redis.password_file=%s", path);
    assert_ok(gw_config_apply_set(config, assignment, NULL));
    assert_fails(gw_config_secret(config, GW_OPT_REDIS_PASSWORD_FILE, &secret, &err), GW_E_CONFIG);
    assert_int_equal(write(fd, "pass word\r\nnotes\n", 17), 17);
    assert_ok_err(gw_config_secret(config, GW_OPT_REDIS_PASSWORD_FILE, &secret, &err), &err);
    assert_string_equal(secret, "pass word");
    gw_mem_free(secret);

    close(fd);
    unlink(path);
    assert_fails(gw_config_secret(config, GW_OPT_REDIS_PASSWORD_FILE, &secret, &err), GW_E_CONFIG);
    assert_int_equal(strncmp(err.message, "redis.password_file (--set): cannot open", 40), 0);
    gw_config_free(config);
}

static void file_is_loaded_or_reported(void **state)
{
    (void)state;
    char path[] = "/tmp/gw-test-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[log]\nlevel = error\n", 20), 20);
    close(fd);
    struct gw_config *config = fresh();
    assert_ok(gw_config_load_file(config, path, NULL));
    assert_string_equal(gw_config_text(config, GW_OPT_LOG_LEVEL), "error");
    unlink(path);
    assert_fails(gw_config_load_file(config, path, NULL), GW_E_NOT_FOUND);
    gw_config_free(config);
}

static void list_gives_its_items(void **state)
{
    (void)state;
    const char *cursor = " a:1 , b:2,, c:3 ,";
    struct gw_slice item;
    assert_true(gw_config_list_next(&cursor, &item));
    assert_true(gw_slice_is(item, "a:1"));
    assert_true(gw_config_list_next(&cursor, &item));
    assert_true(gw_slice_is(item, "b:2"));
    assert_true(gw_config_list_next(&cursor, &item));
    assert_true(gw_slice_is(item, "c:3"));
    assert_false(gw_config_list_next(&cursor, &item));
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    unsigned long n = 1;
    for (gw_status status = GW_E_MEMORY; status != GW_OK; n++) {
        struct gw_config *config = NULL;
        gw_mem_fail_nth(n);
        status = gw_config_new(&config, NULL);
        if (status == GW_OK) {
            status = load(config, "[kafka]\nssl.ca.location = x\n[log]\nlevel = warn\n", NULL);
        }
        gw_mem_fail_nth(0);
        gw_config_free(config);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_true(n < 2000);
    }
    assert_true(n > GW_OPT_COUNT);
}

GW_TESTS(defaults_have_their_types, file_gives_way_to_environment_and_that_to_set, file_errors_name_line_and_option,
         refused_value_leaves_the_old_one, unknown_variables_are_refused_except_the_known_few,
         set_needs_a_name_and_a_value, dotted_kafka_keys_pass_through, secrets_are_masked_when_shown,
         secret_is_the_first_line_of_its_file, file_is_loaded_or_reported, list_gives_its_items,
         every_failed_allocation_is_reported)
