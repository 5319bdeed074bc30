// SPDX-License-Identifier: MIT
#include "simulator/drift.h"

#include "base/ini.h"

#include <string.h>

#define PART_BYTES 32 // of a kind, an amount or an offset

static const struct {
    const char *name;
    double preset;
    double least;
    double greatest;
} kinds[GW_SIM_DRIFT_COUNT] = {
#define X(suffix, name, preset, least, greatest) [GW_SIM_DRIFT_##suffix] = {name, preset, least, greatest},
    GW_SIM_DRIFT_MAP(X)
#undef X
};

const char *gw_sim_drift_name(enum gw_sim_drift_kind kind)
{
    return kinds[kind].name;
}

gw_status gw_sim_drift_check(const struct gw_sim_drift *drift, gw_err *err)
{
    double least = kinds[drift->kind].least;
    double greatest = kinds[drift->kind].greatest;
    if (!(drift->amount >= least && drift->amount <= greatest)) {
        return gw_fail(err, GW_E_CONFIG, "simulator: drift '%s' by %g, must be %g..%g", kinds[drift->kind].name,
                       drift->amount, least, greatest);
    }
    return GW_OK;
}

// Copies text[0, size) as a string of its own. False: it is empty or too long.
static bool take_part(const char *text, size_t size, char part[PART_BYTES])
{
    if (size == 0 || size >= PART_BYTES) {
        return false;
    }
    memcpy(part, text, size);
    part[size] = '\0';
    return true;
}

gw_status gw_sim_drift_parse(const char *text, struct gw_sim_drift *ret_drift, gw_err *err)
{
    char part[PART_BYTES];
    size_t before_offset = strcspn(text, "@");
    size_t name_size = strcspn(text, "=@");
    int kind = 0;
    if (take_part(text, name_size, part)) {
        while (kind < GW_SIM_DRIFT_COUNT && strcmp(kinds[kind].name, part) != 0) {
            kind++;
        }
    } else {
        kind = GW_SIM_DRIFT_COUNT;
    }
    if (kind == GW_SIM_DRIFT_COUNT) {
        return gw_fail(err, GW_E_CONFIG,
                       "drift '%.40s': unknown kind, expected shift, spread, missing, category, delay, concept or "
                       "poison",
                       text);
    }
    struct gw_sim_drift drift = {.kind = (enum gw_sim_drift_kind)kind, .amount = kinds[kind].preset};
    if (text[name_size] == '=' && (!take_part(text + name_size + 1, before_offset - name_size - 1, part) ||
                                   gw_parse_double(part, &drift.amount, NULL) != GW_OK)) {
        return gw_fail(err, GW_E_CONFIG, "drift '%.40s': the amount is no number", text);
    }
    int64_t offset_us = 0;
    if (text[before_offset] == '@' && gw_parse_duration_us(text + before_offset + 1, &offset_us, NULL) != GW_OK) {
        return gw_fail(err, GW_E_CONFIG, "drift '%.40s': expected a duration such as 30s or 5m behind '@'", text);
    }
    drift.from_ms = offset_us / 1000;
    GW_TRY(gw_sim_drift_check(&drift, err));
    *ret_drift = drift;
    return GW_OK;
}
