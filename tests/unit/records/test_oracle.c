// SPDX-License-Identifier: MIT
// Each record's codec against avro-c, on random values of its schema.
#include "checks.h"

static void each_record_keeps_what_the_oracle_encoded(void **state)
{
    (void)state;
    uint64_t seed = fresh_seed("oracle");
    for (size_t i = 0; i < GW_RECORDS_COUNT; i++) {
        check_against_oracle(&gw_records[i], seed + i, 200);
    }
}

static void each_record_refuses_damage_or_reads_another_value(void **state)
{
    (void)state;
    uint64_t seed = fresh_seed("damage");
    for (size_t i = 0; i < GW_RECORDS_COUNT; i++) {
        check_damage(&gw_records[i], seed + i, 10);
    }
}

static void table_names_each_record_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_RECORDS_COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(gw_records[i].name, gw_records[j].name);
            assert_string_not_equal(gw_records[i].file, gw_records[j].file);
        }
    }
}

GW_TESTS(each_record_keeps_what_the_oracle_encoded, each_record_refuses_damage_or_reads_another_value,
         table_names_each_record_once)
