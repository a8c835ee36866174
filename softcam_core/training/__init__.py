"""Training SoftCAM models: one typed configuration, the elastic-net loss and the loop."""
