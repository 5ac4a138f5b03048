"""Builders, fakes and services that the tests share."""
