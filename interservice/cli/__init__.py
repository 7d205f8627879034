"""The commands: each module here is one, named as it is called, with two functions.

add_arguments(parser)   Declare the command's options on an `argparse.ArgumentParser`.
run(args) -> int        Carry it out; the exit status. A `ConfigurationError` or `OSError` becomes a line on standard error.

The first line of the module's docstring is its help. A module imports what is heavy inside `run`.
"""
