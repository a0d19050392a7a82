"""Prints the medians of measured lines as a table, with the ratio to kubewire's lazy cache in the same mode."""

import json
import statistics
import sys

FIGURES = [
    ("sync_cpu_us_per_object", "sync, CPU us/object"),
    ("live_bytes_per_object", "live bytes/object"),
    ("peak_rss_mib", "peak RSS MiB"),
    ("churn_cpu_us_per_event", "watch, CPU us/event"),
    ("events_per_s", "events/s"),
]

runs = {}
for line in open(sys.argv[1]):
    run = json.loads(line)
    runs.setdefault(run["case"], []).append(run)

print("| program | " + " | ".join(title for _, title in FIGURES) + " |")
print("|---" * (len(FIGURES) + 1) + "|")
for case, measured in runs.items():
    base = runs.get(f"kubewire lazy, {measured[0]['mode']}", measured)
    cells = []
    for figure, _ in FIGURES:
        value = statistics.median(run[figure] for run in measured)
        ours = statistics.median(run[figure] for run in base)
        ratio = f" ({value / ours:.1f}x)" if ours and case != base[0]["case"] else ""
        cells.append(f"{value:,.0f}{ratio}")
    print(f"| {case} | " + " | ".join(cells) + " |")
