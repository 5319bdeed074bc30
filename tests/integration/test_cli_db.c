// SPDX-License-Identifier: MIT
// `db migrate` against a real PostgreSQL (GODWIT_POSTGRES_URI).
#include "component/cli_run.h"
#include "integration/registry_fixture.h"

static void migrations_are_applied_once_and_listed(void **state)
{
    (void)state;
    struct registry_fixture fixture;
    char set[600];
    registry_open_empty(&fixture);
    snprintf(set, sizeof set, "postgres.uri=%s", fixture.uri);
    const struct cli_result *result = cli_run("db", "migrate", "--set", set);
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "registry");
    cli_assert_contains(result->out, "applied");
    assert_int_equal(registry_number(fixture.postgres, "SELECT published FROM registry_relay"), 0);

    result = cli_run("db", "migrate", "--json", "--set", set);
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "{\"number\":1,\"name\":\"registry\",\"result\":\"was there\"}");

    registry_run(fixture.postgres, "UPDATE godwit_migrations SET digest = 'other' WHERE number = 1");
    cli_assert_refused(cli_run("db", "migrate", "--set", set), 3, "migration 001 'registry' has changed");
    registry_close(&fixture);
}

GW_TESTS(migrations_are_applied_once_and_listed)
