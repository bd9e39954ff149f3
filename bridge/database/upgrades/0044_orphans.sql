-- Files that no event refers to any more, once those that did were disposed of.

-- Links that lost a reference, until somebody has looked whether it was the last.
CREATE TABLE media_orphan (
    mxc text COLLATE "C" PRIMARY KEY
);

-- Whether it lost a link, until somebody has looked whether it was the last.
ALTER TABLE media_file ADD COLUMN is_leaving boolean NOT NULL DEFAULT false;
CREATE INDEX media_file_leaving ON media_file (sha256) WHERE is_leaving;

WITH unlinked AS (
    DELETE FROM media_reference USING disposed WHERE media_reference.seq = disposed.seq RETURNING mxc
)
INSERT INTO media_orphan SELECT DISTINCT mxc FROM unlinked;

-- Events that came encrypted and were read refer to files too, which were not noted until now.
DELETE FROM feed_cursor WHERE consumer = 'media' AND EXISTS (SELECT FROM plaintext);
