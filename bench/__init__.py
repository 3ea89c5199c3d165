"""Measurements of groundswell, each beside what it is compared with in the same run; `make bench` prints them."""
