"""The documented calls, with nothing but the installed package."""

import os

from aiinfra import Client, Unavailable

with Client(os.environ["UTOPIA_SDK_URL"]) as client:
    token = client.iam.login(username="admin", password=os.environ["UTOPIA_SDK_PASSWORD"]).token

client = Client(os.environ["UTOPIA_SDK_URL"], token=token)
try:
    jobs = client.slurm.list_jobs()
    print([job.job_name for job in jobs])
except Unavailable as error:
    print(f"there is no Slurm: {error}")
