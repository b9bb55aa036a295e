"""What pricing needs from the database: tax rates, shipping methods, promotions."""
