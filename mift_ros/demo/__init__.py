"""The whole path on an embedded world, for `mift demo`."""
