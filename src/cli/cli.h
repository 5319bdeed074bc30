// SPDX-License-Identifier: MIT
// The command line: one table of commands, each given its checked options. Parse and print only.
//
// Life of a call: gw_cli_main parses the words by the table (args.c), loads the configuration when the command uses it
// and calls the command's function. That one prints data on stdout; on failure it returns a status, whose message goes
// to stderr and whose exit code is gw_exit_code. One thread.
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define GW_CLI_OPTIONS_MAX   24
#define GW_CLI_ARGUMENTS_MAX 32
#define GW_CLI_SETS_MAX      128
#define GW_CLI_REPEATS_MAX   64

struct gw_cli;

struct gw_cli_option {
    const char *name;  // with its dashes
    const char *value; // how help calls the value; NULL: a flag. With "..." at its end it may be repeated
    const char *help;
    bool required;
};

// A row of the table of commands. Strings and tables are static.
struct gw_cli_command {
    const char *noun;
    const char *verb;      // NULL: the noun stands alone
    const char *arguments; // how help shows them; "" for none
    size_t argument_count_min;
    size_t argument_count_max;
    const struct gw_cli_option *options; // ends with a row without name; NULL: none
    const char *help;                    // one line
    gw_status (*run)(struct gw_cli *cli, gw_err *err);
    void (*details)(FILE *to); // more help, or NULL
    bool uses_config;
    bool passes_through; // words behind the command are somebody else's: they stand in `rest`
};

extern const struct gw_cli_command gw_cli_commands[];
extern const size_t gw_cli_command_count;

// What was asked for. Words are borrowed from argv.
struct gw_cli {
    const struct gw_cli_command *command; // NULL: no command, or a noun that lacks its verb
    const char *noun;                     // as far as it was understood; for hints
    bool json;
    bool help;
    bool version;
    const char *config_path; // NULL: GODWIT_CONFIG, or none
    const char *sets[GW_CLI_SETS_MAX];
    size_t set_count;
    const char *values[GW_CLI_OPTIONS_MAX]; // of the command's options, in their order; NULL: not given; flags: ""
    struct {
        const struct gw_cli_option *option;
        const char *value;
    } repeats[GW_CLI_REPEATS_MAX]; // of options that may be repeated; the first value stands in `values` too
    size_t repeat_count;
    const char *arguments[GW_CLI_ARGUMENTS_MAX];
    size_t argument_count;
    char *const *rest; // ends with NULL; of a command that passes through

    struct gw_config *config; // when the command uses it
    int exit_code;            // of a command that succeeded
};

// Parses the words behind argv[0] by the table. GW_E_CONFIG says what is wrong and, when close, what was meant; what
// was understood so far is in *cli then. Help asked for anywhere makes everything behind it good.
GW_CHECK gw_status gw_cli_parse(int argc, char **argv, struct gw_cli *cli, gw_err *err);

// Value of an option of the command's ("" for a flag that was given), or NULL. The command must have the option.
const char *gw_cli_value(const struct gw_cli *cli, const char *name);

// Values of an option that may be repeated, in their order; *cursor begins at 0. NULL at the end.
const char *gw_cli_next_value(const struct gw_cli *cli, const char *name, size_t *cursor);

// gw_cli_value as a number or a duration; `preset` when it was not given. GW_E_CONFIG names the option.
GW_CHECK gw_status gw_cli_u64(const struct gw_cli *cli, const char *name, uint64_t preset, uint64_t min, uint64_t max,
                              uint64_t *ret_value, gw_err *err);
GW_CHECK gw_status gw_cli_double(const struct gw_cli *cli, const char *name, double preset, double min, double max,
                                 double *ret_value, gw_err *err);
GW_CHECK gw_status gw_cli_duration(const struct gw_cli *cli, const char *name, int64_t preset_us, int64_t *ret_us,
                                   gw_err *err);
// A moment in ms: RFC 3339, milliseconds since 1970, or how long ago such as -2h.
GW_CHECK gw_status gw_cli_time(const struct gw_cli *cli, const char *name, int64_t preset_ms, int64_t *ret_ms,
                               gw_err *err);

// Parses the words, does what they say and gives the process's exit code.
int gw_cli_main(int argc, char **argv);

// ---- help, generated from the table ---------------------------------------------------------------------------------

extern const struct gw_cli_option gw_cli_globals[]; // ends with a row without name

void gw_cli_help_all(FILE *to);
void gw_cli_help_noun(FILE *to, const char *noun);
void gw_cli_help_command(FILE *to, const struct gw_cli_command *command);

// The noun's first row, or NULL; a row whose noun and verb match, or NULL (verb NULL: the noun's own row).
const struct gw_cli_command *gw_cli_find_noun(const char *noun);
const struct gw_cli_command *gw_cli_find(const char *noun, const char *verb);

// ---- output ---------------------------------------------------------------------------------------------------------

// Writes a finished JSON text and a line feed to stdout.
GW_CHECK gw_status gw_cli_print_json(struct gw_json_writer *writer, gw_err *err);
