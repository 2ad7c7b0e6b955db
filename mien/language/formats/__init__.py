"""Subtitle formats: each file reads one family of them to cues, as they stand in the file, markup removed."""
