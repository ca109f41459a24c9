"""The kernel's own functions, each once, for all programs that call them."""
