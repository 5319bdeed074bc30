// SPDX-License-Identifier: MIT
#include "redis/redis.h"

#include "base/away.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "redis/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define IN_FLIGHT_MAX   4 // commands: MGETs of 128 keys gain nothing beyond, and the server buffers replies
#define RECEIVE_BYTES   (64 * 1024)
#define INPUT_BYTES_MAX (256 * 1024 * 1024)
#define RETRY_BASE_MS   50
#define RETRY_CAP_MS    1000
#define RETRY_FLOOR_MS  20
#define IDLE_CHECK_US   1000000 // a connection unused for so long may have been closed by the server meanwhile

struct gw_redis {
    char *address;
    char *host;
    int port;
    char *password; // NULL: none
    uint32_t timeout_ms;

    redisContext *context; // NULL: not connected
    struct gw_away away;
    uint64_t used_at_us; // end of the last good exchange

    struct gw_redis_pipeline request;
    struct gw_buf input;
    struct gw_resp_parser parser;
    uint32_t *replies; // node index of each reply
    size_t reply_count;
    size_t reply_capacity;
    size_t script_key_count;
    size_t script_argument_count;   // keys included
    size_t script_head_bytes;       // of the request, before the arguments
    struct gw_buf script_arguments; // copied aside while the request is made again
};

static gw_status parse_address(struct gw_redis *redis, gw_err *err)
{
    const char *address = redis->address;
    const char *colon = strrchr(address, ':');
    if (colon == NULL) {
        return gw_fail(err, GW_E_CONFIG, "redis address '%s': expected host:port", address);
    }
    size_t host_size = (size_t)(colon - address);
    bool bracketed = host_size >= 2 && address[0] == '[' && colon[-1] == ']';
    const char *host = bracketed ? address + 1 : address;
    host_size -= bracketed ? 2 : 0;
    if (host_size == 0 || (!bracketed && memchr(host, ':', host_size) != NULL)) {
        return gw_fail(err, GW_E_CONFIG, "redis address '%s': expected host:port or [v6]:port", address);
    }
    char *end = NULL;
    errno = 0;
    long port = colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : 0;
    if (port < 1 || port > 65535 || *end != '\0') {
        return gw_fail(err, GW_E_CONFIG, "redis address '%s': port '%s' is not in 1..65535", address, colon + 1);
    }
    redis->host = gw_mem_strndup(host, host_size);
    redis->port = (int)port;
    return redis->host != NULL ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for a redis connection");
}

static void free_redis(struct gw_redis **redis)
{
    gw_redis_free(*redis);
}

gw_status gw_redis_new(const struct gw_redis_options *options, struct gw_redis **ret_redis, gw_err *err)
{
    GW_ASSERT(options->timeout_ms > 0);
    GW_CLEANUP(free_redis) struct gw_redis *redis = gw_mem_calloc(1, sizeof *redis);
    if (redis == NULL || (redis->address = gw_mem_strdup(options->address)) == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a redis connection");
    }
    GW_TRY(parse_address(redis, err));
    if (options->password != NULL && options->password[0] != '\0') {
        redis->password = gw_mem_strdup(options->password);
        if (redis->password == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for a redis connection");
        }
    }
    redis->timeout_ms = options->timeout_ms;
    uint64_t seed = gw_clock_mono_us() ^ (uint64_t)(uintptr_t)redis;
    gw_away_init(&redis->away, RETRY_FLOOR_MS, RETRY_BASE_MS, RETRY_CAP_MS, seed);
    *ret_redis = redis;
    redis = NULL;
    return GW_OK;
}

void gw_redis_free(struct gw_redis *redis)
{
    if (redis == NULL) {
        return;
    }
    if (redis->context != NULL) {
        redisFree(redis->context);
    }
    gw_buf_deinit(&redis->script_arguments);
    gw_mem_free(redis->replies);
    gw_resp_parser_deinit(&redis->parser);
    gw_buf_deinit(&redis->input);
    gw_redis_pipeline_deinit(&redis->request);
    gw_mem_free(redis->password);
    gw_mem_free(redis->host);
    gw_mem_free(redis->address);
    gw_mem_free(redis);
}

const char *gw_redis_address(const struct gw_redis *redis)
{
    return redis->address;
}

uint64_t gw_redis_deadline(const struct gw_redis *redis)
{
    return gw_clock_mono_us() + (uint64_t)redis->timeout_ms * 1000;
}

// ---- writing commands

void gw_redis_begin(struct gw_redis *redis)
{
    gw_redis_pipeline_clear(&redis->request);
    gw_buf_clear(&redis->input);
    gw_resp_parser_clear(&redis->parser);
    redis->reply_count = 0;
}

void gw_redis_command(struct gw_redis *redis, size_t argument_count)
{
    gw_redis_pipeline_command(&redis->request, argument_count);
}

void gw_redis_arg(struct gw_redis *redis, const void *data, size_t size)
{
    gw_redis_pipeline_argument(&redis->request, data, size);
}

void gw_redis_arg_text(struct gw_redis *redis, const char *text)
{
    gw_redis_pipeline_text(&redis->request, text);
}

void gw_redis_arg_number(struct gw_redis *redis, int64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%lld", (long long)number);
    gw_redis_pipeline_argument(&redis->request, text, (size_t)size);
}

// ---- connection

// Drops the connection and sets the time before which it is not opened again. Returns `status` with err filled.
static gw_status drop(struct gw_redis *redis, gw_status status, const char *why, gw_err *err)
{
    gw_away_failed(&redis->away, gw_clock_mono_us(), why);
    if (redis->context != NULL) {
        redisFree(redis->context);
        redis->context = NULL;
    }
    return gw_fail(err, status, "redis '%s': %s", redis->address, why);
}

static gw_status drop_errno(struct gw_redis *redis, const char *what, gw_err *err)
{
    char why[128];
    char text[96];
    snprintf(why, sizeof why, "%s: %s", what, strerror_r(errno, text, sizeof text));
    return drop(redis, GW_E_UNAVAILABLE, why, err);
}

static gw_status wait_ready(struct gw_redis *redis, short events, uint64_t deadline_us, gw_err *err)
{
    for (;;) {
        uint64_t now_us = gw_clock_mono_us();
        if (now_us >= deadline_us) {
            return drop(redis, GW_E_TIMEOUT, "no answer in time", err);
        }
        uint64_t left_us = deadline_us - now_us;
        struct timespec left = {.tv_sec = (time_t)(left_us / 1000000), .tv_nsec = (long)(left_us % 1000000) * 1000};
        struct pollfd pollfd = {.fd = redis->context->fd, .events = events};
        int ready = ppoll(&pollfd, 1, &left, NULL);
        if (ready > 0) {
            return GW_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return drop_errno(redis, "poll", err);
        }
    }
}

// Sends what the window allows without waiting. *sent counts bytes of the pipeline.
static gw_status send_some(struct gw_redis *redis, const struct gw_redis_pipeline *pipeline, size_t bound, size_t *sent,
                           gw_err *err)
{
    while (*sent < bound) {
        ssize_t n = send(redis->context->fd, pipeline->bytes.data + *sent, bound - *sent, MSG_NOSIGNAL);
        if (n >= 0) {
            *sent += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return GW_OK;
        } else if (errno != EINTR) {
            return drop_errno(redis, "send", err);
        }
    }
    return GW_OK;
}

// Reads what has arrived without waiting; *ret_any tells whether anything had.
static gw_status receive_some(struct gw_redis *redis, bool *ret_any, gw_err *err)
{
    if (redis->input.size > INPUT_BYTES_MAX) {
        return drop(redis, GW_E_UNAVAILABLE, "replies over the bound of one call", err);
    }
    if (gw_buf_reserve(&redis->input, RECEIVE_BYTES) != GW_OK) {
        return drop(redis, GW_E_MEMORY, "no memory for replies", err);
    }
    for (;;) {
        ssize_t n = recv(redis->context->fd, redis->input.data + redis->input.size,
                         redis->input.capacity - redis->input.size, 0);
        if (n > 0) {
            redis->input.size += (size_t)n;
            *ret_any = true;
            return GW_OK;
        }
        if (n == 0) {
            return drop(redis, GW_E_UNAVAILABLE, "connection closed by the server", err);
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            *ret_any = false;
            return GW_OK;
        }
        if (errno != EINTR) {
            return drop_errno(redis, "receive", err);
        }
    }
}

static gw_status parse_replies(struct gw_redis *redis, size_t count, gw_err *err)
{
    while (redis->reply_count < count) {
        bool complete = false;
        size_t first_node = redis->parser.depth > 0 ? redis->parser.open[0].node : redis->parser.node_count;
        gw_err why = {0};
        gw_status status = gw_resp_parse(&redis->parser, gw_buf_slice(&redis->input), &complete, &why);
        if (status != GW_OK) {
            return drop(redis, status == GW_E_MEMORY ? GW_E_MEMORY : GW_E_UNAVAILABLE, why.message, err);
        }
        if (!complete) {
            return GW_OK;
        }
        redis->replies[redis->reply_count++] = (uint32_t)first_node;
    }
    if (redis->parser.position != redis->input.size) {
        return drop(redis, GW_E_UNAVAILABLE, "more replies than commands", err);
    }
    return GW_OK;
}

static gw_status transfer(struct gw_redis *redis, const struct gw_redis_pipeline *pipeline, uint64_t deadline_us,
                          gw_err *err)
{
    if (pipeline->count > redis->reply_capacity) {
        uint32_t *replies = gw_mem_realloc(redis->replies, pipeline->count, sizeof *replies);
        if (replies == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for %zu replies", pipeline->count);
        }
        redis->replies = replies;
        redis->reply_capacity = pipeline->count;
    }
    size_t sent = 0;
    while (redis->reply_count < pipeline->count) {
        size_t window = GW_MIN(redis->reply_count + IN_FLIGHT_MAX, pipeline->count);
        size_t bound = pipeline->ends[window - 1];
        GW_TRY(send_some(redis, pipeline, bound, &sent, err));
        short events = (short)(sent < bound ? POLLIN | POLLOUT : POLLIN);
        GW_TRY(wait_ready(redis, events, deadline_us, err));
        bool any = false;
        GW_TRY(receive_some(redis, &any, err));
        if (any) {
            GW_TRY(parse_replies(redis, pipeline->count, err));
        }
    }
    return GW_OK;
}

static gw_status authenticate(struct gw_redis *redis, uint64_t deadline_us, gw_err *err)
{
    struct gw_redis_pipeline pipeline = {0};
    gw_redis_pipeline_command(&pipeline, 2);
    gw_redis_pipeline_text(&pipeline, "AUTH");
    gw_redis_pipeline_text(&pipeline, redis->password);
    gw_status status = pipeline.failed ? drop(redis, GW_E_MEMORY, "no memory for a command", err)
                                       : transfer(redis, &pipeline, deadline_us, err);
    gw_redis_pipeline_deinit(&pipeline);
    GW_TRY(status);
    gw_err why = {0};
    status = gw_redis_expect(redis, gw_redis_reply(redis, 0), GW_RESP_TEXT, &why);
    gw_buf_clear(&redis->input);
    gw_resp_parser_clear(&redis->parser);
    redis->reply_count = 0;
    if (status == GW_E_UNAVAILABLE) {
        return drop(redis, status, why.message, err);
    }
    return status == GW_OK ? GW_OK : drop(redis, GW_E_CONFIG, "password refused", err);
}

static gw_status connect_now(struct gw_redis *redis, uint64_t deadline_us, gw_err *err)
{
    uint64_t now_us = gw_clock_mono_us();
    char name[GW_ERR_MESSAGE_BYTES / 2];
    snprintf(name, sizeof name, "redis '%s'", redis->address);
    GW_TRY(gw_away_check(&redis->away, name, now_us, err));
    if (now_us >= deadline_us) {
        return gw_fail(err, GW_E_TIMEOUT, "redis '%s': no time left to connect", redis->address);
    }
    uint64_t bound_us = GW_MIN(deadline_us - now_us, (uint64_t)redis->timeout_ms * 1000);
    struct timeval bound = {.tv_sec = (time_t)(bound_us / 1000000), .tv_usec = (suseconds_t)(bound_us % 1000000)};
    redis->context = redisConnectWithTimeout(redis->host, redis->port, bound);
    if (redis->context == NULL) {
        return drop(redis, GW_E_MEMORY, "no memory for a connection", err);
    }
    if (redis->context->err != 0) {
        char why[160];
        snprintf(why, sizeof why, "cannot connect: %s", redis->context->errstr);
        return drop(redis, GW_E_UNAVAILABLE, why, err);
    }
    int flags = fcntl(redis->context->fd, F_GETFL);
    if (flags < 0 || fcntl(redis->context->fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(redis->context->fd, F_SETFD, FD_CLOEXEC) < 0) {
        return drop_errno(redis, "fcntl", err);
    }
    return redis->password != NULL ? authenticate(redis, deadline_us, err) : GW_OK;
}

// Lets the exchange open a new connection instead of failing on one that the server closed while it was idle.
static void close_if_stale(struct gw_redis *redis)
{
    if (redis->context == NULL || gw_clock_mono_us() - redis->used_at_us < IDLE_CHECK_US) {
        return;
    }
    uint8_t byte = 0;
    ssize_t n = recv(redis->context->fd, &byte, 1, MSG_PEEK);
    if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        redisFree(redis->context);
        redis->context = NULL;
    }
}

gw_status gw_redis_exchange(struct gw_redis *redis, uint64_t deadline_us, gw_err *err)
{
    GW_ASSERT(redis->request.arguments_due == 0 && redis->reply_count == 0);
    if (redis->request.failed) {
        return gw_fail(err, GW_E_MEMORY, "redis '%s': no memory for commands", redis->address);
    }
    if (redis->request.count == 0) {
        return GW_OK;
    }
    close_if_stale(redis);
    if (redis->context == NULL) {
        GW_TRY(connect_now(redis, deadline_us, err));
    }
    GW_TRY(transfer(redis, &redis->request, deadline_us, err));
    gw_away_works(&redis->away);
    redis->used_at_us = gw_clock_mono_us();
    return GW_OK;
}

// ---- replies

const struct gw_resp_node *gw_redis_reply(const struct gw_redis *redis, size_t index)
{
    GW_ASSERT(index < redis->reply_count);
    return &redis->parser.nodes[redis->replies[index]];
}

const struct gw_resp_node *gw_redis_next(const struct gw_redis *redis, const struct gw_resp_node *node)
{
    return &redis->parser.nodes[node->next];
}

struct gw_slice gw_redis_bytes(const struct gw_redis *redis, const struct gw_resp_node *node)
{
    return gw_slice_make(redis->input.data + node->offset, (size_t)node->value);
}

// What an error reply means for the caller's loop, by the code that begins it.
static gw_status error_status(struct gw_slice text)
{
    static const struct {
        const char *code;
        gw_status status;
    } codes[] = {
        {"LOADING ", GW_E_UNAVAILABLE},
        {"BUSY ", GW_E_UNAVAILABLE},
        {"OOM ", GW_E_UNAVAILABLE},
        {"READONLY ", GW_E_UNAVAILABLE},
        {"MISCONF ", GW_E_UNAVAILABLE},
        {"MASTERDOWN ", GW_E_UNAVAILABLE},
        {"CLUSTERDOWN ", GW_E_UNAVAILABLE},
        {"NOREPLICAS ", GW_E_UNAVAILABLE},
        {"TRYAGAIN ", GW_E_UNAVAILABLE},
        {"ERR max number of clients", GW_E_UNAVAILABLE},
        {"NOAUTH ", GW_E_CONFIG},
        {"WRONGPASS ", GW_E_CONFIG},
        {"NOPERM ", GW_E_CONFIG},
        {"DENIED ", GW_E_CONFIG},
        {"MOVED ", GW_E_CONFIG},
        {"EXECABORT ", GW_E_UNAVAILABLE},
    };
    for (size_t i = 0; i < GW_COUNT_OF(codes); i++) {
        size_t size = strlen(codes[i].code);
        if (text.size >= size && memcmp(text.data, codes[i].code, size) == 0) {
            return codes[i].status;
        }
    }
    return GW_E_INTERNAL;
}

gw_status gw_redis_expect(const struct gw_redis *redis, const struct gw_resp_node *node, enum gw_resp_type type,
                          gw_err *err)
{
    if (GW_LIKELY(node->type == type)) {
        return GW_OK;
    }
    if (node->type == GW_RESP_ERROR) {
        struct gw_slice text = gw_redis_bytes(redis, node);
        return gw_fail(err, error_status(text), "redis '%s': %.*s", redis->address, (int)GW_MIN(text.size, 160),
                       (const char *)text.data);
    }
    return gw_fail(err, GW_E_MISMATCH, "redis '%s': reply of type %u, expected %u", redis->address, node->type,
                   (unsigned)type);
}

// ---- scripts

static void script_command(struct gw_redis *redis, const char *name, const char *body)
{
    gw_redis_command(redis, 3 + redis->script_argument_count);
    gw_redis_arg_text(redis, name);
    gw_redis_arg_text(redis, body);
    gw_redis_arg_number(redis, (int64_t)redis->script_key_count);
}

void gw_redis_script_begin(struct gw_redis *redis, const struct gw_redis_script *script, size_t key_count,
                           size_t argument_count)
{
    gw_redis_begin(redis);
    redis->script_key_count = key_count;
    redis->script_argument_count = key_count + argument_count;
    script_command(redis, "EVALSHA", script->sha1[0] != '\0' ? script->sha1 : "unknown");
    redis->script_head_bytes = redis->request.bytes.size;
}

static bool is_noscript(const struct gw_redis *redis, const struct gw_resp_node *node)
{
    struct gw_slice text = gw_redis_bytes(redis, node);
    return node->type == GW_RESP_ERROR && text.size >= 8 && memcmp(text.data, "NOSCRIPT", 8) == 0;
}

// Sends the script's text with the arguments of the request that was refused, and keeps the digest for the next time.
static gw_status run_by_text(struct gw_redis *redis, struct gw_redis_script *script, uint64_t deadline_us, gw_err *err)
{
    struct gw_redis_pipeline *request = &redis->request;
    gw_buf_clear(&redis->script_arguments);
    bool failed = gw_buf_append(&redis->script_arguments, request->bytes.data + redis->script_head_bytes,
                                request->bytes.size - redis->script_head_bytes) != GW_OK;
    gw_redis_begin(redis);
    gw_redis_command(redis, 3);
    gw_redis_arg_text(redis, "SCRIPT");
    gw_redis_arg_text(redis, "LOAD");
    gw_redis_arg_text(redis, script->text);
    script_command(redis, "EVAL", script->text);
    request->failed =
        failed || request->failed ||
        gw_buf_append(&request->bytes, redis->script_arguments.data, redis->script_arguments.size) != GW_OK;
    request->arguments_due = 0; // they came with the copied bytes
    request->ends[request->count - 1] = request->bytes.size;
    GW_TRY(gw_redis_exchange(redis, deadline_us, err));
    const struct gw_resp_node *digest = gw_redis_reply(redis, 0);
    if (digest->type == GW_RESP_BULK && (size_t)digest->value == sizeof script->sha1 - 1) {
        memcpy(script->sha1, gw_redis_bytes(redis, digest).data, sizeof script->sha1 - 1);
    }
    return GW_OK;
}

gw_status gw_redis_script_run(struct gw_redis *redis, struct gw_redis_script *script, uint64_t deadline_us,
                              const struct gw_resp_node **ret_reply, gw_err *err)
{
    GW_TRY(gw_redis_exchange(redis, deadline_us, err));
    const struct gw_resp_node *reply = gw_redis_reply(redis, 0);
    if (is_noscript(redis, reply)) {
        GW_TRY(run_by_text(redis, script, deadline_us, err));
        reply = gw_redis_reply(redis, 1);
    }
    if (reply->type == GW_RESP_ERROR) {
        return gw_redis_expect(redis, reply, GW_RESP_ARRAY, err);
    }
    *ret_reply = reply;
    return GW_OK;
}
