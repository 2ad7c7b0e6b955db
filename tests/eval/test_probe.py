import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge

from mien.config import Config, validate
from mien.eval.lbfgs import minimise
from mien.eval.probe import (
    Multinomial,
    OneVsRest,
    ProbeConfig,
    Ridge,
    fit_multinomial,
    fit_one_vs_rest,
    fit_probe,
    fit_ridge,
)
from mien.types import MienError


def unit_features(rows: int, width: int, *, seed: int = 0) -> np.ndarray:
    """Unit vectors that share a direction, as CLIP's do."""
    x = np.random.default_rng(seed).normal(size=(rows, width)) * np.arange(1, width + 1) ** -0.7 + 0.5
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def labels_of(x: np.ndarray, *, num_labels: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    logits = 5 * (x - x.mean(axis=0)) @ rng.normal(size=(x.shape[1], num_labels))
    return logits + rng.logistic(size=logits.shape) > np.linspace(0, 4, num_labels)


def log_loss(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: float, *, C: float) -> float:
    logits = x @ weight + bias
    return 0.5 * weight @ weight + C * np.logaddexp(0, np.where(y, -logits, logits)).sum()


@pytest.mark.parametrize("C", [0.1, 3.16, 100.0])
def test_one_vs_rest_agrees_with_tightly_converged_scikit_learn(C):
    x = unit_features(400, 24)
    positive = labels_of(x, num_labels=5)
    probe = fit_one_vs_rest(x, positive, classes=tuple("abcde"), C=C)
    for k in range(5):
        oracle = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=500)
        oracle.fit(x.astype(np.float64), positive[:, k])
        np.testing.assert_allclose(probe.weight[k], oracle.coef_[0], rtol=1e-3, atol=1e-3 * np.abs(oracle.coef_).max())
        assert probe.bias[k] == pytest.approx(oracle.intercept_[0], rel=1e-3)
        best = log_loss(x, positive[:, k], oracle.coef_[0], oracle.intercept_[0], C=C)
        assert log_loss(x, positive[:, k], probe.weight[k], probe.bias[k], C=C) <= best * (1 + 1e-9)


@pytest.mark.parametrize("C", [1.0, 8.0])
def test_multinomial_agrees_with_tightly_converged_scikit_learn(C):
    x = unit_features(400, 16)
    category = labels_of(x, num_labels=4).argmax(axis=1)
    probe = fit_multinomial(x, category, classes=tuple("abcd"), C=C)
    oracle = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=500).fit(
        x.astype(np.float64), category
    )
    np.testing.assert_allclose(probe.weight, oracle.coef_, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(probe.bias, oracle.intercept_ - oracle.intercept_.mean(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(probe.probabilities(x), oracle.predict_proba(x), atol=1e-4)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_ridge_equals_scikit_learns(alpha):
    x = unit_features(100, 12)
    target = np.random.default_rng(2).normal(loc=[0, 5, -2], size=(100, 3))
    probe = fit_ridge(x, target, classes=("valence", "arousal", "dominance"), alpha=alpha)
    oracle = SklearnRidge(alpha=alpha).fit(x.astype(np.float64), target)
    np.testing.assert_allclose(probe.weight, oracle.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(probe.decision(x), oracle.predict(x), rtol=1e-8, atol=1e-10)


def test_blocks_of_rows_and_parts_of_the_rows_for_the_basis_change_nothing(monkeypatch):
    x = unit_features(700, 8)
    positive = labels_of(x, num_labels=3)
    target = x[:, :2].astype(np.float64) ** 2
    whole = fit_one_vs_rest(x, positive, classes=tuple("abc"), C=3.0), fit_ridge(x, target, classes=("a", "b"), alpha=1)
    monkeypatch.setattr("mien.eval.logistic.BLOCK_ROWS", 64)
    monkeypatch.setattr("mien.eval.logistic.BASIS_ROWS_A_COLUMN", 2)
    monkeypatch.setattr("mien.eval.probe.RIDGE_ROWS", 64)
    parts = fit_one_vs_rest(x, positive, classes=tuple("abc"), C=3.0), fit_ridge(x, target, classes=("a", "b"), alpha=1)
    np.testing.assert_allclose(parts[0].weight, whole[0].weight, atol=1e-3)
    np.testing.assert_allclose(parts[1].weight, whole[1].weight, rtol=1e-9)


def test_steps_in_float32_go_on_in_float64_until_that_has_converged():
    x = unit_features(400, 16).astype(np.float64)
    x[:, 0] += 100  # float32 logits are then good to 1e-5 only
    positive = labels_of(x, num_labels=2)
    probe = fit_one_vs_rest(x, positive, classes=("a", "b"), C=10.0)
    for k in range(2):
        slope = 10 * (probe.probabilities(x)[:, k] - positive[:, k]) @ (x - x.mean(axis=0)) + probe.weight[k]
        assert np.abs(slope).max() < 0.02


def test_fit_is_the_same_every_time():
    x = unit_features(200, 32)
    positive = labels_of(x, num_labels=6)
    first, second = (fit_one_vs_rest(x, positive, classes=tuple("abcdef"), C=3.0) for _ in range(2))
    assert (first.weight == second.weight).all()
    assert (first.bias == second.bias).all()


def test_more_dimensions_than_samples_are_no_obstacle():
    x = unit_features(20, 64)
    positive = labels_of(x, num_labels=2)
    probe = fit_one_vs_rest(x, positive, classes=("a", "b"), C=10.0)
    oracle = LogisticRegression(C=10.0, tol=1e-10, max_iter=10_000).fit(x.astype(np.float64), positive[:, 0])
    np.testing.assert_allclose(probe.weight[0], oracle.coef_[0], atol=1e-3)


def test_label_that_none_or_all_have_gets_a_certain_head():
    x = unit_features(30, 4)
    positive = np.stack([np.zeros(30, dtype=bool), np.ones(30, dtype=bool), np.arange(30) % 2 == 0], axis=1)
    probe = fit_one_vs_rest(x, positive, classes=("never", "always", "at times"), C=1.0)
    assert probe.bias[:2].tolist() == [-np.inf, np.inf]
    p = probe.probabilities(x)
    assert (p[:, 0] == 0).all()
    assert (p[:, 1] == 1).all()
    assert ((p[:, 2] > 0) & (p[:, 2] < 1)).all()


def test_class_without_samples_is_never_predicted():
    x = unit_features(30, 4)
    category = np.where(np.arange(30) % 2 == 0, 0, 2)
    p = fit_multinomial(x, category, classes=("a", "absent", "c"), C=1.0).probabilities(x)
    assert (p[:, 1] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_single_class_is_predicted_with_certainty():
    probe = fit_multinomial(unit_features(5, 3), np.ones(5, dtype=int), classes=("a", "b"), C=1.0)
    assert probe.probabilities(unit_features(2, 3)).tolist() == [[0, 1], [0, 1]]


def test_ridge_has_no_probabilities():
    probe = fit_ridge(unit_features(9, 3), np.zeros((9, 1)), classes=("valence",), alpha=1.0)
    with pytest.raises(MienError, match="predicts numbers"):
        probe.probabilities(unit_features(2, 3))


def test_wrong_input_is_refused_with_a_remedy():
    x = unit_features(4, 3)
    with pytest.raises(MienError, match="no samples"):
        fit_multinomial(x[:0], np.zeros(0, dtype=int), classes=("a",), C=1.0)
    x[0, 0] = np.nan
    with pytest.raises(MienError, match="1 samples are not finite"):
        fit_multinomial(x, np.zeros(4, dtype=int), classes=("a",), C=1.0)


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        (OneVsRest(C=1.0), np.eye(6, 2) > 0),
        (Multinomial(C=1.0), np.arange(6) % 2),
        (Ridge(alpha=1.0), np.ones((6, 2))),
    ],
)
def test_config_chooses_the_fit(config, labels):
    probe = fit_probe(unit_features(6, 3), labels, classes=("a", "b"), config=config)
    assert (probe.kind, probe.weight.shape) == (config.kind, (2, 3))


def test_config_is_read_by_its_kind():
    class Task(Config):
        probe: ProbeConfig

    assert validate(Task, {"probe": {"kind": "ridge", "alpha": 2}}, source="here").probe == Ridge(alpha=2.0)
    with pytest.raises(MienError, match="alpha"):
        validate(Task, {"probe": {"kind": "multinomial", "C": 1, "alpha": 2}}, source="here")


def test_minimiser_solves_each_row_on_its_own_and_says_what_it_did_not_finish():
    hessian = torch.tensor([[1.0, 100.0], [3.0, 0.01]]).double()
    goal = torch.tensor([[1.0, 2.0], [-5.0, 7.0]]).double()

    def bowls(x: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        away = x - goal[rows]
        return 1 + 0.5 * (hessian[rows] * away**2).sum(dim=1), hessian[rows] * away

    start = torch.zeros(2, 2).double()
    minimum = minimise(bowls, start, tolerance=1e-14, max_iterations=100)
    assert minimum.converged.all()
    torch.testing.assert_close(minimum.point, goal, rtol=1e-4, atol=1e-4)
    assert not minimise(bowls, start, tolerance=1e-14, max_iterations=1).converged.any()
