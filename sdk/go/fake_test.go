package aiinfra

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// One request that the fake server got.
type asked struct {
	method, path string
	query        map[string][]string
	header       http.Header
	body         map[string]any
}

// A server on loopback that answers as a test tells it, and remembers what it was asked.
type fake struct {
	*httptest.Server
	lock     sync.Mutex
	requests []asked
	answers  []http.HandlerFunc
	// Lets go of answers that wait.
	released chan struct{}
}

// Answers with each of these in turn; the last one answers all that follow.
func newFake(t *testing.T, answers ...http.HandlerFunc) *fake {
	fake := &fake{answers: answers, released: make(chan struct{})}
	fake.Server = httptest.NewServer(fake)
	t.Cleanup(func() {
		close(fake.released)
		fake.Close()
	})
	return fake
}

func (fake *fake) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	var body map[string]any
	if json.NewDecoder(request.Body).Decode(&body) != nil {
		body = nil
	}
	fake.lock.Lock()
	fake.requests = append(fake.requests, asked{request.Method, request.URL.EscapedPath(), request.URL.Query(), request.Header, body})
	answer := fake.answers[0]
	if len(fake.answers) > 1 {
		fake.answers = fake.answers[1:]
	}
	fake.lock.Unlock()
	answer(writer, request)
}

// A client of the server that hardly waits between attempts.
func (fake *fake) client(options ...Option) *Client {
	quick := Retry{Attempts: 5, FirstDelay: time.Millisecond, LongestDelay: time.Millisecond, LongestRetryAfter: time.Minute}
	return NewClient(fake.URL, "a-token", append([]Option{WithRetry(quick)}, options...)...)
}

func says(status int, content string, headers ...string) http.HandlerFunc {
	return func(writer http.ResponseWriter, _ *http.Request) {
		for at := 0; at < len(headers); at += 2 {
			writer.Header().Set(headers[at], headers[at+1])
		}
		writer.WriteHeader(status)
		_, _ = writer.Write([]byte(content))
	}
}

func hangsUp(http.ResponseWriter, *http.Request) {
	panic(http.ErrAbortHandler)
}

func (fake *fake) isSilent(_ http.ResponseWriter, request *http.Request) {
	select {
	case <-fake.released:
	case <-request.Context().Done():
	}
}

// Answers with pieces of a stream, and then ends, breaks or waits.
func (fake *fake) streams(end string, pieces ...string) http.HandlerFunc {
	return fake.streamsAs("text/event-stream", end, pieces...)
}

func (fake *fake) streamsAs(contentType, end string, pieces ...string) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", contentType)
		writer.WriteHeader(http.StatusOK)
		for _, piece := range pieces {
			_, _ = writer.Write([]byte(piece))
			_ = http.NewResponseController(writer).Flush()
		}
		switch end {
		case "breaks":
			hangsUp(writer, request)
		case "waits":
			fake.isSilent(writer, request)
		}
	}
}

// The requests so far.
func (fake *fake) seen() []asked {
	fake.lock.Lock()
	defer fake.lock.Unlock()
	return slices.Clone(fake.requests)
}

// Answers with this from now on.
func (fake *fake) then(answer http.HandlerFunc) {
	fake.lock.Lock()
	defer fake.lock.Unlock()
	fake.answers = []http.HandlerFunc{answer}
}

// Forgets all requests, and answers with these.
func (fake *fake) tell(answers ...http.HandlerFunc) {
	fake.lock.Lock()
	defer fake.lock.Unlock()
	fake.answers, fake.requests = answers, nil
}

func eventText(cursor int) string {
	return fmt.Sprintf("id: %d\ndata: {\"cursor\": \"%d\", \"type\": \"claim.running\"}\n\n", cursor, cursor)
}

func equal[T any](t *testing.T, found, wanted T) {
	t.Helper()
	if is, should := fmt.Sprintf("%#v", found), fmt.Sprintf("%#v", wanted); is != should {
		t.Errorf("found  %s\nwanted %s", is, should)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func within[T cmp.Ordered](t *testing.T, found, least, most T) {
	t.Helper()
	if found < least || found > most {
		t.Errorf("%v is not between %v and %v", found, least, most)
	}
}
