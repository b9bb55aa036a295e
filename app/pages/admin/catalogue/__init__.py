"""Pages for staff: products, categories, stock, imports."""
