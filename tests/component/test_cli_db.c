// SPDX-License-Identifier: MIT
// `db migrate` where there is no database; tests/integration/test_cli_db.c has one.
#include "component/cli_run.h"

#define NOWHERE "postgres.uri=postgresql://godwit@127.0.0.1:1/godwit" // nobody listens on port 1

static void database_that_is_away_is_named_without_its_password(void **state)
{
    (void)state;
    const struct cli_result *result =
        cli_run("db", "migrate", "--set", "postgres.uri=postgresql://godwit:s3cret@127.0.0.1:1/godwit");
    cli_assert_refused(result, 1, "postgres '127.0.0.1:1/godwit'");
    assert_null(strstr(result->err, "s3cret"));
}

static void folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("db", "migrate", "--set", NOWHERE, "--set", "postgres.migrations=/no/such/folder"), 1,
                       "migrations '/no/such/folder': No such file or directory");
}

GW_TESTS(database_that_is_away_is_named_without_its_password, folder_that_is_not_there_is_named)
