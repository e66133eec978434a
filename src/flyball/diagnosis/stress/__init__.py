"""What do backend, load and a change of backend do to the answers?"""
