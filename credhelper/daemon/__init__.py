"""The background process."""
