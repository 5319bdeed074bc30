// SPDX-License-Identifier: MIT
// The gate's verdict in words and as JSON.
#include "worker/retrain_gate_internal.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

// ---- JSON -----------------------------------------------------------------------------------------------------------

static void write_double(struct gw_json_writer *to, const char *key, double value)
{
    gw_json_write_key(to, key);
    gw_json_write_double(to, value);
}

static void write_measures(struct gw_json_writer *to, const char *key, const struct gw_head_measures *measures)
{
    gw_json_write_key(to, key);
    gw_json_object_begin(to);
    write_double(to, "logLoss", measures->log_loss);
    write_double(to, "normalisedEntropy", measures->normalised_entropy);
    write_double(to, "auc", measures->auc);
    write_double(to, "calibration", measures->calibration);
    gw_json_object_end(to);
}

static void write_head(struct gw_json_writer *to, const struct gw_retrain_gate_head *head)
{
    const struct gw_gate_decision *decision = &head->decision;
    gw_json_write_key(to, "verdict");
    gw_json_write_text(to, gw_gate_verdict_name(decision->verdict));
    gw_json_write_key(to, "rows");
    gw_json_write_u64(to, decision->rows);
    gw_json_write_key(to, "positives");
    gw_json_write_u64(to, head->candidate_measures.positive_rows);
    write_double(to, "margin", decision->margin);
    write_double(to, "alpha", decision->alpha);
    write_double(to, "clip", head->paired.options.clip);
    write_double(to, "lossDifference", decision->bounds.mean);
    write_double(to, "lossDifferenceLow", decision->bounds.low);
    write_double(to, "lossDifferenceHigh", decision->bounds.high);
    write_double(to, "clippedShare", decision->clipped_share);
    write_measures(to, "candidate", &head->candidate_measures);
    write_measures(to, "champion", &head->champion_measures);
}

static void write_checks(struct gw_json_writer *to, const struct gw_retrain_gate *gate)
{
    gw_json_write_key(to, "checks");
    gw_json_array_begin(to);
    for (size_t i = 0; i < gate->check_count; i++) {
        const struct gw_gate_check *check = &gate->checks[i];
        gw_json_object_begin(to);
        gw_json_write_key(to, "name");
        gw_json_write_text(to, check->name);
        gw_json_write_key(to, "passed");
        gw_json_write_bool(to, check->passed);
        write_double(to, "value", check->value);
        write_double(to, "low", check->low);
        write_double(to, "high", check->high);
        gw_json_object_end(to);
    }
    gw_json_array_end(to);
}

static void write_other_heads(struct gw_json_writer *to, const struct gw_retrain_gate *gate)
{
    gw_json_write_key(to, "otherHeads");
    gw_json_array_begin(to);
    for (size_t h = 1; h < gate->head_count; h++) {
        gw_json_object_begin(to);
        gw_json_write_key(to, "name");
        gw_json_write_text(to, gate->heads[h].name);
        write_head(to, &gate->heads[h]);
        gw_json_object_end(to);
    }
    gw_json_array_end(to);
}

static gw_status write_json(const struct gw_retrain_gate *gate, struct gw_retrain_verdict *verdict, gw_err *err)
{
    struct gw_json_writer to;
    gw_json_writer_init(&to, &verdict->json);
    gw_json_object_begin(&to);
    gw_json_write_key(&to, "passed");
    gw_json_write_bool(&to, verdict->passed);
    gw_json_write_key(&to, "head");
    gw_json_write_text(&to, gate->heads[0].name);
    write_head(&to, &gate->heads[0]);
    write_checks(&to, gate);
    write_other_heads(&to, gate);
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    gw_status status = gw_buf_append(&verdict->json, "", 1);
    if (status != GW_OK) {
        return gw_fail(err, status, "no memory for a verdict");
    }
    verdict->json.size--;
    return GW_OK;
}

// ---- words ----------------------------------------------------------------------------------------------------------

// Appends as much as there is room for.
GW_PRINTF(2, 3) static void say(struct gw_retrain_verdict *verdict, const char *format, ...)
{
    const size_t used = strlen(verdict->reason);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->reason + used, sizeof verdict->reason - used, format, arguments);
    va_end(arguments);
}

static void put_into_words(const struct gw_retrain_gate *gate, struct gw_retrain_verdict *verdict)
{
    const struct gw_gate_decision *primary = &gate->heads[0].decision;
    say(verdict, "gate %s: log loss differs by %.6f (between %.6f and %.6f) on %llu later rows, margin %.6f",
        gw_gate_verdict_name(primary->verdict), primary->bounds.mean, primary->bounds.low, primary->bounds.high,
        (unsigned long long)primary->rows, primary->margin);
    for (size_t h = 1; h < gate->head_count; h++) {
        const struct gw_gate_decision *decision = &gate->heads[h].decision;
        if (decision->verdict == GW_GATE_FAIL) {
            say(verdict, "; head '%.40s' FAIL: by %.6f (between %.6f and %.6f)", gate->heads[h].name,
                decision->bounds.mean, decision->bounds.low, decision->bounds.high);
        }
    }
    for (size_t i = 0; i < gate->check_count; i++) {
        const struct gw_gate_check *check = &gate->checks[i];
        if (!check->passed) {
            say(verdict, "; check %s failed: %.6g, allowed %.6g to %.6g", check->name, check->value, check->low,
                check->high);
        }
    }
}

gw_status gw_retrain_gate_write(const struct gw_retrain_gate *gate, struct gw_retrain_verdict *ret_verdict, gw_err *err)
{
    ret_verdict->passed = gw_retrain_gate_passes(gate);
    put_into_words(gate, ret_verdict);
    return write_json(gate, ret_verdict, err);
}
