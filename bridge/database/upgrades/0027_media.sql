-- Media: what events refer to, what became of each link, and the files, each stored once under its hash.

-- Files that the store of `archive.media` holds. Rows are only added.
CREATE TABLE media_file (
    sha256    bytea PRIMARY KEY,                 -- of its bytes, which is also its name in the store
    size      bigint NOT NULL,                   -- bytes
    mimetype  text NOT NULL,                     -- as the homeserver said when it was fetched first
    stored_at timestamptz NOT NULL DEFAULT now()
);

-- What is known of each mxc URI that was ever referred to.
CREATE TABLE media_link (
    mxc       text COLLATE "C" PRIMARY KEY,
    is_remote boolean NOT NULL,                  -- another homeserver's; fetched behind our own's
    state     text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'stored', 'gone', 'failed', 'too_large')),
    sha256    bytea REFERENCES media_file,
    reason    text,                              -- why it is not there, or not yet
    needs     bigint,                            -- when too large: bytes that the limit would have to be
    tries     int NOT NULL DEFAULT 0,
    next_try  timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'stored') = (sha256 IS NOT NULL)),
    CHECK ((state = 'too_large') = (needs IS NOT NULL))
);

CREATE INDEX media_link_waiting ON media_link (is_remote, next_try) WHERE state = 'waiting';
CREATE INDEX media_link_too_large ON media_link (needs) WHERE state = 'too_large';
CREATE INDEX media_link_sha256 ON media_link (sha256);

-- Which event refers to which link, and what its sender says about it.
CREATE TABLE media_reference (
    seq      bigint NOT NULL REFERENCES event,
    mxc      text COLLATE "C" NOT NULL REFERENCES media_link,
    place    text NOT NULL,                      -- file, thumbnail, avatar, inline
    name     text NOT NULL,
    mimetype text NOT NULL,
    size     bigint,
    PRIMARY KEY (seq, mxc)
);

CREATE INDEX media_reference_mxc ON media_reference (mxc);

-- The media of events, for whoever reads them.
CREATE VIEW event_media AS
SELECT reference.seq, mxc, reference.place, reference.name, reference.mimetype, reference.size AS claimed_size,
       link.sha256, file.size, link.state,
       CASE WHEN file.size <> reference.size
            THEN format('the sender claims %s bytes, it has %s', reference.size, file.size)
            ELSE link.reason END AS reason
FROM media_reference reference JOIN media_link link USING (mxc) LEFT JOIN media_file file USING (sha256);
