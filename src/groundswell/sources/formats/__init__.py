"""The export formats, in the order in which they are tried: the peculiar ones before the general ones."""

from groundswell.sources.format import Format
from groundswell.sources.formats.apidojo import APIDOJO
from groundswell.sources.formats.canonical import CANONICAL
from groundswell.sources.formats.clockworks import CLOCKWORKS
from groundswell.sources.formats.item_struct import ITEM_STRUCT
from groundswell.sources.formats.readings import READINGS
from groundswell.sources.formats.research_api import RESEARCH_API
from groundswell.sources.formats.tiktok_10m import TIKTOK_10M

ALL: tuple[Format, ...] = (CLOCKWORKS, APIDOJO, ITEM_STRUCT, RESEARCH_API, TIKTOK_10M, READINGS, CANONICAL)
