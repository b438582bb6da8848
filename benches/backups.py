"""The runs of backups.sh: real dumps, slowed down, and what `pgguard status` says of them meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

PGGUARD, FOLDER = sys.argv[1], sys.argv[2]
DATABASE = "bench"
# Seconds that a run takes, about.
LONG = 24.0
EVERY = 2.0
# Kind: arguments, and whether it is slowed down by stopping it now and then, since nobody reads its output.
KINDS = {
    "plain": ([], False),
    "-Fc": (["-Fc"], False),
    "--inserts": (["--inserts"], False),
    "-Fd -j2": (["-Fd", "-j2"], True),
}
# Another kind, whose past run is no like.
OTHER = {"plain": "--inserts", "-Fc": "plain", "--inserts": "plain", "-Fd -j2": "plain"}

TABLES = """
CREATE TABLE t{n} AS SELECT n AS id, md5(n::text) AS a, repeat('lorem ipsum ' || n % 50, {wide}) AS b,
       now() + n * interval '7 s' AS at FROM generate_series(1, {rows}) n;
ANALYZE t{n};
"""


def sql(text, database="postgres"):
    command = ["psql", "-X", "-q", "-At", "-d", database, "-c", text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def fill():
    sql(f"CREATE DATABASE {DATABASE}")
    for n, (rows, wide) in enumerate([(60000, 4), (20000, 20), (90000, 1), (9000, 60), (30000, 12), (50000, 6)]):
        sql(TABLES.format(n=n, rows=rows, wide=wide), DATABASE)


def look(history):
    """Seconds that remain as they are told, early and late edge, and all else that is said."""
    command = [PGGUARD, "status", "-d", f"dbname={DATABASE}", "--format=json", f"--history={history}"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    backups = [s for s in told["sessions"] if s["role"] == "backup"]
    return (backups[0].get("estimate") or {}) if backups else None


class Slow:
    """Lets a dump get on at a pace that a function of the seconds tells, as a share of the usual one; 0: not at all."""

    def __init__(self, kind, size, pace):
        self.arguments, self.by_stops = KINDS[kind]
        self.size, self.pace, self.begun = size, pace, time.time()
        output = os.path.join(FOLDER, "dump")
        shutil.rmtree(output, ignore_errors=True)
        to = ["-f", output] if self.by_stops else []
        self.dump = subprocess.Popen(
            ["pg_dump", "-d", DATABASE, *self.arguments, *to], stdout=subprocess.PIPE, start_new_session=True
        )
        self.ended = None
        threading.Thread(target=self.wait, daemon=True).start()
        threading.Thread(target=self.stop if self.by_stops else self.read, daemon=True).start()

    def wait(self):
        self.dump.wait()
        self.ended = time.time()

    def now(self):
        return self.pace(time.time() - self.begun)

    def read(self):
        debt = 0.0
        while chunk := self.dump.stdout.read(1 << 14):
            debt += len(chunk) / self.size * LONG
            while debt > 0:
                time.sleep(0.02)
                debt -= 0.02 * self.now()

    def stop(self):
        while not self.ended:
            # So long it runs, of a quarter of a second.
            share = min(1.0, self.size / LONG * self.now())
            for how, seconds in ((signal.SIGCONT, 0.25 * share), (signal.SIGSTOP, 0.25 * (1 - share))):
                try:
                    os.killpg(self.dump.pid, how)
                except ProcessLookupError:
                    return
                time.sleep(seconds)


def watch(kind, size, history, pace=lambda _: 1.0, until=None):
    """A run with a look every two seconds: (when, what was told), the begin and the end."""
    slow, looks = Slow(kind, size, pace), []
    begun = time.time()
    while not slow.ended:
        at = time.time()
        told = look(history)
        if told is not None:
            looks.append((at, told))
        if until and until(at - begun, told):
            os.killpg(slow.dump.pid, signal.SIGKILL)
            slow.dump.wait()
            break
        time.sleep(max(0.05, EVERY - (time.time() - at)))
    time.sleep(1)
    look(history)
    return looks, begun, slow.ended or time.time()


def outcome(history):
    command = [PGGUARD, "backups", "-d", f"dbname={DATABASE}", "--format=json", f"--history={history}"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told["runs"][0]["outcome"] if told["runs"] else "none"


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def score(looks, begun, end):
    """Mean error and cover of what was told, the share of looks that told something, and the largest jump."""
    whole, errors, covered, jump, before = end - begun, [], [], 0.0, None
    for at, told in looks:
        left = told.get("remaining_s")
        if left is None:
            continue
        real = end - at
        errors.append(abs(left - real) / whole)
        covered.append(told["earliest_s"] - 0.5 <= real <= told["latest_s"] + 0.5)
        jump = max(jump, abs(at + left - before) / whole) if before else jump
        before = at + left
    share = f"{len(errors)} of {len(looks)}"
    if not errors:
        return f"{whole:.0f} s", share, "-", "-", "-"
    percent = [f"{100 * figure:.0f} %" for figure in (sum(errors) / len(errors), sum(covered) / len(covered), jump)]
    return (f"{whole:.0f} s", share, *percent)


def main():
    version = sql("SHOW server_version").split(".")[0]
    fill()
    row("Postgres", "kind", "after a past run of", "took", "looks told an end", "error", "cover", "largest jump", "kept as")
    row(*["---"] * 9)
    sizes, kept = {}, {}
    for kind, (arguments, by_stops) in KINDS.items():
        begun = time.time()
        if by_stops:
            output = os.path.join(FOLDER, "dump")
            shutil.rmtree(output, ignore_errors=True)
            subprocess.run(["pg_dump", "-d", DATABASE, *arguments, "-f", output], check=True)
            # Its seconds, where the others have their bytes.
            sizes[kind] = time.time() - begun
        else:
            dump = subprocess.run(["pg_dump", "-d", DATABASE, *arguments], check=True, capture_output=True)
            sizes[kind] = len(dump.stdout)
        kept[kind] = os.path.join(FOLDER, f"history{len(kept)}")
        seen = watch(kind, sizes[kind], kept[kind])
        row(version, kind, "nothing", *score(*seen), outcome(kept[kind]))
    # Written after the whole: each of these goes on from a copy of one run's history.
    for kind in KINDS:
        for past in (kind, OTHER[kind]):
            history = copy_of(kept[past])
            seen = watch(kind, sizes[kind], history)
            row(version, kind, past, *score(*seen), outcome(history))
    troubled(version, sizes["plain"], kept["plain"])


def copy_of(history):
    copy = history + ".copy"
    for more in ("", "-wal", "-shm", ".looks"):
        if os.path.isfile(copy + more):
            os.remove(copy + more)
        if os.path.isfile(history + more):
            shutil.copy(history + more, copy + more)
    return copy


def troubled(version, size, past):
    for what, pace in (
        ("stalls for 10 s", lambda s: 0.0 if 8 < s < 18 else 1.0),
        ("three times slower from the middle on", lambda s: 1.0 if s < 12 else 0.33),
    ):
        history = copy_of(past)
        seen = watch("plain", size, history, pace)
        row(version, f"plain, {what}", "plain", *score(*seen), outcome(history))
    history = copy_of(past)
    seen = watch("plain", size, history, until=lambda s, _: s > 12)
    row(version, "plain, killed after 12 s", "plain", "12 s", *["-"] * 4, outcome(history))
    frozen(version, size, copy_of(past))


def frozen(version, size, history):
    """From the eighth second on nobody reads: since when is that said, and is an end told afterwards?"""
    said, after = [], []

    def enough(seconds, told):
        still = bool(told and told.get("stands_still"))
        if still:
            said.append(seconds)
        if said:
            after.append(bool(told and told.get("remaining_s") is not None))
        return len(after) >= 5 or seconds > 120

    watch("plain", size, history, lambda s: 1.0 if s < 8 else 0.0, enough)
    when = f"said after {said[0] - 8:.0f} s" if said else "not said in 112 s"
    row(version, "plain, frozen after 8 s", "plain", when, f"{sum(after)} of {len(after)} since", "-", "-", "-", outcome(history))


if __name__ == "__main__":
    main()
