"""Who is this person, by their identity provider, and which mandates were given to whom?"""
