// SPDX-License-Identifier: MIT
#include "avro/resolve.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <stdio.h>

#define BYTES(...) gw_slice_make((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// Schemas in these tests are written with ' for ".
#define RECORD(fields)           "{'type':'record','name':'R','namespace':'n','fields':[" fields "]}"
#define FIELD(name, type)        "{'name':'" name "','type':" type "}"
#define ARRAY(items)             "{'type':'array','items':" items "}"
#define MAP(values)              "{'type':'map','values':" values "}"
#define INNER(fields)            "{'type':'record','name':'Inner','fields':[" fields "]}"
#define FIXED_2                  "{'type':'fixed','name':'F','size':2}"
#define ENUM(symbols)            "{'type':'enum','name':'E','symbols':[" symbols "]}"
#define ENUM_OR(symbols, symbol) "{'type':'enum','name':'E','symbols':[" symbols "],'default':'" symbol "'}"

static void quote(const char *text, char *to, size_t size)
{
    size_t length = strlen(text);
    assert_true(length < size);
    for (size_t i = 0; i <= length; i++) {
        to[i] = text[i] == '\'' ? '"' : text[i];
    }
}

static gw_status open_resolver(const char *writer, const char *reader, struct gw_avro_resolver **ret, gw_err *err)
{
    char texts[2][2000];
    quote(writer, texts[0], sizeof texts[0]);
    quote(reader, texts[1], sizeof texts[1]);
    return gw_avro_resolver_new(texts[0], strlen(texts[0]), texts[1], strlen(texts[1]), ret, err);
}

static void assert_resolves(const char *writer, const char *reader, struct gw_slice in, struct gw_slice expected)
{
    struct gw_avro_resolver *resolver = NULL;
    struct gw_buf out = {0};
    gw_err err = {0};
    assert_ok_err(open_resolver(writer, reader, &resolver, &err), &err);
    assert_ok_err(gw_avro_resolver_transcode(resolver, in, &out, &err), &err);
    assert_int_equal(out.size, expected.size);
    assert_memory_equal(out.data, expected.data, expected.size);
    for (size_t size = 0; size < in.size; size++) {
        uint8_t *tight = malloc(size > 0 ? size : 1);
        assert_non_null(tight);
        memcpy(tight, in.data, size);
        assert_fails(gw_avro_resolver_transcode(resolver, gw_slice_make(tight, size), &out, &err), GW_E_MALFORMED);
        assert_int_equal(out.size, expected.size);
        free(tight);
    }
    gw_buf_deinit(&out);
    gw_avro_resolver_free(resolver);
}

static void assert_type_resolves(const char *writer, const char *reader, struct gw_slice in, struct gw_slice expected)
{
    char schemas[2][1000];
    snprintf(schemas[0], sizeof schemas[0], RECORD(FIELD("x", "%s")), writer);
    snprintf(schemas[1], sizeof schemas[1], RECORD(FIELD("x", "%s")), reader);
    assert_resolves(schemas[0], schemas[1], in, expected);
}

// *message (of GW_ERR_MESSAGE_BYTES) is the error of either step.
static gw_status fail_on(const char *writer, const char *reader, struct gw_slice in, char *message)
{
    struct gw_avro_resolver *resolver = NULL;
    struct gw_buf out = {0};
    gw_err err = {0};
    gw_status status = open_resolver(writer, reader, &resolver, &err);
    if (status == GW_OK) {
        status = gw_avro_resolver_transcode(resolver, in, &out, &err);
        assert_int_equal(out.size, 0);
    }
    strcpy(message, err.message);
    gw_buf_deinit(&out);
    gw_avro_resolver_free(resolver);
    return status;
}

static void assert_mismatch(const char *writer, const char *reader, const char *expected)
{
    char message[GW_ERR_MESSAGE_BYTES];
    assert_fails(fail_on(writer, reader, BYTES(0), message), GW_E_MISMATCH);
    assert_string_equal(message, expected);
}

static void numbers_are_widened(void **state)
{
    (void)state;
    assert_type_resolves("'int'", "'long'", BYTES(0x80, 0x02), BYTES(0x80, 0x02));
    assert_type_resolves("'int'", "'float'", BYTES(6), BYTES(0, 0, 0x40, 0x40));
    assert_type_resolves("'int'", "'double'", BYTES(5), BYTES(0, 0, 0, 0, 0, 0, 0x08, 0xc0));
    assert_type_resolves("'long'", "'float'", BYTES(6), BYTES(0, 0, 0x40, 0x40));
    assert_type_resolves("'long'", "'double'", BYTES(6), BYTES(0, 0, 0, 0, 0, 0, 0x08, 0x40));
    assert_type_resolves("'float'", "'double'", BYTES(0, 0, 0x40, 0x40), BYTES(0, 0, 0, 0, 0, 0, 0x08, 0x40));
}

static void numbers_are_not_narrowed(void **state)
{
    (void)state;
    assert_mismatch(RECORD(FIELD("x", "'long'")), RECORD(FIELD("x", "'int'")),
                    "R.x: written as 'long', cannot be read as 'int'");
    assert_mismatch(RECORD(FIELD("x", "'double'")), RECORD(FIELD("x", "'float'")),
                    "R.x: written as 'double', cannot be read as 'float'");
    assert_mismatch(RECORD(FIELD("x", "'float'")), RECORD(FIELD("x", "'long'")),
                    "R.x: written as 'float', cannot be read as 'long'");
    assert_mismatch(RECORD(FIELD("x", "'boolean'")), RECORD(FIELD("x", "'int'")),
                    "R.x: written as 'boolean', cannot be read as 'int'");
}

static void equal_types_are_copied_and_checked(void **state)
{
    (void)state;
    char message[GW_ERR_MESSAGE_BYTES];
    assert_type_resolves("'boolean'", "'boolean'", BYTES(1), BYTES(1));
    assert_type_resolves("'double'", "'double'", BYTES(1, 2, 3, 4, 5, 6, 7, 8), BYTES(1, 2, 3, 4, 5, 6, 7, 8));
    assert_type_resolves("'string'", "'bytes'", BYTES(4, 'a', 'b'), BYTES(4, 'a', 'b'));
    assert_type_resolves("'bytes'", "'string'", BYTES(4, 'a', 'b'), BYTES(4, 'a', 'b'));
    assert_type_resolves(FIXED_2, FIXED_2, BYTES(1, 2), BYTES(1, 2));
    assert_fails(fail_on(RECORD(FIELD("x", "'boolean'")), RECORD(FIELD("x", "'boolean'")), BYTES(2), message),
                 GW_E_MALFORMED);
    assert_string_equal(message, "R.x: malformed");
    assert_fails(
        fail_on(RECORD(FIELD("x", "'int'")), RECORD(FIELD("x", "'int'")), BYTES(0x80, 0x80, 0x80, 0x80, 0x20), message),
        GW_E_MALFORMED);
    assert_fails(fail_on(RECORD(FIELD("x", "'int'")), RECORD(FIELD("x", "'int'")), BYTES(2, 2), message),
                 GW_E_MALFORMED);
    assert_string_equal(message, "R: bytes behind the record");
}

static void reader_field_takes_its_default(void **state)
{
    (void)state;
    const char *reader = RECORD("{'name':'flag','type':'boolean','default':true},"
                                "{'name':'small','type':'int','default':-3},"
                                "{'name':'x','type':'long'},"
                                "{'name':'real','type':'float','default':1.5},"
                                "{'name':'wide','type':'double','default':-2},"
                                "{'name':'text','type':'string','default':'a\\u00e4'},"
                                "{'name':'raw','type':'bytes','default':'\\u0000\\u00ff\\n\xc3\xa4z'},"
                                "{'name':'maybe','type':['null','long'],'default':null}");
    assert_resolves(RECORD(FIELD("x", "'int'")), reader, BYTES(14),
                    BYTES(1, 5, 14, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0, 6, 'a', 0xc3, 0xa4, 10, 0, 0xff, '\n',
                          0xe4, 'z', 0));
}

static void defaults_may_be_compound(void **state)
{
    (void)state;
    const char *reader = RECORD("{'name':'e','type':{'type':'enum','name':'E','symbols':['A','B']},'default':'B'},"
                                "{'name':'f','type':{'type':'fixed','name':'F','size':2},'default':'\\u0001b'},"
                                "{'name':'a','type':{'type':'array','items':'int'},'default':[1, 2]},"
                                "{'name':'m','type':{'type':'map','values':'boolean'},'default':{'k': true}},"
                                "{'name':'r','default':{'p': 4},'type':{'type':'record','name':'S','fields':["
                                "  {'name':'p','type':'int'},{'name':'q','type':'int','default':9}]}}");
    assert_resolves(RECORD(FIELD("x", "'int'")), reader, BYTES(14),
                    BYTES(2, 1, 'b', 2, 2, 2, 4, 0, 2, 2, 'k', 1, 0, 8, 18));
}

static void default_that_does_not_fit_its_type_is_invalid(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"'int'", "3000000000"},  {"'int'", "1.5"},     {"'boolean'", "0"},      {"'string'", "1"},
        {"'bytes'", "'\\u0100'"}, {"'bytes'", "7"},     {"['null','int']", "1"}, {FIXED_2, "'a'"},
        {"'float'", "'NaN'"},     {ENUM("'A'"), "'B'"}, {ARRAY("'int'"), "{}"},  {INNER(FIELD("p", "'int'")), "{}"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        char reader[1000];
        char message[GW_ERR_MESSAGE_BYTES];
        snprintf(reader, sizeof reader, RECORD("{'name':'y','type':%s,'default':%s}"), cases[i][0], cases[i][1]);
        assert_fails(fail_on(RECORD(FIELD("x", "'int'")), reader, BYTES(0), message), GW_E_INVALID);
        assert_memory_equal(message, "R.y: ", 5);
    }
}

static void reader_field_without_default_is_a_mismatch(void **state)
{
    (void)state;
    assert_mismatch(RECORD(FIELD("x", "'int'")), RECORD(FIELD("y", "'int'")), "R.y: not written, and without default");
}

static void writer_only_field_of_any_type_is_skipped(void **state)
{
    (void)state;
    const char *writer = RECORD("{'name':'b','type':'boolean'},"
                                "{'name':'i','type':'int'},"
                                "{'name':'l','type':'long'},"
                                "{'name':'f','type':'float'},"
                                "{'name':'d','type':'double'},"
                                "{'name':'x','type':'int'},"
                                "{'name':'t','type':'string'},"
                                "{'name':'e','type':{'type':'enum','name':'E','symbols':['A','B']}},"
                                "{'name':'g','type':{'type':'fixed','name':'F','size':2}},"
                                "{'name':'o','type':['null','int']},"
                                "{'name':'a','type':{'type':'array','items':"
                                "  {'type':'record','name':'S','fields':[{'name':'p','type':'int'}]}}},"
                                "{'name':'m','type':{'type':'map','values':'E'}}");
    const struct gw_slice in =
        BYTES(1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 2, 'a', 2, 1, 2, 2, 6, 4, 2, 2, 0, 1, 6, 2, 'k', 2, 0);
    assert_resolves(writer, RECORD(FIELD("x", "'int'")), in, BYTES(14));
}

static void skipped_field_is_still_checked(void **state)
{
    (void)state;
    char message[GW_ERR_MESSAGE_BYTES];
    const char *writer = RECORD("{'name':'gone','type':{'type':'array','items':'int'}},{'name':'x','type':'int'}");
    assert_fails(fail_on(writer, RECORD(FIELD("x", "'int'")), BYTES(20, 2, 0, 2), message), GW_E_MALFORMED);
    assert_string_equal(message, "R.gone: malformed");
}

static void fields_may_stand_in_another_order(void **state)
{
    (void)state;
    const char *writer = RECORD("{'name':'a','type':'string'},"
                                "{'name':'gone','type':'int'},"
                                "{'name':'b','type':'int'},"
                                "{'name':'c','type':{'type':'array','items':{'type':'record','name':'S','fields':["
                                "  {'name':'p','type':'int'},{'name':'q','type':'string'}]}}}");
    const char *reader = RECORD("{'name':'c','type':{'type':'array','items':{'type':'record','name':'S','fields':["
                                "  {'name':'q','type':'string'},{'name':'p','type':'long'}]}}},"
                                "{'name':'new','type':'int','default':1},"
                                "{'name':'b','type':'int'},"
                                "{'name':'a','type':'string'}");
    assert_resolves(writer, reader, BYTES(2, 'a', 8, 4, 4, 2, 2, 'x', 4, 2, 'y', 0),
                    BYTES(4, 2, 'x', 2, 2, 'y', 4, 0, 2, 4, 2, 'a'));
}

static void blocks_are_kept_and_checked(void **state)
{
    (void)state;
    char message[GW_ERR_MESSAGE_BYTES];
    const char *array = RECORD(FIELD("x", ARRAY("'int'")));
    const char *longs = RECORD(FIELD("x", ARRAY("'long'")));
    assert_resolves(array, longs, BYTES(2, 2, 3, 4, 4, 6, 0), BYTES(2, 2, 4, 4, 6, 0));
    assert_type_resolves(MAP("'int'"), MAP("'double'"), BYTES(2, 2, 'k', 6, 0),
                         BYTES(2, 2, 'k', 0, 0, 0, 0, 0, 0, 0x08, 0x40, 0));
    assert_fails(fail_on(array, longs, BYTES(3, 6, 4, 6, 0), message), GW_E_MALFORMED);
    assert_string_equal(message, "R.x: malformed");
}

static void optional_and_plain_become_each_other(void **state)
{
    (void)state;
    char message[GW_ERR_MESSAGE_BYTES];
    const char *optional = RECORD(FIELD("x", "['null','int']"));
    const char *plain = RECORD(FIELD("x", "'int'"));
    assert_type_resolves("'int'", "['null','long']", BYTES(6), BYTES(2, 6));
    assert_type_resolves("['null','int']", "['null','long']", BYTES(2, 6), BYTES(2, 6));
    assert_type_resolves("['null','int']", "['null','long']", BYTES(0), BYTES(0));
    assert_type_resolves("['null','int']", "'long'", BYTES(2, 6), BYTES(6));
    assert_fails(fail_on(optional, plain, BYTES(0), message), GW_E_INVALID);
    assert_string_equal(message, "R.x: no counterpart in the reader's schema");
    assert_fails(fail_on(optional, plain, BYTES(4), message), GW_E_MALFORMED);
}

static void enums_match_by_symbol(void **state)
{
    (void)state;
    char message[GW_ERR_MESSAGE_BYTES];
    const char *writer = RECORD(FIELD("x", ENUM("'A','B'")));
    const char *reader = RECORD(FIELD("x", ENUM("'A'")));
    assert_type_resolves(ENUM("'A','B','C'"), ENUM("'C','A'"), BYTES(4), BYTES(0));
    assert_type_resolves(ENUM("'A','B'"), ENUM_OR("'A','UNKNOWN'", "UNKNOWN"), BYTES(2), BYTES(2));
    assert_fails(fail_on(writer, reader, BYTES(2), message), GW_E_INVALID);
    assert_string_equal(message, "R.x: no counterpart in the reader's schema");
    assert_fails(fail_on(writer, reader, BYTES(4), message), GW_E_MALFORMED);
}

static void field_matches_by_alias(void **state)
{
    (void)state;
    const char *writer = RECORD("{'name':'older','type':'int'},{'name':'old','type':'int'}");
    assert_resolves(writer, RECORD("{'name':'new','type':'int','aliases':['old','older']}"), BYTES(2, 4), BYTES(4));
    assert_resolves(writer, RECORD("{'name':'older','type':'int','aliases':['old']}"), BYTES(2, 4), BYTES(2));
    assert_resolves(writer,
                    RECORD("{'name':'p','type':'int','aliases':['old']},"
                           "{'name':'q','type':'long','aliases':['old']}"),
                    BYTES(2, 4), BYTES(4, 4));
}

static void type_names_must_match_or_be_aliases(void **state)
{
    (void)state;
    const char *writer = RECORD(FIELD("x", FIXED_2));
    assert_mismatch(writer, RECORD(FIELD("x", "{'type':'fixed','name':'G','size':2}")),
                    "R.x: written as 'F', cannot be read as 'G'");
    assert_mismatch(writer, RECORD(FIELD("x", "{'type':'fixed','name':'F','size':3}")),
                    "R.x: written as 'F', cannot be read as 'F'");
    assert_type_resolves(FIXED_2, "{'type':'fixed','name':'G','size':2,'aliases':['n.F']}", BYTES(1, 2), BYTES(1, 2));
    assert_type_resolves("{'type':'fixed','name':'F','namespace':'old','size':2}", FIXED_2, BYTES(1, 2), BYTES(1, 2));
    assert_mismatch(RECORD(FIELD("x", ARRAY("'int'"))), RECORD(FIELD("x", MAP("'int'"))),
                    "R.x: written as 'array', cannot be read as 'map'");
    assert_mismatch("'int'", writer, "a schema is not of a record");
}

static void bad_schema_is_said_to_be_the_writers_or_readers(void **state)
{
    (void)state;
    char message[GW_ERR_MESSAGE_BYTES];
    const char *good = RECORD(FIELD("x", "'int'"));
    assert_fails(fail_on("{", good, BYTES(0), message), GW_E_MALFORMED);
    assert_memory_equal(message, "writer: ", 8);
    assert_fails(fail_on(good, "'R'", BYTES(0), message), GW_E_INVALID);
    assert_memory_equal(message, "reader: ", 8);
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    const char *writer = RECORD("{'name':'a','type':'string'},{'name':'b','type':'int'}");
    const char *reader = RECORD("{'name':'b','type':'long'},"
                                "{'name':'c','type':'bytes','default':'text'},"
                                "{'name':'a','type':'string'}");
    for (unsigned long nth = 1;; nth++) {
        struct gw_avro_resolver *resolver = NULL;
        struct gw_buf out = {0};
        gw_mem_fail_nth(nth);
        gw_status status = open_resolver(writer, reader, &resolver, NULL);
        if (status == GW_OK) {
            status = gw_avro_resolver_transcode(resolver, BYTES(2, 'a', 2), &out, NULL);
        }
        gw_mem_fail_nth(0);
        gw_avro_resolver_free(resolver);
        bool done = status == GW_OK;
        assert_true(done || (status == GW_E_MEMORY && out.size == 0));
        gw_buf_deinit(&out);
        if (done) {
            assert_true(nth > 5);
            break;
        }
    }
}

GW_TESTS(numbers_are_widened, numbers_are_not_narrowed, equal_types_are_copied_and_checked,
         reader_field_takes_its_default, defaults_may_be_compound, default_that_does_not_fit_its_type_is_invalid,
         reader_field_without_default_is_a_mismatch, writer_only_field_of_any_type_is_skipped,
         skipped_field_is_still_checked, fields_may_stand_in_another_order, blocks_are_kept_and_checked,
         optional_and_plain_become_each_other, enums_match_by_symbol, field_matches_by_alias,
         type_names_must_match_or_be_aliases, bad_schema_is_said_to_be_the_writers_or_readers,
         every_failed_allocation_is_survived)
