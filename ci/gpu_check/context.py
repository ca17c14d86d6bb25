"""What the parts of ci/gpu share: where things are, how commands are run within their time, what comes of a part."""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import time

from gpu_check import machine

# For all parts together, so that it ends within eight minutes.
SECONDS = 465
MODELS = {"cuda": "smollm2-135m:Q8_0,llama-3.2-1b:Q4_0,llama-3.2-1b:Q8_0,llama-3.2-1b:F16,llama-3-8b:Q4_0,llama-3-8b:Q8_0",
          "emulated": "stories:Q8_0"}


class Late(Exception):
    """The part's time is up. Its text is what the command printed until then."""


class Failed(Exception):
    """What failed, in one line."""


class LeftOut(Exception):
    """Why the part cannot run here."""


@dataclasses.dataclass
class Outcome:
    """What came of a part; of one that has not ended, so far."""
    name: str
    result: str = "FAILED"  # or passed, left out
    reason: str = "it was ended from outside"
    seconds: float = 0
    tests: int = 0
    failed: list = dataclasses.field(default_factory=list)  # names of tests
    tables: list = dataclasses.field(default_factory=list)  # (title, rows; the first has the names of the columns)
    texts: list = dataclasses.field(default_factory=list)  # (title, text as it was printed)
    data: dict = dataclasses.field(default_factory=dict)

    def attempt(self, name, action):
        """Does one thing of several: that it fails is noted, and costs only itself. Returns whether it was done."""
        try:
            action()
            return True
        except (Failed, OSError, ValueError, KeyError, StopIteration) as e:
            self.failed.append(f"{name}: {e or type(e).__name__}")
            return False

    def require_none_failed(self):
        if self.failed:
            raise Failed(f"{len(self.failed)} failed: {self.failed[0]}")


def sources_hash(root):
    """A number of the native sources: what was built of other ones has another."""
    found = hashlib.sha256()
    for path in sorted((root / "native").rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]


def how_it_ended(code):
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class Context:
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
        # Commands write into it themselves: it has what they said, however all this ends.
        (out / "gpu.log").unlink(missing_ok=True)
        self.log = open(out / "gpu.log", "ab+", buffering=0)
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

    def note(self, text):
        self.log.write(f"{text}\n".encode())

    def execute(self, *command, **environment):
        """(exit code, output of both streams) of a command; when the part's time is up, it is killed with all that it
        started."""
        words = [str(word) for word in command]
        self.note(f"\n$ {' '.join(words)}")
        start = os.fstat(self.log.fileno()).st_size

        def printed():
            return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size - start, start).decode(errors="replace")

        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Late
        process = subprocess.Popen(words, cwd=self.root, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                   start_new_session=True,
                                   env={**os.environ, **{name: str(value) for name, value in environment.items()}})
        try:
            return process.wait(timeout=left), printed()
        except subprocess.TimeoutExpired:
            end_group(process)
            raise Late(printed()) from None
        except BaseException:  # Ctrl-C
            end_group(process)
            raise

    def run(self, *command, check=True, **environment):
        """A command's output, both streams."""
        code, output = self.execute(*command, **environment)
        if check and code:
            lines = output.strip().splitlines() or ["no output"]
            telling = next((line for line in lines if "error:" in line.lower()), lines[-1])
            raise Failed(f"{pathlib.Path(command[0]).name}: {how_it_ended(code)}: {telling.strip()}")
        return output

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
    def is_built_here(self):
        """Whether the library for the GPU was compiled here."""
        return self.device.startswith("cuda") and (self.native / "native/cuda/libtandem_cuda.so").exists()

    @property
    def gpu_libraries(self):
        """The folder of the library that is tested: the one built here, else the distribution's."""
        return self.native / "native/cuda" if self.is_built_here else self.unpack("tandem.tar.gz", self.dist) / "lib"

    def tandem(self, *words, check=True):
        """Runs the packed distribution with the library that is tested."""
        command = self.unpack("tandem.tar.gz", self.dist) / "bin/tandem"
        return self.run(command, *words, check=check, **({"TANDEM_GPU_LIBRARIES": self.gpu_libraries} if self.is_built_here else {}))

    def pack_facts(self):
        """What the pack says of itself; nothing where it is absent or came half-way."""
        try:
            return dict(json.loads((self.pack / "pack.json").read_text()))
        except (OSError, ValueError):
            return {}

    def tested(self):
        """What a report says of the code: which library, and whether the pack is of these sources."""
        pack = self.pack_facts()
        same = pack.get("native") == sources_hash(self.root)
        return {"GPU library": "compiled here" if self.is_built_here else f"the pack's ({','.join(pack.get('architectures', []))})",
                "pack": f"of {pack.get('commit', 'unknown')}, " + (
                    "the same native sources" if same else "OTHER native sources: its part for the CPU is in parity, bench and models")}


def end_group(process):
    """Ends a process with all that it started."""
    for number, patience in (signal.SIGTERM, 5), (signal.SIGKILL, 10):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=patience)
            if number == signal.SIGTERM:
                os.killpg(process.pid, signal.SIGKILL)  # what it started, and did not end
            break
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
