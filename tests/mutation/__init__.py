"""Mutation testing: small faults are put into the modules that guard money, stock, keys and sign-in,
one at a time, and the tests of the shop must fail for each.

The command is `./scripts/mutants`.

Public tools were looked at first. mutmut 3 (BSD) changes code inside functions only, while the
statements that guard the stock are module constants here. cosmic-ray (MIT) and mutatest (MIT) start
a test process for each mutant: collecting these tests takes several seconds, one test a twentieth of
one. So this package plants each mutant in memory, in a fork of a pytest process that has collected
the tests and run them once, and runs only the tests that execute the changed line.

operators   what is changed: the mutants of a module
planting    puts a mutant into the running process
coverage    which tests execute which lines
targets     the modules that are mutated
equal       mutants that no test can tell from the original, each with its reason
verdicts    runs the tests on a mutant in a fork
memory      verdicts of earlier runs
plugin      the pytest plugin that plays all of this
report      what is printed
"""
