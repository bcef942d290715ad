"""What the log refuses, with stable codes."""

from core.errors import Conflict, Erased, IntegrityViolation, NotFound, Unavailable


class NotLogged(NotFound):
    """No batch that is published has this leaf."""

    code = "not-logged"
    text = "The log has no such entry, or has not published it yet."


class LogBroken(IntegrityViolation):
    """Rows of the log do not make the tree that was published."""

    code = "log-broken"


class HistoryBroken(Conflict):
    """The database's log is not the one whose head was kept; nothing is signed."""

    code = "log-history-broken"


class NothingToFound(Conflict):
    """Database and kept head agree, or what was asked for does not mend how they differ."""

    code = "nothing-to-found"


class LogEnded(Erased):
    """Another generation has followed this one; see /log/."""

    code = "log-ended"
    text = "This log ended when its database was put back; /log/ names the one that follows."


class ChainUnavailable(Unavailable):
    """No node of the chain answers; evidence waits, nothing else does."""

    code = "chain-unavailable"
    text = "No node of this chain answers; anchors wait."


class ChainContradicts(IntegrityViolation):
    """A node said what cannot be: nothing is believed, and the next round asks again."""

    code = "chain-contradicts"
    text = "What a node of this chain says cannot be true; nothing of it was used."


class ChainHalted(Conflict):
    """Somebody has to look before anything more is anchored on this chain."""

    code = "chain-halted"
    text = "Anchoring on this chain is halted; see chain_status and the runbook."


class NotDeployed(Conflict):
    """The chain has no contract of this installation."""

    code = "not-deployed"
    text = "No contract is recorded for this chain; run chain_deploy."


class NothingHalted(Conflict):
    """There is nothing to go on with."""

    code = "nothing-halted"
    text = "Anchoring on this chain is not halted."


class StatusListUnknown(NotFound):
    """No such list or version, or one whose document is not kept any more."""

    code = "status-list-unknown"
    text = "There is no such version of a status list here."


class StatusListFull(Unavailable):
    """There is no free place, and the log's process has opened no other list."""

    code = "status-list-full"
    text = "No place in a status list is free now; the log's process opens another list."


class AskingFailed(Unavailable):
    """Somebody outside who was asked about a head did not help; asked again later, nothing is lost.

    `reason` in the context says why, in one word of ours.
    """

    code = "log-asking-failed"


class AuthorityUnavailable(AskingFailed):
    """The timestamp authority gave no answer, or none that came to its end."""

    code = "timestamp-unavailable"
    text = "The timestamp authority does not answer; it is asked again later."


class TimestampRefused(AskingFailed):
    """The timestamp authority's answer is no token over the head that it was asked about."""

    code = "timestamp-refused"
    text = "What the timestamp authority answered does not hold; nothing of it was kept."


class WitnessUnavailable(AskingFailed):
    """A witness gave no answer, or does not know the log; without it nothing else waits."""

    code = "witness-unavailable"
    text = "This witness does not cosign now; it is asked again later."


class WitnessRefused(AskingFailed):
    """A witness answered with no cosignature of its own over the head; or no policy can be read."""

    code = "witness-refused"
    text = "What this witness answered does not hold; nothing of it was kept."


class WitnessContradicts(IntegrityViolation):
    """A witness has seen another log under this name, or says so: compare its heads with ours."""

    code = "witness-contradicts"
    text = "A witness has cosigned what this log did not publish."
