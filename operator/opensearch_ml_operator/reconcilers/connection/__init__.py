"""Both kinds of connections: who the operator is there, and whether the cluster can be used."""
