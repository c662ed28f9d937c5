"""The step of a GPU: kernels in Triton, attention over the paged cache, graphs of whole steps."""
