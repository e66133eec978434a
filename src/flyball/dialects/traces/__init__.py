"""Published trace formats turned into one row type."""
