// SPDX-License-Identifier: MIT
// The parts of a plan. Private to this folder.
#pragma once

#include "admin/topics_plan.h"

// Appends a step; *ret_step (may be NULL) is valid until the next one.
GW_CHECK gw_status gw_topics_step_add(struct gw_topics_plan *plan, enum gw_topics_verb verb, const char *subject,
                                      struct gw_topics_step **ret_step, gw_err *err, const char *format, ...)
    GW_PRINTF(6, 7);

// Plan (apply false) or do what a group's offsets, or a topic's log id, need.
GW_CHECK gw_status gw_topics_group_step(const struct gw_topics_cluster *cluster, const struct gw_topics_group *group,
                                        bool apply, struct gw_topics_plan *plan, gw_err *err);
GW_CHECK gw_status gw_topics_log_id_step(const struct gw_topics_cluster *cluster, const struct gw_topic_def *topic,
                                         bool apply, struct gw_topics_plan *plan, gw_err *err);
