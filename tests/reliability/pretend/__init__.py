"""The checker's own proof: histories that a right shop leaves behind, and wrong ones.

shop     a shop in memory that keeps the contract
run      people who shop there at the same time, with answers lost at will
faulty   shops with one fault each
patch    a run that can be changed afterwards
planted_in_orders, planted_in_goods   faults that are planted so, each with the name that finds it
"""
