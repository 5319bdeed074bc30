// SPDX-License-Identifier: MIT
// /models end to end: the REST interface on a real socket over a real registry in PostgreSQL (GODWIT_POSTGRES_URI),
// with every kind of bad input that a registry meets.
#include "api/api.h"

#include "http_raw.h"
#include "registry_fixture.h"
#include "support/model.h"

#include "base/ini.h"
#include "base/json.h"
#include "base/mem.h"
#include "worker/entity.h"

#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>

#define UPLOAD_BYTES_MAX (1u << 20)
#define TOKEN            "s3cret"
#define JSON_BODY        "Content-Type: application/json\r\n"
#define TAR_BODY         "Content-Type: application/x-tar\r\n"

static struct registry_fixture registry;
static struct gw_entity_vocabulary vocabulary;
static struct gw_feature_set *features;
static char directory[64]; // of bundles
static char uploads[96];   // of the api
static struct gw_metrics *metrics;
static struct gw_api *api;
static uint16_t port;
static struct raw_reply reply;

// ---------------------------------------------------------------- the service

static gw_status port_predict(void *context, const struct gw_api_predict *predict, struct gw_api_call *call,
                              gw_err *err)
{
    (void)context;
    (void)predict;
    (void)call;
    return gw_fail(err, GW_E_UNAVAILABLE, "no predictions here");
}

static gw_status port_features(void *context, enum gw_api_entity entity, int64_t id, struct gw_api_feature_row *ret_row,
                               gw_err *err)
{
    (void)context;
    (void)entity;
    (void)id;
    (void)ret_row;
    return gw_fail(err, GW_E_NOT_FOUND, "no features here");
}

static void port_health(void *context, struct gw_api_health *ret_health)
{
    (void)context;
    ret_health->alive = true;
}

static void port_overview(void *context, struct gw_api_overview *ret_overview)
{
    (void)context;
    (void)ret_overview;
}

static void start_api(const char *uri, const char *token)
{
    gw_err err = {0};
    const struct gw_api_ports ports = {
        .predict = port_predict, .features = port_features, .health = port_health, .overview = port_overview};
    const struct gw_registry_options options = {.uri = uri, .application = "godwit-test", .timeout_ms = 20000};
    assert_ok(gw_metrics_new(&metrics, &err));
    assert_ok_err(gw_api_new(&(struct gw_api_options){.metrics = metrics,
                                                      .token = token,
                                                      .compute_threads = 4,
                                                      .registry = uri != NULL ? &options : NULL,
                                                      .features = features,
                                                      .default_model = "engage",
                                                      .baseline_feature = "tweet.favs_total",
                                                      .model_directory = uploads,
                                                      .upload_bytes_max = UPLOAD_BYTES_MAX,
                                                      .uploads_max = 2},
                             &ports, &api, &err),
                  &err);
    assert_ok_err(gw_api_listen(api, GW_API_LISTENER_UI, "127.0.0.1", 0, 2, &port, &err), &err);
}

static void stop_api(void)
{
    gw_api_free(api);
    gw_metrics_free(metrics);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int begin(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    gw_entity_vocabulary_init(&vocabulary);
    assert_ok(gw_file_read(GW_SOURCE_DIR "/schemas/features.ini", 1 << 20, &text, &size, NULL));
    assert_ok(gw_feature_set_compile("features.ini", text, size, &vocabulary.vocabulary, &features, NULL));
    gw_mem_free(text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    gw_feature_set_free(features);
    return 0;
}

static int start(void **state)
{
    (void)state;
    registry_open(&registry);
    snprintf(directory, sizeof directory, "/tmp/godwit-rest-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(uploads, sizeof uploads, "%s/uploads", directory);
    start_api(registry.uri, NULL);
    return 0;
}

// Nothing of an upload may be left.
static int stop(void **state)
{
    (void)state;
    stop_api();
    int left = rmdir(uploads);
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    registry_close(&registry);
    return left;
}

// ---------------------------------------------------------------- requests

// One request with a body of any bytes.
static int send_request(struct raw_reply *to, const char *method, const char *path, const char *headers,
                        struct gw_slice body)
{
    char head[2048];
    int fd = raw_connect(port);
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %zu\r\n%s\r\n", method, path,
             port, body.size, headers);
    raw_send(fd, head);
    while (body.size > 0) {
        ssize_t sent = send(fd, body.data, body.size, MSG_NOSIGNAL);
        if (sent <= 0) {
            break; // refused in the middle: the reply says why
        }
        body = gw_slice_make(body.data + sent, body.size - (size_t)sent);
    }
    raw_receive(fd, true, to);
    close(fd);
    return to->status;
}

static int request(const char *method, const char *path, const char *headers, const char *body)
{
    return send_request(&reply, method, path, headers, gw_slice_text(body));
}

static int get(const char *path)
{
    return request("GET", path, "", "");
}

static int post(const char *path, const char *body)
{
    return request("POST", path, JSON_BODY, body);
}

static void assert_status(int expected)
{
    if (reply.status != expected) {
        print_error("%d, expected %d: %s\n", reply.status, expected, reply.body);
    }
    assert_int_equal(reply.status, expected);
}

static void assert_contains(const char *expected)
{
    if (strstr(reply.body, expected) == NULL) {
        print_error("'%s' is not in: %s\n", expected, reply.body);
    }
    assert_non_null(strstr(reply.body, expected));
}

static void assert_problem(int status, const char *slug)
{
    char type[64];
    assert_status(status);
    snprintf(type, sizeof type, "\"type\":\"/problems/%s\"", slug);
    assert_contains(type);
    assert_contains("\"detail\":");
}

static int64_t etag(void)
{
    const char *value = raw_header(&reply, "ETag");
    assert_non_null(value);
    assert_int_equal(value[0], '"');
    return strtoll(value + 1, NULL, 10);
}

// ---------------------------------------------------------------- archives

static void add_file(struct gw_buf *tar, const char *name, struct gw_slice content)
{
    static const uint8_t zeros[512];
    uint8_t header[512] = {0};
    unsigned sum = 0;
    snprintf((char *)header, 100, "bundle/%s", name);
    snprintf((char *)header + 124, 12, "%011zo", content.size);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < sizeof header; i++) {
        sum += header[i];
    }
    snprintf((char *)header + 148, 7, "%06o", sum);
    assert_ok(gw_buf_append(tar, header, sizeof header));
    assert_ok(gw_buf_append(tar, content.data, content.size));
    assert_ok(gw_buf_append(tar, zeros, (512 - content.size % 512) % 512));
}

// The files of a bundle directory as an archive; `damaged` (NULL: none) names one of which a byte is changed.
static void pack(const char *path, const char *damaged, struct gw_buf *tar)
{
    static const uint8_t zeros[1024];
    DIR *listing = opendir(path);
    bool found = damaged == NULL;
    assert_non_null(listing);
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        char file[512];
        char *text = NULL;
        size_t size = 0;
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        assert_ok(gw_file_read(file, 1 << 20, &text, &size, NULL));
        if (damaged != NULL && strcmp(entry->d_name, damaged) == 0) {
            char *digit = strpbrk(text + size / 2, "123456789");
            assert_non_null(digit);
            found = true;
            *digit = *digit == '1' ? '2' : '1';
        }
        add_file(tar, entry->d_name, gw_slice_make(text, size));
        gw_mem_free(text);
    }
    closedir(listing);
    assert_true(found);
    assert_ok(gw_buf_append(tar, zeros, sizeof zeros));
}

// Writes a bundle and packs it. Different factors give different bundles.
static void make_archive_of(const struct test_model_variant *variant, const char *damaged, struct gw_buf *tar)
{
    static int serial;
    char path[128];
    snprintf(path, sizeof path, "%s/made-%d", directory, ++serial);
    test_model_write_variant(path, variant);
    pack(path, damaged, tar);
}

static struct test_model_variant variant_of(float factor)
{
    return (struct test_model_variant){.name = "engage",
                                       .features = test_model_features,
                                       .feature_count = test_model_feature_count,
                                       .metadata_json = "{}",
                                       .factor = factor};
}

static int register_bundle(float factor, const char *headers)
{
    struct gw_buf tar = {0};
    struct test_model_variant variant = variant_of(factor);
    make_archive_of(&variant, NULL, &tar);
    int status = send_request(&reply, "POST", "/models/engage/versions", headers, gw_buf_slice(&tar));
    gw_buf_deinit(&tar);
    return status;
}

// Model 'engage' with its baseline and two more versions.
static void make_three_versions(void)
{
    (void)post("/models", "{\"name\":\"engage\"}");
    assert_status(201);
    (void)register_bundle(1, TAR_BODY);
    assert_status(201);
    (void)register_bundle(0.5f, TAR_BODY);
    assert_status(201);
}

static int64_t revision_now(void)
{
    (void)get("/models/engage");
    assert_status(200);
    return etag();
}

// ---------------------------------------------------------------- what should work

static void a_new_model_serves_its_baseline(void **state)
{
    (void)state;
    (void)request("POST", "/models", JSON_BODY "Godwit-Actor: ann\r\n",
                  "{\"name\":\"engage\",\"description\":\"first\"}");
    assert_status(201);
    assert_string_equal(raw_header(&reply, "Location"), "/models/engage");
    assert_true(etag() > 0);
    assert_contains("\"outcome\":{\"model\":\"engage\",\"version\":1");
    assert_contains("\"state\":\"CHAMPION\"");
    assert_contains("\"createdBy\":\"ann\"");
    (void)get("/models");
    assert_contains("{\"models\":[{\"name\":\"engage\",\"version\":1,\"state\":\"CHAMPION\",\"production\":true,"
                    "\"digest\":\"");
    assert_contains("\"name\": \"popularity\"");
    (void)get("/models/production");
    assert_status(200);
    assert_contains("\"features\":[\"tweet.favs_total\"]");
    assert_contains("\"metadata\":{");
    (void)get("/models/production?model=engage");
    assert_status(200);
    assert_true(etag() > 0);
    (void)post("/models", "{\"name\":\"engage\"}");
    assert_problem(409, "conflict");
    (void)post("/models", "{\"name\":\"other\",\"baseline\":false}");
    assert_status(201);
    assert_contains("\"version\":null");
    (void)get("/models/production?model=other");
    assert_problem(404, "model-not-found");
    (void)get("/models");
    assert_contains("{\"name\":\"other\",\"version\":null,\"production\":false,\"model\":{");
}

static void a_version_is_registered_promoted_and_rolled_back(void **state)
{
    (void)state;
    (void)post("/models", "{\"name\":\"engage\"}");
    (void)register_bundle(1, TAR_BODY);
    assert_status(201);
    assert_string_equal(raw_header(&reply, "Location"), "/models/engage/2");
    assert_contains("\"state\":\"VERIFIED\"");
    assert_contains("\"parentVersion\":1");
    (void)get("/models/engage/latest");
    assert_contains("\"version\":2");
    assert_contains("\"signature\":{");

    (void)post("/models/engage/2/promote", "{\"actor\":\"ann\",\"reason\":\"better\"}");
    assert_status(200);
    assert_contains("\"previousVersion\":1");
    assert_contains("\"state\":\"CHAMPION\"");
    int64_t promoted = etag();
    (void)get("/models/engage");
    assert_true(etag() == promoted);
    assert_contains("\"version\":2,\"state\":\"CHAMPION\"");
    assert_contains("\"routedBy\":{");
    assert_contains("\"actor\":\"ann\",\"reason\":\"better\"");
    (void)get("/models/production");
    assert_contains("\"version\":2");

    (void)post("/models/engage/2/promote", "");
    assert_problem(409, "conflict");
    assert_contains("legal are");

    (void)post("/models/engage/rollback", "{\"reason\":\"worse\"}");
    assert_status(200);
    assert_contains("\"version\":1,\"previousVersion\":2");
    (void)get("/models/production");
    assert_contains("\"version\":1");
    (void)post("/models/engage/rollback", "{\"version\":2}");
    assert_status(200);
    (void)get("/models/engage/compare?left=1&right=latest");
    assert_status(200);
    assert_contains("\"added\":[\"author.follower_count\"");
    (void)get("/models/engage/versions?limit=1");
    assert_contains("{\"versions\":[{\"model\":\"engage\",\"version\":2");
    assert_null(strstr(reply.body, "\"version\":1,"));
    (void)get("/models/engage/versions?before=2");
    assert_contains("{\"versions\":[{\"model\":\"engage\",\"version\":1");
}

static void the_history_tells_who_served_when(void **state)
{
    (void)state;
    char path[96];
    char at[32];
    make_three_versions();
    (void)post("/models/engage/2/promote", "{\"actor\":\"ann\",\"reason\":\"spring\"}");
    assert_status(200);
    (void)get("/models/engage/history?limit=2");
    assert_status(200);
    const char *when = strstr(reply.body, "\"at\":\"");
    assert_non_null(when);
    snprintf(at, sizeof at, "%.24s", when + 6);
    (void)post("/models/engage/3/promote", "{\"actor\":\"bob\"}");
    assert_status(200);

    snprintf(path, sizeof path, "/models/engage/history?at=%s", at);
    (void)get(path);
    assert_status(200);
    assert_contains("\"actor\":\"ann\",\"reason\":\"spring\"");
    assert_contains("{\"version\":2,\"variant\":\"champion\",\"weight\":1");
    (void)get("/models/engage/history?at=253402300799999");
    assert_contains("\"actor\":\"bob\"");
    (void)get("/models/engage/history?at=1000");
    assert_problem(404, "model-not-found");
    (void)get("/models/engage/history?at=yesterday");
    assert_problem(400, "bad-request");
    (void)get("/models/engage/history?before=1");
    assert_string_equal(reply.body, "{\"events\":[]}");
}

static void users_are_split_and_shadows_run(void **state)
{
    (void)state;
    make_three_versions();
    (void)post("/models/engage/split", "{\"shares\":[{\"version\":2,\"weight\":0.05,\"variant\":\"canary\"}]}");
    assert_status(200);
    (void)get("/models/engage/2");
    assert_contains("\"state\":\"CANARY\"");
    assert_contains("\"variant\":\"canary\",\"weight\":0.05");
    (void)post("/models/engage/3/shadow", "");
    assert_status(200);
    (void)get("/models/engage");
    assert_contains("\"variant\":\"champion\",\"weight\":0.95");
    assert_contains("\"shadows\":[{\"version\":3");
    (void)post("/models/engage/3/unshadow", "");
    assert_status(200);
    (void)post("/models/engage/3/unshadow", "");
    assert_problem(409, "conflict");
    (void)post("/models/engage/split", "{\"shares\":[]}");
    assert_status(200);
    (void)get("/models/engage/2");
    assert_contains("\"state\":\"RETIRED\"");
    (void)post("/models/engage/3/archive", "{\"reason\":\"old\"}");
    assert_status(200);
    assert_contains("\"archived\":true");
    (void)post("/models/engage/3/promote", "");
    assert_problem(409, "conflict");
    (void)post("/models/engage/2/reject", "{\"reason\":\"wrong labels\"}");
    assert_status(200);
    assert_contains("\"rejectedBecause\":\"wrong labels\"");
    (void)post("/models/engage/2/promote", "");
    assert_problem(409, "conflict");
}

static void a_bare_model_file_becomes_a_version(void **state)
{
    (void)state;
    static const char path[] = GW_SOURCE_DIR "/tests/unit/model/fixtures/xgboost_3_2.json";
    static const char names[] = "user.follower_count,tweet.favs_total,tweet.text_length,request.in_network";
    char *text = NULL;
    size_t size = 0;
    char url[256];
    assert_ok(gw_file_read(path, 1 << 20, &text, &size, NULL));
    (void)post("/models", "{\"name\":\"engage\"}");

    // Its features are no features of the plan.
    (void)send_request(&reply, "POST", "/models/engage/versions?head=is_favorited", JSON_BODY,
                       gw_slice_make(text, size));
    assert_problem(422, "invalid-request");
    // Names that differ from the file's.
    snprintf(url, sizeof url, "/models/engage/versions?head=is_favorited&features=%s", names);
    (void)send_request(&reply, "POST", url, JSON_BODY, gw_slice_make(text, size));
    assert_problem(422, "invalid-request");
    assert_contains("likes");

    // The same trees with features of the plan.
    char *names_at = strstr(text, "[\"likes\",\"age\",\"length\",\"hour\"]");
    assert_non_null(names_at);
    struct gw_buf edited = {0};
    static const char none[] = "[]";
    size_t before = (size_t)(names_at - text);
    size_t skipped = strlen("[\"likes\",\"age\",\"length\",\"hour\"]");
    assert_ok(gw_buf_append(&edited, text, before));
    assert_ok(gw_buf_append(&edited, none, strlen(none)));
    assert_ok(gw_buf_append(&edited, names_at + skipped, size - before - skipped));
    (void)send_request(&reply, "POST", url, "Content-Type: application/octet-stream\r\n", gw_buf_slice(&edited));
    assert_status(201);
    assert_contains("\"state\":\"VERIFIED\"");
    (void)get("/models/engage/2");
    assert_contains("\"features\": [\"user.follower_count\"");
    (void)send_request(&reply, "POST", "/models/engage/versions", JSON_BODY, gw_buf_slice(&edited));
    assert_problem(400, "bad-request");
    gw_buf_deinit(&edited);
    gw_mem_free(text);
}

// ---------------------------------------------------------------- conditions and keys

static void a_decision_on_an_old_state_is_refused(void **state)
{
    (void)state;
    char headers[128];
    make_three_versions();
    int64_t seen = revision_now();
    snprintf(headers, sizeof headers, JSON_BODY "If-Match: \"%lld\"\r\n", (long long)seen);
    (void)request("POST", "/models/engage/2/promote", headers, "");
    assert_status(200);
    (void)request("POST", "/models/engage/3/promote", headers, "");
    assert_problem(412, "precondition-failed");
    (void)request("POST", "/models/engage/rollback", headers, "");
    assert_problem(412, "precondition-failed");
    (void)request("POST", "/models/engage/split", headers, "{\"shares\":[]}");
    assert_problem(412, "precondition-failed");
    snprintf(headers, sizeof headers, TAR_BODY "If-Match: \"%lld\"\r\n", (long long)seen);
    (void)register_bundle(0.25f, headers);
    assert_problem(412, "precondition-failed");
    (void)request("POST", "/models/engage/3/promote", JSON_BODY "If-Match: W/\"5\"\r\n", "");
    assert_problem(412, "precondition-failed");
    (void)request("POST", "/models/engage/3/promote", JSON_BODY "If-Match: 5\r\n", "");
    assert_problem(400, "bad-request");
    (void)request("POST", "/models", JSON_BODY "If-Match: *\r\n", "{\"name\":\"new\"}");
    assert_problem(412, "precondition-failed");
    (void)get("/models/production");
    assert_contains("\"version\":2");
    snprintf(headers, sizeof headers, JSON_BODY "If-Match: \"%lld\", \"%lld\"\r\n", (long long)seen,
             (long long)revision_now() + 1);
    (void)request("POST", "/models/engage/3/promote", headers, "");
    assert_problem(412, "precondition-failed");
    snprintf(headers, sizeof headers, JSON_BODY "If-Match: \"%lld\", \"%lld\"\r\n", (long long)seen,
             (long long)revision_now());
    (void)request("POST", "/models/engage/3/promote", headers, "");
    assert_status(200);
    (void)request("POST", "/models/engage/2/promote", JSON_BODY "If-Match: *\r\n", "");
    assert_status(200);
}

static void a_repeated_request_is_answered_once(void **state)
{
    (void)state;
    make_three_versions();
    (void)request("POST", "/models/engage/2/promote", JSON_BODY "Idempotency-Key: k1\r\n", "{\"reason\":\"once\"}");
    assert_status(200);
    int64_t first = etag();
    assert_null(raw_header(&reply, "Idempotency-Replayed"));
    (void)request("POST", "/models/engage/2/promote", JSON_BODY "Idempotency-Key: \"k1\"\r\n", "{\"reason\":\"once\"}");
    assert_status(200);
    assert_true(etag() == first);
    assert_string_equal(raw_header(&reply, "Idempotency-Replayed"), "true");
    assert_contains("\"repeated\":true");
    assert_true(revision_now() == first);
    (void)request("POST", "/models/engage/3/promote", JSON_BODY "Idempotency-Key: k1\r\n", "{\"reason\":\"once\"}");
    assert_problem(422, "invalid-request");
    (void)request("POST", "/models/engage/3/promote", JSON_BODY "Idempotency-Key: a b\r\n", "");
    assert_problem(400, "bad-request");
    (void)register_bundle(0.25f, TAR_BODY "Idempotency-Key: k2\r\n");
    assert_status(201);
    (void)register_bundle(0.25f, TAR_BODY "Idempotency-Key: k2\r\n");
    assert_status(201);
    assert_string_equal(raw_header(&reply, "Location"), "/models/engage/4");
    (void)get("/models/engage/5");
    assert_problem(404, "model-not-found");
    (void)request("POST", "/models", JSON_BODY "Idempotency-Key: k3\r\n", "{\"name\":\"other\"}");
    assert_status(201);
    (void)request("POST", "/models", JSON_BODY "Idempotency-Key: k3\r\n", "{\"name\":\"other\"}");
    assert_status(201);
}

struct promotion {
    char path[64];
    char headers[128];
    struct raw_reply reply;
};

static void *promote_in_thread(void *context)
{
    struct promotion *promotion = context;
    (void)send_request(&promotion->reply, "POST", promotion->path, promotion->headers, gw_slice_text("{}"));
    return NULL;
}

static void of_two_promotions_at_once_one_wins(void **state)
{
    (void)state;
    static struct promotion promotions[2];
    make_three_versions();
    for (int round = 0; round < 20; round++) {
        pthread_t threads[2];
        (void)post("/models/engage/rollback", "{\"version\":1}"); // 409 in the first round: it is champion
        int64_t seen = revision_now();
        for (int i = 0; i < 2; i++) {
            snprintf(promotions[i].path, sizeof promotions[i].path, "/models/engage/%d/promote", 2 + i);
            snprintf(promotions[i].headers, sizeof promotions[i].headers, JSON_BODY "If-Match: \"%lld\"\r\n",
                     (long long)seen);
            assert_int_equal(pthread_create(&threads[i], NULL, promote_in_thread, &promotions[i]), 0);
        }
        int won = 0;
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
            int status = promotions[i].reply.status;
            if (status != 200 && status != 409 && status != 412) {
                print_error("%d: %s\n", status, promotions[i].reply.body);
            }
            assert_true(status == 200 || status == 409 || status == 412);
            won += status == 200 ? 2 + i : 0;
        }
        assert_true(won == 2 || won == 3);
        char expected[32];
        snprintf(expected, sizeof expected, "\"version\":%d,", won);
        (void)get("/models/production");
        assert_contains(expected);
    }
}

static void of_two_promotions_of_one_version_one_happens(void **state)
{
    (void)state;
    static struct promotion promotions[2];
    make_three_versions();
    for (int round = 0; round < 20; round++) {
        pthread_t threads[2];
        int64_t before = revision_now();
        for (int i = 0; i < 2; i++) {
            snprintf(promotions[i].path, sizeof promotions[i].path, "/models/engage/%d/promote", 2 + round % 2);
            snprintf(promotions[i].headers, sizeof promotions[i].headers, JSON_BODY);
            assert_int_equal(pthread_create(&threads[i], NULL, promote_in_thread, &promotions[i]), 0);
        }
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        int first = promotions[0].reply.status;
        int second = promotions[1].reply.status;
        assert_true((first == 200 && second == 409) || (first == 409 && second == 200));
        assert_true(revision_now() > before);
    }
}

// ---------------------------------------------------------------- bad input

static void unknown_things_are_not_found(void **state)
{
    (void)state;
    (void)post("/models", "{\"name\":\"empty\",\"baseline\":false}");
    assert_status(201);
    const char *const unknown[] = {"/models/none",
                                   "/models/none/versions",
                                   "/models/none/1",
                                   "/models/empty/1",
                                   "/models/empty/latest",
                                   "/models/none/history",
                                   "/models/a%20b",
                                   "/models/none/history?at=1",
                                   "/models/none/compare?left=1&right=2",
                                   "/models/empty/compare?left=latest&right=1",
                                   "/models/production",
                                   "/models/production?model=a%20b"};
    for (size_t i = 0; i < GW_COUNT_OF(unknown); i++) {
        (void)get(unknown[i]);
        assert_problem(404, "model-not-found");
    }
    const char *const changes[] = {"/models/none/1/promote", "/models/empty/latest/promote", "/models/empty/1/reject",
                                   "/models/none/rollback"};
    for (size_t i = 0; i < GW_COUNT_OF(changes); i++) {
        (void)post(changes[i], "{}");
        assert_problem(404, "model-not-found");
    }
    (void)post("/models/empty/rollback", "{}");
    assert_problem(409, "conflict");
    (void)post("/models/empty/split", "{\"shares\":[{\"version\":1,\"weight\":0.5}]}");
    assert_true(reply.status == 409 || reply.status == 404);
    const char *const malformed[] = {"/models/empty/0",
                                     "/models/empty/x",
                                     "/models/empty/-1",
                                     "/models/empty/1.0",
                                     "/models/empty/versions?limit=0",
                                     "/models/empty/versions?before=x",
                                     "/models/empty/compare?left=1",
                                     "/models/empty/compare?left=0&right=1"};
    for (size_t i = 0; i < GW_COUNT_OF(malformed); i++) {
        (void)get(malformed[i]);
        assert_problem(400, "bad-request");
    }
    (void)post("/models/empty/0/promote", "");
    assert_problem(400, "bad-request");
}

static void bad_bodies_change_nothing(void **state)
{
    (void)state;
    make_three_versions();
    int64_t before = revision_now();
    (void)post("/models/engage/2/promote", "{\"reason\":");
    assert_problem(400, "malformed-body");
    (void)post("/models/engage/2/promote", "{\"force\":true}");
    assert_problem(400, "invalid-field");
    assert_contains("\"pointer\":\"/force\"");
    (void)post("/models/engage/split", "{\"shares\":[{\"version\":2,\"weight\":1.5}]}");
    assert_problem(422, "invalid-request");
    (void)post("/models/engage/split", "{\"shares\":[{\"version\":2,\"weight\":0.6},{\"version\":3,\"weight\":0.6}]}");
    assert_problem(422, "invalid-request");
    (void)post("/models/engage/rollback", "{\"version\":3}");
    assert_problem(409, "conflict");
    (void)post("/models", "{\"name\":\"a b\"}");
    assert_problem(422, "invalid-request");
    (void)post("/models", "{\"name\":\"production\"}");
    assert_problem(422, "invalid-request");
    (void)post("/models", "{}");
    assert_problem(400, "invalid-field");
    assert_true(revision_now() == before);
}

// Uploads `tar` and expects a refusal that changes nothing.
static void assert_upload_refused(struct gw_buf *tar, const char *headers, int status, const char *slug)
{
    int64_t before = revision_now();
    (void)send_request(&reply, "POST", "/models/engage/versions", headers, gw_buf_slice(tar));
    assert_problem(status, slug);
    assert_null(strstr(reply.body, directory)); // where it was unpacked is nobody's business
    struct raw_reply refusal = reply;
    assert_true(revision_now() == before);
    (void)get("/models/engage/2");
    assert_problem(404, "model-not-found");
    reply = refusal;
    gw_buf_clear(tar);
}

static void bundles_that_cannot_serve_are_refused(void **state)
{
    (void)state;
    struct gw_buf tar = {0};
    (void)post("/models", "{\"name\":\"engage\"}");

    struct test_model_variant good = variant_of(1);
    make_archive_of(&good, "golden.json", &tar); // does not match its digest
    assert_upload_refused(&tar, TAR_BODY, 422, "invalid-request");
    make_archive_of(&good, "head_is_favorited.json", &tar);
    assert_upload_refused(&tar, TAR_BODY, 422, "invalid-request");
    assert_contains("head_is_favorited.json");

    const char *names[TEST_MODEL_FEATURES_MAX];
    memcpy(names, test_model_features, test_model_feature_count * sizeof *names);
    names[test_model_feature_count - 1] = "tweet.no_such_feature";
    struct test_model_variant foreign = variant_of(1);
    foreign.features = names;
    make_archive_of(&foreign, NULL, &tar);
    assert_upload_refused(&tar, TAR_BODY, 422, "invalid-request");
    assert_contains("no_such_feature");

    assert_ok(gw_buf_append(&tar, "not a tar", 9));
    assert_upload_refused(&tar, TAR_BODY, 422, "invalid-request");
    assert_upload_refused(&tar, TAR_BODY, 422, "invalid-request"); // empty

    static const uint8_t zeros[1024];
    add_file(&tar, "readme", gw_slice_text("no bundle.json here"));
    assert_ok(gw_buf_append(&tar, zeros, sizeof zeros));
    assert_upload_refused(&tar, TAR_BODY, 422, "invalid-request");

    assert_ok(gw_buf_append(&tar, "x", 1));
    assert_upload_refused(&tar, "Content-Type: application/gzip\r\n", 415, "unsupported-media-type");
    assert_ok(gw_buf_append(&tar, "x", 1));
    assert_upload_refused(&tar, "", 415, "unsupported-media-type");
    gw_buf_deinit(&tar);
}

// Leaves so large that a sum is infinite, and minus infinity beside it: the model answers NaN.
static void a_model_that_answers_nan_is_refused(void **state)
{
    (void)state;
    static const char path[] = GW_SOURCE_DIR "/tests/unit/model/fixtures/xgboost_3_2.json";
    char *text = NULL;
    size_t size = 0;
    assert_ok(gw_file_read(path, 1 << 20, &text, &size, NULL));
    // The first leaf's value becomes one whose sum with the others overflows.
    char *conditions = strstr(text, "\"split_conditions\":[");
    assert_non_null(conditions);
    char *last = strchr(conditions, ']');
    while (last[-1] != ',') {
        last--;
    }
    size_t width = strcspn(last, "]");
    assert_true(width >= 5);
    memset(last, ' ', width);
    memcpy(last, "3E+39", 5);
    (void)post("/models", "{\"name\":\"engage\"}");
    (void)send_request(&reply, "POST", "/models/engage/versions?head=is_favorited", JSON_BODY,
                       gw_slice_make(text, size));
    assert_problem(422, "invalid-request");
    (void)send_request(&reply, "POST", "/models/engage/versions?head=is_favorited", JSON_BODY,
                       gw_slice_text("{\"a\":1}"));
    assert_problem(422, "invalid-request");
    (void)send_request(&reply, "POST", "/models/engage/versions?head=is_favorited", "Content-Type: text/plain\r\n",
                       gw_slice_text("hello"));
    assert_problem(422, "invalid-request");
    (void)get("/models/engage/2");
    assert_problem(404, "model-not-found");
    gw_mem_free(text);
}

static void huge_uploads_are_refused_at_once(void **state)
{
    (void)state;
    char text[512];
    (void)post("/models", "{\"name\":\"engage\"}");
    int fd = raw_connect(port);
    snprintf(text, sizeof text,
             "POST /models/engage/versions HTTP/1.1\r\nHost: localhost:%u\r\n" TAR_BODY
             "Content-Length: 10737418240\r\n\r\n",
             port);
    uint64_t start_us = gw_clock_mono_us();
    raw_send(fd, text);
    raw_receive(fd, true, &reply);
    assert_problem(413, "body-too-large");
    assert_true(gw_clock_mono_us() - start_us < 2000000);
    assert_true(raw_is_closed(fd));
    close(fd);
}

static void endless_uploads_are_cut(void **state)
{
    (void)state;
    static char chunk[65536 + 16];
    char text[512];
    (void)post("/models", "{\"name\":\"engage\"}");
    int fd = raw_connect(port);
    snprintf(text, sizeof text,
             "POST /models/engage/versions HTTP/1.1\r\nHost: localhost:%u\r\n" TAR_BODY
             "Transfer-Encoding: chunked\r\n\r\n",
             port);
    raw_send(fd, text);
    int size = snprintf(chunk, sizeof chunk, "10000\r\n%065536d\r\n", 0);
    for (int sent = 0; sent < 2000; sent++) { // 130 MB: more than sockets hold
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 0) > 0 || send(fd, chunk, (size_t)size, MSG_NOSIGNAL) != size) {
            break;
        }
    }
    raw_receive(fd, true, &reply);
    assert_problem(413, "body-too-large");
    close(fd);
    (void)register_bundle(1, TAR_BODY); // the place is free again, at the latest when the connection is seen to be gone
    for (int attempts = 0; reply.status == 503 && attempts < 100; attempts++) {
        (void)register_bundle(1, TAR_BODY);
    }
    assert_status(201);
}

// Two places, and uploads in them by two listeners: whichever listener a third comes by, there is none for it.
static void uploads_share_their_places_whatever_the_listener(void **state)
{
    (void)state;
    uint16_t ports[] = {port, 0};
    int fds[2];
    gw_err err = {0};
    (void)post("/models", "{\"name\":\"engage\"}");
    assert_ok_err(gw_api_listen(api, GW_API_LISTENER_API, "127.0.0.1", 0, 1, &ports[1], &err), &err);
    for (size_t i = 0; i < GW_COUNT_OF(ports); i++) {
        char text[512];
        char admitted[26];
        snprintf(text, sizeof text,
                 "POST /models/engage/versions HTTP/1.1\r\nHost: localhost:%u\r\n" TAR_BODY
                 "Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
                 ports[i]);
        fds[i] = raw_connect(ports[i]);
        raw_send(fds[i], text);
        assert_int_equal(recv(fds[i], admitted, sizeof admitted - 1, MSG_WAITALL), (ssize_t)sizeof admitted - 1);
        assert_memory_equal(admitted, "HTTP/1.1 100 Continue\r\n\r\n", sizeof admitted - 1);
    }
    (void)register_bundle(1, TAR_BODY);
    assert_int_equal(reply.status, 503);
    assert_int_equal(request("GET", "/models", "", ""), 200);
    close(fds[0]);
    close(fds[1]);
}

static void a_token_is_asked_for_before_a_body_is_read(void **state)
{
    (void)state;
    char text[512];
    stop_api();
    start_api(registry.uri, TOKEN);
    int fd = raw_connect(port);
    snprintf(text, sizeof text,
             "POST /models/engage/versions HTTP/1.1\r\nHost: localhost:%u\r\n" TAR_BODY "Content-Length: 1000\r\n\r\n",
             port);
    raw_send(fd, text);
    raw_receive(fd, true, &reply);
    assert_problem(401, "unauthorized");
    assert_non_null(raw_header(&reply, "WWW-Authenticate"));
    close(fd);
    assert_int_equal(get("/models"), 401);
    assert_int_equal(request("GET", "/models", "Authorization: Bearer " TOKEN "\r\n", ""), 200);
}

static void without_a_registry_the_routes_say_so(void **state)
{
    (void)state;
    stop_api();
    start_api(NULL, NULL);
    (void)get("/models");
    assert_problem(503, "unavailable");
    (void)post("/models/engage/2/promote", "{}");
    assert_problem(503, "unavailable");
    (void)request("POST", "/models/engage/versions", TAR_BODY, "x");
    assert_problem(503, "unavailable");
}

static void a_database_that_is_away_is_unavailable(void **state)
{
    (void)state;
    stop_api();
    start_api("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2", NULL);
    (void)get("/models");
    assert_problem(503, "unavailable");
    assert_non_null(raw_header(&reply, "Retry-After"));
    assert_null(strstr(reply.body, "127.0.0.1"));
}

static void the_rest_needs_postgresql(void **state)
{
    (void)state;
    print_message("GODWIT_POSTGRES_URI is not set\n");
    skip();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest none[] = {cmocka_unit_test(the_rest_needs_postgresql)};
    if (getenv("GODWIT_POSTGRES_URI") == NULL) {
        return cmocka_run_group_tests(none, NULL, NULL);
    }
    const struct CMUnitTest tests[] = {
        TEST(a_new_model_serves_its_baseline),
        TEST(a_version_is_registered_promoted_and_rolled_back),
        TEST(the_history_tells_who_served_when),
        TEST(users_are_split_and_shadows_run),
        TEST(a_bare_model_file_becomes_a_version),
        TEST(a_decision_on_an_old_state_is_refused),
        TEST(a_repeated_request_is_answered_once),
        TEST(of_two_promotions_at_once_one_wins),
        TEST(of_two_promotions_of_one_version_one_happens),
        TEST(unknown_things_are_not_found),
        TEST(bad_bodies_change_nothing),
        TEST(bundles_that_cannot_serve_are_refused),
        TEST(a_model_that_answers_nan_is_refused),
        TEST(huge_uploads_are_refused_at_once),
        TEST(endless_uploads_are_cut),
        TEST(uploads_share_their_places_whatever_the_listener),
        TEST(a_token_is_asked_for_before_a_body_is_read),
        TEST(without_a_registry_the_routes_say_so),
        TEST(a_database_that_is_away_is_unavailable),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
