// SPDX-License-Identifier: MIT
// Compiler attributes behind one name each, so that the rest of the tree is plain C17.
#pragma once

#define GW_CHECK               __attribute__((warn_unused_result))
#define GW_PRINTF(fmt, args)   __attribute__((format(printf, fmt, args)))
#define GW_UNUSED              __attribute__((unused))
#define GW_NORETURN            __attribute__((noreturn))
#define GW_CLEANUP(fn)         __attribute__((cleanup(fn)))
#define GW_LIKELY(x)           __builtin_expect(!!(x), 1)
#define GW_UNLIKELY(x)         __builtin_expect(!!(x), 0)
#define GW_COUNT_OF(array)     (sizeof(array) / sizeof((array)[0]))
#define GW_MIN(a, b)           ((a) < (b) ? (a) : (b))
#define GW_MAX(a, b)           ((a) > (b) ? (a) : (b))
#define GW_CACHE_LINE_BYTES    64
