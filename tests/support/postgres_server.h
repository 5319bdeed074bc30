// SPDX-License-Identifier: MIT
// A PostgreSQL of the test's own, which it may kill: in a folder below /tmp, on a free port, as the user that
// deploy/lib/postgres.sh would take. Fails the test when it cannot be started; nothing is skipped.
//
// What was committed survives a kill of its processes: commits are written before they are acknowledged, and only the
// operating system is not waited for.
#pragma once

#include "support/proc.h"

struct postgres_server {
    char directory[64];
    char uri[128]; // of its superuser's database; trusted
    uint16_t port;
    struct proc *proc;
};

// Makes it and waits until it answers.
void postgres_server_begin(struct postgres_server *server);

// SIGKILL to all of its processes at once; returns when they are gone.
void postgres_server_kill(struct postgres_server *server);

// Starts it again after a kill; it recovers meanwhile.
void postgres_server_start(struct postgres_server *server);

bool postgres_server_answers(struct postgres_server *server);

// Kills it when it runs and removes its folder.
void postgres_server_end(struct postgres_server *server);
