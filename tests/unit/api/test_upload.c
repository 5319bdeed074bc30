// SPDX-License-Identifier: MIT
#include "api/upload.h"
#include "support/testkit.h"

static void kinds_follow_the_content_type(void **state)
{
    (void)state;
    bool is_archive = false;
    assert_null(gw_api_upload_kind("application/x-tar", NULL, &is_archive));
    assert_true(is_archive);
    const char *const bare[] = {"application/octet-stream", "Application/JSON; charset=utf-8", "text/plain ;charset=x"};
    for (size_t i = 0; i < GW_COUNT_OF(bare); i++) {
        is_archive = true;
        assert_null(gw_api_upload_kind(bare[i], "identity", &is_archive));
        assert_false(is_archive);
    }
}

static void other_kinds_are_refused(void **state)
{
    (void)state;
    bool is_archive = false;
    const char *const other[] = {
        NULL, "", "application/gzip", "application/x-tarball", "text/plainer", "multipart/form-data"};
    for (size_t i = 0; i < GW_COUNT_OF(other); i++) {
        assert_non_null(gw_api_upload_kind(other[i], NULL, &is_archive));
    }
    assert_non_null(gw_api_upload_kind("application/x-tar", "gzip", &is_archive));
}

GW_TESTS(kinds_follow_the_content_type, other_kinds_are_refused)
