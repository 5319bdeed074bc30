// SPDX-License-Identifier: MIT
// Heap memory with overflow checks. Failure is a NULL that callers turn into GW_E_MEMORY, never an abort.
#pragma once

#include "base/macros.h"

#include <stddef.h>

// Gives zeroed memory for count * size bytes, or NULL when that overflows or memory is short. Free with gw_mem_free.
GW_CHECK void *gw_mem_calloc(size_t count, size_t size);

// Gives memory for count * size bytes with the old content in front, or NULL, and then `old` is untouched.
GW_CHECK void *gw_mem_realloc(void *old, size_t count, size_t size);

// Gives zeroed memory aligned to `alignment` (a power of two), size rounded up to it. Free with gw_mem_free.
GW_CHECK void *gw_mem_aligned(size_t alignment, size_t size);

// Gives a copy of the first `length` bytes of `text` with a NUL behind them.
GW_CHECK char *gw_mem_strndup(const char *text, size_t length);

// Gives a copy of a NUL-terminated string.
GW_CHECK char *gw_mem_strdup(const char *text);

void gw_mem_free(void *memory);

// For GW_CLEANUP on a pointer variable.
void gw_mem_cleanup(void *pointer_to_pointer);

// Makes the n-th allocation from now on fail (1 = the next one); 0 switches it off. For failure sweeps in tests only.
void gw_mem_fail_nth(unsigned long n);
