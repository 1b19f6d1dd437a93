"""How many clips a minute the scorers judge on one core.

    OMP_NUM_THREADS=1 python benchmarks/judging.py [--clips 40] [--size 64] [--frames 16] [TASK...]

Each task's oracle clips (16 frames of 64x64 pixels by default) are drawn first and then judged by
the `last` protocol, decoding included. Times are the processor's, so that other work on the machine
counts for little. Prints a line a task: clips a minute (median of the clips' times), the slowest
tenth in milliseconds, and the time to draw one clip.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from phosphene.task import Canvas, tasks


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("task", nargs="*")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--frames", type=int, default=16)
    asked = parser.parse_args()
    canvas = Canvas(size=asked.size, frames=asked.frames)
    say(f"{'task':18} {'clips/min':>10} {'median ms':>10} {'p90 ms':>8} {'draw ms':>8}")
    for name in asked.task or tasks.names():
        kind = tasks.get(name)
        judged, drawn = [], []
        for i in range(asked.clips):
            task = kind(**kind.LADDER[i % len(kind.LADDER)])
            problem = task.sample(i)
            start = time.process_time()
            clip = task.solve(problem, canvas)
            drawn.append(time.process_time() - start)
            start = time.process_time()
            task.score(problem, clip, canvas=canvas)
            judged.append(time.process_time() - start)
        # The first call loads what the reader needs.
        middle = statistics.median(judged[1:])
        slow = statistics.quantiles(judged[1:], n=10)[-1]
        say(
            f"{name:18} {60 / middle:10.0f} {middle * 1e3:10.1f} {slow * 1e3:8.1f} "
            f"{statistics.median(drawn) * 1e3:8.1f}"
        )


if __name__ == "__main__":
    main()
