"""The shop under fire: clients, faults, a history of what every client saw, and its checker.

history     what every attempt asked, and what came back
facts       what a run starts with, told to the checker
world       the goods and the people that a run starts with
client      sends requests, and writes each attempt into the history
shopper     what shoppers can do, and `staff` what staff can
habits      what they do next, as their dice say
setting     the running shop and its servers, and all that can be done to them
faults      what goes wrong, and when: drawn from the run's seed
violation   what a run can be found guilty of
scenes/     who does what: the mixed load, the rush, the races
lineup      all scenes, and how large they are
ledgers     the final database, read once into plain rows
checker/    history against database: every violation by name
pretend/    a shop in memory, right and wrong, to try the checker on
outages     shoppers who buy while a part of the shop is away, for the tests of faults
planted     faults of the shop's code, and who has to notice them
mutants     plants them one at a time in a copy of the shop, and sees that they are noticed
"""
