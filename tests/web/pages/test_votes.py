"""Blind votes: sides that do not flip, one vote each, versions kept apart."""

import pytest

from alsolike.errors import SettingError, UnknownId
from alsolike.web.pages import votes
from serving import bundle, client_of, settings_of


@pytest.fixture
def service(tmp_path):
    models = bundle(tmp_path / "one"), bundle(tmp_path / "two", seed=1)
    with client_of(settings_of(tmp_path / "state", *models)) as client:
        yield client.app.state.service


@pytest.fixture
def pair(service):
    (only,) = votes.pairs_of(service.registry.served).values()
    return only


def test_a_trial_is_the_same_when_it_is_opened_again(service, pair):
    assert pair.name == "als|als-2"
    comparison = votes.next_comparison(service.state, pair, "ann")
    assert comparison == votes.next_comparison(service.state, pair, "ann")
    assert comparison == votes.comparison_of(pair, "ann", comparison.item)
    assert set(comparison.left) != set(comparison.right)
    turned = {
        votes.comparison_of(pair, f"v{one}", comparison.item) == comparison for one in range(40)
    }
    assert turned == {True, False}


def test_votes_are_counted_for_the_model_and_not_for_the_side(service, pair):
    served = pair.first
    for number in range(12):
        voter = f"v{number}"
        comparison = votes.next_comparison(service.state, pair, voter)
        row = served.model.items.index_of(comparison.item)
        own = served.model.items.ids_of(served.neighbours.similar(row, votes.LENGTH)[0])
        choice = votes.LEFT if comparison.left == tuple(own) else votes.RIGHT
        assert votes.vote(service.state, pair, voter, comparison.item, choice)
        assert not votes.vote(service.state, pair, voter, comparison.item, choice)
    test = votes.result(service.state, pair)
    assert (test.wins, test.losses, test.ties) == (12, 0, 0)


def test_what_cannot_be_judged_is_refused(service, pair):
    comparison = votes.next_comparison(service.state, pair, "ann")
    with pytest.raises(SettingError):
        votes.vote(service.state, pair, "ann", comparison.item, "both")
    with pytest.raises(UnknownId):
        votes.vote(service.state, pair, "ann", "none of these", votes.LEFT)


def test_one_model_is_compared_with_popularity(tmp_path):
    settings = settings_of(tmp_path / "state", bundle(tmp_path / "one"))
    with client_of(settings) as client:
        service = client.app.state.service
        (pair,) = votes.pairs_of(service.registry.served).values()
        assert pair.name == "als|popularity"
        assert votes.next_comparison(service.state, pair, "ann") is not None
        assert client.get("/compare").status_code == 200
