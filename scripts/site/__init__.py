"""The documentation's site: pages that are written from the code, and what MkDocs needs to build it all."""
