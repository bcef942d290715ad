"""Rows of the log and of what others say of it, of its anchors on chains, and of status lists."""

from contracts.models.anchors import (
    ChainAnchor,
    ChainAttempt,
    ChainContract,
    ChainHalt,
    ChainSender,
    ChainStep,
)
from contracts.models.log import LogBatch, LogCheckpoint, LogFounding, LogLeaf, LogRefusal, LogTile
from contracts.models.status import StatusEntry, StatusList, StatusVersion
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
    "StatusEntry",
    "StatusList",
    "StatusVersion",
]
