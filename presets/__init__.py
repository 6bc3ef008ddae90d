"""Instruments to start from, one TOML file each; `engine.preset` reads them and says what may be in one."""
