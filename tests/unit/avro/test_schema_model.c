// SPDX-License-Identifier: MIT
#include "avro/schema_model.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <stdio.h>

static void assert_refused(const char *json, gw_status status, const char *message)
{
    struct gw_avro_schema *schema = NULL;
    gw_err err = {0};
    gw_status found = gw_avro_schema_parse(gw_slice_text(json), &schema, &err);
    if (found != status || strcmp(err.message, message) != 0) {
        print_error("%s: %s: %s\n", json, gw_status_name(found), err.message);
    }
    assert_fails(found, status);
    assert_string_equal(err.message, message);
    assert_null(schema);
}

static struct gw_avro_schema *parse(const char *json)
{
    struct gw_avro_schema *schema = NULL;
    gw_err err = {0};
    assert_ok_err(gw_avro_schema_parse(gw_slice_text(json), &schema, &err), &err);
    return schema;
}

static void record_with_its_parts_is_read(void **state)
{
    (void)state;
    struct gw_avro_schema *schema = parse(
        "{\"fields\": [{\"default\": [ 1 ], \"type\": {\"type\": \"array\", \"items\": \"int\"}, \"name\": \"numbers\","
        "  \"aliases\": [\"ns\", \"old\"], \"doc\": \"A \\\"doc\\\".\"},"
        " {\"name\": \"maybe\", \"type\": [\"null\", {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}]},"
        " {\"name\": \"digest\", \"type\": {\"type\": \"fixed\", \"name\": \"other.Digest\", \"size\": 16}},"
        " {\"name\": \"colour\", \"type\": {\"type\": \"enum\", \"name\": \"Colour\", \"symbols\": [\"A\", \"B\"],"
        "   \"default\": \"B\", \"aliases\": [\"Paint\"]}},"
        " {\"name\": \"again\", \"type\": \"Colour\"}, {\"name\": \"full\", \"type\": \"n.s.Colour\"},"
        " {\"name\": \"rates\", \"type\": {\"type\": \"map\", \"values\": \"other.Digest\"}}],"
        " \"namespace\": \"n.s\", \"doc\": \"Record.\", \"type\": \"record\", \"name\": \"R\", \"unknown\": {\"x\": "
        "[1]}}");
    const struct gw_avro_type *type = gw_avro_schema_root(schema);
    const struct gw_avro_field *fields = type->fields;

    assert_int_equal(type->kind, GW_AVRO_RECORD);
    assert_string_equal(type->name, "R");
    assert_string_equal(type->full_name, "n.s.R");
    assert_true(gw_slice_is(type->doc, "Record."));
    assert_int_equal(type->field_count, 7);
    assert_int_equal(type->wire_min, 1 + 1 + 16 + 1 + 1 + 1 + 1);
    assert_int_equal(type->depth, 3);

    assert_true(fields[0].type->kind == GW_AVRO_ARRAY && fields[0].type->item->kind == GW_AVRO_INT);
    assert_true(gw_slice_is(fields[0].default_value, "[ 1 ]") && gw_slice_is(fields[0].doc, "A \\\"doc\\\"."));
    assert_true(fields[0].aliases.count == 2 && strcmp(fields[0].aliases.items[1], "old") == 0);
    assert_true(fields[1].type->kind == GW_AVRO_OPTIONAL && fields[1].type->item->kind == GW_AVRO_LONG);
    assert_int_equal(fields[1].default_value.size, 0);
    assert_true(fields[2].type->kind == GW_AVRO_FIXED && fields[2].type->size == 16);
    assert_string_equal(fields[2].type->name, "Digest");
    assert_string_equal(fields[2].type->full_name, "other.Digest");
    assert_true(fields[3].type->kind == GW_AVRO_ENUM && fields[3].type->default_symbol == 1);
    assert_string_equal(fields[3].type->full_name, "n.s.Colour");
    assert_ptr_equal(fields[4].type, fields[3].type);
    assert_ptr_equal(fields[5].type, fields[3].type);
    assert_ptr_equal(fields[6].type->item, fields[2].type);
    gw_avro_schema_free(schema);
}

static void namespace_is_the_enclosing_one_unless_said(void **state)
{
    (void)state;
    struct gw_avro_schema *schema =
        parse("{\"type\":\"record\",\"name\":\"a.b.R\",\"fields\":["
              "{\"name\":\"x\",\"type\":{\"type\":\"record\",\"name\":\"S\",\"namespace\":\"c\",\"fields\":["
              "{\"name\":\"y\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":1}}]}},"
              "{\"name\":\"z\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
              "{\"name\":\"w\",\"type\":{\"type\":\"fixed\",\"name\":\"G\",\"namespace\":\"\",\"size\":2}}]}");
    const struct gw_avro_type *type = gw_avro_schema_root(schema);
    assert_string_equal(type->fields[0].type->full_name, "c.S");
    assert_string_equal(type->fields[0].type->fields[0].type->full_name, "c.F");
    assert_string_equal(type->fields[1].type->full_name, "a.b.F");
    assert_string_equal(type->fields[2].type->full_name, "G");
    gw_avro_schema_free(schema);
}

#define R(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"

static void what_is_outside_the_subset_is_refused(void **state)
{
    (void)state;
    assert_refused(R("{\"name\":\"x\",\"type\":[\"int\",\"null\"]}"), GW_E_INVALID,
                   "field 'x': schema: union is not of null and one type, in this order");
    assert_refused(R("{\"name\":\"x\",\"type\":[\"null\",\"int\",\"long\"]}"), GW_E_INVALID,
                   "field 'x': schema: union of more than null and one type");
    assert_refused(R("{\"name\":\"x\",\"type\":[\"null\",[\"null\",\"int\"]]}"), GW_E_INVALID,
                   "field 'x': schema: union is not of null and one type, in this order");
    assert_refused(R("{\"name\":\"x\",\"type\":[\"null\",\"null\"]}"), GW_E_INVALID,
                   "field 'x': schema: values of a null would take no bytes");
    assert_refused(R("{\"name\":\"x\",\"type\":[]}"), GW_E_INVALID,
                   "field 'x': schema: union is not of null and one type, in this order");
    assert_refused(R("{\"name\":\"x\",\"type\":{\"type\":\"array\",\"items\":\"R\"}}"), GW_E_INVALID,
                   "field 'x': schema: type 'R' is recursive");
    assert_refused(R("{\"name\":\"x\",\"type\":\"null\"}"), GW_E_INVALID,
                   "schema: values of a null would take no bytes");
    assert_refused(R("{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":0}}"), GW_E_INVALID,
                   "schema: values of a fixed would take no bytes");
    assert_refused(R(""), GW_E_INVALID, "schema: values of a record would take no bytes");
    assert_refused("\"null\"", GW_E_INVALID, "schema: values of a null would take no bytes");
}

static void bad_schema_is_refused(void **state)
{
    (void)state;
    assert_refused("", GW_E_MALFORMED, "schema of 0 bytes");
    assert_refused("{\"type\":", GW_E_MALFORMED, "json byte 8: expected a value, found the end");
    assert_refused("\"int\" 1", GW_E_MALFORMED, "json byte 6: expected the end, found '1'");
    assert_refused("7", GW_E_INVALID, "schema: a type is a name, an array or an object");
    assert_refused("\"Unknown\"", GW_E_INVALID, "schema: unknown type 'Unknown'");
    assert_refused("{}", GW_E_INVALID, "schema: attribute 'type' is missing");
    assert_refused("{\"type\":\"union\"}", GW_E_INVALID, "schema: unknown type 'union'");
    assert_refused("{\"type\":7}", GW_E_INVALID, "schema: a name is not a string");
    assert_refused("{\"type\":\"int\",\"type\":\"int\"}", GW_E_INVALID, "schema: attribute 'type' twice");
    assert_refused("{\"type\":\"array\"}", GW_E_INVALID, "schema: attribute 'items' is missing");
    assert_refused("{\"type\":\"record\",\"name\":\"R\"}", GW_E_INVALID, "schema: attribute 'fields' is missing");
    assert_refused("{\"type\":\"record\",\"fields\":[]}", GW_E_INVALID, "schema: attribute 'name' is missing");
    assert_refused("{\"type\":\"record\",\"name\":\"1R\",\"fields\":[]}", GW_E_INVALID, "schema: bad name '1R'");
    assert_refused("{\"type\":\"record\",\"name\":\"a..R\",\"fields\":[]}", GW_E_INVALID, "schema: bad name 'a..R'");
    assert_refused("{\"type\":\"record\",\"name\":\"int\",\"fields\":[]}", GW_E_INVALID,
                   "schema: type 'int' is already defined");
    assert_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}", GW_E_INVALID,
                   "schema: enum 'E' has no symbols");
    assert_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}", GW_E_INVALID, "schema: 'A' twice");
    assert_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}", GW_E_INVALID,
                   "schema: default 'B' is no symbol of 'E'");
    assert_refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", GW_E_TOO_LARGE, "schema: fixed 'F' of -1 bytes");
    assert_refused(R("{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"x\",\"type\":\"int\"}"), GW_E_INVALID,
                   "schema: field 'x' twice in 'R'");
    assert_refused(R("{\"name\":\"x.y\",\"type\":\"int\"}"), GW_E_INVALID, "schema: bad name 'x.y'");
}

// Records that each hold the one before, twice: the walk of 17 would visit more than the bound.
static void references_that_multiply_are_refused(void **state)
{
    (void)state;
    struct gw_buf json = {0};
    struct gw_avro_schema *schema = NULL;
    gw_err err = {0};
    assert_ok(gw_buf_append_text(&json, R("{\"name\":\"x\",\"type\":\"int\"}")));
    for (int i = 1; i <= 17; i++) {
        struct gw_buf outer = {0};
        assert_ok(
            gw_buf_append_format(&outer,
                                 "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"x\",\"type\":%.*s},"
                                 "{\"name\":\"y\",\"type\":\"R%.*d\"}]}",
                                 i, (int)json.size, (const char *)json.data, i == 1 ? 0 : 1, i - 1));
        gw_buf_deinit(&json);
        json = outer;
    }
    assert_fails(gw_avro_schema_parse(gw_buf_slice(&json), &schema, &err), GW_E_TOO_LARGE);
    assert_non_null(strstr(err.message, "over 65536 types"));
    gw_buf_deinit(&json);
}

static void types_nested_too_deeply_are_refused(void **state)
{
    (void)state;
    // Flat text: each record refers to the one before, so that JSON's depth says nothing.
    struct gw_buf json = {0};
    struct gw_avro_schema *schema = NULL;
    gw_err err = {0};
    assert_ok(gw_buf_append_text(
        &json, "{\"type\":\"record\",\"name\":\"Top\",\"fields\":[{\"name\":\"f0\",\"type\":"
               "{\"type\":\"record\",\"name\":\"R0\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}}"));
    for (int i = 1; i < GW_AVRO_DEPTH_MAX; i++) {
        assert_ok(gw_buf_append_format(&json,
                                       ",{\"name\":\"f%d\",\"type\":{\"type\":\"record\",\"name\":\"R%d\",\"fields\":["
                                       "{\"name\":\"x\",\"type\":\"R%d\"}]}}",
                                       i, i, i - 1));
    }
    assert_ok(gw_buf_append_text(&json, "]}"));
    assert_fails(gw_avro_schema_parse(gw_buf_slice(&json), &schema, &err), GW_E_TOO_LARGE);
    assert_non_null(strstr(err.message, "nested deeper than 64 types"));
    gw_buf_deinit(&json);
}

static void counts_are_bounded(void **state)
{
    (void)state;
    struct gw_buf json = {0};
    struct gw_avro_schema *schema = NULL;
    assert_ok(gw_buf_append_text(&json, "{\"type\":\"record\",\"name\":\"R\",\"fields\":["));
    for (int i = 0; i <= GW_AVRO_NAMED_MAX; i++) {
        assert_ok(gw_buf_append_format(&json, "%s{\"name\":\"f%d\",\"type\":\"int\"}", i > 0 ? "," : "", i));
    }
    assert_ok(gw_buf_append_text(&json, "]}"));
    assert_fails(gw_avro_schema_parse(gw_buf_slice(&json), &schema, NULL), GW_E_TOO_LARGE);

    gw_buf_clear(&json);
    assert_ok(gw_buf_append_text(&json, "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":["));
    for (int i = 0; i <= GW_AVRO_NAMED_MAX; i++) {
        assert_ok(gw_buf_append_format(&json, "%s\"S%d\"", i > 0 ? "," : "", i));
    }
    assert_ok(gw_buf_append_text(&json, "]}"));
    assert_fails(gw_avro_schema_parse(gw_buf_slice(&json), &schema, NULL), GW_E_TOO_LARGE);
    gw_buf_deinit(&json);

    static uint8_t blank[GW_AVRO_SCHEMA_BYTES_MAX + 1];
    assert_fails(gw_avro_schema_parse(gw_slice_make(blank, sizeof blank), &schema, NULL), GW_E_TOO_LARGE);
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    for (unsigned long nth = 1;; nth++) {
        struct gw_avro_schema *schema = NULL;
        gw_mem_fail_nth(nth);
        gw_status status = gw_avro_schema_parse(gw_slice_text(R("{\"name\":\"x\",\"type\":\"int\"}")), &schema, NULL);
        gw_mem_fail_nth(0);
        if (status == GW_OK) {
            gw_avro_schema_free(schema);
            assert_true(nth > 2);
            break;
        }
        assert_true(status == GW_E_MEMORY && schema == NULL);
    }
}

GW_TESTS(record_with_its_parts_is_read, namespace_is_the_enclosing_one_unless_said,
         what_is_outside_the_subset_is_refused, bad_schema_is_refused, references_that_multiply_are_refused,
         types_nested_too_deeply_are_refused, counts_are_bounded, every_failed_allocation_is_survived)
