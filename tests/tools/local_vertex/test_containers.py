import json
import subprocess
import sys

from tools.local_vertex import containers
from tools.local_vertex.containers import Command, PodmanEngine, ProcessEngine


def test_a_process_runs_in_the_project_and_its_output_goes_to_the_log(tmp_path):
    engine = ProcessEngine(tmp_path / "gcs", project=tmp_path)
    code = (
        "import os, sys; print(os.getcwd(), os.environ['X'], sys.argv[1]); print('bad', file=sys.stderr); sys.exit(3)"
    )
    command = Command("image", ("python", "-c", code), ("{a b}",), {"X": "y"})
    assert engine.run(command, tmp_path / "log") == 3
    assert set((tmp_path / "log").read_text().splitlines()) == {f"{tmp_path} y {{a b}}", "bad"}
    engine.run(command, tmp_path / "log")
    assert len((tmp_path / "log").read_text().splitlines()) == 4
    assert engine.mount == str(tmp_path / "gcs")


def test_the_call_of_podman(tmp_path, monkeypatch):
    monkeypatch.setattr(containers.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0))
    argv = PodmanEngine(tmp_path, print).argv(Command("image", ("python", "-m", "x"), ("{{$}}",), {"A": "b"}, 2, 8))
    assert argv[:2] == ["podman", "run"]
    for option in ("--rm", "--network=none", "--pull=never", f"--volume={tmp_path}:/gcs", "--env=A=b"):
        assert option in argv
    assert "--cpus=2" in argv
    assert "--memory=8000000000" in argv
    [entry] = [option for option in argv if option.startswith("--entrypoint=")]
    assert json.loads(entry.partition("=")[2]) == ["python", "-m", "x"]
    assert argv[-2:] == ["image", "{{$}}"]
    assert not any(option.startswith("--user") for option in argv)


def test_folders_of_this_machine_are_mounted_read_only(tmp_path):
    command = Command("image", ("python",), readable={"/project/tools": tmp_path})
    argv = PodmanEngine(tmp_path, print).argv(command)
    assert f"--volume={tmp_path}:/project/tools:ro" in argv[: argv.index("image")]


def test_limits_that_podman_refuses_are_told_once(tmp_path, monkeypatch):
    said = []
    refusal = subprocess.CompletedProcess([], 126, "", "Error: runc:\ncgroup: no memory controller\n")
    monkeypatch.setattr(containers.subprocess, "run", lambda *a, **k: refusal)
    engine = PodmanEngine(tmp_path, said.append)
    for _ in range(2):
        argv = engine.argv(Command("image", ("true",), cpu=2, memory_gb=8))
        assert not any(option.startswith(("--cpus", "--memory")) for option in argv)
    assert len(said) == 1
    assert said[0].endswith("cgroup: no memory controller")


def test_the_images_own_command_is_kept(tmp_path):
    argv = PodmanEngine(tmp_path, print).argv(Command("image", (), ("a",)))
    assert not any(option.startswith("--entrypoint") for option in argv)


def test_the_default_python_is_this_one(tmp_path):
    engine = ProcessEngine(tmp_path)
    engine.run(Command("image", ("python", "-c", "import sys; print(sys.executable)")), tmp_path / "log")
    assert (tmp_path / "log").read_text().strip() == sys.executable
