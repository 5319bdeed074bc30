// SPDX-License-Identifier: MIT
// Live traffic: the world's past as fast as Kafka takes it, then its present by the wall clock; or requests flat out.
//
//   history   events before now, in order, no waiting. It ends when it has caught up with the clock, which has moved
//   on. live      an event goes out when its time has come. After a broker's absence what is due goes out at once, in
//   order. flat_out  requests of the world at now from a pool, under new ids, without events and without waiting.
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "worker/simulate.h"
#include "worker/simulate_drift.h"
#include "worker/simulate_pool.h"
#include "worker/simulate_records.h"
#include "worker/simulate_sender.h"

#include <string.h>

enum {
    TICK_MS = 5,        // what falls due within a tick goes out together
    WAIT_MAX_MS = 100,  // between two looks at the stop flag
    CAUGHT_UP_MS = 100, // history is over when it is so near to now
    RECORDS_PER_SERVE = 256,
    POOL_REQUESTS = 20000,
    POOL_REQUESTS_PER_S = 1000, // at least: the pool is of now, not of the coming hour
};
#define QUEUE_BYTES_MAX    ((size_t)64 << 20)
#define POOL_BYTES_MAX     ((size_t)128 << 20)
#define SNOWFLAKE_EPOCH_MS 1288834974657LL

struct run {
    const struct gw_runtime *runtime;
    const struct gw_simulate_options *options;
    struct gw_simulate_sender sender;
    struct gw_simulator *simulator;
    struct gw_simulate_converter *converter;
    struct gw_simulate_pool *pool;
    struct gw_buf value;
    uint64_t since_serve;
    uint64_t requests; // live or flat out
    bool drifts_begun; // the world knows of its drifts
    uint64_t origin;   // of request ids, flat out
};

static void deinit(struct run *run)
{
    gw_simulate_sender_deinit(&run->sender);
    gw_simulator_free(run->simulator);
    gw_simulate_converter_free(run->converter);
    gw_simulate_pool_free(run->pool);
    gw_buf_deinit(&run->value);
}

// Whether the phase at hand has had its time, its requests, or the order to stop.
static bool is_over(const struct run *run)
{
    const struct gw_simulate_options *options = run->options;
    return gw_simulate_sender_stopped(&run->sender) ||
           (options->requests_max > 0 && run->requests >= options->requests_max) ||
           (options->duration_us > 0 && gw_clock_mono_us() - run->sender.phase_us >= (uint64_t)options->duration_us);
}

static void serve_sometimes(struct run *run)
{
    if (++run->since_serve >= RECORDS_PER_SERVE) {
        run->since_serve = 0;
        gw_simulate_sender_serve(&run->sender, 0);
    }
}

// ---- history and live -----------------------------------------------------------------------------------------------

static gw_status send_event(struct run *run, const struct gw_sim_event *event, int64_t now_ms, gw_err *err)
{
    struct gw_simulate_record record;
    gw_simulate_convert(run->converter, event, now_ms, &record);
    GW_TRY(gw_simulate_encode(&record, gw_runtime_schema_id(run->runtime, record.topic), &run->value, err));
    run->sender.behind_ms = now_ms - event->time_ms;
    serve_sometimes(run);
    return gw_simulate_sender_send(&run->sender, record.topic, record.key, gw_buf_slice(&run->value),
                                   event->kind == GW_SIM_REQUEST ? event->request.candidate_count : 0, err);
}

// Sends what is past, until the next event is of now: *ret_event.
static gw_status send_history(struct run *run, struct gw_sim_event *ret_event, gw_err *err)
{
    gw_simulate_sender_begin(&run->sender, "history");
    while (!gw_simulate_sender_stopped(&run->sender)) {
        GW_TRY(gw_simulator_next(run->simulator, ret_event, err));
        int64_t now_ms = gw_clock_wall_ms();
        if (ret_event->kind == GW_SIM_END || ret_event->time_ms >= now_ms - CAUGHT_UP_MS) {
            break;
        }
        if (ret_event->kind != GW_SIM_REQUEST || run->options->history_requests) {
            GW_TRY(send_event(run, ret_event, now_ms, err));
        }
    }
    return GW_OK;
}

// False: the run is over before the time has come.
static bool wait_until(struct run *run, int64_t time_ms)
{
    while (!is_over(run)) {
        int64_t due_ms = time_ms - gw_clock_wall_ms();
        if (due_ms <= 0) {
            return true;
        }
        due_ms = GW_MIN(GW_MAX(due_ms, TICK_MS), WAIT_MAX_MS);
        run->sender.behind_ms = 0;
        gw_simulate_sender_serve(&run->sender, (uint32_t)due_ms);
    }
    return false;
}

static gw_status begin_drifts(struct run *run, gw_err *err)
{
    const atomic_bool *now = run->options->drift_now;
    if (run->drifts_begun || (now != NULL && !atomic_load(now))) {
        return GW_OK;
    }
    struct gw_sim_drift drifts[GW_SIM_DRIFTS_MAX];
    size_t drift_count = gw_simulate_drifts_from(run->options, gw_clock_wall_ms(), drifts);
    for (size_t i = 0; i < drift_count; i++) {
        GW_TRY(gw_simulator_add_drift(run->simulator, &drifts[i], err));
    }
    run->drifts_begun = true;
    return GW_OK;
}

static gw_status send_live(struct run *run, struct gw_sim_event *event, gw_err *err)
{
    gw_simulate_sender_begin(&run->sender, "live");
    GW_TRY(begin_drifts(run, err));
    while (event->kind != GW_SIM_END && wait_until(run, event->time_ms)) {
        GW_TRY(begin_drifts(run, err));
        GW_TRY(send_event(run, event, gw_clock_wall_ms(), err));
        run->requests += event->kind == GW_SIM_REQUEST;
        GW_TRY(gw_simulate_drift_tell(run->simulator, err));
        GW_TRY(gw_simulator_next(run->simulator, event, err));
    }
    return GW_OK;
}

static gw_status run_world(struct run *run, gw_err *err)
{
    int64_t start_ms = gw_clock_wall_ms() - run->options->history_us / 1000;
    const struct gw_simulator_options world = gw_simulate_world(run->options, start_ms);
    struct gw_sim_event event = {.kind = GW_SIM_END};
    GW_TRY(gw_simulator_new(&world, &run->simulator, err));
    GW_TRY(gw_simulate_converter_new(&run->converter, err));
    GW_TRY(send_history(run, &event, err));
    if (gw_simulate_sender_stopped(&run->sender)) {
        return GW_OK;
    }
    GW_TRY(gw_simulate_sender_summary(&run->sender, stderr, err));
    return send_live(run, &event, err);
}

// ---- flat out -------------------------------------------------------------------------------------------------------

// Ids of one run: the time of its start and a counter, so that neither this run nor another one repeats them.
static void make_stamp(const struct run *run, int64_t start_ms, struct gw_simulate_stamp *stamp)
{
    gw_store_be64(stamp->request_id, run->origin);
    gw_store_be64(stamp->request_id + 8, run->requests);
    stamp->join_id = ((start_ms - SNOWFLAKE_EPOCH_MS) << 22) + (int64_t)run->requests + 1;
    stamp->enqueued_at_ms = gw_clock_wall_ms();
}

static gw_status run_flat_out(struct run *run, gw_err *err)
{
    int64_t start_ms = gw_clock_wall_ms();
    run->origin = gw_hash_mix(run->options->seed ^ (uint64_t)gw_clock_wall_us());
    uint32_t schema_id = gw_runtime_schema_id(run->runtime, GW_TOPIC_PREDICTION_REQUESTS);
    struct gw_simulator_options world = gw_simulate_world(run->options, start_ms);
    world.requests_per_s = GW_MAX(world.requests_per_s, POOL_REQUESTS_PER_S);
    GW_TRY(gw_simulate_pool_new(&world, POOL_REQUESTS, POOL_BYTES_MAX, &run->pool, err));
    size_t count = gw_simulate_pool_count(run->pool);
    gw_simulate_sender_begin(&run->sender, "flat_out");
    for (size_t at = 0; !is_over(run); at = at + 1 < count ? at + 1 : 0) {
        struct gw_simulate_stamp stamp;
        make_stamp(run, start_ms, &stamp);
        GW_TRY(gw_simulate_pool_write(run->pool, at, schema_id, &stamp, &run->value, err));
        serve_sometimes(run);
        GW_TRY(gw_simulate_sender_send(&run->sender, GW_TOPIC_PREDICTION_REQUESTS, gw_simulate_pool_user(run->pool, at),
                                       gw_buf_slice(&run->value), gw_simulate_pool_candidates(run->pool, at), err));
        run->requests++;
    }
    return GW_OK;
}

// ---- the run --------------------------------------------------------------------------------------------------------

static gw_status simulate(struct run *run, gw_err *err)
{
    GW_TRY(gw_simulate_sender_init(&run->sender, run->runtime, QUEUE_BYTES_MAX, err));
    GW_TRY(run->options->flat_out ? run_flat_out(run, err) : run_world(run, err));
    gw_status flushed = gw_simulate_sender_finish(&run->sender, err);
    GW_TRY(gw_simulate_sender_summary(&run->sender, stdout, flushed == GW_OK ? err : NULL));
    return flushed;
}

gw_status gw_simulate_run(const struct gw_runtime *runtime, const struct gw_simulate_options *options, gw_err *err)
{
    GW_ASSERT(options->drift_count <= GW_SIM_DRIFTS_MAX);
    if (options->history_us < 0 || options->duration_us < 0) {
        return gw_fail(err, GW_E_INVALID, "history and duration cannot be negative");
    }
    struct run run = {.runtime = runtime, .options = options};
    gw_status status = simulate(&run, err);
    deinit(&run);
    return status;
}
