// SPDX-License-Identifier: MIT
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void gw_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "godwit: bug: assertion '%s' failed in %s at %s:%d\n", condition, function, file, line);
    abort();
}
