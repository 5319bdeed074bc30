// SPDX-License-Identifier: MIT
// Assertions for what only a bug can break. They stay on in release builds; input, network and memory never trip them.
#pragma once

#include "base/macros.h"

#include <stdbool.h>

#define GW_ASSERT(condition)                                                                                           \
    (GW_LIKELY(condition) ? (void)0 : gw_assert_failed(#condition, __FILE__, __LINE__, __func__))

GW_NORETURN void gw_assert_failed(const char *condition, const char *file, int line, const char *function);
