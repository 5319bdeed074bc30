// SPDX-License-Identifier: MIT
#include "base/faults.h"
#include "support/testkit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void points_are_off_by_default(void **state)
{
    (void)state;
    assert_ok(gw_faults_configure(NULL, NULL));
    assert_false(gw_fault_hit("a"));
    assert_ok(gw_faults_configure("", NULL));
    assert_false(gw_fault_hit("a"));
}

static void fail_acts_at_its_hit_only(void **state)
{
    (void)state;
    assert_ok(gw_faults_configure("a:fail,b:fail:3,c:fail:0", NULL));
    for (int hit = 1; hit <= 4; hit++) {
        assert_int_equal(gw_fault_hit("a"), hit == 1);
        assert_int_equal(gw_fault_hit("b"), hit == 3);
        assert_true(gw_fault_hit("c"));
        assert_false(gw_fault_hit("d"));
    }
    assert_ok(gw_faults_configure(NULL, NULL));
}

static void kill_ends_the_process(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (gw_faults_configure("here:kill", NULL) == GW_OK) {
            gw_fault_hit("here");
        }
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(WTERMSIG(how), SIGKILL);
}

static void malformed_lists_are_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {"a", "a:", ":fail", "a:stop", "a:fail:", "a:fail:x", "a:fail:-1", "a:fail:1:2"};
    gw_err err = {0};
    for (size_t i = 0; i < GW_COUNT_OF(lists); i++) {
        assert_fails(gw_faults_configure(lists[i], &err), GW_E_CONFIG);
    }
    assert_string_equal(err.message, "fault 'a:fail:1:2': expected point:kill[:n] or point:fail[:n]");
    assert_false(gw_fault_hit("a"));
}

GW_TESTS(points_are_off_by_default, fail_acts_at_its_hit_only, kill_ends_the_process, malformed_lists_are_refused)
