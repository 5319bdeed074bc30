// SPDX-License-Identifier: MIT
// Runs the built godwit as a user would, at the top of the tree, and keeps what it printed.
#pragma once

#include "support/testkit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLI_OUTPUT_MAX (256 * 1024)

struct cli_result {
    int exit_code;
    char out[CLI_OUTPUT_MAX];
    char err[CLI_OUTPUT_MAX];
};

static inline void cli_read_back(FILE *stream, char *to)
{
    rewind(stream);
    size_t size = fread(to, 1, CLI_OUTPUT_MAX - 1, stream);
    to[size] = '\0';
    fclose(stream);
}

// What the caller's shell says about godwit is not for the tests.
static inline void cli_clear_environment(void)
{
    char names[64][64];
    size_t count = 0;
    for (char **variable = environ; *variable != NULL && count < GW_COUNT_OF(names); variable++) {
        size_t length = strcspn(*variable, "=");
        if (strncmp(*variable, "GODWIT_", 7) == 0 && length < sizeof names[0]) {
            snprintf(names[count++], sizeof names[0], "%.*s", (int)length, *variable);
        }
    }
    for (size_t i = 0; i < count; i++) {
        unsetenv(names[i]);
    }
}

// `variables` (may be NULL) are NAME=VALUE for the environment, `input` (may be NULL) goes to stdin. The result is
// valid until the next run.
static inline const struct cli_result *cli_run_with(const char *const *variables, const char *input,
                                                    const char *const *arguments)
{
    static struct cli_result result;
    FILE *in = tmpfile();
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    assert_true(in != NULL && out != NULL && err != NULL);
    fputs(input != NULL ? input : "", in);
    rewind(in);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const char *argv[64] = {"godwit"};
        for (size_t i = 0; arguments[i] != NULL && i + 2 < GW_COUNT_OF(argv); i++) {
            argv[i + 1] = arguments[i];
        }
        cli_clear_environment();
        for (; variables != NULL && *variables != NULL; variables++) {
            putenv((char *)(uintptr_t)*variables);
        }
        dup2(fileno(in), STDIN_FILENO);
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        if (chdir(GW_SOURCE_DIR) == 0) {
            execv(GW_BINARY_DIR "/godwit", (char **)(uintptr_t)argv);
        }
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    assert_true(WIFEXITED(status));
    result.exit_code = WEXITSTATUS(status);
    fclose(in);
    cli_read_back(out, result.out);
    cli_read_back(err, result.err);
    return &result;
}

#define cli_run(...) cli_run_with(NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})

static inline void cli_assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("no '%s' in:\n%s", part, text);
    }
}

static inline void cli_assert_exit(const struct cli_result *result, int exit_code)
{
    if (result->exit_code != exit_code) {
        fail_msg("exit %d, expected %d; stdout:\n%s\nstderr:\n%s", result->exit_code, exit_code, result->out,
                 result->err);
    }
}

// Fails with that code, says `part` on stderr and nothing on stdout.
static inline void cli_assert_refused(const struct cli_result *result, int exit_code, const char *part)
{
    cli_assert_exit(result, exit_code);
    cli_assert_contains(result->err, part);
    assert_string_equal(result->out, "");
}
