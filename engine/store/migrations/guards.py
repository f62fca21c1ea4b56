"""Triggers that keep ``event`` append-only: no UPDATE, DELETE, TRUNCATE, REPLACE, no INSERT that forks or skips."""

SQLITE = (
    """
    CREATE TRIGGER event_insert_continues BEFORE INSERT ON event
    WHEN EXISTS (SELECT 1 FROM event WHERE stream = NEW.stream AND number = NEW.number)
      OR (NEW.number = 1 AND NEW.previous <> zeroblob(32))
      OR (NEW.number <> 1 AND NOT EXISTS (
          SELECT 1 FROM event WHERE stream = NEW.stream AND number = NEW.number - 1 AND hash = NEW.previous))
    BEGIN SELECT RAISE(ABORT, 'the event does not continue its stream'); END
    """,
    """
    CREATE TRIGGER event_no_update BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END
    """,
    """
    CREATE TRIGGER event_no_delete BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END
    """,
)

# One look per statement, whatever the number of rows: with the primary key, "every new row has its predecessor" rules
# out gaps and forks. The planner may not choose a plan made for the empty table of the first day.
POSTGRESQL = (
    """
    CREATE FUNCTION event_insert_continues() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    BEGIN
        IF EXISTS (
            SELECT 1 FROM fresh LEFT JOIN event ON event.stream = fresh.stream AND event.number = fresh.number - 1
            WHERE CASE WHEN fresh.number = 1 THEN fresh.previous <> decode(repeat('00', 32), 'hex')
                       ELSE event.hash IS DISTINCT FROM fresh.previous END
        ) THEN
            RAISE EXCEPTION 'the event does not continue its stream';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER event_insert_continues AFTER INSERT ON event
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION event_insert_continues()
    """,
    """
    CREATE FUNCTION event_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'history is append-only'; END $$
    """,
    """
    CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION event_refuse()
    """,
    # A completion rewrites the instance's row: with room on its page no index has to follow it.
    "ALTER TABLE process_instance SET (fillfactor = 70)",
    "ALTER TABLE task SET (fillfactor = 85)",
    # Sealed bytes do not compress: do not try.
    "ALTER TABLE process_instance ALTER sealed_state SET STORAGE EXTERNAL",
    "ALTER TABLE event_value ALTER sealed SET STORAGE EXTERNAL",
    "ALTER TABLE attachment_chunk ALTER sealed SET STORAGE EXTERNAL",
)
