"""Prints the medians of measured lines as a table, with the ratio to kubewire's lazy cache in the same mode, and a table of
the bars."""

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

# What is measured, of which cache, in how many times of it the other program has at least, and of which.
BARS = [
    ("sync_cpu_us_per_object", "lazy", 5, "client-go"),
    ("sync_cpu_us_per_object", "lazy", 6, "kube-rs"),
    ("sync_cpu_us_per_object", "lazy", 1 / 1.5, "drain"),
    ("sync_cpu_us_per_object", "lazy", 1, "client-go metadata"),
    ("sync_cpu_us_per_object", "decoded", 2, "client-go"),
    ("live_bytes_per_object", "lazy", 4, "client-go"),
    ("live_bytes_per_object", "compact", 4, "client-go"),
    ("live_bytes_per_object", "compressed", 15, "client-go"),
    ("live_bytes_per_object", "decoded", 1 / 2, "client-go"),
    ("peak_rss_mib", "lazy", 3, "client-go"),
    ("churn_cpu_us_per_event", "lazy", 5, "client-go"),
    ("churn_cpu_us_per_event", "lazy", 1 / 1.5, "drain"),
    ("churn_cpu_us_per_event", "decoded", 2, "client-go"),
    ("events_per_s", "lazy", 1 / 3, "client-go"),
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


def median(case, figure):
    return statistics.median(run[figure] for run in runs[case])


print("\n| bar | mode | at least | measured | |")
print("|---|---|---|---|---|")
for figure, cache, wanted, other in BARS:
    for mode in ["list", "watchlist"]:
        ours, theirs = f"kubewire {cache}, {mode}", f"{other}, {mode}"
        if ours not in runs or theirs not in runs or not median(ours, figure):
            continue
        # Of events the more the better.
        turn = figure == "events_per_s"
        ratio = median(theirs, figure) / median(ours, figure)
        ratio, wanted_here = (1 / ratio, 1 / wanted) if turn else (ratio, wanted)
        title = f"{dict(FIGURES)[figure]}: {'kubewire ' + cache + ' / ' + other if turn else other + ' / kubewire ' + cache}"
        print(f"| {title} | {mode} | {wanted_here:.2f} | {ratio:.2f} | {'yes' if ratio >= wanted_here else 'NO'} |")
