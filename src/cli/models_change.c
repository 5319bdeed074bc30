// SPDX-License-Identifier: MIT
// `models promote`, `rollback`, `shadow`, `split`, `archive`, `reject`: words → one call of the registry.
#include "cli/commands.h"

#include "cli/models.h"

#include "base/ini.h"

#include <math.h>
#include <string.h>

const struct gw_cli_option gw_cli_models_change_options[] = {
    GW_CLI_CHANGE_OPTIONS(false),
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_models_reject_options[] = {
    GW_CLI_CHANGE_OPTIONS(true),
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_models_shadow_options[] = {
    {"--off", NULL, "end it: the version is VERIFIED again", false},
    GW_CLI_CHANGE_OPTIONS(false),
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_models_split_options[] = {
    {"--off", NULL, "end the split: the champion serves everybody", false},
    GW_CLI_CHANGE_OPTIONS(false),
    {NULL, NULL, NULL, false},
};

// ---- verbs of one version -------------------------------------------------------------------------------------------

static gw_status promote(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const int32_t *version = change->detail;
    return gw_registry_promote(change->registry.handle, change->model, *version, &change->meta, ret_outcome, err);
}

// Without a version the registry takes the former champion; "latest" is a version like others here.
static gw_status roll_back(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const int32_t *asked = change->detail;
    int32_t version = *asked;
    if (change->cli->argument_count > 1 && version == 0) {
        struct gw_registry_version newest;
        GW_TRY(
            gw_registry_get_version(change->registry.handle, change->model, 0, &change->registry.arena, &newest, err));
        version = newest.version;
    }
    return gw_registry_rollback(change->registry.handle, change->model, version, &change->meta, ret_outcome, err);
}

static gw_status shadow(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const int32_t *version = change->detail;
    bool on = gw_cli_value(change->cli, "--off") == NULL;
    return gw_registry_shadow(change->registry.handle, change->model, *version, on, &change->meta, ret_outcome, err);
}

static gw_status archive(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const int32_t *version = change->detail;
    return gw_registry_archive(change->registry.handle, change->model, *version, &change->meta, ret_outcome, err);
}

static gw_status reject(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const int32_t *version = change->detail;
    return gw_registry_reject(change->registry.handle, change->model, *version, &change->meta, ret_outcome, err);
}

static gw_status run_on_version(struct gw_cli *cli, gw_cli_change_verb verb, gw_err *err)
{
    int32_t version = 0;
    if (cli->argument_count > 1) {
        GW_TRY(gw_cli_parse_version(cli->arguments[1], &version, err));
    }
    return gw_cli_change_run(cli, verb, &version, err);
}

gw_status gw_cli_models_promote(struct gw_cli *cli, gw_err *err)
{
    return run_on_version(cli, promote, err);
}

gw_status gw_cli_models_rollback(struct gw_cli *cli, gw_err *err)
{
    return run_on_version(cli, roll_back, err);
}

gw_status gw_cli_models_shadow(struct gw_cli *cli, gw_err *err)
{
    return run_on_version(cli, shadow, err);
}

gw_status gw_cli_models_archive(struct gw_cli *cli, gw_err *err)
{
    return run_on_version(cli, archive, err);
}

gw_status gw_cli_models_reject(struct gw_cli *cli, gw_err *err)
{
    return run_on_version(cli, reject, err);
}

// ---- split ----------------------------------------------------------------------------------------------------------

struct shares {
    struct gw_registry_share items[GW_ROUTE_TARGETS_MAX];
    char texts[GW_ROUTE_TARGETS_MAX][64]; // the words, cut into their parts; variants point here
    size_t count;
};

static gw_status bad_share(const char *word, const char *why, gw_err *err)
{
    return gw_fail(err, GW_E_CONFIG, "'%.60s': %s; expected VERSION=SHARE[:VARIANT] such as 3=5%% or 3=0.05:blue", word,
                   why);
}

// "0.05" or "5%" in buckets: at least one, and a whole number of them.
static bool parse_weight(char *text, uint32_t *ret_weight)
{
    size_t length = strlen(text);
    bool percent = length > 0 && text[length - 1] == '%';
    double value = 0;
    if (percent) {
        text[length - 1] = '\0';
    }
    if (gw_parse_double(text, &value, NULL) != GW_OK || !(value > 0) || value > (percent ? 100 : 1)) {
        return false;
    }
    double buckets = value * (percent ? GW_ROUTE_BUCKETS / 100.0 : (double)GW_ROUTE_BUCKETS);
    if (fabs(buckets - round(buckets)) > 1e-6 || round(buckets) < 1) {
        return false;
    }
    *ret_weight = (uint32_t)lround(buckets);
    return true;
}

static gw_status take_share(struct shares *shares, const char *word, gw_err *err)
{
    char *text = shares->texts[shares->count];
    struct gw_registry_share *share = &shares->items[shares->count];
    if (strlen(word) >= sizeof shares->texts[0]) {
        return bad_share(word, "is too long", err);
    }
    snprintf(text, sizeof shares->texts[0], "%s", word);
    char *weight = strchr(text, '=');
    if (weight == NULL) {
        return bad_share(word, "has no '='", err);
    }
    *weight++ = '\0';
    char *variant = strchr(weight, ':');
    if (variant != NULL) {
        *variant++ = '\0';
    }
    GW_TRY(gw_cli_parse_version(text, &share->version, err));
    if (!parse_weight(weight, &share->weight)) {
        return bad_share(word, "the share is no multiple of 0.0001 above 0 and at most 1", err);
    }
    if (variant != NULL && !gw_route_name_is_valid(variant, GW_ROUTE_VARIANT_BYTES)) {
        return bad_share(word, "a variant is made of at most 32 of A-Z a-z 0-9 . _ -", err);
    }
    share->variant = variant;
    shares->count++;
    return GW_OK;
}

static gw_status split(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const struct shares *shares = change->detail;
    return gw_registry_split(change->registry.handle, change->model, shares->items, shares->count, &change->meta,
                             ret_outcome, err);
}

gw_status gw_cli_models_split(struct gw_cli *cli, gw_err *err)
{
    struct shares shares = {0};
    bool off = gw_cli_value(cli, "--off") != NULL;
    if (off == (cli->argument_count > 1)) {
        return gw_fail(err, GW_E_CONFIG, "expected shares such as 3=5%%, or --off to end the split");
    }
    for (size_t i = 1; i < cli->argument_count; i++) {
        GW_TRY(take_share(&shares, cli->arguments[i], err));
    }
    return gw_cli_change_run(cli, split, &shares, err);
}
