// SPDX-License-Identifier: MIT
// A state made of counts and finite numbers as bytes: a format byte, then 8 bytes each, little-endian.
#pragma once

#include "base/bytes.h"

// GW_E_MEMORY.
GW_CHECK gw_status gw_numbers_encode(uint8_t format, const uint64_t *counts, size_t count_count, const double *numbers,
                                     size_t number_count, struct gw_buf *buf);

// GW_E_MALFORMED: another format or size, or a number that is not finite.
GW_CHECK gw_status gw_numbers_decode(struct gw_slice bytes, uint8_t format, uint64_t *ret_counts, size_t count_count,
                                     double *ret_numbers, size_t number_count, gw_err *err);
