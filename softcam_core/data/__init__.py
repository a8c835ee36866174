"""Labelled images, to train on and to judge with: manifests, presets, and phantoms whose lesions are known."""
