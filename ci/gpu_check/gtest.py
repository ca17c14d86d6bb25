"""Runs GoogleTest programs on a device that a test may lose to its process, and on which a test may end its process."""

import re
import time

from gpu_check.context import Late, LeftOut, how_it_ended

# Programs of operations on the device that TANDEM_TEST_DEVICE names, as on the CPU.
PROGRAM_TESTS = ["program_kernels_test", "program_model_test", "program_attention_test", "program_select_test",
                 "program_adjust_test", "program_pick_test"]

# What the library says when an error has made the device useless to its process.
LOST = "the device is lost to this process"
LINE = re.compile(r"^\[ (RUN     | {6}OK| FAILED | SKIPPED) \] ([^\s,]+)", re.MULTILINE)


def read(output):
    """(tests that came to an end, those of them that failed, the one that did not end or None), from what a program
    printed."""
    ended, failed, running = [], [], None
    for word, name in LINE.findall(output):
        word = word.strip()
        if word == "RUN":
            running = name
        elif name == running:  # the list at the end has them once more
            ended.append(name)
            failed += [name] if word == "FAILED" else []
            running = None
    return ended, failed, running


class Program:
    """One program's tests, each of them once in a process whose device is in order."""

    def __init__(self, context, name, wrapper, clean):
        self.context, self.name, self.wrapper, self.clean = context, name, wrapper, clean
        self.settled, self.failed = [], []

    def run(self):
        while self.run_the_rest():
            pass

    def run_the_rest(self):
        """Starts the program for the tests that are not settled. Returns whether there are more."""
        command = [*self.wrapper, self.context.native / "native/tests" / self.name]
        if self.settled:
            command.append(f"--gtest_filter=-{':'.join(self.settled)}")
        try:
            code, output = self.context.execute(*command, TANDEM_TEST_DEVICE=self.context.device,
                                                TANDEM_GPU_LIBRARIES=self.context.gpu_libraries)
        except Late as late:
            ended, failed, running = read(str(late))
            self.settled += ended
            self.failed += failed + [f"{running or self.name}: not done in time"] + self.findings(str(late))
            raise
        if self.wrapper and "Device not supported" in output:
            raise LeftOut(f"{self.wrapper[0]}: the device is not supported here")
        ended, failed, running = read(output)
        if failed and LOST in output:  # what comes after the first that failed says nothing of itself
            return self.settle(ended[:ended.index(failed[0]) + 1], failed[:1])
        self.settle(ended, failed)
        if running:
            last = (output.strip().splitlines() or [""])[-1]
            return self.settle([running], [f"{running} died: {how_it_ended(code)}: {last}"])
        if self.clean not in output:
            self.failed += self.findings(output) or [f"{self.name}: no summary of {self.wrapper[0]}"]
        elif code and not failed:
            last = (output.strip().splitlines() or [""])[-1]
            self.failed.append(f"{self.name}: {how_it_ended(code)} {'after' if ended else 'before'} its tests: {last}")
        return False

    def settle(self, tests, failed):
        self.settled += tests
        self.failed += failed
        return bool(tests)

    def findings(self, output):
        """What a sanitizer says, in a line."""
        if not self.wrapper:
            return []
        lines = [line.strip("= ") for line in output.splitlines() if line.startswith("=====") or "SUMMARY" in line]
        telling = [line for line in lines if "SUMMARY" in line] or [line for line in lines if re.search("Invalid|Error|hazard", line)]
        return [f"{self.name}: {telling[-1]}"] if telling else []


def program_tests(context, outcome, title="kernel tests", wrapper=(), clean=""):
    """Runs the program tests on the device, maybe under a tool, which then says that they are clean."""
    rows = [["program", "tests", "failed", "seconds"]]
    outcome.tables.append((title, rows))
    for name in PROGRAM_TESTS:
        if not (context.native / "native/tests" / name).exists():
            rows.append([name, "-", "not built", "-"])
            outcome.failed.append(f"{name} was not built")
            continue
        program, began = Program(context, name, wrapper, clean), time.monotonic()
        try:
            program.run()
        finally:
            outcome.tests += len(program.settled)
            outcome.failed += program.failed
            rows.append([name, len(program.settled), len(program.failed), f"{time.monotonic() - began:.1f}"])
    outcome.require_none_failed()
