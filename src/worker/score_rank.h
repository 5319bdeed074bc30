// SPDX-License-Identifier: MIT
// Ranks the candidates of one request: order[] becomes the candidate numbers, best score first. Equal scores keep their
// order; NaN comes last. `scratch` has room for 2 * count words. Radix sort: no comparisons, no allocation.
#pragma once

#include <stdint.h>

void gw_score_rank(const float *scores, uint32_t count, uint32_t *order, uint64_t *scratch);
