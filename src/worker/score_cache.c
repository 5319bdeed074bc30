// SPDX-License-Identifier: MIT
// One block of memory holds everything: the cache itself, then sets, then payloads. All that is known about a key
// stands in its set of two neighbouring cache lines, so that a lookup or an offer misses the processor's caches once; a
// hit reads the payload as well.
#include "worker/score_cache.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum {
    WAYS = 4,
    FLOATS_ALIGN = 4, // payloads start at multiples of 16 bytes
    DOOR_WORDS = 3,
    // The doorkeeper's places of a set: a generation takes as many keys as there are entries, so that on average 4 of
    // 96 are taken, and two generations let 1 in 12 unseen keys pass. The present generation is in the even bits, the
    // former one beside it in the odd ones.
    DOOR_PLACES = DOOR_WORDS * 64 / 2,
};

#define DOOR_PRESENT ((uint64_t)0x5555555555555555)

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

struct set {
    struct gw_score_key keys[WAYS];
    uint64_t expires_us[WAYS]; // 0: empty
    uint64_t door[DOOR_WORDS];
    uint64_t generation; // of the door's present bits; a set is brought up to date when it is used
};
_Static_assert(sizeof(struct set) == 2 * (size_t)GW_CACHE_LINE_BYTES, "a set is two cache lines");

struct gw_score_cache {
    size_t bytes; // of the block
    uint64_t max_age_us;
    uint64_t now_us; // of the batch

    size_t floats; // of the batch's payloads
    size_t stride; // floats of an entry
    size_t set_count;
    struct set *sets;
    float *payloads; // WAYS per set

    uint64_t generation;
    uint64_t generation_keys; // taken by it
    uint64_t generation_us;   // when it began

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

// Where the sets begin.
static size_t header_bytes(void)
{
    return (sizeof(struct gw_score_cache) + sizeof(struct set) - 1) / sizeof(struct set) * sizeof(struct set);
}

// Sets that fit beside the cache's own fields with payloads of `stride` floats.
static size_t sets_that_fit(const struct gw_score_cache *cache, size_t stride)
{
    return (cache->bytes - header_bytes()) / (sizeof(struct set) + WAYS * stride * sizeof(float));
}

// Divides the block anew and forgets everything.
static void lay_out(struct gw_score_cache *cache, size_t stride, size_t set_count)
{
    cache->stride = stride;
    cache->set_count = set_count;
    cache->sets = (struct set *)(void *)((uint8_t *)cache + header_bytes());
    cache->payloads = (float *)(void *)(cache->sets + set_count);
    GW_ASSERT((uint8_t *)(cache->payloads + set_count * WAYS * stride) <= (uint8_t *)cache + cache->bytes);
    memset(cache->sets, 0, set_count * sizeof *cache->sets);
    cache->generation = 0;
    cache->generation_keys = 0;
}

gw_status gw_score_cache_new(const struct gw_score_cache_options *options, struct gw_score_cache **ret_cache,
                             gw_err *err)
{
    if (options->bytes < BYTES_MIN || options->max_age_us == 0) {
        return gw_fail(err, GW_E_CONFIG, "a prediction cache of %zu bytes, at least %zu", options->bytes, BYTES_MIN);
    }
    size_t bytes = options->bytes / sizeof(struct set) * sizeof(struct set);
    struct gw_score_cache *cache = gw_mem_aligned(sizeof(struct set), bytes);
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
    cache->generation++;
    cache->generation_keys = 0;
    cache->generation_us = cache->now_us;
}

bool gw_score_cache_begin(struct gw_score_cache *cache, size_t floats, uint64_t now_us)
{
    cache->now_us = now_us;
    if (!cache->timed) {
        cache->timed = true;
        cache->generation_us = now_us;
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
    if (now_us - cache->generation_us >=
        cache->max_age_us) { // who comes back more seldom than that finds nothing anyway
        turn_generation(cache);
    }
    return true;
}

const float *gw_score_cache_find(struct gw_score_cache *cache, struct gw_score_key key)
{
    size_t index = share_of(key.high, cache->set_count);
    const struct set *set = &cache->sets[index];
    cache->window.lookups++;
    cache->totals.lookups++;
    for (size_t way = 0; way < WAYS; way++) {
        if (set->keys[way].low == key.low && set->keys[way].high == key.high && set->expires_us[way] > cache->now_us) {
            cache->window.hits++;
            cache->totals.hits++;
            return cache->payloads + (index * WAYS + way) * cache->stride;
        }
    }
    return NULL;
}

// Whether the key came before, in the present generation or the former one; it has come now.
static bool seen(struct gw_score_cache *cache, struct set *set, struct gw_score_key key)
{
    uint64_t behind = cache->generation - set->generation;
    for (size_t i = 0; i < DOOR_WORDS && behind > 0; i++) {
        set->door[i] = behind == 1 ? (set->door[i] & DOOR_PRESENT) << 1 : 0;
    }
    set->generation = cache->generation;
    size_t bit = 2 * share_of(key.low, DOOR_PLACES);
    uint64_t *word = &set->door[bit / 64];
    if ((*word >> bit % 64 & 3) != 0) {
        return true;
    }
    *word |= (uint64_t)1 << bit % 64;
    cache->generation_keys++;
    if (cache->generation_keys >= cache->set_count * WAYS) {
        turn_generation(cache);
    }
    return false;
}

void gw_score_cache_offer(struct gw_score_cache *cache, struct gw_score_key key, const float *payload)
{
    size_t index = share_of(key.high, cache->set_count);
    struct set *set = &cache->sets[index];
    size_t victim = 0; // its own former entry, else the one that expires first: an empty or expired one if there is any
    bool known = false;
    for (size_t way = 0; way < WAYS && !known; way++) {
        known = set->expires_us[way] != 0 && set->keys[way].low == key.low && set->keys[way].high == key.high;
        victim = known || set->expires_us[way] < set->expires_us[victim] ? way : victim;
    }
    if (!known && !seen(cache, set, key)) {
        cache->totals.refused++;
        return;
    }
    cache->totals.admitted += !known;
    cache->totals.evicted += !known && set->expires_us[victim] > cache->now_us;
    set->keys[victim] = key;
    set->expires_us[victim] = cache->now_us + cache->max_age_us;
    memcpy(cache->payloads + (index * WAYS + victim) * cache->stride, payload, cache->floats * sizeof *payload);
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
