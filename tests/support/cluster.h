// SPDX-License-Identifier: MIT
// A godwit installation of its own on the shared services: fresh topics, groups, transactional ids, Redis keys,
// database schema and state directory for each test, and its workers as child processes of the real binary.
//
// Where services and binary are comes from the environment, as tests/run exports it. A cluster is begun and ended by
// the test's thread; ending it kills its processes and removes its directory. A wait in vain prints the ends of all
// their logs.
#pragma once

#include "support/proc.h"
#include "support/testkit.h"

#include "kafka/admin.h"
#include "kafka/producer.h"
#include "integration/registry_fixture.h"
#include "worker/ledger.h"
#include "worker/runtime.h"

#define CLUSTER_SETS_MAX   32
#define CLUSTER_WAIT_MS    40000u
#define CLUSTER_ENTITIES   2 // partitions of the entity topics
#define CLUSTER_PARTITIONS 2 // of the others that have more than one

struct cluster {
    char name[64];
    char directory[256];
    char bundle[300];                 // directory of the test model that is registered
    char sets[CLUSTER_SETS_MAX][512]; // key=value
    size_t set_count;
    struct registry_fixture registry; // its schema in PostgreSQL, with this build's tables
    struct gw_config *config;
    struct gw_runtime runtime; // of the test program: names, schemas, features
    struct gw_kafka_admin *admin;
    struct gw_kafka_producer *producer; // idempotent, for source records
    atomic_bool stop;
    struct gw_buf value; // scratch of records.h
};

// `more` (NULL-terminated "key=value", or NULL) holds for the test program and every worker. Makes the topics,
// registers the schemas, and makes the test model (support/model.h) version 1 and champion of TEST_MODEL_NAME, which is
// the default model, and publishes it. Starts nothing. Where `more` names a postgres.uri, the test makes its own
// models.
void cluster_begin(struct cluster *cluster, const char *name, const char *const *more);
void cluster_end(struct cluster *cluster);

struct cluster_worker {
    struct proc *proc;
    uint16_t ops_port;
};

// Runs `godwit run WORKER` with the cluster's settings, an ops port of its own, short sessions, and `more`. Logs go to
// WORKER.log in the directory.
struct cluster_worker cluster_run(struct cluster *cluster, const char *worker, const char *const *more);

// The same, and waits for /readyz.
struct cluster_worker cluster_run_ready(struct cluster *cluster, const char *worker, const char *const *more);

void cluster_wait_ready(struct cluster_worker *worker);

// Drains it by SIGTERM once it is ready: it must end well, sanitizers included.
void cluster_stop(struct cluster_worker *worker);

// Committed offset and ledger of a group on one partition, asked when stable.
void cluster_ledger(struct cluster *cluster, const char *group, const char *topic, int32_t partition,
                    int64_t *ret_offset, struct gw_ledger *ret_ledger);

// Sum of the ledgers over a topic's partitions.
struct gw_ledger cluster_ledger_sum(struct cluster *cluster, const char *group, enum gw_topic topic);

// Connection to the cluster's part of Redis.
struct gw_store *cluster_store(struct cluster *cluster);

// Value of a counter on the worker's /metrics: the sum over the lines that begin with `prefix`; -1 when there is none.
double cluster_metric(const struct cluster_worker *worker, const char *prefix);
