"""A circle of simulated meters: one process, one listening socket, real DLMS/COSEM bytes.

Part of the product: the demo, the tests and the benches all talk to it, and its log of relay movements is the truth
from outside with which they compare the product's own tables. It knows `bahal.dlms` and nothing else of the product.
"""
