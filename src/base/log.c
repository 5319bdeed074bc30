// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    enum gw_log_level level;
    const char *worker;
} settings = {.level = GW_LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void gw_log_configure(enum gw_log_level level, const char *worker)
{
    settings.level = level;
    settings.worker = worker;
}

void gw_log(enum gw_log_level level, const char *event, const char *fields, ...)
{
    if (level < settings.level) {
        return;
    }
    char line[1024];
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);

    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &parts);
    used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %s %s", now.tv_nsec / 1000000,
                             level_names[level], event);
    if (settings.worker != NULL && used < sizeof line) {
        used += (size_t)snprintf(line + used, sizeof line - used, " worker=%s", settings.worker);
    }
    if (fields[0] != '\0' && used + 1 < sizeof line) {
        line[used++] = ' ';
        va_list args;
        va_start(args, fields);
        int written = vsnprintf(line + used, sizeof line - used, fields, args);
        va_end(args);
        used += written > 0 ? (size_t)written : 0;
    }
    if (used > sizeof line - 1) {
        used = sizeof line - 1;
    }
    for (size_t i = 0; i < used; i++) { // one record, one line: nothing from outside may break it
        if (line[i] == '\n' || line[i] == '\r') {
            line[i] = ' ';
        }
    }
    line[used] = '\n';
    if (write(STDERR_FILENO, line, used + 1) < 0) {
        return; // there is nowhere left to say so
    }
}
