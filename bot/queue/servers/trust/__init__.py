"""What is kept so that people and servers stay in charge: blocks, consent, hashes of pictures, reports."""
