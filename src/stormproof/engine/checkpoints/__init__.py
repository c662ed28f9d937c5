"""Models as files hold them: GGUF and safetensors, read without trusting them."""
