"""Labels for whoever asks: over HTTP, or from an exported file."""
