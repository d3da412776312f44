package aiinfra

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A client of a control plane, logged in as its administrator.
func admin(t *testing.T, options ...Option) *Client {
	url := os.Getenv("UTOPIA_SDK_URL")
	if url == "" && os.Getenv("CI") == "true" {
		t.Fatal("there is no control plane: run sdk/test.sh")
	}
	if url == "" {
		t.Skip("skipped: there is no control plane; sdk/test.sh starts one")
	}
	client := NewClient(url, "", options...)
	if err := client.Login("admin", os.Getenv("UTOPIA_SDK_PASSWORD")); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestTheLifeOfAClaim(t *testing.T) {
	client := admin(t)
	wanted := CreateClaimRequest{Image: "busybox", Resources: &ResourcesInput{GPUCount: 1}, RequestID: rand.Text()}
	claim := must[*Claim](t)(client.Claims.Create(wanted))
	equal(t, must[*Claim](t)(client.Claims.Create(wanted)).ID, claim.ID)
	equal(t, claim.Status.Phase, ClaimPhasePending)
	within(t, time.Since(claim.CreatedAt).Abs(), 0, time.Minute)

	is := func(other Claim) bool { return other.ID == claim.ID }
	equal(t, slices.ContainsFunc(must[*ListClaimsResponse](t)(client.Claims.List(ClaimsListParams{Phase: ClaimPhasePending})).Claims, is), true)
	running := must[[]Claim](t)(collect(client.Claims.All(ClaimsListParams{Phase: ClaimPhaseRunning})))
	equal(t, slices.ContainsFunc(running, is), false)
	equal(t, must[*ClaimExplanation](t)(client.Claims.Explain(claim.ID)).Phase, ClaimPhasePending)

	states := 0
	for state, err := range client.Claims.Watch(claim.ID) {
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil || state.ID != claim.ID {
			t.Fatal(state, err)
		}
		if states++; states == 1 {
			equal(t, client.Claims.Delete(claim.ID), nil)
		}
	}
	_, err := client.Claims.Get(claim.ID)
	var answer *Error
	if !errors.As(err, &answer) || !errors.Is(err, ErrNotFound) || answer.Code != "NotFound" || answer.RequestID == "" {
		t.Error(err)
	}
}

func TestPagesOfAControlPlane(t *testing.T) {
	client := admin(t)
	made := map[string]bool{}
	for range 5 {
		made[must[*JoinToken](t)(client.JoinTokens.Create(CreateJoinTokenRequest{Description: "pages"})).ID] = true
	}
	equal(t, len(must[*ListJoinTokensResponse](t)(client.JoinTokens.List(JoinTokensListParams{Limit: 2})).JoinTokens), 2)
	for token, err := range client.JoinTokens.All() {
		if err != nil {
			t.Fatal(err)
		}
		if made[token.ID] {
			delete(made, token.ID)
			equal(t, client.JoinTokens.Revoke(token.ID), nil)
		}
	}
	equal(t, len(made), 0)
}

func TestHostsAreInAnEnvelope(t *testing.T) {
	client := admin(t)
	wanted := CreateHostRequest{Name: "host-" + rand.Text(), IPAddress: "192.0.2.1", OSType: "linux", Labels: map[string]string{"region": "eu"}}
	made := must[*CreateHostResponse](t)(client.Hosts.Create(wanted))
	equal(t, must[*Host](t)(client.Hosts.Get(made.HostID)).Name, wanted.Name)
	if _, err := client.Hosts.Create(wanted); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	report := ReportHeartbeatRequest{HealthStatus: HostHealthHealthy, UsedCPU: 1.5}
	if _, err := client.With(WithToken(made.AgentToken)).Hosts.ReportHeartbeat(made.HostID, report); err != nil {
		t.Error(err)
	}
	must[*Host](t)(client.Hosts.Update(made.HostID, UpdateHostRequest{Labels: map[string]any{}}))
	equal(t, must[*Host](t)(client.Hosts.Get(made.HostID)).Labels, map[string]string{})
	equal(t, client.Hosts.Delete(made.HostID), nil)
	if _, err := client.Hosts.Get(made.HostID); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	client := admin(t)
	if _, err := client.With(WithToken("")).Claims.List(); !errors.Is(err, ErrUnauthenticated) {
		t.Error(err)
	}
	if err := client.With(WithToken("")).Login("admin", "no password of anybody"); !errors.Is(err, ErrUnauthenticated) {
		t.Error(err)
	}
	made := must[*APIToken](t)(client.APITokens.Create(CreateAPITokenRequest{Name: "go-" + rand.Text(), Role: "readonly"}))
	reader := client.With(WithToken(made.Token))
	must[*ListClaimsResponse](t)(reader.Claims.List())
	if _, err := reader.Claims.Create(CreateClaimRequest{Image: "busybox"}); !errors.Is(err, ErrPermissionDenied) {
		t.Error(err)
	}
	_, err := client.Claims.Create(CreateClaimRequest{Image: "busybox", Resources: &ResourcesInput{GPUCount: -1}})
	if !errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), "gpuCount") {
		t.Error(err)
	}
}

// The network, which breaks each connection of a stream after some reads.
type cuts struct {
	http.RoundTripper
	streams int
}

func (cuts *cuts) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := cuts.RoundTripper.RoundTrip(request)
	if err == nil && request.URL.Path == "/api/events" {
		cuts.streams++
		response.Body = &cutBody{response.Body, 2}
	}
	return response, err
}

type cutBody struct {
	io.ReadCloser
	reads int
}

func (body *cutBody) Read(buffer []byte) (int, error) {
	if body.reads--; body.reads < 0 {
		return 0, errors.New("the connection broke")
	}
	return body.ReadCloser.Read(buffer)
}

func TestEventsSurviveBrokenConnections(t *testing.T) {
	network := &cuts{RoundTripper: http.DefaultTransport}
	quick := DefaultRetry
	quick.FirstDelay = 10 * time.Millisecond
	client := admin(t, WithHTTPClient(&http.Client{Transport: network}), WithRetry(quick))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	made, seen := map[string]bool{}, map[string]bool{}
	for event, err := range client.Events.WatchContext(ctx, EventsWatchParams{Types: []string{"claim.*"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(made) == 0 {
			equal(t, event.Type, "bookmark")
			for range 5 {
				made[must[*Claim](t)(client.Claims.Create(CreateClaimRequest{Image: "busybox"})).ID] = true
			}
		}
		if made[event.ResourceID] {
			seen[event.ResourceID] = true
		}
		if len(seen) == len(made) {
			break
		}
	}
	within(t, network.streams, 2, 100)
	for id := range made {
		equal(t, client.Claims.Delete(id), nil)
	}
}

func TestManyGoroutinesShareAClient(t *testing.T) {
	client := admin(t)
	var group sync.WaitGroup
	for range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := client.Users.List(); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
}

// A value for an argument.
func madeUp(kind reflect.Type) reflect.Value {
	value := reflect.New(kind).Elem()
	switch kind.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(kind.Elem()))
		value.Elem().Set(madeUp(kind.Elem()))
	case reflect.Slice:
		value.Set(reflect.Append(value, madeUp(kind.Elem())))
	case reflect.Map:
		value.Set(reflect.MakeMap(kind))
		value.SetMapIndex(madeUp(kind.Key()), madeUp(kind.Elem()))
	case reflect.Struct:
		if kind == reflect.TypeFor[time.Time]() {
			return reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		}
		for index := range kind.NumField() {
			value.Field(index).Set(madeUp(kind.Field(index).Type))
		}
	case reflect.String:
		value.SetString(wordOf(kind))
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		value.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		value.SetUint(1)
	case reflect.Float64:
		value.SetFloat(1)
	case reflect.Interface:
		value.Set(reflect.ValueOf("made-up"))
	}
	return value
}

// What the tests read of the OpenAPI document.
type document struct {
	Paths      map[string]map[string]any
	Components struct {
		Schemas map[string]struct{ Enum []string }
	}
}

var contract = sync.OnceValue(func() (read document) {
	text, err := os.ReadFile("../openapi.json")
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil {
		panic(err)
	}
	return read
})

// A word of an enumeration, or any text.
func wordOf(kind reflect.Type) string {
	area := regexp.MustCompile(`^\w+\.(\w+)\.\w+\.`)
	for name, schema := range contract().Components.Schemas {
		if !strings.EqualFold(area.ReplaceAllString(name, "$1"), kind.Name()) {
			continue
		}
		for _, word := range schema.Enum {
			if word != "" {
				return word
			}
		}
	}
	return "made-up"
}

// The operation of the document that a request is; the one with the fewest parameters, as the server chooses.
func operationOf(request *http.Request) (found string) {
	fewest, parameter := 100, regexp.MustCompile(`\\{\w+\\}`)
	for path, methods := range contract().Paths {
		pattern := regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
		_, has := methods[strings.ToLower(request.Method)]
		if count := strings.Count(path, "{"); has && count < fewest && pattern.MatchString(request.URL.EscapedPath()) {
			found, fewest = request.Method+" "+path, count
		}
	}
	return found
}

// The network, which notes what is asked.
type notes struct {
	http.RoundTripper
	asked map[string]bool
}

func (notes *notes) RoundTrip(request *http.Request) (*http.Response, error) {
	notes.asked[operationOf(request)] = true
	return notes.RoundTripper.RoundTrip(request)
}

// Whether an error is about what was asked, and not about how.
func isRight(err error) bool {
	var answer *Error
	if err == nil {
		return true
	}
	if !errors.As(err, &answer) {
		return false
	}
	isUnknownPath := answer.Status == 405 || strings.Contains(answer.Message, "nothing at this path")
	isMalformed := answer.Status == 415 || strings.Contains(answer.Message, "malformed JSON") || strings.Contains(answer.Message, ": expected a")
	return !isUnknownPath && !isMalformed && answer.Status != 500
}

// The error that the results of a call have, of an iterator its first.
func errorOf(results []reflect.Value) error {
	last := results[len(results)-1]
	if last.Kind() == reflect.Func {
		next, stop := iter.Pull2(func(yield func(any, error) bool) {
			for _, err := range last.Seq2() {
				failed, _ := err.Interface().(error)
				if !yield(nil, failed) {
					return
				}
			}
		})
		defer stop()
		_, err, _ := next()
		return err
	}
	err, _ := last.Interface().(error)
	return err
}

func TestEveryOperation(t *testing.T) {
	client := admin(t)
	// A token that outlives the log-outs that are tried: it is no session.
	token := must[*APIToken](t)(client.APITokens.Create(CreateAPITokenRequest{Name: "every-operation-" + rand.Text()})).Token
	network := &notes{http.DefaultTransport, map[string]bool{}}
	client = client.With(WithToken(token), WithHTTPClient(&http.Client{Transport: network}), WithRetry(Retry{}))
	services := reflect.ValueOf(client.Services)
	for index := range services.NumField() {
		service := services.Field(index)
		for number := range service.NumMethod() {
			method, name := service.Method(number), services.Type().Field(index).Name+"."+service.Type().Method(number).Name
			var arguments []reflect.Value
			for at := range method.Type().NumIn() {
				kind := method.Type().In(at)
				switch {
				case kind == reflect.TypeFor[context.Context]():
					arguments = append(arguments, reflect.ValueOf(context.Background()))
				case method.Type().IsVariadic() && at == method.Type().NumIn()-1:
					arguments = append(arguments, madeUp(kind.Elem()))
				default:
					arguments = append(arguments, madeUp(kind))
				}
			}
			if err := errorOf(method.Call(arguments)); !isRight(err) {
				t.Errorf("%s gives %v", name, err)
			}
		}
	}
	for path, methods := range contract().Paths {
		for method := range methods {
			if !network.asked[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s has no method", method, path)
			}
		}
	}
}

func TestAJobOnARealSlurm(t *testing.T) {
	if os.Getenv("UTOPIA_SDK_SLURM") == "" {
		t.Skip("skipped: the control plane has no Slurm; sdk/test.sh tries again where the environment names one")
	}
	client := admin(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var made *SubmitJobResponse
	for event, err := range client.Events.WatchContext(ctx, EventsWatchParams{Types: []string{"job.*"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if made == nil {
			script := "#!/bin/sh\necho done\n"
			job := SubmitJobRequest{JobName: "go-" + rand.Text(), Nodes: 1, Ntasks: 1, Script: script, WorkingDirectory: "/tmp"}
			made = must[*SubmitJobResponse](t)(client.Slurm.SubmitJob(job))
		}
		isOurs := strings.HasSuffix(event.ResourceID, fmt.Sprintf("/%v", made.JobID))
		if isOurs && slices.Contains([]string{"job.completed", "job.failed", "job.cancelled", "job.timeout"}, event.Type) {
			equal(t, event.Type, "job.completed")
			break
		}
	}
	equal(t, must[*Job](t)(client.Slurm.GetJob(made.JobID)).Status, JobStatusCompleted)
	jobs := must[*ListJobsResponse](t)(client.Slurm.ListJobs())
	equal(t, slices.ContainsFunc(jobs.Jobs, func(job Job) bool { return job.JobID == made.JobID }), true)
}
