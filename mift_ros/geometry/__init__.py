"""WGS 84 and local metres, the camera model, rectification to a north-up ground patch."""
