"""HTTP/1.1 for calls of models: pooled connections, streams, and nothing else."""
