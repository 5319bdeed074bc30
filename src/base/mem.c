// SPDX-License-Identifier: MIT
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_ulong fail_countdown;

void gw_mem_fail_nth(unsigned long n)
{
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}

static int must_fail(void)
{
    if (GW_LIKELY(atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0)) {
        return 0;
    }
    return atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) == 1;
}

void *gw_mem_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count > 0 ? count : 1, size > 0 ? size : 1);
}

void *gw_mem_realloc(void *old, size_t count, size_t size)
{
    size_t bytes = 0;
    if (must_fail() || __builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return realloc(old, bytes > 0 ? bytes : 1);
}

void *gw_mem_aligned(size_t alignment, size_t size)
{
    size_t bytes = 0;
    if (must_fail() || __builtin_add_overflow(size, alignment - 1, &bytes)) {
        return NULL;
    }
    bytes &= ~(alignment - 1);
    void *memory = aligned_alloc(alignment, bytes > 0 ? bytes : alignment);
    if (memory != NULL) {
        memset(memory, 0, bytes);
    }
    return memory;
}

char *gw_mem_strndup(const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? gw_mem_calloc(length + 1, 1) : NULL;
    if (copy != NULL) {
        memcpy(copy, text, length);
    }
    return copy;
}

char *gw_mem_strdup(const char *text)
{
    return gw_mem_strndup(text, strlen(text));
}

void gw_mem_free(void *memory)
{
    free(memory);
}

void gw_mem_cleanup(void *pointer_to_pointer)
{
    void *memory = NULL;
    memcpy(&memory, pointer_to_pointer, sizeof memory);
    free(memory);
}
