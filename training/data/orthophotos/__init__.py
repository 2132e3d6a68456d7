"""Self-supervised pairs from orthophotos: two differently distorted views of random places."""
