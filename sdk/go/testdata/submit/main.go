// Command submit submits the job on its standard input, and prints its number.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	aiinfra "github.com/utopia-gpu/utopia/sdk/go"
)

func main() {
	var job aiinfra.SubmitJobRequest
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		log.Fatal(err)
	}
	client := aiinfra.NewClient(os.Getenv("UTOPIA_SDK_URL"), os.Getenv("UTOPIA_SDK_TOKEN"))
	submitted, err := client.Slurm.SubmitJob(job)
	if err != nil {
		log.Fatal(err)
	}
	jobs, err := client.Slurm.ListJobs()
	if err != nil {
		log.Fatal(err)
	}
	for _, listed := range jobs.Jobs {
		if listed.JobID == submitted.JobID {
			fmt.Println(listed.JobID)
		}
	}
}
