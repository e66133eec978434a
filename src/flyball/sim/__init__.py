"""The world for the same core: plant models, and later the third driver."""
