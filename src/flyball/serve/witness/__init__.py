"""The witness role, and the log's side of it: cosignatures over HTTP (C2SP tlog-witness)."""
