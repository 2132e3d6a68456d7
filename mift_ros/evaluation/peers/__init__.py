"""Other ways to find a frame on the same map, side by side with the localizer."""
