"""At which doors do people, identity providers and foreign enforcement points knock?"""
