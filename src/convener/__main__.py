"""`python -m convener` is the command line."""

from convener.cli.main import main

main()
