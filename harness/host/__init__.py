"""Adapters that run in another Python interpreter, as a child process.

client.py starts the child and sends it requests, child.py answers them, wire.py carries messages
in both directions, and hosted.py makes the adapter class that stands for the child here.

child.py runs in the child, wire.py on both sides: they need only the standard library, numpy and
msgpack, and Python 3.9 or newer.
"""
