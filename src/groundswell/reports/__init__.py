"""Reports with pictures: one HTML file each, that asks nobody for anything."""
