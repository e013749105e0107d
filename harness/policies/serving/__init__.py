"""`bench serve`: an agent of ours or of a user as a policy server."""
