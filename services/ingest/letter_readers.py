"""Which ways keep letters in their own words, and how each reads them again. Readings need no entry."""

from collections.abc import Mapping
from types import MappingProxyType

from services.ingest.measures import Way
from services.ingest.redelivering import ReadsLetter

LETTER_READERS: Mapping[Way, ReadsLetter] = MappingProxyType({})
