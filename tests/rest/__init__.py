"""The REST companion."""
