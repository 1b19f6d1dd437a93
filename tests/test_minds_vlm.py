"""Equations shown as pictures, and a tiny model that sees and thinks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from phosphene.draw import text
from phosphene.errors import PhospheneError
from phosphene.minds.mind import Manner, Mind
from phosphene.minds.opening import open_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.tasks.picture_equations import PictureEquations
from phosphene.minds.thinking import answer, fork, hear, start, think
from phosphene.minds.wires import Wires
from phosphene.testing.minds import tiny_mind
from phosphene.testing.vlm import tiny_vlm

TASK = PictureEquations()


@pytest.fixture(scope="module")
def mind() -> Mind:
    return tiny_vlm(TASK)


def read(problem: TextProblem, task: PictureEquations) -> str:
    """What stands in a plain picture: each cell's nearest character, found without the task."""
    assert problem.picture is not None
    height = 12
    across = text("0", 0, height).shape[1]
    top = (task.side - height) // 2
    ink = 1 - problem.picture[top : top + height].mean(-1) / 255
    shapes = {c: text(c, 0, height) for c in "0123456789+-"} | {"": np.zeros((height, across))}
    out = []
    for cell in range(task.side // across):
        seen = ink[:, cell * across : (cell + 1) * across]
        out.append(min(shapes, key=lambda c: float(((shapes[c] - seen) ** 2).sum())))
    return "".join(out)


def test_the_picture_shows_the_equation_and_the_answer_is_what_it_makes() -> None:
    for seed in range(60):
        problem = TASK.sample(seed)
        shown = read(problem, TASK)
        assert shown == str(problem.state["start"]) + "".join(
            f"{sign}{number}" for sign, number in problem.state["operations"]
        )
        assert eval(shown) == int(problem.answer)
        assert list(problem.values.values())[-1] == problem.answer
        # Each step is a true equation, and begins where the last one ended.
        for step in problem.steps:
            left, right = step.rstrip(".").split("=")
            assert eval(left) == int(right)


def test_splits_share_no_equation_and_are_dealt_again() -> None:
    dealt = {
        split: {read(TASK.sample(seed, split), TASK) for seed in range(150)}
        for split in ("train", "test")
    }
    assert not dealt["train"] & dealt["test"]
    one, again = TASK.sample(5, "test"), TASK.sample(5, "test")
    assert one.picture is not None
    assert again.picture is not None
    assert (one.picture == again.picture).all()


@pytest.mark.parametrize("largest", [1, 2, 9])
def test_a_twin_has_the_same_form_and_another_answer(largest: int) -> None:
    task = PictureEquations(largest=largest, highest=largest, variety=1.0)
    for seed in range(40):
        problem = task.sample(seed)
        twin = task.twin(problem)
        assert twin.answer != problem.answer
        assert twin.question == problem.question
        assert len(twin.steps) == len(problem.steps)
        assert twin.picture is not None
        assert problem.picture is not None
        # The same look: the paper's colour, in a corner that nothing is written in.
        assert (twin.picture[0, -1] == problem.picture[0, -1]).all()
        assert (twin.picture != problem.picture).any()


def test_no_answer_is_likely_enough_to_guess() -> None:
    count = Counter(TASK.sample(seed).answer for seed in range(1000))
    assert count.most_common(1)[0][1] < 150
    assert set(count) == set(TASK.sample(0).options)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"terms": 6}, "terms <= 5"),
        ({"least": 1}, "2 <= least"),
        ({"largest": 10}, "largest in 1..9"),
        ({"highest": 8}, "largest..45"),
        ({"side": 39}, "40 pixels or more"),
        ({"variety": 2}, "0..1"),
    ],
)
def test_fields_out_of_range_are_refused(fields: dict, said: str) -> None:
    with pytest.raises(PhospheneError, match=said):
        PictureEquations(**fields)


def test_it_sees_the_picture(mind: Mind) -> None:
    """The question's words are the same for all, so only the picture can tell them apart."""
    problems = [TASK.sample(seed) for seed in range(3)]
    subject = MindSubject(mind, MindSetup(items=3))
    state = start(mind, subject.inputs(problems))
    assert not torch.allclose(state.hidden[0], state.hidden[1])
    twice = start(mind, subject.inputs([problems[0], problems[0]]))
    torch.testing.assert_close(twice.hidden[0], twice.hidden[1])
    torch.testing.assert_close(twice.hidden[0], state.hidden[0], atol=1e-5, rtol=1e-4)


def test_a_thought_is_what_a_pass_over_everything_gives(mind: Mind) -> None:
    """By hand: picture and words embedded, thoughts appended, no cache."""
    problems = [TASK.sample(seed) for seed in range(2)]
    inputs = MindSubject(mind, MindSetup(items=2)).inputs(problems)
    ids = torch.cat([inputs["input_ids"], torch.tensor([mind.mark("begin")] * 2)], 1)
    with torch.no_grad():
        places = ids == mind.model.config.image_token_id
        rows = mind.model.get_input_embeddings()(ids)
        tower = mind.model.model.vision_tower(inputs["pixel_values"])
        seen = mind.model.model.multi_modal_projector(tower.last_hidden_state[:, 1:])
        rows = rows.masked_scatter(places[..., None], seen)
        state = start(mind, inputs)
        for _ in range(3):
            last = mind.model.model.language_model(inputs_embeds=rows).last_hidden_state[:, -1]
            torch.testing.assert_close(state.hidden, last, atol=1e-5, rtol=1e-4)
            rows = torch.cat([rows, last[:, None]], 1)
            state = think(mind, state)


def test_it_comes_back_as_it_was_saved(mind: Mind, tmp_path: Path) -> None:
    mind.model.save_pretrained(tmp_path)
    mind.processor.save_pretrained(tmp_path)
    mind.manner.save(tmp_path)
    opened = open_mind(f"hf:{tmp_path}")
    assert opened.fingerprint == mind.fingerprint
    subject = MindSubject(opened, MindSetup(items=4))
    assert subject.task == TASK
    said = answer(mind, subject.inputs(subject.problems), limit=6).said
    assert answer(opened, subject.inputs(subject.problems), limit=6).said == said


def strangers(kind: str) -> tuple[Mind, dict[str, torch.Tensor]]:
    """A random model of a family that sees, and a batch of two questions of different lengths."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    text_config: dict = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": 100,
        "pad_token_id": 0,
    }
    vision: dict = {"hidden_size": 32, "intermediate_size": 64, "patch_size": 4}
    if kind == "gemma3":
        vision |= {"num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 16}
        told = {"image_token_index": 90, "mm_tokens_per_image": 4}
        per, seen = 4, {"pixel_values": torch.randn(2, 3, 16, 16)}
    else:
        sections = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
        text_config["rope_parameters"] = sections
        vision |= {"depth": 2, "num_heads": 4, "spatial_merge_size": 2, "temporal_patch_size": 2}
        vision |= {"embed_dim": 32, "mlp_ratio": 2} if kind == "qwen2_vl" else {}
        vision |= {"out_hidden_size": 32} if kind != "qwen2_vl" else {}
        vision |= {"deepstack_visual_indexes": [0]} if kind == "qwen3_vl" else {}
        told = {"image_token_id": 90, "vision_start_token_id": 92, "vision_end_token_id": 93}
        # 8 x 4 patches, merged two by two: eight tokens that take four steps of the count.
        per, seen = 8, {"image_grid_thw": torch.tensor([[1, 8, 4]] * 2)}
        seen["pixel_values"] = torch.randn(64, 96)
    config = AutoConfig.for_model(kind, text_config=text_config, vision_config=vision, **told)
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config).eval()
    rows = [[5, 92] + [90] * per + [93, 6, 7, 8], [92] + [90] * per + [93, 6]]
    mind = Mind(model, tiny_mind().tokenizer, Manner(), kind)
    inputs = {**mind.padded(rows), **seen}
    name = "token_type_ids" if kind == "gemma3" else "mm_token_type_ids"
    return mind, {**inputs, name: (inputs["input_ids"] == 90).long()}


@pytest.mark.parametrize("kind", ["gemma3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_families_that_see_read_as_they_do_by_themselves(kind: str) -> None:
    """Against the model's own pass over everything, which places a picture's rows and columns."""
    mind, inputs = strangers(kind)
    more = torch.tensor([[11, 12], [13, 14]])
    whole = {"attention_mask": torch.cat([inputs["attention_mask"], torch.ones_like(more)], 1)}
    whole["input_ids"] = torch.cat([inputs["input_ids"], more], 1)
    for name in (n for n in inputs if n.endswith("token_type_ids")):
        whole[name] = torch.cat([inputs[name], torch.zeros_like(more)], 1)
    with torch.no_grad():
        state = start(mind, inputs)
        _, heard = hear(mind, fork(state), more)
        wanted = mind.model(**{**inputs, **whole}).logits
        thought = think(mind, state).hidden
    torch.testing.assert_close(state.logits, wanted[:, -3], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(heard, wanted[:, -2:], atol=1e-5, rtol=1e-4)
    assert torch.isfinite(thought).all()


def test_wires_look_into_the_decoder_and_not_into_the_eyes(mind: Mind) -> None:
    wires = Wires(mind.model)
    assert len(wires.layers) == 2
    assert wires.layers[0] is mind.model.model.language_model.layers[0]


def test_the_lesson_s_loss_falls(mind: Mind) -> None:
    from phosphene.minds.lesson import lesson, loss

    learner = tiny_vlm(TASK, seed=1, width=32)
    problems = [TASK.sample(seed) for seed in range(4)]
    optimiser = torch.optim.Adam(learner.model.parameters(), lr=1e-2)
    found = []
    for _ in range(30):
        value = loss(learner, lesson(learner, problems, "thoughts", 1, 1), "thoughts")
        value.backward()
        eyes = learner.model.model.vision_tower.parameters()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in eyes)
        optimiser.step()
        optimiser.zero_grad()
        found.append(value.item())
    # Four pictures can be learned by heart only if they are seen.
    assert found[-1] < found[0] / 4


def test_pictures_without_eyes_and_pictures_that_are_missing_are_refused(mind: Mind) -> None:
    picture = TASK.sample(0).picture
    assert picture is not None
    with pytest.raises(PhospheneError, match="sees no pictures"):
        tiny_mind().inputs(["ash"], [picture])
    with pytest.raises(PhospheneError, match="2 questions with 1 pictures"):
        mind.inputs(["what", "it"], [picture])
