package aiinfra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

var busy = says(http.StatusTooManyRequests, `{"error": "busy", "code": "ResourceExhausted"}`, "Retry-After", "0")

func get(client *Client) error {
	_, err := client.Claims.Get("1")
	return err
}

func create(client *Client) error {
	_, err := client.Hosts.Create(CreateHostRequest{Name: "gpu-01"})
	return err
}

func TestErrorsOfBothStyles(t *testing.T) {
	fake := newFake(t, says(http.StatusNotFound, `{"error": "claim 1 does not exist", "code": "NotFound"}`, "X-Request-Id", "r-1"))
	err := get(fake.client())
	var answer *Error
	if !errors.As(err, &answer) || !errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	equal(t, *answer, Error{Status: 404, Code: "NotFound", Message: "claim 1 does not exist", RequestID: "r-1"})
	equal(t, err.Error(), "claim 1 does not exist (404, NotFound, request r-1)")

	fake.tell(says(http.StatusConflict, `{"code": 409, "message": "the host has claims", "data": null}`))
	err = fake.client().Hosts.Delete("1")
	if !errors.As(err, &answer) || !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	equal(t, *answer, Error{Status: 409, Message: "the host has claims"})
}

func TestEachStatusHasItsKind(t *testing.T) {
	once := WithRetry(Retry{Attempts: 1})
	for status, kind := range map[int]error{
		400: ErrBadRequest, 401: ErrUnauthenticated, 403: ErrPermissionDenied, 410: ErrGone, 413: ErrBadRequest, 422: ErrBadRequest,
		429: ErrRateLimited, 500: ErrServer, 501: ErrUnimplemented, 502: ErrUnavailable, 503: ErrServer, 504: ErrDeadlineExceeded, 599: ErrServer,
	} {
		fake := newFake(t, says(status, `{"error": "no", "code": "No"}`))
		if err := get(fake.client(once)); !errors.Is(err, kind) {
			t.Errorf("%d gives %v", status, err)
		}
	}
}

func TestErrorsOfSomethingElse(t *testing.T) {
	for body, message := range map[string]string{
		"<html>Bad Gateway</html>": "<html>Bad Gateway</html>",
		`{"error": 3}`:             `{"error": 3}`,
		strings.Repeat("ä", 5000):  strings.Repeat("ä", 200),
		"\xff":                     "\uFFFD",
		"":                         "the server answered 502 without a word",
	} {
		fake := newFake(t, says(http.StatusBadGateway, body))
		var answer *Error
		if err := get(fake.client(WithRetry(Retry{}))); !errors.As(err, &answer) {
			t.Fatal(err)
		}
		equal(t, answer.Message, message)
	}
}

func TestTokensDoNotFollowRedirects(t *testing.T) {
	fake := newFake(t, says(http.StatusFound, "", "Location", "/elsewhere"))
	if err := get(fake.client()); err == nil {
		t.Error("a redirect is an answer")
	}
	equal(t, len(fake.seen()), 1)
}

func TestWaitsAreThoseThatTheServerAsksFor(t *testing.T) {
	retry := Retry{Attempts: 9, FirstDelay: time.Second, LongestDelay: 4 * time.Second, LongestRetryAfter: time.Minute}
	read := &request{method: http.MethodGet}
	wait, ok := retry.delay(&Error{Status: 429, RetryAfter: 7 * time.Second, asksToWait: true}, 1, read)
	equal(t, ok, true)
	within(t, wait, 7*time.Second, 8*time.Second)
	if _, ok := retry.delay(&Error{Status: 429, RetryAfter: time.Hour, asksToWait: true}, 1, read); ok {
		t.Error("an hour is too long")
	}
	for attempt := 1; attempt < 9; attempt++ {
		wait, _ := retry.delay(&Error{Status: 503}, attempt, read)
		within(t, wait, 0, min(4*time.Second, time.Second<<(attempt-1)))
	}
	if _, ok := retry.delay(&Error{Status: 503}, 9, read); ok {
		t.Error("there are nine attempts")
	}
	then, ok := retryAfter(time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat))
	equal(t, ok, true)
	within(t, then, 25*time.Second, 31*time.Second)
}

func TestABusyServerHasDoneNothing(t *testing.T) {
	fake := newFake(t, busy, busy, says(http.StatusCreated, `{"data": {}}`))
	equal(t, create(fake.client()), nil)
	equal(t, len(fake.seen()), 3)
}

func TestWhatMayHaveBeenDoneIsNotDoneTwice(t *testing.T) {
	for _, answer := range []http.HandlerFunc{says(503, ""), says(504, ""), hangsUp, halfABody} {
		fake := newFake(t, answer)
		if create(fake.client()) == nil {
			t.Error("it failed")
		}
		equal(t, len(fake.seen()), 1)
	}
}

func TestWhatCanBeDoneTwiceIsTriedAgain(t *testing.T) {
	for _, answer := range []http.HandlerFunc{says(502, ""), says(503, ""), says(504, ""), hangsUp, halfABody} {
		fake := newFake(t, answer, says(http.StatusOK, claimText))
		equal(t, get(fake.client()), nil)
		equal(t, len(fake.seen()), 2)
		fake.tell(answer, says(http.StatusOK, claimText))
		must[*Claim](t)(fake.client().Claims.Create(CreateClaimRequest{Image: "busybox"}))
		equal(t, fake.seen()[0].body, fake.seen()[1].body)
	}
}

func TestWhatStaysAsItIsIsNotTriedAgain(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 410, 500, 501} {
		fake := newFake(t, says(status, ""))
		if get(fake.client()) == nil {
			t.Error("it failed")
		}
		equal(t, len(fake.seen()), 1)
	}
}

func TestAServerThatIsDown(t *testing.T) {
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	address := listener.Addr().String()
	listener.Close()
	attempts := 0
	counting := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		attempts++
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	quick := WithRetry(Retry{Attempts: 3, FirstDelay: time.Millisecond, LongestDelay: time.Millisecond})
	// Nothing was sent, so that even this is tried again.
	if err := create(NewClient("http://"+address, "", quick, WithHTTPClient(counting))); !errors.Is(err, ErrConnection) {
		t.Error(err)
	}
	equal(t, attempts, 3)
}

func TestAServerThatIsSilent(t *testing.T) {
	fake := newFake(t)
	fake.tell(fake.isSilent, says(http.StatusOK, claimText))
	client := fake.client(WithTimeout(100 * time.Millisecond))
	equal(t, get(client), nil)
	fake.tell(fake.isSilent)
	if err := create(client); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	equal(t, len(fake.seen()), 1)
}

func TestAServerThatIsSlow(t *testing.T) {
	fake := newFake(t, func(writer http.ResponseWriter, request *http.Request) {
		for request.Context().Err() == nil {
			_, _ = writer.Write([]byte(" "))
			_ = http.NewResponseController(writer).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	if err := create(fake.client(WithTimeout(100 * time.Millisecond))); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
}

func TestCallersMayGiveUp(t *testing.T) {
	fake := newFake(t)
	ctx, cancel := context.WithCancel(context.Background())
	fake.tell(func(writer http.ResponseWriter, request *http.Request) {
		cancel()
		fake.isSilent(writer, request)
	})
	if _, err := fake.client().Claims.GetContext(ctx, "1"); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	equal(t, len(fake.seen()), 1)

	// Also while they wait for another attempt.
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	fake.tell(says(http.StatusTooManyRequests, "", "Retry-After", "30"))
	began := time.Now()
	if _, err := fake.client().Claims.GetContext(ctx, "1"); !errors.Is(err, ErrRateLimited) {
		t.Error(err)
	}
	within(t, time.Since(began), 0, 10*time.Second)
}

func TestSomethingThatDoesNotSpeakHTTP(t *testing.T) {
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	go func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = accepted.Write([]byte("SSH-2.0-OpenSSH_9\r\n"))
			accepted.Close()
		}
	}()
	if err := get(NewClient("http://"+listener.Addr().String(), "", WithRetry(Retry{}))); !errors.Is(err, ErrConnection) {
		t.Error(err)
	}
}

func TestReasonsOfANewerServerAreKept(t *testing.T) {
	fake := newFake(t, says(http.StatusConflict, `{"error": "the moon is full", "code": "MoonIsFull", "phase": 4}`))
	err := get(fake.client())
	var answer *Error
	if !errors.As(err, &answer) || !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	equal(t, *answer, Error{Status: 409, Code: "MoonIsFull", Message: "the moon is full"})
}

func TestAnOlderServerLacksOperations(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		says(404, `{"error": "there is nothing at this path", "code": "NotFound"}`),
		says(404, `{"code": 404, "message": "there is nothing at this path", "data": null}`),
		says(405, `{"error": "only GET is allowed here", "code": "MethodNotAllowed"}`),
		says(501, `{"error": "it is not made yet", "code": "Unimplemented"}`),
		says(404, "<html>Not Found</html>"),
		says(404, ""),
	} {
		fake := newFake(t, answer)
		err := get(fake.client())
		if !errors.Is(err, ErrUnimplemented) || errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if !strings.HasPrefix(err.Error(), "GET /api/gpu-claims/1 is not supported by this server: ") {
			t.Error(err)
		}
		if _, err := collect(fake.client().Claims.Watch("1")); !errors.Is(err, ErrUnimplemented) {
			t.Error(err)
		}
		equal(t, len(fake.seen()), 2)
	}
}

func TestRedirectsAreNotFollowedAnywhere(t *testing.T) {
	other := newFake(t, says(http.StatusOK, claimText))
	for _, status := range []int{301, 302, 303, 307, 308} {
		fake := newFake(t, says(status, "", "Location", other.URL+"/api/gpu-claims/1"))
		// Neither by a client that would follow them.
		for _, client := range []*Client{fake.client(), fake.client(WithHTTPClient(&http.Client{}))} {
			var answer *Error
			if err := get(client); !errors.As(err, &answer) || answer.Status != status {
				t.Error(err)
			}
		}
	}
	equal(t, len(other.seen()), 0)
}

func TestTokensAreNotShown(t *testing.T) {
	const token = "a-token-that-nobody-shall-see"
	for _, answer := range []http.HandlerFunc{hangsUp, says(200, "<html>"), says(401, ""), says(500, ""), says(302, ""), halfABody} {
		fake := newFake(t, answer)
		client := fake.client(WithToken(token), WithRetry(Retry{}))
		err := get(client)
		if shown := fmt.Sprintf("%v %+v %#v %+v", err, err, err, client); err == nil || strings.Contains(shown, token) {
			t.Error(shown)
		}
	}
	for _, wrong := range []string{token + "\n", token + "\r\nX: y", token + "\x00"} {
		if err := get(NewClient("http://localhost", wrong, WithRetry(Retry{}))); err == nil || strings.Contains(err.Error(), token) {
			t.Error(err)
		}
	}
	made := CreateHostResponse{HostID: "1", AgentToken: token}
	shown := fmt.Sprintf("%v %+v %v", made, []*CreateHostResponse{&made}, LoginRequest{Username: "ada", Password: token})
	if strings.Contains(shown, token) || !strings.Contains(shown, "HostID:1") || !strings.Contains(shown, "Username:ada") {
		t.Error(shown)
	}
}

func TestAnUnavailableServerMayHaveDoneIt(t *testing.T) {
	fake := newFake(t, says(http.StatusServiceUnavailable, "", "Retry-After", "0"))
	if err := create(fake.client()); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	equal(t, len(fake.seen()), 1)
	// With a key it is done once only.
	fake.tell(says(http.StatusServiceUnavailable, "", "Retry-After", time.Now().UTC().Format(http.TimeFormat)), says(http.StatusAccepted, claimText))
	must[*Claim](t)(fake.client().Claims.Create(CreateClaimRequest{Image: "busybox"}))
	equal(t, len(fake.seen()), 2)
}

// Promises more than it gives.
func halfABody(writer http.ResponseWriter, _ *http.Request) {
	writer.Header().Set("Content-Length", "100")
	_, _ = writer.Write([]byte(`{"id": `))
}

func TestGoroutinesShareAClient(t *testing.T) {
	fake := newFake(t, func(writer http.ResponseWriter, request *http.Request) {
		says(http.StatusOK, fmt.Sprintf(`{"id": %q}`, path.Base(request.URL.Path)))(writer, request)
	})
	client := fake.client()
	var group sync.WaitGroup
	for number := range 100 {
		group.Add(1)
		go func() {
			defer group.Done()
			id := fmt.Sprint(number)
			if claim, err := client.With(WithTimeout(time.Minute)).Claims.Get(id); err != nil || claim.ID != id {
				t.Error(claim, err)
			}
			if _, err := collect(client.Events.Watch(EventsWatchParams{Once: true})); err != nil {
				t.Error(err)
			}
			if err := client.Login("ada", "a password"); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
}

func TestAnswersAreShownToWhoWantsToSeeThem(t *testing.T) {
	fake := newFake(t, busy, says(http.StatusOK, `{"message": "deleted"}`, "X-RateLimit-Remaining", "3"))
	var seen []Response
	client := fake.client(WithOnResponse(func(response Response) { seen = append(seen, response) }))
	equal(t, client.Claims.Delete("1", ClaimsDeleteParams{Prefer: "return=representation"}), nil)
	equal(t, fake.seen()[1].header.Get("Prefer"), "return=representation")
	equal(t, len(seen), 2)
	equal(t, seen[1].Method+" "+seen[1].Path, "DELETE /api/gpu-claims/1")
	equal(t, seen[1].Header.Get("X-RateLimit-Remaining"), "3")
	equal(t, string(seen[1].Body), `{"message": "deleted"}`)
	fake.tell(fake.streams("ends", "data: {\"id\": \"1\"}\n\n"))
	must[[]Claim](t)(collect(client.Claims.Watch("1")))
	equal(t, len(seen[2].Body), 0)
}
