// SPDX-License-Identifier: MIT
// The one place where librdkafka's error codes and flags become statuses. Private to this folder.
#pragma once

#include "base/err.h"

#include <librdkafka/rdkafka.h>

// The status of a bare code, without knowledge of where it came from.
gw_status gw_kafka_status_of(rd_kafka_resp_err_t code);

// Fills *err with "what: description (NAME)" and returns the status of `code`.
gw_status gw_kafka_fail_code(gw_err *err, rd_kafka_resp_err_t code, const char *format, ...) GW_PRINTF(3, 4);

// Takes `error` (not NULL). Honours its flags: fatal (the handle's fatal code says whether it is a fence), abort
// needed, retriable; an error without a flag has the status of its code.
gw_status gw_kafka_fail_error(gw_err *err, rd_kafka_t *rk, rd_kafka_error_t *error, const char *format, ...)
    GW_PRINTF(4, 5);

// Fills *err from the handle's fatal error, if it has one; GW_OK otherwise.
gw_status gw_kafka_fail_fatal(gw_err *err, rd_kafka_t *rk, const char *what);
