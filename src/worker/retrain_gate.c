// SPDX-License-Identifier: MIT
#include "worker/retrain_gate.h"

#include "base/mem.h"
#include "registry/artefacts.h"
#include "worker/retrain_gate_internal.h"
#include "worker/retrain_trained.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

// Of positives, mean prediction over mean label, and what the champion was trained on, to what is seen.
#define PRIOR_FACTOR       3.0
#define CHAMPION_FACTOR    5.0
#define CALIBRATION_FACTOR 1.5
#define MISSING_SHARE_MAX  0.0
#define SCORE_PSI_MAX      2.0 // unless it is proven better
#define RANKING_KEPT       0.8 // of what the champion's area had over 1/2 at training

static void add_check(struct gw_retrain_gate *gate, struct gw_gate_check check, const char *name)
{
    if (name != NULL) {
        check.name = name;
    }
    gate->checks[gate->check_count++] = check;
}

// ---- the bundle's size ----------------------------------------------------------------------------------------------

static gw_status sum_files(DIR *directory, uint64_t *ret_bytes, gw_err *err)
{
    uint64_t bytes = 0;
    errno = 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        struct stat file;
        if (fstatat(dirfd(directory), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0) {
            break;
        }
        bytes += S_ISREG(file.st_mode) ? (uint64_t)file.st_size : 0;
    }
    *ret_bytes = bytes;
    return errno == 0 ? GW_OK : gw_fail(err, GW_E_IO, "cannot look through the candidate: %s", strerror(errno));
}

static gw_status check_size(struct gw_retrain_gate *gate, gw_err *err)
{
    const char *path = gate->options->candidate_directory;
    uint64_t bytes = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return gw_fail(err, GW_E_IO, "cannot open '%.200s': %s", path, strerror(errno));
    }
    gw_status status = sum_files(directory, &bytes, err);
    closedir(directory);
    GW_TRY(status);
    const struct gw_gate_check check = {.name = "bundle_bytes",
                                        .passed = bytes <= GW_ARTEFACT_BYTES_MAX,
                                        .value = (double)bytes,
                                        .high = (double)GW_ARTEFACT_BYTES_MAX};
    add_check(gate, check, NULL);
    return GW_OK;
}

// ---- judging --------------------------------------------------------------------------------------------------------

static void judge_heads(struct gw_retrain_gate *gate)
{
    const struct gw_retrain_gate_options *options = gate->options;
    for (size_t h = 0; h < gate->head_count; h++) {
        struct gw_retrain_gate_head *head = &gate->heads[h];
        const double alpha = h == 0 ? options->alpha : options->alpha / (double)gate->head_count;
        gw_gate_decide(&head->paired, options->margin, alpha, &head->decision);
        gw_head_quality_measure(head->candidate_quality, &head->candidate_measures);
        gw_head_quality_measure(head->champion_quality, &head->champion_measures);
    }
}

// Labels of which a part is noise can be learned: who believes less in himself loses less on them, but ranks no better.
static void check_ranking(struct gw_retrain_gate *gate)
{
    const struct gw_retrain_gate_head *primary = &gate->heads[0];
    const double trained =
        gw_retrain_trained(gw_bundle_info(gate->options->champion)->metadata_json, primary->name, "auc");
    const double now = primary->champion_measures.auc_interval.high;
    if (now < 0.5 + RANKING_KEPT * (trained - 0.5)) { // not where one of them is not known
        const double auc = primary->candidate_measures.auc;
        const struct gw_gate_check check = {
            .name = "ranking", .passed = auc > now, .value = auc, .low = now, .high = 1.0};
        add_check(gate, check, NULL);
    }
}

static void check_primary(struct gw_retrain_gate *gate)
{
    const struct gw_retrain_gate_options *options = gate->options;
    const struct gw_retrain_gate_head *primary = &gate->heads[0];
    const struct gw_head_measures *measures = &primary->candidate_measures;
    const double rate =
        gw_retrain_trained(gw_bundle_info(options->champion)->metadata_json, primary->name, "base_rate");
    const double psi_max = primary->decision.bounds.high < 0 ? (double)INFINITY : SCORE_PSI_MAX;
    struct gw_gate_check informs[2];
    gw_gate_check_informs(measures, informs);
    add_check(gate, informs[0], NULL);
    add_check(gate, informs[1], NULL);
    check_ranking(gate);
    add_check(gate, gw_gate_check_prior(measures, options->train_rate, PRIOR_FACTOR), NULL);
    if (!isnan(rate)) {
        add_check(gate, gw_gate_check_prior(measures, rate, CHAMPION_FACTOR), "prior_of_champion");
    }
    add_check(gate, gw_gate_check_calibration(measures, CALIBRATION_FACTOR), NULL);
    add_check(gate, gw_gate_check_missing(gate->missing, gate->row_count, MISSING_SHARE_MAX), NULL);
    add_check(gate, gw_gate_check_scores(primary->champion_quality, primary->candidate_quality, psi_max), NULL);
}

bool gw_retrain_gate_passes(const struct gw_retrain_gate *gate)
{
    bool passes = gate->heads[0].decision.verdict == GW_GATE_PASS;
    for (size_t h = 1; h < gate->head_count; h++) {
        passes = passes && gate->heads[h].decision.verdict != GW_GATE_FAIL;
    }
    for (size_t i = 0; i < gate->check_count; i++) {
        passes = passes && gate->checks[i].passed;
    }
    return passes;
}

static gw_status run(struct gw_retrain_gate *gate, struct gw_retrain_verdict *verdict, gw_err *err)
{
    GW_TRY(gw_retrain_gate_read(gate, err));
    judge_heads(gate);
    check_primary(gate);
    GW_TRY(check_size(gate, err));
    return gw_retrain_gate_write(gate, verdict, err);
}

gw_status gw_retrain_gate(const struct gw_retrain_gate_options *options, struct gw_retrain_verdict *ret_verdict,
                          gw_err *err)
{
    struct gw_retrain_gate *gate = gw_mem_calloc(1, sizeof *gate);
    struct gw_retrain_verdict verdict = {.reason = ""};
    if (gate == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for the gate");
    }
    gate->options = options;
    gw_status status = run(gate, &verdict, err);
    for (size_t h = 0; h < gate->head_count; h++) {
        gw_head_quality_free(gate->heads[h].candidate_quality);
        gw_head_quality_free(gate->heads[h].champion_quality);
    }
    gw_mem_free(gate);
    if (status != GW_OK) {
        gw_buf_deinit(&verdict.json);
        return status;
    }
    *ret_verdict = verdict;
    return GW_OK;
}
