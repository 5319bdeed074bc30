// SPDX-License-Identifier: MIT
#include "http/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/guard.h"
#include "http/listen.h"
#include "http/spool.h"

#include <microhttpd.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Life of a request. libmicrohttpd lets only its own thread queue a response, so an answer from elsewhere is kept, the
// connection resumed, and the answer queued when the loop thread calls again.
//
//   OPENING ──► UPLOADING ──► HANDLING ──► SUSPENDED ──► ANSWERED ──► DONE
//      └ refused ─► ANSWERED      │ └── answered in the call ──┘
//                   DONE ◄────────┘ refused in the middle of an upload
enum state { OPENING, UPLOADING, HANDLING, SUSPENDED, ANSWERED, DONE };

// Shared by libmicrohttpd's connection and by every handler call that still owes an answer (one reference each).
// `lock` guards state and response. Lock order: the server's, then the request's.
struct gw_http_request {
    pthread_mutex_t lock;
    enum state state;
    struct MHD_Response *response; // set in ANSWERED; NULL there means that memory was short
    uint32_t status;
    atomic_uint reference_count;

    struct gw_http_server *server;     // not touched once DONE
    struct MHD_Connection *connection; // not touched once DONE
    const char *method;
    const char *path;
    uint64_t start_us;
    struct gw_buf body;
    struct gw_http_spool spool;   // fd -1: the body is in memory
    bool counted;                 // in file_count
    struct gw_http_request *next; // in the server's list of requests under way
    struct gw_http_request *previous;
};

struct gw_http_server {
    struct MHD_Daemon *daemon;
    uint16_t port;
    uint64_t upload_us_max;
    size_t body_bytes_max;
    uint32_t drain_ms;
    struct gw_http_guard guard;
    char **hosts;
    size_t host_count;
    gw_http_handler handler;
    gw_http_refuse refuse;
    void *context;
    gw_http_admit admit;
    char *file_directory;
    uint64_t file_bytes_max;
    uint32_t files_max;
    atomic_uint own_file_count;
    atomic_uint *file_count; // requests whose body goes, or went, to a file

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t empty; // signalled when the list becomes empty
    struct gw_http_request *requests;
    bool closing;
};

// ---------------------------------------------------------------- requests

static struct gw_http_request *request_ref(struct gw_http_request *request)
{
    atomic_fetch_add_explicit(&request->reference_count, 1, memory_order_relaxed);
    return request;
}

static void request_unref(struct gw_http_request *request)
{
    if (atomic_fetch_sub_explicit(&request->reference_count, 1, memory_order_acq_rel) == 1) {
        gw_buf_deinit(&request->body);
        gw_http_spool_close(&request->spool);
        pthread_mutex_destroy(&request->lock);
        gw_mem_free(request);
    }
}

static struct gw_http_request *request_new(struct gw_http_server *server, struct MHD_Connection *connection,
                                           const char *method, const char *path)
{
    struct gw_http_request *request = gw_mem_calloc(1, sizeof *request);
    if (request == NULL) {
        return NULL;
    }
    pthread_mutex_init(&request->lock, NULL);
    atomic_init(&request->reference_count, 1);
    request->server = server;
    request->connection = connection;
    request->method = method;
    request->path = path;
    request->spool.fd = -1;
    request->start_us = gw_clock_mono_us();

    pthread_mutex_lock(&server->lock);
    request->next = server->requests;
    if (request->next != NULL) {
        request->next->previous = request;
    }
    server->requests = request;
    pthread_mutex_unlock(&server->lock);
    return request;
}

static void request_unlink(struct gw_http_request *request)
{
    struct gw_http_server *server = request->server;
    pthread_mutex_lock(&server->lock);
    if (request->previous != NULL) {
        request->previous->next = request->next;
    } else {
        server->requests = request->next;
    }
    if (request->next != NULL) {
        request->next->previous = request->previous;
    }
    if (request->counted) {
        atomic_fetch_sub_explicit(server->file_count, 1, memory_order_relaxed);
    }
    if (server->requests == NULL) {
        pthread_cond_broadcast(&server->empty);
    }
    pthread_mutex_unlock(&server->lock);
}

static struct MHD_Response *response_new(const struct gw_http_response *response)
{
    enum MHD_ResponseMemoryMode mode = response->body_is_static ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY;
    // The library takes a pointer to non-const and does not write through it.
    void *data = (void *)(uintptr_t)response->body.data;
    struct MHD_Response *made = MHD_create_response_from_buffer(response->body.size, data, mode);
    if (made == NULL) {
        return NULL;
    }
    bool ok = response->content_type == NULL ||
              MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type) == MHD_YES;
    for (size_t i = 0; ok && i < response->header_count; i++) {
        ok = MHD_add_response_header(made, response->headers[i].name, response->headers[i].value) == MHD_YES;
    }
    if (!ok) {
        MHD_destroy_response(made);
        return NULL;
    }
    return made;
}

// In the middle of an upload the library refuses to queue a response; it can only close. The client is told all the
// same: nothing of this exchange was written yet, so a whole small response fits the empty socket buffer.
static void send_while_uploading(struct gw_http_request *request, const struct gw_http_response *response)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL) {
        return;
    }
    char text[4096];
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%.*s",
                        response->status, MHD_get_reason_phrase_for(response->status),
                        response->content_type != NULL ? response->content_type : "text/plain", response->body.size,
                        (int)GW_MIN(response->body.size, sizeof text),
                        response->body.size > 0 ? (const char *)response->body.data : "");
    if (size > 0 && (size_t)size < sizeof text) {
        // A failure changes nothing: the connection is closed next, which says the same with fewer words.
        (void)!send(info->connect_fd, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

void gw_http_respond(struct gw_http_request *request, const struct gw_http_response *response)
{
    GW_ASSERT(response->status >= 200 && response->status <= 599);

    pthread_mutex_lock(&request->lock);
    enum state state = request->state;
    if (state == UPLOADING) {
        send_while_uploading(request, response);
        request->state = DONE;
    } else if (state != ANSWERED && state != DONE) {
        request->response = response_new(response);
        request->status = response->status;
        request->state = ANSWERED;
        if (state == SUSPENDED) {
            MHD_resume_connection(request->connection);
        }
    }
    pthread_mutex_unlock(&request->lock);
    request_unref(request);
}

const char *gw_http_request_method(const struct gw_http_request *request)
{
    return request->method;
}

const char *gw_http_request_path(const struct gw_http_request *request)
{
    return request->path;
}

const char *gw_http_request_query(const struct gw_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *gw_http_request_header(const struct gw_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct gw_slice gw_http_request_body(const struct gw_http_request *request)
{
    return gw_buf_slice(&request->body);
}

int gw_http_request_file(const struct gw_http_request *request, uint64_t *ret_size)
{
    *ret_size = request->spool.size;
    return request->spool.fd;
}

uint64_t gw_http_request_start_us(const struct gw_http_request *request)
{
    return request->start_us;
}

bool gw_http_request_has_token(const struct gw_http_request *request, const char *token)
{
    return gw_http_bearer_equal(gw_http_request_header(request, MHD_HTTP_HEADER_AUTHORIZATION), token);
}

// ---------------------------------------------------------------- callbacks of the library, on its loop threads

static void refuse(struct gw_http_request *request, uint32_t status, const char *detail)
{
    request->server->refuse(request->server->context, request_ref(request), status, detail);
}

// Queues the kept answer. MHD_NO closes the connection.
static enum MHD_Result queue_answer(struct gw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    GW_ASSERT(request->state == ANSWERED);
    struct MHD_Response *response = request->response;
    uint32_t status = request->status;
    request->response = NULL;
    request->state = DONE;
    pthread_mutex_unlock(&request->lock);

    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    gw_http_head_add(context, name, value != NULL ? value : "");
    return MHD_YES;
}

static bool is_closing(struct gw_http_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool closing = server->closing;
    pthread_mutex_unlock(&server->lock);
    return closing;
}

// Takes a place among the bodies in files. False: all are taken. A counter and nothing else: no order is needed.
static bool count_file(struct gw_http_request *request)
{
    struct gw_http_server *server = request->server;
    unsigned taken = atomic_load_explicit(server->file_count, memory_order_relaxed);
    do {
        request->counted = taken < server->files_max;
    } while (request->counted && !atomic_compare_exchange_weak_explicit(server->file_count, &taken, taken + 1,
                                                                        memory_order_relaxed, memory_order_relaxed));
    return request->counted;
}

// Where the body of a request goes that passed the server's own rules. Returns NULL, or why it is refused.
static const char *admit(struct gw_http_request *request, const struct gw_http_head *head, uint32_t *ret_status)
{
    struct gw_http_server *server = request->server;
    struct gw_http_admission admission = {0};
    if (server->admit != NULL) {
        server->admit(server->context, request, &admission);
    }
    if (admission.refuse_status != 0) {
        *ret_status = admission.refuse_status;
        return admission.detail;
    }
    uint64_t bytes_max = admission.to_file ? server->file_bytes_max : server->body_bytes_max;
    if (head->content_length != NULL && strtoull(head->content_length, NULL, 10) > bytes_max) {
        *ret_status = 413;
        return "the body is larger than this server reads";
    }
    if (!admission.to_file) {
        return NULL;
    }
    *ret_status = 503;
    if (!count_file(request)) {
        return "too many uploads are under way";
    }
    const char *detail = NULL;
    return gw_http_spool_open(&request->spool, server->file_directory, &detail) == GW_OK ? NULL : detail;
}

// The head is there. Answering now makes the library close the connection after the answer, so only refusals do.
static enum MHD_Result on_head(struct gw_http_server *server, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, void **slot)
{
    struct gw_http_request *request = request_new(server, connection, method, path);
    if (request == NULL) {
        return MHD_NO;
    }
    *slot = request;

    struct gw_http_head head = {.method = method, .version = version};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &head);
    uint32_t status = 503;
    const char *detail = gw_http_guard_check(&server->guard, &head, &status);
    if (detail == NULL && is_closing(server)) {
        status = 503;
        detail = "the server is stopping";
    }
    if (detail == NULL) {
        detail = admit(request, &head, &status);
    }
    if (detail != NULL) {
        refuse(request, status, detail);
        return queue_answer(request);
    }
    request->state = UPLOADING; // no other thread knows the request yet
    return MHD_YES;
}

// A piece of a body that goes to a file.
static enum MHD_Result on_file_piece(struct gw_http_request *request, const char *data, size_t *size)
{
    struct gw_http_server *server = request->server;
    uint64_t at_least_us = request->spool.size * 1000000 / GW_HTTP_FILE_RATE_MIN; // below 2^63 for 100 TB
    if (*size > server->file_bytes_max - request->spool.size) {
        refuse(request, 413, "the body is larger than this server reads");
        return MHD_NO;
    }
    if (gw_clock_mono_us() - request->start_us > server->upload_us_max + at_least_us) {
        refuse(request, 408, "the body takes too long to arrive");
        return MHD_NO;
    }
    const char *detail = NULL;
    if (gw_http_spool_append(&request->spool, gw_slice_make(data, *size), &detail) != GW_OK) {
        refuse(request, 503, detail);
        return MHD_NO;
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result on_body_piece(struct gw_http_request *request, const char *data, size_t *size)
{
    struct gw_http_server *server = request->server;
    if (request->spool.fd >= 0) {
        return on_file_piece(request, data, size);
    }
    if (*size > server->body_bytes_max - request->body.size) {
        refuse(request, 413, "the body is larger than this server reads");
        return MHD_NO;
    }
    if (gw_clock_mono_us() - request->start_us > server->upload_us_max) {
        refuse(request, 408, "the body takes too long to arrive");
        return MHD_NO;
    }
    if (gw_buf_append(&request->body, data, *size) != GW_OK) {
        return MHD_NO;
    }
    *size = 0;
    return MHD_YES;
}

// After the handler: its answer is queued, or the connection sleeps until there is one.
static enum MHD_Result settle(struct gw_http_request *request)
{
    struct gw_http_server *server = request->server;
    pthread_mutex_lock(&server->lock);
    pthread_mutex_lock(&request->lock);
    bool answered = request->state == ANSWERED;
    bool closing = server->closing;
    if (!answered && !closing) {
        // Under the lock, so that nobody can resume before the suspension.
        MHD_suspend_connection(request->connection);
        request->state = SUSPENDED;
    }
    pthread_mutex_unlock(&request->lock);
    pthread_mutex_unlock(&server->lock);

    if (!answered && !closing) {
        return MHD_YES;
    }
    if (!answered) {
        refuse(request, 503, "the server is stopping");
    }
    return queue_answer(request);
}

static enum MHD_Result on_complete_request(struct gw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    bool fresh = request->state == UPLOADING;
    if (fresh) {
        request->state = HANDLING;
    }
    pthread_mutex_unlock(&request->lock);

    if (!fresh) { // called again after a resume
        return queue_answer(request);
    }
    request->server->handler(request->server->context, request_ref(request));

    pthread_mutex_lock(&request->lock);
    bool answered = request->state == ANSWERED;
    pthread_mutex_unlock(&request->lock);
    return answered ? queue_answer(request) : settle(request);
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                                 const char *version, const char *data, size_t *size, void **slot)
{
    if (*slot == NULL) {
        return on_head(context, connection, path, method, version, slot);
    }
    struct gw_http_request *request = *slot;
    return *size > 0 ? on_body_piece(request, data, size) : on_complete_request(request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct gw_http_request *request = *slot;
    if (request == NULL) {
        return;
    }
    *slot = NULL;
    pthread_mutex_lock(&request->lock);
    struct MHD_Response *unsent = request->response;
    request->response = NULL;
    request->state = DONE;
    pthread_mutex_unlock(&request->lock);
    if (unsent != NULL) {
        MHD_destroy_response(unsent);
    }
    request_unlink(request);
    request_unref(request);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Percent-decoding in place. "%00" stays as it is: a decoded NUL would cut the path short for everyone who reads it.
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        int high = from[0] == '%' ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;
        if (low >= 0 && (high | low) != 0) {
            *to++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static void on_library_log(void *context, const char *format, va_list args)
{
    (void)context;
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    gw_log(GW_LOG_DEBUG, "http.library", "message='%s'", text);
}

// ---------------------------------------------------------------- life

static void server_free(struct gw_http_server *server)
{
    for (size_t i = 0; i < server->host_count; i++) {
        gw_mem_free(server->hosts[i]);
    }
    gw_mem_free(server->hosts);
    gw_mem_free(server->file_directory);
    pthread_cond_destroy(&server->empty);
    pthread_mutex_destroy(&server->lock);
    gw_mem_free(server);
}

static gw_status copy_strings(struct gw_http_server *server, const struct gw_http_server_options *options, gw_err *err)
{
    if (options->admit != NULL) {
        server->file_directory = gw_mem_strdup(options->file_directory);
        if (server->file_directory == NULL) {
            return gw_fail(err, GW_E_MEMORY, "directory for bodies");
        }
    }
    server->hosts = gw_mem_calloc(options->host_count, sizeof *server->hosts);
    if (server->hosts == NULL) {
        return gw_fail(err, GW_E_MEMORY, "host list");
    }
    for (size_t i = 0; i < options->host_count; i++) {
        server->hosts[i] = gw_mem_strdup(options->hosts[i]);
        if (server->hosts[i] == NULL) {
            return gw_fail(err, GW_E_MEMORY, "host list");
        }
        server->host_count++;
    }
    return GW_OK;
}

static gw_status start_daemon(struct gw_http_server *server, const struct gw_http_server_options *options, int fd,
                              gw_err *err)
{
    // Not poll: 0.9.75 skips ready connections there. Not thread-per-connection: it cannot suspend.
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    size_t connection_bytes = options->connection_bytes > 0 ? options->connection_bytes : 64 * 1024;
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)options->threads, NULL}, // one thread is no pool: a size of 1 warns
        {MHD_OPTION_END, 0, NULL},
    };
    server->daemon = MHD_start_daemon(
        flags, options->port, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, options->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->connections_per_ip_max, MHD_OPTION_CONNECTION_TIMEOUT,
        options->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_ARRAY,
        options->threads > 1 ? pool : pool + 1, MHD_OPTION_END);
    return server->daemon != NULL ? GW_OK : gw_fail(err, GW_E_IO, "the HTTP listener does not start");
}

gw_status gw_http_server_start(const struct gw_http_server_options *options, struct gw_http_server **ret_server,
                               gw_err *err)
{
    GW_ASSERT(options->handler != NULL && options->refuse != NULL && options->timeout_s > 0);
    GW_ASSERT(options->admit == NULL || options->file_directory != NULL);
    GW_ASSERT(options->threads >= 1 && options->threads <= 64 && options->connections_max >= options->threads);

    int fd = -1;
    uint16_t port = 0;
    GW_TRY(gw_http_listen_open(options->address, options->port, &fd, &port, err));

    struct gw_http_server *server = gw_mem_calloc(1, sizeof *server);
    if (server == NULL) {
        close(fd);
        return gw_fail(err, GW_E_MEMORY, "HTTP server");
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->empty, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&server->lock, NULL);
    server->port = port;
    server->upload_us_max = (uint64_t)options->timeout_s * 1000000;
    server->body_bytes_max = options->body_bytes_max;
    server->drain_ms = options->drain_ms;
    server->handler = options->handler;
    server->refuse = options->refuse;
    server->context = options->context;
    server->admit = options->admit;
    server->file_bytes_max = options->file_bytes_max;
    server->files_max = options->files_max;
    server->file_count = options->file_count != NULL ? options->file_count : &server->own_file_count;

    gw_status status = copy_strings(server, options, err);
    if (status == GW_OK) {
        server->guard = (struct gw_http_guard){
            .port = port,
            .host_checked = gw_http_address_is_loopback(options->address) || server->host_count > 0,
            .hosts = (const char *const *)server->hosts,
            .host_count = server->host_count,
            .body_bytes_max = GW_MAX(options->body_bytes_max, options->admit != NULL ? options->file_bytes_max : 0),
        };
        status = start_daemon(server, options, fd, err);
    }
    if (status != GW_OK) {
        close(fd);
        server_free(server);
        return status;
    }
    *ret_server = server;
    return GW_OK;
}

uint16_t gw_http_server_port(const struct gw_http_server *server)
{
    return server->port;
}

// Marks the server closing and answers everything suspended: stopping with a suspended connection aborts the process.
static void answer_deferred(struct gw_http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->closing = true;
    for (struct gw_http_request *request = server->requests; request != NULL; request = request->next) {
        pthread_mutex_lock(&request->lock);
        bool suspended = request->state == SUSPENDED;
        pthread_mutex_unlock(&request->lock);
        if (suspended) { // an answer that comes first wins, and this one is dropped
            refuse(request, 503, "the server is stopping");
        }
    }
    pthread_mutex_unlock(&server->lock);
}

static void wait_until_empty(struct gw_http_server *server)
{
    uint64_t until_us = gw_clock_mono_us() + (uint64_t)server->drain_ms * 1000;
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};
    pthread_mutex_lock(&server->lock);
    int rc = 0;
    while (server->requests != NULL && rc == 0) {
        rc = pthread_cond_timedwait(&server->empty, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
}

void gw_http_server_stop(struct gw_http_server *server)
{
    if (server == NULL) {
        return;
    }
    MHD_socket listener = MHD_quiesce_daemon(server->daemon);
    answer_deferred(server);
    wait_until_empty(server);
    MHD_stop_daemon(server->daemon);
    if (listener != MHD_INVALID_SOCKET) {
        close(listener);
    }
    server_free(server);
}
