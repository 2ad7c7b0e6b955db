"""Captions of faces: their record and file, a writer from votes, a captioner that looks, and their statistics."""
