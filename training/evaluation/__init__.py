"""Retrieval measured as the published protocols do, and looked at."""
