"""What ci/gpu leaves behind: a page of Markdown, the same as JSON, and a short table on the terminal."""

import dataclasses
import datetime
import json

from gpu_check import machine

NO_DEVICE = 77


def commit(context):
    found = machine.first_line("git", "-C", str(context.root), "describe", "--always", "--dirty", "--abbrev=12")
    return found or context.pack_facts().get("commit", "unknown")


def table(rows):
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


def markdown(facts, context, outcomes):
    lines = [f"# Tandem on {facts['gpu']}, {facts['date']}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items() if name not in ("gpu", "date")]
    lines += ["", table([["part", "result", "tests", "seconds", ""]] + [
        [one.name, one.result, one.tests or "", f"{one.seconds:.0f}", one.reason] for one in outcomes])]
    for outcome in outcomes:
        if not (outcome.tables or outcome.texts or outcome.failed):
            continue
        lines += ["", f"## {outcome.name}"]
        for title, rows in outcome.tables:
            lines += ["", f"{title}:", "", table(rows)]
        for title, text in outcome.texts:
            lines += ["", f"{title}:", "", "```", text.rstrip("\n"), "```"]
        if outcome.failed:
            lines += ["", "Failed:", "", *(f"- {name}" for name in outcome.failed)]
    return "\n".join(lines) + "\n"


def write(machine_facts, context, outcomes):
    gpu = context.gpu
    facts = {"date": datetime.date.today().isoformat(),
             "gpu": f"{gpu['name']} ({gpu['capability']}), {gpu['memory'] / 2**30:.0f} GiB" if gpu else "no GPU",
             "device": context.device, "commit": commit(context), **context.tested(), **machine_facts}
    (context.out / "gpu.md").write_text(markdown(facts, context, outcomes))
    (context.out / "gpu.json").write_text(
        json.dumps({**facts, "parts": [dataclasses.asdict(one) for one in outcomes]}, indent=1) + "\n")


def print_table(context, outcomes):
    """Returns the exit code."""
    print(f"\n{'part':12} {'result':9} {'tests':>6} {'failed':>7} {'seconds':>8}")
    for one in outcomes:
        print(f"{one.name:12} {one.result:9} {one.tests or '-':>6} {len(one.failed) or '-':>7} {one.seconds:>8.0f}  {one.reason[:120]}")
    print(f"report: {context.out / 'gpu.md'}")
    if any(one.result == "FAILED" for one in outcomes):
        return 1
    return NO_DEVICE if context.no_device else 0
