"""Rows of the log; they are only ever added."""

from contracts.models.log import LogBatch, LogCheckpoint, LogFounding, LogLeaf, LogRefusal, LogTile

__all__ = ["LogBatch", "LogCheckpoint", "LogFounding", "LogLeaf", "LogRefusal", "LogTile"]
