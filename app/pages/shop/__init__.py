"""Pages for everybody: products, cart, checkout."""
