"""What the operator costs, beside a driver that makes the same calls with nothing around them."""
