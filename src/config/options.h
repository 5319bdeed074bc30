// SPDX-License-Identifier: MIT
// Every option of godwit, once: parsing, checking, `godwit config show` and the getters' ids all come from this table.
//
// X(id, section, key, type, default, min, max, unit, help)
//   type      of GW_CONFIG_TYPES in config.h
//   default   as a user would write it
//   min, max  as a user would write them, "" for none; for TEXT, PATH and LIST the length in bytes
//   unit      for people; for CHOICE the allowed words, separated by '|'
//   help      one sentence: what it does, and what to think of when changing it
// A key that ends in _file is the path of a file that holds a secret, so that no secret stands in a configuration.
// To add an option, add a line; tests/unit/config checks that defaults parse and that names do not collide.
#pragma once

// clang-format off
#define GW_CONFIG_OPTIONS(X)                                                                                           \
X(KAFKA_BOOTSTRAP_SERVERS, "kafka", "bootstrap_servers", LIST, "127.0.0.1:19092", "1", "4096", "host:port,...",        \
  "brokers to ask first; further librdkafka properties pass through as kafka.<property>")                              \
X(KAFKA_CLIENT_ID, "kafka", "client_id", TEXT, "godwit", "1", "200", "",                                               \
  "name of this process in the brokers' logs, metrics and quotas")                                                     \
                                                                                                                       \
X(TOPICS_PREFIX, "topics", "prefix", TEXT, "", "", "100", "",                                                          \
  "put in front of every topic name, for several installations on one cluster")                                        \
X(TOPICS_FILE, "topics", "file", PATH, "topics/topics.ini", "1", "4095", "",                                           \
  "topics with partitions, replication and settings")                                                                  \
X(TOPICS_GROUP_PREFIX, "topics", "group_prefix", TEXT, "godwit", "1", "100", "",                                       \
  "first part of every consumer group's name")                                                                         \
X(TOPICS_TRANSACTIONAL_PREFIX, "topics", "transactional_prefix", TEXT, "godwit", "1", "100", "",                       \
  "first part of every transactional id")                                                                              \
                                                                                                                       \
X(SCHEMA_REGISTRY_URLS, "schema", "registry_urls", LIST, "http://127.0.0.1:18081/apis/ccompat/v7", "1", "4096",        \
  "url,...", "schema registries with Confluent's API, tried in this order")                                            \
X(SCHEMA_DIRECTORY, "schema", "directory", PATH, "schemas", "1", "4095", "",                                           \
  "folder of the records' Avro schemas")                                                                               \
X(SCHEMA_CACHE_DIRECTORY, "schema", "cache_directory", PATH, "state/schemas", "1", "4095", "",                         \
  "folder where schemas of the registry are kept, so that a start survives its absence")                               \
X(SCHEMA_USER, "schema", "user", TEXT, "", "", "200", "",                                                              \
  "user for basic authentication; empty for none")                                                                     \
X(SCHEMA_PASSWORD_FILE, "schema", "password_file", PATH, "", "", "4095", "",                                           \
  "file with the registry user's password")                                                                            \
X(SCHEMA_CA_FILE, "schema", "ca_file", PATH, "", "", "4095", "",                                                       \
  "certificates that vouch for the registry; empty for the system's")                                                  \
                                                                                                                       \
X(REDIS_ADDRESS, "redis", "address", TEXT, "127.0.0.1:16379", "1", "300", "host:port",                                 \
  "Redis that holds the feature rows")                                                                                 \
X(REDIS_PREFIX, "redis", "prefix", TEXT, "gw:", "1", "100", "",                                                        \
  "put in front of every key; changing it starts a new, empty view that fills itself from the topic")                  \
X(REDIS_TIMEOUT, "redis", "timeout", DURATION, "2s", "10ms", "5m", "",                                                 \
  "bound of every call to Redis")                                                                                      \
X(REDIS_PASSWORD_FILE, "redis", "password_file", PATH, "", "", "4095", "",                                             \
  "file with the password; empty for none")                                                                            \
                                                                                                                       \
X(POSTGRES_URI, "postgres", "uri", TEXT, "postgresql://godwit@127.0.0.1:15432/godwit", "1", "4096", "",                \
  "database of the model registry and the feature history")                                                            \
X(POSTGRES_TIMEOUT, "postgres", "timeout", DURATION, "10s", "100ms", "10m", "",                                        \
  "bound of a connect and of every statement")                                                                         \
X(POSTGRES_PASSWORD_FILE, "postgres", "password_file", PATH, "", "", "4095", "",                                       \
  "file with the password; empty for none")                                                                            \
                                                                                                                       \
X(POSTGRES_MIGRATIONS, "postgres", "migrations", PATH, "deploy/postgres", "1", "4095", "",                             \
  "folder of the database's numbered SQL files, which 'db migrate' applies")                                           \
                                                                                                                       \
X(REGISTRY_BASELINE_FEATURE, "registry", "baseline_feature", TEXT, "", "", "128", "",                                  \
  "feature by which the baseline of a new model ranks: what is high is popular; empty for the count of likes")         \
                                                                                                                       \
X(FEATURES_FILE, "features", "file", PATH, "schemas/features.ini", "1", "4095", "",                                    \
  "feature definitions")                                                                                               \
                                                                                                                       \
X(WORKER_INSTANCE, "worker", "instance", TEXT, "0", "1", "64", "",                                                     \
  "name of this process among its equals; part of the transactional ids, so two at once must differ")                  \
X(WORKER_STATE_DIRECTORY, "worker", "state_directory", PATH, "state", "1", "4095", "",                                 \
  "folder for locks and caches; nothing in it is the only copy")                                                       \
X(WORKER_OPS_ADDRESS, "worker", "ops_address", TEXT, "127.0.0.1", "1", "300", "",                                      \
  "where /livez, /readyz and /metrics listen; not loopback needs a token")                                             \
X(WORKER_OPS_PORT_BASE, "worker", "ops_port_base", U64, "9310", "0", "65000", "port",                                  \
  "ops port of the first worker; the others follow in the order of the worker table; 0 takes free ones")               \
X(WORKER_DRAIN_TIMEOUT, "worker", "drain_timeout", DURATION, "20s", "0s", "10m", "",                                   \
  "time to finish and commit what is under way when told to stop")                                                     \
X(WORKER_POLL_RECORDS, "worker", "poll_records", U64, "4096", "1", "100000", "records",                                \
  "largest batch of one poll")                                                                                         \
X(WORKER_POLL_WAIT, "worker", "poll_wait", DURATION, "50ms", "1ms", "5s", "",                                          \
  "longest wait for the first record of a batch")                                                                      \
X(WORKER_RETRY_MAX, "worker", "retry_max", U64, "30", "1", "10000", "retries",                                         \
  "attempts over the same batch while a dependency is away, before the worker gives up and exits")                     \
                                                                                                                       \
X(LOG_LEVEL, "log", "level", CHOICE, "info", "", "", "debug|info|warn|error",                                          \
  "least important messages that are written")                                                                         \
                                                                                                                       \
X(REKEY_COMMIT_INTERVAL, "rekey", "commit_interval", DURATION, "50ms", "1ms", "10s", "",                               \
  "age at which a transaction commits: adds to freshness, divides the broker's work")                                  \
X(REKEY_MARK_INTERVAL, "rekey", "mark_interval", DURATION, "1s", "100ms", "1m", "",                                    \
  "how often progress in time is written to every partition; label windows close with it")                             \
X(REKEY_DUPLICATE_WINDOW, "rekey", "duplicate_window", DURATION, "5m", "0s", "1h", "",                                 \
  "how far back an event id is recognised as a repetition; as much is read again at takeover")                         \
X(REKEY_FUTURE_LIMIT, "rekey", "future_limit", DURATION, "5m", "0s", "1d", "",                                         \
  "an event this far ahead of its append time is a dead letter")                                                       \
X(REKEY_THREADS, "rekey", "threads", U64, "1", "1", "64", "threads",                                                   \
  "members of the consumer group in this process")                                                                     \
                                                                                                                       \
X(AGGREGATE_COMMIT_INTERVAL, "aggregate", "commit_interval", DURATION, "100ms", "1ms", "10s", "",                      \
  "age at which a transaction commits; a row that changes often is written once in each")                              \
X(AGGREGATE_MEMORY, "aggregate", "memory", BYTES, "1GiB", "16MiB", "1TiB", "",                                         \
  "bound of the rows in memory; others are loaded from Redis when touched")                                            \
X(AGGREGATE_THREADS, "aggregate", "threads", U64, "1", "1", "64", "threads",                                           \
  "members of the consumer group in this process")                                                                     \
                                                                                                                       \
X(ONLINE_COMMIT_INTERVAL, "online", "commit_interval", DURATION, "10ms", "1ms", "5s", "",                              \
  "longest wait before rows read are written: adds to freshness")                                                      \
                                                                                                                       \
X(SCORE_MODEL_DIRECTORY, "score", "model_directory", PATH, "state/models", "1", "4095", "",                            \
  "folder where bundles fetched from the registry are kept; nothing in it is the only copy")                           \
X(SCORE_DEFAULT_MODEL, "score", "default_model", TEXT, "heavy-ranker", "1", "128", "",                                 \
  "model that scores requests which name none")                                                                        \
X(SCORE_CACHE, "score", "cache", BYTES, "64MiB", "0", "64GiB", "",                                                     \
  "prediction cache of the synchronous lane; it switches itself off where it does not pay; 0 for none")                \
X(SCORE_CACHE_MAX_AGE, "score", "cache_max_age", DURATION, "5s", "1ms", "10m", "",                                     \
  "how long a cached score is good although decayed features have moved a little")                                     \
X(SCORE_SHADOW_BUDGET, "score", "shadow_budget", DOUBLE, "0.1", "0", "1", "share",                                     \
  "largest share of a lane's time that scoring in the shadow may take; what is over it is left out and counted")       \
X(SCORE_BULK_THREADS, "score", "bulk_threads", U64, "1", "0", "64", "threads",                                         \
  "bulk lanes of this process; 0 for none")                                                                            \
X(SCORE_COMMIT_INTERVAL, "score", "commit_interval", DURATION, "250ms", "1ms", "10s", "",                              \
  "age at which a bulk transaction commits; readers of committed records wait for it")                                 \
X(SCORE_COMMIT_RECORDS, "score", "commit_records", U64, "20000", "1", "10000000", "records",                           \
  "size at which a bulk transaction commits earlier")                                                                  \
X(SCORE_BATCH_CANDIDATES, "score", "batch_candidates", U64, "65536", "1", "16777216", "rows",                          \
  "largest scoring batch; bounds the memory of a lane")                                                                \
X(SCORE_BATCH_TIME, "score", "batch_time", DURATION, "150ms", "5ms", "10s", "",                                        \
  "time that a bulk batch may take: a promoted version waits for the batch under way, larger ones share more rows")    \
X(SCORE_MAX_CANDIDATES, "score", "max_candidates", U64, "2000", "1", "65536", "candidates",                            \
  "a request with more is answered TOO_MANY_CANDIDATES")                                                               \
X(SCORE_SYNC_ENABLED, "score", "sync_enabled", BOOL, "true", "", "", "",                                               \
  "run the synchronous lane in this process")                                                                          \
X(SCORE_SYNC_DEADLINE, "score", "sync_deadline", DURATION, "50ms", "1ms", "10s", "",                                   \
  "time that features may take for a request without a deadline; what is late is missing")                             \
X(SCORE_SERVED_SAMPLE, "score", "served_sample", DOUBLE, "0.01", "0", "1", "share",                                    \
  "share of requests whose candidates are kept for labels and training")                                               \
X(SCORE_SERVED_SAMPLE_SYNC, "score", "served_sample_sync", DOUBLE, "1", "0", "1", "share",                             \
  "the same for the synchronous lane")                                                                                 \
X(SCORE_FLAT_SAMPLE, "score", "flat_sample", DOUBLE, "0.001", "0", "1", "share",                                       \
  "share of requests that are also written as flat rows for sinks")                                                    \
X(SCORE_FEATURE_SAMPLES, "score", "feature_samples", U64, "2000", "0", "1000000", "samples/s",                         \
  "about so many requests of a lane give one candidate for drift detection; a hash chooses; 0 for none")               \
                                                                                                                       \
X(LABEL_COMMIT_INTERVAL, "label", "commit_interval", DURATION, "250ms", "1ms", "10s", "",                              \
  "age at which a transaction commits; a window that changes often is written once in each")                           \
X(LABEL_THREADS, "label", "threads", U64, "1", "1", "64", "threads",                                                   \
  "members of the consumer group in this process")                                                                     \
X(LABEL_WINDOW, "label", "window", DURATION, "3h", "1s", "7d", "",                                                     \
  "how long after it was served an action still counts; an example is final when it is over")                          \
X(LABEL_SETTLE, "label", "settle", DURATION, "1m", "1ms", "1h", "",                                                    \
  "how far served records and actions may trail each other in time; at most the window")                               \
X(LABEL_WINDOWS_MAX, "label", "windows_max", U64, "2000000", "1", "100000000", "windows",                              \
  "open windows of a thread at which it stops reading served candidates")                                              \
X(LABEL_ACTIONS_MAX, "label", "actions_max", U64, "1000000", "1", "100000000", "actions",                              \
  "actions held by a thread at which it stops reading actions")                                                        \
X(LABEL_MEMORY, "label", "memory", BYTES, "1GiB", "1MiB", "1TiB", "",                                                  \
  "features and scores of open windows of a thread at which it stops reading served candidates")                       \
X(LABEL_SAMPLE_RATE, "label", "sample_rate", U64, "2000", "1", "1000000", "samples/s",                                 \
  "most samples a thread gives to the monitor; beyond it a hash chooses, and weights say so")                          \
                                                                                                                       \
X(MONITOR_WINDOW, "monitor", "window", DURATION, "5m", "1s", "1d", "",                                                 \
  "length of the windows of event time in which live quality is measured; changing it starts open windows anew")       \
X(MONITOR_LATENESS, "monitor", "lateness", DURATION, "5m", "0s", "1d", "",                                             \
  "how long past its end a window waits for samples; more than partitions of label differ in time")                    \
X(MONITOR_AHEAD, "monitor", "ahead", DURATION, "1m", "0s", "1d", "",                                                   \
  "samples that were served this much later than they were appended are dropped: their clock is wrong")                \
X(MONITOR_WINDOWS_MAX, "monitor", "windows_max", U64, "64", "1", "100000", "windows",                                  \
  "open windows of a model, each of a version and variant; one takes 67 KiB for each head")                            \
X(MONITOR_MODELS_MAX, "monitor", "models_max", U64, "256", "1", "100000", "models",                                    \
  "models of a partition; samples of others are counted and dropped")                                                  \
X(MONITOR_COMMIT_INTERVAL, "monitor", "commit_interval", DURATION, "5s", "1ms", "10s", "",                             \
  "age at which a transaction commits, sooner when it holds an alert; state that changed is written once in each")     \
X(MONITOR_THREADS, "monitor", "threads", U64, "1", "1", "64", "threads",                                               \
  "members of the consumer group in this process")                                                                     \
X(MONITOR_DRIFT_DAYS, "monitor", "drift_days", DOUBLE, "30", "0.001", "36500", "days",                                 \
  "mean time between false alarms of one version's features and score together, or of one head's loss")                \
X(MONITOR_DRIFT_RATE, "monitor", "drift_rate", DOUBLE, "4000", "0.001", "1000000", "samples/s",                        \
  "rate of samples for which drift_days holds, that of two lanes by default; at a lower one false alarms are rarer")   \
X(MONITOR_DRIFT_NAMES, "monitor", "drift_names", DOUBLE, "0.01", "0.000001", "1", "share",                             \
  "share of the streams that an alarm names which may be named wrongly (alpha of e-BH)")                               \
X(MONITOR_DRIFT_CALM, "monitor", "drift_calm", DURATION, "1m", "1s", "7d", "",                                         \
  "time without evidence after which an alert closes")                                                                 \
X(MONITOR_DRIFT_COOLDOWN, "monitor", "drift_cooldown", DURATION, "10m", "0s", "30d", "",                               \
  "time after an alert has closed in which its stream opens no other one")                                             \
X(MONITOR_DRIFT_UPDATE, "monitor", "drift_update", DURATION, "5m", "1s", "7d", "",                                     \
  "time between updates of an alert that stays open")                                                                  \
X(MONITOR_VERSIONS_MAX, "monitor", "versions_max", U64, "32", "1", "10000", "versions",                                \
  "versions of a partition that are watched for drift; the one sampled longest ago makes room")                        \
X(MONITOR_VERSION_IDLE, "monitor", "version_idle", DURATION, "15m", "1s", "30d", "",                                   \
  "a version that gave no sample for so long while another one of its model did is watched no more")                   \
                                                                                                                       \
X(RETRAIN_ENABLED, "retrain", "enabled", BOOL, "true", "", "", "",                                                     \
  "kill switch: false refuses every training, and records that")                                                       \
X(RETRAIN_COOLDOWN, "retrain", "cooldown", DURATION, "10m", "0s", "365d", "",                                          \
  "time after a training of a model in which it is not trained again")                                                 \
X(RETRAIN_INTERVAL, "retrain", "interval", DURATION, "0s", "0s", "365d", "",                                           \
  "train every model with a champion once in each such span; 0s for only when asked")                                  \
X(RETRAIN_HISTORY, "retrain", "history", DURATION, "0s", "0s", "3650d", "",                                            \
  "examples served longer ago are left out, so that an old truth is not learned; 0s for all there are")                \
X(RETRAIN_ROWS_MAX, "retrain", "rows_max", U64, "1000000", "100", "100000000", "rows",                                 \
  "newest examples of a data set; bounds memory and disk")                                                             \
X(RETRAIN_ROWS_MIN, "retrain", "rows_min", U64, "1000", "10", "100000000", "rows",                                     \
  "with fewer examples nothing is trained")                                                                            \
X(RETRAIN_POSITIVES_MIN, "retrain", "positives_min", U64, "50", "1", "100000000", "rows",                              \
  "with fewer examples of the rarer class of any head's label to learn from nothing is trained")                       \
X(RETRAIN_HEADS, "retrain", "heads", TEXT, "is_favorited", "1", "1000", "label[:weight],...",                          \
  "what to learn when the champion has no head named as a label; the first is the primary one")                        \
X(RETRAIN_HOLDOUT, "retrain", "holdout", DOUBLE, "0.2", "0.05", "0.5", "share",                                        \
  "latest examples that are kept from the trainer and decide at the gate")                                             \
X(RETRAIN_MARGIN, "retrain", "margin", DOUBLE, "0.002", "0", "1", "nats",                                              \
  "log loss by which a candidate may be worse: it passes when more than this is ruled out")                            \
X(RETRAIN_ALPHA, "retrain", "alpha", DOUBLE, "0.05", "0.000001", "0.5", "probability",                                 \
  "chance that a candidate which is worse by the margin passes")                                                       \
X(RETRAIN_TREES, "retrain", "trees", U64, "200", "1", "10000", "trees",                                                \
  "most trees a head")                                                                                                 \
X(RETRAIN_DEPTH, "retrain", "depth", U64, "6", "1", "16", "levels",                                                    \
  "depth of a tree")                                                                                                   \
X(RETRAIN_ETA, "retrain", "eta", DOUBLE, "0.1", "0.000001", "1", "",                                                   \
  "learning rate")                                                                                                     \
X(RETRAIN_SEED, "retrain", "seed", U64, "1", "0", "2147483647", "",                                                    \
  "seed of the trainer; part of the manifest")                                                                         \
X(RETRAIN_THREADS, "retrain", "threads", U64, "1", "1", "1024", "threads",                                             \
  "threads of the trainer; part of the manifest, because other sums give other bytes")                                 \
X(RETRAIN_MEMORY, "retrain", "memory", BYTES, "8GiB", "0", "16TiB", "",                                                \
  "address space of the trainer; 0 for no limit")                                                                      \
X(RETRAIN_TIME_LIMIT, "retrain", "time_limit", DURATION, "1h", "1s", "30d", "",                                        \
  "a training that takes longer is ended and the run has failed")                                                      \
X(RETRAIN_SHADOW, "retrain", "shadow", DURATION, "30s", "0s", "30d", "",                                               \
  "how long a version that passed scores unseen before it is promoted")                                                \
X(RETRAIN_CANARY, "retrain", "canary", DURATION, "30s", "0s", "30d", "",                                               \
  "how long a version then serves a share of users before it is promoted; under label.window no outcome is known yet") \
X(RETRAIN_CANARY_SHARE, "retrain", "canary_share", DOUBLE, "0.1", "0.0001", "0.5", "share",                            \
  "that share")                                                                                                        \
X(RETRAIN_ROLLBACK, "retrain", "rollback", BOOL, "true", "", "", "",                                                   \
  "take a promotion or canary back when rows served since then prove it worse than what it replaced, whoever did it")  \
X(RETRAIN_PROBATION, "retrain", "probation", DURATION, "1d", "1s", "365d", "",                                         \
  "rows served within so long after a promotion are evidence about it")                                                \
X(RETRAIN_WORSE_MARGIN, "retrain", "worse_margin", DOUBLE, "0.005", "0", "1", "nats",                                  \
  "log loss by which a promoted version may be worse: over the gate's margin, as it is judged on what it chose itself")\
X(RETRAIN_WORSE_ALPHA, "retrain", "worse_alpha", DOUBLE, "0.001", "0.000000001", "0.5", "probability",                 \
  "chance that a promotion is taken back which is not worse by that margin, over its whole probation")                 \
X(RETRAIN_DECAY, "retrain", "decay", DOUBLE, "0.05", "0.001", "10", "share",                                           \
  "rise of a champion's live normalised entropy over its value at training that asks for a training")                  \
X(RETRAIN_REFERENCE_MAX, "retrain", "reference_max", U64, "200000", "1000", "10000000", "rows",                        \
  "newest feature samples that become a version's drift reference")                                                    \
                                                                                                                       \
X(BRIDGE_ADDRESS, "bridge", "address", TEXT, "127.0.0.1", "1", "300", "",                                              \
  "where dashboard and API listen; not loopback needs a token")                                                        \
X(BRIDGE_PORT, "bridge", "port", U64, "3000", "0", "65535", "port",                                                    \
  "dashboard and API; 0 takes a free one")                                                                             \
X(BRIDGE_API_PORT, "bridge", "api_port", U64, "8080", "0", "65535", "port",                                            \
  "the API alone; 0 takes a free one")                                                                                 \
X(BRIDGE_TOKEN_FILE, "bridge", "token_file", PATH, "", "", "4095", "",                                                 \
  "file with the token that callers must show; empty for none, and then only loopback is served")                      \
X(BRIDGE_PREDICT_TIMEOUT, "bridge", "predict_timeout", DURATION, "500ms", "10ms", "10s", "",                           \
  "how long a caller waits for a prediction before 504")                                                               \
X(BRIDGE_MAX_BODY, "bridge", "max_body", BYTES, "1MiB", "1KiB", "64MiB", "",                                           \
  "largest request body")                                                                                              \
X(BRIDGE_MAX_IN_FLIGHT, "bridge", "max_in_flight", U64, "4096", "1", "1000000", "requests",                            \
  "predictions waiting at once; further callers get 503")                                                              \
X(BRIDGE_REPLY_PARTITION, "bridge", "reply_partition", I64, "-1", "-1", "100000", "partition",                         \
  "own partition of the reply topic; -1 derives it from the instance")                                                 \
X(BRIDGE_THREADS, "bridge", "threads", U64, "1", "1", "64", "threads",                                                 \
  "threads that serve HTTP")                                                                                           \
                                                                                                                       \
X(SIMULATE_SEED, "simulate", "seed", U64, "1", "", "", "",                                                             \
  "the same seed gives the same world and the same events")                                                            \
X(SIMULATE_USERS, "simulate", "users", U64, "10000", "1", "100000000", "users",                                        \
  "users of the simulated platform")                                                                                   \
X(SIMULATE_AUTHORS, "simulate", "authors", U64, "1000", "1", "100000000", "authors",                                   \
  "users who also write")                                                                                              \
X(SIMULATE_ITEMS, "simulate", "items", U64, "20000", "1", "100000000", "items",                                        \
  "what the authors have written")                                                                                     \
X(SIMULATE_RATE, "simulate", "rate", U64, "20", "1", "1000000", "requests/s",                                          \
  "requests a second, on average over a day; events follow from them")
// clang-format on
