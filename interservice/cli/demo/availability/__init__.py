"""The availability report: steady load on the real servers, trouble in turn, and what became of every single call."""
