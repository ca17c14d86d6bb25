"""The parts of ci/gpu: each a function of a context that fills an outcome, within its time."""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tarfile
import time

from gpu_check import machine, npy

# Programs of operations on the device that TANDEM_TEST_DEVICE names, as on the CPU.
PROGRAM_TESTS = ["program_kernels_test", "program_model_test", "program_attention_test", "program_select_test",
                 "program_adjust_test", "program_pick_test"]
# Beside the goldens, models of random weights, of odd and even sizes: (name, options of synth, tolerance).
RANDOM = [(kind, ["--layers", "2", "--width", "512", "--heads", "8", "--kv-heads", "2", "--head-size", "64", "--feed-forward",
                  "1536", "--vocabulary", "1000", "--context", "512", "--type", kind], tolerance)
          for kind, tolerance in [("F32", 1e-6), ("F16", 3e-6), ("BF16", 1e-4), ("Q8_0", 1e-3), ("Q4_0", 1e-3), ("Q4_1", 1e-3),
                                  ("Q4_K", 1e-3), ("Q6_K", 1e-3)]]
# The reference's lead over which its likeliest token must be ours (golden/README: 0.2).
MARGIN = 0.2
MODELS = {"cuda": "smollm2-135m:Q8_0,llama-3.2-1b:Q4_0,llama-3.2-1b:Q8_0,llama-3.2-1b:F16,llama-3-8b:Q4_0,llama-3-8b:Q8_0",
          "emulated": "stories:Q8_0"}


# For all parts together, so that it ends within eight minutes.
SECONDS = 465


class Late(Exception):
    """The part's time is up."""


class Failed(Exception):
    """What failed, in one line."""


class LeftOut(Exception):
    """Why the part cannot run here."""


@dataclasses.dataclass
class Outcome:
    name: str
    result: str = "passed"  # or FAILED, left out
    reason: str = ""
    seconds: float = 0
    tests: int = 0
    failed: list = dataclasses.field(default_factory=list)  # names of tests
    tables: list = dataclasses.field(default_factory=list)  # (title, rows; the first has the names of the columns)
    texts: list = dataclasses.field(default_factory=list)  # (title, text as it was printed)
    data: dict = dataclasses.field(default_factory=dict)


class Context:
    """What the parts share: where things are, which device, and how long it may take."""

    def __init__(self, root, out, device, seconds, models):
        self.root, self.out, self.device = root, out, device
        self.work = root / "build/gpu"
        self.native = self.work / "native"
        self.dist = self.work / "dist"
        self.pack = root / "build/gpu-pack"
        self.end = time.monotonic() + seconds
        self.patience = max(1.0, seconds / SECONDS)  # who has more time in all has more for each part
        self.deadline = self.end
        self.models = models or MODELS["cuda" if device.startswith("cuda") else "emulated"]
        self.log = open(out / "gpu.log", "w", encoding="utf-8", errors="replace")
        self.gpus, self.no_device = machine.gpus()
        if device.startswith("cuda"):
            self.index = int(device.partition(":")[2])
            if self.gpus and self.index >= len(self.gpus):
                self.no_device = f"there is no {device}: there are {len(self.gpus)}"
        else:
            self.no_device = ""
        self.cuda = machine.cuda_home(root)

    @property
    def gpu(self):
        """The GPU that is tested, or None."""
        return self.gpus[self.index] if self.device.startswith("cuda") and not self.no_device else None

    def run(self, *command, check=True, **environment):
        """A command's output, both streams; it is killed with all that it started when the part's time is up."""
        words = [str(word) for word in command]
        self.log.write(f"\n$ {' '.join(words)}\n")
        self.log.flush()
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Late
        process = subprocess.Popen(words, cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
                                   env={**os.environ, **{name: str(value) for name, value in environment.items()}})
        try:
            output = process.communicate(timeout=left)[0]
        except subprocess.TimeoutExpired:
            self.end_group(process)
            raise Late from None
        except BaseException:  # Ctrl-C
            self.end_group(process)
            raise
        self.log.write(output)
        if check and process.returncode:
            lines = output.strip().splitlines()
            raise Failed(f"{pathlib.Path(words[0]).name}: exit code {process.returncode}: {lines[-1] if lines else 'no output'}")
        return output

    def end_group(self, process):
        """Ends a process with all that it started."""
        for number, patience in (signal.SIGTERM, 5), (signal.SIGKILL, 10):
            try:
                os.killpg(process.pid, number)
                self.log.write(process.communicate(timeout=patience)[0][-20000:])
                break
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass

    def packed(self, name):
        path = self.pack / name
        if not path.exists():
            raise Failed(f"{path} is missing: ci/gpu --pack gathers it, where there is a network")
        return path

    def unpack(self, name, target):
        """The one folder of a packed archive, at `target`."""
        if not target.exists():
            part = target.with_name(target.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            with tarfile.open(self.packed(name)) as content:
                content.extractall(part)
            next(part.iterdir()).rename(target)
            part.rmdir()
        return target

    @property
    def gpu_libraries(self):
        """The folder of the library that is tested: the one built here, else the distribution's."""
        built = self.native / "native/cuda"
        if self.device.startswith("cuda") and (built / "libtandem_cuda.so").exists():
            return built
        return self.unpack("tandem.tar.gz", self.dist) / "lib"

    def tandem(self, *words, check=True):
        """Runs the packed distribution, with its own library where that has code for this GPU."""
        command = self.unpack("tandem.tar.gz", self.dist) / "bin/tandem"
        environment = {}
        if self.gpu:
            known = json.loads(self.packed("pack.json").read_text())["architectures"]
            if "sm_" + self.gpu["capability"].replace(".", "") not in known:
                environment["TANDEM_GPU_LIBRARIES"] = self.gpu_libraries
        return self.run(command, *words, check=check, **environment)


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
    cuda = [f"-DTANDEM_CUDA={'ON' if context.cuda else 'OFF'}"]
    cuda.append(f"-DTANDEM_CUDA_ARCHITECTURES={context.gpu['capability'].replace('.', '') if context.gpu else 90}-real")
    context.run("cmake", "-S", context.root, "-B", context.native, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                "-DTANDEM_EMULATED=OFF", f"-DCMAKE_PREFIX_PATH={libraries}", *cuda,
                *(f"-DCMAKE_{language}_COMPILER_LAUNCHER={context.root}/ci/gpu_check/compile" for language in ("CXX", "CUDA")),
                CUDA_HOME=context.cuda or os.environ.get("CUDA_HOME", ""))
    context.run("cmake", "--build", context.native, "--target", *PROGRAM_TESTS, "native_bench")
    if context.no_device:
        outcome.reason = context.no_device
    elif context.cuda:
        context.run("cmake", "--build", context.native, "--target", "tandem_cuda")
    else:
        outcome.reason = "no nvcc: the distribution's own libtandem_cuda.so is tested"


def program_tests(context, outcome, title="kernel tests", wrapper=(), clean=""):
    """Runs the program tests on the device, maybe under a tool, which then says that they are clean."""
    rows = [["program", "tests", "failed", "seconds"]]
    outcome.tables.append((title, rows))
    for name in PROGRAM_TESTS:
        program = context.native / "native/tests" / name
        if not program.exists():
            raise Failed(f"{name} was not built")
        result = context.work / f"{name}.json"
        result.unlink(missing_ok=True)
        began = time.monotonic()
        output = context.run(*wrapper, program, "--gtest_brief=1", f"--gtest_output=json:{result}", check=False,
                             TANDEM_TEST_DEVICE=context.device, TANDEM_GPU_LIBRARIES=context.gpu_libraries)
        if not result.exists():
            rows.append([name, "-", "died", f"{time.monotonic() - began:.1f}"])
            outcome.failed.append(f"{name} died: {(output.strip().splitlines() or [''])[-1]}")
            continue
        found = json.loads(result.read_text())
        failed = [f"{suite['name']}.{test['name']}" for suite in found["testsuites"] for test in suite["testsuite"]
                  if test.get("failures")]
        outcome.tests += found["tests"]
        outcome.failed += failed
        rows.append([name, found["tests"], len(failed), f"{time.monotonic() - began:.1f}"])
        if clean not in output:
            summary = [line.strip("= ") for line in output.splitlines() if "SUMMARY" in line]
            outcome.failed.append(f"{name}: {summary[-1] if summary else 'no summary of ' + wrapper[0]}")
    if outcome.failed:
        raise Failed(f"{len(outcome.failed)} failed: {outcome.failed[0]}")


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
    text = context.tandem("generate", "Once upon a time", "-n", "60", "--temp", "0", "-q", "--device", context.device)
    outcome.texts.append(("The built-in model there", text))
    if outcome.failed:
        raise Failed(f"{len(outcome.failed)} of {len(cases)} models: {outcome.failed[0]}")


def bench(context, outcome):
    """The kernels one by one, and what the machine can do."""
    if "\n  devices" in context.tandem("--help"):
        outcome.texts.append(("tandem devices --measure", context.tandem("devices", "--measure", check=False)))
    if "--device" in context.tandem("bench", "kernels", "--help"):
        shape = ["--shape", "llama-3.2-1b"] if context.gpu else ["--shape", "stories"]
        for kind in "Q4_0", "Q8_0":
            outcome.texts.append((f"tandem bench kernels --device {context.device} {' '.join(shape)} --type {kind}",
                                  context.tandem("bench", "kernels", "--device", context.device, *shape, "--type", kind, "-r", "3")))
    else:
        outcome.reason = "this build's `bench kernels` knows no devices"
    program = context.native / "native/bench/native_bench"
    if not program.exists():
        raise Failed("native_bench was not built")
    found = context.run(program, "--benchmark_filter=^machine/(read|fma|bytes)/", "--benchmark_format=json")
    found = json.loads(found[found.index("{"):])
    rows = [["native_bench", "figure"]]
    for one in found["benchmarks"]:
        figures = [f"{one[unit]:.1f} {unit}" for unit in ("GB/s", "GFLOP/s", "GOP/s") if unit in one]
        rows.append([one["name"].partition("/iterations")[0], ", ".join(figures)])
    outcome.tables.append(("What the processor can do", rows))


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
            context.tandem("synth", "--shape", shape, "--type", kind or "Q8_0", "-o", file)
            size = f"{file.stat().st_size / 2**30:.2f}"
            try:
                found = context.tandem("bench", "model", "-m", file, "-p", lengths[0], "-n", lengths[1], "-r", "3", "--json",
                                       "--device", context.device)
                found = json.loads(found[found.index("{"):found.rindex("}") + 1])
                speed = [next(one["median"] for one in found["results"] if one["prompt"] == prompt) for prompt in (True, False)]
                rows.append([name, size, "tandem", f"{speed[0]:.1f}", f"{speed[1]:.1f}", f"{found['load_seconds']:.2f}"])
                outcome.data[name] = found
            except (Failed, ValueError) as e:
                rows.append([name, size, "tandem", "failed", "", ""])
                outcome.failed.append(f"{name}: {e}")
            if peer:
                rows.append([name, size, "llama.cpp", *measure_peer(context, peer, file, lengths, outcome, name), ""])
        finally:
            file.unlink(missing_ok=True)
    if not peer:
        outcome.reason = "llama.cpp is not beside: $LLAMA_BENCH names none"
    if outcome.failed:
        raise Failed(outcome.failed[0])


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
        context.log.write(f"llama.cpp: {e}\n")
        return ["failed", "see gpu.log"]


# In the order of what matters most, should the time run out. Seconds each may take.
PARTS = {"build": (build, 210), "kernels": (kernels, 60), "parity": (parity, 75), "bench": (bench, 45), "models": (models, 120),
         "memcheck": (sanitizer("memcheck", "ERROR SUMMARY: 0 errors"), 60),
         "racecheck": (sanitizer("racecheck", "RACECHECK SUMMARY: 0 hazards"), 60)}


def run_part(context, name):
    function, limit = PARTS[name]
    outcome, began = Outcome(name), time.monotonic()
    context.deadline = min(began + limit * context.patience, context.end)
    try:
        if context.no_device and name != "build":
            raise LeftOut(context.no_device)
        if began >= context.end:
            raise LeftOut("no time was left")
        function(context, outcome)
    except LeftOut as e:
        outcome.result, outcome.reason = "left out", str(e)
    except Late:
        outcome.result, outcome.reason = "FAILED", f"not done within {context.deadline - began:.0f} s"
    except Failed as e:
        outcome.result, outcome.reason = "FAILED", str(e)
    except Exception as e:  # no part may cost the others
        outcome.result, outcome.reason = "FAILED", f"{type(e).__name__}: {e}"
    outcome.seconds = time.monotonic() - began
    return outcome


def run_all(context, names):
    outcomes = []
    context.work.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(f"tandem: {name} ...", flush=True)
        outcomes.append(run_part(context, name))
        print(f"tandem: {name}: {outcomes[-1].result} ({outcomes[-1].seconds:.0f} s)", flush=True)
    context.log.flush()
    return outcomes
