"""The analysis of faces over HTTP: an API, its job queue, and the page that comes with it (docs/serve.md).

Nothing is imported here: the working processes need little of it. `mien.serve.app` has `create_app` and `serve`.
"""
