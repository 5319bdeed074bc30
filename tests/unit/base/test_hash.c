// SPDX-License-Identifier: MIT
#include "base/bytes.h"
#include "base/hash.h"
#include "support/testkit.h"

#include <string.h>

// The vectors of Kafka's own UtilsTest.testMurmur2.
static void murmur2_matches_kafka(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t hash;
    } vectors[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < GW_COUNT_OF(vectors); i++) {
        assert_int_equal((int32_t)gw_hash_murmur2(vectors[i].text, strlen(vectors[i].text)), vectors[i].hash);
    }
}

static void partition_is_positive_hash_modulo_count(void **state)
{
    (void)state;
    assert_int_equal(gw_hash_partition("21", 2, 16), (uint32_t)(-973932308 & 0x7fffffff) % 16);
    assert_int_equal(gw_hash_partition("abc", 3, 7), 479470107 % 7);
    static const uint8_t key[8] = {0, 0, 0, 0, 0, 0, 1, 2};
    assert_int_equal(gw_hash_partition_of_id(258, 16), gw_hash_partition(key, sizeof key, 16));
}

static void fnv1a_matches_its_published_vectors_and_chains(void **state)
{
    (void)state;
    assert_true(gw_hash_fnv1a(GW_HASH_FNV_START, "", 0) == GW_HASH_FNV_START);
    assert_true(gw_hash_fnv1a(GW_HASH_FNV_START, "a", 1) == 0xaf63dc4c8601ec8cu);
    assert_true(gw_hash_fnv1a(GW_HASH_FNV_START, "foobar", 6) == 0x85944171f73967e8u);
    uint64_t chained = gw_hash_fnv1a(gw_hash_fnv1a(GW_HASH_FNV_START, "foo", 3), "bar", 3);
    assert_true(chained == 0x85944171f73967e8u);
}

GW_TESTS(murmur2_matches_kafka, partition_is_positive_hash_modulo_count, fnv1a_matches_its_published_vectors_and_chains)
