// SPDX-License-Identifier: MIT
// Model files trained by XGBoost itself, read for tests; and edits of them, one rule broken at a time.
#pragma once

#include "base/ini.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <stdio.h>
#include <string.h>

#define FIXTURES GW_SOURCE_DIR "/tests/unit/model/fixtures/"

// Margins that XGBoost gave for these rows by each of the fixtures.
static const float fixture_rows[3][4] = {{NAN, NAN, NAN, NAN}, {1, -1, 0, 0}, {-1, 1, 0, 0}};
static const float fixture_margins[3] = {-0x1.0dff04p+1f, 0x1.97dc4p-1f, -0x1.0dff04p+1f};

// Gives a fixture's text; free with gw_mem_free.
static inline char *read_fixture(const char *name)
{
    char path[512];
    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    snprintf(path, sizeof path, FIXTURES "%s", name);
    assert_ok_err(gw_file_read(path, 1 << 20, &text, &size, &err), &err);
    return text;
}

// Gives the text with the first `from` replaced by `to`; fails the test when there is none. Free with gw_mem_free.
static inline char *replace(const char *text, const char *from, const char *to)
{
    const char *place = strstr(text, from);
    if (place == NULL) {
        print_error("the fixture has no '%s'\n", from);
        fail();
        return NULL;
    }
    size_t size = strlen(text) - strlen(from) + strlen(to) + 1;
    char *edited = gw_mem_calloc(size, 1);
    assert_non_null(edited);
    snprintf(edited, size, "%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
    return edited;
}
