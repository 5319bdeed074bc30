// SPDX-License-Identifier: MIT
#include "train/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char gw_train_usage[] =
    "usage: godwit-train --rows FILE --out DIR --model NAME --heads LABEL[:WEIGHT][,LABEL[:WEIGHT]...] [OPTION...]\n"
    "Trains one XGBoost model a head from labelled examples and writes a verified bundle to DIR, which must not "
    "exist.\n"
    "  --rows FILE             examples (GWEX)\n"
    "  --heads LIST            labels to learn; the first is the primary head; WEIGHT in the score, default 1\n"
    "  --trees N               trees a head, default 200\n"
    "  --depth N               depth of a tree, default 6\n"
    "  --eta X                 learning rate, default 0.1\n"
    "  --seed N                default 1\n"
    "  --threads N             default 1; the same seed and count give the same bundle\n"
    "  --holdout X             share of the latest examples to measure with, default 0.2\n"
    "  --early-stopping N      stop after N rounds without a better holdout log loss, default 20; 0 = never\n"
    "  --reference FILE        vectors (GWEX, of the same features) sampled as live ones are: the bundle's drift "
    "reference;\n"
    "                          default: the examples that are learned from\n"
    "  --drift-tolerance X     ignore drifts of a PSI under about 4 X^2, 0 to 1; default 0: only the sampling error\n"
    "  --negative-rate X       share of the negatives that was kept when the examples were chosen, default 1; less "
    "than 1\n"
    "                          with one head only\n"
    "  --baseline KIND         weighted (default): the loss baseline thins held-out rows to equal weights; as-sampled: it\n"
    "                          takes them as they are, for a watch whose live rows are sampled alike\n"
    "  --progress text|json    lines of text on stderr, or of JSON on stdout\n"
    "exit codes: 0 done, 1 failed, 2 wrong usage\n";

static gw_status parse_number(const char *option, const char *text, double low, double high, double *ret_value,
                              gw_err *err)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= low && value <= high)) {
        return gw_fail(err, GW_E_INVALID, "%s '%.32s', expected %g to %g", option, text, low, high);
    }
    *ret_value = value;
    return GW_OK;
}

static gw_status parse_count(const char *option, const char *text, double low, double high, uint32_t *ret_value,
                             gw_err *err)
{
    double value = 0;
    GW_TRY(parse_number(option, text, low, high, &value, err));
    if (value != floor(value)) {
        return gw_fail(err, GW_E_INVALID, "%s '%.32s', expected a whole number", option, text);
    }
    *ret_value = (uint32_t)value;
    return GW_OK;
}

static gw_status add_head(struct gw_train_options *options, const char *text, size_t size, gw_err *err)
{
    if (options->head_count == GW_BUNDLE_HEADS_MAX) {
        return gw_fail(err, GW_E_INVALID, "more than %d heads", GW_BUNDLE_HEADS_MAX);
    }
    struct gw_train_head *head = &options->heads[options->head_count];
    const char *colon = memchr(text, ':', size);
    size_t name_size = colon != NULL ? (size_t)(colon - text) : size;
    if (name_size == 0 || name_size >= sizeof head->name) {
        return gw_fail(err, GW_E_INVALID, "head '%.*s': expected a name of 1 to %zu bytes", (int)GW_MIN(size, 64), text,
                       sizeof head->name - 1);
    }
    memcpy(head->name, text, name_size);
    head->name[name_size] = '\0';
    head->weight = 1;
    if (colon != NULL) {
        char weight[32] = {0};
        size_t weight_size = size - name_size - 1;
        if (weight_size == 0 || weight_size >= sizeof weight) {
            return gw_fail(err, GW_E_INVALID, "head '%s': expected a weight behind the colon", head->name);
        }
        memcpy(weight, colon + 1, weight_size);
        GW_TRY(parse_number("weight", weight, -1e6, 1e6, &head->weight, err));
    }
    for (size_t h = 0; h < options->head_count; h++) {
        if (strcmp(options->heads[h].name, head->name) == 0) {
            return gw_fail(err, GW_E_INVALID, "head '%s' twice", head->name);
        }
    }
    options->head_count++;
    return GW_OK;
}

static gw_status parse_heads(struct gw_train_options *options, const char *text, gw_err *err)
{
    options->head_count = 0;
    for (;;) {
        size_t size = strcspn(text, ",");
        GW_TRY(add_head(options, text, size, err));
        if (text[size] == '\0') {
            return GW_OK;
        }
        text += size + 1;
    }
}

static gw_status parse_option(struct gw_train_options *o, const char *name, const char *value, gw_err *err)
{
    if (strcmp(name, "--rows") == 0) {
        o->rows_path = value;
    } else if (strcmp(name, "--out") == 0) {
        o->out_directory = value;
    } else if (strcmp(name, "--model") == 0) {
        o->model_name = value;
    } else if (strcmp(name, "--heads") == 0) {
        return parse_heads(o, value, err);
    } else if (strcmp(name, "--trees") == 0) {
        return parse_count(name, value, 1, 10000, &o->tree_count, err);
    } else if (strcmp(name, "--depth") == 0) {
        return parse_count(name, value, 1, 16, &o->depth, err);
    } else if (strcmp(name, "--eta") == 0) {
        return parse_number(name, value, 1e-6, 1, &o->eta, err);
    } else if (strcmp(name, "--seed") == 0) {
        return parse_count(name, value, 0, INT32_MAX, &o->seed, err);
    } else if (strcmp(name, "--threads") == 0) {
        return parse_count(name, value, 1, 1024, &o->thread_count, err);
    } else if (strcmp(name, "--holdout") == 0) {
        return parse_number(name, value, 0.01, 0.9, &o->holdout, err);
    } else if (strcmp(name, "--early-stopping") == 0) {
        return parse_count(name, value, 0, 10000, &o->early_stopping_rounds, err);
    } else if (strcmp(name, "--reference") == 0) {
        o->reference_path = value;
    } else if (strcmp(name, "--drift-tolerance") == 0) {
        return parse_number(name, value, 0, 1, &o->drift_tolerance, err);
    } else if (strcmp(name, "--negative-rate") == 0) {
        return parse_number(name, value, 1e-6, 1, &o->negative_rate, err);
    } else if (strcmp(name, "--baseline") == 0 &&
               (strcmp(value, "weighted") == 0 || strcmp(value, "as-sampled") == 0)) {
        o->baseline_as_sampled = value[0] == 'a';
    } else if (strcmp(name, "--baseline") == 0) {
        return gw_fail(err, GW_E_INVALID, "--baseline '%.32s', expected weighted or as-sampled", value);
    } else if (strcmp(name, "--progress") == 0 && (strcmp(value, "json") == 0 || strcmp(value, "text") == 0)) {
        o->progress_json = value[0] == 'j';
    } else if (strcmp(name, "--progress") == 0) {
        return gw_fail(err, GW_E_INVALID, "--progress '%.32s', expected text or json", value);
    } else {
        return gw_fail(err, GW_E_INVALID, "unknown option '%.64s'", name);
    }
    return GW_OK;
}

gw_status gw_train_options_parse(int argc, char **argv, struct gw_train_options *ret_options, gw_err *err)
{
    struct gw_train_options o = {.tree_count = 200,
                                 .depth = 6,
                                 .eta = 0.1,
                                 .seed = 1,
                                 .thread_count = 1,
                                 .holdout = 0.2,
                                 .early_stopping_rounds = 20,
                                 .negative_rate = 1};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            o.help = true;
            *ret_options = o;
            return GW_OK;
        }
        if (i + 1 == argc) {
            return gw_fail(err, GW_E_INVALID, "option '%.64s' has no value", argv[i]);
        }
        GW_TRY(parse_option(&o, argv[i], argv[i + 1], err));
    }
    if (o.rows_path == NULL || o.out_directory == NULL || o.model_name == NULL || o.head_count == 0) {
        return gw_fail(err, GW_E_INVALID, "--rows, --out, --model and --heads are required");
    }
    if (o.negative_rate < 1 && o.head_count > 1) {
        // What is negative for one head is positive for another, so no single rate is true of both.
        return gw_fail(err, GW_E_INVALID,
                       "--negative-rate is about the negatives of one head; with %zu heads, give the "
                       "examples weights instead",
                       o.head_count);
    }
    *ret_options = o;
    return GW_OK;
}
