// SPDX-License-Identifier: MIT
// Child processes of a test: started with a log file, watched through it, always reaped.
//
// A child dies with the test program, however that ends (parent-death signal), and at the latest when it exits. Nothing
// here sleeps a fixed time: every wait is for a condition, with a deadline that fails the test.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct proc;

// Starts argv[0] with stdout and stderr appended to `log_path`. `name` is for messages. The handle lives until
// proc_forget_all.
struct proc *proc_start(const char *name, const char *const *argv, const char *log_path);

bool proc_running(struct proc *proc);   // reaps it when it has ended
long proc_pid(const struct proc *proc); // of one that runs
long proc_child(const struct proc *proc); // of its child, when it has one; 0: none

// Sends the signal; the child may live on (SIGSTOP, SIGCONT, SIGTERM).
void proc_signal(struct proc *proc, int signal_number);

// SIGKILL, and reaped. A child that has already ended by itself fails the test: it should have lived.
void proc_kill(struct proc *proc);

// SIGTERM, and waits for the exit, whose code must be `exit_code`; prints the log's end when it is another.
void proc_stop(struct proc *proc, int exit_code, uint32_t deadline_ms);

// Waits for an exit that the child comes to by itself and gives its code; -1 when a signal ended it.
int proc_wait(struct proc *proc, uint32_t deadline_ms);

// Whether the log of this child (not of earlier ones in the same file) contains the text.
bool proc_logged(const struct proc *proc, const char *text);
void proc_print_log(const struct proc *proc);

// Waits until GET `path` on 127.0.0.1:port answers 200. Fails when the child dies or the deadline passes.
void proc_wait_http_ok(struct proc *proc, uint16_t port, const char *path, uint32_t deadline_ms);

// One GET; the status, or -1 when nobody answers. `body` (may be NULL) gets what fits, NUL-terminated.
int http_get(uint16_t port, const char *path, char *body, unsigned size);

// Kills and reaps whatever still runs. Also runs at exit.
void proc_forget_all(void);

// Polls `condition` until it holds; fails the test after the deadline, naming `what`.
typedef bool (*wait_condition)(void *context);
void wait_until(wait_condition condition, void *context, uint32_t deadline_ms, const char *what);

// A TCP port that was free a moment ago.
uint16_t free_port(void);
