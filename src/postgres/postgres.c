// SPDX-License-Identifier: MIT
#include "postgres/postgres.h"

#include "base/away.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_BASE_MS  50
#define RETRY_CAP_MS   2000
#define RETRY_FLOOR_MS 20
#define PARAMETERS_MAX 65535 // of the protocol

enum transaction { NO_TRANSACTION, IN_TRANSACTION, LOST_TRANSACTION };

struct gw_postgres {
    char *uri;
    char *application;
    char where[128]; // "postgres 'host:port/db'" without secrets, for messages
    uint32_t timeout_ms;
    PGconn *connection; // NULL: not connected
    enum transaction transaction;
    struct gw_away away;
};

// A PGresult is all there is; the name keeps libpq's type inside this folder.
static const PGresult *result_of(const struct gw_postgres_rows *rows)
{
    return (const PGresult *)rows;
}

static void free_postgres(struct gw_postgres **postgres)
{
    gw_postgres_free(*postgres);
}

// Names the server for messages by what the URI says; never its password.
static void name_server(struct gw_postgres *postgres, const PQconninfoOption *options)
{
    const char *host = "";
    const char *port = "";
    const char *database = "";
    for (; options->keyword != NULL; options++) {
        const char *value = options->val != NULL ? options->val : "";
        if (strcmp(options->keyword, "host") == 0) {
            host = value;
        } else if (strcmp(options->keyword, "port") == 0) {
            port = value;
        } else if (strcmp(options->keyword, "dbname") == 0) {
            database = value;
        }
    }
    snprintf(postgres->where, sizeof postgres->where, "postgres '%.60s:%.8s/%.40s'", host, port, database);
}

static gw_status check_uri(struct gw_postgres *postgres, gw_err *err)
{
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(postgres->uri, &why);
    if (parsed == NULL) {
        // libpq's text may quote the URI and with it the password.
        gw_status status = why != NULL ? gw_fail(err, GW_E_CONFIG, "postgres uri: does not parse")
                                       : gw_fail(err, GW_E_MEMORY, "no memory for a postgres connection");
        PQfreemem(why);
        return status;
    }
    name_server(postgres, parsed);
    PQconninfoFree(parsed);
    return GW_OK;
}

gw_status gw_postgres_new(const struct gw_postgres_options *options, struct gw_postgres **ret_postgres, gw_err *err)
{
    if (options->timeout_ms == 0) {
        return gw_fail(err, GW_E_CONFIG, "postgres timeout: 0 ms, at least 1");
    }
    GW_CLEANUP(free_postgres) struct gw_postgres *postgres = gw_mem_calloc(1, sizeof *postgres);
    if (postgres == NULL || (postgres->uri = gw_mem_strdup(options->uri)) == NULL ||
        (postgres->application = gw_mem_strdup(options->application)) == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a postgres connection");
    }
    GW_TRY(check_uri(postgres, err));
    postgres->timeout_ms = options->timeout_ms;
    uint64_t seed = gw_clock_mono_us() ^ (uint64_t)(uintptr_t)postgres;
    gw_away_init(&postgres->away, RETRY_FLOOR_MS, RETRY_BASE_MS, RETRY_CAP_MS, seed);
    *ret_postgres = postgres;
    postgres = NULL;
    return GW_OK;
}

void gw_postgres_free(struct gw_postgres *postgres)
{
    if (postgres == NULL) {
        return;
    }
    PQfinish(postgres->connection);
    gw_mem_free(postgres->application);
    gw_mem_free(postgres->uri);
    gw_mem_free(postgres);
}

// ---- connection

// First line of libpq's message, without its line feed.
static void first_line(const char *message, char *to, size_t size)
{
    size_t length = strcspn(message, "\n");
    snprintf(to, size, "%.*s", (int)GW_MIN(length, size - 1), message);
}

static void close_connection(struct gw_postgres *postgres)
{
    PQfinish(postgres->connection);
    postgres->connection = NULL;
    if (postgres->transaction == IN_TRANSACTION) {
        postgres->transaction = LOST_TRANSACTION;
    }
}

// Closes the connection and starts a pause. Returns `status` with err filled.
static gw_status drop(struct gw_postgres *postgres, gw_status status, const char *message, gw_err *err)
{
    char why[GW_ERR_MESSAGE_BYTES];
    first_line(message, why, sizeof why);
    close_connection(postgres);
    gw_away_failed(&postgres->away, gw_clock_mono_us(), why);
    return gw_fail(err, status, "%s: %s", postgres->where, why);
}

static gw_status wait_ready(struct gw_postgres *postgres, short events, uint64_t deadline_us, gw_err *err)
{
    for (;;) {
        uint64_t now_us = gw_clock_mono_us();
        if (now_us >= deadline_us) {
            return drop(postgres, GW_E_TIMEOUT, "no answer in time", err);
        }
        uint64_t left_us = deadline_us - now_us;
        struct timespec left = {.tv_sec = (time_t)(left_us / 1000000), .tv_nsec = (long)(left_us % 1000000) * 1000};
        struct pollfd pollfd = {.fd = PQsocket(postgres->connection), .events = events};
        int ready = ppoll(&pollfd, 1, &left, NULL);
        if (ready > 0) {
            return GW_OK;
        }
        if (ready < 0 && errno != EINTR) {
            char text[96];
            return drop(postgres, GW_E_UNAVAILABLE, strerror_r(errno, text, sizeof text), err);
        }
    }
}

// What libpq says of a failed connect has no SQLSTATE; the server's own refusals are told by their texts.
static gw_status connect_status(const char *message)
{
    static const char *const refusals[] = {"password",       "authentication", "no pg_hba.conf entry",
                                           "does not exist", "not permitted",  "permission denied"};
    if (strstr(message, "FATAL:") == NULL && strstr(message, "password") == NULL) {
        return GW_E_UNAVAILABLE;
    }
    for (size_t i = 0; i < GW_COUNT_OF(refusals); i++) {
        if (strstr(message, refusals[i]) != NULL) {
            return GW_E_CONFIG;
        }
    }
    return GW_E_UNAVAILABLE;
}

static void ignore_notice(void *context, const char *message)
{
    (void)context; // libpq would print it to stderr
    (void)message;
}

static gw_status run(struct gw_postgres *postgres, const char *sql, const char *const *parameters, int count,
                     uint64_t deadline_us, PGresult **ret_result, gw_err *err);

static gw_status connect_now(struct gw_postgres *postgres, uint64_t deadline_us, gw_err *err)
{
    GW_TRY(gw_away_check(&postgres->away, postgres->where, gw_clock_mono_us(), err));
    const char *const keywords[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {postgres->uri, postgres->application, "UTF8", NULL};
    postgres->connection = PQconnectStartParams(keywords, values, 1);
    if (postgres->connection == NULL) {
        return drop(postgres, GW_E_MEMORY, "no memory for a connection", err);
    }
    PQsetNoticeProcessor(postgres->connection, ignore_notice, NULL);
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    while (polling != PGRES_POLLING_OK) {
        if (polling == PGRES_POLLING_FAILED || PQstatus(postgres->connection) == CONNECTION_BAD) {
            const char *message = PQerrorMessage(postgres->connection);
            return drop(postgres, connect_status(message), message, err);
        }
        GW_TRY(wait_ready(postgres, polling == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us, err));
        polling = PQconnectPoll(postgres->connection);
    }
    if (PQsetnonblocking(postgres->connection, 1) != 0) {
        return drop(postgres, GW_E_UNAVAILABLE, PQerrorMessage(postgres->connection), err);
    }

    char timeout[16];
    const char *const parameters[] = {timeout};
    PGresult *result = NULL;
    // A little less than ours: a statement that the server cancels leaves the connection in order.
    snprintf(timeout, sizeof timeout, "%u", postgres->timeout_ms - postgres->timeout_ms / 10);
    GW_TRY(
        run(postgres, "select set_config('statement_timeout', $1, false)", parameters, 1, deadline_us, &result, err));
    PQclear(result);
    return GW_OK;
}

// ---- statements

static gw_status state_status(const char *state)
{
    // X(prefix of the SQLSTATE, status); the first that fits wins.
    static const struct {
        const char *prefix;
        gw_status status;
    } states[] = {
        {"57014", GW_E_TIMEOUT},     // query_canceled: statement_timeout
        {"57", GW_E_UNAVAILABLE},    // operator intervention: shutdown, cannot connect now
        {"08", GW_E_UNAVAILABLE},    // connection
        {"53", GW_E_UNAVAILABLE},    // out of connections, memory, disk
        {"40", GW_E_UNAVAILABLE},    // serialization failure, deadlock
        {"55", GW_E_UNAVAILABLE},    // lock not available, object in use
        {"25006", GW_E_UNAVAILABLE}, // read-only: a standby
        {"25P02", GW_E_ABORTED},     // in a failed transaction
        {"23", GW_E_CONFLICT},       // constraint
        {"22", GW_E_INVALID},        // data exception
        {"P0", GW_E_INVALID},        // raised by a function of ours
        {"28", GW_E_CONFIG},         // authorization
        {"3D", GW_E_CONFIG},         // no such database
        {"42501", GW_E_CONFIG},      // no right
        {"42", GW_E_MISMATCH},       // no such table or column, syntax
        {"3F", GW_E_MISMATCH},       // no such schema
    };
    for (size_t i = 0; i < GW_COUNT_OF(states); i++) {
        if (strncmp(state, states[i].prefix, strlen(states[i].prefix)) == 0) {
            return states[i].status;
        }
    }
    return GW_E_INTERNAL;
}

static gw_status result_status(struct gw_postgres *postgres, const PGresult *result, gw_err *err)
{
    ExecStatusType kind = PQresultStatus(result);
    if (kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK || kind == PGRES_EMPTY_QUERY) {
        return GW_OK;
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL) {
        return gw_fail(err, GW_E_INTERNAL, "%s: unexpected result '%s'", postgres->where, PQresStatus(kind));
    }
    return gw_fail(err, state_status(state), "%s: %s (%s)", postgres->where, primary != NULL ? primary : "no message",
                   state);
}

static gw_status flush(struct gw_postgres *postgres, uint64_t deadline_us, gw_err *err)
{
    for (;;) {
        int pending = PQflush(postgres->connection);
        if (pending == 0) {
            return GW_OK;
        }
        if (pending < 0) {
            return drop(postgres, GW_E_UNAVAILABLE, PQerrorMessage(postgres->connection), err);
        }
        GW_TRY(wait_ready(postgres, POLLIN | POLLOUT, deadline_us, err));
        if (PQconsumeInput(postgres->connection) == 0) {
            return drop(postgres, GW_E_UNAVAILABLE, PQerrorMessage(postgres->connection), err);
        }
    }
}

// Reads what was sent to its end and gives the last result; the server answers nothing behind its first error.
static gw_status finish(struct gw_postgres *postgres, uint64_t deadline_us, PGresult **ret_result, gw_err *err)
{
    PGconn *connection = postgres->connection;
    GW_TRY(flush(postgres, deadline_us, err));
    PGresult *result = NULL;
    for (;;) {
        while (PQisBusy(connection)) {
            gw_status waited = wait_ready(postgres, POLLIN, deadline_us, err);
            if (waited == GW_OK && PQconsumeInput(connection) == 0) {
                waited = drop(postgres, GW_E_UNAVAILABLE, PQerrorMessage(connection), err);
            }
            if (waited != GW_OK) {
                PQclear(result);
                return waited;
            }
        }
        PGresult *next = PQgetResult(connection);
        if (next == NULL) {
            break;
        }
        PQclear(result);
        result = next;
        ExecStatusType kind = PQresultStatus(result);
        if (kind == PGRES_COPY_IN || kind == PGRES_COPY_OUT || kind == PGRES_COPY_BOTH) {
            PQclear(result); // it would wait for data that nobody sends
            return drop(postgres, GW_E_INTERNAL, "a COPY is no statement for this call", err);
        }
    }
    gw_status status = result != NULL ? result_status(postgres, result, err)
                                      : gw_fail(err, GW_E_MEMORY, "%s: no memory for a result", postgres->where);
    if (PQstatus(connection) == CONNECTION_BAD) {
        char message[GW_ERR_MESSAGE_BYTES];
        snprintf(message, sizeof message, "%s", PQerrorMessage(connection));
        PQclear(result);
        return drop(postgres, GW_E_UNAVAILABLE, message[0] != '\0' ? message : "connection lost", err);
    }
    if (status != GW_OK) {
        PQclear(result);
        return status;
    }
    *ret_result = result;
    return GW_OK;
}

// Sends one statement on an open connection and reads its one result, which may be an error of the server's.
static gw_status run(struct gw_postgres *postgres, const char *sql, const char *const *parameters, int count,
                     uint64_t deadline_us, PGresult **ret_result, gw_err *err)
{
    if (PQsendQueryParams(postgres->connection, sql, count, NULL, parameters, NULL, NULL, 0) == 0) {
        return drop(postgres, GW_E_UNAVAILABLE, PQerrorMessage(postgres->connection), err);
    }
    return finish(postgres, deadline_us, ret_result, err);
}

// Makes sure of a connection on which statements of this transaction may run.
static gw_status be_connected(struct gw_postgres *postgres, uint64_t deadline_us, gw_err *err)
{
    if (postgres->transaction == LOST_TRANSACTION) {
        return gw_fail(err, GW_E_UNAVAILABLE, "%s: the connection of this transaction is lost", postgres->where);
    }
    return postgres->connection == NULL ? connect_now(postgres, deadline_us, err) : GW_OK;
}

static uint64_t deadline_of(const struct gw_postgres *postgres)
{
    return gw_clock_mono_us() + (uint64_t)postgres->timeout_ms * 1000;
}

static gw_status run_connected(struct gw_postgres *postgres, const char *sql, const char *const *parameters,
                               size_t count, PGresult **ret_result, gw_err *err)
{
    GW_ASSERT(count <= PARAMETERS_MAX);
    uint64_t deadline_us = deadline_of(postgres);
    GW_TRY(be_connected(postgres, deadline_us, err));
    GW_TRY(run(postgres, sql, parameters, (int)count, deadline_us, ret_result, err));
    gw_away_works(&postgres->away);
    return GW_OK;
}

static gw_status run_plain(struct gw_postgres *postgres, const char *sql, gw_err *err)
{
    PGresult *result = NULL;
    GW_TRY(run_connected(postgres, sql, NULL, 0, &result, err));
    PQclear(result);
    return GW_OK;
}

gw_status gw_postgres_exec(struct gw_postgres *postgres, const char *sql, const char *const *parameters, size_t count,
                           struct gw_postgres_rows **ret_rows, gw_err *err)
{
    PGresult *result = NULL;
    GW_TRY(run_connected(postgres, sql, parameters, count, &result, err));
    if (ret_rows != NULL) {
        *ret_rows = (struct gw_postgres_rows *)result;
    } else {
        PQclear(result);
    }
    return GW_OK;
}

gw_status gw_postgres_script(struct gw_postgres *postgres, const char *sql, gw_err *err)
{
    uint64_t deadline_us = deadline_of(postgres);
    GW_TRY(be_connected(postgres, deadline_us, err));
    if (PQsendQuery(postgres->connection, sql) == 0) {
        return drop(postgres, GW_E_UNAVAILABLE, PQerrorMessage(postgres->connection), err);
    }
    PGresult *result = NULL;
    GW_TRY(finish(postgres, deadline_us, &result, err));
    PQclear(result);
    gw_away_works(&postgres->away);
    return GW_OK;
}

gw_status gw_postgres_ping(struct gw_postgres *postgres, uint64_t *ret_latency_us, gw_err *err)
{
    uint64_t start_us = gw_clock_mono_us();
    GW_TRY(run_plain(postgres, "", err));
    *ret_latency_us = gw_clock_mono_us() - start_us;
    return GW_OK;
}

gw_status gw_postgres_begin(struct gw_postgres *postgres, gw_err *err)
{
    GW_ASSERT(postgres->transaction == NO_TRANSACTION);
    GW_TRY(run_plain(postgres, "begin", err));
    postgres->transaction = IN_TRANSACTION;
    return GW_OK;
}

gw_status gw_postgres_commit(struct gw_postgres *postgres, gw_err *err)
{
    GW_ASSERT(postgres->transaction != NO_TRANSACTION);
    PGresult *result = NULL;
    GW_TRY(run_connected(postgres, "commit", NULL, 0, &result, err));
    // The server answers ROLLBACK to the commit of a failed transaction.
    bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    postgres->transaction = NO_TRANSACTION;
    return committed ? GW_OK : gw_fail(err, GW_E_ABORTED, "%s: transaction had failed", postgres->where);
}

void gw_postgres_rollback(struct gw_postgres *postgres)
{
    if (postgres->transaction == IN_TRANSACTION && run_plain(postgres, "rollback", NULL) != GW_OK) {
        close_connection(postgres);
    }
    postgres->transaction = NO_TRANSACTION;
}

// ---- results

void gw_postgres_rows_free(struct gw_postgres_rows *rows)
{
    PQclear((PGresult *)rows);
}

size_t gw_postgres_rows_count(const struct gw_postgres_rows *rows)
{
    return (size_t)PQntuples(result_of(rows));
}

size_t gw_postgres_rows_columns(const struct gw_postgres_rows *rows)
{
    return (size_t)PQnfields(result_of(rows));
}

uint64_t gw_postgres_rows_affected(const struct gw_postgres_rows *rows)
{
    return strtoull(PQcmdTuples((PGresult *)rows), NULL, 10); // "" for statements that touch no rows
}

const char *gw_postgres_rows_text(const struct gw_postgres_rows *rows, size_t row, size_t column)
{
    GW_ASSERT(row < gw_postgres_rows_count(rows) && column < gw_postgres_rows_columns(rows));
    bool null = PQgetisnull(result_of(rows), (int)row, (int)column) != 0;
    return null ? NULL : PQgetvalue(result_of(rows), (int)row, (int)column);
}

size_t gw_postgres_rows_size(const struct gw_postgres_rows *rows, size_t row, size_t column)
{
    GW_ASSERT(row < gw_postgres_rows_count(rows) && column < gw_postgres_rows_columns(rows));
    return (size_t)PQgetlength(result_of(rows), (int)row, (int)column);
}

gw_status gw_postgres_rows_int64(const struct gw_postgres_rows *rows, size_t row, size_t column, int64_t *ret_value,
                                 gw_err *err)
{
    const char *text = gw_postgres_rows_text(rows, row, column);
    char *end = NULL;
    errno = 0;
    long long value = text != NULL ? strtoll(text, &end, 10) : 0;
    if (text == NULL || end == text || *end != '\0' || errno != 0) {
        return gw_fail(err, GW_E_MISMATCH, "postgres column '%s': '%.40s' is not an integer",
                       PQfname(result_of(rows), (int)column), text != NULL ? text : "null");
    }
    *ret_value = value;
    return GW_OK;
}
