-- Retraining: a version that passed serves a share of users before it is promoted.
--
--   ... → REGISTERED → SHADOW → CANARY → PROMOTED       SHADOW and CANARY may be left out

ALTER TABLE registry_runs DROP CONSTRAINT registry_runs_state_check;
ALTER TABLE registry_runs ADD CONSTRAINT registry_runs_state_check
    CHECK (state IN ('REQUESTED', 'DATASET', 'TRAINING', 'GATING', 'REGISTERED', 'SHADOW', 'CANARY',
                     'PROMOTED', 'REFUSED', 'FAILED', 'CANCELLED'));
ALTER TABLE registry_runs ADD COLUMN canary_until timestamptz;

DROP INDEX registry_runs_active;
CREATE UNIQUE INDEX registry_runs_active ON registry_runs (model)
    WHERE state IN ('REQUESTED', 'DATASET', 'TRAINING', 'GATING', 'REGISTERED', 'SHADOW', 'CANARY');
