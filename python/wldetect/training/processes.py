"""The processes that train one model together, as ``torchrun`` starts them; one process alone is the usual case."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed

from wldetect.errors import ConfigError, WLDetectError

__all__ = ["Processes", "join_processes", "local_rank"]

# Others wait as long as the first one takes to prepare its data; that one is gone is noticed at once.
_PATIENCE = timedelta(hours=24)


class Processes:
    """This process among those of the run.

    Attributes:
        rank: number of this process, from 0; the one of rank 0 writes and speaks.
        size: number of processes.
        local_rank: number of this process among those of its machine.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each of ``tensors`` (float32, the same shapes everywhere) by its sum over all processes."""
        if self.size == 1:
            return
        # One message instead of one a tensor.
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _together(self.size):
            distributed.all_reduce(flat)
        start = 0
        for tensor in tensors:
            stop = start + tensor.numel()
            tensor.copy_(flat[start:stop].view_as(tensor))
            start = stop

    def gather(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Each of ``tensors`` from all processes, one after the other in the order of their ranks.

        They may differ between processes in the first dimension.
        """
        if self.size == 1:
            return tensors
        return tuple(self._gather(tensor) for tensor in tensors)

    def _gather(self, tensor: Tensor) -> Tensor:
        count = torch.tensor([len(tensor)], device=tensor.device)
        counts = [torch.zeros_like(count) for _ in range(self.size)]
        with _together(self.size):
            distributed.all_gather(counts, count)
            sizes = [int(size) for size in counts]
            # They exchange tensors of one size.
            padded = tensor.new_zeros(max(sizes), *tensor.shape[1:])
            padded[: len(tensor)] = tensor
            parts = [torch.zeros_like(padded) for _ in range(self.size)]
            distributed.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.size > 1:
            with _together(self.size):
                distributed.barrier()

    @contextmanager
    def first_of_machine(self) -> Iterator[None]:
        """Run the block in the first process of each machine, and only then in the others.

        What the first has left in the cache, the others find there.
        """
        if self.local_rank != 0:
            self.wait()
        yield
        if self.local_rank == 0:
            self.wait()


@contextmanager
def join_processes(device_type: str) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started with this one, if it did; leave them at the end of the block.

    Args:
        device_type: ``cpu`` (they talk through gloo) or ``cuda`` (NCCL).

    Raises:
        ConfigError: the device cannot be used by several processes.
        WLDetectError: the others cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes()
        return
    if device_type not in ("cpu", "cuda"):
        raise ConfigError(f"training.device: expected cpu or cuda for {size} processes, found {device_type!r}")
    with _together(size):
        distributed.init_process_group("nccl" if device_type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), size, local_rank())
    finally:
        distributed.destroy_process_group()


def local_rank() -> int:
    """Number of this process among those that ``torchrun`` started on this machine; 0 where it did not."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def _together(size: int) -> Iterator[None]:
    try:
        yield
    # torch raises what its backend does: RuntimeError, or one of its subclasses.
    except RuntimeError as error:
        reason = str(error).strip().split("\n", 1)[0][:200]
        raise WLDetectError(
            f"training: lost one of {size} processes, so this one stops too; what happened stands in the messages "
            f"of the lost one; once it is mended, the same command with --resume goes on ({reason})"
        ) from error
