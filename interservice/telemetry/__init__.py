"""Logs and metrics: listeners of the events of both directions, and the application's own logs in the same form."""

from .access_log import AccessLog
from .app_logs import LogFormatter, configure
from .encode import JsonLines
from .statsd import StatsD

__all__ = ["AccessLog", "JsonLines", "LogFormatter", "StatsD", "configure"]
