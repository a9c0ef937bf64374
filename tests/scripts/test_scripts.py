"""The shell scripts, with a python3, a pip and a df that only act."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOOLS = (
    *("awk", "bash", "cat", "chmod", "cp", "df", "dirname", "env", "find", "grep"),
    *("head", "ln", "mkdir", "readlink", "rm", "rmdir", "sleep", "tail"),
)

FAKE_PYTHON = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$FAKE_CALLS"
case "$*" in
    "-c "*ensurepip*)
        printf '%s\\n' "$FAKE_VERSION"
        exit "$FAKE_PROBE" ;;
    "-c "*sys.exit*) ;;
    "-c "*) printf '%s\\n' "$FAKE_VERSION" ;;
    "-m venv "*)
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python" ;;
    "-m pip install "*)
        printf '%s\\n' "$FAKE_PIP_SAYS"
        printf '#!/usr/bin/env bash\\n%s\\n' \\
            'echo "phasenet in $PWD with $*, threads $OMP_NUM_THREADS"' >.venv/bin/phasenet
        chmod +x .venv/bin/phasenet
        exit "$FAKE_PIP_EXIT" ;;
    "-m pytest"*) echo "pytest in $PWD with ${*:3}" ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A repository root with the scripts in it, and a PATH with only what a test puts there."""

    root: Path
    bin: Path

    def call(self, script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        env = {
            "PATH": str(self.bin),
            "HOME": str(self.root),
            "FAKE_CALLS": str(self.root / "calls"),
            "FAKE_VERSION": "3.12.1",
            "FAKE_PROBE": "0",
            "FAKE_PIP_EXIT": "0",
            "FAKE_PIP_SAYS": "",
        }
        return subprocess.run(
            [self.bin / "bash", self.root / "scripts" / script, *arguments],
            cwd=self.bin,  # any folder but the root
            env=env | settings,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def put(self, name: str, text: str) -> None:
        tool = self.bin / name
        tool.unlink(missing_ok=True)
        tool.write_text(text)
        tool.chmod(0o755)

    def installs(self) -> int:
        calls = self.root / "calls"
        return calls.read_text().count("-m pip install") if calls.exists() else 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(root=tmp_path / "a root", bin=tmp_path / "bin")
    made.bin.mkdir()
    shutil.copytree(SCRIPTS, made.root / "scripts")
    (made.root / "pyproject.toml").write_text('[project]\nname = "phasenet-mps"\n')
    for tool in TOOLS:
        path = shutil.which(tool)
        assert path is not None, tool
        (made.bin / tool).symlink_to(path)
    made.put("python3", FAKE_PYTHON)
    return made


def assert_one_line(done: subprocess.CompletedProcess, *words: str) -> None:
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("phasenet: ")
    for word in words:
        assert word in done.stderr


def test_run_installs_once_and_runs_in_the_root(checkout: Checkout) -> None:
    first = checkout.call("run.sh", "--dry-run", "two words")
    wanted = (
        f"phasenet in {checkout.root} with run simulations/haldane.py "
        "--out runs/haldane --dry-run two words, threads 1"
    )
    assert first.stderr == ""
    assert first.returncode == 0
    assert first.stdout.splitlines()[-1] == wanted
    installs = checkout.installs()
    assert installs > 0

    second = checkout.call("run.sh", "--dry-run", "two words", OMP_NUM_THREADS="2")
    assert second.stdout == wanted.replace("threads 1", "threads 2") + "\n"
    assert checkout.installs() == installs


def test_pins_torch_before_anything_asks_for_it(checkout: Checkout) -> None:
    checkout.call("install.sh", "run")
    calls = (checkout.root / "calls").read_text().splitlines()
    installs = [call for call in calls if call.startswith("-m pip install")]
    assert "torch==" in installs[0]
    assert all("--constraint scripts/constraints.txt" in call for call in installs)
    assert installs[-1].endswith("--editable .")


def test_test_extra_serves_a_run_but_not_the_reverse(checkout: Checkout) -> None:
    assert checkout.call("install.sh", "run").returncode == 0
    after_run = checkout.installs()
    tests = checkout.call("test.sh", "-k", "some thing")
    assert tests.stdout.splitlines()[-1] == f"pytest in {checkout.root} with -k some thing"
    after_test = checkout.installs()
    assert after_test > after_run
    assert checkout.call("run.sh").returncode == 0
    assert checkout.installs() == after_test


def test_cluster_extra_serves_the_tests_and_a_run(checkout: Checkout) -> None:
    assert checkout.call("install.sh", "cluster").returncode == 0
    calls = (checkout.root / "calls").read_text().splitlines()
    installs = [call for call in calls if call.startswith("-m pip install")]
    assert installs[-1].endswith("--editable .[test,cluster]")
    assert checkout.call("test.sh").returncode == 0
    assert checkout.call("run.sh").returncode == 0
    assert checkout.installs() == len(installs)


def test_slurm_tests_do_not_begin_without_slurm(checkout: Checkout) -> None:
    (checkout.root / "tests" / "cluster").mkdir(parents=True)
    (checkout.root / "tests" / "cluster" / "slurm.sh").write_text("exit 1\n")
    done = checkout.call("test.sh", "--slurm")
    assert_one_line(done, "Slurm could not be installed")
    assert "pytest in" not in done.stdout


def test_slurm_is_stopped_after_its_tests(checkout: Checkout) -> None:
    (checkout.root / "tests" / "cluster").mkdir(parents=True)
    (checkout.root / "tests" / "cluster" / "slurm.sh").write_text(
        'echo "slurm $1"\n[[ $1 != start ]] || echo true >"$2/env.sh"\n'
    )
    mktemp = shutil.which("mktemp")
    assert mktemp is not None
    (checkout.bin / "mktemp").symlink_to(mktemp)
    done = checkout.call("test.sh", "--slurm", "-k", "array")
    assert done.stdout.splitlines()[-4:] == [
        "slurm install",
        "slurm start",
        f"pytest in {checkout.root} with -n 0 -m slurm tests/cluster -k array",
        "slurm stop",
    ]


def test_changed_pins_install_again(checkout: Checkout) -> None:
    checkout.call("install.sh", "run")
    before = checkout.installs()
    with (checkout.root / "scripts" / "constraints.txt").open("a") as pins:
        pins.write("tqdm==4.70.1\n")
    checkout.call("install.sh", "run")
    assert checkout.installs() > before


def test_a_changed_python_installs_again(checkout: Checkout) -> None:
    checkout.call("install.sh", "run")
    before = checkout.installs()
    checkout.call("install.sh", "run", FAKE_VERSION="3.12.2")
    assert checkout.installs() > before


def test_an_interrupted_install_is_remade(checkout: Checkout) -> None:
    checkout.call("install.sh", "run")
    half = checkout.root / ".venv" / "lib" / "half_of_a_package"
    half.mkdir(parents=True)
    (checkout.root / ".venv" / "phasenet.started").touch()
    assert checkout.call("install.sh", "run").returncode == 0
    assert not half.exists()
    assert not (checkout.root / ".venv" / "phasenet.started").exists()


def test_a_lock_of_a_dead_process_is_taken_over(checkout: Checkout) -> None:
    ended = subprocess.run(["bash", "-c", "echo $HOSTNAME:$$"], capture_output=True, text=True)
    (checkout.root / ".venv").mkdir()
    (checkout.root / ".venv" / "install.lock").symlink_to(ended.stdout.strip())
    assert checkout.call("install.sh", "run").returncode == 0
    assert not (checkout.root / ".venv" / "install.lock").is_symlink()


@pytest.mark.slow
def test_two_installs_at_once_do_one_install(checkout: Checkout) -> None:
    alone = Checkout(root=checkout.root.with_name("alone"), bin=checkout.bin)
    shutil.copytree(checkout.root, alone.root)
    alone.call("install.sh", "run")
    checkout.put("python3", FAKE_PYTHON.replace('"-m venv "*)', '"-m venv "*)\n sleep 0.5'))
    command = [checkout.bin / "bash", checkout.root / "scripts" / "install.sh", "run"]
    env = {
        "PATH": str(checkout.bin),
        "FAKE_CALLS": str(checkout.root / "calls"),
        "FAKE_VERSION": "3.12.1",
        "FAKE_PROBE": "0",
        "FAKE_PIP_EXIT": "0",
        "FAKE_PIP_SAYS": "",
    }
    both = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=30) for process in both] == [0, 0]
    assert checkout.installs() == alone.installs()


def test_no_python(checkout: Checkout) -> None:
    (checkout.bin / "python3").unlink()
    assert_one_line(checkout.call("run.sh"), "Python 3.11 or newer", "none was found", "PYTHON=")
    assert not (checkout.root / ".venv").exists()


def test_old_python(checkout: Checkout) -> None:
    done = checkout.call("test.sh", FAKE_VERSION="3.9.2", FAKE_PROBE="3")
    assert_one_line(done, "Python 3.11 or newer", "found only Python 3.9.2 (python3)", "PYTHON=")


def test_python_without_venv(checkout: Checkout) -> None:
    done = checkout.call("run.sh", FAKE_PROBE="1")
    assert_one_line(done, "3.12.1 (python3) lacks venv or ensurepip", "python3-venv")


def test_a_shim_that_does_not_run_is_passed_over(checkout: Checkout) -> None:
    checkout.put("python3.11", "#!/usr/bin/env bash\necho 'no such version' >&2\nexit 127\n")
    assert checkout.call("install.sh", "run").returncode == 0


def test_python_of_the_user(checkout: Checkout) -> None:
    done = checkout.call("run.sh", PYTHON="/nowhere/python3")
    assert_one_line(done, "PYTHON=/nowhere/python3 does not run")
    checkout.put("my python", FAKE_PYTHON)
    (checkout.bin / "python3").unlink()
    assert checkout.call("run.sh", PYTHON=str(checkout.bin / "my python")).returncode == 0


def test_full_disk_before_the_install(checkout: Checkout) -> None:
    checkout.put(
        "df",
        "#!/usr/bin/env bash\necho 'Filesystem 1024-blocks Used Available Capacity Mounted on'\n"
        "echo '/dev/disk 9000000 8897600 102400 99% /'\n",
    )
    done = checkout.call("run.sh")
    assert_one_line(done, "100 MB free", "needs about 3000 MB", "free some space")
    assert checkout.installs() == 0


NO_REGISTRY = (
    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by "
    "'NewConnectionError(<object>: Failed to establish a new connection)': /simple/torch/\n"
    "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from: none)\n"
    "ERROR: No matching distribution found for torch==2.13.0"
)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (NO_REGISTRY, "cannot reach the package registry"),
        (
            "ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='x'): "
            "Max retries exceeded with url: /simple/",
            "cannot reach the package registry",
        ),
        (
            "ERROR: Could not install packages: OSError: [Errno 28] No space left on device",
            "the disk ran full",
        ),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            "pip could not install the dependencies: ERROR: No matching distribution",
        ),
        ("Killed", "no reason given"),
    ],
)
def test_pip_fails(checkout: Checkout, says: str, words: str) -> None:
    done = checkout.call("run.sh", FAKE_PIP_SAYS=says, FAKE_PIP_EXIT="1")
    log = checkout.root / ".venv" / "install.log"
    assert_one_line(done, words, "run again", str(log))
    assert says in log.read_text()
    assert checkout.call("run.sh").returncode == 0


def test_check_runs_everything_and_tells_what_failed(checkout: Checkout) -> None:
    checkout.call("install.sh", "test")
    for tool, status in [("ruff", 1), ("mypy", 0), ("lint-imports", 0)]:
        path = checkout.root / ".venv" / "bin" / tool
        path.write_text(f"#!/usr/bin/env bash\nexit {status}\n")
        path.chmod(0o755)
    done = checkout.call("check.sh")
    summary = [line.split(maxsplit=1) for line in done.stdout.splitlines()[-6:]]
    assert done.returncode == 1
    assert [name for _, name in summary] == [
        "ruff check",
        "ruff format",
        "mypy --strict",
        "import rules",
        "doctests",
        "fast tests",
    ]
    assert [word for word, _ in summary] == ["FAILED", "FAILED", "ok", "ok", "ok", "ok"]
    (checkout.root / ".venv" / "bin" / "ruff").write_text("#!/usr/bin/env bash\n")
    static = checkout.call("check.sh", "static")
    assert static.returncode == 0
    assert "fast tests" not in static.stdout
