// SPDX-License-Identifier: MIT
// One block of memory holds everything: the cache itself, then keys, expiries, doorkeeper and payloads of `set_count`
// sets. A lookup that finds nothing touches one cache line, the four keys of a set.
#include "worker/score_cache.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum {
    WAYS = 4,
    FLOATS_ALIGN = 4,         // payloads start at multiples of 16 bytes
    DOOR_BITS_PER_ENTRY = 32, // a generation takes as many keys as there are entries: at most 1 in 32 bits is set, so
                              // that two generations let at most 1 in 16 unseen keys pass
    DOOR_GENERATIONS = 2,
};

#define BYTES_MIN ((size_t)1 << 20)

// Break-even. A window must hold enough lookups for its times to mean something, and must be long enough for keys to
// come back: an entry lives for max_age, so a window lasts at least half of that. All keys are new after a promotion,
// therefore it takes OFF_WINDOWS losing windows (two lives of an entry) to switch off. A trial fills the cache for one
// life and is then judged by one window, in which it must win by a margin, so that a cache on the brink does not flap.
// It is followed by a pause of PAUSE_TRIALS times its own length, which doubles with each lost trial: so a useless
// cache costs at most 1/(1 + PAUSE_TRIALS) of what its lookups cost, and soon less than a fiftieth.
enum {
    WINDOW_LOOKUPS = 4096,
    OFF_WINDOWS = 4,
    PAUSE_TRIALS = 8,
    PAUSE_DOUBLINGS_MAX = 3,
};
#define TRIAL_MARGIN 1.25

enum mode { MODE_TRIAL, MODE_ON, MODE_OFF };

struct window {
    uint64_t began_us;
    uint64_t lookups;
    uint64_t hits;
    uint64_t lookup_ns;
    uint64_t scored_rows;
    uint64_t score_ns;
};

struct key_set {
    struct gw_score_key keys[WAYS];
};
_Static_assert(sizeof(struct key_set) == GW_CACHE_LINE_BYTES, "a set's keys are one cache line");

struct gw_score_cache {
    size_t bytes; // of the block
    uint64_t max_age_us;
    uint64_t now_us; // of the batch

    size_t floats; // of the batch's payloads
    size_t stride; // floats of an entry
    size_t set_count;
    struct key_set *sets;
    uint64_t *expires_us; // WAYS per set; 0: empty
    uint64_t *doors[DOOR_GENERATIONS];
    float *payloads;

    size_t door_words;  // of a generation
    uint64_t door_keys; // taken by doors[0]
    uint64_t door_began_us;

    enum mode mode;
    bool timed;       // the first batch has come
    uint64_t mode_us; // when the trial began, or when the pause ends
    uint32_t losing_windows;
    uint32_t lost_trials;
    double row_ns; // cost of a row, as last measured; 0: not known
    struct window window;
    struct gw_score_cache_totals totals;
};

// ---- keys -----------------------------------------------------------------------------------------------------------

void gw_score_key_fold(struct gw_score_key *key, uint64_t word)
{
    // Each half is a bijection of itself for a given word and of the word for a given half; then they are mixed with
    // each other, reversibly. The constants only have to be odd or not zero: with them a word of 0 changes the key as
    // well.
    uint64_t a = gw_hash_mix((key->low ^ word) + 0x9e3779b97f4a7c15u);
    uint64_t b = gw_hash_mix(key->high + word * 0xd6e8feb86659fd93u + 0xbb67ae8584caa73bu);
    key->low = a + (b << 32 | b >> 32);
    key->high = b ^ key->low;
}

// x / 2^64 of `count`: spreads evenly over any count without a division.
static size_t share_of(uint64_t x, size_t count)
{
    __extension__ typedef unsigned __int128 wide;
    return (size_t)(((wide)x * count) >> 64);
}

// ---- memory ---------------------------------------------------------------------------------------------------------

static size_t round_up(size_t size)
{
    return (size + GW_CACHE_LINE_BYTES - 1) / GW_CACHE_LINE_BYTES * GW_CACHE_LINE_BYTES;
}

static size_t door_words_of(size_t set_count)
{
    return set_count * (WAYS * DOOR_BITS_PER_ENTRY / 64);
}

// Sets that fit beside the cache's own fields with payloads of `stride` floats.
static size_t sets_that_fit(const struct gw_score_cache *cache, size_t stride)
{
    // Each of the parts starts at a cache line.
    size_t fixed = round_up(sizeof *cache) + (size_t)(2 + DOOR_GENERATIONS) * GW_CACHE_LINE_BYTES;
    size_t per_set = sizeof(struct key_set) + WAYS * sizeof(uint64_t) +
                     DOOR_GENERATIONS * door_words_of(1) * sizeof(uint64_t) + WAYS * stride * sizeof(float);
    return (cache->bytes - fixed) / per_set;
}

static void *take(uint8_t **at, size_t size)
{
    void *taken = *at;
    *at += round_up(size);
    return taken;
}

// Divides the block anew and forgets everything.
static void lay_out(struct gw_score_cache *cache, size_t stride, size_t set_count)
{
    uint8_t *at = (uint8_t *)cache + round_up(sizeof *cache);
    cache->stride = stride;
    cache->set_count = set_count;
    cache->door_words = door_words_of(set_count);
    cache->sets = take(&at, set_count * sizeof *cache->sets);
    cache->expires_us = take(&at, set_count * WAYS * sizeof *cache->expires_us);
    for (size_t i = 0; i < DOOR_GENERATIONS; i++) {
        cache->doors[i] = take(&at, cache->door_words * sizeof *cache->doors[i]);
        memset(cache->doors[i], 0, cache->door_words * sizeof *cache->doors[i]);
    }
    cache->payloads = (float *)(void *)at;
    GW_ASSERT(at + set_count * WAYS * stride * sizeof(float) <= (uint8_t *)cache + cache->bytes);
    memset(cache->expires_us, 0, set_count * WAYS * sizeof *cache->expires_us);
    cache->door_keys = 0;
}

gw_status gw_score_cache_new(const struct gw_score_cache_options *options, struct gw_score_cache **ret_cache,
                             gw_err *err)
{
    if (options->bytes < BYTES_MIN || options->max_age_us == 0) {
        return gw_fail(err, GW_E_CONFIG, "a prediction cache of %zu bytes, at least %zu", options->bytes, BYTES_MIN);
    }
    size_t bytes = options->bytes / GW_CACHE_LINE_BYTES * GW_CACHE_LINE_BYTES;
    struct gw_score_cache *cache = gw_mem_aligned(GW_CACHE_LINE_BYTES, bytes);
    if (cache == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a prediction cache of %zu bytes", bytes);
    }
    cache->bytes = bytes;
    cache->max_age_us = options->max_age_us;
    cache->mode = MODE_TRIAL;
    cache->totals.on = true;
    *ret_cache = cache;
    return GW_OK;
}

void gw_score_cache_free(struct gw_score_cache *cache)
{
    gw_mem_free(cache);
}

// ---- break-even -----------------------------------------------------------------------------------------------------

static void enter(struct gw_score_cache *cache, enum mode mode, uint64_t at_us)
{
    cache->mode = mode;
    cache->mode_us = at_us;
    cache->losing_windows = 0;
    cache->window = (struct window){.began_us = cache->now_us};
    cache->totals.on = mode != MODE_OFF;
}

static uint64_t window_us(const struct gw_score_cache *cache)
{
    return cache->max_age_us / 2;
}

static void switch_off(struct gw_score_cache *cache)
{
    uint64_t trial_us = cache->max_age_us + window_us(cache);
    uint32_t doublings = GW_MIN(cache->lost_trials, (uint32_t)PAUSE_DOUBLINGS_MAX);
    cache->lost_trials++;
    enter(cache, MODE_OFF, cache->now_us + ((trial_us * PAUSE_TRIALS) << doublings));
}

static void judge(struct gw_score_cache *cache)
{
    const struct window window = cache->window;
    if (window.scored_rows > 0) {
        cache->row_ns = (double)window.score_ns / (double)window.scored_rows;
    }
    double saved_ns = (double)window.hits * cache->row_ns;
    bool filling = cache->mode == MODE_TRIAL && window.began_us < cache->mode_us + cache->max_age_us;
    bool pays = saved_ns >= (double)window.lookup_ns * (cache->mode == MODE_TRIAL ? TRIAL_MARGIN : 1.0);
    cache->window = (struct window){.began_us = cache->now_us};
    if (pays) {
        cache->losing_windows = 0;
        cache->lost_trials = 0;
        if (cache->mode == MODE_TRIAL) {
            enter(cache, MODE_ON, 0);
        }
    } else if (!filling) {
        cache->losing_windows++;
        if (cache->mode == MODE_TRIAL || cache->losing_windows == OFF_WINDOWS) {
            switch_off(cache);
        }
    }
}

// ---- batches --------------------------------------------------------------------------------------------------------

static void turn_generation(struct gw_score_cache *cache)
{
    uint64_t *oldest = cache->doors[DOOR_GENERATIONS - 1];
    for (size_t i = DOOR_GENERATIONS - 1; i > 0; i--) {
        cache->doors[i] = cache->doors[i - 1];
    }
    cache->doors[0] = oldest;
    memset(oldest, 0, cache->door_words * sizeof *oldest);
    cache->door_keys = 0;
    cache->door_began_us = cache->now_us;
}

bool gw_score_cache_begin(struct gw_score_cache *cache, size_t floats, uint64_t now_us)
{
    cache->now_us = now_us;
    if (!cache->timed) {
        cache->timed = true;
        cache->door_began_us = now_us;
        enter(cache, MODE_TRIAL, now_us);
    }
    if (cache->mode == MODE_OFF && now_us >= cache->mode_us) {
        enter(cache, MODE_TRIAL, now_us);
    }
    bool fits = true;
    if (floats > cache->bytes / sizeof(float)) {
        fits = false;
    } else if (floats > cache->stride || cache->set_count == 0) {
        size_t stride = (floats + FLOATS_ALIGN - 1) / FLOATS_ALIGN * FLOATS_ALIGN;
        size_t set_count = sets_that_fit(cache, stride);
        fits = set_count > 0;
        if (fits) {
            lay_out(cache, stride, set_count);
        }
    }
    if (!fits || cache->mode == MODE_OFF) {
        cache->totals.skipped++;
        return false;
    }
    cache->floats = floats;
    if (now_us - cache->door_began_us >=
        cache->max_age_us) { // who comes back more seldom than that finds nothing anyway
        turn_generation(cache);
    }
    return true;
}

const float *gw_score_cache_find(struct gw_score_cache *cache, struct gw_score_key key)
{
    size_t set = share_of(key.high, cache->set_count);
    const struct gw_score_key *keys = cache->sets[set].keys;
    cache->window.lookups++;
    cache->totals.lookups++;
    for (size_t way = 0; way < WAYS; way++) {
        size_t entry = set * WAYS + way;
        if (keys[way].low == key.low && keys[way].high == key.high && cache->expires_us[entry] > cache->now_us) {
            cache->window.hits++;
            cache->totals.hits++;
            return cache->payloads + entry * cache->stride;
        }
    }
    return NULL;
}

// Whether the key came before, within the last generations; it has come now.
static bool seen(struct gw_score_cache *cache, struct gw_score_key key)
{
    size_t bit = share_of(key.low, cache->door_words * 64);
    uint64_t mask = (uint64_t)1 << (bit % 64);
    for (size_t i = 0; i < DOOR_GENERATIONS; i++) {
        if ((cache->doors[i][bit / 64] & mask) != 0) {
            return true;
        }
    }
    cache->doors[0][bit / 64] |= mask;
    cache->door_keys++;
    if (cache->door_keys >= cache->set_count * WAYS) {
        turn_generation(cache);
    }
    return false;
}

void gw_score_cache_offer(struct gw_score_cache *cache, struct gw_score_key key, const float *payload)
{
    size_t set = share_of(key.high, cache->set_count);
    struct gw_score_key *keys = cache->sets[set].keys;
    uint64_t *expires_us = cache->expires_us + set * WAYS;
    size_t victim = 0; // its own former entry, else the one that expires first: an empty or expired one if there is any
    bool known = false;
    for (size_t way = 0; way < WAYS && !known; way++) {
        known = expires_us[way] != 0 && keys[way].low == key.low && keys[way].high == key.high;
        victim = known || expires_us[way] < expires_us[victim] ? way : victim;
    }
    if (!known && !seen(cache, key)) {
        cache->totals.refused++;
        return;
    }
    cache->totals.admitted += !known;
    cache->totals.evicted += !known && expires_us[victim] > cache->now_us;
    keys[victim] = key;
    expires_us[victim] = cache->now_us + cache->max_age_us;
    memcpy(cache->payloads + (set * WAYS + victim) * cache->stride, payload, cache->floats * sizeof *payload);
}

void gw_score_cache_end(struct gw_score_cache *cache, uint64_t lookup_ns, uint64_t scored_rows, uint64_t score_ns)
{
    cache->window.lookup_ns += lookup_ns;
    cache->window.scored_rows += scored_rows;
    cache->window.score_ns += score_ns;
    if (cache->window.lookups >= WINDOW_LOOKUPS && cache->now_us - cache->window.began_us >= window_us(cache)) {
        judge(cache);
    }
}

const struct gw_score_cache_totals *gw_score_cache_totals(const struct gw_score_cache *cache)
{
    return &cache->totals;
}
