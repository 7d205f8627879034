"""The stack of `interservice demo --servers`: other people's servers around the same two services."""
