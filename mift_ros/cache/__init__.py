"""The map cache: embeddings of map tiles in one memory-mapped file with a checked manifest."""
