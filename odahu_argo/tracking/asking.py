"""A tracker that is never waited for longer than is said."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from time import monotonic

from odahu_argo.errors import OdahuArgoError
from odahu_argo.tracking.model import Run, Tracker

PATIENCE = 2.0
"""Seconds that a page is held up for MLflow; a moment later it is brought up to date."""
FRESH = 4.0
"""Seconds for which an answer is given again."""
KEPT = 64
"""Runs whose last answers are kept."""
NOT_YET = "MLflow has not answered yet"


@dataclass(frozen=True, slots=True)
class NoRun:
    """Why there is no run to show, and what may help."""

    why: str
    hint: str = ""


Answer = Run | NoRun


class Asking:
    """Asks in threads of its own; one question for a run at a time, whoever wants to know."""

    def __init__(self, tracker: Tracker, patience: float = PATIENCE) -> None:
        self._tracker = tracker
        self._patience = patience
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="mlflow")
        self._one_at_a_time = threading.Lock()
        self._asked: OrderedDict[str, tuple[float, Future[Answer]]] = OrderedDict()
        self._known: dict[str, Answer] = {}

    def run(self, run_id: str) -> Answer:
        """The run as it stands now or stood a moment ago; what was last known, where no answer comes in time."""
        try:
            answer = self._question(run_id).result(self._patience)
        except NotYet:
            return self._known.get(run_id) or NoRun(NOT_YET)
        if isinstance(answer, Run):
            self._known[run_id] = answer
        return answer

    def _question(self, run_id: str) -> Future[Answer]:
        with self._one_at_a_time:
            began, question = self._asked.get(run_id, (0.0, None))
            if question is None or (question.done() and monotonic() - began > FRESH):
                question = self._pool.submit(self._read, run_id)
                self._asked[run_id] = (monotonic(), question)
            self._asked.move_to_end(run_id)
            while len(self._asked) > KEPT:
                oldest, _ = self._asked.popitem(last=False)
                self._known.pop(oldest, None)
            return question

    def _read(self, run_id: str) -> Answer:
        try:
            return self._tracker.read(run_id)
        except OdahuArgoError as error:
            problem = error.problems[0]
            return NoRun(problem.message, problem.hint or "")
        except Exception as error:
            return NoRun(f"what MLflow has recorded cannot be read: {type(error).__name__}")
