// SPDX-License-Identifier: MIT
// Asks through POST /predict: sends every request of the schedule when due, and fills in what became of it.
#pragma once

#include "support/schedule.h"

GW_CHECK gw_status bench_drive_rest(uint16_t port, struct bench_requests *requests, struct bench_schedule *schedule,
                                    gw_err *err);
