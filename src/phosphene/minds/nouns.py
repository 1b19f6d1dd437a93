"""Made-up nouns: kinds of things that no model has read anything about, one token each."""

# None begins with a vowel, so that all take the article `a`.
# fmt: off
NOUNS = (
    "bolpus", "darpus", "felpus", "girpus", "hospus", "jelpus", "korpus", "lispus", "mirpus",
    "nalpus", "parpus", "quopus", "rilpus", "selpus", "tarpus", "velpus", "wospus", "zirpus",
    "bramlin", "dovlin", "farlin", "gostlin", "hurlin", "jivlin", "kestlin", "lorlin", "mublin",
    "nestlin", "porlin", "ristlin", "sublin", "trevlin", "vorlin", "wemlin", "yaflin", "zoblin",
    "blikmor", "dusmor", "fenmor", "hagmor",
)
# fmt: on
