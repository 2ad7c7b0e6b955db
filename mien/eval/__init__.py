"""Evaluation: frozen features, linear probes, scores, and the record of a run."""
