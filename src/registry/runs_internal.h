// SPDX-License-Identifier: MIT
// What the files about runs share. For this folder only.
#pragma once

// As SQL: the states of gw_run_state_is_active, which are those of the index registry_runs_active.
#define GW_RUNS_ACTIVE "('REQUESTED', 'DATASET', 'TRAINING', 'GATING', 'REGISTERED', 'SHADOW', 'CANARY')"
