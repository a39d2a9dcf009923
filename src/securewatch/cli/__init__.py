"""The command line: parse, call one operation, show. Decides nothing."""
