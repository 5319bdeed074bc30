// SPDX-License-Identifier: MIT
#include "base/faults.h"

#include "base/ini.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct fault {
    char point[64];
    bool kill;
    uint64_t at; // hit at which it acts, 0: every
    _Atomic uint64_t hits;
};

atomic_bool gw_faults_on;
static struct fault faults[GW_FAULTS_MAX];
static size_t fault_count;

static gw_status parse_fault(const char *text, size_t length, struct fault *fault, gw_err *err)
{
    char copy[128];
    if (length >= sizeof copy) {
        return gw_fail(err, GW_E_CONFIG, "fault '%.*s...' is too long", 40, text);
    }
    memcpy(copy, text, length);
    copy[length] = '\0';

    char *rest = copy;
    const char *point = strsep(&rest, ":");
    const char *action = rest != NULL ? strsep(&rest, ":") : "";
    int64_t at = 1;
    bool kill = strcmp(action, "kill") == 0;
    if (point[0] == '\0' || strlen(point) >= sizeof fault->point || (!kill && strcmp(action, "fail") != 0) ||
        (rest != NULL && (gw_parse_i64(rest, &at, NULL) != GW_OK || at < 0))) {
        return gw_fail(err, GW_E_CONFIG, "fault '%.*s': expected point:kill[:n] or point:fail[:n]", (int)length, text);
    }
    snprintf(fault->point, sizeof fault->point, "%s", point);
    fault->kill = kill;
    fault->at = (uint64_t)at;
    atomic_store_explicit(&fault->hits, 0, memory_order_relaxed);
    return GW_OK;
}

gw_status gw_faults_configure(const char *list, gw_err *err)
{
    atomic_store(&gw_faults_on, false);
    fault_count = 0;
    for (const char *at = list; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (fault_count == GW_FAULTS_MAX) {
            return gw_fail(err, GW_E_CONFIG, "more than %d faults", GW_FAULTS_MAX);
        }
        GW_TRY(parse_fault(at, length, &faults[fault_count], err));
        fault_count++;
        at += length + (at[length] == ',' ? 1 : 0);
    }
    atomic_store(&gw_faults_on, fault_count > 0);
    return GW_OK;
}

bool gw_fault_act(const char *point)
{
    for (size_t i = 0; i < fault_count; i++) {
        struct fault *fault = &faults[i];
        if (strcmp(fault->point, point) != 0) {
            continue;
        }
        uint64_t hit = atomic_fetch_add_explicit(&fault->hits, 1, memory_order_relaxed) + 1;
        if (fault->at != 0 && fault->at != hit) {
            continue;
        }
        if (fault->kill) {
            raise(SIGKILL);
        }
        return true;
    }
    return false;
}
