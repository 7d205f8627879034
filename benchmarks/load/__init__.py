"""Real servers under load: `python -m benchmarks.load` has wrk ask them, and writes what it saw as Markdown, JSON and a chart.

Server, application and wrk share the machine. Whatever is compared takes turns, round by round.
"""
