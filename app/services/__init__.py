"""The verbs of the shop. They check, change and flush; the caller commits."""
