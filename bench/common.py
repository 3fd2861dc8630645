"""What the benchmarks share: whole processes timed, and a record of each run."""

import datetime
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(command, log):
    """Runs a command; gives seconds of wall and processor, and peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
        "written_mib": usage.ru_oublock * 512 / 2**20,
        "exit": process.returncode,
    }


def release():
    """Builds Photosite and gives its path."""
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "photosite"


def report(title, numbers, base, name, more):
    """Prints medians and ratios to `base`, and writes every number to bench/runs."""
    def median(contender, key):
        return statistics.median(r[key] for r in numbers[contender])

    print(title)
    print(f"{'':24} {'wall s':>8} {'cpu s':>8} {'peak MiB':>9} {'/ peer':>8}")
    peer = median(base, "wall_s") if base in numbers else None
    for contender in numbers:
        wall = median(contender, "wall_s")
        ratio = f"1/{peer / wall:.2f}" if peer else "-"
        print(f"{contender:24} {wall:8.3f} {median(contender, 'cpu_s'):8.3f} "
              f"{median(contender, 'peak_mib'):9.0f} {ratio:>8}")
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d-%H%M%S")
    folder = ROOT / "bench" / "runs" / f"{stamp}-{name}"
    folder.mkdir(parents=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True,
                            check=False).stdout.strip()
    record = {"machine": platform.machine(), "system": platform.system(), "cores": os.cpu_count(),
              "commit": commit, **more, "numbers": numbers}
    (folder / "raw.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"raw numbers in {folder.relative_to(ROOT)}")
