"""BD-rates and published curves against figures of the literature."""

import numpy as np
import pytest

from tfc_models.errors import UsageError
from tfc_models.evaluation import published
from tfc_models.evaluation.curves import METRICS, NoDelta, delta


def points(name, metric="psnr"):
  return published.curve(name).points[metric]


@pytest.mark.parametrize("anchor, percent, tolerance", [
    ("tfc/bpg444", -8.1, 0.1), ("tfc/jpeg420", -58.9, 0.2),
    ("paper-bmshj2018-hyperprior", -15.5, 0.2)])
def test_bd_rates_of_mbt2018_are_those_of_the_literature(
    anchor, percent, tolerance):
  found = delta(points(anchor), points("paper-mbt2018"))
  assert found.rate_percent == pytest.approx(percent, abs=tolerance)
  assert found.quality_db > 0 and found.low < found.high


def test_ms_ssim_is_compared_in_db():
  # BD-rate of Toderici et al., CVPR 2017, against JPEG, by hand from the data.
  found = delta(points("tfc/jpeg420", "ms_ssim"),
                points("tfc/toderici-2017-cvpr", "ms_ssim"))
  assert found.rate_percent == pytest.approx(-13.3, abs=0.1)


def test_half_the_rate_is_minus_fifty_percent():
  anchor = [(rate, 20 + 8 * np.log2(1 + rate)) for rate in (0.1, 0.3, 0.9, 2)]
  test = [(rate / 2, quality) for rate, quality in anchor]
  found = delta(anchor, test)
  assert found.rate_percent == pytest.approx(-50)
  back = delta(test, anchor)
  assert back.rate_percent == pytest.approx(100)
  assert back.quality_db == pytest.approx(-found.quality_db)
  assert delta(anchor, anchor).rate_percent == pytest.approx(0)


def test_order_and_equal_points_do_not_matter():
  anchor = [(0.1, 25), (0.2, 28), (0.4, 31), (0.8, 34)]
  test = [(0.1, 26), (0.2, 29), (0.4, 32), (0.8, 35)]
  expected = delta(anchor, test)
  # Of equal quality the cheaper counts, of equal rate the better.
  shuffled = [test[2], test[0], (0.9, 35), test[3], (0.4, 31.5), test[1]]
  assert delta(anchor, [*test, (0.9, 35)]).rate_percent == pytest.approx(
      expected.rate_percent)
  assert delta(anchor, shuffled).quality_db == pytest.approx(
      delta(anchor, [*test, (0.9, 35)]).quality_db)


@pytest.mark.parametrize("test, reason", [
    ([(0.1, 30), (0.2, 32), (0.4, 34)], "the codec has 3 points, 4 are needed"),
    ([(0.1, 40), (0.2, 42), (0.4, 44), (1, 46)],
     "no common quality: 40.00 to 46.00 dB, the anchor has 25.00 to 34.00"),
    ([(1, 26), (2, 28), (4, 30), (8, 33)],
     "no common rate: 1.000 to 8.000 bpp, the anchor has 0.100 to 0.800"),
])
def test_curves_that_do_not_compare_are_refused(test, reason):
  anchor = [(0.1, 25), (0.2, 28), (0.4, 31), (0.8, 34)]
  with pytest.raises(NoDelta, match=reason):
    delta(anchor, test)


def test_every_published_curve_has_a_source_and_can_be_drawn():
  assert len(published.names()) > 50
  for name in published.names():
    curve = published.curve(name)
    assert "(" in published.describe(name) and curve.published
    assert any(curve.points[metric] for metric in METRICS)
    for metric in METRICS:
      for rate, quality in curve.points[metric]:
        assert 0 < rate < 16 and 5 < quality < 60
  assert set(published.DEFAULT) <= set(published.names())
  with pytest.raises(UsageError, match="published:nothing: no such curve"):
    published.curve("nothing")


def test_the_published_jpeg_curve_is_the_published_one():
  # First and last point of CompressAI's results/image/kodak/jpeg.json.
  first, *_, last = points("jpeg")
  assert first == pytest.approx((0.2206, 23.779), abs=1e-3)
  assert last == pytest.approx((3.4006, 40.558), abs=2e-3)
