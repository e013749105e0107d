"""How an adapter lives in another Python interpreter, as a child process.

wire.py and child.py run on both sides or in the child alone: standard library, numpy and msgpack,
Python 3.9 or newer.
"""
