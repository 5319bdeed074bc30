// SPDX-License-Identifier: MIT
// Reads the input as a drift profile. One that is accepted writes the same bytes, keeps its promise on any values, and
// feeds a bank whose states are then read from the same input, which must be refused or leave a bank that still runs.
#include "base/check.h"
#include "drift/bank.h"

#include <math.h>

static gw_status ignore_alarm(void *context, const struct gw_drift_alarm *alarm, gw_err *err)
{
    (void)context;
    (void)alarm;
    (void)err;
    return GW_OK;
}

struct state_reader {
    struct gw_drift_bank *bank; // takes the states in
    struct gw_slice input;      // whose bytes are written over them
};

// Restores the state with a few bytes of the input over it: restore must not crash, whatever it says.
static gw_status restore_damaged(void *context, const char *name, struct gw_slice bytes, gw_err *err)
{
    struct state_reader *reader = context;
    uint8_t copy[8192];
    (void)err;
    if (bytes.size > sizeof copy) {
        return GW_OK;
    }
    memcpy(copy, bytes.data, bytes.size);
    size_t from = bytes.size > 24 ? 24 : 0; // past the head, which would only be refused
    for (size_t i = 0; i < 8 && i < reader->input.size && from + i * 37 < bytes.size; i++) {
        copy[from + i * 37] ^= reader->input.data[reader->input.size - 1 - i];
    }
    gw_status status = gw_drift_bank_restore(reader->bank, name, gw_slice_make(copy, bytes.size), NULL);
    return status == GW_E_MEMORY ? status : GW_OK;
}

static void run_bank(const struct gw_drift_profile *profile, struct gw_slice input)
{
    static const float values[] = {0.0f, 1.0f, -1e30f, 1e30f, NAN, INFINITY, -INFINITY, 3.5f};
    struct gw_drift_bank *bank = NULL;
    struct gw_drift_bank *other = NULL;
    float row[64];
    if (profile->feature_count > GW_COUNT_OF(row) ||
        gw_drift_bank_new(profile, &gw_drift_bank_defaults, &bank, NULL) != GW_OK ||
        gw_drift_bank_new(profile, &gw_drift_bank_defaults, &other, NULL) != GW_OK) {
        gw_drift_bank_free(bank);
        return;
    }
    struct state_reader reader = {.bank = other, .input = input};
    const struct gw_drift_sink sink = {.context = &reader, .alarm = ignore_alarm, .state = restore_damaged};
    for (uint32_t i = 0; i < 200; i++) {
        for (uint32_t f = 0; f < profile->feature_count; f++) {
            row[f] = values[(i + f) % GW_COUNT_OF(values)];
        }
        GW_ASSERT(gw_drift_bank_feed(bank, row, profile->feature_count, values[i % 8], i, &sink, NULL) == GW_OK);
        GW_ASSERT(gw_drift_bank_mean(bank) >= 0.0 && gw_drift_bank_mean(bank) <= (double)GW_DRIFT_E_MAX);
    }
    GW_ASSERT(gw_drift_bank_flush(bank, &sink, NULL) == GW_OK);
    if (gw_drift_bank_restored(other, NULL) == GW_OK) {
        for (uint32_t i = 0; i < 200; i++) {
            GW_ASSERT(gw_drift_bank_feed(other, row, profile->feature_count, 0.5f, i, &sink, NULL) == GW_OK);
        }
    }
    gw_drift_bank_free(other);
    gw_drift_bank_free(bank);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_drift_profile *profile = NULL;
    struct gw_buf again = {0};
    if (gw_drift_profile_read(gw_slice_make(data, size), &profile, NULL) != GW_OK) {
        return 0;
    }
    GW_ASSERT(gw_drift_profile_write(profile, &again, NULL) == GW_OK);
    GW_ASSERT(gw_slice_equal(gw_slice_make(data, size), gw_buf_slice(&again)));
    run_bank(profile, gw_slice_make(data, size));
    gw_buf_deinit(&again);
    gw_drift_profile_free(profile);
    return 0;
}
