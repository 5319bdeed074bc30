// SPDX-License-Identifier: MIT
// `simulate`: the options of worker/simulate.h.
#include "cli/commands.h"

#include "simulator/simulator.h"
#include "worker/simulate.h"

#include <signal.h>
#include <string.h>

const struct gw_cli_option gw_cli_simulate_options[] = {
    {"--rate", "N", "requests a second, on average over a day; events follow from them; default simulate.rate", false},
    {"--seed", "N", "the same seed gives the same world; default simulate.seed", false},
    {"--users", "N", "default simulate.users", false},
    {"--authors", "N", "how many of the users write; default simulate.authors", false},
    {"--tweets", "N", "how many are candidates at a time, on average; default simulate.items", false},
    {"--candidates", "N", "of a request, on average; default 100", false},
    {"--history", "DURATION", "first send so much of the past, as fast as Kafka takes it, ending now; default 0s",
     false},
    {"--history-requests", NULL, "also send the requests of the history", false},
    {"--duration", "DURATION", "stop after so long; default: until interrupted", false},
    {"--count", "N", "stop after so many requests, or write at most so many examples", false},
    {"--flat-out", NULL, "requests as fast as Kafka takes them, without events", false},
    {"--examples", "FILE",
     "write labelled examples from --history, by label.window, to a file (GWEX) instead; no service is needed", false},
    {"--reference", "FILE",
     "with --examples: also write vectors to tell drift by, of each request one candidate, as score samples them"
     " (godwit train --reference)",
     false},
    {"--warm-up", "DURATION", "with --examples: the first part of the history gives none; default a third of it",
     false},
    {"--drift", "KIND[=AMOUNT][@OFFSET]...",
     "make the world drift from so long after the start of live traffic (with --examples: of the history) on, such as"
     " shift=0.25@30s; kinds: shift by standard deviations (0.5 unless given), spread (sd times 1.5), missing (share"
     " 0.2), category (share 0.1), delay (times 10), concept (1: turned round), poison (share of labels 0.3)",
     false},
    {"--drift-on-signal", NULL, "drifts wait for SIGUSR1, their offsets count from there", false},
    {"--pace", "N",
     "viewers look and act so many times as fast as people do, so that outcomes fit into a short label.window; default"
     " 1",
     false},
    {"--truth", NULL,
     "with --examples: the true probability of is_favorited instead of the drawn label, as two weighted rows;"
     " a model trained on ten times as many of them is the ceiling for models of these features",
     false},
    {NULL, NULL, NULL, false},
};

// Sets *ret_value to the option, or to the configured one.
static gw_status take_u32(const struct gw_cli *cli, const char *name, uint64_t preset, uint64_t max,
                          uint32_t *ret_value, gw_err *err)
{
    uint64_t value = 0;
    GW_TRY(gw_cli_u64(cli, name, preset, 1, max, &value, err));
    *ret_value = (uint32_t)value;
    return GW_OK;
}

static gw_status take_options(const struct gw_cli *cli, struct gw_simulate_options *options, gw_err *err)
{
    const struct gw_config *config = cli->config;
    GW_TRY(gw_cli_u64(cli, "--seed", gw_config_u64(config, GW_OPT_SIMULATE_SEED), 0, UINT64_MAX, &options->seed, err));
    GW_TRY(
        take_u32(cli, "--users", gw_config_u64(config, GW_OPT_SIMULATE_USERS), 100000000, &options->user_count, err));
    GW_TRY(take_u32(cli, "--authors", gw_config_u64(config, GW_OPT_SIMULATE_AUTHORS), 100000000, &options->author_count,
                    err));
    GW_TRY(take_u32(cli, "--tweets", gw_config_u64(config, GW_OPT_SIMULATE_ITEMS), 100000000, &options->tweets_alive,
                    err));
    GW_TRY(take_u32(cli, "--candidates", 100, GW_SIM_CANDIDATES_MAX / 2, &options->candidates_mean, err));
    GW_TRY(gw_cli_double(cli, "--rate", (double)gw_config_u64(config, GW_OPT_SIMULATE_RATE), 1e-3, 1e7,
                         &options->requests_per_s, err));
    GW_TRY(gw_cli_double(cli, "--pace", 1.0, 1.0, GW_SIM_PACE_MAX, &options->pace, err));
    GW_TRY(gw_cli_duration(cli, "--history", 0, &options->history_us, err));
    GW_TRY(gw_cli_duration(cli, "--duration", 0, &options->duration_us, err));
    GW_TRY(gw_cli_u64(cli, "--count", 0, 1, INT64_MAX, &options->requests_max, err));
    options->history_requests = gw_cli_value(cli, "--history-requests") != NULL;
    options->flat_out = gw_cli_value(cli, "--flat-out") != NULL;
    if (options->author_count > options->user_count) {
        return gw_fail(err, GW_E_CONFIG, "--authors %u is above --users %u: authors are users who also write",
                       options->author_count, options->user_count);
    }
    return GW_OK;
}

static gw_status take_drifts(const struct gw_cli *cli, struct gw_simulate_options *options, gw_err *err)
{
    size_t cursor = 0;
    const char *text = NULL;
    while ((text = gw_cli_next_value(cli, "--drift", &cursor)) != NULL) {
        if (options->drift_count == GW_SIM_DRIFTS_MAX) {
            return gw_fail(err, GW_E_CONFIG, "more than %d times --drift", GW_SIM_DRIFTS_MAX);
        }
        GW_TRY(gw_sim_drift_parse(text, &options->drifts[options->drift_count++], err));
    }
    if (options->drift_count > 0 && options->flat_out) {
        return gw_fail(err, GW_E_CONFIG, "--drift is about a world in time, --flat-out sends requests of one moment");
    }
    return GW_OK;
}

// Options that mean nothing together are refused rather than ignored.
static gw_status check_together(const struct gw_cli *cli, gw_err *err)
{
    static const char *const live_only[] = {"--duration", "--history-requests", "--flat-out", "--drift-on-signal"};
    bool examples = gw_cli_value(cli, "--examples") != NULL;
    for (size_t i = 0; examples && i < GW_COUNT_OF(live_only); i++) {
        if (gw_cli_value(cli, live_only[i]) != NULL) {
            return gw_fail(err, GW_E_CONFIG, "%s is about live traffic, --examples writes a file", live_only[i]);
        }
    }
    if (examples && gw_cli_value(cli, "--history") == NULL) {
        return gw_fail(err, GW_E_CONFIG, "--examples needs --history: how much of the past to simulate, such as 12h");
    }
    const char *reference = gw_cli_value(cli, "--reference");
    if (examples && reference != NULL && strcmp(reference, gw_cli_value(cli, "--examples")) == 0) {
        return gw_fail(err, GW_E_CONFIG, "--reference and --examples are two files");
    }
    static const char *const examples_only[] = {"--warm-up", "--truth", "--reference"};
    for (size_t i = 0; !examples && i < GW_COUNT_OF(examples_only); i++) {
        if (gw_cli_value(cli, examples_only[i]) != NULL) {
            return gw_fail(err, GW_E_CONFIG, "%s goes with --examples", examples_only[i]);
        }
    }
    return GW_OK;
}

static gw_status print_report(const struct gw_cli *cli, const struct gw_examples_run *run,
                              const struct gw_examples_report *report, gw_err *err)
{
    struct gw_buf out = {0};
    struct gw_json_writer writer;
    if (!cli->json) {
        printf("%llu examples from %llu events in '%s'; AUC of the truth %.4f\n", (unsigned long long)report->examples,
               (unsigned long long)report->events, run->path, report->auc_truth);
        if (run->reference_path != NULL) {
            printf("%llu vectors of reference in '%s'\n", (unsigned long long)report->references, run->reference_path);
        }
        return GW_OK;
    }
    gw_json_writer_init(&writer, &out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "examples");
    gw_json_write_u64(&writer, report->examples);
    gw_json_write_key(&writer, "references");
    gw_json_write_u64(&writer, report->references);
    gw_json_write_key(&writer, "events");
    gw_json_write_u64(&writer, report->events);
    gw_json_write_key(&writer, "auc_truth");
    gw_json_write_double(&writer, report->auc_truth);
    gw_json_write_key(&writer, "auc_expected");
    gw_json_write_double(&writer, report->auc_expected);
    gw_json_write_key(&writer, "positives");
    gw_json_array_begin(&writer);
    for (size_t i = 0; i < GW_COUNT_OF(report->positives); i++) {
        gw_json_write_u64(&writer, report->positives[i]);
    }
    gw_json_array_end(&writer);
    gw_json_object_end(&writer);
    gw_status status = gw_cli_print_json(&writer, err);
    gw_buf_deinit(&out);
    return status;
}

static gw_status write_examples(const struct gw_cli *cli, const struct gw_runtime *runtime,
                                const struct gw_simulate_options *options, gw_err *err)
{
    struct gw_examples_run run = {
        .world = *options, .path = gw_cli_value(cli, "--examples"), .examples_max = options->requests_max};
    run.truth = gw_cli_value(cli, "--truth") != NULL;
    run.reference_path = gw_cli_value(cli, "--reference");
    run.label_window_us = gw_config_duration_us(cli->config, GW_OPT_LABEL_WINDOW);
    struct gw_examples_report report = {0};
    run.world.requests_max = 0;
    GW_TRY(gw_cli_duration(cli, "--warm-up", options->history_us / 3, &run.warm_up_us, err));
    GW_TRY(gw_simulate_examples(runtime, &run, &report, err));
    return print_report(cli, &run, &report, err);
}

// Set by signals; `stop` is also what the runtime looks at.
static atomic_bool stop;
static atomic_bool drift_now;

static void on_signal(int number)
{
    atomic_store(number == SIGUSR1 ? &drift_now : &stop, true);
}

// The first signal stops, the second one kills.
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    const struct sigaction drift = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &drift, NULL);
}

gw_status gw_cli_simulate(struct gw_cli *cli, gw_err *err)
{
    struct gw_simulate_options options = {0};
    struct gw_runtime runtime;
    bool examples = gw_cli_value(cli, "--examples") != NULL;
    GW_TRY(take_options(cli, &options, err));
    GW_TRY(take_drifts(cli, &options, err));
    GW_TRY(check_together(cli, err));
    options.drift_now = gw_cli_value(cli, "--drift-on-signal") != NULL ? &drift_now : NULL;
    catch_signals();
    unsigned needs = examples ? GW_RUNTIME_FEATURES : GW_RUNTIME_FEATURES | GW_RUNTIME_SCHEMAS;
    GW_TRY(gw_runtime_init(&runtime, cli->config, needs, &stop, err));
    gw_status status =
        examples ? write_examples(cli, &runtime, &options, err) : gw_simulate_run(&runtime, &options, err);
    gw_runtime_deinit(&runtime);
    return status;
}
