// SPDX-License-Identifier: MIT
// State: "GWDL" version:u32 fingerprint:u64 rows:u64 looked_row:u64 now_ms:i64 calm_row:u64 calm_ms:i64 e:f64
//        lanes:f32[16] episode:64 bytes begin_ms:i64[32] sum:f64[32]
#include "drift/loss.h"

#include "base/hash.h"
#include "base/mem.h"
#include "drift/concept.h"
#include "drift/pack.h"
#include "drift/window.h"

#include <math.h>

static const uint32_t magic = 0x4c445747; // "GWDL"
enum { STATE_VERSION = 1 };

// What goes into a state.
struct watch {
    struct gw_drift_concept concept;
    struct gw_drift_episode episode;
    struct gw_drift_blocks blocks;
    double sum[GW_DRIFT_BLOCKS]; // of the clipped loss, by block
    double e;                    // evidence after the last row
    uint64_t rows;               // taken in
    uint64_t looked_row;         // at the last look
    uint64_t calm_row;           // last row after which there was next to no evidence
    int64_t calm_ms;
    int64_t now_ms;
};

struct gw_drift_loss {
    const struct gw_drift_baseline *baseline; // borrowed
    struct gw_drift_loss_options options;
    struct watch watch;
    uint64_t fingerprint; // of the baseline
    uint64_t saved_row;
};

static uint64_t fingerprint_of(const struct gw_drift_baseline *baseline)
{
    const double numbers[] = {(double)baseline->sample_count,
                              baseline->base_rate,
                              baseline->clip,
                              baseline->mean,
                              baseline->upper,
                              baseline->deviation,
                              baseline->tau};
    uint64_t hash = gw_hash_fnv1a(GW_HASH_FNV_START, baseline->name, strlen(baseline->name));
    hash = gw_hash_fnv1a(hash, numbers, sizeof numbers);
    hash = gw_hash_fnv1a(hash, baseline->lambda.lane, sizeof baseline->lambda.lane);
    return gw_hash_fnv1a(hash, baseline->keep.lane, sizeof baseline->keep.lane);
}

gw_status gw_drift_loss_new(const struct gw_drift_baseline *baseline, const struct gw_drift_loss_options *options,
                            struct gw_drift_loss **ret_loss, gw_err *err)
{
    if (!(options->threshold > 1.0 && options->threshold <= GW_DRIFT_THRESHOLD_MAX)) {
        return gw_fail(err, GW_E_INVALID, "threshold %g: must be over 1 and at most %g", options->threshold,
                       (double)GW_DRIFT_THRESHOLD_MAX);
    }
    GW_TRY(gw_drift_episode_check(&options->episode, err));
    struct gw_drift_concept concept;
    GW_TRY(gw_drift_concept_init(&concept, baseline, err));
    struct gw_drift_loss *loss = gw_mem_aligned(64, sizeof *loss);
    if (loss == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the watch over head '%s'", baseline->name);
    }
    *loss = (struct gw_drift_loss){
        .baseline = baseline,
        .options = *options,
        .watch = {.concept = concept, .e = 1.0, .now_ms = -GW_DRIFT_TIME_MAX_MS},
        .fingerprint = fingerprint_of(baseline),
    };
    *ret_loss = loss;
    return GW_OK;
}

void gw_drift_loss_free(struct gw_drift_loss *loss)
{
    gw_mem_free(loss);
}

// The mean clipped loss over the window, from the change on where that is known; NaN without rows.
static double window_mean(const struct watch *watch, uint64_t *ret_rows)
{
    *ret_rows = 0;
    if (watch->rows == 0) {
        return NAN;
    }
    uint32_t blocks = gw_drift_blocks_since(watch->rows, watch->calm_row);
    uint64_t start = gw_drift_block_start(watch->rows, blocks - 1);
    double sum = 0.0;
    for (uint32_t i = 0; i < blocks; i++) {
        sum += watch->sum[gw_drift_block_of(start + 1 + (uint64_t)i * GW_DRIFT_BLOCK_ROWS)];
    }
    *ret_rows = watch->rows - start;
    return sum / (double)*ret_rows;
}

static struct gw_drift_promise promise_at(const struct gw_drift_loss *loss, double rate)
{
    double threshold = loss->options.threshold;
    return (struct gw_drift_promise){
        .false_alarm_days = gw_drift_promise_days(threshold, rate),
        .smallest_shift_10s = gw_drift_promise_loss(loss->baseline, threshold, 10.0 * rate),
        .smallest_shift_5min = gw_drift_promise_loss(loss->baseline, threshold, 300.0 * rate),
    };
}

// What an alarm says of the loss as it stands; the episode's part is left to the caller.
static struct gw_drift_alarm describe(const struct gw_drift_loss *loss)
{
    const struct gw_drift_baseline *baseline = loss->baseline;
    const struct watch *watch = &loss->watch;
    uint64_t rows = 0;
    double mean = window_mean(watch, &rows);
    return (struct gw_drift_alarm){
        .kind = GW_DRIFT_OF_CONCEPT,
        .stream = baseline->name,
        .e = watch->e,
        .mean_e = watch->e, // a watch over one stream
        .threshold = loss->options.threshold,
        .effect_sigma = (mean - baseline->mean) / baseline->deviation,
        .harm = (mean - baseline->mean) / baseline->mean,
        .spread_ratio = NAN,
        .share = NAN,
        .reference_share = NAN,
        .psi = NAN,
        .psi_by_chance = NAN,
        .jensen_shannon = NAN,
        .jensen_shannon_by_chance = NAN,
        .window_count = rows,
        .rate_per_s = gw_drift_blocks_rate(&watch->blocks, watch->rows, watch->now_ms),
        .at_ms = watch->now_ms,
    };
}

static gw_status say(const struct gw_drift_loss *loss, enum gw_drift_move move, struct gw_drift_alarm *alarm,
                     const struct gw_drift_sink *sink, gw_err *err)
{
    const struct gw_drift_episode *episode = &loss->watch.episode;
    alarm->move = move;
    alarm->severity = episode->severity;
    alarm->episode = episode->number;
    alarm->sample_count = episode->sample_count;
    alarm->from_ms = episode->from_ms;
    alarm->promise = promise_at(loss, alarm->rate_per_s);
    return sink->alarm(sink->context, alarm, err);
}

static gw_status look(struct gw_drift_loss *loss, bool reached, const struct gw_drift_sink *sink, gw_err *err)
{
    struct watch *watch = &loss->watch;
    struct gw_drift_alarm alarm = describe(loss);
    const struct gw_drift_signal signal = {
        .alarm = reached,
        .e = watch->e,
        .effect_sigma = alarm.effect_sigma,
        .harm = alarm.harm,
        .now_ms = watch->now_ms,
        .from_ms = watch->calm_ms,
        .sample_count = watch->rows - watch->looked_row,
    };
    watch->looked_row = watch->rows;
    enum gw_drift_episode_state before = watch->episode.state;
    enum gw_drift_move move = gw_drift_episode_step(&watch->episode, &loss->options.episode, &signal);
    bool over = before == GW_DRIFT_COOLING && watch->episode.state == GW_DRIFT_QUIET;
    if (over || move == GW_DRIFT_SAY_UPDATE) {
        gw_drift_lanes_reset(&watch->concept.m);
        watch->e = 1.0;
    }
    alarm.asked = move == GW_DRIFT_SAY_OPEN ? loss->options.threshold : 0.0;
    return move == GW_DRIFT_SAY_NOTHING ? GW_OK : say(loss, move, &alarm, sink, err);
}

gw_status gw_drift_loss_feed(struct gw_drift_loss *loss, float probability, bool label, int64_t now_ms,
                             const struct gw_drift_sink *sink, gw_err *err)
{
    struct watch *watch = &loss->watch;
    if (!(probability >= 0.0f && probability <= 1.0f)) {
        return gw_fail(err, GW_E_INVALID, "head '%s': probability %g", loss->baseline->name, (double)probability);
    }
    if (!gw_drift_time_valid(now_ms)) {
        return gw_fail(err, GW_E_INVALID, "head '%s': row of time %lld ms", loss->baseline->name, (long long)now_ms);
    }
    double value = gw_drift_log_loss(probability, label);
    GW_TRY(gw_drift_concept_feed(&watch->concept, loss->baseline, value, 1.0, &watch->e, err));
    watch->now_ms = GW_MAX(watch->now_ms, now_ms);
    watch->rows++;
    uint32_t block = gw_drift_block_of(watch->rows);
    if (gw_drift_block_begins(watch->rows)) {
        watch->blocks.begin_ms[block] = watch->now_ms;
        watch->sum[block] = 0.0;
    }
    watch->sum[block] += fmin(value, loss->baseline->clip);
    if (watch->e < (double)GW_DRIFT_CALM_E || watch->rows == 1) { // nothing is known from before the first
        watch->calm_row = watch->rows;
        watch->calm_ms = watch->now_ms;
    }
    bool quiet = watch->episode.state == GW_DRIFT_QUIET;
    bool reached = quiet && watch->e >= loss->options.threshold;
    if (reached || (!quiet && watch->rows - watch->looked_row >= GW_DRIFT_LOOK_ROWS)) {
        return look(loss, reached, sink, err);
    }
    return GW_OK;
}

gw_status gw_drift_loss_retire(struct gw_drift_loss *loss, const struct gw_drift_sink *sink, gw_err *err)
{
    if (loss->watch.episode.state != GW_DRIFT_OPEN) {
        return GW_OK;
    }
    struct gw_drift_alarm alarm = describe(loss);
    return say(loss, GW_DRIFT_SAY_CLOSE, &alarm, sink, err);
}

bool gw_drift_loss_changed(const struct gw_drift_loss *loss)
{
    return loss->watch.rows != loss->saved_row;
}

bool gw_drift_loss_open(const struct gw_drift_loss *loss)
{
    return loss->watch.episode.state == GW_DRIFT_OPEN;
}

int64_t gw_drift_loss_now_ms(const struct gw_drift_loss *loss)
{
    return loss->watch.now_ms;
}

gw_status gw_drift_loss_save(struct gw_drift_loss *loss, struct gw_buf *out, gw_err *err)
{
    const struct watch *watch = &loss->watch;
    struct gw_drift_writer writer = {.out = out};
    uint8_t episode[GW_DRIFT_EPISODE_BYTES];
    gw_drift_episode_save(&watch->episode, episode);
    gw_drift_put_u32(&writer, magic);
    gw_drift_put_u32(&writer, STATE_VERSION);
    gw_drift_put_u64(&writer, loss->fingerprint);
    gw_drift_put_u64(&writer, watch->rows);
    gw_drift_put_u64(&writer, watch->looked_row);
    gw_drift_put_u64(&writer, (uint64_t)watch->now_ms);
    gw_drift_put_u64(&writer, watch->calm_row);
    gw_drift_put_u64(&writer, (uint64_t)watch->calm_ms);
    gw_drift_put_f64(&writer, watch->e);
    gw_drift_put(&writer, watch->concept.m.lane, sizeof watch->concept.m.lane);
    gw_drift_put(&writer, episode, sizeof episode);
    gw_drift_put(&writer, watch->blocks.begin_ms, sizeof watch->blocks.begin_ms);
    gw_drift_put(&writer, watch->sum, sizeof watch->sum);
    if (writer.status != GW_OK) {
        return gw_fail(err, writer.status, "no memory for the state of head '%s'", loss->baseline->name);
    }
    loss->saved_row = watch->rows;
    return GW_OK;
}

static bool watch_valid(const struct watch *watch, const struct gw_drift_baseline *baseline)
{
    // Sums are of at most a block's rows, with room for rounding.
    double most = GW_DRIFT_BLOCK_ROWS * baseline->clip * (1.0 + 1e-9);
    bool valid = watch->rows <= GW_DRIFT_COUNT_MAX && watch->looked_row <= watch->rows &&
                 watch->calm_row <= watch->rows && gw_drift_kept_time_valid(watch->now_ms) &&
                 gw_drift_kept_time_valid(watch->calm_ms) && watch->e >= 0.0 && watch->e <= (double)GW_DRIFT_E_MAX &&
                 gw_drift_lanes_valid(&watch->concept.m);
    for (uint32_t i = 0; valid && i < GW_DRIFT_BLOCKS; i++) {
        valid = gw_drift_kept_time_valid(watch->blocks.begin_ms[i]) && watch->sum[i] >= 0.0 && watch->sum[i] <= most;
    }
    return valid;
}

gw_status gw_drift_loss_load(struct gw_drift_loss *loss, struct gw_slice bytes, gw_err *err)
{
    const char *head = loss->baseline->name;
    struct gw_drift_reader reader = {.bytes = bytes, .ok = true};
    struct watch read = {0};
    uint8_t episode[GW_DRIFT_EPISODE_BYTES];
    uint32_t found_magic = gw_drift_take_u32(&reader);
    uint32_t version = gw_drift_take_u32(&reader);
    uint64_t fingerprint = gw_drift_take_u64(&reader);
    if (!reader.ok || found_magic != magic || version != STATE_VERSION) {
        return gw_fail(err, GW_E_MALFORMED, "head '%s': not a state that this program writes", head);
    }
    if (fingerprint != loss->fingerprint) {
        return gw_fail(err, GW_E_MISMATCH, "head '%s': state of baseline %016llx, this is %016llx", head,
                       (unsigned long long)fingerprint, (unsigned long long)loss->fingerprint);
    }
    read.rows = gw_drift_take_u64(&reader);
    read.looked_row = gw_drift_take_u64(&reader);
    read.now_ms = (int64_t)gw_drift_take_u64(&reader);
    read.calm_row = gw_drift_take_u64(&reader);
    read.calm_ms = (int64_t)gw_drift_take_u64(&reader);
    read.e = gw_drift_take_f64(&reader);
    gw_drift_take(&reader, read.concept.m.lane, sizeof read.concept.m.lane);
    gw_drift_take(&reader, episode, sizeof episode);
    gw_drift_take(&reader, read.blocks.begin_ms, sizeof read.blocks.begin_ms);
    gw_drift_take(&reader, read.sum, sizeof read.sum);
    if (!reader.ok || reader.at != bytes.size || !watch_valid(&read, loss->baseline)) {
        return gw_fail(err, GW_E_MALFORMED, "head '%s': not a state that this program writes", head);
    }
    GW_TRY(gw_drift_episode_load(&read.episode, episode, err));
    loss->watch = read;
    loss->saved_row = read.rows;
    return GW_OK;
}

void gw_drift_loss_view(const struct gw_drift_loss *loss, struct gw_drift_loss_view *ret_view)
{
    const struct watch *watch = &loss->watch;
    double rate = gw_drift_blocks_rate(&watch->blocks, watch->rows, watch->now_ms);
    *ret_view = (struct gw_drift_loss_view){
        .head = loss->baseline->name,
        .e = watch->e,
        .state = watch->episode.state,
        .reference_mean = loss->baseline->mean,
        .rows = watch->rows,
        .rate_per_s = rate,
        .promise = promise_at(loss, rate),
    };
    ret_view->mean = window_mean(watch, &ret_view->window_count);
}
