// SPDX-License-Identifier: MIT
// Trainings by REST and by the command line, on the real services: asked for, looked up, cancelled, refused.
#include "component/cli_run.h"
#include "integration/http_raw.h"
#include "integration/retrain_fixture.h"

static struct raw_reply reply;

static void exchange(uint16_t port, const char *method, const char *path, const char *body)
{
    char text[2048];
    snprintf(text, sizeof text,
             "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             method, path, port, strlen(body), body);
    raw_exchange(port, text, &reply);
    reply.body[reply.body_size < sizeof reply.body ? reply.body_size : sizeof reply.body - 1] = '\0';
}

static const struct cli_result *run_words(const char *const *words)
{
    const char *argv[64];
    size_t count = 0;
    for (; *words != NULL; words++) {
        argv[count++] = *words;
    }
    for (size_t i = 0; i < cluster.set_count; i++) {
        assert_true(count + 5 < GW_COUNT_OF(argv));
        argv[count++] = "--set";
        argv[count++] = cluster.sets[i];
    }
    argv[count] = NULL;
    return cli_run_with(NULL, NULL, argv);
}

#define godwit(...) run_words((const char *const[]){__VA_ARGS__, NULL})

static void a_job_is_asked_for_looked_up_and_cancelled_by_rest(void **state)
{
    (void)state;
    char sets[64];
    char path[300];
    retrain_begin((const char *const[]){"retrain.shadow=1h", NULL});
    retrain_put_examples(TRUE_LABELS);
    uint16_t port = free_port();
    snprintf(sets, sizeof sets, "bridge.api_port=%u", port);
    struct cluster_worker bridge = cluster_run(&cluster, "bridge", (const char *const[]){sets, "bridge.port=0", NULL});
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    proc_wait_http_ok(bridge.proc, port, "/livez", CLUSTER_WAIT_MS);

    exchange(port, "POST", "/retrain", "{\"model\": \"no-such-model\"}");
    assert_int_equal(reply.status, 404);
    exchange(port, "POST", "/retrain", "{\"model\": \"a/b\"}");
    assert_int_equal(reply.status, 422);
    exchange(port, "POST", "/retrain", "{\"reason\": \"which one?\"}");
    assert_int_equal(reply.status, 400);
    exchange(port, "GET", "/jobs/retrain_requests-0-0", "");
    assert_int_equal(reply.status, 404);

    exchange(port, "POST", "/retrain", "{\"model\": \"" TEST_MODEL_NAME "\", \"reason\": \"by rest\"}");
    assert_int_equal(reply.status, 202);
    assert_string_equal(raw_header(&reply, "Location"), "/jobs/retrain_requests-0-0");
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_SHADOW);
    exchange(port, "GET", "/jobs/retrain_requests-0-0", "");
    assert_int_equal(reply.status, 200);
    assert_true(retrain_says(reply.body, "\"state\":\"SHADOW\""));
    assert_true(retrain_says(reply.body, "\"reason\":\"by rest\""));
    assert_true(retrain_says(reply.body, "\"partitions\":"));
    assert_true(retrain_says(reply.body, "\"logLoss\":"));
    exchange(port, "GET", "/jobs?limit=5&model=" TEST_MODEL_NAME, "");
    assert_int_equal(reply.status, 200);
    assert_true(retrain_says(reply.body, "retrain_requests-0-0"));
    exchange(port, "GET", "/jobs?limit=0", "");
    assert_int_equal(reply.status, 400);

    snprintf(path, sizeof path, "/jobs/%s/cancel", "retrain_requests-0-0");
    exchange(port, "POST", path, "{\"actor\": \"somebody\"}");
    assert_int_equal(reply.status, 202);
    struct gw_run run = retrain_wait_for("retrain_requests-0-0", GW_RUN_CANCELLED);
    assert_true(retrain_says(run.verdict, "somebody"));
    exchange(port, "POST", path, "");
    assert_int_equal(reply.status, 409);
    exchange(port, "POST", "/jobs/none/cancel", "");
    assert_int_equal(reply.status, 404);
    assert_int_equal(retrain_champion(), TEST_MODEL_VERSION);
    cluster_stop(&worker);
    proc_stop(bridge.proc, 0, CLUSTER_WAIT_MS);
    retrain_end();
}

static void a_run_is_asked_for_shown_and_listed_at_the_command_line(void **state)
{
    (void)state;
    retrain_begin(NULL);
    retrain_put_examples(TRUE_LABELS);
    worker = cluster_run_ready(&cluster, "retrain", NULL);
    const struct cli_result *result = godwit("retrain", TEST_MODEL_NAME, "--reason", "by hand", "--actor", "me");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "retrain_requests-0-0");
    (void)retrain_wait_for("retrain_requests-0-0", GW_RUN_PROMOTED);
    result = godwit("runs", "show", "retrain_requests-0-0");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "PROMOTED");
    cli_assert_contains(result->out, "by hand");
    cli_assert_contains(result->out, "is_favorited: log loss");
    result = godwit("runs", "show", "retrain_requests-0-0", "--json");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "\"manifest\":{");
    result = godwit("runs", "list", "--model", TEST_MODEL_NAME);
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "gate PASS");
    cli_assert_exit(godwit("runs", "cancel", "retrain_requests-0-0"), 4);
    cli_assert_exit(godwit("runs", "show", "retrain_requests-0-9"), 1);
    cli_assert_exit(godwit("retrain", "not/a/name"), 2);
    cluster_stop(&worker);
    retrain_end();
}

GW_TESTS(a_job_is_asked_for_looked_up_and_cancelled_by_rest, a_run_is_asked_for_shown_and_listed_at_the_command_line)
