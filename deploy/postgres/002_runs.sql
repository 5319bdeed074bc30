-- Retraining: runs as rows of a state machine, and what each decided. A run is keyed by the record that asked for it, so
-- that reading the record again makes no second run. A decision not to train is a run that was REFUSED at once.
--
--   REQUESTED → DATASET → TRAINING → GATING → REGISTERED → SHADOW → PROMOTED
--   and from each of those                                         → REFUSED, FAILED, CANCELLED

CREATE TABLE registry_runs (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,200}$'), -- <topic>-<partition>-<offset>
    topic text NOT NULL,                 -- of the record that asked, without the installation's prefix
    partition_id integer NOT NULL,
    record_offset bigint NOT NULL,
    model text NOT NULL,
    state text NOT NULL CHECK (state IN ('REQUESTED', 'DATASET', 'TRAINING', 'GATING', 'REGISTERED', 'SHADOW',
                                         'PROMOTED', 'REFUSED', 'FAILED', 'CANCELLED')),
    reason text NOT NULL,                -- why it was asked for
    actor text NOT NULL,                 -- who asked
    verdict text NOT NULL DEFAULT '',    -- why it is in its last state
    requested_at timestamptz NOT NULL,   -- by the record
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    attempt integer NOT NULL DEFAULT 0,  -- of the worker that drives it; an older one changes nothing any more
    trainings integer NOT NULL DEFAULT 0,     -- how often the trainer was started; bounded
    parent_version integer NOT NULL DEFAULT 0, -- the champion that the candidate is compared with, 0 none
    manifest text NOT NULL DEFAULT '',   -- canonical JSON, from DATASET on
    manifest_hash text NOT NULL DEFAULT '',
    rows bigint NOT NULL DEFAULT 0,      -- of the data set
    digest text NOT NULL DEFAULT '',     -- of the bundle, from GATING on
    gate jsonb,                          -- the gate's verdict and numbers
    version integer NOT NULL DEFAULT 0,  -- that was registered
    shadow_until timestamptz,
    cancel_by text NOT NULL DEFAULT '',  -- who wants it to end; '' nobody
    UNIQUE (topic, partition_id, record_offset)
);
CREATE UNIQUE INDEX registry_runs_active ON registry_runs (model)
    WHERE state IN ('REQUESTED', 'DATASET', 'TRAINING', 'GATING', 'REGISTERED', 'SHADOW');
CREATE INDEX registry_runs_model ON registry_runs (model, created_at);
CREATE INDEX registry_runs_created ON registry_runs (created_at, id);

-- Progress of a training, a point a head and round.
CREATE TABLE registry_run_curves (
    run text NOT NULL REFERENCES registry_runs ON DELETE CASCADE,
    head text NOT NULL,
    round integer NOT NULL,
    log_loss double precision NOT NULL,
    PRIMARY KEY (run, head, round)
);
