// SPDX-License-Identifier: MIT
// What a change of the serving version costs: bench_rollout --case promote|rollback|windows|soak|history_at ...
#include "rollout/rollout.h"
#include "support/report.h"

#include <stdio.h>
#include <string.h>

struct kind {
    const char *name;
    gw_status (*run)(struct rollout *rollout, gw_err *err);
};

static const struct kind kinds[] = {
    {"promote", rollout_promotions}, {"rollback", rollout_rollbacks}, {"windows", rollout_windows},
    {"soak", rollout_soak},          {"history_at", rollout_history},
};

static gw_status run_case(const struct rollout_settings *s, const struct bench_session *session, gw_err *err)
{
    const struct kind *kind = NULL;
    for (size_t i = 0; i < GW_COUNT_OF(kinds); i++) {
        kind = strcmp(s->case_name, kinds[i].name) == 0 ? &kinds[i] : kind;
    }
    if (kind == NULL) {
        return gw_fail(err, GW_E_INVALID, "no such case");
    }
    struct bench_world world = {0};
    struct rollout rollout = {.settings = s, .session = session, .world = &world};
    gw_status status = bench_world_init(&world, s->users, s->tweets, s->authors, err);
    if (status == GW_OK) {
        status = rollout_init(&rollout, err);
    }
    if (status == GW_OK) {
        status = kind->run(&rollout, err);
    }
    rollout_deinit(&rollout);
    bench_world_deinit(&world);
    return status;
}

int main(int argc, char **argv)
{
    struct rollout_settings s = {.users = 1e6,
                                 .tweets = 1e6,
                                 .authors = 1e5,
                                 .candidates = 100,
                                 .swaps = 100,
                                 .expected_per_s = 500000,
                                 .seconds = 240,
                                 .rate = 500,
                                 .windows = 30,
                                 .window_s = 2,
                                 .warm_up_s = 15, // a broker just started compiles its paths meanwhile
                                 .events = 100000,
                                 .reads = 1000};
    const struct bench_option options[] = {
        {"--program", &s.program, NULL},
        {"--case", &s.case_name, NULL},
        {"--model", &s.model, NULL},
        {"--bundles", &s.bundles, NULL},
        {"--caches", &s.caches, NULL},
        {"--log", &s.log, NULL},
        {"--users", NULL, &s.users},
        {"--tweets", NULL, &s.tweets},
        {"--authors", NULL, &s.authors},
        {"--candidates", NULL, &s.candidates},
        {"--ops-port", NULL, &s.ops_port},
        {"--swaps", NULL, &s.swaps},
        {"--expected", NULL, &s.expected_per_s},
        {"--seconds", NULL, &s.seconds},
        {"--rate", NULL, &s.rate},
        {"--windows", NULL, &s.windows},
        {"--window", NULL, &s.window_s},
        {"--warm-up", NULL, &s.warm_up_s},
        {"--events", NULL, &s.events},
        {"--reads", NULL, &s.reads},
    };
    gw_err err = {0};
    if (bench_options_parse(argc - 1, argv + 1, options, GW_COUNT_OF(options), &err) != GW_OK || s.program == NULL ||
        s.case_name == NULL || s.model == NULL || s.bundles == NULL || s.caches == NULL || s.log == NULL) {
        fprintf(stderr,
                "usage: bench_rollout --program GODWIT --case NAME --model NAME --bundles DIR --caches DIR --log FILE "
                "--ops-port N [OPTION N...]: %s\n",
                err.message);
        return 2;
    }
    struct bench_session session;
    gw_status status = bench_session_init(&session, &err);
    if (status == GW_OK) {
        status = run_case(&s, &session, &err);
    }
    bench_session_deinit(&session);
    if (status != GW_OK) {
        fprintf(stderr, "bench_rollout: %s: %s\n", s.case_name, err.message);
        return 1;
    }
    return 0;
}
