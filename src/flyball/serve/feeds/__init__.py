"""How do governors tell each other what is revoked or stopped?"""
