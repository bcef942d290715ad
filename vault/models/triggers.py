"""Rules that hold below the services, for every role, the table owner's UPDATE included.

A late writer is a transaction that began while a subject was live and would commit after its
fence or its withdrawal. Each rule locks what it reads, so it is checked against what is
committed when the writer commits, not when it began. Violations carry SQLSTATE `LT001`
(late writer), `LT002` (illegal move) or `LT003` (locked against shredding).
"""

import pgtrigger

LATE_WRITER, ILLEGAL_MOVE, SHRED_LOCKED = "LT001", "LT002", "LT003"

_SUBJECT_LIVE = """
    PERFORM 1 FROM vault_subject WHERE id IN (SELECT subject_id FROM fresh) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM fresh f LEFT JOIN vault_subject s ON s.id = f.subject_id
               WHERE s.state IS DISTINCT FROM 'live') THEN
        RAISE EXCEPTION 'late writer: subject is not live' USING ERRCODE = 'LT001';
    END IF;
"""
_SHARE_LIVE = """
    PERFORM 1 FROM vault_keyshare WHERE kid IN ({kids}) ORDER BY kid FOR SHARE;
    IF EXISTS (SELECT 1 FROM vault_keyshare k WHERE k.kid IN ({kids})
               AND k.state NOT IN ({states})) THEN
        RAISE EXCEPTION 'late writer: key share is not live' USING ERRCODE = 'LT001';
    END IF;
"""
_ALIAS_CURRENT = """
    PERFORM 1 FROM vault_alias WHERE id IN (SELECT alias_id FROM fresh) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM fresh f LEFT JOIN vault_alias a ON a.id = f.alias_id
               AND a.subject_id = f.subject_id AND a.purpose_id = f.purpose_id
               AND a.ground = f.ground AND a.counter = f.counter
               WHERE a.id IS NULL) THEN
        RAISE EXCEPTION 'late writer: ground or counter is not current' USING ERRCODE = 'LT001';
    END IF;
"""
_LIVE, _LIVE_OR_NEXT = "'live'", "'live', 'successor'"
_OWN_SHARE = "SELECT share_id FROM fresh"
_DATA_KEY_SHARE = (
    "SELECT d.share_id FROM vault_datakey d WHERE d.id IN (SELECT data_key_id FROM fresh)"
)


def _on_insert(body: str) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="late_writer",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="fresh"),  # type: ignore[no-untyped-call]
        func=body + "\n    RETURN NULL;",
    )


def subject_live() -> pgtrigger.Trigger:
    """Rows of a subject are inserted only while it is live."""
    return _on_insert(_SUBJECT_LIVE)


def owner_live() -> pgtrigger.Trigger:
    """As `subject_live` for key shares, but for one that enters RETIRED: it is never used.

    So a replay can note a share that the restored database has forgotten, for an erasure that it
    knows has begun.
    """
    in_use = _SUBJECT_LIVE.replace("WHERE s.state", "WHERE f.state <> 'retired' AND s.state")
    return _on_insert(in_use)


def share_live() -> pgtrigger.Trigger:
    """Rows naming a key share are inserted only while it and the subject are live.

    A share that a re-key will put in the place of the live one counts as live here, so that rows
    can be sealed for it beforehand; a grant for it cannot be inserted.
    """
    share_live_or_next = _SHARE_LIVE.format(kids=_OWN_SHARE, states=_LIVE_OR_NEXT)
    return _on_insert(_SUBJECT_LIVE + share_live_or_next)


def data_key_live() -> pgtrigger.Trigger:
    """As `share_live` for rows naming a data key."""
    share_live_or_next = _SHARE_LIVE.format(kids=_DATA_KEY_SHARE, states=_LIVE_OR_NEXT)
    return _on_insert(_SUBJECT_LIVE + share_live_or_next)


def ground_current() -> pgtrigger.Trigger:
    """A grant is inserted only with the alias's current ground and counter."""
    share_live = _SHARE_LIVE.format(kids=_OWN_SHARE, states=_LIVE)
    return _on_insert(_SUBJECT_LIVE + share_live + _ALIAS_CURRENT)


def not_back(*finals: str) -> pgtrigger.Trigger:
    """A row whose state is one of `finals` never leaves it, and keeps its identity."""
    states = ", ".join(f"'{state}'" for state in finals)
    return pgtrigger.Trigger(
        name="not_back",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
    IF OLD.state IN ({states}) AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'illegal move: % is final', OLD.state USING ERRCODE = 'LT002';
    END IF;
    RETURN NEW;
""",
    )


def fixed(*columns: str, cut: tuple[str, ...] = ()) -> pgtrigger.Trigger:
    """`columns` never change: an UPDATE must not make of one row what INSERT would refuse.

    Those of `cut` may become NULL once the row's state is destroyed or absent, as an erasure's
    sweep does, and nothing else: a share taken off its subject earlier would escape the erasure.
    """
    changes = [f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns]
    changes += [
        f"(NEW.{column} IS DISTINCT FROM OLD.{column} AND"
        f" (NEW.{column} IS NOT NULL OR OLD.state NOT IN ('destroyed', 'absent')))"
        for column in cut
    ]
    changed = " OR ".join(changes)
    return pgtrigger.Trigger(
        name="fixed",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
    IF {changed} THEN
        RAISE EXCEPTION 'illegal move: the row belongs to something else' USING ERRCODE = 'LT002';
    END IF;
    RETURN NEW;
""",
    )


def counter_rises() -> pgtrigger.Trigger:
    """An alias never returns to an earlier counter, at which a withdrawn grant would match."""
    return pgtrigger.Trigger(
        name="counter_rises",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func="""
    IF NEW.counter < OLD.counter THEN
        RAISE EXCEPTION 'illegal move: the counter falls' USING ERRCODE = 'LT002';
    END IF;
    RETURN NEW;
""",
    )


def fence_holds() -> pgtrigger.Trigger:
    """A fenced subject lives again only when its shredding was cancelled."""
    return pgtrigger.Trigger(
        name="fence_holds",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func="""
    IF OLD.state = 'fenced' AND NEW.state = 'live' AND EXISTS (
        SELECT 1 FROM vault_shredding d WHERE d.subject_id = OLD.id AND d.state <> 'cancelled'
          AND d.scope = 'subject')
    THEN
        RAISE EXCEPTION 'illegal move: an erasure is running' USING ERRCODE = 'LT002';
    END IF;
    RETURN NEW;
""",
    )


#: SQL with three places: a subject's id, a shredding's scope, and its group. Locks that cover it.
SHRED_BLOCKED = """
    SELECT 1 FROM vault_shredlock l JOIN vault_subject s ON s.id = {subject}
    WHERE l.lifted_at IS NULL AND l.controller_id = s.controller_id AND (
        (l.scope = 'subject' AND l.scope_id = s.id)
        OR (l.scope = 'controller' AND l.scope_id = s.controller_id)
        OR (l.scope = 'category' AND EXISTS (
            SELECT 1 FROM vault_datakey d JOIN vault_keyshare k ON k.kid = d.share_id
            WHERE d.subject_id = s.id AND d.category_id = l.scope_id
              AND ({scope} = 'subject' OR k."group" = {group})))
        OR (l.scope = 'purpose' AND EXISTS (
            SELECT 1 FROM vault_alias a WHERE a.subject_id = s.id AND a.purpose_id = l.scope_id)))
"""


def shred_lock() -> pgtrigger.Trigger:
    """No shredding begins or is ordered while a lock covers what it destroys.

    Except what the journal has: it was ordered before the restore that made it be fenced again, and
    a lock that was placed meanwhile came too late.
    """
    blocked = SHRED_BLOCKED.format(subject="NEW.subject_id", scope="NEW.scope", group='NEW."group"')
    return pgtrigger.Trigger(
        name="shred_lock",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update,
        func=f"""
    IF (TG_OP = 'INSERT' OR (NEW.state = 'ordered' AND OLD.state <> 'ordered'))
       AND NEW.journal = '{{}}'::jsonb AND EXISTS ({blocked}) THEN
        RAISE EXCEPTION 'a lock forbids this shredding' USING ERRCODE = 'LT003';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.state = 'cancelled'
       AND OLD.state NOT IN ('fenced', 'drained', 'cancelled') THEN
        RAISE EXCEPTION 'illegal move: % to cancelled', OLD.state USING ERRCODE = 'LT002';
    END IF;
    RETURN NEW;
""",
    )
