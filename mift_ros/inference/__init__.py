"""Images to embeddings: the Embedder protocol, preprocessing, a file per runtime."""
