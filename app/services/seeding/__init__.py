"""The demo shop: its content (JSON files), and the operations that store it."""
