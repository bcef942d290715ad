from typing import ClassVar

from django.db import models
from django.db.models import Q

from contracts.domain.anchors import State
from contracts.models.log import LogBatch


class ChainContract(models.Model):
    """A contract as it was deployed; the newest of a chain and name is in use.

    `genesis` tells the chain from another with the same number.
    """

    chain = models.CharField(max_length=40)
    name = models.CharField(max_length=40)
    chain_id = models.PositiveBigIntegerField()
    genesis = models.BinaryField(max_length=32)
    address = models.CharField(max_length=42)
    block_number = models.PositiveBigIntegerField()
    block_hash = models.BinaryField(max_length=32)
    source = models.CharField(max_length=64)
    code = models.BinaryField(max_length=32)
    deployed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain", "address"], name="one_chain_contract")
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.chain}"


class ChainSender(models.Model):
    """The account that pays on a chain; `next_nonce` is given out under this row's lock."""

    chain_id = models.PositiveBigIntegerField()
    address = models.CharField(max_length=42)
    next_nonce = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain_id", "address"], name="one_chain_sender")
        ]

    def __str__(self) -> str:
        return self.address


class ChainAnchor(models.Model):
    """What is to be said on a chain, once, and how far that has come.

    `batch` is the newest that a log's anchor covers, with all before it; none for a head of
    another chain. The block is where it is now, and is empty while it is in none. `finality` is the
    rule by which it was final, `receipt` the proof that the block has it, where one could be made.
    """

    chain = models.CharField(max_length=40)
    contract = models.ForeignKey(ChainContract, on_delete=models.PROTECT)
    batch = models.ForeignKey(LogBatch, null=True, on_delete=models.PROTECT)
    stream = models.BinaryField(max_length=32)
    sequence = models.PositiveBigIntegerField()
    size = models.PositiveBigIntegerField()
    root = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=16, choices=[(one, one) for one in State])
    reason = models.CharField(max_length=40)
    chosen_at = models.DateTimeField()
    tx_hash = models.BinaryField(max_length=32, null=True)
    block_number = models.PositiveBigIntegerField(null=True)
    block_hash = models.BinaryField(max_length=32, null=True)
    block_time = models.PositiveBigIntegerField(null=True)
    log_index = models.PositiveIntegerField(null=True)
    final_at = models.DateTimeField(null=True)
    finality = models.CharField(max_length=8)
    checked_at = models.DateTimeField(null=True)
    receipt = models.JSONField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["contract", "stream", "sequence"],
                condition=~Q(state=State.FAILED),
                name="one_chain_anchor",
            ),
            models.CheckConstraint(
                condition=Q(block_number=None, block_hash=None, tx_hash=None)
                | Q(block_number__isnull=False, block_hash__isnull=False, tx_hash__isnull=False),
                name="chain_anchor_in_a_block_or_not",
            ),
        ]

    def __str__(self) -> str:
        return f"anchor {self.sequence} on {self.chain}"


class ChainAttempt(models.Model):
    """A signed transaction, stored before anybody sees it; attempts of an anchor share a nonce.

    `height` is the chain's when it was signed, to know when to offer more.
    """

    anchor = models.ForeignKey(ChainAnchor, on_delete=models.PROTECT)
    sender = models.ForeignKey(ChainSender, on_delete=models.PROTECT)
    nonce = models.PositiveBigIntegerField()
    raw = models.BinaryField()
    tx_hash = models.BinaryField(max_length=32, unique=True)
    max_fee = models.DecimalField(max_digits=40, decimal_places=0)
    tip = models.DecimalField(max_digits=40, decimal_places=0)
    is_legacy = models.BooleanField()
    height = models.PositiveBigIntegerField()
    signed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"attempt at anchor {self.anchor_id}"


class ChainStep(models.Model):
    """What happened to an anchor, in order; never changed."""

    anchor = models.ForeignKey(ChainAnchor, on_delete=models.PROTECT)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=40)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"anchor {self.anchor_id}: {self.state}"


class ChainHalt(models.Model):
    """Nothing is anchored on a chain until somebody who answers for it goes on.

    `accepted`: up to where the contract's sequence of `stream` is taken, which these rows lack.
    """

    chain = models.CharField(max_length=40)
    reason = models.CharField(max_length=40)
    stream = models.BinaryField(max_length=32, null=True)
    accepted = models.PositiveBigIntegerField(default=0)
    halted_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=60)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["chain"], condition=Q(ended_at=None), name="one_chain_halt"
            )
        ]

    def __str__(self) -> str:
        return f"{self.chain}: {self.reason}"
