"""The nouns: frozen typed structs with units, their invariants checked where they are made."""
