"""Who may: policy and delegation behind one port."""
