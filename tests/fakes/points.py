"""The named points of an erasure at which tests end it, in the order in which they are reached."""

ERASER = [
    "vault.shred.after-drain",
    "vault.shred.after-order",
    "vault.destroy.before-journal",
    "vault.journal.appended",
    "vault.destroy.journaled",
    "vault.destroy.destroyed",
    "vault.destroy.read-back",
    "vault.destroy.marked",
    "vault.shred.after-destroy",
    "vault.sweep.before-commit",
    "vault.shred.after-sweep",
]
ATTESTER = ["vault.attest.read-back", "vault.attest.done"]


class Killed(BaseException):
    """Stands for the end of the process: no handler may catch it."""
