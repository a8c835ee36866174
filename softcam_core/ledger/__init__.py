"""The exact ledger: a prediction as a sum over places of the image, and what it would be without one of them."""
