"""The parts of a long-term answer: trends, periods, absorption, and what laws say."""
