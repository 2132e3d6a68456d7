"""What a training run is made of: the schema, its reader, and the recipes themselves as YAML."""
