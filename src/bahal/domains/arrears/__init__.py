"""Arrears: the policy of recovery, holds that forbid a cut, and who may be proposed for one, with the reason."""
