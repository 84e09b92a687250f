"""The server: models behind HTTP, requests answered in batches, and a page for people."""
