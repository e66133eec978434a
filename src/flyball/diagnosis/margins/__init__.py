"""How far is it to the cliff?"""
