"""Backfill: sends the events of a file, over any number of runs."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Union

from ...client import CMSClient
from ...exceptions import ApiValueError
from ..delivery import Deliverer
from ..events import QueuedEvent
from .csv_file import CsvFile
from .files import Row, first_bytes
from .json_lines import JsonLinesFile
from .rows import Converter, RowOptions
from .state import TIMEOUT, Counts, State
