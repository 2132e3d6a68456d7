"""Losses over two views of the same classes."""
