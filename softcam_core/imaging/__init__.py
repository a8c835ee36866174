"""Pixels in, pixels out: image files, and the geometry between image, model input and evidence grid."""
