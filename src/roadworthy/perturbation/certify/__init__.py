"""Certificates: answers that no allowed change can turn, proven instead of attacked."""
