"""In front of the application: the gate and its policies. Nothing here knows a server or blocks; the root exports the names."""
