import time, subprocess, os
from stage import *
import sys; sys.path.insert(0, "/work/main/tests/e2e")
from search_test import *
def test_x(balancer):
    search = client(balancer, 9201)
    search.indices.delete("x", ignore_unavailable=True)
    fill(search, "x")
    t=time.monotonic()
    balancer.stop()
    print("STOP", time.monotonic()-t)
    print(balancer.said())
