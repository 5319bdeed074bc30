// SPDX-License-Identifier: MIT
// Random worlds: the closed windows against an oracle that loops over everything, whatever the interleaving; and the
// same outputs when the join is dropped and restored from its changelog at any moment.
#include "base/rng.h"
#include "fixture.h"

#include <stdlib.h>

#define W      10000
#define SETTLE 500
#define FUTURE 2000
#define END    INT64_C(200000)
#define BASE   INT64_C(1000000)

enum { SERVED_MAX = 90, ACTS_MAX = 400, OPS_MAX = 1200, PARTITIONS = 4 };

enum op_kind { OP_SERVE, OP_PROGRESS, OP_ACT, OP_MARK, OP_REQUIRE };

struct op {
    enum op_kind kind;
    struct gw_label_served served;
    struct gw_label_action action;
    int32_t partition;
    int64_t time_ms;
    uint64_t number; // in the payload
};

struct script {
    struct op served[OPS_MAX]; // in the order of each side
    size_t served_count;
    struct op acted[OPS_MAX];
    size_t acted_count;
};

// ---- generation -----------------------------------------------------------------------------------------------------

static int64_t between(struct gw_rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t)gw_rng_below(rng, (uint64_t)(high - low + 1));
}

static bool chance(struct gw_rng *rng, unsigned percent)
{
    return gw_rng_below(rng, 100) < percent;
}

static void generate_served(struct script *script, struct gw_rng *rng)
{
    int64_t now_ms = BASE;
    size_t records = 20 + gw_rng_below(rng, SERVED_MAX - 20);
    for (size_t i = 0; i < records; i++) {
        now_ms += between(rng, 0, 600);
        struct op op = {.kind = OP_SERVE, .number = i + 1};
        op.served = (struct gw_label_served){.user_id = between(rng, 1, 3),
                                             .join_id = between(rng, 1, 40),
                                             .tweet_id = between(rng, 1, 5),
                                             .served_at_ms = now_ms - between(rng, 0, 300),
                                             .appended_ms = now_ms,
                                             .position = (int32_t)i};
        op.served.author_id = op.served.tweet_id % 3; // 0: unknown
        if (chance(rng, 8)) {
            op.served.served_at_ms -= 3000; // appended long after
        } else if (chance(rng, 4)) {
            op.served.served_at_ms += between(rng, 1, 4000); // a clock ahead, some of them too far
        } else if (chance(rng, 8)) {
            op.served.appended_ms -= between(rng, 0, 400); // the broker's clock went back
        }
        bool seen_before = false; // the key has a window for good: only a quick duplicate is defined
        for (size_t j = 0; j < script->served_count; j++) {
            const struct op *other = &script->served[j];
            seen_before |= other->kind == OP_SERVE && other->served.user_id == op.served.user_id &&
                           other->served.join_id == op.served.join_id && other->served.tweet_id == op.served.tweet_id &&
                           now_ms - other->served.appended_ms > W / 2;
        }
        if (!seen_before) {
            script->served[script->served_count++] = op;
        }
        if (chance(rng, 20)) {
            script->served[script->served_count++] =
                (struct op){.kind = OP_PROGRESS, .time_ms = now_ms + between(rng, -100, 200)};
        }
    }
    script->served[script->served_count++] = (struct op){.kind = OP_PROGRESS, .time_ms = BASE + END};
}

static int32_t random_number(struct gw_rng *rng)
{
    static const int32_t numbers[] = {0,    1,    5,    50,   1000, 1000, 1001, 1002, 1002, 1005, 1007, 1008, 1012,
                                      1042, 1043, 1060, 1064, 1071, 1071, 1072, 1072, 1072, 1079, 1090, 1041, 1074};
    return chance(rng, 30) ? 1003 : numbers[gw_rng_below(rng, GW_COUNT_OF(numbers))];
}

static int compare_appended(const void *a, const void *b)
{
    int64_t x = ((const struct op *)a)->action.appended_ms;
    int64_t y = ((const struct op *)b)->action.appended_ms;
    return (x > y) - (x < y);
}

static struct op random_act(const struct script *script, struct gw_rng *rng, uint64_t number)
{
    struct op op = {.kind = OP_ACT};
    const struct op *target = &script->served[gw_rng_below(rng, script->served_count)];
    while (target->kind != OP_SERVE) {
        target = &script->served[gw_rng_below(rng, script->served_count)];
    }
    struct gw_label_action *action = &op.action;
    *action = (struct gw_label_action){.user_id = target->served.user_id,
                                       .tweet_id = target->served.tweet_id,
                                       .join_id = chance(rng, 60) ? target->served.join_id : 0,
                                       .number = random_number(rng),
                                       .surface = (int32_t)between(rng, 0, 3),
                                       .dwell_ms = between(rng, -1, 150000),
                                       .time_ms = target->served.served_at_ms + between(rng, 0, 3000)};
    if (chance(rng, 20)) {
        action->time_ms = target->served.served_at_ms + between(rng, -1200, W + 1000);
    }
    if (chance(rng, 15)) { // about its end, where closing must wait for it
        action->time_ms = target->served.served_at_ms + W + between(rng, -400, 50);
    }
    if (chance(rng, 15)) {
        action->tweet_id = between(rng, 0, 8);
    }
    action->author_id = action->tweet_id == 0 || chance(rng, 5) ? between(rng, 0, 2) : action->tweet_id % 3;
    action->appended_ms = action->time_ms + between(rng, 0, 300);
    if (chance(rng, 10)) {
        action->appended_ms = action->time_ms + between(rng, 0, 15000); // late, perhaps after its window
    } else if (chance(rng, 10)) {
        action->appended_ms = action->time_ms - between(rng, 0, 3000); // from the future, perhaps too far
    }
    memcpy(action->event_id, &number, sizeof number);
    op.partition = (int32_t)between(rng, 0, 2);
    return op;
}

static void generate_acted(struct script *script, struct gw_rng *rng)
{
    static struct op acts[ACTS_MAX];
    size_t count = 100 + gw_rng_below(rng, ACTS_MAX - 100);
    for (size_t i = 0; i < count; i++) {
        acts[i] = i > 0 && chance(rng, 3) ? acts[gw_rng_below(rng, i)] : random_act(script, rng, i + 1);
    }
    qsort(acts, count, sizeof acts[0], compare_appended);
    int32_t required = 3;
    for (int32_t p = 0; p < required; p++) {
        script->acted[script->acted_count++] = (struct op){.kind = OP_REQUIRE, .partition = p};
    }
    for (size_t i = 0; i < count; i++) {
        script->acted[script->acted_count++] = acts[i];
        if (chance(rng, 60)) {
            script->acted[script->acted_count++] =
                (struct op){.kind = OP_MARK,
                            .partition = (int32_t)between(rng, 0, required - 1),
                            .time_ms = acts[i].action.appended_ms + between(rng, -50, 0)};
        }
        if (required < PARTITIONS && chance(rng, 1)) {
            script->acted[script->acted_count++] = (struct op){.kind = OP_REQUIRE, .partition = required++};
        }
    }
    for (int32_t p = 0; p < required; p++) {
        script->acted[script->acted_count++] = (struct op){.kind = OP_MARK, .partition = p, .time_ms = BASE + END};
    }
}

static void generate(struct script *script, uint64_t seed)
{
    struct gw_rng rng;
    gw_rng_init(&rng, seed);
    script->served_count = 0;
    script->acted_count = 0;
    generate_served(script, &rng);
    generate_acted(script, &rng);
}

// ---- oracle ---------------------------------------------------------------------------------------------------------

struct oracle_act {
    const struct gw_label_action *action;
    int64_t clock_ms;
    const struct oracle_window *window; // where it joins, or NULL
};

struct oracle_window {
    const struct op *op;
    int64_t appended_ms;
};

struct oracle {
    struct oracle_window windows[SERVED_MAX + 1];
    size_t window_count;
    struct oracle_act acts[ACTS_MAX];
    size_t act_count;
};

static void place_served(struct oracle *oracle, const struct script *script)
{
    int64_t read_ms = INT64_MIN;
    oracle->window_count = 0;
    for (size_t i = 0; i < script->served_count; i++) {
        const struct op *op = &script->served[i];
        const struct gw_label_served *served = &op->served;
        read_ms = GW_MAX(read_ms, op->kind == OP_PROGRESS ? op->time_ms : served->appended_ms);
        if (op->kind == OP_PROGRESS || served->served_at_ms > served->appended_ms + FUTURE) {
            continue;
        }
        bool duplicate = false;
        for (size_t j = 0; j < oracle->window_count; j++) {
            const struct gw_label_served *other = &oracle->windows[j].op->served;
            duplicate |= other->user_id == served->user_id && other->join_id == served->join_id &&
                         other->tweet_id == served->tweet_id;
        }
        if (!duplicate) {
            oracle->windows[oracle->window_count++] = (struct oracle_window){.op = op, .appended_ms = read_ms};
        }
    }
}

static bool fits(const struct oracle_window *window, const struct oracle_act *act, int64_t tolerance_ms)
{
    int64_t served_ms = window->op->served.served_at_ms;
    int64_t time_ms = act->action->time_ms;
    return time_ms >= served_ms - tolerance_ms && time_ms < served_ms + W && act->clock_ms < served_ms + W &&
           window->appended_ms <= time_ms + SETTLE;
}

static const struct oracle_window *window_for(const struct oracle *oracle, const struct oracle_act *act)
{
    const struct oracle_window *best = NULL;
    for (size_t i = 0; i < oracle->window_count; i++) {
        const struct oracle_window *window = &oracle->windows[i];
        const struct gw_label_served *served = &window->op->served;
        bool same = served->user_id == act->action->user_id && served->tweet_id == act->action->tweet_id;
        if (act->action->join_id != 0) {
            if (same && served->join_id == act->action->join_id && fits(window, act, SETTLE)) {
                return window;
            }
        } else if (same && fits(window, act, 0)) {
            bool later =
                best == NULL || served->served_at_ms > best->op->served.served_at_ms ||
                (served->served_at_ms == best->op->served.served_at_ms && served->join_id > best->op->served.join_id);
            best = later ? window : best;
        }
    }
    return best;
}

static void place_acts(struct oracle *oracle, const struct script *script)
{
    int64_t marks[PARTITIONS];
    bool required[PARTITIONS] = {false};
    int64_t clock_ms = INT64_MIN;
    oracle->act_count = 0;
    for (size_t i = 0; i < script->acted_count; i++) {
        const struct op *op = &script->acted[i];
        if (op->kind == OP_ACT && op->action.time_ms <= op->action.appended_ms + FUTURE) {
            struct oracle_act *act = &oracle->acts[oracle->act_count++];
            *act = (struct oracle_act){.action = &op->action, .clock_ms = clock_ms};
            act->window = window_for(oracle, act);
        } else if (op->kind == OP_REQUIRE || op->kind == OP_MARK) {
            if (!required[op->partition]) {
                required[op->partition] = true;
                marks[op->partition] = INT64_MIN;
            }
        }
        if (op->kind == OP_MARK) {
            marks[op->partition] = GW_MAX(marks[op->partition], op->time_ms);
            int64_t least_ms = INT64_MAX;
            for (int p = 0; p < PARTITIONS; p++) {
                least_ms = required[p] ? GW_MIN(least_ms, marks[p]) : least_ms;
            }
            clock_ms = GW_MAX(clock_ms, least_ms);
        }
    }
}

static bool is_fav_or_reply(int32_t n)
{
    return n == 0 || n == 1000 || n == 5 || n == 1005;
}

// Of a do and an undo: which came last, the undo when both came at once.
static bool stands(const struct oracle *oracle, const struct oracle_window *window, int32_t does1, int32_t does2,
                   int32_t undoes1, int32_t undoes2)
{
    int64_t done_ms = INT64_MIN;
    int64_t undone_ms = INT64_MIN;
    for (size_t i = 0; i < oracle->act_count; i++) {
        const struct gw_label_action *action = oracle->acts[i].action;
        if (oracle->acts[i].window == window) {
            if (action->number == does1 || action->number == does2) {
                done_ms = GW_MAX(done_ms, action->time_ms);
            } else if (action->number == undoes1 || action->number == undoes2) {
                undone_ms = GW_MAX(undone_ms, action->time_ms);
            }
        }
    }
    return done_ms > undone_ms;
}

static bool completes(const struct oracle *oracle, const struct oracle_window *window, const struct oracle_act *first,
                      bool profile)
{
    for (size_t i = 0; i < oracle->act_count; i++) {
        const struct oracle_act *act = &oracle->acts[i];
        int32_t n = act->action->number;
        if (act->action->time_ms < first->action->time_ms ||
            (!is_fav_or_reply(n) && !(profile && (n == 50 || n == 1060)))) {
            continue;
        }
        const struct gw_label_served *served = &window->op->served;
        if (act->window == window || (profile && served->author_id != 0 && served->user_id == act->action->user_id &&
                                      served->author_id == act->action->author_id && fits(window, act, 0))) {
            return true;
        }
    }
    return false;
}

static uint32_t oracle_bits(const struct oracle *oracle, const struct oracle_window *window)
{
    uint32_t bits = 0;
    bool clicked = false;
    bool stayed = false;
    for (size_t i = 0; i < oracle->act_count; i++) {
        const struct oracle_act *act = &oracle->acts[i];
        if (act->window != window) {
            continue;
        }
        const struct gw_label_action *action = act->action;
        switch (action->number) {
        case 5:
        case 1005:
            bits |= 1u << 2;
            break;
        case 1071:
            bits |= 1u << 4;
            clicked = true;
            bits |= completes(oracle, window, act, false) ? 1u << 6 : 0;
            break;
        case 1072:
            bits |= completes(oracle, window, act, true) ? 1u << 5 : 0;
            break;
        case 1012:
            bits |= 1u << 8;
            break;
        case 1079:
            bits |= 1u << 10;
            break;
        case 1074:
            bits |= 1u << 11;
            break;
        case 1002:
            bits |= 1u << 12;
            bits |= action->surface == 2 && action->dwell_ms >= 15000 ? 1u << 13 : 0;
            stayed |= action->surface == 2 && action->dwell_ms >= 120000;
            break;
        case 1064:
            bits |= 1u << 14;
            break;
        case 1041:
            bits |= 1u << 15;
            break;
        default:
            break;
        }
    }
    bits |= clicked && stayed ? 1u << 7 : 0;
    bits |= stands(oracle, window, 0, 1000, 1, 1001) ? 1u << 0 : 0;
    bits |= stands(oracle, window, 7, 1007, 8, 1008) ? 1u << 1 : 0;
    bits |= stands(oracle, window, 1042, 1042, 1043, 1043) ? 1u << 14 : 0;
    return bits;
}

static int64_t oracle_first(const struct oracle *oracle, const struct oracle_window *window, bool impression)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < oracle->act_count; i++) {
        const struct gw_label_action *action = oracle->acts[i].action;
        int32_t n = action->number;
        bool shows = n == 1003 || (n == 1002 && action->surface != 2);
        bool engages = n != 1003 && n != 1 && n != 1001 && n != 1008 && n != 1043 && n != 50 && n != 1060 && n != 1090;
        if (oracle->acts[i].window == window && (impression ? shows : engages)) {
            first_ms = GW_MIN(first_ms, action->time_ms);
        }
    }
    return first_ms;
}

// ---- running --------------------------------------------------------------------------------------------------------

struct run {
    struct gw_label_join *join;
    struct examples out;
    struct changelog log;
    uint64_t actions[2][GW_LABEL_ACTION_OUTCOME_COUNT]; // of joins dropped before
    uint64_t served[GW_LABEL_SERVED_OUTCOME_COUNT];
};

static struct gw_label_join *new_join(void)
{
    struct gw_label_join *join = NULL;
    gw_err err = {0};
    const struct gw_label_join_options options = {.window_ms = W, .settle_ms = SETTLE, .future_max_ms = FUTURE};
    assert_ok_err(gw_label_join_new(&options, &join, &err), &err);
    return join;
}

static void apply(struct run *run, const struct op *op)
{
    gw_err err = {0};
    const struct gw_label_sink sink = {.example = collect_example, .context = &run->out};
    switch (op->kind) {
    case OP_SERVE: {
        uint8_t payload[400];
        size_t size = 8 + op->number * 37 % (sizeof payload - 8);
        fill_payload(payload, size, op->number);
        struct gw_label_served served = op->served;
        served.payload = gw_slice_make(payload, size);
        assert_ok_err(gw_label_join_serve(run->join, &served, &err), &err);
        break;
    }
    case OP_PROGRESS:
        assert_ok_err(gw_label_join_progress(run->join, op->time_ms, &err), &err);
        break;
    case OP_ACT:
        assert_ok_err(gw_label_join_act(run->join, &op->action, &sink, &err), &err);
        break;
    case OP_MARK:
        assert_ok_err(gw_label_join_mark(run->join, 0, op->partition, op->time_ms, &err), &err);
        break;
    case OP_REQUIRE:
        assert_ok_err(gw_label_join_require(run->join, 0, op->partition, &err), &err);
        break;
    }
}

static bool advance(struct run *run, uint32_t budget)
{
    bool more = false;
    const struct gw_label_sink sink = {.example = collect_example, .context = &run->out};
    assert_ok(gw_label_join_advance(run->join, budget, &sink, &more, NULL));
    return more;
}

static void keep_counts(struct run *run)
{
    const struct gw_label_counts *counts = gw_label_join_counts(run->join);
    for (int o = 0; o < GW_LABEL_ACTION_OUTCOME_COUNT; o++) {
        run->actions[0][o] += counts->actions[0][o];
        run->actions[1][o] += counts->actions[1][o];
    }
    for (int o = 0; o < GW_LABEL_SERVED_OUTCOME_COUNT; o++) {
        run->served[o] += counts->served[o];
    }
}

static void drop_and_restore(struct run *run, struct gw_rng *rng)
{
    flush_into(run->join, &run->log);
    keep_counts(run);
    gw_label_join_free(run->join);
    run->join = new_join();
    for (size_t i = run->log.count; i > 1; i--) { // compaction keeps no order between keys that a test should lean on
        size_t j = gw_rng_below(rng, i);
        struct changelog_row swap = run->log.rows[i - 1];
        run->log.rows[i - 1] = run->log.rows[j];
        run->log.rows[j] = swap;
    }
    gw_err err = {0};
    for (size_t i = 0; i < run->log.count; i++) {
        assert_ok_err(gw_label_join_restore(run->join, &run->log.rows[i].entry, &err), &err);
        if (chance(rng, 10)) { // an older version of the topic's tail is read twice
            assert_ok_err(gw_label_join_restore(run->join, &run->log.rows[i].entry, &err), &err);
        }
    }
}

static void tag(struct run *run, size_t *from, size_t step)
{
    for (; *from < run->out.count; (*from)++) {
        run->out.items[*from].step = step;
    }
}

static void finish(struct run *run)
{
    while (advance(run, 7)) {
    }
    flush_into(run->join, &run->log);
    keep_counts(run);
    struct gw_label_join_stats stats;
    gw_label_join_stats(run->join, &stats);
    assert_int_equal(stats.windows, 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.actions, 0);
    assert_int_equal(stats.payload_bytes, 0);
    for (size_t i = 0; i < run->log.count; i++) {
        assert_int_equal(run->log.rows[i].entry.kind, GW_LABEL_ENTRY_MARK);
    }
}

static void run_deinit(struct run *run)
{
    gw_label_join_free(run->join);
    gw_mem_free(run->out.items);
    changelog_deinit(&run->log);
}

// Merges both sides. `lean` is the percentage by which the served side goes first; cuts happen at cut_percent of steps.
// The draws that shape the merge come from a generator of their own, so that cuts do not change it.
static void run_script(struct run *run, const struct script *script, uint64_t seed, unsigned lean, unsigned cut_percent)
{
    struct gw_rng merge;
    struct gw_rng cuts;
    gw_rng_init(&merge, seed);
    gw_rng_init(&cuts, seed + 1);
    *run = (struct run){.join = new_join()};
    size_t s = 0;
    size_t a = 0;
    size_t tagged = 0;
    for (size_t step = 0; s < script->served_count || a < script->acted_count; step++) {
        bool serve = a == script->acted_count || (s < script->served_count && chance(&merge, lean));
        apply(run, serve ? &script->served[s++] : &script->acted[a++]);
        if (chance(&merge, 40)) {
            advance(run, (uint32_t)gw_rng_below(&merge, 6));
        }
        if (chance(&merge, 5)) {
            flush_into(run->join, &run->log);
        }
        tag(run, &tagged, step);
        if (cut_percent > 0 && chance(&cuts, cut_percent)) {
            drop_and_restore(run, &cuts);
        }
    }
    finish(run);
    tag(run, &tagged, SIZE_MAX);
}

// ---- properties -----------------------------------------------------------------------------------------------------

static const struct seen *find_one(const struct run *run, const struct gw_label_served *served, enum gw_label_kind kind)
{
    const struct seen *found = NULL;
    for (size_t i = 0; i < run->out.count; i++) {
        const struct gw_label_example *example = &run->out.items[i].example;
        if (example->kind == kind && example->user_id == served->user_id && example->join_id == served->join_id &&
            example->tweet_id == served->tweet_id) {
            assert_null(found); // once
            found = &run->out.items[i];
        }
    }
    return found;
}

static uint32_t replayed_bits(const struct run *run, const struct gw_label_served *served)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < run->out.count; i++) {
        const struct gw_label_example *example = &run->out.items[i].example;
        if (example->kind == GW_LABEL_POSITIVE_REPLAY && example->user_id == served->user_id &&
            example->join_id == served->join_id && example->tweet_id == served->tweet_id) {
            assert_int_equal(bits & example->bits, 0); // only new ones
            bits |= example->bits;
        }
    }
    return bits;
}

static void check_window(const struct run *run, const struct oracle *oracle, const struct oracle_window *window,
                         size_t *closed)
{
    const struct gw_label_served *served = &window->op->served;
    const struct seen *final = find_one(run, served, GW_LABEL_WINDOW_CLOSED);
    const struct seen *initial = find_one(run, served, GW_LABEL_INITIAL_NEGATIVE);
    int64_t impressed_ms = oracle_first(oracle, window, true);
    if (impressed_ms == INT64_MAX) {
        assert_null(final);
        assert_null(initial);
        return;
    }
    (*closed)++;
    assert_non_null(final);
    assert_non_null(initial);
    uint32_t bits = oracle_bits(oracle, window);
    assert_int_equal(final->example.bits, bits);
    assert_int_equal(final->example.served_at_ms, served->served_at_ms);
    assert_int_equal(final->example.impressed_at_ms, impressed_ms);
    assert_int_equal(final->example.engaged_at_ms, bits == 0 ? GW_LABEL_NEVER : oracle_first(oracle, window, false));
    assert_int_equal(final->example.position, served->position);
    assert_int_equal(final->payload, window->op->number);
    assert_int_equal(replayed_bits(run, served) & bits, bits);
}

static void check_against_oracle(const struct run *run, const struct script *script)
{
    static struct oracle oracle;
    place_served(&oracle, script);
    place_acts(&oracle, script);
    size_t closed = 0;
    for (size_t i = 0; i < oracle.window_count; i++) {
        check_window(run, &oracle, &oracle.windows[i], &closed);
    }
    size_t seen = 0;
    for (size_t i = 0; i < run->out.count; i++) {
        seen += run->out.items[i].example.kind == GW_LABEL_WINDOW_CLOSED;
    }
    assert_int_equal(seen, closed);
    uint64_t acts = 0;
    for (size_t i = 0; i < script->acted_count; i++) {
        acts += script->acted[i].kind == OP_ACT;
    }
    for (int o = 0; o < GW_LABEL_ACTION_OUTCOME_COUNT; o++) {
        acts -= o == GW_LABEL_ACTION_OUTCOME_WAITED ? 0 : run->actions[0][o] + run->actions[1][o];
    }
    assert_int_equal(acts, 0); // each ended in one outcome
    assert_int_equal(run->served[GW_LABEL_SERVED_OPENED], oracle.window_count);
    assert_int_equal(run->served[GW_LABEL_SERVED_CLOSED], closed);
    assert_int_equal(run->served[GW_LABEL_SERVED_NEVER_SHOWN], oracle.window_count - closed);
}

static struct script script;

static uint64_t first_seed(void)
{
    const char *text = getenv("GW_TEST_SEED");
    return text != NULL ? strtoull(text, NULL, 10) : 1;
}

static void any_interleaving_closes_the_windows_of_the_oracle(void **state)
{
    (void)state;
    static const unsigned leans[] = {0, 100, 3, 15, 25, 40, 80};
    for (uint64_t seed = first_seed(); seed < first_seed() + 80; seed++) {
        print_message("%sseed %llu", seed == first_seed() ? "" : "\r", (unsigned long long)seed);
        generate(&script, seed);
        for (size_t i = 0; i < GW_COUNT_OF(leans); i++) {
            struct run run;
            run_script(&run, &script, seed * 31 + i, leans[i], 0);
            check_against_oracle(&run, &script);
            run_deinit(&run);
        }
    }
    print_message("\n");
}

static int compare_seen(const void *a, const void *b)
{
    const struct seen *x = a;
    const struct seen *y = b;
#define BY(field)                                                                                                      \
    if (x->field != y->field) {                                                                                        \
        return x->field < y->field ? -1 : 1;                                                                           \
    }
    BY(step)
    BY(example.kind)
    BY(example.user_id) BY(example.join_id) BY(example.tweet_id) BY(example.bits)
#undef BY
        return 0;
}

static void assert_same_output(struct run *a, struct run *b)
{
    assert_int_equal(a->out.count, b->out.count);
    qsort(a->out.items, a->out.count, sizeof *a->out.items, compare_seen);
    qsort(b->out.items, b->out.count, sizeof *b->out.items, compare_seen);
    for (size_t i = 0; i < a->out.count; i++) {
        const struct seen *x = &a->out.items[i];
        const struct seen *y = &b->out.items[i];
        assert_int_equal(compare_seen(x, y), 0);
        assert_int_equal(x->payload, y->payload);
        assert_int_equal(x->example.author_id, y->example.author_id);
        assert_int_equal(x->example.position, y->example.position);
        assert_int_equal(x->example.served_at_ms, y->example.served_at_ms);
        assert_int_equal(x->example.impressed_at_ms, y->example.impressed_at_ms);
        assert_int_equal(x->example.engaged_at_ms, y->example.engaged_at_ms);
        assert_int_equal(x->example.payload.size, y->example.payload.size);
    }
}

static void restored_join_goes_on_as_if_nothing_had_happened(void **state)
{
    (void)state;
    static const unsigned leans[] = {8, 20, 50};
    for (uint64_t seed = first_seed(); seed < first_seed() + 50; seed++) {
        print_message("%sseed %llu", seed == first_seed() ? "" : "\r", (unsigned long long)seed);
        generate(&script, seed);
        for (size_t i = 0; i < GW_COUNT_OF(leans); i++) {
            struct run whole;
            struct run cut;
            run_script(&whole, &script, seed * 17 + i, leans[i], 0);
            run_script(&cut, &script, seed * 17 + i, leans[i], 6);
            assert_same_output(&whole, &cut);
            assert_memory_equal(whole.actions, cut.actions, sizeof whole.actions);
            assert_memory_equal(whole.served, cut.served, sizeof whole.served);
            run_deinit(&whole);
            run_deinit(&cut);
        }
    }
    print_message("\n");
}

GW_TESTS(any_interleaving_closes_the_windows_of_the_oracle, restored_join_goes_on_as_if_nothing_had_happened)
