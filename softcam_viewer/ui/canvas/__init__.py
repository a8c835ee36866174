"""The image, what lies over it and the scale beside it."""
