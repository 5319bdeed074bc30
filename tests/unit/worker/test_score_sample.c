// SPDX-License-Identifier: MIT
#include "worker/score_sample.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "support/testkit.h"

#include <math.h>

enum { REQUESTS = 20000, CANDIDATES = 7 };

static struct gw_candidate candidates[CANDIDATES];

// The n-th request; ids come from a producer that counts, which is the least random there is.
static struct gw_prediction_request request_of(uint64_t n)
{
    struct gw_prediction_request request = {.user_id = 1, .request_join_id = 1};
    gw_store_be64(request.request_id, 99);
    gw_store_be64(request.request_id + 8, n);
    request.candidates.items = candidates;
    request.candidates.count = CANDIDATES;
    return request;
}

static void every_request_gives_one_candidate_below_the_rate(void **state)
{
    (void)state;
    struct gw_sampler sampler = {.rate_per_s = REQUESTS};
    uint64_t counts[CANDIDATES] = {0};
    for (uint64_t n = 0; n < REQUESTS; n++) {
        struct gw_prediction_request request = request_of(n);
        struct gw_score_sample sample = gw_score_sample_choose(&sampler, &request, 1);
        assert_true(sample.weight == (float)CANDIDATES);
        assert_true(sample.candidate < CANDIDATES);
        counts[sample.candidate]++;
    }
    double chi_square = 0;
    for (size_t c = 0; c < CANDIDATES; c++) {
        double expected = (double)REQUESTS / CANDIDATES;
        chi_square += ((double)counts[c] - expected) * ((double)counts[c] - expected) / expected;
    }
    assert_true(chi_square < 22.5); // 6 degrees of freedom, p 0.001; the ids are fixed, so is the sum
}

static void the_choice_depends_on_the_request_id_alone(void **state)
{
    (void)state;
    static struct gw_candidate others[CANDIDATES];
    struct gw_sampler sampler = {.rate_per_s = REQUESTS};
    for (uint64_t n = 0; n < 100; n++) {
        struct gw_prediction_request request = request_of(n);
        struct gw_score_sample first = gw_score_sample_choose(&sampler, &request, 1);
        for (size_t c = 0; c < CANDIDATES; c++) {
            others[c] = (struct gw_candidate){.tweet_id = (int64_t)(n * 31 + c), .author_id = 5};
        }
        request.user_id = 7 + (int64_t)n;
        request.candidates.items = others;
        struct gw_score_sample second = gw_score_sample_choose(&sampler, &request, 1);
        assert_int_equal(second.candidate, first.candidate);
    }
}

static void weights_add_up_to_the_candidates_over_the_rate(void **state)
{
    (void)state;
    struct gw_sampler sampler = {.rate_per_s = 100};
    double sum = 0;
    uint64_t counts[CANDIDATES] = {0};
    uint64_t taken = 0;
    for (uint64_t n = 0; n < 50 * (uint64_t)REQUESTS; n++) {
        struct gw_prediction_request request = request_of(n);
        struct gw_score_sample sample = gw_score_sample_choose(&sampler, &request, (1 + n / REQUESTS) * 1000000);
        if (sample.weight > 0) {
            sum += (double)sample.weight;
            counts[sample.candidate]++;
            taken++;
        }
    }
    assert_in_range(taken, 1000, 50 * 100 * 9); // 1 + log2(200) for each second
    assert_true(fabs(sum / (50.0 * REQUESTS * CANDIDATES) - 1) < 0.05);
    for (size_t c = 0; c < CANDIDATES; c++) { // being chosen says nothing about which candidate
        assert_true(fabs((double)counts[c] * CANDIDATES / (double)taken - 1) < 0.25);
    }
}

// What keeps requests for labels looks at the same id: among those that it keeps are no more samples than elsewhere.
static void the_choice_is_not_that_of_the_served_sample(void **state)
{
    (void)state;
    struct gw_sampler sampler = {.rate_per_s = 1, .halvings = 4, .second = 1};
    uint64_t served = 0;
    uint64_t both = 0;
    uint64_t all = 0;
    for (uint64_t n = 0; n < 40 * (uint64_t)REQUESTS; n++) {
        struct gw_prediction_request request = request_of(n);
        uint64_t served_hash =
            gw_hash_mix(gw_load_be64(request.request_id) ^ gw_hash_mix(gw_load_be64(request.request_id + 8)));
        sampler.halvings = 4; // one in 16, whatever was given
        sampler.since_half = 0;
        bool sampled = gw_score_sample_choose(&sampler, &request, 1000000).weight > 0;
        served += served_hash % 16 == 0;
        both += sampled && served_hash % 16 == 0;
        all += sampled;
    }
    assert_true(fabs((double)all * 16 / (40.0 * REQUESTS) - 1) < 0.05);
    assert_true(fabs((double)both * 16 / (double)served - 1) < 0.1);
}

static void nothing_is_chosen_at_a_rate_of_zero_or_of_no_candidates(void **state)
{
    (void)state;
    struct gw_sampler off = {0};
    struct gw_sampler on = {.rate_per_s = 10};
    struct gw_prediction_request request = request_of(1);
    assert_true(gw_score_sample_choose(&off, &request, 1).weight == 0);
    request.candidates.count = 0;
    assert_true(gw_score_sample_choose(&on, &request, 1).weight == 0);
}

GW_TESTS(every_request_gives_one_candidate_below_the_rate, the_choice_depends_on_the_request_id_alone,
         weights_add_up_to_the_candidates_over_the_rate, the_choice_is_not_that_of_the_served_sample,
         nothing_is_chosen_at_a_rate_of_zero_or_of_no_candidates)
