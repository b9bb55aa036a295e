"""Lists and views of orders, and what guests hold."""
