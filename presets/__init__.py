"""Instruments to start from, as TOML files; engine.preset reads them."""
