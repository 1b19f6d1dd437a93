"""Readers, solvers, answers and judges of maze, n queens, number slide, clock, tower of Hanoi.

The pictures are drawn here, in a style of their own, from problems whose truth is found by other
means: networkx for ways, brute force for queens, breadth-first search for disks and tiles.
"""

from __future__ import annotations

import io
import itertools
import math
import random

import networkx as nx
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from phosphene.assets import asset
from phosphene.clip import Clip
from phosphene.pack import PackItem, Unreadable, puzzles

KINDS = ("maze", "n_queens", "number_slide", "clock", "tower_of_hanoi")
NOW = 4  # the drawings are supersampled by this


def puzzle(kind):
    return puzzles.get(kind)()


def ask(question, *options):
    return PackItem("0", "k", prompt=question, options=options)


def clip(*frames):
    return Clip(np.stack(frames))


# --- drawings ---------------------------------------------------------------------------------


def draw_maze(cells, entry, exit_, way=(), side=22, ink=(220, 30, 30), width=0.3):
    """Cells side by side on a white page; 1 is a wall."""
    rows, columns = len(cells), len(cells[0])
    margin = 2 * side
    picture = Image.new("RGB", (columns * side + 2 * margin, rows * side + 2 * margin), "white")
    pen = ImageDraw.Draw(picture)

    def centre(cell):
        return margin + (cell[1] + 0.5) * side, margin + (cell[0] + 0.5) * side

    for r, c in itertools.product(range(rows), range(columns)):
        x, y = margin + c * side, margin + r * side
        fill = "black" if cells[r][c] else "white"
        pen.rectangle((x, y, x + side - 1, y + side - 1), fill=fill)
    for cell, colour in ((entry, (0, 128, 0)), (exit_, (0, 0, 255))):
        x, y = centre(cell)
        s = side * 0.25
        pen.polygon([(x - s, y - s), (x - s, y + s), (x + s, y)], fill=colour)
    if way:
        pen.line([centre(c) for c in way], fill=ink, width=round(width * side), joint="curve")
    return np.array(picture)


def random_maze(rng, rows, columns, loops=0):
    """Odd-sized grid, an entry on the left, an exit on the right or below."""
    cells = np.ones((2 * rows + 1, 2 * columns + 1), int)
    tree = nx.random_spanning_tree(nx.grid_2d_graph(rows, columns), seed=rng.randrange(10**6))
    for r, c in tree.nodes:
        cells[2 * r + 1, 2 * c + 1] = 0
    for (a, b), (c, d) in tree.edges:
        cells[a + c + 1, b + d + 1] = 0
    for _ in range(loops):
        r, c = rng.randrange(1, 2 * rows), rng.randrange(1, 2 * columns)
        cells[r, c] = 0
    exit_ = (2 * rows - 1, 2 * columns) if rng.random() < 0.5 else (2 * rows, 2 * columns - 1)
    cells[1, 0] = cells[exit_] = 0
    return cells.tolist(), (1, 0), exit_


def graph_of(cells):
    free = [(r, c) for r, row in enumerate(cells) for c, wall in enumerate(row) if not wall]
    graph = nx.grid_2d_graph(len(cells), len(cells[0]))
    return graph.subgraph(free)


def draw_board(n, queens, side=36, colours=((240, 217, 181), (181, 136, 99)), page=9):
    picture = Image.new("RGB", (n * side + 2 * page,) * 2, "white")
    pen = ImageDraw.Draw(picture)
    crown = [
        (0.2, 0.75),
        (0.15, 0.3),
        (0.35, 0.5),
        (0.5, 0.2),
        (0.65, 0.5),
        (0.85, 0.3),
        (0.8, 0.75),
    ]
    for r, c in itertools.product(range(n), range(n)):
        x, y = page + c * side, page + r * side
        pen.rectangle((x, y, x + side - 1, y + side - 1), fill=colours[(r + c) % 2])
        if (r, c) in queens:
            shape = [(x + u * side, y + v * side) for u, v in crown]
            pen.polygon(shape, fill="white", outline="black", width=2)
    return np.array(picture)


def draw_tiles(grid, side=96, missing=True):
    n, gap, page = len(grid), 6, 18
    size = 2 * page + n * side + (n - 1) * gap
    picture = Image.new("RGB", (size, size), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((page - 7, page - 7, size - page + 7, size - page + 7), outline="red", width=2)
    font = ImageFont.truetype(str(asset("fonts/LiberationSans-Regular.ttf")), side * 0.45)
    for r, c in itertools.product(range(n), range(n)):
        x, y = page + c * (side + gap), page + r * (side + gap)
        if grid[r][c]:
            pen.rounded_rectangle((x, y, x + side, y + side), 10, "white", "black", 1)
            middle = (x + side / 2, y + side / 2)
            pen.text(middle, str(grid[r][c]), "black", font=font, anchor="mm")
    return np.array(picture)


def draw_clock(hour, minute, size=360, hour_colour="black", hour_at=None):
    """Black hands unless told otherwise; `hour_at` overrides the hour hand's degrees."""
    s = size * NOW
    picture = Image.new("RGB", (s, s), "white")
    pen = ImageDraw.Draw(picture)
    radius, middle = 0.46 * s, s / 2

    def at(degrees, share):
        turn = math.radians(degrees)
        return middle + share * radius * math.sin(turn), middle - share * radius * math.cos(turn)

    ring = (middle - radius, middle - radius, middle + radius, middle + radius)
    pen.ellipse(ring, outline="black", width=5 * NOW)
    for k in range(12):
        pen.line([at(30 * k, 0.9), at(30 * k, 1)], fill="black", width=3 * NOW)
    points = 30 * hour + minute / 2 if hour_at is None else hour_at
    pen.line([at(points, 0), at(points, 0.5)], fill=hour_colour, width=11 * NOW)
    pen.line([at(6 * minute, 0), at(6 * minute, 0.78)], fill="black", width=5 * NOW)
    return np.array(picture.resize((size, size), Image.Resampling.BOX))


def draw_hanoi(start, end, unit=9):
    disks = sum(map(len, start))
    widest = 3 + 2 * disks
    spacing = widest + 3
    w, h = (3 * spacing + 2) * unit, (disks + 4) * unit
    palette = [
        (255, 218, 179),
        (255, 181, 102),
        (230, 120, 20),
        (180, 80, 10),
        (150, 40, 60),
        (90, 0, 90),
    ]
    picture = Image.new("RGB", (w, 2 * h + 4 * unit), "white")
    pen = ImageDraw.Draw(picture)
    for rods, floor in ((start, h), (end, 2 * h + 2 * unit)):
        pen.rectangle((unit, floor, w - unit, floor + unit // 2), fill="#654321")
        for i, rod in enumerate(rods):
            x = unit * (1 + spacing * (i + 0.5))
            pen.rectangle((x - 3, floor - (disks + 2) * unit, x + 3, floor), fill="#654321")
            for j, disk in enumerate(rod):
                half = unit * (3 + 2 * disk) / 2
                top = floor - (j + 1) * unit
                pen.rectangle((x - half, top, x + half, top + unit - 1), fill=palette[disk - 1])
    pen.line((0, h + unit, w, h + unit), fill="grey")
    return np.array(picture)


MAZE = (*random_maze(random.Random(4), 4, 5),)
QUEENS = [(0, 4), (1, 1), (2, 3), (3, 6), (4, 2), (5, 7), (6, 5), (7, 0)]
GRID = [[1, 8, 7], [6, 4, 5], [0, 3, 2]]
START, END = [[4, 1], [3, 2], []], [[4], [], [3, 2, 1]]
PICTURES = {
    "maze": lambda: draw_maze(*MAZE),
    "n_queens": lambda: draw_board(8, QUEENS[:6]),
    "number_slide": lambda: draw_tiles(GRID),
    "clock": lambda: draw_clock(2, 43),
    "tower_of_hanoi": lambda: draw_hanoi(START, END),
}
SYMBOLS = {
    "maze": ("cells", "entry", "exit"),
    "n_queens": ("size", "queens"),
    "number_slide": ("grid",),
    "clock": ("hour", "minute"),
    "tower_of_hanoi": ("start", "end"),
}


def symbols(kind, parsed):
    return [parsed[name] for name in SYMBOLS[kind]]


def jpeg(picture, quality):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "jpeg", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))


def scaled(picture, by):
    h, w = picture.shape[:2]
    size = (round(w * by), round(h * by))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def tinted(picture):
    return (picture.astype(int) + np.array([8, -6, 5])).clip(0, 255).astype(np.uint8)


def blurred(picture, radius=0.8):
    return np.array(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_worse_copy_reads_the_same_or_not_at_all(kind):
    picture = PICTURES[kind]()
    truth = symbols(kind, puzzle(kind).read(picture))
    read = 0
    for worse in (
        lambda p: jpeg(p, 50),
        lambda p: jpeg(p, 10),
        tinted,
        blurred,
        lambda p: blurred(p, 3),
        lambda p: scaled(p, 1.5),
        lambda p: scaled(p, 0.75),
        lambda p: scaled(p, 0.4),
    ):
        try:
            assert symbols(kind, puzzle(kind).read(worse(picture))) == truth
            read += 1
        except Unreadable:
            pass
    assert read >= 5


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_puzzle_is_unreadable(kind):
    picture, rng = PICTURES[kind](), np.random.default_rng(0)
    w = picture.shape[1]
    for covered in (slice(0, w // 2), slice(w // 2, w)):
        for colour in (255, 128, 0):
            half = picture.copy()
            half[:, covered] = colour
            with pytest.raises(Unreadable):
                puzzle(kind).read(half)
    others = [PICTURES[other]() for other in KINDS if other != kind]
    noise = rng.integers(0, 256, picture.shape, dtype=np.uint8)
    blanks = [np.full_like(picture, level) for level in (0, 90, 255)]
    for nonsense in (noise, *blanks, *others):
        with pytest.raises(Unreadable):
            puzzle(kind).read(nonsense)
    with pytest.raises(Unreadable):
        puzzle(kind).read(picture[:20, :20])


@pytest.mark.parametrize("seed", range(12))
def test_maze_reads_walls_and_arrows_and_finds_the_way(seed):
    rng = random.Random(seed)
    cells, entry, exit_ = random_maze(rng, rng.randint(3, 6), rng.randint(3, 6))
    parsed = puzzle("maze").read(draw_maze(cells, entry, exit_, side=rng.randint(14, 40)))
    assert parsed["cells"] == cells
    assert (tuple(parsed["entry"]), tuple(parsed["exit"])) == (entry, exit_)
    way = nx.shortest_path(graph_of(cells), entry, exit_)
    solved = puzzle("maze").solve(parsed)
    assert [tuple(cell) for cell in solved["optimal_path"]] == way
    # The turn's side is the sign of the cross product of two steps (rows grow downwards).
    steps = np.diff(np.array(way), axis=0)
    cross = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    assert solved["left_turns"] == (cross > 0).sum()
    assert solved["right_turns"] == (cross < 0).sum()


def test_maze_of_many_ways_takes_the_fewest_cells_then_the_fewest_turns():
    # Around a block: above (1 turn) or below (3 turns), 7 cells each.
    cells = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1]]
    parsed = puzzle("maze").read(draw_maze(cells, (1, 0), (4, 3)))
    solved = puzzle("maze").solve(parsed)
    assert solved["optimal_path_length"] == 7
    ways = nx.all_shortest_paths(graph_of(cells), (1, 0), (4, 3))
    turns = [(np.diff(np.diff(np.array(way), axis=0), axis=0) != 0).any(1).sum() for way in ways]
    assert solved["total_turns"] == min(turns) == 1
    assert len(turns) == 2


def test_maze_with_two_best_ways_has_no_answer():
    cells = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    parsed = puzzle("maze").read(draw_maze(cells, (2, 0), (2, 4)))
    with pytest.raises(Unreadable, match="two or more"):
        puzzle("maze").solve(parsed)


def test_maze_answers_each_of_its_questions():
    cells = [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 1, 1, 0, 1]]
    parsed = puzzle("maze").read(draw_maze(cells, (1, 0), (4, 3)))
    about = "A maze having 5 * 5 cells, left and right turns, least number of cells. "
    for question, answer in (
        ("What is the total number of left turns do you need to make in this path?", "1"),
        ("What is the total number of right turns do you need to make in this path?", "2"),
        ("What is the combined number of left and right turns do you need to make?", "3"),
        ("How many cells do you need to visit in this optimal path, both ends included?", "7"),
    ):
        assert puzzle("maze").answer(parsed, ask(about + question)) == answer
    for question in ("This is a maze having 7 * 5 cells. How many cells?", "Who made it?"):
        with pytest.raises(Unreadable):
            puzzle("maze").answer(parsed, ask(question))


def test_maze_without_an_arrow_or_a_way_is_unreadable():
    cells, entry, exit_ = MAZE
    picture = draw_maze(cells, entry, exit_)
    grey = picture.copy()
    grey[(picture[..., 1] == 128) & (picture[..., 0] == 0)] = 160
    with pytest.raises(Unreadable, match="green arrow"):
        puzzle("maze").read(grey)
    way = nx.shortest_path(graph_of(cells), entry, exit_)
    blocked = [list(row) for row in cells]
    blocked[way[4][0]][way[4][1]] = 1
    with pytest.raises(Unreadable, match="no way"):
        puzzle("maze").read(draw_maze(blocked, entry, exit_))


@pytest.mark.parametrize("n", [6, 8, 9, 10])
def test_queens_are_found_and_completed(n):
    def free(order):
        return all(
            abs(a - b) != j - i for (i, a), (j, b) in itertools.combinations(enumerate(order), 2)
        )

    rng = random.Random(n)
    while not free(order := rng.sample(range(n), n)):
        pass
    queens = list(enumerate(order))
    given = sorted(rng.sample(queens, n - 2))
    parsed = puzzle("n_queens").read(draw_board(n, given))
    assert (parsed["size"], parsed["queens"]) == (n, [list(q) for q in given])
    rows = [r for r in range(n) if r not in dict(given)]
    left = [c for c in range(n) if c not in dict(given).values()]
    ways = [
        list(zip(rows, columns, strict=True))
        for columns in itertools.permutations(left)
        if free([c for _, c in sorted([*given, *zip(rows, columns, strict=True)])])
    ]
    solved = puzzle("n_queens").solve(parsed)
    assert [tuple(q) for q in solved["missing_queen_positions"]] in ways
    assert solved["completions"] == len(ways)
    question = f"A {n} * {n} chessboard. What is the Manhattan distance between these two squares?"
    distance = abs(rows[0] - rows[1]) + abs(left[0] - left[1])
    assert puzzle("n_queens").answer(parsed, ask(question)) == str(distance)
    with pytest.raises(Unreadable):
        puzzle("n_queens").answer(parsed, ask(question.replace(str(n), str(n + 1))))


def test_queens_that_attack_or_differ_are_unreadable():
    with pytest.raises(Unreadable, match="attack"):
        puzzle("n_queens").read(draw_board(8, [(0, 0), (3, 3)]))
    picture = draw_board(8, QUEENS[:6])
    picture[9 + 7 * 36 + 8 :][:20, 9 + 8 : 9 + 28] = 0
    with pytest.raises(Unreadable, match="look the same"):
        puzzle("n_queens").read(picture)


def test_queens_without_a_completion_have_no_solution():
    parsed = puzzle("n_queens").read(draw_board(4, [(0, 0)]))
    with pytest.raises(Unreadable, match="no completion"):
        puzzle("n_queens").solve(parsed)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_tiles_are_read(n):
    rng = random.Random(n)
    numbers = rng.sample(range(n * n), n * n)
    grid = [numbers[r * n : r * n + n] for r in range(n)]
    assert puzzle("number_slide").read(draw_tiles(grid))["grid"] == grid


def test_tiles_that_are_no_board_are_unreadable():
    for grid in ([[1, 8, 7], [6, 4, 5], [0, 3, 3]], [[1, 8, 9], [6, 4, 5], [0, 3, 2]]):
        with pytest.raises(Unreadable, match="each once"):
            puzzle("number_slide").read(draw_tiles(grid))
    with pytest.raises(Unreadable):
        puzzle("number_slide").read(draw_tiles([[1, 8, 7], [6, 0, 5], [0, 3, 2]]))


SLIDE = "A sliding puzzle of 3 * 3 tile dimensions. You perform exactly {} such {}"
WORDED = "that the open position is seen moving in the following sequence: {}. What is the {}?"


@pytest.mark.parametrize(
    ("moves", "order", "wanted", "answer"),
    [
        (4, "up, up, right, left", "maximum number in the row which now has the open position", 8),
        (4, "up, up, right, left", "minimum number in the row which now has the open position", 7),
        (2, "up, right", "sum of numbers of the row which now has the open position", 9),
        (2, "up, right", "sum of numbers of the column which now has the open position", 11),
        (2, "up, right", "maximum number in the column which now has the open position", 8),
        (1, "right", "minimum number in the column which now has the open position", 4),
    ],
)
def test_slides_in_sequence(moves, order, wanted, answer):
    # After up, right: 1 8 7 / 4 0 5 / 6 3 2.
    question = SLIDE.format(f"{moves} moves", WORDED.format(order, wanted))
    assert puzzle("number_slide").answer({"grid": GRID}, ask(question)) == str(answer)


def boards_after(moves):
    """Flat boards after exactly so many moves, every sequence of moves written out."""
    found = []
    for way in itertools.product((-3, -1, 1, 3), repeat=moves):
        flat = [k for row in GRID for k in row]
        for step in way:
            hole = flat.index(0)
            to = hole + step
            if not 0 <= to < 9 or (abs(step) == 1 and hole // 3 != to // 3):
                break
            flat[hole], flat[to] = flat[to], 0
        else:
            found.append(tuple(flat))
    return found


@pytest.mark.parametrize("moves", [1, 2, 3, 4])
def test_slides_of_any_order(moves):
    found = boards_after(moves)
    left, right = ([sum(b[c::3]) for b in found] for c in (0, 2))
    top, bottom = ([sum(b[r : r + 3]) for b in found] for r in (0, 6))
    sums = "What is the {} sum that you can achieve across the {} in the final board position?"
    for wanted, answer in (
        ("How many unique final board positions can you reach?", len(set(found))),
        (sums.format("minimum", "left most column"), min(left)),
        (sums.format("maximum", "right most column"), max(right)),
        (sums.format("maximum", "top most row"), max(top)),
        (sums.format("minimum", "bottom most row"), min(bottom)),
    ):
        question = f"Perform exactly {moves} move{'s' * (moves > 1)}. {wanted}"
        assert puzzle("number_slide").answer({"grid": GRID}, ask(question)) == str(answer)


@pytest.mark.parametrize(
    "question",
    [
        "A sliding puzzle of 4 * 4 tiles. Perform exactly 1 move. How many unique boards?",
        "Perform exactly 2 moves in the following sequence: up. What is the sum of the row?",
        "Perform exactly 1 moves in the following sequence: left. What is the sum of the row?",
        "Perform exactly 2 moves. What is the nicest tile?",
        "How many unique boards are there?",
    ],
)
def test_slides_that_make_no_sense_have_no_answer(question):
    with pytest.raises(Unreadable):
        puzzle("number_slide").answer({"grid": GRID}, ask(question))


def test_times_and_hands_that_cover_each_other_are_read():
    times = [(h, m) for h in range(1, 13) for m in (h * 7 % 60,)]
    times += [(h % 12 or 12, round(h * 60 / 11) % 60) for h in range(11)]
    for hour, minute in times:
        parsed = puzzle("clock").read(draw_clock(hour, minute, 240))
        assert (parsed["hour"], parsed["minute"]) == (hour, minute)


def test_hands_that_contradict_each_other_are_unreadable():
    for off in (10, -10, 15):
        with pytest.raises(Unreadable):
            puzzle("clock").read(draw_clock(2, 43, hour_at=2 * 30 + 43 / 2 + off))
    with pytest.raises(Unreadable, match="one hand"):
        puzzle("clock").read(draw_clock(2, 43, hour_colour="white"))
    turned = np.rot90(draw_clock(2, 43)).copy()
    with pytest.raises(Unreadable):
        puzzle("clock").read(turned)


@pytest.mark.parametrize(
    ("shown", "question", "answer"),
    [
        ((2, 43), "It is going to start in 1 hour 40 minutes. What will be the time?", "4:23"),
        ((9, 23), "Ada came to an event 2 hours 35 minutes ago. What was the time then?", "6:48"),
        ((11, 50), "The event is going to start in 45 minutes. What will be the time?", "12:35"),
        ((12, 10), "Ada came to an event 20 minutes ago. What was the time?", "11:50"),
        ((12, 10), "Ada came to an event 1 hour 5 minutes ago. What was the time?", "11:05"),
        ((7, 5), "What is the time shown in the clock?", "7:05"),
    ],
)  # fmt: skip
def test_clock_answers_times_before_and_after(shown, question, answer):
    parsed = {"hour": shown[0], "minute": shown[1]}
    assert puzzle("clock").answer(parsed, ask(question)) == answer
    assert puzzle("clock").answer(parsed, ask(question, "1:01", answer)) == answer


def test_clock_answers_noon_in_the_options_way_and_lets_disagreement_show():
    parsed, question = {"hour": 11, "minute": 50}, "It starts in 45 minutes. What will be the time?"
    assert puzzle("clock").answer(parsed, ask(question, "0:35", "11:05")) == "0:35"
    assert puzzle("clock").answer(parsed, ask(question, "0:36", "11:05")) == "12:35"
    for odd in ("What will be the time when Ada comes?", "Ada walks for 5 minutes. Why?"):
        with pytest.raises(Unreadable):
            puzzle("clock").answer(parsed, ask(odd))


@pytest.mark.parametrize("seed", range(8))
def test_disks_are_read_and_moved_in_the_fewest_moves(seed):
    rng = random.Random(seed)
    disks = 3 + seed % 4

    def scatter():
        rods = [[], [], []]
        for disk in range(disks, 0, -1):
            rods[rng.randrange(3)].append(disk)
        return rods

    start, end = scatter(), scatter()
    parsed = puzzle("tower_of_hanoi").read(draw_hanoi(start, end))
    assert (parsed["start"], parsed["end"]) == (start, end)
    # States as the rod of each disk; a disk moves if no smaller one is on its rod or the other.
    states = list(itertools.product(range(3), repeat=disks))
    graph = nx.Graph()
    for state in states:
        for disk, rod in itertools.product(range(disks), range(3)):
            if rod != state[disk] and not {state[disk], rod} & set(state[:disk]):
                graph.add_edge(state, (*state[:disk], rod, *state[disk + 1 :]))
    ends = [
        tuple(next(i for i, rod in enumerate(rods) if d in rod) for d in range(1, disks + 1))
        for rods in (start, end)
    ]
    fewest = nx.shortest_path_length(graph, ends[0], ends[1])
    question = f"3 rods and {disks} disks. What is the minimum number of moves required?"
    assert puzzle("tower_of_hanoi").answer(parsed, ask(question)) == str(fewest)
    assert len(puzzle("tower_of_hanoi").solve(parsed)["positions"]) == fewest + 1


def test_disks_that_break_the_rules_are_unreadable():
    for start, end in (
        ([[1, 4], [3, 2], []], END),
        ([[4], [3, 2], []], END),
        ([[4, 1], [3, 2], []], [[4], [], [3, 2]]),
    ):
        with pytest.raises(Unreadable):
            puzzle("tower_of_hanoi").read(draw_hanoi(start, end))
    parsed = {"start": START, "end": END}
    for question in ("3 rods and 5 disks. What is the minimum number of moves?", "How heavy?"):
        with pytest.raises(Unreadable):
            puzzle("tower_of_hanoi").answer(parsed, ask(question))


# --- judging ----------------------------------------------------------------------------------


def maze_clip(share=1.0, **look):
    cells, entry, exit_ = MAZE
    way = nx.shortest_path(graph_of(cells), entry, exit_)
    reached = [way[: max(2, round(share * k * len(way) / 4))] for k in range(1, 5)]
    frames = [draw_maze(cells, entry, exit_, part, **look) for part in reached]
    return clip(draw_maze(cells, entry, exit_), *frames)


def hanoi_clip():
    ways = puzzle("tower_of_hanoi").solve({"start": START, "end": END})["positions"]
    return clip(*(draw_hanoi(rods, END) for rods in ways))


def slide_clip():
    grids = [GRID, [[1, 8, 7], [0, 4, 5], [6, 3, 2]], [[1, 8, 7], [4, 0, 5], [6, 3, 2]]]
    return clip(*map(draw_tiles, grids))


ORACLES = {
    "maze": maze_clip,
    "n_queens": lambda: clip(*(draw_board(8, QUEENS[:k]) for k in (6, 7, 8))),
    "number_slide": slide_clip,
    "tower_of_hanoi": hanoi_clip,
}


@pytest.mark.parametrize("kind", ORACLES)
def test_judge_passes_the_solution_and_worse_copies_of_it(kind):
    picture, solved = PICTURES[kind](), ORACLES[kind]()
    for worse in (
        lambda p: p,
        lambda p: jpeg(p, 60),
        tinted,
        blurred,
        lambda p: np.roll(p, (1, 1), (0, 1)),
        lambda p: scaled(p, 1.5),
        lambda p: scaled(p, 0.75),
    ):
        verdict = puzzle(kind).judge(picture, clip(*map(worse, solved.frames)))
        assert verdict.passed, verdict


@pytest.mark.parametrize("kind", ORACLES)
def test_judge_rejects_clips_that_solve_nothing(kind):
    picture, solved = PICTURES[kind](), ORACLES[kind]()
    frames, rng = solved.frames, np.random.default_rng(0)
    dirty = frames.copy()
    h, w = picture.shape[:2]
    dirty[:, h // 4 : h // 2, w // 3 : w * 2 // 3] = (120, 200, 230)
    for null in (
        np.repeat(frames[:1], 3, 0),
        np.concatenate([frames, frames[:1]]),
        frames[::-1],
        np.rot90(frames, 2, (1, 2)).copy(),
        rng.integers(0, 256, frames.shape, dtype=np.uint8),
        dirty,
        np.concatenate([frames, np.full_like(frames[:1], 255)]),
    ):
        assert not puzzle(kind).judge(picture, Clip(null)).passed
    wide = puzzle(kind).judge(picture, Clip(np.repeat(frames, 2, 2)))
    assert wide.answer == "unreadable"


@pytest.mark.parametrize(("ink", "width"), [((0, 90, 255), 0.15), ((250, 160, 0), 0.6)])
def test_maze_judge_takes_any_stroke(ink, width):
    assert puzzle("maze").judge(PICTURES["maze"](), maze_clip(ink=ink, width=width)).passed


def test_maze_judge_tells_what_is_wrong():
    cells, entry, exit_ = MAZE
    picture, judge = PICTURES["maze"](), puzzle("maze").judge
    assert judge(picture, maze_clip(share=0.8)).answer == "failed"
    through = draw_maze(cells, entry, exit_, [entry, exit_])
    assert judge(picture, clip(picture, through)).process == "failed"
    way = nx.shortest_path(graph_of(cells), entry, exit_)
    dead_end = next((a, b) for a in way[1:-1] for b in graph_of(cells)[a] if b not in way)
    both = draw_maze(
        cells,
        entry,
        exit_,
        [*way[: way.index(dead_end[0]) + 1], dead_end[1], *way[way.index(dead_end[0]) :]],
    )
    assert judge(picture, clip(picture, both)).answer == "failed"
    opened = [list(row) for row in cells]
    opened[2][2] = 0
    assert judge(picture, clip(picture, draw_maze(opened, entry, exit_, way))).givens == "failed"


def test_queens_judge_tells_what_is_wrong():
    picture, judge = PICTURES["n_queens"](), puzzle("n_queens").judge
    beside = [*QUEENS[:6], QUEENS[6], (7, 1)]
    assert judge(picture, clip(picture, draw_board(8, beside))).answer == "failed"
    assert judge(picture, clip(picture, draw_board(8, [*QUEENS, (2, 6)]))).answer == "failed"
    assert judge(picture, clip(picture, draw_board(8, QUEENS[1:]))).givens == "failed"
    blobs = draw_board(8, QUEENS[:6])
    for r, c in QUEENS[6:]:
        blobs[9 + r * 36 + 6 :][:24, 9 + c * 36 + 6 : 9 + c * 36 + 30] = 0
    assert judge(picture, clip(picture, blobs)).answer == "failed"
    other = draw_board(8, QUEENS, colours=((240, 217, 181), (110, 180, 99)))
    assert not judge(picture, clip(picture, other)).passed


def test_slide_judge_wants_legal_slides():
    picture, judge = PICTURES["number_slide"](), puzzle("number_slide").judge
    swapped = draw_tiles([[8, 1, 7], [6, 4, 5], [0, 3, 2]])
    assert judge(picture, clip(picture, swapped)).process == "failed"
    far = draw_tiles([[1, 8, 7], [4, 0, 5], [6, 3, 2]])
    assert judge(picture, clip(picture, far)).process == "failed"
    assert judge(picture, clip(picture, picture, far)).process == "passed"
    twice = draw_tiles([[1, 8, 7], [0, 4, 5], [6, 3, 3]])
    assert judge(picture, clip(picture, twice)).givens == "failed"


def test_hanoi_judge_wants_legal_moves():
    picture, judge = PICTURES["tower_of_hanoi"](), puzzle("tower_of_hanoi").judge
    assert judge(picture, clip(picture, draw_hanoi(END, END))).process == "failed"
    assert judge(picture, Clip(draw_hanoi(END, END)[None])).passed
    swapped = hanoi_clip().frames.copy()
    swapped[-1] = draw_hanoi(END, START)
    assert judge(picture, Clip(swapped)).givens == "failed"
    assert judge(picture, clip(picture, draw_hanoi([[], [], [4, 3, 2, 1]], END))).answer == "failed"


def test_clock_judge_needs_the_question():
    picture, judge = PICTURES["clock"](), puzzle("clock").judge
    solved = clip(picture, draw_clock(4, 23))
    assert solved.frames is not None
    assert judge(picture, solved).headline == "unreadable"
    item = ask("It is going to start in 1 hour 40 minutes. What will be the time?")
    assert judge(picture, solved, item).passed
    assert judge(picture, clip(*map(blurred, solved.frames)), item).passed
    assert judge(picture, clip(picture, draw_clock(4, 25)), item).answer == "failed"
    assert judge(picture, clip(picture, picture), item).answer == "failed"
    shaded = draw_clock(4, 23)
    shaded[:40] = (190, 160, 220)
    assert judge(picture, clip(picture, shaded), item).givens == "failed"
