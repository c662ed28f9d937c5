"""The forward pass on PyTorch: for accelerators, and where there is no compiler."""
