"""Downloading one file so that no byte is fetched twice and no wrong byte is kept.

Whatever interrupts it, the next attempt asks for the rest by a range request (RFC 9110, section
14), in this process or in a later one.
"""

import re
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx2

from stormproof.errors import (
    ConnectionLost,
    DeadlineExceeded,
    IntegrityError,
    NetworkError,
    ProtocolError,
)
from stormproof.weights.part_file import PartFile, RemoteFile
from stormproof.weights.progress import PullProgress, Report, Stage
from stormproof.weights.transport import PATIENCE, network_failures, refusal

_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")


def download(client: httpx2.Client, remote: RemoteFile, target: Path, report: Report) -> None:
    """Fetch what is missing of a file, check the whole, and give it its name.

    Args:
        client: Does the requests.
        remote: What to fetch.
        target: Where the whole file will lie; what has arrived lies beside it until then.
        report: Hears of every piece that arrives.

    Raises:
        IntegrityError: The file is not the one that was promised; nothing of it is kept.
        NetworkError: The connection was lost again and again; what arrived is kept.
        ServiceUnavailable: The server has no time for us; what arrived is kept.
        DiskFull: The disk is full; what fitted is kept.
    """
    if not _Download(client, remote, target, report).run():
        raise IntegrityError(subject=target.name, expected=remote.sha256)


class _Download:
    def __init__(
        self, client: httpx2.Client, remote: RemoteFile, target: Path, report: Report
    ) -> None:
        self._client, self._remote, self._name, self._report = client, remote, target.name, report
        self._part = PartFile(target, remote)
        self._spliced = self._part.size > 0

    def run(self) -> bool:
        """Return whether the file has arrived whole and right."""
        self._fetch()
        if not self._part.matches(self._report) and self._spliced:
            self._part.discard()  # its pieces may be those of different files: once more, in one
            self._fetch()
        right = self._part.matches(self._report)
        (self._part.finish if right else self._part.discard)()
        return right

    def _fetch(self) -> None:
        """Attempt until nothing is missing; give up when patience brings nothing new."""
        while not self._part.complete:
            before = self._part.size
            try:
                PATIENCE.call(self._attempt)
            except (NetworkError, DeadlineExceeded):
                if self._part.size <= before:
                    raise

    def _attempt(self) -> None:
        """Ask once for what is missing, and keep whatever of it comes."""
        url, wanted = self._remote.url, self._part.request_headers()
        with network_failures(url), self._client.stream("GET", url, headers=wanted) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._part.discard()
                raise ProtocolError(reason=f"{response.url.host} has less than it sent before")
            start, total = _extent(response)
            self._check(response, start, total)
            if start == 0:
                self._part.discard()  # before the note changes: it must never vouch for old bytes
            self._part.describe(response.headers, total)
            self._receive(response, start, total)

    def _check(self, response: httpx2.Response, start: int, total: int | None) -> None:
        """Refuse an answer that cannot be a continuation of what has arrived."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ProtocolError(reason=f"{response.url.host} sent the file encoded")
        if start not in {0, self._part.size}:
            raise ProtocolError(reason=f"{response.url.host} sent another range")
        if total is not None and total > self._remote.limit:
            self._part.discard()
            raise IntegrityError(
                subject=self._name,
                expected=f"at most {self._remote.limit} bytes",
                actual=f"{total} bytes",
            )

    def _receive(self, response: httpx2.Response, start: int, total: int | None) -> None:
        done, most = start, self._remote.limit if total is None else total
        self._spliced = self._spliced or start > 0
        with self._part.writing() as write:
            for chunk in response.iter_raw():
                done += len(chunk)
                if done > most:
                    raise ProtocolError(reason=f"{response.url.host} sent more than it announced")
                write(chunk)
                self._report(PullProgress(Stage.DOWNLOADING, done, total))
        if total is None:  # a body without a length ends where the server says it does
            self._part.describe(response.headers, done)
        elif done < total:
            raise ConnectionLost(reason=f"{response.url.host} closed it before the end")


def _extent(response: httpx2.Response) -> tuple[int, int | None]:
    """Return where in the file the body of an answer starts, and how long the file is.

    Raises:
        StormproofError: The answer is not (a part of) the file.
    """
    if response.status_code == HTTPStatus.OK:
        length = response.headers.get("content-length", "")
        return 0, int(length) if length.isdecimal() else None
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if response.status_code != HTTPStatus.PARTIAL_CONTENT or found is None:
        raise refusal(response)
    return int(found[1]), None if found[2] == "*" else int(found[2])
