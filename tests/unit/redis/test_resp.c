// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "base/rng.h"
#include "redis/resp.h"
#include "support/testkit.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

static struct gw_slice bytes_of(const struct gw_resp_node *node, const char *input)
{
    return gw_slice_make(input + node->offset, (size_t)node->value);
}

static void parses_each_type(void **state)
{
    (void)state;
    static const char input[] = "+OK\r\n-ERR no\r\n:-42\r\n$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n";
    static const struct {
        enum gw_resp_type type;
        int64_t value;
        const char *text;
    } expected[] = {{GW_RESP_TEXT, 2, "OK"},    {GW_RESP_ERROR, 6, "ERR no"}, {GW_RESP_INTEGER, -42, NULL},
                    {GW_RESP_BULK, 3, "a\r\n"}, {GW_RESP_BULK, 0, ""},        {GW_RESP_NIL, 0, NULL},
                    {GW_RESP_NIL, 0, NULL},     {GW_RESP_ARRAY, 0, NULL}};
    struct gw_resp_parser parser = {0};

    for (size_t i = 0; i < GW_COUNT_OF(expected); i++) {
        bool complete = false;
        assert_ok(gw_resp_parse(&parser, gw_slice_text(input), &complete, NULL));
        assert_true(complete);
        assert_int_equal(parser.node_count, i + 1);
        assert_int_equal(parser.nodes[i].type, expected[i].type);
        assert_int_equal(parser.nodes[i].value, expected[i].value);
        if (expected[i].text != NULL) {
            assert_true(gw_slice_is(bytes_of(&parser.nodes[i], input), expected[i].text));
        }
    }
    assert_int_equal(parser.position, sizeof input - 1);
    gw_resp_parser_deinit(&parser);
}

static void next_skips_nested_elements(void **state)
{
    (void)state;
    static const char input[] = "*3\r\n*2\r\n:1\r\n*1\r\n:2\r\n*0\r\n$1\r\nx\r\n";
    struct gw_resp_parser parser = {0};
    bool complete = false;

    assert_ok(gw_resp_parse(&parser, gw_slice_text(input), &complete, NULL));
    assert_true(complete);
    assert_int_equal(parser.node_count, 7);
    const uint32_t next[] = {7, 5, 3, 5, 5, 6, 7};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(parser.nodes[i].next, next[i]);
    }
    gw_resp_parser_deinit(&parser);
}

static void resumes_at_every_split(void **state)
{
    (void)state;
    static const char input[] = "*4\r\n$10\r\n0123456789\r\n$-1\r\n*2\r\n:12345678901\r\n+queued\r\n-ERR bad thing\r\n";
    struct gw_resp_parser parser = {0};
    bool complete = false;

    for (size_t split = 0; split < sizeof input - 1; split++) {
        gw_resp_parser_clear(&parser);
        for (size_t size = 0; size <= split; size += split > 0 ? split : 1) {
            // A heap copy of exactly this size, so that a read past it is seen.
            uint8_t *part = gw_mem_calloc(size, 1);
            memcpy(part, input, size);
            assert_ok(gw_resp_parse(&parser, gw_slice_make(part, size), &complete, NULL));
            assert_false(complete);
            gw_mem_free(part);
        }
        assert_ok(gw_resp_parse(&parser, gw_slice_text(input), &complete, NULL));
        assert_true(complete);
        assert_int_equal(parser.node_count, 7);
        assert_int_equal(parser.nodes[4].value, 12345678901);
        assert_int_equal(parser.position, sizeof input - 1);
    }
    gw_resp_parser_deinit(&parser);
}

static void refuses_what_is_not_resp(void **state)
{
    (void)state;
    static const char *const inputs[] = {"x\r\n",
                                         "\r\n",
                                         ":\r\n",
                                         ":1x\r\n",
                                         ":99999999999999999999\r\n",
                                         "$-2\r\n",
                                         "$2\r\nabc\r\n",
                                         "*-2\r\n",
                                         "+a\rb",
                                         ":000000000000000000000001\r\n",
                                         ":--1\r\n",
                                         "$1\n",
                                         "*1\r\n!\r\n",
                                         ":9223372036854775808\r\n"};
    for (size_t i = 0; i < GW_COUNT_OF(inputs); i++) {
        struct gw_resp_parser parser = {0};
        bool complete = false;
        gw_err err = {0};
        gw_status status = gw_resp_parse(&parser, gw_slice_text(inputs[i]), &complete, &err);
        if (status != GW_E_MALFORMED) {
            print_error("input %zu gave %s\n", i, gw_status_name(status));
        }
        assert_fails(status, GW_E_MALFORMED);
        gw_resp_parser_deinit(&parser);
    }
}

static void refuses_what_is_over_a_bound(void **state)
{
    (void)state;
    char *line = gw_mem_calloc(GW_RESP_LINE_BYTES_MAX + 8, 1);
    memset(line, 'a', GW_RESP_LINE_BYTES_MAX + 7);
    line[0] = '+';
    const char *const inputs[] = {"$16777217\r\n", "*4194305\r\n", line,
                                  "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"};
    for (size_t i = 0; i < GW_COUNT_OF(inputs); i++) {
        struct gw_resp_parser parser = {0};
        bool complete = false;
        assert_fails(gw_resp_parse(&parser, gw_slice_text(inputs[i]), &complete, NULL), GW_E_TOO_LARGE);
        gw_resp_parser_deinit(&parser);
    }
    gw_mem_free(line);
}

static void reads_the_extremes_of_integers(void **state)
{
    (void)state;
    static const char input[] = ":9223372036854775807\r\n:-9223372036854775808\r\n";
    struct gw_resp_parser parser = {0};
    bool complete = false;
    assert_ok(gw_resp_parse(&parser, gw_slice_text(input), &complete, NULL));
    assert_ok(gw_resp_parse(&parser, gw_slice_text(input), &complete, NULL));
    assert_true(parser.nodes[0].value == INT64_MAX);
    assert_true(parser.nodes[1].value == INT64_MIN);
    gw_resp_parser_deinit(&parser);
}

static void out_of_memory_is_a_status(void **state)
{
    (void)state;
    struct gw_resp_parser parser = {0};
    bool complete = false;
    gw_mem_fail_nth(1);
    assert_fails(gw_resp_parse(&parser, gw_slice_text(":1\r\n"), &complete, NULL), GW_E_MEMORY);
    gw_resp_parser_deinit(&parser);
}

// ---- against hiredis

static void append_random_reply(struct gw_rng *rng, struct gw_buf *buf, int depth)
{
    static const int64_t numbers[] = {0, -1, 7, 123456, INT64_MAX, INT64_MIN + 1};
    switch (gw_rng_below(rng, depth < 5 ? 7 : 5)) {
    case 0:
        assert_ok(gw_buf_append_format(buf, "+line %llu\r\n", (unsigned long long)gw_rng_below(rng, 1000)));
        break;
    case 1:
        assert_ok(gw_buf_append_format(buf, "-ERR %llu\r\n", (unsigned long long)gw_rng_below(rng, 1000)));
        break;
    case 2:
        assert_ok(gw_buf_append_format(buf, ":%lld\r\n", (long long)numbers[gw_rng_below(rng, GW_COUNT_OF(numbers))]));
        break;
    case 3:
        assert_ok(gw_buf_append_text(buf, gw_rng_below(rng, 2) == 0 ? "$-1\r\n" : "*-1\r\n"));
        break;
    case 4: {
        size_t size = gw_rng_below(rng, 300);
        assert_ok(gw_buf_append_format(buf, "$%zu\r\n", size));
        for (size_t i = 0; i < size; i++) {
            uint8_t byte = (uint8_t)gw_rng_next(rng);
            assert_ok(gw_buf_append(buf, &byte, 1));
        }
        assert_ok(gw_buf_append_text(buf, "\r\n"));
        break;
    }
    default: {
        uint64_t count = gw_rng_below(rng, 6);
        assert_ok(gw_buf_append_format(buf, "*%llu\r\n", (unsigned long long)count));
        for (uint64_t i = 0; i < count; i++) {
            append_random_reply(rng, buf, depth + 1);
        }
    }
    }
}

// Walks both trees; returns the index behind `index`.
static size_t assert_same_tree(const struct gw_resp_parser *parser, const uint8_t *input, size_t index,
                               const redisReply *reply)
{
    static const int types[] = {[GW_RESP_TEXT] = REDIS_REPLY_STATUS,     [GW_RESP_ERROR] = REDIS_REPLY_ERROR,
                                [GW_RESP_INTEGER] = REDIS_REPLY_INTEGER, [GW_RESP_BULK] = REDIS_REPLY_STRING,
                                [GW_RESP_NIL] = REDIS_REPLY_NIL,         [GW_RESP_ARRAY] = REDIS_REPLY_ARRAY};
    const struct gw_resp_node *node = &parser->nodes[index];
    assert_int_equal(types[node->type], reply->type);
    size_t next = index + 1;
    switch ((enum gw_resp_type)node->type) {
    case GW_RESP_TEXT:
    case GW_RESP_ERROR:
    case GW_RESP_BULK:
        assert_int_equal(node->value, reply->len);
        assert_memory_equal(input + node->offset, reply->str, reply->len);
        break;
    case GW_RESP_INTEGER:
        assert_int_equal(node->value, reply->integer);
        break;
    case GW_RESP_NIL:
        break;
    case GW_RESP_ARRAY:
        assert_int_equal(node->value, reply->elements);
        for (size_t i = 0; i < reply->elements; i++) {
            next = assert_same_tree(parser, input, next, reply->element[i]);
        }
    }
    assert_int_equal(node->next, next);
    return next;
}

static void agrees_with_hiredis_on_random_replies(void **state)
{
    (void)state;
    struct gw_rng rng;
    gw_rng_init(&rng, 20240601);
    struct gw_resp_parser parser = {0};
    struct gw_buf buf = {0};

    for (int round = 0; round < 2000; round++) {
        gw_buf_clear(&buf);
        gw_resp_parser_clear(&parser);
        append_random_reply(&rng, &buf, 0);
        bool complete = false;
        assert_ok(gw_resp_parse(&parser, gw_buf_slice(&buf), &complete, NULL));
        assert_true(complete);

        redisReader *reader = redisReaderCreate();
        void *reply = NULL;
        redisReaderFeed(reader, (const char *)buf.data, buf.size);
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
        assert_non_null(reply);
        assert_int_equal(assert_same_tree(&parser, buf.data, 0, reply), parser.node_count);
        freeReplyObject(reply);
        redisReaderFree(reader);
    }
    gw_buf_deinit(&buf);
    gw_resp_parser_deinit(&parser);
}

static void writes_commands_as_hiredis_does(void **state)
{
    (void)state;
    struct gw_buf buf = {0};
    char *expected = NULL;
    int size = redisFormatCommand(&expected, "SET %b %b", "k\0y", (size_t)3, "", (size_t)0);

    assert_ok(gw_resp_write_command(&buf, 3));
    assert_ok(gw_resp_write_argument(&buf, "SET", 3));
    assert_ok(gw_resp_write_argument(&buf, "k\0y", 3));
    assert_ok(gw_resp_write_argument(&buf, NULL, 0));
    assert_int_equal(buf.size, size);
    assert_memory_equal(buf.data, expected, (size_t)size);

    redisFreeCommand(expected);
    gw_buf_deinit(&buf);
}

GW_TESTS(parses_each_type, next_skips_nested_elements, resumes_at_every_split, refuses_what_is_not_resp,
         refuses_what_is_over_a_bound, reads_the_extremes_of_integers, out_of_memory_is_a_status,
         agrees_with_hiredis_on_random_replies, writes_commands_as_hiredis_does)
