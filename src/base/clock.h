// SPDX-License-Identifier: MIT
// The only place that asks the operating system for the time. Monotonic time is for durations, wall time for records.
#pragma once

#include <stdint.h>

uint64_t gw_clock_mono_us(void);
int64_t gw_clock_wall_ms(void);
int64_t gw_clock_wall_us(void);

// CPU time of the calling thread, for cost accounting.
uint64_t gw_clock_thread_cpu_ns(void);
