"""The joint optimisation: a pure problem, a solver, and a certificate that refuses a bad answer."""
