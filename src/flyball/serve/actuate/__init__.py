"""How do set-points reach what they move: clusters, engines, machines, anything with a webhook?"""
