"""The invoices application: a model, three views."""
