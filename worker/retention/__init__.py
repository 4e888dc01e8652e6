"""Removes audio that has expired, surplus records, and files that no record refers to."""
