"""Several processes that serve one address: kept alive, and counted together."""
