"""Programs that fill the input topics."""
