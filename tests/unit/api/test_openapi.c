// SPDX-License-Identifier: MIT
// openapi.json is written by hand; these tests keep it true.
#include "api/route.h"
#include "support/testkit.h"

#include "base/json.h"

#include <stdio.h>

static char *document;
static size_t document_size;

// "/a/{x}/b" of the document and "/a/:x/b" of the table.
static void to_template(const char *pattern, char *to, size_t size)
{
    size_t used = 0;
    while (*pattern != '\0' && used + 4 < size) {
        if (*pattern != ':') {
            to[used++] = *pattern++;
            continue;
        }
        to[used++] = '{';
        for (pattern++; *pattern != '\0' && *pattern != '/'; pattern++) {
            to[used++] = *pattern;
        }
        to[used++] = '}';
    }
    to[used] = '\0';
}

static const struct gw_api_route *route_of(struct gw_slice path, struct gw_slice method)
{
    for (size_t i = 0; i < gw_api_route_count; i++) {
        char template[128];
        to_template(gw_api_routes[i].pattern, template, sizeof template);
        if (gw_slice_is(path, template) && strlen(gw_api_routes[i].method) == method.size &&
            strncasecmp(gw_api_routes[i].method, (const char *)method.data, method.size) == 0) {
            return &gw_api_routes[i];
        }
    }
    return NULL;
}

// Moves into the value of a member of the object that comes next.
static void enter_member(struct gw_json *json, const char *name)
{
    bool more = false;
    struct gw_slice key = {0};
    assert_ok(gw_json_enter(json, GW_JSON_OBJECT, NULL));
    for (;;) {
        assert_ok(gw_json_next(json, &more, NULL));
        assert_true(more);
        assert_ok(gw_json_key(json, &key, NULL));
        if (gw_slice_is(key, name)) {
            return;
        }
        assert_ok(gw_json_skip(json, NULL));
    }
}

// An operation that needs no token says so by an empty security list.
static bool operation_is_open(struct gw_json *json)
{
    bool more = false;
    bool open = false;
    struct gw_slice key = {0};
    assert_ok(gw_json_enter(json, GW_JSON_OBJECT, NULL));
    for (;;) {
        assert_ok(gw_json_next(json, &more, NULL));
        if (!more) {
            return open;
        }
        assert_ok(gw_json_key(json, &key, NULL));
        open = open || gw_slice_is(key, "security");
        assert_ok(gw_json_skip(json, NULL));
    }
}

static void document_is_json(void **state)
{
    (void)state;
    struct gw_json json;
    gw_json_init(&json, gw_slice_make(document, document_size));
    assert_ok(gw_json_skip(&json, NULL));
    assert_ok(gw_json_end(&json, NULL));
}

static void document_and_route_table_agree(void **state)
{
    (void)state;
    struct gw_json json;
    bool more = false;
    size_t described = 0;
    gw_json_init(&json, gw_slice_make(document, document_size));
    enter_member(&json, "paths");
    assert_ok(gw_json_enter(&json, GW_JSON_OBJECT, NULL));
    for (;;) {
        struct gw_slice path = {0};
        assert_ok(gw_json_next(&json, &more, NULL));
        if (!more) {
            break;
        }
        assert_ok(gw_json_key(&json, &path, NULL));
        assert_ok(gw_json_enter(&json, GW_JSON_OBJECT, NULL));
        for (;;) {
            struct gw_slice method = {0};
            assert_ok(gw_json_next(&json, &more, NULL));
            if (!more) {
                break;
            }
            assert_ok(gw_json_key(&json, &method, NULL));
            const struct gw_api_route *route = route_of(path, method);
            if (route == NULL) {
                print_error("no route: %.*s %.*s\n", (int)method.size, (const char *)method.data, (int)path.size,
                            (const char *)path.data);
            }
            assert_non_null(route);
            assert_int_equal(operation_is_open(&json), !route->needs_token);
            described++;
        }
    }
    assert_int_equal(described, gw_api_route_count);
}

static int load(void **state)
{
    (void)state;
    FILE *file = fopen(GW_SOURCE_DIR "/src/api/openapi.json", "rb");
    if (file == NULL) {
        return -1;
    }
    static char content[256 * 1024];
    document = content;
    document_size = fread(content, 1, sizeof content, file);
    fclose(file);
    return document_size > 0 && document_size < sizeof content ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_is_json),
        cmocka_unit_test(document_and_route_table_agree),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
