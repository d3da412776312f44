package aiinfra

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each example of the README is a program of its own.
func TestExamplesOfTheReadmeRun(t *testing.T) {
	client := admin(t)
	token := *client.connection.token.Load()
	readme := must[[]byte](t)(os.ReadFile("README.md"))
	here := must[string](t)(os.Getwd())
	for _, example := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		folder := t.TempDir()
		program := strings.NewReplacer("http://localhost:8080", client.connection.base, "your-token", token).Replace(example[1])
		module := "module readme\n\ngo 1.24\n\nrequire github.com/utopia-gpu/utopia/sdk/go v0.0.0\n\nreplace github.com/utopia-gpu/utopia/sdk/go => " + here + "\n"
		for name, text := range map[string]string{"main.go": program, "go.mod": module} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		command := exec.Command("go", "run", ".")
		command.Dir = folder
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, said)
		} else {
			t.Logf("%s", said)
		}
	}
}
