"""Shortlist: which Hugging Face model do we ship, on which hardware, at which precision, and how do we know?"""
