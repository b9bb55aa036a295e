"""Products and categories: read, searched, filtered, written."""
