// SPDX-License-Identifier: MIT
// Reads the input as a state of the drift detectors: byte 0 says of which, a loss's watch (odd) or the bank's
// state that byte 1 names. The head's fingerprint is set right, as every other one is refused at once. What is
// accepted is written back as it was read, and goes on.
#include "base/check.h"
#include "base/mem.h"
#include "drift/loss.h"

enum { FEATURES = 2, REFERENCE = GW_DRIFT_BASELINE_ROWS_MIN, FINGERPRINT_AT = 8, STATES = FEATURES + 2 };

static gw_status ignore_alarm(void *context, const struct gw_drift_alarm *alarm, gw_err *err)
{
    (void)context;
    (void)alarm;
    (void)err;
    return GW_OK;
}

static gw_status ignore_state(void *context, const char *name, struct gw_slice bytes, gw_err *err)
{
    (void)context;
    (void)name;
    (void)bytes;
    (void)err;
    return GW_OK;
}

static const struct gw_drift_sink ignore = {.alarm = ignore_alarm, .state = ignore_state};

// A number and a category, a score, a head whose loss varies.
static struct gw_drift_profile *make_profile(void)
{
    static float values[REFERENCE * FEATURES];
    static float scores[REFERENCE];
    static uint8_t labels[REFERENCE];
    static const char *const names[FEATURES] = {"number", "category"};
    static const char *const heads[] = {"head"};
    for (size_t i = 0; i < REFERENCE; i++) {
        values[i * FEATURES] = (float)(i * 7919 % 1000);
        values[i * FEATURES + 1] = (float)(i % 5);
        scores[i] = (float)(i * 31 % 97) / 97.0f;
        labels[i] = i * 17 % 97 < i * 31 % 97;
    }
    const struct gw_drift_rows rows = {.values = values,
                                       .row_count = REFERENCE,
                                       .feature_count = FEATURES,
                                       .names = names,
                                       .score_count = REFERENCE,
                                       .scores = scores,
                                       .labelled_count = REFERENCE,
                                       .probabilities = scores,
                                       .labels = labels,
                                       .head_count = 1,
                                       .head_names = heads};
    struct gw_drift_profile *profile = NULL;
    const struct gw_drift_build_options options = {.independent = true};
    GW_ASSERT(gw_drift_profile_build(&rows, &options, &profile, NULL) == GW_OK);
    return profile;
}

static const struct gw_drift_profile *the_profile(void)
{
    static struct gw_drift_profile *profile; // of every input, so never freed
    if (profile == NULL) {
        profile = make_profile();
    }
    return profile;
}

static void set_fingerprint(struct gw_buf *bytes, const uint8_t *fingerprint)
{
    if (bytes->size >= FINGERPRINT_AT + sizeof(uint64_t)) {
        memcpy(bytes->data + FINGERPRINT_AT, fingerprint, sizeof(uint64_t));
    }
}

static void run_loss(struct gw_slice input)
{
    const struct gw_drift_loss_options options = {.threshold = 1e4, .episode = gw_drift_bank_defaults.episode};
    struct gw_drift_loss *loss = NULL;
    struct gw_drift_loss_view view;
    struct gw_buf bytes = {0};
    struct gw_buf again = {0};
    GW_ASSERT(gw_drift_loss_new(&the_profile()->heads[0], &options, &loss, NULL) == GW_OK);
    GW_ASSERT(gw_drift_loss_save(loss, &again, NULL) == GW_OK);
    GW_ASSERT(gw_buf_append(&bytes, input.data, input.size) == GW_OK);
    set_fingerprint(&bytes, again.data + FINGERPRINT_AT);
    if (gw_drift_loss_load(loss, gw_buf_slice(&bytes), NULL) == GW_OK) {
        gw_buf_clear(&again);
        GW_ASSERT(gw_drift_loss_save(loss, &again, NULL) == GW_OK);
        GW_ASSERT(gw_slice_equal(gw_buf_slice(&again), gw_buf_slice(&bytes)));
        for (int i = 0; i < 400; i++) {
            GW_ASSERT(gw_drift_loss_feed(loss, (float)(i % 20) / 20.0f, i % 3 == 0, i * 1000, &ignore, NULL) == GW_OK);
        }
        GW_ASSERT(gw_drift_loss_retire(loss, &ignore, NULL) == GW_OK);
    }
    gw_drift_loss_view(loss, &view);
    GW_ASSERT(view.e >= 0.0 && view.e <= (double)GW_DRIFT_E_MAX);
    gw_buf_deinit(&bytes);
    gw_buf_deinit(&again);
    gw_drift_loss_free(loss);
}

static void feed(struct gw_drift_bank *bank, int rows)
{
    for (int i = 0; i < rows; i++) {
        const float row[FEATURES] = {(float)(i * 37 % 1000), (float)(i % 6)};
        GW_ASSERT(gw_drift_bank_feed(bank, row, FEATURES, (float)(i % 10) / 10.0f, i * 100, &ignore, NULL) == GW_OK);
    }
}

// The states of a bank after 200 rows, one of them replaced by the input.
struct replacing {
    struct gw_drift_bank *other; // takes them in
    struct gw_slice input;
    uint32_t which;
    uint32_t seen;
    bool refused;
};

static gw_status on_state(void *context, const char *name, struct gw_slice bytes, gw_err *err)
{
    struct replacing *replacing = context;
    struct gw_buf copy = {0};
    (void)err;
    struct gw_slice from = replacing->seen++ == replacing->which ? replacing->input : bytes;
    GW_ASSERT(gw_buf_append(&copy, from.data, from.size) == GW_OK);
    set_fingerprint(&copy, bytes.data + FINGERPRINT_AT);
    gw_status status = gw_drift_bank_restore(replacing->other, name, gw_buf_slice(&copy), NULL);
    GW_ASSERT(status == GW_OK || status == GW_E_MALFORMED);
    replacing->refused = replacing->refused || status != GW_OK;
    gw_buf_deinit(&copy);
    return GW_OK;
}

static void run_bank(struct gw_slice input)
{
    if (input.size == 0) {
        return;
    }
    struct replacing replacing = {.which = input.data[0] % STATES,
                                  .input = gw_slice_make(input.data + 1, input.size - 1)};
    const struct gw_drift_sink sink = {.context = &replacing, .state = on_state};
    struct gw_drift_bank *bank = NULL;
    GW_ASSERT(gw_drift_bank_new(the_profile(), &gw_drift_bank_defaults, &bank, NULL) == GW_OK);
    GW_ASSERT(gw_drift_bank_new(the_profile(), &gw_drift_bank_defaults, &replacing.other, NULL) == GW_OK);
    feed(bank, 200);
    GW_ASSERT(gw_drift_bank_flush(bank, &sink, NULL) == GW_OK);
    if (!replacing.refused && gw_drift_bank_restored(replacing.other, NULL) == GW_OK) {
        feed(replacing.other, 400);
        for (uint32_t i = 0; i < gw_drift_bank_streams(replacing.other); i++) {
            struct gw_drift_view view;
            gw_drift_bank_view(replacing.other, i, &view);
        }
        GW_ASSERT(gw_drift_bank_mean(replacing.other) >= 0.0);
        GW_ASSERT(gw_drift_bank_retire(replacing.other, &ignore, NULL) == GW_OK);
        GW_ASSERT(gw_drift_bank_flush(replacing.other, &ignore, NULL) == GW_OK);
    }
    gw_drift_bank_free(replacing.other);
    gw_drift_bank_free(bank);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct gw_slice input = gw_slice_make(data + 1, size - 1);
    if (data[0] % 2 == 1) {
        run_loss(input);
    } else {
        run_bank(input);
    }
    return 0;
}
