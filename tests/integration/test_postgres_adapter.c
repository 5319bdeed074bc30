// SPDX-License-Identifier: MIT
// The adapter against a real PostgreSQL (GODWIT_POSTGRES_URI). Tables are temporary or have names of their own.
#include "base/clock.h"
#include "postgres/postgres.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct gw_postgres *open_with(const char *uri, uint32_t timeout_ms)
{
    struct gw_postgres *postgres = NULL;
    gw_err err = {0};
    struct gw_postgres_options options = {.uri = uri, .application = "godwit-test", .timeout_ms = timeout_ms};
    assert_ok_err(gw_postgres_new(&options, &postgres, &err), &err);
    return postgres;
}

static struct gw_postgres *open_postgres(uint32_t timeout_ms)
{
    const char *uri = getenv("GODWIT_POSTGRES_URI");
    if (uri == NULL) {
        print_message("GODWIT_POSTGRES_URI is not set\n");
        skip();
    }
    return open_with(uri, timeout_ms);
}

static gw_status run(struct gw_postgres *postgres, const char *sql)
{
    return gw_postgres_exec(postgres, sql, NULL, 0, NULL, NULL);
}

static int64_t number_of(struct gw_postgres *postgres, const char *sql)
{
    struct gw_postgres_rows *rows = NULL;
    int64_t value = 0;
    gw_err err = {0};
    assert_ok_err(gw_postgres_exec(postgres, sql, NULL, 0, &rows, &err), &err);
    assert_int_equal(gw_postgres_rows_count(rows), 1);
    assert_ok_err(gw_postgres_rows_int64(rows, 0, 0, &value, &err), &err);
    gw_postgres_rows_free(rows);
    return value;
}

// Ends the connection of `postgres` from another one, at once.
static void cut(struct gw_postgres *postgres)
{
    char sql[96];
    struct gw_postgres *other = open_postgres(10000);
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld, 10000)",
             (long long)number_of(postgres, "select pg_backend_pid()"));
    assert_ok(run(other, sql));
    gw_postgres_free(other);
}

// Runs until the pause after a lost connection is over.
static void wait_for(struct gw_postgres *postgres)
{
    uint64_t latency_us = 0;
    uint64_t end_us = gw_clock_mono_us() + 20000000;
    while (gw_postgres_ping(postgres, &latency_us, NULL) != GW_OK) {
        assert_true(gw_clock_mono_us() < end_us);
    }
}

static void ping_tells_a_latency(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    uint64_t latency_us = 0;
    gw_err err = {0};
    assert_ok_err(gw_postgres_ping(postgres, &latency_us, &err), &err);
    assert_true(latency_us > 0);
    gw_postgres_free(postgres);
}

static void parameters_and_nulls_go_both_ways(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    struct gw_postgres_rows *rows = NULL;
    const char *const parameters[] = {"-9223372036854775808", "it's; drop table x --", NULL, "h\xc3\xa9"};
    int64_t value = 0;
    assert_ok(gw_postgres_exec(
        postgres, "select $1::bigint, $2::text, $3::text, $4::text, '' union all select 1, 'b', 'c', 'd', 'e'",
        parameters, 4, &rows, NULL));
    assert_int_equal(gw_postgres_rows_count(rows), 2);
    assert_int_equal(gw_postgres_rows_columns(rows), 5);
    assert_ok(gw_postgres_rows_int64(rows, 0, 0, &value, NULL));
    assert_true(value == INT64_MIN);
    assert_string_equal(gw_postgres_rows_text(rows, 0, 1), parameters[1]);
    assert_null(gw_postgres_rows_text(rows, 0, 2));
    assert_int_equal(gw_postgres_rows_size(rows, 0, 3), 3);
    assert_string_equal(gw_postgres_rows_text(rows, 0, 4), "");
    assert_string_equal(gw_postgres_rows_text(rows, 1, 2), "c");
    assert_fails(gw_postgres_rows_int64(rows, 0, 1, &value, NULL), GW_E_MISMATCH);
    assert_fails(gw_postgres_rows_int64(rows, 0, 2, &value, NULL), GW_E_MISMATCH);
    gw_postgres_rows_free(rows);
    gw_postgres_free(postgres);
}

static void affected_rows_are_counted(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    struct gw_postgres_rows *rows = NULL;
    assert_ok(run(postgres, "create temp table t(id bigint primary key, v text)"));
    assert_ok(
        gw_postgres_exec(postgres, "insert into t select g, 'x' from generate_series(1, 5) g", NULL, 0, &rows, NULL));
    assert_int_equal(gw_postgres_rows_affected(rows), 5);
    gw_postgres_rows_free(rows);
    assert_ok(gw_postgres_exec(postgres, "update t set v = 'y' where id = 99", NULL, 0, &rows, NULL));
    assert_int_equal(gw_postgres_rows_affected(rows), 0);
    gw_postgres_rows_free(rows);
    gw_postgres_free(postgres);
}

static void errors_map_to_what_the_loop_should_do(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        gw_status status;
    } cases[] = {
        {"select * from no_such_table", GW_E_MISMATCH},
        {"selec", GW_E_MISMATCH},
        {"select 'x'::bigint", GW_E_INVALID},
        {"select 1 / 0", GW_E_INVALID},
        {"insert into t values (1), (1)", GW_E_CONFLICT},
        {"do $$ begin raise exception 'no'; end $$", GW_E_INVALID},
        {"select 1; select 2", GW_E_MISMATCH},
        {"copy t from stdin", GW_E_INTERNAL},
    };
    struct gw_postgres *postgres = open_postgres(10000);
    assert_ok(run(postgres, "create temp table t(id bigint primary key)"));
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        gw_err err = {0};
        gw_status status = gw_postgres_exec(postgres, cases[i].sql, NULL, 0, NULL, &err);
        if (status != cases[i].status) {
            print_error("%s: %s\n", cases[i].sql, err.message);
        }
        assert_fails(status, cases[i].status);
    }
    wait_for(postgres); // the COPY cost the connection
    gw_postgres_free(postgres);
}

static void statement_over_its_time_is_cancelled_and_the_connection_stays(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(2000);
    int64_t backend = number_of(postgres, "select pg_backend_pid()");
    uint64_t start_us = gw_clock_mono_us();
    assert_fails(run(postgres, "select pg_sleep(60)"), GW_E_TIMEOUT);
    assert_true(gw_clock_mono_us() - start_us < 30000000);
    assert_int_equal(number_of(postgres, "select pg_backend_pid()"), backend);
    gw_postgres_free(postgres);
}

static void lost_connection_is_opened_again(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    cut(postgres);
    assert_fails(run(postgres, "select 1"), GW_E_UNAVAILABLE);
    wait_for(postgres);
    assert_int_equal(number_of(postgres, "select 41 + 1"), 42);
    gw_postgres_free(postgres);
}

static void committed_is_seen_and_rolled_back_is_not(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    assert_ok(run(postgres, "create temp table t(id bigint)"));
    assert_ok(gw_postgres_begin(postgres, NULL));
    assert_ok(run(postgres, "insert into t values (1)"));
    assert_ok(gw_postgres_commit(postgres, NULL));
    assert_ok(gw_postgres_begin(postgres, NULL));
    assert_ok(run(postgres, "insert into t values (2)"));
    gw_postgres_rollback(postgres);
    gw_postgres_rollback(postgres);
    assert_int_equal(number_of(postgres, "select sum(id) from t"), 1);
    gw_postgres_free(postgres);
}

static void commit_of_a_failed_transaction_is_aborted(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    assert_ok(run(postgres, "create temp table t(id bigint)"));
    assert_ok(gw_postgres_begin(postgres, NULL));
    assert_ok(run(postgres, "insert into t values (1)"));
    assert_fails(run(postgres, "select 1 / 0"), GW_E_INVALID);
    assert_fails(run(postgres, "insert into t values (2)"), GW_E_ABORTED);
    assert_fails(gw_postgres_commit(postgres, NULL), GW_E_ABORTED);
    gw_postgres_rollback(postgres);
    assert_int_equal(number_of(postgres, "select count(*) from t"), 0);
    gw_postgres_free(postgres);
}

static void rest_of_a_transaction_never_runs_on_a_new_connection(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    char create[96];
    char insert[96];
    char count[96];
    char drop[96];
    snprintf(create, sizeof create, "create table adapter_test_%d(id bigint)", (int)getpid());
    snprintf(insert, sizeof insert, "insert into adapter_test_%d values (1)", (int)getpid());
    snprintf(count, sizeof count, "select count(*) from adapter_test_%d", (int)getpid());
    snprintf(drop, sizeof drop, "drop table adapter_test_%d", (int)getpid());
    assert_ok(run(postgres, create));
    assert_ok(gw_postgres_begin(postgres, NULL));
    assert_ok(run(postgres, insert));
    cut(postgres);

    uint64_t end_us = gw_clock_mono_us() + 1000000; // longer than the pause, so a new connection could be had
    do {
        assert_fails(run(postgres, insert), GW_E_UNAVAILABLE);
    } while (gw_clock_mono_us() < end_us);
    assert_fails(gw_postgres_commit(postgres, NULL), GW_E_UNAVAILABLE);
    gw_postgres_rollback(postgres);
    wait_for(postgres);
    assert_int_equal(number_of(postgres, count), 0);
    assert_ok(run(postgres, drop));
    gw_postgres_free(postgres);
}

static void missing_database_is_a_configuration_error(void **state)
{
    (void)state;
    const char *uri = getenv("GODWIT_POSTGRES_URI");
    if (uri == NULL) {
        skip();
    }
    char other[512];
    const char *slash = strrchr(uri, '/');
    assert_non_null(slash);
    snprintf(other, sizeof other, "%.*s/no_such_database", (int)(slash - uri), uri);
    struct gw_postgres *postgres = open_with(other, 10000);
    uint64_t latency_us = 0;
    gw_err err = {0};
    assert_fails(gw_postgres_ping(postgres, &latency_us, &err), GW_E_CONFIG);
    assert_non_null(strstr(err.message, "no_such_database"));
    gw_postgres_free(postgres);
}

static void result_larger_than_socket_buffers_comes_whole(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(30000);
    struct gw_postgres_rows *rows = NULL;
    assert_ok(
        gw_postgres_exec(postgres, "select repeat('x', 1000) from generate_series(1, 20000)", NULL, 0, &rows, NULL));
    assert_int_equal(gw_postgres_rows_count(rows), 20000);
    assert_int_equal(gw_postgres_rows_size(rows, 19999, 0), 1000);
    gw_postgres_rows_free(rows);
    gw_postgres_free(postgres);
}

static void script_runs_all_its_statements_or_none(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    gw_err err = {0};
    assert_ok_err(gw_postgres_script(postgres,
                                     "create temp table t(id bigint); -- a comment; with a semicolon\n"
                                     "create function pg_temp.two() returns bigint language plpgsql as $$ begin return "
                                     "2; end $$;\ninsert into t values (pg_temp.two()), (3);\n",
                                     &err),
                  &err);
    assert_int_equal(number_of(postgres, "select sum(id) from t"), 5);
    assert_fails(gw_postgres_script(postgres, "insert into t values (7); select 1 / 0; insert into t values (8)", &err),
                 GW_E_INVALID);
    assert_non_null(strstr(err.message, "22012"));
    assert_int_equal(number_of(postgres, "select sum(id) from t"), 5);
    assert_ok(gw_postgres_script(postgres, " -- nothing\n", NULL));
    gw_postgres_free(postgres);
}

static void script_belongs_to_the_transaction_that_is_open(void **state)
{
    (void)state;
    struct gw_postgres *postgres = open_postgres(10000);
    assert_ok(run(postgres, "create temp table t(id bigint)"));
    assert_ok(gw_postgres_begin(postgres, NULL));
    assert_ok(gw_postgres_script(postgres, "insert into t values (1); insert into t values (2)", NULL));
    gw_postgres_rollback(postgres);
    assert_int_equal(number_of(postgres, "select count(*) from t"), 0);

    assert_ok(gw_postgres_begin(postgres, NULL));
    cut(postgres);
    assert_fails(gw_postgres_script(postgres, "select 1; select 2", NULL), GW_E_UNAVAILABLE);
    assert_fails(gw_postgres_script(postgres, "select 1; select 2", NULL), GW_E_UNAVAILABLE);
    gw_postgres_rollback(postgres);
    wait_for(postgres);
    gw_postgres_free(postgres);
}

GW_TESTS(ping_tells_a_latency, parameters_and_nulls_go_both_ways, affected_rows_are_counted,
         errors_map_to_what_the_loop_should_do, statement_over_its_time_is_cancelled_and_the_connection_stays,
         lost_connection_is_opened_again, committed_is_seen_and_rolled_back_is_not,
         commit_of_a_failed_transaction_is_aborted, rest_of_a_transaction_never_runs_on_a_new_connection,
         missing_database_is_a_configuration_error, result_larger_than_socket_buffers_comes_whole,
         script_runs_all_its_statements_or_none, script_belongs_to_the_transaction_that_is_open)
