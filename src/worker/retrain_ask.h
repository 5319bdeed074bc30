// SPDX-License-Identifier: MIT
// Asks for a training: one record on retrain_requests. For REST and the command line; whether anything is trained the
// worker decides, and records.
#pragma once

#include "registry/runs.h"
#include "worker/runtime.h"

struct gw_retrain_ask {
    const char *model; // a model's name
    const char *reason;
    const char *actor;
};

// Sends it and waits for the broker, some seconds at most. ret_id names the run that the record asks for; it can be
// looked up as soon as the worker has read the record. `runtime` has GW_RUNTIME_SCHEMAS. GW_E_UNAVAILABLE,
// GW_E_TIMEOUT: it is open whether the record is there.
GW_CHECK gw_status gw_retrain_ask(const struct gw_runtime *runtime, const struct gw_retrain_ask *ask,
                                  char ret_id[GW_RUN_ID_BYTES], gw_err *err);
