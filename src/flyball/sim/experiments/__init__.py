"""The experiments that compare a governed fleet with one of independent loops: what, judged how?"""
