"""The model on a CPU without PyTorch: one call into C++ for every step."""
