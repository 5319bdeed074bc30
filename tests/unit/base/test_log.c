// SPDX-License-Identifier: MIT
#include "base/clock.h"
#include "base/log.h"
#include "support/testkit.h"

#include <string.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wformat-zero-length" // "" stands for no fields

static int saved_stderr;
static int pipe_read;

static void capture_start(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    pipe_read = ends[0];
}

static void capture_stop(char *text, size_t capacity)
{
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used + 1 < capacity; used += (size_t)got) {
        got = read(pipe_read, text + used, capacity - 1 - used);
        assert_true(got >= 0);
    }
    text[used] = '\0';
    close(pipe_read);
}

static void line_holds_time_level_event_and_fields(void **state)
{
    (void)state;
    char text[2048];
    gw_log_configure(GW_LOG_INFO, "score");
    capture_start();
    gw_log_info("batch.committed", "records=%d", 3);
    gw_log(GW_LOG_DEBUG, "not.shown", "");
    gw_log_configure(GW_LOG_INFO, NULL);
    gw_log_warn("plain", "");
    capture_stop(text, sizeof text);

    const char *second = strchr(text, '\n');
    assert_non_null(second);
    assert_int_equal(text[10], 'T');
    assert_non_null(strstr(text, "Z info batch.committed worker=score records=3\n"));
    assert_non_null(strstr(second, "Z warn plain\n"));
    assert_null(strstr(text, "not.shown"));
}

static void one_record_is_one_line_of_bounded_length(void **state)
{
    (void)state;
    char text[4096];
    gw_log_configure(GW_LOG_INFO, NULL);
    capture_start();
    gw_log_error("event", "text='%s'", "a\nb\rc");
    gw_log_error("event", "%02000d", 1);
    capture_stop(text, sizeof text);
    assert_non_null(strstr(text, "text='a b c'\n"));
    int lines = 0;
    for (const char *c = text; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    assert_int_equal(lines, 2);
}

static void clocks_do_not_go_back(void **state)
{
    (void)state;
    uint64_t mono_us = gw_clock_mono_us();
    uint64_t cpu_ns = gw_clock_thread_cpu_ns();
    assert_true(gw_clock_mono_us() >= mono_us);
    assert_true(gw_clock_thread_cpu_ns() >= cpu_ns);
    assert_true(gw_clock_wall_ms() > INT64_C(1600000000000));
    assert_true(gw_clock_wall_us() > INT64_C(1600000000000000));
}

GW_TESTS(line_holds_time_level_event_and_fields, one_record_is_one_line_of_bounded_length, clocks_do_not_go_back)
