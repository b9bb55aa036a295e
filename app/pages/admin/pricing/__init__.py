"""Pages for staff about what is added to prices and taken off them: taxes, shipping, promotions."""
