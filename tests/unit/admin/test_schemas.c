// SPDX-License-Identifier: MIT
#include "admin/schemas.h"

#include "unit/admin/fake_http.h"

#include <dirent.h>
#include <sys/stat.h>

#define OWN   "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}"
#define OTHER "\"string\""
#define ALIEN "\"bytes\""

static const struct fake_route registry[] = {
    {"POST /subjects/t-value/versions", 200, "{\"id\":7}"},
    {"GET /subjects/t-value/versions", 200, "[1,2,3]"},
    {"GET /subjects/t-value/versions/1", 200,
     "{\"subject\":\"t-value\",\"version\":1,\"id\":3,\"schema\":\"\\\"string\\\"\"}"},
    {"GET /subjects/t-value/versions/2", 200, "{\"id\":5,\"schema\":\"\\\"bytes\\\"\",\"schemaType\":\"AVRO\"}"},
    {"GET /subjects/t-value/versions/3", 200, "{\"id\":7,\"schema\":\"{}\"}"},
    {"GET /schemas/ids/3", 200, "{\"schema\":\"\\\"string\\\"\"}"},
    {"GET /schemas/ids/5", 200, "{\"schema\":\"\\\"bytes\\\"\"}"},
    {"GET /schemas/ids/8", 200, "{\"schema\":\"message M {}\",\"schemaType\":\"PROTOBUF\"}"},
    {"POST /subjects/bad-value/versions", 409, "{\"error_code\":409,\"message\":\"field x was removed\"}"},
    {"POST /subjects/odd-value/versions", 200, "<html>hello</html>"},
    {"POST /subjects/ill-value/versions", 500, "{\"error_code\":50001,\"message\":\"store is down\"}"},
    {"POST /compatibility/subjects/t-value/versions/latest", 200, "{\"is_compatible\":true}"},
    {"POST /compatibility/subjects/bad-value/versions/latest", 200, "{\"is_compatible\":false}"},
    {"POST /compatibility/subjects/new-value/versions/latest", 404,
     "{\"error_code\":40401,\"message\":\"Subject not found\"}"},
};

struct bench {
    struct fake_http fake;
    struct gw_schemas *schemas;
    char directory[64]; // the cache
};

static struct gw_schemas *client_new(const struct bench *bench)
{
    struct gw_schemas *schemas = NULL;
    gw_err err = {0};
    const struct gw_schemas_options options = {
        .urls = bench->fake.url, .cache_directory = bench->directory, .timeout_ms = 5000};
    assert_ok_err(gw_schemas_new(&options, &schemas, &err), &err);
    return schemas;
}

static void bench_start(struct bench *bench)
{
    strcpy(bench->directory, "/tmp/godwit-schemas-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    fake_start(&bench->fake, registry, GW_COUNT_OF(registry));
    bench->schemas = client_new(bench);
}

// Removes the cache: one folder of files.
static void bench_stop(struct bench *bench)
{
    char inner[400];
    gw_schemas_free(bench->schemas);
    DIR *outer = opendir(bench->directory);
    assert_non_null(outer);
    for (struct dirent *item = readdir(outer); item != NULL; item = readdir(outer)) {
        if (item->d_name[0] == '.') {
            continue;
        }
        snprintf(inner, sizeof inner, "%s/%s", bench->directory, item->d_name);
        DIR *files = opendir(inner);
        for (struct dirent *file = readdir(files); file != NULL; file = readdir(files)) {
            unlinkat(dirfd(files), file->d_name, 0);
        }
        closedir(files);
        rmdir(inner);
    }
    closedir(outer);
    assert_int_equal(rmdir(bench->directory), 0);
}

// Reads "string" through a resolver, nothing else.
static gw_status match(void *context, struct gw_slice writer, struct gw_slice reader, enum gw_schema_match *ret_match,
                       void **ret_resolver, gw_err *err)
{
    assert_true(gw_slice_is(reader, OWN));
    if (gw_slice_is(writer, OTHER)) {
        *ret_match = GW_SCHEMA_RESOLVED;
        *ret_resolver = context;
        return GW_OK;
    }
    return gw_fail(err, GW_E_INVALID, "bytes are no record");
}

static unsigned freed;

static void resolver_free(void *resolver)
{
    assert_non_null(resolver);
    freed++;
}

static int resolver;
static const struct gw_schema_ops ops = {.match = match, .resolver_free = resolver_free, .context = &resolver};

static void register_sends_the_text_unchanged(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench);
    uint32_t id = 0;
    gw_err err = {0};
    assert_ok_err(gw_schemas_register(bench.schemas, "t-value", gw_slice_text(OWN), &id, &err), &err);
    assert_int_equal(id, 7);
    assert_non_null(strstr(bench.fake.last, "Content-Type: application/vnd.schemaregistry.v1+json"));
    assert_non_null(strstr(bench.fake.last, "{\"schema\":\"{\\\"type\\\":\\\"record\\\","));
    fake_stop(&bench.fake);
    bench_stop(&bench);
}

static void refusals_are_final_and_trouble_is_not(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench);
    uint32_t id = 0;
    gw_err err = {0};
    assert_fails(gw_schemas_register(bench.schemas, "bad-value", gw_slice_text(OWN), &id, &err), GW_E_CONFIG);
    assert_non_null(strstr(err.message, "field x was removed"));
    assert_fails(gw_schemas_register(bench.schemas, "odd-value", gw_slice_text(OWN), &id, &err), GW_E_CONFIG);
    assert_non_null(strstr(err.message, "unexpected answer"));
    assert_fails(gw_schemas_register(bench.schemas, "no/where", gw_slice_text(OWN), &id, &err), GW_E_CONFIG);
    assert_non_null(strstr(bench.fake.last, "POST /subjects/no%2Fwhere/versions "));
    assert_fails(gw_schemas_register(bench.schemas, "ill-value", gw_slice_text(OWN), &id, &err), GW_E_UNAVAILABLE);
    assert_non_null(strstr(err.message, "store is down"));
    fake_stop(&bench.fake);
    bench_stop(&bench);
}

static void compatibility_is_the_registrys_word(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench);
    bool compatible = false;
    gw_err err = {0};
    assert_ok_err(gw_schemas_compatible(bench.schemas, "t-value", gw_slice_text(OWN), &compatible, &err), &err);
    assert_true(compatible);
    assert_ok_err(gw_schemas_compatible(bench.schemas, "bad-value", gw_slice_text(OWN), &compatible, &err), &err);
    assert_false(compatible);
    assert_ok_err(gw_schemas_compatible(bench.schemas, "new-value", gw_slice_text(OWN), &compatible, &err), &err);
    assert_true(compatible);
    fake_stop(&bench.fake);
    bench_stop(&bench);
}

static void text_is_asked_for_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct gw_buf text = {0};
    gw_err err = {0};
    assert_ok_err(gw_schemas_text(bench.schemas, 3, &text, &err), &err);
    assert_ok_err(gw_schemas_text(bench.schemas, 3, &text, &err), &err);
    assert_true(gw_slice_is(gw_buf_slice(&text), OTHER));
    assert_int_equal(atomic_load(&bench.fake.requests), 1);
    assert_fails(gw_schemas_text(bench.schemas, 999, &text, &err), GW_E_UNKNOWN_SCHEMA);
    assert_fails(gw_schemas_text(bench.schemas, 8, &text, &err), GW_E_UNKNOWN_SCHEMA); // not Avro
    gw_buf_deinit(&text);
    fake_stop(&bench.fake);
    bench_stop(&bench);
}

static void check_table(const struct gw_schema_table *table, bool from_cache)
{
    assert_int_equal(table->own_id, 7);
    assert_int_equal(table->from_cache, from_cache);
    assert_int_equal(table->count, 3);
    assert_int_equal(gw_schema_table_find(table, 7)->match, GW_SCHEMA_SAME);
    assert_int_equal(gw_schema_table_find(table, 3)->match, GW_SCHEMA_RESOLVED);
    assert_ptr_equal(gw_schema_table_find(table, 3)->resolver, &resolver);
    assert_int_equal(gw_schema_table_find(table, 5)->match, GW_SCHEMA_INCOMPATIBLE);
    assert_string_equal(gw_schema_table_find(table, 5)->reason, "bytes are no record");
    assert_null(gw_schema_table_find(table, 4));
    assert_null(gw_schema_table_find(table, 0));
    assert_null(gw_schema_table_find(table, UINT32_MAX));
}

static void table_tells_for_each_id_what_to_do(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct gw_schema_table *table = NULL;
    gw_err err = {0};
    freed = 0;
    assert_ok_err(gw_schemas_resolve(bench.schemas, "t", gw_slice_text(OWN), &ops, &table, &err), &err);
    check_table(table, false);
    gw_schema_table_free(table);
    assert_int_equal(freed, 1);
    fake_stop(&bench.fake);
    bench_stop(&bench);
}

static void worker_starts_from_the_disk_while_the_registry_is_away(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench);
    struct gw_schema_table *table = NULL;
    gw_err err = {0};
    assert_ok_err(gw_schemas_resolve(bench.schemas, "t", gw_slice_text(OWN), &ops, &table, &err), &err);
    gw_schema_table_free(table);
    fake_stop(&bench.fake);
    gw_schemas_free(bench.schemas);
    bench.schemas = client_new(&bench); // another process

    assert_ok_err(gw_schemas_resolve(bench.schemas, "t", gw_slice_text(OWN), &ops, &table, &err), &err);
    check_table(table, true);
    gw_schema_table_free(table);
    // Another own text was never given an id, and another topic was never asked for.
    assert_fails(gw_schemas_resolve(bench.schemas, "t", gw_slice_text(ALIEN), &ops, &table, &err), GW_E_UNAVAILABLE);
    assert_fails(gw_schemas_resolve(bench.schemas, "u", gw_slice_text(OWN), &ops, &table, &err), GW_E_UNAVAILABLE);
    bench_stop(&bench);
}

GW_TESTS(register_sends_the_text_unchanged, refusals_are_final_and_trouble_is_not, compatibility_is_the_registrys_word,
         text_is_asked_for_once, table_tells_for_each_id_what_to_do,
         worker_starts_from_the_disk_while_the_registry_is_away)
