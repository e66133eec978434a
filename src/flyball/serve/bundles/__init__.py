"""Policy bundles from files and registries, and which of them are in force."""
