"""10,000 broken requests over loopback, drawn from the contract, with good ones in between."""

import json
import random
import resource
import sys
import threading
from collections import Counter
from contextlib import suppress

import pytest

from student_perf.serving.access import Access
from student_perf.serving.serve import Limits, make_app
from student_perf.store.kept_model import load_kept_model
from tests.serving.loopback import LIMIT, connect, received, running

pytestmark = pytest.mark.slow

N_REQUESTS = 10_000
N_CLIENTS = 4
BYTES = 100_000  # the largest request of the service
MOST_GROWTH = 100  # MB of memory between a tenth of the requests and all of them
LINE = "POST /predict HTTP/1.1\r\n"
LEAVES = b"\0leaves"  # at the end of what is sent by a client that does not wait
HEAD = "Host: localhost\r\nContent-Type: application/json\r\n"
STRANGE = (
    *("true", "false", "null", "NaN", "-Infinity", "1e400", "-1e400", "9007199254740994", "-0"),
    *("0.1e-400", "[]", "{}", "[[1]]", '""', '"x"', '"1"', '" north "', '"=1+1"', '"<script>"'),
    *(r'"\u0000"', r'"\ud800"', r'"\u202eabc"'),
)


class Maker:
    """Requests as bytes: a good one with one or several things broken."""

    def __init__(self, kept, seed):
        self.rng = random.Random(seed)
        self.good = kept.golden.rows
        self.columns = list(kept.contract.columns)

    def any(self):
        return self.rng.choice(self.KINDS)(self)

    def cells(self):
        row = {name: json.dumps(cell) for name, cell in self.rng.choice(self.good).items()}
        for name in self.rng.sample(self.columns, self.rng.randint(1, len(self.columns))):
            row[name] = self.value()
        return post(batch([row] * self.rng.choice([1, 1, 1, 3, 60])))

    def value(self):
        choice = self.rng.random()
        if choice < 0.1:
            return "1" + "0" * self.rng.choice([20, 400, 5000])
        if choice < 0.2:
            return json.dumps("x" * self.rng.choice([1, 200, 20_000]))
        return self.rng.choice(STRANGE)

    def columns_of_others(self):
        names = [
            f"{self.rng.choice(self.columns)}{n}" for n in range(self.rng.choice([1, 50, 3000]))
        ]
        return post(batch([dict.fromkeys(names, "1")]))

    def doubled_key(self):
        name = json.dumps(self.rng.choice(self.columns))
        return post(f'{{"rows": [{{{name}: 1, {name}: 2}}], "rows": {self.value()}}}')

    def depth(self):
        depth = self.rng.choice([10, 500, 40_000])
        opening, closing = self.rng.choice([("[", "]"), ('{"rows":', "}")])
        return post(opening * depth + closing * self.rng.choice([0, depth]))

    def cut(self):
        body = json.dumps({"rows": self.good})
        return post(body[: self.rng.randrange(len(body))])

    def noise(self):
        body = bytearray(json.dumps({"rows": self.good}).encode())
        for _ in range(self.rng.randint(1, 20)):
            body[self.rng.randrange(len(body))] = self.rng.randrange(256)
        return post(bytes(body))

    def other_shapes(self):
        return post(self.rng.choice(["", "[]", "1", '{"rows": 1}', '{"rows": [1, [], {}]}', "{}"]))

    def large(self):
        return post(b" " * self.rng.choice([BYTES, BYTES + 1, 5 * BYTES]))

    def another_method(self):
        method = self.rng.choice(["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "x"])
        path = self.rng.choice(
            ["/predict", "/docs", "/", "/ready", "/%ff", "/..", "/" + "x" * 9000]
        )
        return f"{method} {path} HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n".encode()

    def another_content(self):
        kind = self.rng.choice(["", "text/csv", "application/json; charset=utf-16", "é", "a" * 900])
        head = f"Host: localhost\r\nContent-Type: {kind}\r\n"
        return post(json.dumps({"rows": self.good}), head)

    def another_host(self):
        host = self.rng.choice(
            ["", "evil.example", "localhost.evil", "[", "localhost:99999", "\x01"]
        )
        return post("{}", f"Host: {host}\r\nContent-Type: application/json\r\n")

    def broken_protocol(self):
        return self.rng.choice(
            [
                b"\x16\x03\x01" + bytes(200) + b"\r\n\r\n",
                b"GET\r\n\r\n",
                b"GET / HTTP/9.9\r\n\r\n",
                b"x" * 70_000,
                b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                f"{LINE}{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode(),
                f"{LINE}{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab".encode(),
            ]
        )

    def leaving(self):
        """The beginning of a request whose client goes away."""
        whole = self.cells()
        return whole[: self.rng.randrange(len(whole))] + LEAVES

    KINDS = (
        *[cells] * 8,
        columns_of_others,
        doubled_key,
        depth,
        cut,
        noise,
        noise,
        other_shapes,
        large,
        another_method,
        another_content,
        another_host,
        broken_protocol,
        leaving,
    )


def batch(rows):
    texts = ["{" + ", ".join(f"{json.dumps(n)}: {v}" for n, v in row.items()) + "}" for row in rows]
    return '{"rows": [' + ", ".join(texts) + "]}"


def post(body, head=HEAD):
    content = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    top = f"{LINE}{head}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return top.encode("utf-8") + content


def status_of(port, request):
    """Status of the answer; 0 if the server ended the connection without one, None if nobody
    waited for it.
    """
    with connect(port) as connection:
        with suppress(ConnectionError):  # it may be refused before all of it was sent
            connection.sendall(request.removesuffix(LEAVES))
        if request.endswith(LEAVES):
            return None
        answer = received(connection)
    return int(answer.split(b" ", 2)[1]) if answer else 0


class Clients:
    """Several clients at once, each with requests of its own seed."""

    def __init__(self, port, kept, expected):
        self.port, self.kept, self.expected = port, kept, expected
        self.statuses, self.failures = Counter(), []

    def run(self, n_requests, first_seed):
        threads = [
            threading.Thread(target=self._ask, args=(n_requests // N_CLIENTS, first_seed + number))
            for number in range(N_CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10 * LIMIT)
            assert not thread.is_alive()
        assert self.failures == []

    def _ask(self, n_requests, seed):
        maker = Maker(self.kept, seed)
        for number in range(n_requests):
            request = maker.any()
            status = status_of(self.port, request)
            self.statuses[status] += 1
            if status is not None and status >= 500:
                self.failures.append((status, request[:2000]))
            if number % 50 == 0:
                self._ask_well()

    def _ask_well(self):
        with connect(self.port) as connection:
            connection.sendall(post(json.dumps({"rows": self.kept.golden.rows})))
            answer = received(connection)
        found = json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"]
        if found != self.expected:
            self.failures.append(("another answer", found))


def peak_memory():
    """MB of this process, which serves and asks."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1_000_000 if sys.platform == "darwin" else 1000)


def test_ten_thousand_broken_requests_harm_nobody(kept_run):
    kept = load_kept_model(str(kept_run))
    lines = Counter()
    app = make_app(
        kept,
        Limits(request_bytes=BYTES, rows=50),
        Access("127.0.0.1"),
        lambda line: lines.update([json.loads(line)["status"]]),
    )
    with running(app) as port:
        idle = [connect(port) for _ in range(30)]  # they ask nothing, and stay
        good = post(json.dumps({"rows": kept.golden.rows}))
        with connect(port) as connection:
            connection.sendall(good)
            answer = json.loads(received(connection).partition(b"\r\n\r\n")[2])
        clients = Clients(port, kept, answer["predictions"])
        clients.run(N_REQUESTS // 10, first_seed=0)
        before = peak_memory()
        clients.run(N_REQUESTS - N_REQUESTS // 10, first_seed=100)
        assert peak_memory() - before < MOST_GROWTH
        for connection in idle:
            connection.close()
    told = clients.statuses
    assert told.total() == N_REQUESTS
    assert {200, 400, 404, 405, 413, 415, 421, 422} <= set(told)
    assert not [status for status in lines if status >= 500]
    assert lines[499] > 0
    assert told[0] < N_REQUESTS / 20
