// SPDX-License-Identifier: MIT
// schemas/features.ini itself, compiled with the enums of schemas/*.avsc. The vocabulary is the worker's; here it is
// built from the record schemas, so that a symbol renamed in one place only is found without a broker.
#include "base/ini.h"
#include "base/mem.h"
#include "unit/feature/vocabulary.h"

#define SYMBOLS_MAX 64

struct symbols {
    char names[SYMBOLS_MAX][64];
    struct gw_feature_symbol items[SYMBOLS_MAX];
    size_t count;
};

static char *read_text(const char *path)
{
    char *content = NULL;
    size_t size = 0;
    gw_err err = {0};
    assert_ok_err(gw_file_read(path, 1 << 20, &content, &size, &err), &err);
    return content;
}

// Symbols of an enum of a record schema, numbered in their order.
static void read_symbols(const char *schema, const char *enum_name, struct symbols *symbols)
{
    char path[512];
    char marker[64];
    snprintf(path, sizeof path, "%s/schemas/%s.avsc", GW_SOURCE_DIR, schema);
    snprintf(marker, sizeof marker, "\"name\": \"%s\"", enum_name);
    GW_CLEANUP(gw_mem_cleanup) char *content = read_text(path);
    const char *at = strstr(content, marker);
    assert_non_null(at);
    at = strstr(at, "\"symbols\": [");
    assert_non_null(at);
    at += strlen("\"symbols\": [");
    symbols->count = 0;
    while (*at != ']') {
        const char *end = strchr(at + 1, '"');
        assert_true(*at == '"' && end != NULL && symbols->count < SYMBOLS_MAX);
        snprintf(symbols->names[symbols->count], sizeof symbols->names[0], "%.*s", (int)(end - at - 1), at + 1);
        symbols->items[symbols->count] =
            (struct gw_feature_symbol){symbols->names[symbols->count], (double)symbols->count};
        symbols->count++;
        at = end + 1 + strspn(end + 1, ", \n");
    }
}

static struct gw_feature_set *standard_set(void)
{
    static struct symbols kinds;
    static struct symbols actions;
    static struct symbols ops;
    read_symbols("entity_event", "EntityEventKind", &kinds);
    read_symbols("user_action", "ActionType", &actions);
    read_symbols("social_graph_event", "SocialOp", &ops);
    const struct gw_feature_attribute attributes[] = {
        {"kind", kinds.items, kinds.count},
        {"action", actions.items, actions.count},
        {"social_op", ops.items, ops.count},
        {"dwell_ms", NULL, 0},
        {"position", NULL, 0},
        {"created_at_ms", NULL, 0},
        {"text_length", NULL, 0},
        {"num_hashtags", NULL, 0},
        {"num_mentions", NULL, 0},
        {"link_count", NULL, 0},
        {"has_image", NULL, 0},
        {"has_video", NULL, 0},
        {"is_reply", NULL, 0},
        {"is_retweet", NULL, 0},
        {"is_sensitive", NULL, 0},
        {"video_duration_ms", NULL, 0},
        {"follower_count", NULL, 0},
        {"following_count", NULL, 0},
        {"tweet_count", NULL, 0},
        {"is_verified", NULL, 0},
        {"user_state", NULL, 0},
        {"author_id_high", NULL, 0},
        {"author_id_low", NULL, 0},
    };
    static const char *const sides[] = {"actor", "tweet", "author", "target", "profile"};
    const struct gw_feature_vocabulary vocabulary = {attributes, GW_COUNT_OF(attributes), sides, GW_COUNT_OF(sides)};

    GW_CLEANUP(gw_mem_cleanup) char *content = read_text(GW_SOURCE_DIR "/schemas/features.ini");
    struct gw_feature_set *set = NULL;
    gw_err err = {0};
    assert_ok_err(gw_feature_set_compile("schemas/features.ini", content, strlen(content), &vocabulary, &set, &err),
                  &err);
    return set;
}

static void standard_definitions_compile(void **state)
{
    (void)state;
    struct gw_feature_set *set = standard_set();
    const char *const views[] = {"user", "tweet", "author", "pair"};
    for (size_t i = 0; i < GW_COUNT_OF(views); i++) {
        assert_int_equal(gw_feature_set_find_view(set, views[i]), (int)i);
        const struct gw_feature_view *view = gw_feature_set_view(set, i);
        assert_int_equal(view->key_count, i == 3 ? 2 : 1);
        assert_int_equal(view->never_expires, i != 3);
        assert_true(view->row_bytes <= 320); // more costs Redis reads per second
    }
    gw_feature_set_free(set);
}

static void model_of_every_visible_feature_but_pairs_needs_no_pair_rows(void **state)
{
    (void)state;
    struct gw_feature_set *set = standard_set();
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; i < gw_feature_set_count(set); i++) {
        const char *name = gw_feature_set_name(set, i);
        if (!gw_feature_set_is_hidden(set, i) && strncmp(name, "pair.", 5) != 0) {
            names[count++] = name;
        }
    }
    assert_true(count >= 48);
    struct gw_feature_plan *plan = test_plan(set, names, count);
    assert_int_equal(gw_feature_plan_width(plan), count);
    assert_int_equal(gw_feature_plan_row_mask(plan), 0x7);
    gw_feature_plan_free(plan);
    gw_feature_set_free(set);
}

static void unseen_pair_has_the_prior(void **state)
{
    (void)state;
    struct gw_feature_set *set = standard_set();
    size_t pair = (size_t)gw_feature_set_find_view(set, "pair");
    assert_close(test_value(set, pair, NULL, START_US, "pair.fav_rate_50d"), 0.012, 1e-15);
    assert_true(test_value(set, pair, NULL, START_US, "pair.favs_1d") == 0);
    assert_true(isnan(test_value(set, 1, NULL, START_US, "tweet.fav_rate")));
    gw_feature_set_free(set);
}

GW_TESTS(standard_definitions_compile, model_of_every_visible_feature_but_pairs_needs_no_pair_rows,
         unseen_pair_has_the_prior)
