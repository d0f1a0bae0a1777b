"""A GPU that stops working in the middle: what its errors mean to a person. Nothing here loads torch."""

from __future__ import annotations

from core.errors import TrialFailed

SIGNS = ("CUDA error", "CUDA driver", "CUDA-capable device", "CUBLAS_STATUS", "CUDNN_STATUS", "cuDNN error")
"""In the text of what torch raises; since 2.8 also its type (`torch.AcceleratorError`)."""
ASSERTS = ("device-side assert", "illegal memory access")
NO_CODE = "no kernel image"


def gpu_fault(error: BaseException) -> TrialFailed | None:
    """The failure of a trial whose GPU has stopped working; None where the error is another one.

    After such an error nothing runs on the GPU any more in this process. (Out of memory is no such error.)
    """
    text = str(error)
    if type(error).__name__ != "AcceleratorError" and not any(sign in text for sign in SIGNS):
        return None
    found = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    if NO_CODE in text:
        return TrialFailed(
            "unsupported",
            f"The installed torch holds no code for this GPU: {found}",
            "Install a torch built for it (https://pytorch.org/get-started), or run on the CPU.",
        )
    if any(sign in text for sign in ASSERTS):
        return TrialFailed(
            "crash",
            f"The model read beyond one of its tables on the GPU: {found}",
            "Most often a token or a position that the model does not have. The same trial on the CPU says which.",
        )
    return TrialFailed(
        "crash",
        f"The GPU stopped working in the middle of the trial: {found}",
        "`nvidia-smi` and the system's log say whether it is still there. The rows so far are kept: run it again.",
    )
