"""Does it still behave as it did?"""
