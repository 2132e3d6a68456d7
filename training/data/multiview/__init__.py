"""Classes with satellite and drone images: University-1652, SUES-200, DenseUAV and sets of their layouts."""
