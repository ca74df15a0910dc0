"""What to do where a model asks for an accelerator that is not there, beside what the framework says of it."""

SIGNS = (
    "not compiled with CUDA",
    "Found no NVIDIA driver",
    "No CUDA GPUs are available",
    "CUDA driver initialization failed",
)
WAY_OUT = (
    "The model asks for CUDA by name, and there is none here: run it where there is, with --device cuda, or let its code "
    "make and move tensors to the device of its inputs (x.device)"
)


def with_way_out(reason: str) -> str:
    """Return why something could not be measured, and what helps where it is for want of CUDA.

    Examples
    --------
    >>> with_way_out("it broke")
    'it broke'
    >>> with_way_out("AssertionError: Torch not compiled with CUDA enabled")[:80]
    'AssertionError: Torch not compiled with CUDA enabled. The model asks for CUDA by'
    """
    if WAY_OUT in reason or not any(sign in reason for sign in SIGNS):
        return reason
    return f"{reason.rstrip('.')}. {WAY_OUT}"
