"""What interservice costs, side by side with its peers: `python -m benchmarks` prints it, and writes it as Markdown and JSON.

Every figure is taken in the same run as the one it is compared with, in interleaved rounds. Nothing here is a timed test.
"""
