"""From scores to error rates that hold: audit, strata, conformal p-values, abstention."""
