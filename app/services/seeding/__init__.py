"""A demo shop: what is in it (JSON files), and the verbs that put it into the database."""
