"""The Django project: settings, URLs and the gate."""
