// SPDX-License-Identifier: MIT
// A dead letter: the record as it came, plus headers that say what was wrong with it and where it stood. Header names
// are those of Kafka Streams (KIP-1034), so that existing tools read them.
#pragma once

#include "kafka/consumer.h"
#include "kafka/producer.h"

struct gw_loop;

#define GW_DEAD_LETTER_ATTEMPT_HEADER "x-attempt"

GW_CHECK gw_status gw_dead_letter_emit(struct gw_loop *loop, const char *dlq_topic, const char *topic,
                                       const struct gw_kafka_record *record, gw_status status, const char *reason,
                                       gw_err *err);
