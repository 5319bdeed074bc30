// SPDX-License-Identifier: MIT
// The registry's client against the real registry: ids, versions, refusals, and every schema of ours.
#include "integration/kafka_fixture.h"

#include "admin/schemas.h"
#include "base/ini.h"
#include "base/mem.h"

#include <dirent.h>

#define FIRST "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"doc\":\"kept\"}]}"
#define SECOND                                                                                                         \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"},"                              \
    "{\"name\":\"b\",\"type\":\"int\",\"default\":1}]}"

static struct gw_schemas *registry(void)
{
    const char *urls = getenv("GODWIT_SCHEMA_REGISTRY_URLS");
    if (urls == NULL || urls[0] == '\0') {
        fail_msg("GODWIT_SCHEMA_REGISTRY_URLS is not set: start services with tests/stack up, or run tests/run");
    }
    struct gw_schemas *schemas = NULL;
    gw_err err = {0};
    assert_ok_err(gw_schemas_new(&(struct gw_schemas_options){.urls = urls}, &schemas, &err), &err);
    return schemas;
}

static gw_status all_resolve(void *context, struct gw_slice writer, struct gw_slice reader,
                             enum gw_schema_match *ret_match, void **ret_resolver, gw_err *err)
{
    (void)writer;
    (void)reader;
    (void)err;
    *ret_match = GW_SCHEMA_RESOLVED;
    *ret_resolver = context;
    return GW_OK;
}

static void keep(void *resolver)
{
    (void)resolver;
}

static void same_text_has_the_same_id_and_comes_back_unchanged(void **state)
{
    (void)state;
    struct gw_schemas *schemas = registry();
    const char *subject = fixture_name("same-value");
    uint32_t first = 0;
    uint32_t again = 0;
    gw_err err = {0};
    assert_ok_err(gw_schemas_register(schemas, subject, gw_slice_text(FIRST), &first, &err), &err);
    assert_ok_err(gw_schemas_register(schemas, subject, gw_slice_text(FIRST), &again, &err), &err);
    assert_int_equal(first, again);
    struct gw_buf text = {0};
    assert_ok_err(gw_schemas_text(schemas, first, &text, &err), &err);
    assert_true(gw_slice_is(gw_buf_slice(&text), FIRST)); // with its doc
    assert_fails(gw_schemas_text(schemas, 4000000000u, &text, &err), GW_E_UNKNOWN_SCHEMA);
    gw_buf_deinit(&text);
    gw_schemas_free(schemas);
}

static void versions_of_a_subject_make_the_table(void **state)
{
    (void)state;
    struct gw_schemas *schemas = registry();
    const char *topic = fixture_name("evolves");
    char subject[160];
    snprintf(subject, sizeof subject, "%s-value", topic);
    uint32_t ids[4];
    size_t count = 0;
    gw_err err = {0};
    assert_fails(gw_schemas_versions(schemas, subject, ids, 4, &count, &err), GW_E_NOT_FOUND);
    uint32_t first = 0;
    bool compatible = false;
    assert_ok_err(gw_schemas_compatible(schemas, subject, gw_slice_text(SECOND), &compatible, &err), &err);
    assert_true(compatible);
    assert_ok_err(gw_schemas_register(schemas, subject, gw_slice_text(FIRST), &first, &err), &err);
    assert_ok_err(gw_schemas_compatible(schemas, subject, gw_slice_text(SECOND), &compatible, &err), &err);
    assert_true(compatible);

    const struct gw_schema_ops ops = {.match = all_resolve, .resolver_free = keep, .context = &ids};
    struct gw_schema_table *table = NULL;
    assert_ok_err(gw_schemas_resolve(schemas, topic, gw_slice_text(SECOND), &ops, &table, &err), &err);
    assert_int_equal(table->count, 2);
    assert_int_not_equal(table->own_id, first);
    assert_int_equal(gw_schema_table_find(table, table->own_id)->match, GW_SCHEMA_SAME);
    assert_int_equal(gw_schema_table_find(table, first)->match, GW_SCHEMA_RESOLVED);
    gw_schema_table_free(table);
    assert_ok_err(gw_schemas_versions(schemas, subject, ids, 4, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], first);
    assert_fails(gw_schemas_versions(schemas, subject, ids, 1, &count, &err), GW_E_TOO_LARGE);
    gw_schemas_free(schemas);
}

static void text_that_is_no_schema_is_refused(void **state)
{
    (void)state;
    struct gw_schemas *schemas = registry();
    uint32_t id = 0;
    gw_err err = {0};
    assert_fails(
        gw_schemas_register(schemas, fixture_name("wrong-value"), gw_slice_text("{\"type\":\"nothing\"}"), &id, &err),
        GW_E_CONFIG);
    gw_schemas_free(schemas);
}

// Record names to texts is the build's business; here: each file of schemas/ is taken by the registry.
static void every_schema_of_ours_is_taken(void **state)
{
    (void)state;
    struct gw_schemas *schemas = registry();
    DIR *directory = opendir(GW_SOURCE_DIR "/schemas");
    assert_non_null(directory);
    unsigned count = 0;
    for (struct dirent *item = readdir(directory); item != NULL; item = readdir(directory)) {
        const char *dot = strrchr(item->d_name, '.');
        if (dot == NULL || strcmp(dot, ".avsc") != 0) {
            continue;
        }
        char path[600];
        char *text = NULL;
        size_t size = 0;
        uint32_t id = 0;
        gw_err err = {0};
        snprintf(path, sizeof path, "%s/schemas/%s", GW_SOURCE_DIR, item->d_name);
        assert_ok_err(gw_file_read(path, 1 << 20, &text, &size, &err), &err);
        assert_ok_err(gw_schemas_register(schemas, fixture_name(item->d_name), gw_slice_make(text, size), &id, &err),
                      &err);
        gw_mem_free(text);
        count++;
    }
    closedir(directory);
    assert_true(count > 0);
    gw_schemas_free(schemas);
}

GW_TESTS(same_text_has_the_same_id_and_comes_back_unchanged, versions_of_a_subject_make_the_table,
         text_that_is_no_schema_is_refused, every_schema_of_ours_is_taken)
