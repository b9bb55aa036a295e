"""What an order costs: pure functions over whole minor units and exact fractions."""
