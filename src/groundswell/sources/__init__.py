"""What scrapers export: one file an export format, one a container, and the chunks of raw rows they yield."""

from groundswell.sources.export import FORMATS, Export, open_export

__all__ = ["FORMATS", "Export", "open_export"]
