// SPDX-License-Identifier: MIT
// What the files of store/ share of a gw_store. Internal to store/.
#pragma once

#include "redis/redis.h"
#include "store/rows.h"

#define GW_STORE_PREFIX_BYTES_MAX 64
#define GW_STORE_LOG_ID_BYTES     16

struct gw_store {
    struct gw_redis *redis;
    size_t prefix_size;
    char prefix[GW_STORE_PREFIX_BYTES_MAX + 1];
    uint8_t log_id[GW_STORE_LOG_ID_BYTES]; // as checked; applies then refuse a store of another log
    bool log_id_known;
    struct gw_redis_script apply;
};
