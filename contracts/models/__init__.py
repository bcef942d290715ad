"""Rows of the log, which are only ever added, and of its anchors on chains."""

from contracts.models.anchors import (
    ChainAnchor,
    ChainAttempt,
    ChainContract,
    ChainHalt,
    ChainSender,
    ChainStep,
)
from contracts.models.log import LogBatch, LogCheckpoint, LogFounding, LogLeaf, LogRefusal, LogTile

__all__ = [
    "ChainAnchor",
    "ChainAttempt",
    "ChainContract",
    "ChainHalt",
    "ChainSender",
    "ChainStep",
    "LogBatch",
    "LogCheckpoint",
    "LogFounding",
    "LogLeaf",
    "LogRefusal",
    "LogTile",
]
