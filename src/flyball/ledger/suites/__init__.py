"""Public conformance vectors: how are folders in their published layouts read and judged?"""
