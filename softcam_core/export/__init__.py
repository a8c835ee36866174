"""Explanations as files for people: pictures and tables."""
