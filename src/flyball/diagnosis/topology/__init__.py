"""Which loops are there, and which of them can fight?"""
