// SPDX-License-Identifier: MIT
// Parses the input as INI text, and each value by every value parser.
#include "base/check.h"
#include "base/ini.h"
#include "base/utf8.h"

#include <string.h>

static gw_status visit(void *context, const char *section, const char *key, const char *value, int line, gw_err *err)
{
    (void)context;
    (void)err;
    GW_ASSERT(line > 0 && gw_utf8_valid(section, strlen(section)));
    if (key == NULL) {
        GW_ASSERT(value == NULL && section[0] != '\0');
        return GW_OK;
    }
    GW_ASSERT(key[0] != '\0' && gw_utf8_valid(key, strlen(key)) && gw_utf8_valid(value, strlen(value)));

    int64_t integer = 0;
    uint64_t bytes = 0;
    double real = 0;
    if (gw_parse_i64(value, &integer, NULL) == GW_OK) {
        GW_ASSERT(gw_parse_double(value, &real, NULL) == GW_OK && real == (double)integer);
    }
    if (gw_parse_duration_us(value, &integer, NULL) == GW_OK) {
        GW_ASSERT(integer >= 0);
    }
    return gw_parse_bytes(value, &bytes, NULL) == GW_E_MALFORMED || bytes <= INT64_MAX ? GW_OK : GW_E_INTERNAL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gw_err err = {0};
    gw_status status = gw_ini_parse("input", (const char *)data, size, visit, NULL, &err);
    GW_ASSERT(status == GW_OK || (status == GW_E_MALFORMED && strncmp(err.message, "input:", 6) == 0));
    return 0;
}
