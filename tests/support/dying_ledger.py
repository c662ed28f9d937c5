"""A process that records usage until it is killed: python -m support.dying_ledger URL FOLDER.

It prints a number behind each row that it has recorded, as a server ends an answer behind it.
"""

import sys
import time
from itertools import count
from pathlib import Path

from stormproof.reflex.sql import Database, UsageTable
from stormproof.reflex.usage import UsageLedger, UsageRow

if __name__ == "__main__":
    url, folder = sys.argv[1:]
    ledger = UsageLedger(UsageTable(Database(url)), Path(folder))
    ledger.start()
    for number in count(1):
        ledger.record(UsageRow(time=int(time.time()), key="k", prompt_tokens=number))
        print(number, flush=True)
