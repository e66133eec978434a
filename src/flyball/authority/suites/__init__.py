"""Public conformance vectors of policy and delegation: how are their folders read and judged?"""
