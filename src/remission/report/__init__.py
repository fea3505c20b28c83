"""Reports: one self-contained HTML page per run, figures as SVG or PDF, tables as CSV or Parquet.

Reads run folders only; never imports models.
"""
