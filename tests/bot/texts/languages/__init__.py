"""Tests of the catalogue of sentences."""
