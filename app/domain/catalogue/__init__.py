"""Rules about products and categories, and the files that list them."""
