// SPDX-License-Identifier: MIT
#include "base/hash.h"

#include "base/bytes.h"
#include "base/check.h"

uint32_t gw_hash_murmur2(const void *data, size_t size)
{
    const uint32_t m = 0x5bd1e995;
    const uint8_t *bytes = data;
    uint32_t h = 0x9747b28c ^ (uint32_t)size;

    for (; size >= 4; bytes += 4, size -= 4) {
        uint32_t k = gw_load_le32(bytes);
        k *= m;
        k ^= k >> 24;
        k *= m;
        h *= m;
        h ^= k;
    }
    if (size > 0) {
        for (size_t i = size; i > 0; i--) {
            h ^= (uint32_t)bytes[i - 1] << (8 * (i - 1));
        }
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ (h >> 15);
}

uint32_t gw_hash_partition(const void *key, size_t size, uint32_t count)
{
    GW_ASSERT(count > 0);
    return (gw_hash_murmur2(key, size) & 0x7fffffffu) % count;
}

uint32_t gw_hash_partition_of_id(int64_t id, uint32_t count)
{
    uint8_t key[8];
    gw_store_be64(key, (uint64_t)id);
    return gw_hash_partition(key, sizeof key, count);
}

uint64_t gw_hash_fnv1a(uint64_t start, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t h = start;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ bytes[i]) * 0x100000001b3u;
    }
    return h;
}
