"""Pairs with real parallax, rendered: a map tile and the rectified camera view of the same ground at another time."""
