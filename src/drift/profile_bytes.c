// SPDX-License-Identifier: MIT
// A profile's bytes. Little-endian, no padding, no time and no address, so the same profile gives the same bytes:
//
//   "GWDP" version:u32 feature_count:u32 has_score:u32 head_count:u32 streams heads
//   stream: name_bytes:u32 name kind:u32 bin_count:u32 sample_count:u64 tau_location tau_spread tau_absence
//   tolerance:f64
//           edges:f32[] share:f64[bins + 2] z:f32[bins] tilt:f32[bins + 2][16] absence:f32[3][16]
//   head:   name_bytes:u32 name sample_count:u64 base_rate clip mean upper deviation tau:f64 lambda:f32[16]
//   keep:f32[16]
#include "base/hash.h"
#include "drift/pack.h"
#include "drift/profile_internal.h"

#include <string.h>

static const uint32_t magic = 0x50445747; // "GWDP"

// The largest factor that a table may hold: one over the share of a bin of few rows, or a missing value's, is below.
#define FACTOR_MAX 1e9f

// A bin of the fewest rows in 10^13 has a score under this.
#define SCORE_MAX 1e6f

// A mean over 1 by what rounding of shares and factors may add.
#define MEAN_MAX (1.0 + 1e-9)

static void put_name(struct gw_drift_writer *writer, const char *name)
{
    gw_drift_put_u32(writer, (uint32_t)strlen(name));
    gw_drift_put(writer, name, strlen(name));
}

static void put_lanes(struct gw_drift_writer *writer, const struct gw_drift_lanes *lanes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        gw_drift_put(writer, lanes[i].lane, sizeof lanes[i].lane);
    }
}

static void put_feature(struct gw_drift_writer *writer, const struct gw_drift_feature *feature)
{
    put_name(writer, feature->name);
    gw_drift_put_u32(writer, (uint32_t)feature->kind);
    gw_drift_put_u32(writer, feature->bin_count);
    gw_drift_put_u64(writer, feature->sample_count);
    gw_drift_put_f64(writer, feature->tau_location);
    gw_drift_put_f64(writer, feature->tau_spread);
    gw_drift_put_f64(writer, feature->tau_absence);
    gw_drift_put_f64(writer, feature->tolerance);
    gw_drift_put(writer, feature->edges, gw_drift_feature_edges(feature) * sizeof feature->edges[0]);
    gw_drift_put(writer, feature->share, feature->row_count * sizeof feature->share[0]);
    gw_drift_put(writer, feature->z, feature->bin_count * sizeof feature->z[0]);
    put_lanes(writer, feature->tilt, feature->row_count);
    put_lanes(writer, feature->absence, GW_DRIFT_ABSENCE_ROWS);
}

static void put_head(struct gw_drift_writer *writer, const struct gw_drift_baseline *head)
{
    put_name(writer, head->name);
    gw_drift_put_u64(writer, head->sample_count);
    gw_drift_put_f64(writer, head->base_rate);
    gw_drift_put_f64(writer, head->clip);
    gw_drift_put_f64(writer, head->mean);
    gw_drift_put_f64(writer, head->upper);
    gw_drift_put_f64(writer, head->deviation);
    gw_drift_put_f64(writer, head->tau);
    put_lanes(writer, &head->lambda, 1);
    put_lanes(writer, &head->keep, 1);
}

gw_status gw_drift_profile_write(const struct gw_drift_profile *profile, struct gw_buf *out, gw_err *err)
{
    struct gw_drift_writer writer = {.out = out};
    gw_drift_put_u32(&writer, magic);
    gw_drift_put_u32(&writer, GW_DRIFT_PROFILE_VERSION);
    gw_drift_put_u32(&writer, profile->feature_count);
    gw_drift_put_u32(&writer, profile->has_score ? 1 : 0);
    gw_drift_put_u32(&writer, profile->head_count);
    for (uint32_t i = 0; i < gw_drift_profile_streams(profile); i++) {
        put_feature(&writer, &profile->features[i]);
    }
    for (uint32_t i = 0; i < profile->head_count; i++) {
        put_head(&writer, &profile->heads[i]);
    }
    return writer.status == GW_OK ? GW_OK : gw_fail(err, writer.status, "no memory for the bytes of a profile");
}

static void take_name(struct gw_drift_reader *reader, char *to)
{
    uint32_t size = gw_drift_take_u32(reader);
    if (size == 0 || size > GW_DRIFT_NAME_BYTES_MAX) {
        reader->ok = false;
        return;
    }
    gw_drift_take(reader, to, size);
    to[size] = '\0';
    reader->ok = reader->ok && strlen(to) == size;
}

static void take_lanes(struct gw_drift_reader *reader, struct gw_drift_lanes *lanes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        gw_drift_take(reader, lanes[i].lane, sizeof lanes[i].lane);
    }
}

static gw_status malformed(const char *name, const char *what, gw_err *err)
{
    return gw_fail(err, GW_E_MALFORMED, "drift profile, '%s': %s", name, what);
}

// Every lane's factor is a number from 0 up and has mean at most 1 under the shares: the promise rests on it.
static bool table_keeps_promise(const struct gw_drift_lanes *table, const double *share, uint32_t rows)
{
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        double mean = 0.0;
        for (uint32_t b = 0; b < rows; b++) {
            if (!(table[b].lane[j] >= 0.0f && table[b].lane[j] <= FACTOR_MAX)) {
                return false;
            }
            mean += share[b] * (double)table[b].lane[j];
        }
        if (!(mean <= MEAN_MAX)) {
            return false;
        }
    }
    return true;
}

static bool tau_valid(double tau)
{
    return tau >= 1.0 && tau <= 1e12;
}

static gw_status check_feature(const struct gw_drift_feature *feature, gw_err *err)
{
    for (uint32_t i = 0; i < gw_drift_feature_edges(feature); i++) {
        float edge = feature->edges[i];
        if (!(fabsf(edge) <= FLT_MAX) || (i > 0 && !(feature->edges[i - 1] < edge))) {
            return malformed(feature->name, "edges do not ascend", err);
        }
    }
    double sum = 0.0;
    for (uint32_t b = 0; b < feature->row_count; b++) {
        if (!(feature->share[b] > 1e-30 && feature->share[b] < 1.0)) {
            return malformed(feature->name, "a share is not between 0 and 1", err);
        }
        sum += feature->share[b];
    }
    if (!(fabs(sum - 1.0) <= 1e-9)) {
        return malformed(feature->name, "shares do not sum to 1", err);
    }
    for (uint32_t b = 0; b < feature->bin_count; b++) {
        if (!(fabsf(feature->z[b]) <= SCORE_MAX)) {
            return malformed(feature->name, "a normal score is out of range", err);
        }
    }
    if (!tau_valid(feature->tau_location) || !tau_valid(feature->tau_spread) || !tau_valid(feature->tau_absence) ||
        !(feature->tolerance >= 0.0 && feature->tolerance <= 1e6) || feature->sample_count < GW_DRIFT_ROWS_MIN) {
        return malformed(feature->name, "dependence, tolerance or row count out of range", err);
    }
    const double missing = feature->share[feature->bin_count];
    const double unseen = feature->share[feature->bin_count + 1];
    const double absence[GW_DRIFT_ABSENCE_ROWS] = {1.0 - missing - unseen, missing, unseen};
    if (!table_keeps_promise(feature->tilt, feature->share, feature->row_count) ||
        !table_keeps_promise(feature->absence, absence, GW_DRIFT_ABSENCE_ROWS)) {
        return malformed(feature->name, "a lane would raise false alarms", err);
    }
    return GW_OK;
}

static gw_status read_feature(struct gw_drift_reader *reader, struct gw_drift_feature *feature, gw_err *err)
{
    take_name(reader, feature->name);
    uint32_t kind = gw_drift_take_u32(reader);
    uint32_t bins = gw_drift_take_u32(reader);
    uint32_t bins_max = kind == GW_DRIFT_CATEGORICAL ? GW_DRIFT_CATEGORIES_MAX : GW_DRIFT_BINS_MAX;
    if (!reader->ok || kind > GW_DRIFT_CATEGORICAL || bins > bins_max || (kind == GW_DRIFT_NUMERIC && bins == 0)) {
        return malformed(feature->name, "cut short, or no kind and bins of ours", err);
    }
    feature->kind = (enum gw_drift_kind)kind;
    GW_TRY(gw_drift_feature_size(feature, bins, err));
    feature->sample_count = gw_drift_take_u64(reader);
    feature->tau_location = gw_drift_take_f64(reader);
    feature->tau_spread = gw_drift_take_f64(reader);
    feature->tau_absence = gw_drift_take_f64(reader);
    feature->tolerance = gw_drift_take_f64(reader);
    gw_drift_take(reader, feature->edges, gw_drift_feature_edges(feature) * sizeof feature->edges[0]);
    gw_drift_take(reader, feature->share, feature->row_count * sizeof feature->share[0]);
    gw_drift_take(reader, feature->z, feature->bin_count * sizeof feature->z[0]);
    take_lanes(reader, feature->tilt, feature->row_count);
    take_lanes(reader, feature->absence, GW_DRIFT_ABSENCE_ROWS);
    if (!reader->ok) {
        return malformed(feature->name, "cut short", err);
    }
    GW_TRY(check_feature(feature, err));
    gw_drift_feature_derive(feature);
    return GW_OK;
}

static gw_status read_head(struct gw_drift_reader *reader, struct gw_drift_baseline *head, gw_err *err)
{
    take_name(reader, head->name);
    head->sample_count = gw_drift_take_u64(reader);
    head->base_rate = gw_drift_take_f64(reader);
    head->clip = gw_drift_take_f64(reader);
    head->mean = gw_drift_take_f64(reader);
    head->upper = gw_drift_take_f64(reader);
    head->deviation = gw_drift_take_f64(reader);
    head->tau = gw_drift_take_f64(reader);
    take_lanes(reader, &head->lambda, 1);
    take_lanes(reader, &head->keep, 1);
    if (!reader->ok) {
        return malformed(head->name, "cut short", err);
    }
    if (!(head->base_rate >= 0.0 && head->base_rate <= 1.0) || !(head->clip > 0.0 && head->clip <= 1e6) ||
        !(head->mean >= 0.0 && head->mean <= head->upper && head->upper <= head->clip) ||
        !(head->deviation >= 0.0 && head->deviation <= head->clip) || !tau_valid(head->tau) ||
        head->sample_count < GW_DRIFT_ROWS_MIN) {
        return malformed(head->name, "a loss or its dependence is out of range", err);
    }
    double mu = head->upper / head->clip;
    for (size_t j = 0; j < GW_DRIFT_LANES; j++) {
        double lambda = (double)head->lambda.lane[j];
        if (!(lambda >= 0.0 && lambda <= 1e6 && lambda * mu <= 1.0) ||
            !(head->keep.lane[j] >= 0.0f && head->keep.lane[j] <= 1.0f)) {
            return malformed(head->name, "a stake is out of range", err);
        }
    }
    return GW_OK;
}

static gw_status read_all(struct gw_drift_reader *reader, struct gw_drift_profile *profile, gw_err *err)
{
    for (uint32_t i = 0; i < gw_drift_profile_streams(profile); i++) {
        GW_TRY(read_feature(reader, &profile->features[i], err));
    }
    for (uint32_t i = 0; i < profile->head_count; i++) {
        GW_TRY(read_head(reader, &profile->heads[i], err));
    }
    if (reader->at != reader->bytes.size) {
        return gw_fail(err, GW_E_MALFORMED, "drift profile: %zu bytes behind its end", reader->bytes.size - reader->at);
    }
    return GW_OK;
}

gw_status gw_drift_profile_read(struct gw_slice bytes, struct gw_drift_profile **ret_profile, gw_err *err)
{
    struct gw_drift_reader reader = {.bytes = bytes, .ok = true};
    uint32_t found_magic = gw_drift_take_u32(&reader);
    uint32_t version = gw_drift_take_u32(&reader);
    uint32_t features = gw_drift_take_u32(&reader);
    uint32_t has_score = gw_drift_take_u32(&reader);
    uint32_t heads = gw_drift_take_u32(&reader);
    if (!reader.ok || found_magic != magic) {
        return gw_fail(err, GW_E_MALFORMED, "these %zu bytes are no drift profile", bytes.size);
    }
    if (version != GW_DRIFT_PROFILE_VERSION) {
        return gw_fail(err, GW_E_MALFORMED, "drift profile of version %u, this program reads %d", version,
                       GW_DRIFT_PROFILE_VERSION);
    }
    // No stream takes less than its absence table, so that a short input cannot ask for much memory.
    size_t streams_max = bytes.size / (GW_DRIFT_ABSENCE_ROWS * sizeof(struct gw_drift_lanes));
    if (features > GW_DRIFT_FEATURES_MAX || features > streams_max || has_score > 1 || heads > GW_DRIFT_HEADS_MAX) {
        return gw_fail(err, GW_E_MALFORMED, "drift profile of %u features and %u heads in %zu bytes", features, heads,
                       bytes.size);
    }
    struct gw_drift_profile *profile = gw_drift_profile_new(features, has_score == 1, heads);
    if (profile == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a drift profile of %u features", features);
    }
    gw_status status = read_all(&reader, profile, err);
    if (status != GW_OK) {
        gw_drift_profile_free(profile);
        return status;
    }
    profile->fingerprint = gw_hash_fnv1a(GW_HASH_FNV_START, bytes.data, bytes.size);
    *ret_profile = profile;
    return GW_OK;
}
