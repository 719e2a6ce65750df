"""ODAHU's HTTP API and the web pages, on any backend. The server stores nothing itself."""
