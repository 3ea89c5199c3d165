"""What we keep: the database, the registry, the ledger and the artifacts."""
