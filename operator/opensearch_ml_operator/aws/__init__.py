"""AWS: credentials for those connections whose requests are signed, and the signatures."""
