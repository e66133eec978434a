"""Do the loops want the same?"""
