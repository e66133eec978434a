"""Other people's words turned into the model's nouns, without I/O."""
