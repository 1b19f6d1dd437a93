"""Text tasks: what they deal is right, split by construction, and tells nothing it should not."""

from __future__ import annotations

import json
import re
from collections import Counter
from math import sqrt

import pytest

from phosphene.config import build
from phosphene.errors import PhospheneError
from phosphene.minds.task import TextProblem, TextTask, text_tasks
from phosphene.minds.tasks.arithmetic import Arithmetic
from phosphene.minds.tasks.prontoqa import ProntoQA
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.minds.words import word_tokenizer

MANY = 2000
NAMES = ("arithmetic", "chase", "prontoqa", "prosqa")


def dealt(task: TextTask, count: int = MANY) -> list[TextProblem]:
    return [task.sample(seed) for seed in range(count)]


def fair(hits: int, count: int, chance: float = 0.5) -> bool:
    """Within four standard errors of chance."""
    return abs(hits / count - chance) < 4 * sqrt(chance * (1 - chance) / count)


@pytest.mark.parametrize("name", NAMES)
def test_every_task_deals_the_same_again_and_speaks_only_its_words(name: str) -> None:
    task = text_tasks.get(name)()
    tokens = word_tokenizer(task.words())
    for seed in range(50):
        problem, again = task.sample(seed), task.sample(seed)
        assert problem.question == again.question
        assert problem.answer in problem.options
        assert task.right(problem, f"{problem.answer} .")
        assert not any(task.right(problem, o) for o in problem.options if o != problem.answer)
        told = " ".join([problem.question, *problem.steps, problem.answer])
        assert tokens.unk_token_id not in tokens(told)["input_ids"]
        assert len(tokens(problem.answer)["input_ids"]) == 1
        assert json.loads(json.dumps(problem.state)) == problem.state
    assert build(type(task), json.loads(json.dumps(vars(task))), "mind.json") == task


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_is_word_for_word_as_long_and_has_another_answer(name: str) -> None:
    task = text_tasks.get(name)()
    tokens = word_tokenizer(task.words())
    for seed in range(100):
        problem = task.sample(seed, "test")
        twin = task.twin(problem, 1)
        assert twin.answer != problem.answer
        assert twin.options == problem.options
        sizes = [[len(tokens(s)["input_ids"]) for s in p.steps] for p in (problem, twin)]
        first, second = ([len(s) for s in one] for one in (problem.values, twin.values))
        assert first == second
        asked = [tokens(p.question)["input_ids"] for p in (problem, twin)]
        assert len(asked[0]) == len(asked[1])
        assert asked[0] != asked[1]
        if name != "prontoqa":  # its last step says `not` in one of the two
            assert sizes[0] == sizes[1]


@pytest.mark.parametrize("name", ["arithmetic", "prontoqa", "prosqa"])
def test_no_test_instance_is_ever_trained_on(name: str) -> None:
    task = text_tasks.get(name)()

    def instance(problem: TextProblem) -> str:
        if name == "arithmetic":
            return str([problem.state["operations"], problem.state["operands"]])
        facts = problem.question.partition(" Tom ")[0]
        return str(sorted(facts.split(". ")))

    train = {instance(p) for p in dealt(task, 1000)}
    tested = [task.sample(seed, "test") for seed in range(300)]
    assert not train & {instance(p) for p in tested}
    assert not train & {instance(task.twin(p)) for p in tested}


def edges_of(problem: TextProblem) -> list[tuple[str, str]]:
    return re.findall(r"Every (\w+) is a (\w+)\.", problem.question)


def reachable(root: str, edges: list[tuple[str, str]]) -> dict[str, int]:
    """Noun -> how many edges away, found from the question's words alone."""
    far, queue = {root: 0}, [root]
    for noun in queue:
        for a, b in edges:
            if a == noun and b not in far:
                far[b] = far[noun] + 1
                queue.append(b)
    return far


def test_prosqa_answers_are_the_reachable_ones() -> None:
    for problem in dealt(ProsQA(), 300):
        far = reachable(re.findall(r"Tom is a (\w+)\.", problem.question)[0], edges_of(problem))
        asked = re.findall(r"Is Tom a (\w+) or a (\w+)\?", problem.question)[0]
        assert [o for o in asked if o in far] == [problem.answer]
        assert tuple(asked) == problem.options
        assert far[problem.answer] == problem.state["hops"] == len(problem.steps)
        assert problem.state["rival"] == next(o for o in asked if o != problem.answer)
        depths = [sorted(n for n in far if far[n] == d) for d in range(1, max(far.values()) + 1)]
        assert problem.state["frontiers"] == depths
        for step in problem.steps:
            a, b = re.findall(r"(\w+) is a (\w+)\.", step)[0]
            assert (a.lower(), b) in edges_of(problem)


def test_prosqa_tells_by_reachability_alone() -> None:
    problems = dealt(ProsQA())
    counts: Counter[str] = Counter()
    hops: Counter[int] = Counter()
    for problem in problems:
        edges, rival = edges_of(problem), problem.state["rival"]
        degree = [Counter(a for a, _ in edges), Counter(b for _, b in edges)]
        assert all(d[problem.answer] == d[rival] for d in degree)
        told = [[b for _, b in edges].index(n) for n in (problem.answer, rival)]
        counts["asked first"] += problem.options[0] == problem.answer
        counts["told first"] += told[0] < told[1]
        counts["alphabet"] += problem.answer < rival
        counts["Tom's edge told first"] += edges[0][0] in reachable(problem.state["root"], edges)
        hops[problem.state["hops"]] += 1
    assert all(fair(hits, MANY) for hits in counts.values()), counts
    assert len(counts) == 4
    assert all(fair(hops[h], MANY, 1 / 3) for h in (2, 3, 4))


def test_prosqa_has_distractors_at_every_depth_over_many_problems() -> None:
    sizes: Counter[int] = Counter()
    for problem in dealt(ProsQA(hops=4, least=4), 300):
        for depth, nouns in enumerate(problem.state["frontiers"], 1):
            sizes[depth] += len(nouns) > 1
    # Two side edges over four depths: half of the frontiers hold two nouns.
    assert all(fair(sizes[depth], 300) for depth in (1, 2, 3, 4))


def test_prontoqa_follows_from_its_facts_and_not_from_polarity() -> None:
    problems = dealt(ProntoQA())
    true = first = 0
    for problem in problems:
        question, asked = problem.question, problem.state["property"]
        far = reachable(problem.state["root"], edges_of(problem))
        told = re.findall(rf"Every (\w+) is (not )?{asked}\.", question)
        holds = [(kind in far, negated == "") for kind, negated in told]
        assert sorted(there for there, _ in holds) == [False, True]
        assert [polar for there, polar in holds if there] == [problem.answer == "true"]
        assert question.count(" not ") == len(re.findall(r"is (?!a |not )\w+\.", question))
        assert problem.steps[-1] == f"Tom is {'' if problem.answer == 'true' else 'not '}{asked}."
        true += problem.answer == "true"
        first += holds[0][1] is (problem.answer == "true")
    assert fair(true, MANY)
    assert fair(first, MANY)


def test_arithmetic_is_right_and_its_state_gives_every_step_again() -> None:
    task = Arithmetic()
    answers: Counter[str] = Counter()
    for problem in dealt(task):
        s = problem.state
        number = s["start"]
        words = problem.question.replace(".", "").split()
        assert words[:2] == ["start", str(number)]
        for i, (operation, operand) in enumerate(zip(words[2::2], words[3::2], strict=True)):
            sign = {"plus": "+", "minus": "-", "times": "*"}[operation]
            after = eval(f"({number} {sign} {operand}) % 20")
            assert problem.steps[i] == f"{number} {operation} {operand} = {after}."
            assert (s["operations"][i], s["operands"][i]) == (operation, int(operand))
            assert task.reckon(number, operation, int(operand)) == after
            number = after
        assert str(number) == problem.answer == list(problem.values.values())[-1]
        answers[problem.answer] += 1
    assert all(fair(answers[str(n)], MANY, 1 / 20) for n in range(20))


def test_arithmetic_cannot_skip_its_start() -> None:
    problem = Arithmetic().sample(5)
    twins = {Arithmetic().twin(problem, seed).answer for seed in range(200)}
    assert len(twins) == 19
    assert problem.answer not in twins


@pytest.mark.parametrize(
    ("task", "fields", "named"),
    [
        (ProsQA, {"nouns": 8}, "nouns"),
        (ProsQA, {"least": 5}, "least"),
        (ProsQA, {"branches": -1}, "branches"),
        (ProntoQA, {"least": 0}, "least"),
        (ProntoQA, {"facts": 3}, "facts"),
        (ProntoQA, {"nouns": 41}, "nouns"),
        (Arithmetic, {"modulus": 2}, "modulus"),
        (Arithmetic, {"operations": ("divide",)}, "divide"),
        (Arithmetic, {"steps": 1}, "least"),
    ],
)
def test_settings_out_of_range_are_refused(task: type[TextTask], fields: dict, named: str) -> None:
    with pytest.raises(PhospheneError, match=named):
        task(**fields)
