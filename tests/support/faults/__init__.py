"""Every effectful call of the operator, and everything that can become of it: plans, a proxy, oracles."""
