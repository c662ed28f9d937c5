"""What tokens come to: text, reasons to end, calls of tools."""
