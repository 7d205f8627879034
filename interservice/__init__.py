"""interservice."""
