"""Which findings are there, and what is to be done about each?"""
