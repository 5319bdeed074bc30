// SPDX-License-Identifier: MIT
// One connection to PostgreSQL: parameterised statements and transactions under a deadline. The only folder that
// includes libpq.
//
// The connection is opened by the first call that needs it and, after it was lost, by a later one, not before a
// growing, jittered pause; until then calls fail at once with GW_E_UNAVAILABLE. A transaction never survives its
// connection: the rest of it fails with GW_E_UNAVAILABLE until gw_postgres_rollback, and nothing of it is run outside.
//
// Values go and come as text, so the SQL casts them ($1::bigint). One owning thread per handle.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_postgres;
struct gw_postgres_rows;

struct gw_postgres_options {
    const char *uri;         // libpq URI or keyword string; borrowed for the call. The password may come by PGPASSFILE
    const char *application; // shown in pg_stat_activity unless the URI says otherwise; borrowed for the call
    uint32_t timeout_ms;     // > 0; bounds a connect (without name resolution) and each statement, there and here
};

// Opens lazily: no connection is made here. GW_E_CONFIG: the URI does not parse. Free with gw_postgres_free.
GW_CHECK gw_status gw_postgres_new(const struct gw_postgres_options *options, struct gw_postgres **ret_postgres,
                                   gw_err *err);
void gw_postgres_free(struct gw_postgres *postgres);

// One empty round trip, connecting when needed.
GW_CHECK gw_status gw_postgres_ping(struct gw_postgres *postgres, uint64_t *ret_latency_us, gw_err *err);

// Runs one statement with `count` parameters $1.., NUL-terminated, NULL for SQL's null. ret_rows may be NULL; else it
// gives the result, freed by gw_postgres_rows_free. By what the server says:
//   GW_E_CONFLICT     a constraint is violated           GW_E_INVALID   a value does not fit its type
//   GW_E_MISMATCH     the statement does not fit the schema, or is wrong
//   GW_E_CONFIG       user, password, database or right  GW_E_INTERNAL  anything unforeseen
//   GW_E_UNAVAILABLE  away, shutting down, overloaded, serialization failure, deadlock, lock not available
//   GW_E_TIMEOUT      over the time; when the server did not cancel it either, the connection is closed
// After UNAVAILABLE and TIMEOUT outside a transaction it is open whether the statement ran.
GW_CHECK gw_status gw_postgres_exec(struct gw_postgres *postgres, const char *sql, const char *const *parameters,
                                    size_t count, struct gw_postgres_rows **ret_rows, gw_err *err);

// Runs any number of statements, such as a file of them, without parameters or results, under one timeout in all. They
// stand or fall together: in the transaction that is open, else in one of their own. `sql` must not begin or end one.
// Statuses as above, of the first statement that fails.
GW_CHECK gw_status gw_postgres_script(struct gw_postgres *postgres, const char *sql, gw_err *err);

// A transaction: begin, statements, commit. After any failure, of the commit too, only rollback is left. A commit of a
// failed transaction is GW_E_ABORTED; when it fails with UNAVAILABLE or TIMEOUT it is open whether it happened.
// Rollback cannot fail: at worst it closes the connection. Without a transaction, rollback does nothing.
GW_CHECK gw_status gw_postgres_begin(struct gw_postgres *postgres, gw_err *err);
GW_CHECK gw_status gw_postgres_commit(struct gw_postgres *postgres, gw_err *err);
void gw_postgres_rollback(struct gw_postgres *postgres);

void gw_postgres_rows_free(struct gw_postgres_rows *rows);
size_t gw_postgres_rows_count(const struct gw_postgres_rows *rows);
size_t gw_postgres_rows_columns(const struct gw_postgres_rows *rows);

// Rows that an INSERT, UPDATE or DELETE touched; rows selected by a SELECT; 0 for others.
uint64_t gw_postgres_rows_affected(const struct gw_postgres_rows *rows);

// Text of a value, NUL-terminated, borrowed from `rows`; NULL for SQL's null. Both indexes are below the counts.
const char *gw_postgres_rows_text(const struct gw_postgres_rows *rows, size_t row, size_t column);
size_t gw_postgres_rows_size(const struct gw_postgres_rows *rows, size_t row, size_t column);

// The value as an integer. GW_E_MISMATCH: null, or not a 64-bit integer.
GW_CHECK gw_status gw_postgres_rows_int64(const struct gw_postgres_rows *rows, size_t row, size_t column,
                                          int64_t *ret_value, gw_err *err);
