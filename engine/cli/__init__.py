"""The command line `aeolia`: one module a command; each has `register(subparsers)`."""
