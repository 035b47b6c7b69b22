"""RemoteModel: registered, deployed, kept as the spec says, probed, exported, removed."""
