"""What the repository promises about its own files."""
