// SPDX-License-Identifier: MIT
#include "base/rfc3339.h"

#include <stdio.h>
#include <time.h>

bool gw_rfc3339_format(int64_t time_ms, char ret_text[GW_RFC3339_BYTES])
{
    const int rest_ms = (int)(time_ms % 1000);
    const time_t whole = (time_t)(time_ms / 1000 - (rest_ms < 0 ? 1 : 0));
    struct tm utc;
    if (gmtime_r(&whole, &utc) == NULL) {
        return false;
    }
    size_t length = strftime(ret_text, GW_RFC3339_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + length, GW_RFC3339_BYTES - length, ".%03dZ", rest_ms < 0 ? rest_ms + 1000 : rest_ms);
    return true;
}
