"""`bench probe wiring`: what is wrong between the simulator and a policy?"""
