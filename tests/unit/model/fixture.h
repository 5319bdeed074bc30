// SPDX-License-Identifier: MIT
// Model files trained by XGBoost itself, read for tests; and edits of them, one rule broken at a time.
#pragma once

#include "base/bytes.h"
#include "base/ini.h"
#include "base/mem.h"
#include "model/forest.h"
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

// A rule broken (or not) by one replacement.
struct model_edit {
    const char *from;
    const char *to;
    gw_status status; // GW_OK: the edit is harmless
    const char *message;
};

typedef gw_status (*parse_model)(struct gw_slice text, struct gw_forest **ret_forest, gw_err *err);

// Parses the text after each of the edits alone, and fails the test at a wrong status or message.
static inline void check_edits(const char *text, parse_model parse, const struct model_edit *edits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *edited = replace(text, edits[i].from, edits[i].to);
        struct gw_forest *forest = NULL;
        gw_err err = {0};
        gw_status status = parse(gw_slice_text(edited), &forest, &err);
        if (status != edits[i].status || strstr(err.message, edits[i].message) == NULL) {
            print_error("%s -> %s: %s: %s\n", edits[i].from, edits[i].to, gw_status_name(status), err.message);
            fail();
        }
        gw_forest_free(forest);
        gw_mem_free(edited);
    }
}

// Parses with the n-th allocation failing, for every n, until it succeeds.
static inline void check_failed_allocations(struct gw_slice content, parse_model parse)
{
    struct gw_forest *forest = NULL;
    gw_status status = GW_E_MEMORY;
    for (unsigned long n = 1; status != GW_OK; n++) {
        gw_mem_fail_nth(n);
        status = parse(content, &forest, NULL);
        gw_mem_fail_nth(0);
        assert_true(status == GW_OK || status == GW_E_MEMORY);
        assert_true(n < 1000);
    }
    gw_forest_free(forest);
}
