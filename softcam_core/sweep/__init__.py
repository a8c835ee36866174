"""Searching the elastic net's coefficients: many runs, judged on validation images alone."""
