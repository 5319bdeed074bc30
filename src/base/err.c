// SPDX-License-Identifier: MIT
#include "base/err.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum gw_err_class class;
} statuses[GW_STATUS_COUNT] = {
#define X(suffix, class_suffix, text) [GW_##suffix] = {text, GW_CLASS_##class_suffix},
    GW_STATUS_MAP(X)
#undef X
};

static const char *const class_names[] = {
    [GW_CLASS_NONE] = "none",   [GW_CLASS_RECORD] = "record", [GW_CLASS_RETRY] = "retry",
    [GW_CLASS_ABORT] = "abort", [GW_CLASS_FATAL] = "fatal",
};

const char *gw_status_name(gw_status status)
{
    GW_ASSERT((unsigned)status < GW_STATUS_COUNT);
    return statuses[status].name;
}

enum gw_err_class gw_status_class(gw_status status)
{
    GW_ASSERT((unsigned)status < GW_STATUS_COUNT);
    return statuses[status].class;
}

const char *gw_err_class_name(enum gw_err_class class)
{
    GW_ASSERT((unsigned)class < GW_COUNT_OF(class_names));
    return class_names[class];
}

gw_status gw_fail(gw_err *err, gw_status status, const char *format, ...)
{
    if (err != NULL) {
        err->status = status;
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return status;
}

gw_status gw_fail_context(gw_err *err, gw_status status, const char *format, ...)
{
    if (err != NULL) {
        char inner[GW_ERR_MESSAGE_BYTES];
        memcpy(inner, err->message, sizeof inner);
        inner[sizeof inner - 1] = '\0';

        va_list args;
        va_start(args, format);
        int used = vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        if (used >= 0 && (size_t)used + 2 < sizeof err->message) {
            snprintf(err->message + used, sizeof err->message - (size_t)used, ": %s", inner);
        }
        err->status = status;
    }
    return status;
}
