"""How results are shown on paper: one look for figures and pages."""
