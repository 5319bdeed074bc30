// SPDX-License-Identifier: MIT
#include "api/traceparent.h"

#include <stddef.h>
#include <string.h>

static bool is_hex(const char *text, size_t size)
{
    return strspn(text, "0123456789abcdef") >= size;
}

bool gw_api_traceparent_is_valid(const char *text)
{
    // vv-tttttttttttttttttttttttttttttttt-pppppppppppppppp-ff
    return strlen(text) == 55 && is_hex(text, 2) && text[2] == '-' && is_hex(text + 3, 32) && text[35] == '-' &&
           is_hex(text + 36, 16) && text[52] == '-' && is_hex(text + 53, 2) && strncmp(text, "ff", 2) != 0 &&
           strspn(text + 3, "0") < 32 && strspn(text + 36, "0") < 16;
}
