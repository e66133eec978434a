"""What is the joint problem of one period, as pure data, and what does its answer look like?"""
