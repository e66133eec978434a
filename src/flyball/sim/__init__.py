"""The world for the same core: plant models, clients, network, power, and the third driver."""
