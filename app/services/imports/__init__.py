"""Product lists in and out."""
