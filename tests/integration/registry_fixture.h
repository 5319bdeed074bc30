// SPDX-License-Identifier: MIT
// A schema of its own for each test, in the database of GODWIT_POSTGRES_URI. Header only, for tests of the registry.
#pragma once

#include "base/mem.h"
#include "postgres/postgres.h"
#include "registry/migrate.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct registry_fixture {
    char schema[64];
    char uri[512];                // whose search path is the schema
    struct gw_postgres *postgres; // a connection in it
};

static inline void registry_run(struct gw_postgres *postgres, const char *sql)
{
    gw_err err = {0};
    assert_ok_err(gw_postgres_script(postgres, sql, &err), &err);
}

static inline struct gw_postgres *registry_connect(const char *uri)
{
    struct gw_postgres *postgres = NULL;
    gw_err err = {0};
    const struct gw_postgres_options options = {.uri = uri, .application = "godwit-test", .timeout_ms = 30000};
    assert_ok_err(gw_postgres_new(&options, &postgres, &err), &err);
    return postgres;
}

static inline int64_t registry_number(struct gw_postgres *postgres, const char *sql)
{
    struct gw_postgres_rows *rows = NULL;
    int64_t value = 0;
    gw_err err = {0};
    assert_ok_err(gw_postgres_exec(postgres, sql, NULL, 0, &rows, &err), &err);
    assert_ok_err(gw_postgres_rows_int64(rows, 0, 0, &value, &err), &err);
    gw_postgres_rows_free(rows);
    return value;
}

// An empty schema. Skips the test when no PostgreSQL is named.
static inline void registry_open_empty(struct registry_fixture *fixture)
{
    static int serial;
    const char *uri = getenv("GODWIT_POSTGRES_URI");
    if (uri == NULL) {
        print_message("GODWIT_POSTGRES_URI is not set\n");
        skip();
    }
    char sql[128];
    snprintf(fixture->schema, sizeof fixture->schema, "registry_test_%d_%d", (int)getpid(), ++serial);
    snprintf(fixture->uri, sizeof fixture->uri, "%s%soptions=-csearch_path%%3D%s", uri,
             strchr(uri, '?') != NULL ? "&" : "?", fixture->schema);
    fixture->postgres = registry_connect(fixture->uri);
    snprintf(sql, sizeof sql, "CREATE SCHEMA %s", fixture->schema);
    registry_run(fixture->postgres, sql);
}

// The same with the tables of this build.
static inline void registry_open(struct registry_fixture *fixture)
{
    gw_err err = {0};
    registry_open_empty(fixture);
    assert_ok_err(gw_registry_migrate(fixture->postgres, GW_SOURCE_DIR "/deploy/postgres", NULL, NULL, &err), &err);
}

static inline void registry_close(struct registry_fixture *fixture)
{
    char sql[128];
    if (fixture->postgres == NULL) { // a test gave it up, with its whole server
        return;
    }
    snprintf(sql, sizeof sql, "DROP SCHEMA %s CASCADE", fixture->schema);
    registry_run(fixture->postgres, sql);
    gw_postgres_free(fixture->postgres);
}
