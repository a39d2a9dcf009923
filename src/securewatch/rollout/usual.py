"""How long one customer's deploy usually takes, by its rules: for windows and estimates, never a time-out. Pure."""

from securewatch.deploy.model import DeployRules

BUILD_SECONDS = 180.0
"""What Render takes for one service's build and start where nothing was measured."""


def usual_duration(rules: DeployRules, build_seconds: float = BUILD_SECONDS) -> float:
    """Seconds from the first look to verified: the baseline, then both services one after the other."""
    verifying = rules.verification_samples * rules.verification_interval_seconds
    return rules.baseline_samples + 2 * (build_seconds + rules.settle_seconds + verifying)
