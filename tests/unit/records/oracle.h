// SPDX-License-Identifier: MIT
// Random values of a schema, encoded by avro-c: an encoder that shares no line with ours.
#pragma once

#include "base/bytes.h"
#include "base/rng.h"
#include "support/testkit.h"

#include <avro.h>
#include <stdio.h>

#define ORACLE(call) assert_int_equal((call), 0)

static void oracle_fill(avro_value_t *value, struct gw_rng *rng);

// Ends of ranges and round powers come up more often than chance would have them.
static int64_t oracle_integer(struct gw_rng *rng, unsigned bits)
{
    uint64_t raw = gw_rng_next(rng) >> (64 - 1 - gw_rng_below(rng, bits));
    switch (gw_rng_below(rng, 8)) {
    case 0:
        return bits == 32 ? INT32_MIN : INT64_MIN;
    case 1:
        return bits == 32 ? INT32_MAX : INT64_MAX;
    case 2:
        return 0;
    default:
        raw &= bits == 32 ? INT32_MAX : INT64_MAX;
        return gw_rng_below(rng, 2) == 0 ? (int64_t)raw : -(int64_t)raw;
    }
}

static void oracle_bytes(struct gw_rng *rng, char *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (char)(1 + gw_rng_below(rng, 255));
    }
    to[size] = '\0';
}

static void oracle_record(avro_value_t *value, struct gw_rng *rng)
{
    size_t count = 0;
    ORACLE(avro_value_get_size(value, &count));
    for (size_t i = 0; i < count; i++) {
        avro_value_t field;
        ORACLE(avro_value_get_by_index(value, i, &field, NULL));
        oracle_fill(&field, rng);
    }
}

static void oracle_items(avro_value_t *value, struct gw_rng *rng, bool map)
{
    size_t count = gw_rng_below(rng, 4) == 0 ? 0 : gw_rng_below(rng, 5);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        char key[32];
        if (map) {
            snprintf(key, sizeof key, "key%zu", i);
            ORACLE(avro_value_add(value, key, &item, NULL, NULL));
        } else {
            ORACLE(avro_value_append(value, &item, NULL));
        }
        oracle_fill(&item, rng);
    }
}

static void oracle_fill(avro_value_t *value, struct gw_rng *rng)
{
    char bytes[301];
    size_t size = gw_rng_below(rng, 8) == 0 ? gw_rng_below(rng, 300) : gw_rng_below(rng, 8);
    avro_value_t branch;
    avro_schema_t schema = avro_value_get_schema(value);
    switch (avro_value_get_type(value)) {
    case AVRO_BOOLEAN:
        ORACLE(avro_value_set_boolean(value, (int)gw_rng_below(rng, 2)));
        break;
    case AVRO_INT32:
        ORACLE(avro_value_set_int(value, (int32_t)oracle_integer(rng, 32)));
        break;
    case AVRO_INT64:
        ORACLE(avro_value_set_long(value, oracle_integer(rng, 63)));
        break;
    case AVRO_FLOAT:
        ORACLE(avro_value_set_float(value, (float)gw_rng_normal(rng)));
        break;
    case AVRO_DOUBLE:
        ORACLE(avro_value_set_double(value, gw_rng_normal(rng)));
        break;
    case AVRO_BYTES:
        oracle_bytes(rng, bytes, size);
        ORACLE(avro_value_set_bytes(value, bytes, size));
        break;
    case AVRO_STRING:
        oracle_bytes(rng, bytes, size);
        ORACLE(avro_value_set_string_len(value, bytes, size + 1));
        break;
    case AVRO_ENUM:
        ORACLE(
            avro_value_set_enum(value, (int)gw_rng_below(rng, (uint64_t)avro_schema_enum_number_of_symbols(schema))));
        break;
    case AVRO_FIXED:
        size = (size_t)avro_schema_fixed_size(schema);
        assert_true(size < sizeof bytes);
        oracle_bytes(rng, bytes, size);
        ORACLE(avro_value_set_fixed(value, bytes, size));
        break;
    case AVRO_UNION:
        ORACLE(avro_value_set_branch(value, (int)gw_rng_below(rng, 2), &branch));
        oracle_fill(&branch, rng);
        break;
    case AVRO_NULL:
        ORACLE(avro_value_set_null(value));
        break;
    case AVRO_RECORD:
        oracle_record(value, rng);
        break;
    case AVRO_ARRAY:
    case AVRO_MAP:
        oracle_items(value, rng, avro_value_get_type(value) == AVRO_MAP);
        break;
    default:
        fail_msg("type %d", (int)avro_value_get_type(value));
    }
}

// A schema and one value of it.
struct oracle {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
};

static struct oracle oracle_open(const char *json)
{
    struct oracle oracle = {0};
    ORACLE(avro_schema_from_json_length(json, strlen(json), &oracle.schema));
    oracle.class = avro_generic_class_from_schema(oracle.schema);
    assert_non_null(oracle.class);
    ORACLE(avro_generic_value_new(oracle.class, &oracle.value));
    return oracle;
}

static void oracle_close(struct oracle *oracle)
{
    avro_value_decref(&oracle->value);
    avro_value_iface_decref(oracle->class);
    avro_schema_decref(oracle->schema);
}

// Replaces *out with the encoding of a random value.
static void oracle_encode(struct oracle *oracle, struct gw_rng *rng, struct gw_buf *out)
{
    size_t size = 0;
    ORACLE(avro_value_reset(&oracle->value));
    oracle_fill(&oracle->value, rng);
    ORACLE(avro_value_sizeof(&oracle->value, &size));
    gw_buf_clear(out);
    assert_ok(gw_buf_reserve(out, size + 1));
    avro_writer_t writer = avro_writer_memory((char *)out->data, (int64_t)size);
    assert_non_null(writer);
    ORACLE(avro_value_write(writer, &oracle->value));
    out->size = size;
    avro_writer_free(writer);
}
