// SPDX-License-Identifier: MIT
#include "base/json.h"
#include "drift/profile_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void write_number(struct gw_json_writer *json, const char *key, double value)
{
    gw_json_write_key(json, key);
    gw_json_write_double(json, value);
}

static void write_count(struct gw_json_writer *json, const char *key, uint64_t value)
{
    gw_json_write_key(json, key);
    gw_json_write_u64(json, value);
}

static void write_stream(struct gw_json_writer *json, const struct gw_drift_feature *feature)
{
    gw_json_object_begin(json);
    gw_json_write_key(json, "name");
    gw_json_write_text(json, feature->name);
    gw_json_write_key(json, "kind");
    gw_json_write_text(json, feature->kind == GW_DRIFT_NUMERIC ? "numeric" : "categorical");
    write_count(json, "rows", feature->sample_count);
    write_number(json, "missing_share", feature->share[feature->bin_count]);
    write_number(json, "unseen_share", feature->share[feature->bin_count + 1]);
    write_number(json, "tau_location", feature->tau_location);
    write_number(json, "tau_spread", feature->tau_spread);
    write_number(json, "tau_absence", feature->tau_absence);
    write_number(json, "tolerance", feature->tolerance);
    gw_json_write_key(json, feature->kind == GW_DRIFT_NUMERIC ? "edges" : "values");
    gw_json_array_begin(json);
    for (uint32_t i = 0; i < gw_drift_feature_edges(feature); i++) {
        gw_json_write_float(json, feature->edges[i]);
    }
    gw_json_array_end(json);
    gw_json_write_key(json, "shares");
    gw_json_array_begin(json);
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        gw_json_write_float(json, feature->share32[b]);
    }
    gw_json_array_end(json);
    gw_json_object_end(json);
}

static void write_head(struct gw_json_writer *json, const struct gw_drift_baseline *head)
{
    gw_json_object_begin(json);
    gw_json_write_key(json, "name");
    gw_json_write_text(json, head->name);
    write_count(json, "rows", head->sample_count);
    write_number(json, "base_rate", head->base_rate);
    write_number(json, "clip", head->clip);
    write_number(json, "mean_loss", head->mean);
    write_number(json, "upper_loss", head->upper);
    write_number(json, "deviation", head->deviation);
    write_number(json, "tau", head->tau);
    gw_json_object_end(json);
}

gw_status gw_drift_profile_json(const struct gw_drift_profile *profile, struct gw_buf *out, gw_err *err)
{
    struct gw_json_writer json;
    char fingerprint[17];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, profile->fingerprint);
    gw_json_writer_init(&json, out);
    gw_json_object_begin(&json);
    write_count(&json, "version", GW_DRIFT_PROFILE_VERSION);
    gw_json_write_key(&json, "fingerprint");
    gw_json_write_text(&json, fingerprint);
    gw_json_write_key(&json, "features");
    gw_json_array_begin(&json);
    for (uint32_t i = 0; i < profile->feature_count; i++) {
        write_stream(&json, &profile->features[i]);
    }
    gw_json_array_end(&json);
    gw_json_write_key(&json, "score");
    if (profile->has_score) {
        write_stream(&json, profile->score);
    } else {
        gw_json_write_null(&json);
    }
    gw_json_write_key(&json, "heads");
    gw_json_array_begin(&json);
    for (uint32_t i = 0; i < profile->head_count; i++) {
        write_head(&json, &profile->heads[i]);
    }
    gw_json_array_end(&json);
    gw_json_object_end(&json);
    return gw_json_writer_finish(&json, err);
}
