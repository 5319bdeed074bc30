// SPDX-License-Identifier: MIT
// Batches and passes together: rows are fetched once, and each model sees them as if it were alone.
#include "score_fixture.h"

#include "worker/score_cache.h"
#include "worker/score_pass.h"

enum { REQUESTS = 3, CANDIDATES = 7, ROWS = REQUESTS * CANDIDATES };

// Reads pairs, which the test model does not, and no authors; its request values come in another order.
static const char *const pair_features[] = {
    "request.source_score", "pair.fav_rate_50d", "tweet.text_length", "user.follower_count", "request.is_session_start",
};
static const char *const user_features[] = {"user.follower_count", "user.state"};

struct fixture {
    struct score_fixture base;
    struct gw_score_model *ranker;    // users, tweets, authors, cross features
    struct gw_score_model *pairs;     // users, tweets, pairs
    struct gw_score_model *only_user; // users
    struct gw_score_batch *batch;
    struct gw_score_pass *pass;
    struct gw_score_cache *cache;
    uint32_t reads; // of the requests that are added
    bool keep_sample;
    uint32_t sample;
};

static int setup(void **state)
{
    struct fixture *f = gw_mem_calloc(1, sizeof *f);
    assert_non_null(f);
    score_fixture_init(&f->base);
    f->ranker = score_fixture_model(&f->base, f->base.set, "ranker", test_model_features, test_model_feature_count);
    f->pairs = score_fixture_model(&f->base, f->base.set, "pairs", pair_features, GW_COUNT_OF(pair_features));
    f->only_user = score_fixture_model(&f->base, f->base.set, "user", user_features, GW_COUNT_OF(user_features));
    for (int64_t id = 1; id <= REQUESTS; id++) {
        store_put(&f->base, "user", id, 0, (int)id);
        for (int64_t author = 1000; author < 1050; author += 3) {
            store_put(&f->base, "pair", id, author, (int)id);
        }
    }
    for (int64_t id = 1; id <= 30; id++) {
        store_put(&f->base, "tweet", id, 0, 1 + (int)id % 5);
    }
    for (int64_t author = 1000; author < 1050; author += 2) {
        store_put(&f->base, "author", author, 0, 2);
    }
    const struct gw_score_cache_options options = {.bytes = 4 << 20, .max_age_us = 3600000000};
    assert_ok(gw_score_batch_new(f->base.set, &f->base.store, 4000, &f->batch, NULL));
    assert_ok(gw_score_pass_new(&f->pass, NULL));
    assert_ok(gw_score_cache_new(&options, &f->cache, NULL));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gw_score_cache_free(f->cache);
    gw_score_pass_free(f->pass);
    gw_score_batch_free(f->batch);
    gw_score_model_unref(f->ranker);
    gw_score_model_unref(f->pairs);
    gw_score_model_unref(f->only_user);
    score_fixture_deinit(&f->base);
    gw_mem_free(f);
    return 0;
}

static struct gw_slice value_names[2];
static const float values[ROWS][2] = {{0.5f, 1}, {0.125f, 0}, {NAN, 1}, {0.25f, NAN}, {2, 1}};

// Request r is of user r + 1 and names tweets 2r + 1 ... , some of which other requests name too; no authors.
static void add_request(struct fixture *f, int64_t user_id, bool keep_vectors, int64_t first_tweet, uint32_t candidates)
{
    static struct gw_score_value context[1];
    context[0] = (struct gw_score_value){.name = gw_slice_text("is_session_start"), .value = 1};
    value_names[0] = gw_slice_text("source_score");
    value_names[1] = gw_slice_text("in_network");
    const struct gw_score_request request = {.user_id = user_id,
                                             .value_names = value_names,
                                             .value_name_count = 2,
                                             .context = context,
                                             .context_count = 1,
                                             .keep_vectors = keep_vectors,
                                             .keep_sample = f->keep_sample,
                                             .sample = f->sample,
                                             .reads = f->reads};
    uint32_t index = 0;
    gw_err err = {0};
    assert_ok_err(gw_score_batch_add_request(f->batch, &request, &index, &err), &err);
    for (uint32_t c = 0; c < candidates; c++) {
        const struct gw_score_candidate candidate = {
            .tweet_id = first_tweet + c, .values = values[c % ROWS], .value_count = c % 3 == 2 ? 1 : 2};
        assert_ok_err(gw_score_batch_add_candidate(f->batch, &candidate, &err), &err);
    }
}

static void want(struct fixture *f, const struct gw_score_model *model)
{
    gw_err err = {0};
    assert_ok_err(gw_score_batch_reads(f->batch, model, &f->reads, &err), &err);
}

// Clears the batch and fills it for these models (`second` may be NULL), as said above.
static void fill(struct fixture *f, const struct gw_score_model *first, const struct gw_score_model *second)
{
    gw_score_batch_clear(f->batch);
    store_reset(&f->base.store);
    f->reads = 0;
    want(f, first);
    if (second != NULL) {
        want(f, second);
    }
    for (int r = 0; r < REQUESTS; r++) {
        add_request(f, r + 1, r != 1, 2 * r + 1, CANDIDATES);
    }
}

static void hydrate(struct fixture *f)
{
    gw_err err = {0};
    assert_ok_err(gw_score_batch_hydrate(f->batch, UINT64_MAX, true, &err), &err);
}

static const uint32_t all_requests[REQUESTS] = {0, 1, 2};

static void run(struct fixture *f, const struct gw_score_model *model, const uint32_t *requests, size_t count,
                struct gw_score_cache *cache)
{
    gw_err err = {0};
    assert_ok_err(gw_score_pass_run(f->pass, f->batch, model, requests, count, cache, &err), &err);
}

// A run's results, copied.
struct outcome {
    size_t rows;
    uint32_t hits;
    float scores[2000];
    float probabilities[4000];
    uint8_t missing[2000];
    int64_t authors[2000];
    size_t vector_floats;
    float vectors[2000 * TEST_MODEL_FEATURES_MAX];
};

static void take(const struct fixture *f, size_t requests, size_t features, struct outcome *to)
{
    memset(to, 0, sizeof *to);
    for (size_t r = 0; r < requests; r++) {
        struct gw_score_result result;
        gw_score_pass_result(f->pass, r, &result);
        assert_int_equal(result.head_count, 2);
        memcpy(to->scores + to->rows, result.scores, result.count * sizeof(float));
        memcpy(to->probabilities + 2 * to->rows, result.probabilities, 2 * result.count * sizeof(float));
        memcpy(to->missing + to->rows, result.missing_rows, result.count);
        memcpy(to->authors + to->rows, result.author_ids, result.count * sizeof(int64_t));
        if (result.vectors != NULL) {
            memcpy(to->vectors + to->vector_floats, result.vectors, result.count * features * sizeof(float));
            to->vector_floats += result.count * features;
        }
        to->rows += result.count;
        to->hits += result.cache_hits;
    }
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_memory_equal(a->scores, b->scores, sizeof a->scores);
    assert_memory_equal(a->probabilities, b->probabilities, sizeof a->probabilities);
    assert_memory_equal(a->missing, b->missing, sizeof a->missing);
    assert_memory_equal(a->authors, b->authors, sizeof a->authors);
    assert_int_equal(a->vector_floats, b->vector_floats);
    assert_memory_equal(a->vectors, b->vectors, sizeof a->vectors);
}

static struct outcome first;
static struct outcome second;

// ---- rows -----------------------------------------------------------------------------------------------------------

static void each_row_is_fetched_once_whichever_models_want_it(void **state)
{
    struct fixture *f = *state;
    fill(f, f->ranker, f->pairs);
    hydrate(f);
    // 3 users, tweets 1 to 11, their 11 authors, and 7 pairs for each user.
    assert_int_equal(f->base.store.asked_count, 3 + 11 + 11 + 21);
    assert_int_equal(f->base.store.asked_most, 1);
    assert_int_equal(gw_score_batch_costs(f->batch)->rows_read, f->base.store.asked_count);
    run(f, f->ranker, all_requests, REQUESTS, NULL);
    run(f, f->pairs, all_requests, REQUESTS, NULL);
    assert_int_equal(f->base.store.asked_count, 46);
    assert_int_equal(gw_score_batch_rows(f->batch), ROWS);
}

static void only_wanted_views_are_fetched(void **state)
{
    struct fixture *f = *state;
    fill(f, f->only_user, NULL);
    hydrate(f);
    assert_int_equal(f->base.store.asked_count, REQUESTS);
    run(f, f->only_user, all_requests, REQUESTS, NULL);
    take(f, REQUESTS, GW_COUNT_OF(user_features), &first);
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(first.missing[i], 0);
        assert_true(first.scores[i] == first.scores[i - i % CANDIDATES]); // the user's, for all candidates
    }
}

static void a_request_fetches_what_its_own_models_read(void **state)
{
    struct fixture *f = *state;
    gw_score_batch_clear(f->batch);
    store_reset(&f->base.store);
    f->reads = 0;
    want(f, f->only_user);
    add_request(f, 1, false, 1, CANDIDATES);
    f->reads = 0;
    want(f, f->pairs);
    add_request(f, 2, false, 1, CANDIDATES);
    hydrate(f);
    size_t both = f->base.store.asked_count;
    run(f, f->pairs, all_requests + 1, 1, NULL);
    take(f, 1, 0, &first);

    gw_score_batch_clear(f->batch);
    store_reset(&f->base.store);
    add_request(f, 2, false, 1, CANDIDATES);
    hydrate(f);
    assert_int_equal(both, f->base.store.asked_count + 1); // the first request added its user
    run(f, f->pairs, all_requests, 1, NULL);
    take(f, 1, 0, &second);
    assert_memory_equal(first.scores, second.scores, CANDIDATES * sizeof(float));
}

static void an_author_that_no_request_names_is_found_in_the_tweets_row(void **state)
{
    struct fixture *f = *state;
    fill(f, f->ranker, NULL);
    hydrate(f);
    run(f, f->ranker, all_requests, REQUESTS, NULL);
    take(f, REQUESTS, test_model_feature_count, &first);
    for (size_t i = 0; i < ROWS; i++) {
        int64_t tweet = (int64_t)(2 * (i / CANDIDATES) + 1 + i % CANDIDATES);
        assert_int_equal(first.authors[i], 1000 + tweet % 50);
        assert_int_equal(first.missing[i], tweet % 2); // authors with odd ids have no row
    }
}

static void deleted_and_foreign_rows_are_missing_rows(void **state)
{
    struct fixture *f = *state;
    const struct gw_feature_view *tweets =
        gw_feature_set_view(f->base.set, (size_t)gw_feature_set_find_view(f->base.set, "tweet"));
    struct stored_row *deleted = store_find(&f->base, "tweet", 2);
    struct stored_row *foreign = store_find(&f->base, "tweet", 4);
    gw_row_mark_deleted(tweets, deleted->bytes, 1);
    deleted->size = GW_ROW_HEADER_BYTES;
    foreign->bytes[0] ^= 1; // another layout
    fill(f, f->ranker, NULL);
    hydrate(f);
    run(f, f->ranker, all_requests, 1, NULL);
    take(f, 1, test_model_feature_count, &first);
    for (size_t i = 0; i < CANDIDATES; i++) { // without its row a tweet has no author either
        assert_int_equal(first.missing[i], i == 1 || i == 3 ? 2 : (i + 1) % 2);
        assert_int_equal(first.authors[i] == 0, i == 1 || i == 3);
    }
    store_put(&f->base, "tweet", 2, 0, 3);
    store_put(&f->base, "tweet", 4, 0, 5);
    fill(f, f->ranker, NULL); // nothing of the last batch is left
    hydrate(f);
    run(f, f->ranker, all_requests, 1, NULL);
    take(f, 1, test_model_feature_count, &first);
    assert_int_equal(first.missing[1], 0);
}

static void a_view_without_an_entity_is_a_configuration_error(void **state)
{
    const struct fixture *f = *state;
    static const char text[] = "[view topic]\ncode = X\nkeys = 1\nsides = actor\n"
                               "[feature topic.acts]\nview = topic\naggregate = total\nwhere = kind = ACTION\n";
    static const char *const features[] = {"topic.acts"};
    struct gw_feature_set *set = NULL;
    struct gw_score_batch *batch = NULL;
    gw_err err = {0};
    assert_ok_err(gw_feature_set_compile("topics", text, strlen(text), &f->base.vocabulary.vocabulary, &set, &err),
                  &err);
    struct gw_score_model *model = score_fixture_model(&f->base, set, "topics", features, 1);
    assert_ok(gw_score_batch_new(set, NULL, 10, &batch, NULL));
    uint32_t reads = 0;
    assert_fails(gw_score_batch_reads(batch, model, &reads, &err), GW_E_CONFIG);
    assert_non_null(strstr(err.message, "'topic'"));
    gw_score_batch_free(batch);
    gw_score_model_unref(model);
    gw_feature_set_free(set);
}

static void a_batch_is_bounded(void **state)
{
    const struct fixture *f = *state;
    struct gw_score_batch *batch = NULL;
    const struct gw_score_request request = {.user_id = 1};
    const struct gw_score_candidate candidate = {.tweet_id = 1};
    uint32_t index = 0;
    assert_ok(gw_score_batch_new(f->base.set, NULL, 2, &batch, NULL));
    assert_ok(gw_score_batch_add_request(batch, &request, &index, NULL));
    assert_ok(gw_score_batch_add_candidate(batch, &candidate, NULL));
    assert_ok(gw_score_batch_add_candidate(batch, &candidate, NULL));
    assert_fails(gw_score_batch_add_candidate(batch, &candidate, NULL), GW_E_TOO_LARGE);
    gw_score_batch_free(batch);
}

// ---- passes ---------------------------------------------------------------------------------------------------------

static void two_models_score_one_batch_as_each_would_alone(void **state)
{
    struct fixture *f = *state;
    const struct gw_score_model *models[2] = {f->ranker, f->pairs};
    for (size_t m = 0; m < 2; m++) {
        size_t features = gw_bundle_info(models[m]->bundle)->feature_count;
        fill(f, models[m], NULL);
        hydrate(f);
        run(f, models[m], all_requests, REQUESTS, NULL);
        take(f, REQUESTS, features, &first);
        fill(f, f->ranker, f->pairs);
        hydrate(f);
        run(f, models[1 - m], all_requests, REQUESTS, NULL); // the same pass, with the other model before
        run(f, models[m], all_requests, REQUESTS, NULL);
        take(f, REQUESTS, features, &second);
        assert_same(&first, &second);
        assert_int_equal(first.vector_floats, 2 * CANDIDATES * features);
    }
}

// The vectors against values that are known, in the bundle's order; probabilities against the scorer alone.
static void vectors_hold_what_rows_and_requests_say(void **state)
{
    struct fixture *f = *state;
    fill(f, f->ranker, f->pairs);
    hydrate(f);
    run(f, f->pairs, all_requests, REQUESTS, NULL);
    take(f, REQUESTS, GW_COUNT_OF(pair_features), &first);
    struct gw_scorer *scorer = NULL;
    assert_ok(gw_scorer_new(f->pairs->bundle, NULL, GW_COUNT_OF(pair_features), &scorer, NULL));
    for (uint32_t c = 0; c < CANDIDATES; c++) {
        const float *vector = first.vectors + c * GW_COUNT_OF(pair_features);
        int64_t tweet = 1 + c;
        assert_memory_equal(&vector[0], &values[c][0], sizeof(float));
        assert_float_equal(vector[2], (double)(tweet * 17 % 250), 0);
        assert_float_equal(vector[3], 37, 0);
        assert_float_equal(vector[4], 1, 0); // from the context
        float margins[2];
        float probabilities[2];
        float score = 0;
        gw_scorer_margins(scorer, vector, GW_COUNT_OF(pair_features), 1, margins);
        gw_scorer_finish(scorer, margins, 1, probabilities, &score, NULL);
        assert_memory_equal(&score, &first.scores[c], sizeof score);
        assert_memory_equal(probabilities, first.probabilities + 2 * c, sizeof probabilities);
    }
    gw_scorer_free(scorer);
}

static void a_pass_scores_its_requests_and_no_others(void **state)
{
    struct fixture *f = *state;
    static const uint32_t some[] = {0, 2};
    fill(f, f->ranker, NULL);
    hydrate(f);
    run(f, f->ranker, all_requests, REQUESTS, NULL);
    take(f, REQUESTS, test_model_feature_count, &first);
    uint64_t lookups = gw_score_cache_totals(f->cache)->lookups;
    run(f, f->ranker, some, 2, f->cache);
    take(f, 2, test_model_feature_count, &second);
    assert_int_equal(gw_score_cache_totals(f->cache)->lookups - lookups, 2 * CANDIDATES);
    assert_int_equal(second.rows, 2 * CANDIDATES);
    assert_memory_equal(second.scores, first.scores, CANDIDATES * sizeof(float));
    assert_memory_equal(second.scores + CANDIDATES, first.scores + 2 * CANDIDATES, CANDIDATES * sizeof(float));
    assert_memory_equal(second.vectors, first.vectors, first.vector_floats * sizeof(float)); // request 1 keeps none
    run(f, f->ranker, some, 0, f->cache);
}

static void add_many(struct fixture *f)
{
    gw_score_batch_clear(f->batch);
    f->reads = 0;
    want(f, f->ranker);
    add_request(f, 1, false, 1, 700);
    add_request(f, 2, true, 300, 900);
    add_request(f, 3, true, 5, 0);
    hydrate(f);
}

static void rows_of_several_blocks_keep_their_places(void **state)
{
    struct fixture *f = *state;
    static const uint32_t second_only[] = {1};
    static const uint32_t every[] = {0, 1, 2};
    for (int64_t id = 31; id <= 1200; id += 7) {
        store_put(&f->base, "tweet", id, 0, 1 + (int)id % 5);
    }
    add_many(f);
    run(f, f->ranker, every, 3, NULL);
    take(f, 3, test_model_feature_count, &first);
    for (int i = 0; i < 3; i++) { // half the rows come to be known, the others not
        run(f, f->ranker, second_only, 1, f->cache);
    }
    run(f, f->ranker, every, 3, f->cache);
    take(f, 3, test_model_feature_count, &second);
    assert_int_equal(second.hits, 900);
    second.hits = 0;
    assert_same(&first, &second);
}

// ---- cache ----------------------------------------------------------------------------------------------------------

// Fills, hydrates and runs; the hits of the run.
static uint32_t hits_of(struct fixture *f, const struct gw_score_model *model)
{
    fill(f, model, NULL);
    hydrate(f);
    run(f, model, all_requests, REQUESTS, f->cache);
    take(f, REQUESTS, gw_bundle_info(model->bundle)->feature_count, &second);
    return second.hits;
}

static void a_hit_gives_the_bits_that_were_scored(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(hits_of(f, f->pairs), 0); // seen once: not admitted
    assert_int_equal(hits_of(f, f->pairs), 0); // admitted
    first = second;
    assert_int_equal(hits_of(f, f->pairs), ROWS);
    assert_same(&first, &second);
    assert_true(first.vector_floats > 0);
    run(f, f->pairs, all_requests, REQUESTS, NULL);
    take(f, REQUESTS, GW_COUNT_OF(pair_features), &first);
    assert_same(&first, &second);
}

static void a_changed_row_is_scored_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        (void)hits_of(f, f->ranker);
    }
    assert_int_equal(second.hits, ROWS);
    store_put(&f->base, "user", 2, 0, 9);
    assert_int_equal(hits_of(f, f->ranker), ROWS - CANDIDATES);
    store_put(&f->base, "author", 1001, 0, 1); // a row appears: author of tweet 1, of request 0
    assert_int_equal(hits_of(f, f->ranker), ROWS - CANDIDATES - 1);
    (void)hits_of(f, f->ranker);
    assert_int_equal(hits_of(f, f->ranker), ROWS);
    store_put(&f->base, "user", 2, 0, 2);
    assert_int_equal(hits_of(f, f->ranker), ROWS); // both states of the user are known by now
}

static void another_model_does_not_answer_from_the_cache(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        (void)hits_of(f, f->ranker);
    }
    assert_int_equal(second.hits, ROWS);
    struct gw_score_model *next = // the same features and leaves under another name
        score_fixture_model(&f->base, f->base.set, "next", test_model_features, test_model_feature_count);
    assert_int_equal(hits_of(f, next), 0);
    assert_int_equal(hits_of(f, f->ranker), ROWS);
    gw_score_model_unref(next);
}

static void a_failed_hydration_neither_asks_nor_fills_the_cache(void **state)
{
    struct fixture *f = *state;
    f->base.store.away = true;
    struct gw_score_cache_totals before = *gw_score_cache_totals(f->cache);
    for (int i = 0; i < 3; i++) {
        fill(f, f->ranker, NULL);
        hydrate(f);
        run(f, f->ranker, all_requests, REQUESTS, f->cache);
    }
    const struct gw_score_cache_totals *after = gw_score_cache_totals(f->cache);
    assert_int_equal(after->lookups, before.lookups);
    assert_int_equal(after->admitted, before.admitted);
    assert_int_equal(after->refused, before.refused);
    assert_int_equal(after->skipped, before.skipped);
    struct gw_score_result result;
    gw_score_pass_result(f->pass, 0, &result);
    assert_true(result.hydration_failed);
    assert_int_equal(result.count, CANDIDATES);
    assert_int_equal(result.missing_rows[0], 3);
    assert_false(isnan(result.scores[0]));
    assert_int_equal(gw_score_batch_costs(f->batch)->rows_found, 0);

    gw_err err = {0};
    fill(f, f->ranker, NULL);
    assert_fails(gw_score_batch_hydrate(f->batch, UINT64_MAX, false, &err), GW_E_UNAVAILABLE);
    f->base.store.away = false;
    fill(f, f->ranker, NULL);
    hydrate(f);
    run(f, f->ranker, all_requests, REQUESTS, NULL);
    gw_score_pass_result(f->pass, 0, &result);
    assert_false(result.hydration_failed);
}

// Scores the requests with this sample wanted, by cache or not, and compares it with the vectors of all (first).
static void assert_sample(struct fixture *f, uint32_t sample, struct gw_score_cache *cache, uint32_t hits)
{
    const size_t features = GW_COUNT_OF(pair_features);
    f->keep_sample = true;
    f->sample = sample;
    gw_score_batch_clear(f->batch);
    f->reads = 0;
    want(f, f->pairs);
    for (int r = 0; r < REQUESTS; r++) {
        add_request(f, r + 1, r == 2, 2 * r + 1, CANDIDATES); // the last one keeps all as well
    }
    hydrate(f);
    run(f, f->pairs, all_requests, REQUESTS, cache);
    for (size_t r = 0; r < REQUESTS; r++) {
        struct gw_score_result result;
        gw_score_pass_result(f->pass, r, &result);
        assert_int_equal(result.cache_hits, hits);
        assert_int_equal(result.vectors != NULL, r == 2);
        if (sample >= CANDIDATES) {
            assert_null(result.sample_vector);
        } else {
            const float *all = first.vectors + (r * CANDIDATES + sample) * features;
            assert_memory_equal(result.sample_vector, all, features * sizeof(float));
        }
    }
}

static void a_sample_has_the_vector_that_all_vectors_have_there(void **state)
{
    struct fixture *f = *state;
    gw_score_batch_clear(f->batch);
    f->reads = 0;
    want(f, f->pairs);
    for (int r = 0; r < REQUESTS; r++) {
        add_request(f, r + 1, true, 2 * r + 1, CANDIDATES);
    }
    hydrate(f);
    run(f, f->pairs, all_requests, REQUESTS, NULL);
    take(f, REQUESTS, GW_COUNT_OF(pair_features), &first);
    assert_int_equal(first.vector_floats, ROWS * GW_COUNT_OF(pair_features));
    for (uint32_t sample = 0; sample <= CANDIDATES; sample++) {
        assert_sample(f, sample, NULL, 0);
    }
    assert_sample(f, 0, f->cache, 0);
    assert_sample(f, 1, f->cache, 0);
    for (uint32_t sample = 0; sample <= CANDIDATES; sample++) { // by now all rows come from the cache
        assert_sample(f, sample, f->cache, CANDIDATES);
    }
}

// ---- memory ---------------------------------------------------------------------------------------------------------

static gw_status whole_life(struct fixture *f, gw_err *err)
{
    static const uint32_t requests[] = {0};
    struct gw_score_batch *batch = NULL;
    struct gw_score_pass *pass = NULL;
    struct gw_score_request request = {.user_id = 1, .keep_vectors = true};
    const struct gw_score_candidate candidate = {.tweet_id = 1};
    uint32_t index = 0;
    gw_status status = gw_score_batch_new(f->base.set, &f->base.store, 10, &batch, err);
    status = status != GW_OK ? status : gw_score_pass_new(&pass, err);
    status = status != GW_OK ? status : gw_score_batch_reads(batch, f->ranker, &request.reads, err);
    status = status != GW_OK ? status : gw_score_batch_add_request(batch, &request, &index, err);
    status = status != GW_OK ? status : gw_score_batch_add_candidate(batch, &candidate, err);
    status = status != GW_OK ? status : gw_score_batch_hydrate(batch, UINT64_MAX, false, err);
    status = status != GW_OK ? status : gw_score_pass_run(pass, batch, f->ranker, requests, 1, NULL, err);
    gw_score_pass_free(pass);
    gw_score_batch_free(batch);
    return status;
}

static void every_failed_allocation_is_a_status(void **state)
{
    struct fixture *f = *state;
    gw_err err = {0};
    assert_ok_err(whole_life(f, &err), &err); // the store's own memory is there
    for (unsigned long n = 1;; n++) {
        gw_mem_fail_nth(n);
        gw_status status = whole_life(f, &err);
        gw_mem_fail_nth(0);
        if (status == GW_OK) {
            assert_true(n > 20);
            return;
        }
        assert_fails(status, GW_E_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        EACH(each_row_is_fetched_once_whichever_models_want_it),
        EACH(only_wanted_views_are_fetched),
        EACH(a_request_fetches_what_its_own_models_read),
        EACH(an_author_that_no_request_names_is_found_in_the_tweets_row),
        EACH(deleted_and_foreign_rows_are_missing_rows),
        EACH(a_view_without_an_entity_is_a_configuration_error),
        EACH(a_batch_is_bounded),
        EACH(two_models_score_one_batch_as_each_would_alone),
        EACH(vectors_hold_what_rows_and_requests_say),
        EACH(a_pass_scores_its_requests_and_no_others),
        EACH(rows_of_several_blocks_keep_their_places),
        EACH(a_hit_gives_the_bits_that_were_scored),
        EACH(a_changed_row_is_scored_again),
        EACH(another_model_does_not_answer_from_the_cache),
        EACH(a_failed_hydration_neither_asks_nor_fills_the_cache),
        EACH(a_sample_has_the_vector_that_all_vectors_have_there),
        EACH(every_failed_allocation_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
