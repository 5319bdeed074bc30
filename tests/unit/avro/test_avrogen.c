// SPDX-License-Identifier: MIT
// What avrogen refuses, by its exit status and message; what it generates is tested by tests/unit/records.
#include "base/ini.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    char path[2][128];
    char output[4096];
    int exit_code;
};

static struct fixture *setup(void)
{
    static struct fixture fixture;
    char folder[] = "/tmp/avrogen-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    fixture = (struct fixture){0};
    memcpy(fixture.folder, folder, sizeof folder);
    for (int i = 0; i < 2; i++) {
        snprintf(fixture.path[i], sizeof fixture.path[i], "%s/%c.avsc", folder, 'a' + i);
    }
    return &fixture;
}

static void teardown(struct fixture *fixture)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", fixture->folder);
    assert_int_equal(system(command), 0);
}

// Runs avrogen on one or two schemas.
static void run(struct fixture *fixture, const char *first, const char *second)
{
    const char *const texts[] = {first, second};
    for (int i = 0; i < 2 && texts[i] != NULL; i++) {
        FILE *file = fopen(fixture->path[i], "w");
        assert_non_null(file);
        assert_true(fputs(texts[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    char command[1024];
    snprintf(command, sizeof command, GW_BINARY_DIR "/avrogen %s/out %s %s 2>&1", fixture->folder, fixture->path[0],
             second != NULL ? fixture->path[1] : "");
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(fixture->output, 1, sizeof fixture->output - 1, pipe);
    fixture->output[size] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    fixture->exit_code = WEXITSTATUS(status);
}

static void assert_refused(const char *first, const char *second, const char *message)
{
    struct fixture *fixture = setup();
    run(fixture, first, second);
    if (strstr(fixture->output, message) == NULL) {
        print_error("%s", fixture->output);
    }
    assert_non_null(strstr(fixture->output, message));
    assert_int_equal(fixture->exit_code, 1);
    teardown(fixture);
}

#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define FIELD(type)          "{\"name\":\"x\",\"type\":" type "}"
#define ENUM(symbols)        "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[" symbols "]}"

static void types_without_code_are_refused(void **state)
{
    (void)state;
    const char *const types[][2] = {
        {"{\"type\":\"array\",\"items\":\"int\"}", "array"},
        {"{\"type\":\"array\",\"items\":[\"null\",\"int\"]}", "array"},
        {"{\"type\":\"map\",\"values\":\"string\"}", "map"},
        {RECORD("S", FIELD("\"int\"")), "record"},
        {"[\"null\",{\"type\":\"array\",\"items\":\"double\"}]", "union"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(types); i++) {
        char schema[512];
        char message[128];
        snprintf(schema, sizeof schema, RECORD("R", FIELD("%s")), types[i][0]);
        snprintf(message, sizeof message, "a.avsc: field 'x' of 'R': no code for this %s", types[i][1]);
        assert_refused(schema, NULL, message);
    }
}

static void bad_schema_is_named(void **state)
{
    (void)state;
    assert_refused("{", NULL, "a.avsc: json byte 1: expected a key, found the end");
    assert_refused("\"int\"", NULL, "a.avsc: not a record");
    assert_refused(RECORD("R", FIELD("\"S\"")), NULL, "a.avsc: field 'x': schema: unknown type 'S'");
}

static void same_name_for_two_types_is_refused(void **state)
{
    (void)state;
    assert_refused(RECORD("R", FIELD("\"int\"")), RECORD("R", FIELD("\"int\"")), "b.avsc: type 'R' is another one in");
    assert_refused(RECORD("R", FIELD(ENUM("\"A\",\"B\""))), RECORD("S", FIELD(ENUM("\"B\",\"A\""))),
                   "b.avsc: type 'E' is another one in");
}

static void equal_enums_are_shared(void **state)
{
    (void)state;
    struct fixture *fixture = setup();
    char *text = NULL;
    size_t size = 0;
    char path[128];

    run(fixture, RECORD("R", FIELD(ENUM("\"A\",\"B\""))), RECORD("LongerName", FIELD(ENUM("\"A\",\"B\""))));
    assert_string_equal(fixture->output, "");
    assert_int_equal(fixture->exit_code, 0);
    snprintf(path, sizeof path, "%s/out/records/types.h", fixture->folder);
    assert_ok(gw_file_read(path, 1 << 16, &text, &size, NULL));
    const char *first = strstr(text, "enum gw_e {");
    assert_non_null(first);
    assert_null(strstr(first + 1, "enum gw_e {"));
    gw_mem_free(text);
    snprintf(path, sizeof path, "%s/out/records/longer_name.h", fixture->folder);
    assert_int_equal(access(path, R_OK), 0);
    teardown(fixture);
}

GW_TESTS(types_without_code_are_refused, bad_schema_is_named, same_name_for_two_types_is_refused,
         equal_enums_are_shared)
