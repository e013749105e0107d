"""Policies behind a websocket: the client of other people's servers, and the parts of our own."""
