"""What people said about evidence, where on which image, and where that is kept."""
