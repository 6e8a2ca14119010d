"""Learning rates over the steps of both stages, and what epochs are called."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from wldetect.config import Scheduler, TrainingOptions
from wldetect.training.schedule import Plan, make_optimizer, make_scheduler


def plan(table: dict[str, Any], **changes: Any) -> Plan:
    options = {"learning_rate": 0.5, "num_epochs": 2, "warmup_steps": 2, "table": table, **changes}
    return Plan(TrainingOptions.model_validate(options), steps_per_epoch=10)


@pytest.mark.parametrize("scheduler", list(Scheduler))
def test_each_stage_has_the_schedule_of_a_run_of_its_own(scheduler: Scheduler) -> None:
    tuned = {"num_epochs": 3, "learning_rate": 0.2, "ngrams_share": 0.25}
    both = plan(tuned, scheduler=scheduler)
    first, second = plan({}, scheduler=scheduler), plan({}, scheduler=scheduler, num_epochs=3, learning_rate=0.2)
    assert (first.n_steps, both.n_steps, both.n_epochs) == (20, 50, 5)
    assert [both.learning_rate(step) for step in range(20)] == [first.learning_rate(step) for step in range(20)]
    assert [both.learning_rate(20 + step) for step in range(31)] == [second.learning_rate(step) for step in range(31)]
    assert [both.dense_share(step) for step in range(20)] == [first.dense_share(step) for step in range(20)]
    expected = [0.25 * second.dense_share(step) for step in range(31)]
    assert [both.dense_share(20 + step) for step in range(31)] == expected
    # Past the end, too, where a resumed run that is done looks.
    assert first.learning_rate(20) == 0.5 * first.dense_share(20) == (0.5 if scheduler is Scheduler.none else 0.0)


def test_the_scheduler_sets_the_rates_of_the_plan() -> None:
    both = plan({"num_epochs": 1, "ngrams_share": 0.1})
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(2))], both.options)
    scheduler = make_scheduler(optimizer, both)
    for step in range(both.n_steps):
        assert scheduler.get_last_lr() == [0.5 * both.dense_share(step)]
        optimizer.step()
        scheduler.step()


def test_names_of_epochs() -> None:
    both = plan({"num_epochs": 2})
    names = [both.name(epoch) for epoch in range(both.n_epochs)]
    assert names == ["epoch 1 of 2", "epoch 2 of 2", "table, epoch 1 of 2", "table, epoch 2 of 2"]
    assert [both.tunes_table(epoch) for epoch in range(4)] == [False, False, True, True]
    assert plan({}).n_epochs == 2
