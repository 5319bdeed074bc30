// SPDX-License-Identifier: MIT
// Where many logs begin or end, in one request a broker: the cheap way to watch a whole cluster.
#include "kafka/admin_internal.h"

#include <string.h>

_Static_assert(GW_KAFKA_OFFSET_END == RD_KAFKA_OFFSET_END && GW_KAFKA_OFFSET_START == RD_KAFKA_OFFSET_BEGINNING,
               "the protocol's own numbers, which stand where a time would");

gw_status gw_kafka_admin_log_offsets(struct gw_kafka_admin *admin, struct gw_kafka_position *positions, size_t count,
                                     uint32_t timeout_ms, gw_err *err)
{
    if (count == 0) {
        return GW_OK;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, positions[i].topic, positions[i].partition)->offset =
            positions[i].offset;
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(admin->handle.rk, list, (int)timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_topic_partition_list_destroy(list);
        return gw_kafka_fail_code(err, code, "log offsets of %zu partitions", count);
    }
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        bool known = element->err == RD_KAFKA_RESP_ERR_NO_ERROR && element->offset >= 0;
        positions[i].offset = known ? element->offset : GW_KAFKA_OFFSET_NONE;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return GW_OK;
}
