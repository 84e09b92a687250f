"""The command line: each verb a thin layer over a plain function."""
