"""How near does the twin come to measurements, data set by data set?"""
