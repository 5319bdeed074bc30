// SPDX-License-Identifier: MIT
#include "worker/worker.h"

#include "api/api.h"
#include "base/faults.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// In the order of the flow. The position of a worker gives its ops port.
const struct gw_worker_def gw_workers[] = {
    {"rekey", "source events to entity events", gw_rekey_lanes, NULL},
    {"aggregate", "entity events to feature rows", gw_aggregate_lanes, NULL},
    {"online", "feature rows to Redis", gw_online_lanes, NULL},
    {"score", "prediction requests to predictions", gw_score_lanes, NULL},
    {"label", "served candidates and actions to labelled examples", gw_label_lanes, NULL},
    {"monitor", "samples to live quality of models and alerts of drift", gw_monitor_lanes, NULL},
    {"retrain", "requests to train to versions that serve", gw_retrain_lanes, NULL},
    {"bridge", "REST API and dashboard", NULL, gw_bridge_run},
};
const size_t gw_worker_count = GW_COUNT_OF(gw_workers);

int gw_worker_find(const char *name)
{
    for (size_t i = 0; i < gw_worker_count; i++) {
        if (strcmp(gw_workers[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int gw_exit_code(gw_status status)
{
    switch (status) {
    case GW_OK:
        return 0;
    case GW_E_CONFIG:
    case GW_E_INVALID:
    case GW_E_MALFORMED:
        return 2;
    case GW_E_MISMATCH:
        return 3;
    case GW_E_CONFLICT:
    case GW_E_STALE:
        return 4;
    case GW_E_FENCED:
        return 5;
    default:
        return 1;
    }
}

// ---- signals --------------------------------------------------------------------------------------------------------

struct process {
    struct gw_runtime runtime;
    struct gw_lanes lanes;
    struct gw_worker_state state;
    struct gw_api *ops;
    atomic_bool stop;
    sigset_t signals;
    const struct gw_worker_def *def;
};

// Waits for the first signal, sets stop, and leaves at once on a second one.
static void *watch_signals(void *argument)
{
    struct process *process = argument;
    int signal_number = 0;
    sigwait(&process->signals, &signal_number);
    gw_log_info("worker.drain", "signal=%d", signal_number);
    atomic_store(&process->stop, true);
    sigwait(&process->signals, &signal_number);
    gw_log_warn("worker.killed", "signal=%d", signal_number);
    _exit(1);
}

// ---- the ops port ---------------------------------------------------------------------------------------------------

static void ops_health(void *context, struct gw_api_health *ret_health)
{
    const struct process *process = context;
    struct gw_api_dependency *lanes = &ret_health->dependencies[0];
    ret_health->dependency_count = 1;
    ret_health->alive = true;
    ret_health->draining = atomic_load(&process->stop);
    snprintf(lanes->name, sizeof lanes->name, "partitions");
    lanes->required = true;
    lanes->latency_ms = 0;
    bool ready = gw_lanes_ready(&process->lanes, lanes->detail, sizeof lanes->detail);
    lanes->state = ready ? GW_API_STATE_UP : GW_API_STATE_DOWN;
    if (ready) {
        lanes->detail[0] = '\0';
    }
}

static gw_status open_ops(struct process *process, uint16_t port, gw_err *err)
{
    const struct gw_config *config = process->runtime.config;
    const struct gw_api_options options = {.metrics = process->runtime.metrics};
    const struct gw_api_ports ports = {.context = process, .health = ops_health};
    GW_TRY(gw_api_new(&options, &ports, &process->ops, err));
    return gw_api_listen(process->ops, GW_API_LISTENER_OPS, gw_config_text(config, GW_OPT_WORKER_OPS_ADDRESS), port, 1,
                         NULL, err);
}

// ---- running --------------------------------------------------------------------------------------------------------

static gw_status run_lanes(struct process *process, uint16_t ops_port, gw_err *err)
{
    GW_TRY(process->def->lanes(&process->runtime, &process->lanes, &process->state, err));
    if (ops_port > 0) {
        GW_TRY(open_ops(process, ops_port, err));
    }
    gw_log_info("worker.started", "lanes=%zu ops_port=%u", process->lanes.count, ops_port);
    gw_status status = gw_lanes_start(&process->lanes, &process->runtime, err);
    if (status != GW_OK) {
        atomic_store(&process->stop, true);
    }
    gw_err cause = {0};
    gw_status joined = gw_lanes_join(&process->lanes, &cause);
    if (status == GW_OK && joined != GW_OK) {
        status = gw_fail(err, joined, "%s", cause.message);
    }
    return status;
}

gw_status gw_worker_run(int index, const struct gw_config *config, gw_err *err)
{
    struct process process = {.def = &gw_workers[index]};
    pthread_t watcher;
    gw_log_configure((enum gw_log_level)gw_config_choice(config, GW_OPT_LOG_LEVEL), process.def->name);
    GW_TRY(gw_faults_configure(getenv("GODWIT_FAULTS"), err));
    sigemptyset(&process.signals);
    sigaddset(&process.signals, SIGTERM);
    sigaddset(&process.signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &process.signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    int error = pthread_create(&watcher, NULL, watch_signals, &process);
    if (error != 0) {
        return gw_fail(err, GW_E_INTERNAL, "cannot start a thread: %s", strerror(error));
    }

    uint64_t base = gw_config_u64(config, GW_OPT_WORKER_OPS_PORT_BASE);
    gw_status status = gw_runtime_init(&process.runtime, config, GW_RUNTIME_FEATURES | GW_RUNTIME_SCHEMAS,
                                       &process.stop, err);
    if (status == GW_OK && process.def->lanes != NULL) {
        status = run_lanes(&process, base > 0 ? (uint16_t)(base + (uint64_t)index) : 0, err);
    } else if (status == GW_OK) {
        status = process.def->run(&process.runtime, err);
    }
    atomic_store(&process.stop, true);
    gw_api_free(process.ops);
    if (process.state.join_threads != NULL) {
        process.state.join_threads(process.state.state);
    }
    gw_lanes_free(&process.lanes);
    if (process.state.free_state != NULL) {
        process.state.free_state(process.state.state);
    }
    gw_runtime_deinit(&process.runtime);
    gw_log_info("worker.stopped", "status=%s", gw_status_name(status));
    pthread_cancel(watcher);
    pthread_join(watcher, NULL);
    return status;
}
