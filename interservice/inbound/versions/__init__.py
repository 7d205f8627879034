"""Negotiation of API versions: the policy, its readers, and the values they work with."""

from .decide import Decision, Outcome, Rules, decide
from .deprecation import Deprecation
from .media import MediaTypeVersion
from .migrations import Migration
from .neutral import NEUTRAL
from .policy import Versions
from .readers import HeaderVersion, PathVersion, QueryVersion, Reader, Reading
from .sets import VersionSets
from .version import Number, Version, parse

__all__ = [
    "NEUTRAL",
    "Decision",
    "Deprecation",
    "HeaderVersion",
    "MediaTypeVersion",
    "Migration",
    "Number",
    "Outcome",
    "PathVersion",
    "QueryVersion",
    "Reader",
    "Reading",
    "Rules",
    "Version",
    "VersionSets",
    "Versions",
    "decide",
    "parse",
]
