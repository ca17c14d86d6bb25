"""The parts of ci/gpu: each a function of a context that fills an outcome, within its time."""

import json
import os
import shutil
import statistics
import time

from gpu_check import npy
from gpu_check.context import Failed, Late, LeftOut, Outcome
from gpu_check.gtest import PROGRAM_TESTS, program_tests

# Beside the goldens, models of random weights, of odd and even sizes: (name, options of synth, tolerance).
RANDOM = [(kind, ["--layers", "2", "--width", "512", "--heads", "8", "--kv-heads", "2", "--head-size", "64", "--feed-forward",
                  "1536", "--vocabulary", "1000", "--context", "512", "--type", kind], tolerance)
          for kind, tolerance in [("F32", 1e-6), ("F16", 3e-6), ("BF16", 1e-4), ("Q8_0", 1e-3), ("Q4_0", 1e-3), ("Q4_1", 1e-3),
                                  ("Q4_K", 1e-3), ("Q6_K", 1e-3)]]
# The reference's lead over which its likeliest token must be ours (golden/README: 0.2).
MARGIN = 0.2


# --- The parts ----------------------------------------------------------------------------------------------------------


def build(context, outcome):
    """The native tests and benchmarks, with GoogleTest and Google Benchmark from their sources."""
    libraries = context.work / "libraries"
    for name, options in [("googletest", ["-DBUILD_GMOCK=OFF"]),
                          ("benchmark", ["-DBENCHMARK_ENABLE_TESTING=OFF", "-DBENCHMARK_ENABLE_WERROR=OFF"])]:
        source, folder = context.unpack(f"{name}.tar.gz", context.work / name), context.work / f"{name}-build"
        # Their oldest CMake is older than what the newest still takes.
        context.run("cmake", "-S", source, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DCMAKE_POLICY_VERSION_MINIMUM=3.5", f"-DCMAKE_INSTALL_PREFIX={libraries}", *options)
        context.run("cmake", "--build", folder, "--target", "install")
    arch = context.gpu["capability"].replace(".", "") if context.gpu else 90

    def configure(cuda):
        context.run("cmake", "-S", context.root, "-B", context.native, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DTANDEM_EMULATED=OFF", f"-DCMAKE_PREFIX_PATH={libraries}", f"-DTANDEM_CUDA={'ON' if cuda else 'OFF'}",
                    f"-DTANDEM_CUDA_ARCHITECTURES={arch}-real",
                    *(f"-DCMAKE_{name}_COMPILER_LAUNCHER={context.root}/ci/gpu_check/compile" for name in ("CXX", "CUDA")),
                    CUDA_HOME=cuda or os.environ.get("CUDA_HOME", ""))

    targets = [*PROGRAM_TESTS, "native_bench"]
    if context.cuda and outcome.attempt("with CUDA", lambda: configure(context.cuda)):
        targets += [] if context.no_device else ["tandem_cuda"]
    else:
        configure(None)
    # All that can be built, whatever cannot.
    outcome.attempt("compiling", lambda: context.run("cmake", "--build", context.native, "--target", *targets, "--", "-k", "0"))
    outcome.require_none_failed()
    if context.no_device:
        outcome.reason = context.no_device
    elif not context.cuda:
        outcome.reason = "no nvcc that is new enough: the distribution's own libtandem_cuda.so is tested"


def kernels(context, outcome):
    program_tests(context, outcome)


def sanitizer(tool, clean):
    def part(context, outcome):
        if not context.device.startswith("cuda"):
            raise LeftOut("compute-sanitizer is for cuda devices")
        command = shutil.which("compute-sanitizer") or (context.cuda and shutil.which("compute-sanitizer", path=context.cuda / "bin"))
        if not command:
            raise LeftOut("compute-sanitizer is not installed")
        program_tests(context, outcome, f"compute-sanitizer {tool}", [command, "--tool", tool, "--error-exitcode", "9"], clean)

    return part


def parity(context, outcome):
    """Logits of the device beside those of the CPU and of the golden models."""
    rows = [["model", "beside the CPU", "beside the reference", "allowed", "other choices"]]
    outcome.tables.append((f"Logits on {context.device}: normalised squared error", rows))
    golden, folder = context.pack / "golden", context.work / "parity"
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    if golden.exists():
        tolerances = dict(line.split("\t")[::2] for line in (golden / "tolerances.tsv").read_text().splitlines()[1:])
        for model in sorted(golden.glob("*.gguf")):
            cases.append((model.stem, model, ["--tokens-file", golden / "tokens.txt"], float(tolerances[model.stem])))
    for name, options, tolerance in RANDOM:
        model = folder / f"random-{name}.gguf"
        context.tandem("synth", "-o", model, *options)
        cases.append((model.stem, model, ["--tokens", ",".join(str(7 * i % 997) for i in range(70))], tolerance))
    for name, model, tokens, tolerance in cases:
        logits = {}
        for device in "cpu", context.device:
            file = folder / "logits.npy"
            file.unlink(missing_ok=True)
            output = context.tandem("logits", "-m", model, *tokens, "--device", device, "-o", file, check=False)
            if not file.exists():
                rows.append([name, f"fails on {device}", "-", f"{tolerance:.1e}", "-"])
                outcome.failed.append(f"{name} on {device}: {(output.strip().splitlines() or ['no output'])[-1]}")
                break
            logits[device] = npy.read(file)
        if len(logits) < len({"cpu", context.device}):
            continue
        ours = logits[context.device]
        error, different = npy.compare(ours, logits["cpu"], MARGIN)
        errors = [error / 2]  # both may be off
        if model.with_suffix(".npy").exists():
            against, more = npy.compare(ours, npy.read(model.with_suffix(".npy")), MARGIN)
            errors.append(against)
            different += more
        outcome.tests += 1
        rows.append([name, f"{error:.1e}", f"{errors[1]:.1e}" if len(errors) > 1 else "-", f"{tolerance:.1e}", different])
        # Not (a > b): NaN fails too.
        if not all(value <= tolerance for value in errors) or different:
            outcome.failed.append(f"{name}: errors {' and '.join(rows[-1][1:3])}, {different} other choices")
    outcome.attempt("generate", lambda: outcome.texts.append(("The built-in model there", context.tandem(
        "generate", "Once upon a time", "-n", "60", "--temp", "0", "-q", "--device", context.device))))
    outcome.require_none_failed()


def bench(context, outcome):
    """The kernels one by one, and what the machine can do."""
    def printed(*words):
        name = "tandem " + " ".join(words)
        outcome.attempt(name, lambda: outcome.texts.append((name, context.tandem(*words))))

    printed("devices", "--measure")
    shape = "llama-3.2-1b" if context.gpu else "stories"
    for kind in "Q4_0", "Q8_0":
        printed("bench", "kernels", "--device", context.device, "--shape", shape, "--type", kind, "-r", "3")
    outcome.attempt("native_bench", lambda: outcome.tables.append(("What the processor can do", processor_limits(context))))
    outcome.require_none_failed()


def processor_limits(context):
    program = context.native / "native/bench/native_bench"
    if not program.exists():
        raise Failed("it was not built")
    found = context.run(program, "--benchmark_filter=^machine/(read|fma|bytes)/", "--benchmark_format=json")
    rows = [["native_bench", "figure"]]
    for one in json.loads(found[found.index("{"):])["benchmarks"]:
        figures = [f"{one[unit]:.1f} {unit}" for unit in ("GB/s", "GFLOP/s", "GOP/s") if unit in one]
        rows.append([one["name"].partition("/iterations")[0], ", ".join(figures)])
    return rows


def models(context, outcome):
    """Whole models of random weights, made here, and llama.cpp beside."""
    rows = [["model", "GiB", "engine", "reads, tokens/s", "generates, tokens/s", "loads, s"]]
    lengths = [512, 64] if context.gpu else [64, 8]
    outcome.tables.append((f"Models on {context.device}: {lengths[0]} tokens read, {lengths[1]} generated", rows))
    peer = os.environ.get("LLAMA_BENCH")
    file = context.work / "model.gguf"
    for name in context.models.split(","):
        shape, _, kind = name.partition(":")
        try:
            if not outcome.attempt(name, lambda: context.tandem("synth", "--shape", shape, "--type", kind or "Q8_0", "-o", file)):
                continue
            size = f"{file.stat().st_size / 2**30:.2f}"
            if not outcome.attempt(name, lambda: rows.append([name, size, "tandem", *measure(context, file, lengths, outcome, name)])):
                rows.append([name, size, "tandem", "failed", "", ""])
            if peer:
                rows.append([name, size, "llama.cpp", *measure_peer(context, peer, file, lengths, outcome, name), ""])
        finally:
            file.unlink(missing_ok=True)
    outcome.require_none_failed()
    if not peer:
        outcome.reason = "llama.cpp is not beside: $LLAMA_BENCH names none"


def measure(context, file, lengths, outcome, name):
    found = context.tandem("bench", "model", "-m", file, "-p", lengths[0], "-n", lengths[1], "-r", "3", "--json",
                           "--device", context.device)
    found = json.loads(found[found.index("{"):found.rindex("}") + 1])
    speeds = [next(one["median"] for one in found["results"] if one["prompt"] == prompt) for prompt in (True, False)]
    outcome.data[name] = found
    return [f"{speeds[0]:.1f}", f"{speeds[1]:.1f}", f"{found['load_seconds']:.2f}"]


def measure_peer(context, peer, file, lengths, outcome, name):
    """What llama.cpp's own benchmark says of a model; that it cannot is no failure of ours."""
    try:
        found = context.run(peer, "-m", file, "-p", lengths[0], "-n", lengths[1], "-r", "3", "-ngl", "99" if context.gpu else "0",
                            "-o", "json")
        found = json.loads(found[found.index("[\n"):found.rindex("]") + 1])
        outcome.data[f"{name} by llama.cpp"] = found
        speeds = {bool(one["n_prompt"]): f"{statistics.median(one['samples_ts']):.1f}" for one in found}
        return [speeds.get(prompt, "-") for prompt in (True, False)]
    except (Failed, OSError, ValueError, KeyError) as e:
        context.note(f"llama.cpp: {e}")
        return ["failed", "see gpu.log"]


# In the order of what matters most, should the time run out. Seconds each may take.
PARTS = {"build": (build, 210), "kernels": (kernels, 60), "parity": (parity, 75), "bench": (bench, 45), "models": (models, 120),
         "memcheck": (sanitizer("memcheck", "ERROR SUMMARY: 0 errors"), 60),
         "racecheck": (sanitizer("racecheck", "RACECHECK SUMMARY: 0 hazards"), 60)}


def run_part(context, outcome):
    function, limit = PARTS[outcome.name]
    began = time.monotonic()
    context.deadline = min(began + limit * context.patience, context.end)
    try:
        if context.no_device and outcome.name != "build":
            raise LeftOut(context.no_device)
        if began >= context.end:
            raise Failed("no time was left")
        function(context, outcome)
        outcome.result = "passed"
        outcome.reason = "" if outcome.reason == Outcome.reason else outcome.reason
    except LeftOut as e:
        outcome.result, outcome.reason = "left out", str(e)
    except Late:
        outcome.reason = f"not done within {context.deadline - began:.0f} s"
    except Failed as e:
        outcome.reason = str(e)
    except Exception as e:  # no part may cost the others
        outcome.reason = f"{type(e).__name__}: {e}"
    finally:
        outcome.seconds = time.monotonic() - began


def run_all(context, names, report):
    """`report` is given the outcomes after each part, so that what is known stays known if all this is ended."""
    outcomes = []
    context.work.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(f"tandem: {name} ...", flush=True)
        outcome = Outcome(name)
        outcomes.append(outcome)
        try:
            run_part(context, outcome)
        finally:
            report(outcomes)
        print(f"tandem: {name}: {outcome.result} ({outcome.seconds:.0f} s)", flush=True)
    return outcomes
