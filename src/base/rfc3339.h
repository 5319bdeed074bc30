// SPDX-License-Identifier: MIT
// Times as people and JSON read them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GW_RFC3339_BYTES 48 // of any time that there is, with the NUL

// "2026-11-24T12:00:00.123Z" of milliseconds since 1970, which may be negative. False: its year is past what a calendar
// holds.
bool gw_rfc3339_format(int64_t time_ms, char ret_text[GW_RFC3339_BYTES]);
