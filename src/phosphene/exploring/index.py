"""Index: a session's candidates in SQLite, for whoever likes to ask in SQL.

    sqlite3 SESSION/index.sqlite "select id, quality, prompt from candidates order by quality desc"

It is written from the log and holds nothing of its own.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path

from phosphene.session import Session, round_of

_TABLES = """
create table candidates (
  id text primary key, round integer, operator text, parents text, prompt text, frame text,
  genome text, stop integer, calls integer, quality real, novelty real, admitted integer,
  digest text, media text, poster text, failed text, likes integer, dislikes integer,
  pinned integer
);
create table scores (id text, quality text, score real);
create index by_quality on candidates (quality);
create index by_round on candidates (round);
"""


def index(session: Session) -> Path:
    """Write `index.sqlite` anew and put it in the place of the old one; returns its path."""
    path, partial = session.root / "index.sqlite", session.root / ".index.partial"
    partial.unlink(missing_ok=True)
    said = Counter((e["kind"], e.get("id")) for e in session.people)
    with sqlite3.connect(partial) as database:
        database.executescript(_TABLES)
        for asked in session.rounds.values():
            told = session.told.get(asked.round, {})
            for id, proposal in asked.proposals.items():
                made = session.made.get(id)
                if made is None:
                    continue
                genome = proposal.genome
                database.execute(
                    f"insert into candidates values ({', '.join('?' * 19)})",
                    (
                        id,
                        round_of(id),
                        proposal.operator,
                        json.dumps(list(proposal.parents)),
                        genome.prompt,
                        genome.frame,
                        json.dumps(genome.record()),
                        proposal.stop,
                        made.calls,
                        told.get("quality", {}).get(id),
                        told.get("novelty", {}).get(id),
                        int(id in told.get("admitted", ())),
                        made.digest,
                        made.media,
                        made.poster,
                        made.failed,
                        said["like", id],
                        said["dislike", id],
                        int(said["pin", id] > said["unpin", id]),
                    ),
                )
                database.executemany(
                    "insert into scores values (?, ?, ?)",
                    [(id, name, score) for name, score in made.scores.items()],
                )
    database.close()
    partial.replace(path)
    return path
