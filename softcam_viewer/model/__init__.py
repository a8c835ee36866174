"""What is open and how it is shown; no widgets."""
