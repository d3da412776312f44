package aiinfra

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"
)

func collect[T any](messages iter.Seq2[T, error]) (found []T, err error) {
	for message, err := range messages {
		if err != nil {
			return found, err
		}
		found = append(found, message)
	}
	return found, nil
}

func cursors(events []Event) (found []string) {
	for _, event := range events {
		found = append(found, event.Cursor)
	}
	return found
}

func TestEventsComeInWhateverPieces(t *testing.T) {
	whole := ": keep-alive\n\n" + eventText(1) + ": keep-alive\n\n" + strings.ReplaceAll(eventText(2), "\n", "\r\n") + "data: {\ndata: \"cursor\":\"3\"}\n\n"
	for _, size := range []int{1, 3, 1000} {
		var pieces []string
		for at := 0; at < len(whole); at += size {
			pieces = append(pieces, whole[at:min(at+size, len(whole))])
		}
		fake := newFake(t)
		fake.tell(fake.streams("ends", pieces...))
		events := must[[]Event](t)(collect(fake.client().Events.Watch(EventsWatchParams{Once: true})))
		equal(t, cursors(events), []string{"1", "2", "3"})
	}
}

func TestEventsGoOnWhereTheConnectionBroke(t *testing.T) {
	failure := "event: error\ndata: {\"error\": \"the server is stopping\", \"code\": \"Unavailable\"}\n\n"
	fake := newFake(t)
	fake.tell(
		fake.streams("breaks", eventText(1), eventText(2), "id: 3\ndata: {"),
		fake.streams("ends", eventText(3)+eventText(4)+failure),
		says(http.StatusServiceUnavailable, ""),
		fake.streams("ends", eventText(5)),
	)
	events := must[[]Event](t)(collect(fake.client().Events.Watch(EventsWatchParams{Cursor: "0", Once: true})))
	equal(t, cursors(events), []string{"1", "2", "3", "4", "5"})
	var seen []string
	for _, asked := range fake.seen() {
		seen = append(seen, asked.header.Get("Last-Event-Id"))
	}
	equal(t, seen, []string{"", "2", "4", "4"})
}

func TestAnIteratorCanBeUsedAgain(t *testing.T) {
	fake := newFake(t)
	fake.tell(fake.streams("ends", eventText(1)))
	events := fake.client().Events.Watch(EventsWatchParams{Once: true})
	equal(t, len(must[[]Event](t)(collect(events))), 1)
	equal(t, len(must[[]Event](t)(collect(events))), 1)
	equal(t, fake.seen()[1].header.Get("Last-Event-Id"), "")
}

func TestStreamsThatFail(t *testing.T) {
	first, failure := "data: {\"id\": \"1\"}\n\n", "event: error\ndata: {\"error\": \"log in again\", \"code\": \"Unauthenticated\"}\n\n"
	fake := newFake(t)
	for _, one := range []struct {
		answer http.HandlerFunc
		kind   error
		seen   int
	}{
		{fake.streams("breaks", first), ErrConnection, 1},
		{fake.streams("ends", first, "data: {"), ErrConnection, 1},
		{fake.streams("ends", first, failure), ErrUnauthenticated, 1},
		{fake.streams("waits", first), ErrTimeout, 1},
		{fake.streams("ends", "data: <html>\n\n"), ErrInvalidResponse, 0},
		{fake.streams("ends", "data: {\"id\": 3}\n\n"), ErrInvalidResponse, 0},
		{fake.streams("ends", strings.Repeat("x", longestLine+1)), ErrInvalidResponse, 0},
		{says(http.StatusNotFound, `{"error": "no such claim", "code": "NotFound"}`), ErrNotFound, 0},
		{fake.streamsAs("application/x-ndjson", "ends", "{\"id\": \"1\"}\n", `{"error": "gone", "code": "NotFound"}`+"\n"), ErrNotFound, 1},
	} {
		fake.tell(one.answer)
		client := fake.client(WithIdleTimeout(2*time.Second), WithTimeout(10*time.Second))
		claims, err := collect(client.Claims.Watch("1"))
		if !errors.Is(err, one.kind) || len(claims) != one.seen {
			t.Errorf("wanted %v after %d, found %v after %d", one.kind, one.seen, err, len(claims))
		}
		equal(t, len(fake.seen()), 1)
	}
}

func TestAServerThatStaysAway(t *testing.T) {
	fake := newFake(t)
	fake.tell(fake.streams("breaks", eventText(1)), says(http.StatusServiceUnavailable, ""))
	if _, err := collect(fake.client().Events.Watch()); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	equal(t, len(fake.seen()), 5)
	fake.tell(fake.streams("breaks", eventText(1)), says(http.StatusGone, `{"error": "too old", "code": "CursorExpired"}`))
	if _, err := collect(fake.client().Events.Watch()); !errors.Is(err, ErrCursorExpired) || !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

func TestEventsGoOnWhereTheStreamEnded(t *testing.T) {
	// A proxy that ends an idle connection does it like a server that has said everything.
	expired := "event: error\ndata: {\"error\": \"begin anew\", \"code\": \"CursorExpired\"}\n\n"
	fake := newFake(t)
	fake.tell(fake.streams("ends", eventText(1)), fake.streams("ends", eventText(2)), fake.streams("ends", expired))
	events, err := collect(fake.client().Events.Watch(EventsWatchParams{LastEventID: "0"}))
	equal(t, cursors(events), []string{"1", "2"})
	if !errors.Is(err, ErrCursorExpired) || !strings.Contains(err.Error(), "begin anew") {
		t.Error(err)
	}
	for at, asked := range fake.seen() {
		equal(t, asked.header.Get("Last-Event-Id"), fmt.Sprint(at))
	}
	fake.tell(fake.streams("ends", eventText(1)), fake.streams("ends"))
	if _, err := collect(fake.client().Events.Watch()); !errors.Is(err, ErrConnection) {
		t.Error(err)
	}
	equal(t, len(fake.seen()), 5)
}

func TestAStreamThatNeverBeganIsTriedAgain(t *testing.T) {
	fake := newFake(t)
	fake.tell(says(http.StatusServiceUnavailable, ""), fake.streams("breaks"), fake.streams("ends", "data: {\"id\": \"1\"}\n\n"))
	equal(t, len(must[[]Claim](t)(collect(fake.client().Claims.Watch("1")))), 1)
}

func TestTheStartOfAServerCanBeFollowed(t *testing.T) {
	fake := newFake(t)
	fake.tell(fake.streams("ends", "data: {\"progress\": 50}\n\n", "data: {\"progress\": 100, \"ready\": true}\n\n"))
	steps := must[[]Progress](t)(collect(fake.client().JupyterHub.WatchProgress("ada")))
	equal(t, len(steps), 2)
	equal(t, steps[1].Progress == 100 && steps[1].Ready, true)
	equal(t, fake.seen()[0].path, "/api/jupyterhub/users/ada/server/progress")
}

func TestStreamsOutliveTheTimeoutOfCalls(t *testing.T) {
	fake := newFake(t)
	fake.tell(func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "text/event-stream")
		for number := range 4 {
			_, _ = writer.Write([]byte(eventText(number)))
			_ = http.NewResponseController(writer).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	})
	client := fake.client(WithTimeout(60*time.Millisecond), WithIdleTimeout(10*time.Second))
	equal(t, len(must[[]Event](t)(collect(client.Events.Watch(EventsWatchParams{Once: true})))), 4)
}

func TestLinesOfAServerWithoutEvents(t *testing.T) {
	fake := newFake(t)
	fake.tell(fake.streamsAs("application/x-ndjson", "ends", "{\"id\": \"1\"}\n{\"id\"", ": \"2\"}\n\n"))
	equal(t, len(must[[]Claim](t)(collect(fake.client().Claims.Watch("1")))), 2)
}

func TestStreamsCanBeLeft(t *testing.T) {
	fake := newFake(t)
	left := make(chan struct{})
	fake.tell(func(writer http.ResponseWriter, request *http.Request) {
		fake.streams("waits", eventText(1))(writer, request)
		close(left)
	})
	for range fake.client().Events.Watch() {
		break
	}
	<-left

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fake.tell(fake.streams("waits", eventText(1)))
	var last error
	for _, err := range fake.client().Events.WatchContext(ctx) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Error(last)
	}
}

// Answers with pages of these sizes.
func pagesOf(total string, sizes ...int) (answers []http.HandlerFunc) {
	for number, size := range sizes {
		place := ""
		if total != "" {
			place = fmt.Sprintf(total, number+1)
		}
		items := strings.TrimSuffix(strings.Repeat(`{"id": "1"},`, size), ",")
		answers = append(answers, says(http.StatusOK, fmt.Sprintf(`{"claims": [%s]%s}`, items, place)))
	}
	return answers
}

func TestPagesFollowOneAnother(t *testing.T) {
	fake := newFake(t, pagesOf(`, "total": 5, "page": %d`, 2, 2, 1)...)
	claims := must[[]Claim](t)(collect(fake.client().Claims.All(ClaimsListParams{Phase: ClaimPhaseRunning})))
	equal(t, len(claims), 5)
	equal(t, fake.seen()[2].query, map[string][]string{"page": {"3"}, "limit": {"100"}, "phase": {"Running"}})

	host := `{"data": {"items": [{"host_id": "1"}], "pagination": {"page": %d, "total": 2}}}`
	fake.tell(says(http.StatusOK, fmt.Sprintf(host, 1)), says(http.StatusOK, fmt.Sprintf(host, 2)))
	equal(t, len(must[[]Host](t)(collect(fake.client().Hosts.All()))), 2)
}

func TestPagesEnd(t *testing.T) {
	for _, one := range []struct {
		answers []http.HandlerFunc
		items   int
	}{
		{pagesOf("", 3), 3},
		{pagesOf(`, "total": 0, "page": %d`, 3), 3},
		{pagesOf(`, "total": 9, "page": %d`, 3, 0), 3},
		{pagesOf(`, "total": 3, "page": %d`, 3), 3},
		// The same page again and again.
		{pagesOf(`, "total": 9, "page": %d`, 3), 6},
	} {
		fake := newFake(t, one.answers...)
		equal(t, len(must[[]Claim](t)(collect(fake.client().Claims.All()))), one.items)
	}
	fake := newFake(t, append(pagesOf(`, "total": 9, "page": %d`, 3), says(http.StatusForbidden, ""))...)
	if claims, err := collect(fake.client().Claims.All()); len(claims) != 3 || !errors.Is(err, ErrPermissionDenied) {
		t.Error(len(claims), err)
	}
}
