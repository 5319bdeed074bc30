// SPDX-License-Identifier: MIT
// The functions behind the table of commands, one file per noun. Only for src/cli.
#pragma once

#include "cli/cli.h"
#include "model/bundle.h"

gw_status gw_cli_config_check(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_config_show(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_db_migrate(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_drift_alerts(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_drift_promise(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_drift_show(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_examples_export(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_features_clear(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_features_list(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_features_show(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_health(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_help(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_archive(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_compare(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_create(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_export(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_gc(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_history(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_inspect(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_list(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_promote(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_register(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_reject(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_rollback(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_shadow(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_show(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_models_split(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_predict(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_retrain(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_run(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_runs_cancel(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_runs_list(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_runs_show(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_schemas_list(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_schemas_register(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_simulate(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_topics_apply(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_topics_list(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_topics_plan(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_train(struct gw_cli *cli, gw_err *err);
gw_status gw_cli_version(struct gw_cli *cli, gw_err *err);

void gw_cli_run_details(FILE *to); // the workers there are

// Options that a command shares with its function's file.
extern const struct gw_cli_option gw_cli_drift_alerts_options[];
extern const struct gw_cli_option gw_cli_drift_promise_options[];
extern const struct gw_cli_option gw_cli_examples_options[];
extern const struct gw_cli_option gw_cli_models_change_options[];
extern const struct gw_cli_option gw_cli_models_create_options[];
extern const struct gw_cli_option gw_cli_models_export_options[];
extern const struct gw_cli_option gw_cli_models_gc_options[];
extern const struct gw_cli_option gw_cli_models_history_options[];
extern const struct gw_cli_option gw_cli_models_register_options[];
extern const struct gw_cli_option gw_cli_models_reject_options[];
extern const struct gw_cli_option gw_cli_models_shadow_options[];
extern const struct gw_cli_option gw_cli_models_split_options[];
extern const struct gw_cli_option gw_cli_retrain_options[];
extern const struct gw_cli_option gw_cli_runs_cancel_options[];
extern const struct gw_cli_option gw_cli_runs_list_options[];
extern const struct gw_cli_option gw_cli_simulate_options[];

// Loads a bundle directory, or a bare model file. `names` are the features of a file that has none (NULL, 0:
// refuse one).
GW_CHECK gw_status gw_cli_load_model(const char *path, const char *const *names, size_t name_count,
                                     struct gw_bundle **ret_bundle, gw_err *err);
