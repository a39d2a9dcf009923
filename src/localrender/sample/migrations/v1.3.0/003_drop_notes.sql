-- irreversible
-- What the notes said is gone after this.
ALTER TABLE orders DROP COLUMN note;
