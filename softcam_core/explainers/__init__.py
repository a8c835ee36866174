"""Explanations of predictions: one protocol, one module per family of methods."""
