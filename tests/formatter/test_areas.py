from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.areas import AREAS, LONGEST, areas
from tests.helpers.paths import corpus, corpus_only

CODE = re.compile(r"[a-z]+(?:-[a-z]+)?(?:\.[A-Za-z]+(?:-[a-z]+)?)?")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("cs.LG", "Machine Learning"),
        ("stat.ML", "Machine Learning"),
        ("cs.CV", "Computer Vision and Pattern Recognition"),
        ("math.OC", "Optimization and Control"),
        ("eess.AS", "Audio and Speech Processing"),
        ("econ.EM", "Econometrics"),
        ("q-bio.NC", "Neurons and Cognition"),
        ("q-fin.TR", "Trading and Market Microstructure"),
        ("astro-ph.CO", "Cosmology and Nongalactic Astrophysics"),
        ("cond-mat.dis-nn", "Disordered Systems and Neural Networks"),
        ("physics.soc-ph", "Physics and Society"),
        ("nlin.CD", "Chaotic Dynamics"),
        ("hep-th", "High Energy Physics - Theory"),
        ("gr-qc", "General Relativity and Quantum Cosmology"),
        ("quant-ph", "Quantum Physics"),
        ("nucl-ex", "Nuclear Experiment"),
        ("math-ph", "Mathematical Physics"),
        ("cmp-lg", "Computation and Language"),
        ("cs", "Computer Science"),
    ],
)
def test_a_code_has_its_name(code: str, name: str) -> None:
    assert AREAS[code] == name


@pytest.mark.parametrize("code", ["", "xx.AI", "cs.ai", "cs.LG ", "cs.LG/recent"])
def test_what_is_not_in_the_table_has_none(code: str) -> None:
    assert code not in AREAS


def test_a_name_is_said_once_and_in_the_order_of_the_codes() -> None:
    assert areas(["cs.LG", "cs.CV", "stat.ML", "cs.CL"]) == (
        "Machine learning",
        "Computer vision",
        "NLP",
    )


def test_an_unknown_code_is_left_out_and_costs_no_other() -> None:
    assert areas(["xx.AI", "cs.RO", "cs.NEW"]) == ("Robotics",)
    assert areas(iter(())) == ()


def test_the_taxonomy_is_whole() -> None:
    archives = {code.split(".")[0] for code in AREAS if "." in code}
    undivided = {"gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "quant-ph"}
    undivided |= {"nucl-ex", "nucl-th"}
    assert archives == set(
        "cs econ eess math astro-ph cond-mat nlin physics q-bio q-fin stat".split()  # noqa: SIM905  (a line of codes)
    )
    assert len([code for code in AREAS if "." in code] + sorted(undivided & set(AREAS))) == 155


def test_no_name_can_become_a_link_or_a_mention() -> None:
    plain = re.compile(r"[A-Za-z][A-Za-z ,-]*[A-Za-z]")
    assert [name for name in AREAS.values() if not plain.fullmatch(name)] == []
    assert [code for code in AREAS if not CODE.fullmatch(code)] == []


@given(st.lists(st.sampled_from([*AREAS, "xx.AI", ""])))
def test_areas_are_names_of_the_codes_without_repeats(codes: list[str]) -> None:
    names = areas(codes)
    assert len(set(names)) == len(names)
    assert all(0 < len(name) <= LONGEST for name in names)
    assert "cs.AI" not in codes or "AI" in names


@corpus_only
def test_every_code_of_the_real_digests_is_known() -> None:
    lines = "\n".join(path.read_text(encoding="utf-8") for path in corpus())
    codes = set(re.findall(r"\[([^\]\s]+)\]\(https?://arxiv\.org/list/", lines))
    assert len(codes) > 50
    assert {code for code in codes if code not in AREAS} == set()
