-- The model registry: models, versions, artefacts, and the one append-only history that everything else follows from.
--
-- registry_events is the truth and the outbox at once: each change appends one row, numbered without gaps under the lock
-- of registry_clock's only row, so that the order of numbers is the order of commits. The relay publishes rows in that
-- order to model_events and, where a row carries a route, to model_routes.

CREATE TABLE registry_clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    sequence bigint NOT NULL,            -- of the last event
    at timestamptz NOT NULL              -- of the last event; never goes back
);
INSERT INTO registry_clock VALUES (true, 0, 'epoch');

CREATE TABLE registry_models (
    name text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9._-]{1,128}$'),
    description text NOT NULL DEFAULT '',
    salt text NOT NULL,                  -- of the bucket hash; sticky for the model's life
    revision bigint NOT NULL,            -- sequence of the last event: the ETag
    last_version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);

-- One file, content-addressed, in pieces of at most 1 MiB.
CREATE TABLE registry_blobs (
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
    size bigint NOT NULL CHECK (size >= 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE registry_blob_pieces (
    digest text NOT NULL REFERENCES registry_blobs ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    bytes bytea NOT NULL CHECK (octet_length(bytes) <= 1048576),
    PRIMARY KEY (digest, position)
);
ALTER TABLE registry_blob_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL; -- speed before size: models load while callers wait

-- A bundle: its digest is that of bundle.json, which names all its files.
CREATE TABLE registry_artefacts (
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE registry_artefact_files (
    artefact text NOT NULL REFERENCES registry_artefacts ON DELETE CASCADE,
    name text NOT NULL,
    blob text NOT NULL REFERENCES registry_blobs,
    PRIMARY KEY (artefact, name)
);
CREATE INDEX registry_artefact_files_blob ON registry_artefact_files (blob);

CREATE TABLE registry_versions (
    model text NOT NULL REFERENCES registry_models,
    version integer NOT NULL CHECK (version > 0),
    digest text NOT NULL,                -- stays when the artefact is collected
    artefact text REFERENCES registry_artefacts,  -- NULL: archived, the artefact may be collected
    state text NOT NULL CHECK (state IN ('REGISTERED', 'VERIFIED', 'SHADOW', 'CANARY', 'CHAMPION', 'RETIRED', 'REJECTED')),
    variant text NOT NULL DEFAULT '',    -- of a canary
    weight integer NOT NULL DEFAULT 0 CHECK (weight BETWEEN 0 AND 10000), -- of a canary
    description text NOT NULL DEFAULT '',
    tags jsonb NOT NULL DEFAULT '{}',
    signature jsonb NOT NULL,            -- features, layout, heads, primary
    metrics jsonb NOT NULL DEFAULT '{}',
    lineage jsonb NOT NULL DEFAULT '{}', -- training manifest, code revision, ...
    parent_version integer NOT NULL DEFAULT 0,
    rejected_because text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (model, version)
);
CREATE UNIQUE INDEX registry_versions_champion ON registry_versions (model) WHERE state = 'CHAMPION';
CREATE INDEX registry_versions_artefact ON registry_versions (artefact);

CREATE TABLE registry_events (
    sequence bigint PRIMARY KEY,
    model text NOT NULL,
    version integer NOT NULL,            -- 0: of the model
    transition text NOT NULL,            -- create, register, verify, promote, ...
    from_state text NOT NULL,
    to_state text NOT NULL,
    digest text NOT NULL,
    parent_version integer NOT NULL DEFAULT 0,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    route jsonb                          -- the routing table from here on, when this event changed it
);
CREATE INDEX registry_events_model ON registry_events (model, sequence);
CREATE INDEX registry_events_routes ON registry_events (model, at, sequence) WHERE route IS NOT NULL;

CREATE FUNCTION registry_events_are_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'registry_events is append-only';
END $$;
CREATE TRIGGER registry_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry_events
    FOR EACH STATEMENT EXECUTE FUNCTION registry_events_are_appended();

-- How far the relay has published: a hint for people and for a topic that retention has emptied; the topic knows better.
CREATE TABLE registry_relay (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    published bigint NOT NULL,
    at timestamptz NOT NULL
);
INSERT INTO registry_relay VALUES (true, 0, 'epoch');

-- Answers to repeated requests.
CREATE TABLE registry_repeats (
    key text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 200),
    request text NOT NULL,               -- what was asked, canonical
    sequence bigint NOT NULL,            -- of the event that it caused
    version integer NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX registry_repeats_at ON registry_repeats (at);
