// SPDX-License-Identifier: MIT
// Migrations against a real PostgreSQL (GODWIT_POSTGRES_URI), each test in a schema of its own.
#include "integration/registry_fixture.h"

#include <pthread.h>
#include <sys/stat.h>

struct folder {
    char path[64];
};

static void make_folder(struct folder *folder)
{
    snprintf(folder->path, sizeof folder->path, "/tmp/godwit-migrations-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static void put(const struct folder *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void take(const struct folder *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    assert_int_equal(unlink(path), 0);
}

static void put_two(const struct folder *folder)
{
    put(folder, "001_first.sql", "CREATE TABLE a (id bigint); INSERT INTO a VALUES (1);\n");
    put(folder, "002_second.sql",
        "CREATE FUNCTION two() RETURNS bigint LANGUAGE plpgsql AS $$\nBEGIN\n RETURN 2;\nEND $$;\n"
        "INSERT INTO a VALUES (two());\n");
    put(folder, "README.md", "not a migration");
}

// Names of the files of put_two, and of others that a test may have added.
static void remove_folder(const struct folder *folder)
{
    static const char *const names[] = {"001_first.sql",  "002_second.sql", "003_third.sql", "002_other.sql",
                                        "004_fourth.sql", "x.sql",          "README.md"};
    for (size_t i = 0; i < GW_COUNT_OF(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder->path, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder->path), 0);
}

struct notes {
    size_t count;
    size_t applied;
    char names[256];
};

static void note(void *context, const struct gw_migration_note *migration)
{
    struct notes *notes = context;
    size_t used = strlen(notes->names);
    notes->count++;
    notes->applied += migration->applied_now;
    snprintf(notes->names + used, sizeof notes->names - used, "%d:%s ", migration->number, migration->name);
}

static void each_file_is_applied_once_and_in_order(void **state)
{
    (void)state;
    struct registry_fixture fixture;
    struct folder folder;
    registry_open_empty(&fixture);
    make_folder(&folder);
    put_two(&folder);
    gw_err err = {0};
    struct notes notes = {0};
    assert_ok_err(gw_registry_migrate(fixture.postgres, folder.path, note, &notes, &err), &err);
    assert_int_equal(notes.applied, 2);
    assert_string_equal(notes.names, "1:first 2:second ");
    assert_int_equal(registry_number(fixture.postgres, "SELECT sum(id) FROM a"), 3);

    notes = (struct notes){0};
    assert_ok_err(gw_registry_migrate(fixture.postgres, folder.path, note, &notes, &err), &err);
    assert_int_equal(notes.count, 2);
    assert_int_equal(notes.applied, 0);
    assert_int_equal(registry_number(fixture.postgres, "SELECT sum(id) FROM a"), 3);

    put(&folder, "003_third.sql", "INSERT INTO a VALUES (10);");
    notes = (struct notes){0};
    assert_ok_err(gw_registry_migrate(fixture.postgres, folder.path, note, &notes, &err), &err);
    assert_int_equal(notes.count, 3);
    assert_int_equal(notes.applied, 1);
    assert_int_equal(registry_number(fixture.postgres, "SELECT sum(id) FROM a"), 13);
    assert_int_equal(registry_number(fixture.postgres, "SELECT count(*) FROM godwit_migrations WHERE at <= now() AND "
                                                       "digest ~ '^[0-9a-f]{64}$'"),
                     3);
    remove_folder(&folder);
    registry_close(&fixture);
}

static void changed_file_is_a_mismatch_and_nothing_is_applied(void **state)
{
    (void)state;
    struct registry_fixture fixture;
    struct folder folder;
    registry_open_empty(&fixture);
    make_folder(&folder);
    put_two(&folder);
    gw_err err = {0};
    assert_ok_err(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), &err);
    put(&folder, "001_first.sql", "CREATE TABLE a (id bigint); INSERT INTO a VALUES (5);\n");
    put(&folder, "003_third.sql", "INSERT INTO a VALUES (10);");
    assert_fails(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "001 'first' has changed"));
    assert_int_equal(registry_number(fixture.postgres, "SELECT sum(id) FROM a"), 3);
    remove_folder(&folder);
    registry_close(&fixture);
}

static void newer_database_is_a_mismatch(void **state)
{
    (void)state;
    struct registry_fixture fixture;
    struct folder folder;
    registry_open_empty(&fixture);
    make_folder(&folder);
    put_two(&folder);
    gw_err err = {0};
    assert_ok_err(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), &err);
    take(&folder, "002_second.sql");
    assert_fails(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "002 'second', which this build lacks"));
    remove_folder(&folder);
    registry_close(&fixture);
}

static void broken_file_leaves_nothing_and_keeps_those_before_it(void **state)
{
    (void)state;
    struct registry_fixture fixture;
    struct folder folder;
    registry_open_empty(&fixture);
    make_folder(&folder);
    put_two(&folder);
    put(&folder, "003_third.sql", "INSERT INTO a VALUES (10); INSERT INTO no_such_table VALUES (1);");
    put(&folder, "004_fourth.sql", "INSERT INTO a VALUES (20);");
    gw_err err = {0};
    struct notes notes = {0};
    assert_fails(gw_registry_migrate(fixture.postgres, folder.path, note, &notes, &err), GW_E_MISMATCH);
    assert_non_null(strstr(err.message, "migration 003 'third'"));
    assert_non_null(strstr(err.message, "no_such_table"));
    assert_int_equal(notes.count, 2);
    assert_int_equal(registry_number(fixture.postgres, "SELECT sum(id) FROM a"), 3);
    assert_int_equal(registry_number(fixture.postgres, "SELECT count(*) FROM godwit_migrations"), 2);

    put(&folder, "003_third.sql", "INSERT INTO a VALUES (10);");
    assert_ok_err(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), &err);
    assert_int_equal(registry_number(fixture.postgres, "SELECT sum(id) FROM a"), 33);
    remove_folder(&folder);
    registry_close(&fixture);
}

static void names_and_numbers_that_are_no_sequence_are_refused(void **state)
{
    (void)state;
    struct registry_fixture fixture;
    struct folder folder;
    registry_open_empty(&fixture);
    make_folder(&folder);
    gw_err err = {0};
    assert_fails(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "no file '001_"));

    put_two(&folder);
    put(&folder, "x.sql", "SELECT 1");
    assert_fails(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "'x.sql'"));
    take(&folder, "x.sql");

    put(&folder, "002_other.sql", "SELECT 1");
    assert_fails(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "002 twice"));
    take(&folder, "002_other.sql");

    put(&folder, "004_fourth.sql", "SELECT 1");
    assert_fails(gw_registry_migrate(fixture.postgres, folder.path, NULL, NULL, &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "003 is missing"));

    assert_fails(gw_registry_migrate(fixture.postgres, "/no/such/folder", NULL, NULL, &err), GW_E_NOT_FOUND);
    assert_int_equal(registry_number(fixture.postgres, "SELECT count(to_regclass('a'))"), 0);
    remove_folder(&folder);
    registry_close(&fixture);
}

struct migrator {
    const char *uri;
    const char *path;
    pthread_barrier_t *start;
    struct notes notes;
    gw_status status;
    gw_err err;
};

static void *migrate(void *argument)
{
    struct migrator *migrator = argument;
    struct gw_postgres *postgres = registry_connect(migrator->uri);
    pthread_barrier_wait(migrator->start);
    migrator->status = gw_registry_migrate(postgres, migrator->path, note, &migrator->notes, &migrator->err);
    gw_postgres_free(postgres);
    return NULL;
}

static void several_at_once_apply_each_file_once(void **state)
{
    (void)state;
    enum { MIGRATORS = 4 };
    struct registry_fixture fixture;
    struct folder folder;
    pthread_barrier_t start;
    struct migrator migrators[MIGRATORS] = {0};
    pthread_t threads[MIGRATORS];
    registry_open_empty(&fixture);
    make_folder(&folder);
    put_two(&folder);
    assert_int_equal(pthread_barrier_init(&start, NULL, MIGRATORS), 0);
    size_t applied = 0;
    for (size_t i = 0; i < MIGRATORS; i++) {
        migrators[i] = (struct migrator){.uri = fixture.uri, .path = folder.path, .start = &start};
        assert_int_equal(pthread_create(&threads[i], NULL, migrate, &migrators[i]), 0);
    }
    for (size_t i = 0; i < MIGRATORS; i++) {
        pthread_join(threads[i], NULL);
        assert_ok_err(migrators[i].status, &migrators[i].err);
        assert_string_equal(migrators[i].notes.names, "1:first 2:second ");
        applied += migrators[i].notes.applied;
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(applied, 2);
    assert_int_equal(registry_number(fixture.postgres, "SELECT sum(id) FROM a"), 3);
    remove_folder(&folder);
    registry_close(&fixture);
}

static void files_of_this_build_apply(void **state)
{
    (void)state;
    struct registry_fixture fixture;
    registry_open(&fixture);
    assert_int_equal(registry_number(fixture.postgres, "SELECT sequence FROM registry_clock"), 0);
    gw_err err = {0};
    registry_run(fixture.postgres, "INSERT INTO registry_events VALUES (1, 'm', 0, 'create', '', '', '', 0, 'a', '', "
                                   "now(), NULL)");
    assert_fails(gw_postgres_script(fixture.postgres, "DELETE FROM registry_events", &err), GW_E_INVALID);
    assert_non_null(strstr(err.message, "append-only"));
    registry_close(&fixture);
}

GW_TESTS(each_file_is_applied_once_and_in_order, changed_file_is_a_mismatch_and_nothing_is_applied,
         newer_database_is_a_mismatch, broken_file_leaves_nothing_and_keeps_those_before_it,
         names_and_numbers_that_are_no_sequence_are_refused, several_at_once_apply_each_file_once,
         files_of_this_build_apply)
