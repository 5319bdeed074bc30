// SPDX-License-Identifier: MIT
#include "support/model.h"

#include "support/testkit.h"

#include "model/bundle_write.h"

#include <math.h>
#include <stdio.h>

const char *const test_model_features[] = {
    "user.follower_count", "user.state",         "user.is_verified",     "tweet.favs_total",
    "tweet.fav_rate",      "tweet.text_length",  "tweet.has_image",      "author.follower_count",
    "author.is_verified",  "request.in_network", "request.source_score", "cross.follower_ratio",
};
const size_t test_model_feature_count = GW_COUNT_OF(test_model_features);

enum { HEADS = 2, GOLDEN_ROWS = 6 };

// A stump: below the threshold the left leaf; missing goes left for even features, right for odd ones.
static const float thresholds[TEST_MODEL_FEATURES_MAX] = {500,  2,    0.5f,  3,     0.125f, 100,  0.5f, 900,
                                                          0.5f, 0.5f, 0.25f, 0.75f, 1,      0.5f, 2,    10};

static float leaf(float factor, size_t head, size_t feature, bool right)
{
    // Sums of these round, and differently by order: a scorer that adds in another order is found out.
    return factor * ((right ? 1.0f : -0.5f) * (0.1f + 0.013f * (float)(feature + 1)) / (float)(head + 1));
}

static bool goes_right(size_t feature, float value)
{
    return isnan(value) ? feature % 2 == 1 : value >= thresholds[feature];
}

static void append(struct gw_buf *out, const char *format, ...) GW_PRINTF(2, 3);
static void append(struct gw_buf *out, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_in_range(size, 1, sizeof text - 1);
    assert_ok(gw_buf_append(out, text, (size_t)size));
}

static void write_tree(struct gw_buf *out, float factor, size_t head, size_t feature, size_t feature_count)
{
    append(out,
           "%s{\"base_weights\":[0,%.9g,%.9g],\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[],"
           "\"categories_sizes\":[],\"default_left\":[%d,0,0],\"id\":%zu,\"left_children\":[1,-1,-1],"
           "\"loss_changes\":[1,0,0],\"parents\":[2147483647,0,0],\"right_children\":[2,-1,-1],"
           "\"split_conditions\":[%.9g,%.9g,%.9g],\"split_indices\":[%zu,0,0],\"split_type\":[0,0,0],"
           "\"sum_hessian\":[2,1,1],\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"%zu\",\"num_nodes\":\"3\","
           "\"size_leaf_vector\":\"0\"}}",
           feature > 0 ? "," : "", (double)leaf(factor, head, feature, false),
           (double)leaf(factor, head, feature, true), feature % 2 == 0, feature, (double)thresholds[feature],
           (double)leaf(factor, head, feature, false), (double)leaf(factor, head, feature, true), feature,
           feature_count);
}

static void write_model(struct gw_buf *out, float factor, size_t head, const char *const *features,
                        size_t feature_count)
{
    append(out, "{\"learner\":{\"attributes\":{},\"feature_names\":[");
    for (size_t f = 0; f < feature_count; f++) {
        append(out, "%s\"%s\"", f > 0 ? "," : "", features[f]);
    }
    append(out,
           "],\"feature_types\":[],\"gradient_booster\":{\"model\":{\"gbtree_model_param\":{\"num_parallel_tree\":"
           "\"1\",\"num_trees\":\"%zu\",\"size_leaf_vector\":\"0\"},\"tree_info\":[",
           feature_count);
    for (size_t f = 0; f < feature_count; f++) {
        append(out, "%s0", f > 0 ? "," : "");
    }
    append(out, "],\"trees\":[");
    for (size_t f = 0; f < feature_count; f++) {
        write_tree(out, factor, head, f, feature_count);
    }
    append(out,
           "]},\"name\":\"gbtree\"},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\","
           "\"num_feature\":\"%zu\",\"num_target\":\"1\"},\"objective\":{\"name\":\"binary:logistic\","
           "\"reg_loss_param\":{\"scale_pos_weight\":\"1\"}}},\"version\":[1,7,6]}",
           feature_count);
}

void test_model_write(const char *directory)
{
    test_model_write_of(directory, TEST_MODEL_NAME, TEST_MODEL_VERSION, test_model_features, test_model_feature_count);
}

void test_model_write_of(const char *directory, const char *name, int32_t version, const char *const *features,
                         size_t feature_count)
{
    test_model_write_variant(directory, &(struct test_model_variant){.name = name,
                                                                     .version = version,
                                                                     .features = features,
                                                                     .feature_count = feature_count,
                                                                     .metadata_json = "{}",
                                                                     .factor = 1});
}

void test_model_write_variant(const char *directory, const struct test_model_variant *variant)
{
    const size_t feature_count = variant->feature_count;
    assert_in_range(feature_count, 1, TEST_MODEL_FEATURES_MAX);
    float rows[GOLDEN_ROWS * TEST_MODEL_FEATURES_MAX];
    float margins[HEADS * GOLDEN_ROWS];
    for (size_t r = 0; r < GOLDEN_ROWS; r++) {
        for (size_t f = 0; f < feature_count; f++) {
            rows[r * feature_count + f] =
                r == 0 ? NAN : thresholds[f] * (float)((r + f) % 3); // also equal to a threshold
        }
        for (size_t h = 0; h < HEADS; h++) {
            float margin = 0.0f; // base_score 0.5
            for (size_t f = 0; f < feature_count; f++) {
                margin += leaf(variant->factor, h, f, goes_right(f, rows[r * feature_count + f]));
            }
            margins[h * GOLDEN_ROWS + r] = margin;
        }
    }
    struct gw_buf texts[HEADS] = {{0}, {0}};
    for (size_t h = 0; h < HEADS; h++) {
        write_model(&texts[h], variant->factor, h, variant->features, feature_count);
    }
    const struct gw_bundle_draft draft = {
        .manifest = {.model_name = variant->name,
                     .version = variant->version,
                     .feature_count = feature_count,
                     .feature_names = variant->features,
                     .head_count = HEADS,
                     .heads = {{.name = "is_favorited",
                                .weight = variant->weight != 0 ? variant->weight : 1,
                                .calibration = {.negative_rate = 1}},
                               {.name = "is_retweeted", .weight = 2, .calibration = {.negative_rate = 0.5}}},
                     .metadata_json = variant->metadata_json},
        .models = {gw_buf_slice(&texts[0]), gw_buf_slice(&texts[1])},
        .profile = variant->profile,
        .golden = {.row_count = GOLDEN_ROWS,
                   .feature_count = feature_count,
                   .head_count = HEADS,
                   .rows = rows,
                   .margins = margins},
    };
    gw_err err = {0};
    assert_ok_err(gw_bundle_write(&draft, directory, NULL, &err), &err);
    for (size_t h = 0; h < HEADS; h++) {
        gw_buf_deinit(&texts[h]);
    }
}
