// SPDX-License-Identifier: MIT
// W3C Trace Context: is a `traceparent` header worth passing on?
#pragma once

#include <stdbool.h>

// True for version-traceid-parentid-flags in lower-case hex, 55 bytes, version not ff, neither id all zero.
bool gw_api_traceparent_is_valid(const char *text);
