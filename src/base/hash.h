// SPDX-License-Identifier: MIT
// Non-cryptographic hashes: Kafka's murmur2 for partitions, FNV-1a for fingerprints, a 64-bit mixer for tables.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Kafka's partitioner hash (org.apache.kafka.common.utils.Utils.murmur2): seed 0x9747b28c, 32-bit.
uint32_t gw_hash_murmur2(const void *data, size_t size);

// The partition that Kafka's default partitioner gives this key: positive(murmur2) mod count. count > 0.
uint32_t gw_hash_partition(const void *key, size_t size, uint32_t count);

// The partition of an entity whose key is its 8-byte big-endian id.
uint32_t gw_hash_partition_of_id(int64_t id, uint32_t count);

// FNV-1a, 64-bit: fingerprints of texts that people write (layouts, schemas). Chain by passing the last result.
#define GW_HASH_FNV_START 0xcbf29ce484222325u
uint64_t gw_hash_fnv1a(uint64_t start, const void *data, size_t size);

// Bijective finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014): spreads ids over a table.
static inline uint64_t gw_hash_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}
