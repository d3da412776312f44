"""What clients of S3 do, with boto3, against a running control plane: each function is one scenario, named on the command line.

Settings come as JSON on standard input: the endpoint, the keys of an owner, of somebody else, of an administrator and of a reader, the
size of a large object, and, of servers behind the control plane, what they lack.
"""

import sys

import access
import contents
import transfer

SCENARIOS = {
    name: scenario
    for module in [contents, access, transfer]
    for name, scenario in vars(module).items()
    if callable(scenario) and getattr(scenario, "__module__", "") == module.__name__
    and scenario.__code__.co_varnames[:1] == ("bucket",)
}

# Those that need something to be away, full, killed or stopping.
ALONE = {"reaches", "writes", "overflows", "stalls", "stalled", "hesitates", "completed", "away"}

if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(SCENARIOS.keys() - ALONE):
        SCENARIOS[name]("b-" + name.replace("_", "-"))
        print("ok", name, flush=True)
