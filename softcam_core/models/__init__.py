"""Networks whose prediction is the mean of their evidence map."""
