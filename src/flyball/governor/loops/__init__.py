"""Which control loops does the governor run, and what does each wish of its actuator?"""
