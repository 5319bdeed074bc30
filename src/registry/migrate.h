// SPDX-License-Identifier: MIT
// Brings a database to the schema that this build needs: SQL files <number>_<name>.sql, applied in order, each once and in
// a transaction of its own together with its row in godwit_migrations (number, name, SHA-256, time).
#pragma once

#include "base/err.h"
#include "postgres/postgres.h"

struct gw_migration_note {
    int number;
    const char *name;
    bool applied_now; // false: it was there
};
typedef void (*gw_migration_sink)(void *context, const struct gw_migration_note *note);

// Applies what is missing, under an advisory lock, so that several may run at once. GW_E_MISMATCH: a file that was
// applied has changed since, or the database knows a migration that the directory lacks (it is newer). GW_E_INVALID: a
// file name that is no migration's, a number twice or missing. `each` (may be NULL) is told about every migration.
GW_CHECK gw_status gw_registry_migrate(struct gw_postgres *postgres, const char *directory, gw_migration_sink each,
                                       void *context, gw_err *err);
