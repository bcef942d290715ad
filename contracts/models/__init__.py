"""Rows of the log and of what others say of it, only ever added, and of its anchors on chains."""

from contracts.models.anchors import (
    ChainAnchor,
    ChainAttempt,
    ChainContract,
    ChainHalt,
    ChainSender,
    ChainStep,
)
from contracts.models.log import LogBatch, LogCheckpoint, LogFounding, LogLeaf, LogRefusal, LogTile
from contracts.models.witnessing import LogCosignature, LogTimestamp

__all__ = [
    "ChainAnchor",
    "ChainAttempt",
    "ChainContract",
    "ChainHalt",
    "ChainSender",
    "ChainStep",
    "LogBatch",
    "LogCheckpoint",
    "LogCosignature",
    "LogFounding",
    "LogLeaf",
    "LogRefusal",
    "LogTile",
    "LogTimestamp",
]
