"""What ``stormproof.toml`` says of models, and the ladders that are made of it."""
