// SPDX-License-Identifier: MIT
// One connection to Redis: pipelined commands and scripts under a deadline. The only folder that includes hiredis.
//
// Life of a call: gw_redis_begin, then for each command gw_redis_command and its arguments, then gw_redis_exchange,
// then the replies, which stay valid until the next gw_redis_begin. hiredis resolves the name and connects; requests
// and replies go through resp.h, because a redisReply per row costs more than the rest of a read.
//
// The connection is opened by the first exchange. After an I/O error, a timeout or bytes that do not parse it is
// dropped (a reply may still be on its way) and opened again by a later exchange, not before a growing, jittered delay:
// until then exchanges fail at once with GW_E_UNAVAILABLE. A lost reply does not tell whether the command ran.
//
// One owning thread per handle.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "redis/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_redis;

struct gw_redis_options {
    const char *address;  // "host:port" or "[v6]:port"; borrowed for the call
    const char *password; // NULL or empty: none; borrowed for the call
    uint32_t timeout_ms;  // > 0; bounds a connect, and gw_redis_deadline
};

// Opens lazily: no connection is made here. GW_E_CONFIG: the address does not parse. Free with gw_redis_free.
GW_CHECK gw_status gw_redis_new(const struct gw_redis_options *options, struct gw_redis **ret_redis, gw_err *err);
void gw_redis_free(struct gw_redis *redis);

// "host:port" as given, for messages; borrowed for the life of the handle.
const char *gw_redis_address(const struct gw_redis *redis);

// timeout_ms from now, monotonic microseconds.
uint64_t gw_redis_deadline(const struct gw_redis *redis);

// Forgets the commands and replies of the last call.
void gw_redis_begin(struct gw_redis *redis);

// Starts a command of `argument_count` arguments, its name included; exactly so many gw_redis_arg* follow. Running out
// of memory here is reported by the exchange.
void gw_redis_command(struct gw_redis *redis, size_t argument_count);
void gw_redis_arg(struct gw_redis *redis, const void *data, size_t size);
void gw_redis_arg_text(struct gw_redis *redis, const char *text);
void gw_redis_arg_number(struct gw_redis *redis, int64_t number);

// Sends the commands, at most 4 without their replies at a time, and reads all replies. An error reply is a reply:
// gw_redis_expect reports it. deadline_us is monotonic.
// GW_E_TIMEOUT, GW_E_UNAVAILABLE, GW_E_MEMORY; GW_E_CONFIG when the password is refused.
GW_CHECK gw_status gw_redis_exchange(struct gw_redis *redis, uint64_t deadline_us, gw_err *err);

// Reply of the index-th command of the last exchange; then the node behind `node` and its elements (an array's first
// element is node + 1); bytes of a TEXT, ERROR or BULK node. All borrowed until the next gw_redis_begin.
const struct gw_resp_node *gw_redis_reply(const struct gw_redis *redis, size_t index);
const struct gw_resp_node *gw_redis_next(const struct gw_redis *redis, const struct gw_resp_node *node);
struct gw_slice gw_redis_bytes(const struct gw_redis *redis, const struct gw_resp_node *node);

// Checks a reply's (or element's) type. An error reply becomes GW_E_UNAVAILABLE (loading, busy, out of memory,
// read-only), GW_E_CONFIG (not allowed) or GW_E_INTERNAL; another type is GW_E_MISMATCH.
GW_CHECK gw_status gw_redis_expect(const struct gw_redis *redis, const struct gw_resp_node *node,
                                   enum gw_resp_type type, gw_err *err);

// A Lua script and its digest as the server told it; zero but for `text` at first. One per connection.
struct gw_redis_script {
    const char *text;
    char sha1[41];
};

// Starts a call (with gw_redis_begin's effect) of a script; key_count + argument_count gw_redis_arg* follow, keys
// first.
void gw_redis_script_begin(struct gw_redis *redis, const struct gw_redis_script *script, size_t key_count,
                           size_t argument_count);

// Runs it by EVALSHA; by EVAL when the server does not know the script, which runs nothing before it says so.
// *ret_reply is borrowed until the next begin; error replies are mapped as by gw_redis_expect.
GW_CHECK gw_status gw_redis_script_run(struct gw_redis *redis, struct gw_redis_script *script, uint64_t deadline_us,
                                       const struct gw_resp_node **ret_reply, gw_err *err);
