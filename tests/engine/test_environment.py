import subprocess
import sys

from core.engine import environment


def test_the_driver_tools_answer_is_read():
    answer = "NVIDIA A100-SXM4-80GB, 81920\nTesla T4, 15360\nGrace, [N/A]\n"
    assert environment.parse_gpus(answer) == (("NVIDIA A100-SXM4-80GB", 85899), ("Tesla T4", 16106), ("Grace", 0))


def test_no_driver_tool_means_no_gpu(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert environment.gpus.__wrapped__() == ()


def test_a_container_quota_counts_as_cores(monkeypatch, tmp_path):
    quota = tmp_path / "cpu.max"
    quota.write_text("100000 100000\n")
    monkeypatch.setattr(environment, "_CPU_QUOTA", quota)
    assert environment.cores.__wrapped__() == 1
    quota.write_text("max 100000\n")
    assert environment.cores.__wrapped__() >= 1


def test_the_description_names_machine_and_versions():
    described = environment.describe()
    assert described["cpu"]
    assert described["cores"] >= 1
    assert described["torch"] == environment.version("torch")
    assert environment.version("no-such-package") is None


def test_the_fingerprint_differs_by_gpu(monkeypatch):
    on_cpu = environment.fingerprint("cpu")
    board = environment.Device("cuda", "Tesla T4", 16106)
    monkeypatch.setattr(environment, "devices", lambda: (environment.Device("cpu", "c"), board))
    assert environment.fingerprint("cpu") == on_cpu
    assert environment.fingerprint("cuda") == f"{on_cpu}, Tesla T4"


def test_other_work_on_the_machine_is_told():
    assert "other work took 55 % of the processor" in environment.busy_note(55.4)
    assert environment.busy_note(3.0) is None


def test_the_share_in_use_is_a_percentage():
    assert 0 <= environment.busy_percent(0.05) <= 100


def test_looking_at_the_machine_loads_no_runtime():
    code = (
        "import sys; from core.engine import environment as e; e.describe(); e.devices(); print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
